//! A question goes to who knows the answer: by structured output, or by tools.

use agentscope::prelude::*;
use examples::{println, rules};
use schemars::JsonSchema;
use serde::Deserialize;

const QUESTIONS: [&str; 2] = ["How many seconds has a day?", "How do I get from Oslo to Bergen?"];

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Expert {
    Math,
    Travel,
}

#[derive(Deserialize, JsonSchema)]
struct Route {
    /// Who can answer the question best.
    expert: Expert,
}

#[tokio::main]
async fn main() -> Result<()> {
    let model = examples::model_or(rules::routing())?;
    let agent = |name: &str, prompt: &str| ReActAgent::new(name, model.clone()).prompt(prompt);
    let math = agent("Math", "You answer questions about numbers, in a sentence.").describe("Computes.");
    let travel =
        agent("Travel", "You answer questions about journeys, in a sentence.").describe("Knows the way.");

    // One way: the router gives a value of our type, and the program does what it likes with it.
    let router = agent("Router", "You decide who answers a question. You do not answer it.");
    for question in QUESTIONS {
        let route: Route = router.reply(question).typed().await?;
        let expert = match route.expert {
            Expert::Math => &math,
            Expert::Travel => &travel,
        };
        println!("{question}\n  to {:?}, who says: {}", route.expert, expert.reply(question).await?.text());
    }

    // The other way: the experts are tools, and the model calls whom it needs, perhaps both.
    let desk = agent("Desk", "Ask those who know, and pass on what they say.").agent(math).agent(travel);
    for question in QUESTIONS {
        let reply = desk.reply(question).await?;
        let asked: Vec<_> = reply.calls().map(|call| call.name.as_str()).collect();
        println!("{question}\n  Desk asks {}, and says: {}", asked.join(" and "), reply.text());
    }
    Ok(())
}
