//! Games by the hundred: all end, none breaks a rule, and the checker notices where one does.

use crate::{
    check::check,
    game::{Game, Rule},
};
use agentscope::{FINISH_TOOL, prelude::*};
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc, time::Instant};

struct Played {
    winner: &'static str,
    moderator: String,
    log: String,
}

impl Played {
    fn events(&self) -> Vec<Value> {
        self.log.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn policy(seed: u64) -> impl Fn(u64) -> Arc<dyn ChatModel> {
    move |seat| Arc::new(examples::werewolf(seed ^ (seat << 32)))
}

fn play(seed: u64, broken: Option<Rule>, brain: impl Fn(u64) -> Arc<dyn ChatModel>) -> Played {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let mut game = Game::new(seed, brain).unwrap();
    game.broken = broken;
    let (winner, log) = runtime.block_on(game.play()).unwrap();
    let events: Vec<String> = log.events.iter().map(Value::to_string).collect();
    Played { winner, moderator: log.lines.join("\n"), log: events.join("\n") }
}

/// `AGENTSCOPE_SWEEP` is how many games, `AGENTSCOPE_SEED` the first.
fn seeds() -> std::ops::Range<u64> {
    let number = |name: &str| std::env::var(name).ok().and_then(|it| it.parse::<u64>().ok());
    let first = number("AGENTSCOPE_SEED").unwrap_or(0);
    first..first + number("AGENTSCOPE_SWEEP").unwrap_or(30)
}

#[test]
fn sweep_every_werewolf_game_ends_and_the_checker_finds_nothing() {
    let begin = Instant::now();
    let mut wins: BTreeMap<&str, usize> = BTreeMap::new();
    for seed in seeds() {
        let game = play(seed, None, policy(seed));
        assert_eq!(check(&game.log), [""; 0], "seed {seed}\n{}", game.moderator);
        *wins.entry(game.winner).or_default() += 1;
    }
    println!("{} games in {:?}: {wins:?}", seeds().count(), begin.elapsed());
    assert!(wins.contains_key("village") && wins.contains_key("werewolves"), "both sides win: {wins:?}");
}
