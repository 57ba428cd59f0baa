//! Two debate, and a judge says when it is decided, and for whom.

use agentscope::prelude::*;
use examples::{println, rules, watch};

const MOTION: &str = "All code should be written by two people at one keyboard.";

#[tokio::main]
async fn main() -> Result<()> {
    let model = examples::model_or(rules::debate())?;
    let debater = |name: &str, side: &str| {
        let prompt = format!(
            "You are {name} and debate {side} the motion. Give one argument at a time, in two sentences at most, and answer \
             what the other side said."
        );
        ReActAgent::new(name, model.clone()).prompt(prompt)
    };
    let amy = debater("Amy", "for");
    let bob = debater("Bob", "against");
    let judge = ReActAgent::new("Judge", model.clone()).prompt(
        "You judge a debate by its arguments alone. It is decided when one side has no answer to the other.",
    );

    // Amy and Bob hear each other; the judge hears both after each round, and answers by the schema of a `Judgment`.
    let debate = Debate::new((&amy, &bob), &judge).max_rounds(3);
    println!("The motion: {MOTION}");
    let verdict = watch(debate.reply(MOTION).stream()).await?;

    let judgment: Judgment = verdict.output_as()?;
    match judgment.winner {
        _ if !judgment.decided => println!("After 3 rounds it is not decided: {}", judgment.reason),
        Some(winner) => println!("The winner is {winner}: {}", judgment.reason),
        None => println!("It is a draw: {}", judgment.reason),
    }
    Ok(())
}
