//! Nine play Werewolf: a pack with a hub of its own, a village with another, votes as structured output, and rules that hold.

mod check;
mod game;
mod log;
#[cfg(test)]
mod tests;

use agentscope::prelude::*;
use game::Game;
use std::{sync::Arc, time::Duration};

/// Between two lines, so that one can read along.
const PACE: Duration = Duration::from_millis(150);

#[tokio::main]
async fn main() -> Result<()> {
    let seed = match examples::option("--seed")? {
        Some(seed) => seed.parse().map_err(|_| {
            Error::new(ErrorKind::InvalidInput, format!("--seed is a whole number from 0, not `{seed}`"))
        })?,
        None => fastrand::u64(..10_000),
    };
    let mut game = match examples::spec()? {
        Some(spec) => {
            let model = model::from_spec(&spec)?;
            Game::new(seed, |_| Arc::clone(&model))?
        }
        None => {
            println!(
                "(model: a few rules for each player in examples/src/policy/werewolf.rs, no language model)"
            );
            Game::new(seed, |seat| Arc::new(examples::werewolf(seed ^ (seat << 32))))?
        }
    };
    println!("(the same game again: --seed {seed})");
    game.log.pace = Some(PACE);
    let (_, log) = game.play().await?;
    let events: String = log.events.iter().map(|event| format!("{event}\n")).collect();
    if let Some(file) = examples::option("--log")? {
        std::fs::write(&file, &events).map_err(|error| {
            Error::new(ErrorKind::InvalidInput, format!("cannot write `{file}`, name another file: {error}"))
        })?;
    }
    match check::check(&events).as_slice() {
        [] => println!("(checked: no rule was broken, and nobody heard what was not for them)"),
        wrong => wrong.iter().for_each(|wrong| println!("(checked, and wrong: {wrong})")),
    }
    Ok(())
}
