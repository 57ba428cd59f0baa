//! "Guess 2/3 of the average": a population from a file plays, and its guesses fall from round to round.
//!
//! `cargo xtask demo guess -- --agents 1000 --rounds 6 --seed 7`, and `--model ollama:qwen3` for players that really think.

use agentscope::population::{Background, Population};
use agentscope::prelude::*;
use examples::{guess::policy, options::Options};
use futures_util::{StreamExt, TryStreamExt, stream};
use std::{collections::BTreeMap, io::Write, sync::Arc};

/// Who plays: how many, and in which proportions.
const PEOPLE: &str = include_str!("../../guess.yaml");

/// How many are asked at the same time: as many as a provider likes.
const AT_ONCE: usize = 64;

/// What a player is told of itself and of the game.
const PROMPT: &str = "You are player {number} of a game, {age}, and your education is {education}. In each round all players guess a \
                      number from 0 to 100 at the same time. Whoever is nearest to 2/3 of the average of all guesses wins. Think as \
                      a person of your age and education would, and guess.";

/// What a player answers.
#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Guess {
    /// Your guess.
    #[schemars(range(min = 0, max = 100))]
    number: f64,
}

/// A player, and what it is.
struct Player {
    agent: ReActAgent,
    education: String,
}

#[tokio::main]
async fn main() -> Result<()> {
    let options = Options::read(&["--agents", "--rounds", "--seed"])?;
    let model = options.model(policy(), "examples/src/guess.rs")?;
    let mut population = Population::from_yaml(PEOPLE)?;
    population.population = options.value("--agents", population.population)?;
    population.check()?;

    let prompt = Background::new(PROMPT, &population)?;
    let players: Vec<Player> = population
        .people(options.value("--seed", 7)?)
        .map(|person| Player {
            agent: ReActAgent::new(format!("Player {}", person.number()), Arc::clone(&model))
                .prompt(prompt.of(&person)),
            education: person.get("education").unwrap_or_default().to_owned(),
        })
        .collect();

    for round in 1..=options.value("--rounds", 5)? {
        let guesses = ask(&players, round).await?;
        let average = mean(&guesses);
        let target = average * 2.0 / 3.0;
        let nearest = guesses.iter().enumerate().min_by(|one, other| {
            (one.1 - target).abs().total_cmp(&(other.1 - target).abs()) // of equals, the first
        });
        let winner =
            nearest.map_or("nobody", |(at, _)| players.get(at).map_or("", |it| &it.agent.card().name));
        show(
            round,
            &players,
            &guesses,
            &format!("average {average:6.2}, 2/3 of it {target:6.2}, nearest: {winner}"),
        )?;
        tell(&players, &format!("In round {round}, the average was {average:.2}, so {target:.2} was best."))
            .await?;
    }
    Ok(())
}

/// All guesses of a round, in the order of the players. Each sees its own prompt and what it was told, and no other's guess.
async fn ask(players: &[Player], round: usize) -> Result<Vec<f64>> {
    let question = Arc::new(Msg::user(format!("Round {round}: your guess?")).named("Moderator"));
    let asked =
        stream::iter(players).map(|player| player.agent.reply(&question).typed::<Guess>().into_future());
    asked.buffered(AT_ONCE).map_ok(|guess| guess.number).try_collect().await
}

/// One message for all, who hear it before they are asked again.
async fn tell(players: &[Player], text: &str) -> Result<()> {
    let result = Arc::new(Msg::user(text).named("Moderator"));
    for player in players {
        player.agent.observe(vec![Arc::clone(&result)]).await?;
    }
    Ok(())
}

fn show(round: usize, players: &[Player], guesses: &[f64], result: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\nround {round}: {result}")?;
    let mut groups = BTreeMap::<&str, Vec<f64>>::new();
    for (player, guess) in players.iter().zip(guesses) {
        groups.entry(&player.education).or_default().push(*guess);
    }
    for (education, guesses) in groups {
        let average = mean(&guesses);
        writeln!(out, "  {education:20} {average:6.2} {}", "▪".repeat(average as usize))?;
    }
    Ok(())
}

fn mean(numbers: &[f64]) -> f64 {
    numbers.iter().sum::<f64>() / numbers.len().max(1) as f64
}
