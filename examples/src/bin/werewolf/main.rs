//! Nine play Werewolf: a pack with a hub of its own, a village with another, votes as structured output, and rules that hold.

mod check;
mod game;
mod log;
#[cfg(test)]
mod tests;

use agentscope::prelude::*;
use examples::{options::Options, println};
use game::Game;
use std::sync::Arc;

#[tokio::main]
async fn main() -> Result<()> {
    let options = Options::read(&["--seed", "--log"])?;
    let seed = options.value("--seed", fastrand::u64(..10_000))?;
    let model = options.real_model()?;
    if model.is_none() {
        println!("(model: a few rules in examples/src/policy/werewolf.rs, no language model)");
    }
    let brain = |seat| model.clone().unwrap_or_else(|| Arc::new(examples::werewolf(seed, seat)));
    let mut game = Game::new(seed, brain)?;
    println!("(the same cards again: --seed {seed})");
    game.log.live = true;
    let (_, log) = game.play().await?;
    let events: String = log.events.iter().map(|event| format!("{event}\n")).collect();
    let wrong = check::check(&events);
    println!("(checked: {} violations of rules and secrets) {}", wrong.len(), wrong.join("; "));
    let file: String = options.value("--log", String::new())?;
    if !file.is_empty() {
        std::fs::write(&file, &events).map_err(|error| Error::from(error).context(format_args!("{file}")))?;
    }
    Ok(())
}
