//! Three experts are asked the same, one by one and all at once, and the time is taken.

use agentscope::prelude::*;
use examples::{println, rules};
use std::time::Instant;

const QUESTION: &str = "What should one know of Trondheim? Say it in a sentence.";

#[tokio::main]
async fn main() -> Result<()> {
    let model = examples::model_or(rules::concurrent())?;
    let expert = |who: &str| ReActAgent::new(who, model.clone()).prompt(format!("You are a {who}."));
    let experts = ["geographer", "historian", "cook"].map(expert);

    let at_once = Fanout::new(&experts);
    for (how, fanout) in [("one by one", at_once.clone().one_by_one()), ("all at once", at_once)] {
        let begin = Instant::now();
        let replies = fanout.all(QUESTION).await?; // in the order of the experts, whoever was first
        println!("{how}: {:.2} s", begin.elapsed().as_secs_f64());
        for reply in replies {
            let reply = reply?;
            println!("  {}: {}", reply.name, reply.text());
        }
    }
    Ok(())
}
