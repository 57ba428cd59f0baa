//! "Guess 2/3 of the average": a population from a file plays, and its guesses fall from round to round.
//!
//! `cargo xtask demo guess --agents 1000 --rounds 6 --seed 7`, and `--model ollama:qwen3` for players that really think.

use agentscope::population::{Background, Person, Population};
use agentscope::prelude::*;
use examples::{guess::policy, options::Options, println};
use futures_util::{StreamExt, TryStreamExt, stream};
use std::{collections::BTreeMap, sync::Arc};

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
type Player = (ReActAgent, Person);

#[tokio::main]
async fn main() -> Result<()> {
    let options = Options::read(&["--agents", "--rounds", "--seed"])?;
    let model = options.model(policy(), "examples/src/guess.rs")?;
    let mut population = Population::from_yaml(PEOPLE)?;
    population.population = options.value("--agents", population.population)?;
    population.check()?;
    let prompt = Background::new(PROMPT, &population)?;
    let player = |person: Person| {
        let agent = ReActAgent::new(format!("Player {}", person.number()), Arc::clone(&model));
        (agent.prompt(prompt.of(&person)), person)
    };
    let players: Vec<_> = population.people(options.value("--seed", 7)?).map(player).collect();

    for round in 1..=options.value("--rounds", 5)? {
        let guesses = ask(&players, round).await?;
        let average = mean(&guesses);
        let target = average * 2.0 / 3.0;
        show(
            &players,
            &guesses,
            &format!("round {round}: the average is {average:.2}, 2/3 of it {target:.2}"),
        );
        tell(&players, &format!("In round {round}, the average was {average:.2}, so {target:.2} won."))
            .await?;
    }
    Ok(())
}

/// All guesses of a round, in the order of the players. Each sees its own prompt and what it was told, and no other's guess.
async fn ask(players: &[Player], round: usize) -> Result<Vec<f64>> {
    let question = Arc::new(Msg::user(format!("Round {round}: your guess?")).named("Moderator"));
    let asked = stream::iter(players).map(|(agent, _)| agent.reply(&question).typed::<Guess>().into_future());
    asked.buffered(AT_ONCE).map_ok(|guess| guess.number).try_collect().await
}

/// One message for all, who hear it before they are asked again.
async fn tell(players: &[Player], text: &str) -> Result<()> {
    let result = Arc::new(Msg::user(text).named("Moderator"));
    for (agent, _) in players {
        agent.observe(vec![Arc::clone(&result)]).await?;
    }
    Ok(())
}

/// What each group guessed.
fn show(players: &[Player], guesses: &[f64], result: &str) {
    println!("\n{result}");
    let mut groups = BTreeMap::<_, Vec<f64>>::new();
    for ((_, person), guess) in players.iter().zip(guesses) {
        groups.entry(person.get("education")).or_default().push(*guess);
    }
    for (education, guesses) in groups {
        let average = mean(&guesses);
        println!("  {:20} {average:6.2} {}", education.unwrap_or_default(), "▪".repeat(average as usize));
    }
}

fn mean(numbers: &[f64]) -> f64 {
    numbers.iter().sum::<f64>() / numbers.len().max(1) as f64
}
