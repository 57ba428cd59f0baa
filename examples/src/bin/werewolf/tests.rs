//! Games by the hundred: all end, none breaks a rule, and the checker notices where one does.

use crate::{check::check, game::Game};
use agentscope::{FINISH_TOOL, prelude::*};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

struct Played {
    winner: &'static str,
    moderator: String,
    log: String,
}

type Brain = Arc<dyn ChatModel>;

fn play(seed: u64, broken: &'static str, brain: impl Fn(u64) -> Brain) -> Played {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let mut game = Game::new(seed, brain).unwrap();
    game.broken = broken;
    let (winner, log) = runtime.block_on(game.play()).unwrap();
    let events: Vec<String> = log.events.iter().map(Value::to_string).collect();
    Played { winner, moderator: log.lines.join("\n"), log: events.join("\n") }
}

fn policy(seed: u64) -> impl Fn(u64) -> Brain {
    move |seat| Arc::new(examples::werewolf(seed, seat))
}

/// `AGENTSCOPE_SWEEP` is how many games, `AGENTSCOPE_SEED` the first.
fn seeds(few: u64) -> std::ops::Range<u64> {
    let number = |name: &str| std::env::var(name).ok().and_then(|it| it.parse::<u64>().ok());
    let first = number("AGENTSCOPE_SEED").unwrap_or(0);
    first..first + number("AGENTSCOPE_SWEEP").unwrap_or(few)
}

#[test]
fn sweep_every_game_of_werewolf_ends_and_keeps_the_rules() {
    let begin = Instant::now();
    let mut wins: BTreeMap<&str, usize> = BTreeMap::new();
    for seed in seeds(30) {
        let game = play(seed, "", policy(seed));
        assert_eq!(check(&game.log), [""; 0], "seed {seed}\n{}", game.moderator);
        *wins.entry(game.winner).or_default() += 1;
    }
    println!("{} games of werewolf in {:?}: {wins:?}", seeds(30).count(), begin.elapsed());
    let both = wins.contains_key("village") && wins.contains_key("werewolves");
    assert!(both || seeds(30).count() < 30, "both sides win sometimes: {wins:?}");
}

/// Plays as the policy does, but as a witch poisons anybody whenever it can, so that seldom things happen often.
struct Reckless(Brain);

impl ChatModel for Reckless {
    fn card(&self) -> &ModelCard {
        self.0.card()
    }

    fn call(&self, req: ModelRequest, cx: Context) -> ModelStream {
        let asked = req.messages.iter().rfind(|msg| msg.name == "Moderator").unwrap();
        let tool = req.tools.iter().find(|tool| tool.name == FINISH_TOOL);
        match (asked.text().contains("Whom do you poison"), tool) {
            (true, Some(tool)) => {
                let options = tool.input_schema["properties"]["name"]["enum"].as_array().unwrap();
                let name = options[req.messages.len() % (options.len() - 1)].clone();
                let answer = ModelDelta::tool_call(0, "", FINISH_TOOL, json!({"name": name}).to_string());
                model_fn(ModelCard::new("reckless"), move |_| std::future::ready(Ok(answer.clone())))
                    .call(req, cx)
            }
            _ => self.0.call(req, cx),
        }
    }
}

fn reckless(seed: u64) -> impl Fn(u64) -> Brain {
    move |seat| Arc::new(Reckless(policy(seed)(seat)))
}

/// Answers rubbish: words, calls of no tool, wrong JSON, the names of the dead and of strangers, nothing, or an error.
fn rubbish(seed: u64, seat: u64) -> Brain {
    let calls = AtomicUsize::new(0);
    let model = model_fn(ModelCard::new("rubbish"), move |req: ModelRequest| {
        let call = calls.fetch_add(1, Ordering::Relaxed) as u64;
        let mut rng = fastrand::Rng::with_seed(seed ^ (seat << 32) ^ (call << 16));
        async move {
            let everybody =
                ["Ada", "Bea", "Cal", "Dan", "Eve", "Fay", "Gus", "Hal", "Ivy", "Zoe", "nobody", ""];
            let name = rng.choice(everybody).unwrap();
            let finish = |input: String| vec![ModelDelta::tool_call(0, "", FINISH_TOOL, input)];
            Ok(match rng.u8(..10) {
                0 => vec![ModelDelta::text("\u{0}}{\"name\": ]")],
                1 => vec![ModelDelta::text(format!(
                    "Let us kill {name} and {name}. I am the seer, the werewolf is Zoe."
                ))],
                2 => vec![],
                3 => vec![ModelDelta::tool_call(0, "", "vote_for_all", "{}")],
                4 => finish("{\"name\":".to_owned()),
                5 => finish(json!({"name": [name], "kill": true}).to_string()),
                6 => finish(json!({"player": name}).to_string()),
                7 => {
                    return Err(Error::new(
                        ErrorKind::Protocol,
                        format!("rubbish after {}", req.messages.len()),
                    ));
                }
                _ => finish(json!({"name": name}).to_string()),
            })
        }
    });
    Arc::new(model)
}

#[test]
fn sweep_rubbish_of_models_ends_no_game_of_werewolf_early_and_breaks_no_rule() {
    for seed in seeds(30) {
        // All of them, or every other one.
        let brain =
            |seat| if seed % 2 == 0 || seat % 2 == 0 { rubbish(seed, seat) } else { policy(seed)(seat) };
        let game = play(seed, "", brain);
        assert_eq!(check(&game.log), [""; 0], "seed {seed}\n{}", game.moderator);
    }
}

#[test]
fn an_answer_that_is_no_choice_is_asked_for_once_more_and_is_none_then() {
    let (calls, told) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counted = (Arc::clone(&calls), Arc::clone(&told));
    let stubborn = model_fn(ModelCard::new("stubborn"), move |req: ModelRequest| {
        let wants_choice = req.tools.iter().any(|tool| tool.name == FINISH_TOOL);
        counted.0.fetch_add(usize::from(wants_choice), Ordering::Relaxed);
        let results = req.messages.iter().rev().take(2).flat_map(|msg| msg.results());
        let is_told = results.into_iter().any(|it| it.text().contains("\"Zoe\" is not one of"));
        counted.1.fetch_add(usize::from(wants_choice && is_told), Ordering::Relaxed);
        async move {
            Ok(match wants_choice {
                true => ModelDelta::tool_call(0, "", FINISH_TOOL, r#"{"name": "Zoe"}"#),
                false => ModelDelta::text("Zoe it was."),
            })
        }
    });
    let game = play(1, "", |_| Arc::new(stubborn.clone()));
    assert_eq!(check(&game.log), [""; 0]);
    assert_eq!(game.winner, "nobody", "nobody dies, and the nights are counted");
    let asked = events(&game.log).iter().map(asked).sum::<usize>();
    assert_eq!(calls.load(Ordering::Relaxed), 2 * asked);
    assert_eq!(told.load(Ordering::Relaxed), asked, "the second time with what is wrong");
}

/// How many players a message asked to choose, in a game in which nobody dies.
fn asked(event: &Value) -> usize {
    match event["text"].as_str().unwrap_or_default() {
        "Whom do you kill?" => 3,
        "Whom do you vote out?" => 9,
        text => {
            usize::from(text.starts_with("Whom do you poison?") || text.starts_with("Of whom do you learn"))
        }
    }
}

#[test]
fn the_same_seed_is_the_same_game() {
    let [one, again, other] = [7, 7, 8].map(|seed| play(seed, "", policy(seed)));
    assert_eq!((&one.moderator, &one.log), (&again.moderator, &again.log));
    assert_ne!(one.moderator, other.moderator);
}

#[test]
fn a_model_that_cannot_be_reached_ends_the_game_with_its_error() {
    let away = model_fn(ModelCard::new("away"), |_: ModelRequest| async {
        Err::<&str, _>(Error::new(ErrorKind::Unauthorized, "no key"))
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let game = Game::new(0, |_| Arc::new(away.clone())).unwrap();
    assert_eq!(runtime.block_on(game.play()).err().unwrap().kind(), ErrorKind::Unauthorized);
}

fn events(log: &str) -> Vec<Value> {
    log.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Plays games that break a rule until the checker says `wrong` of one; in none before does it say anything.
fn notices_in_a_game(broken: &'static str, wrong: &str) {
    for seed in 0..200 {
        let game = play(seed, broken, reckless(seed));
        let found = check(&game.log);
        if found.iter().any(|it| it.contains(wrong)) {
            return;
        }
        assert_eq!(found, [""; 0], "only `{wrong}` is broken, seed {seed}\n{}", game.moderator);
    }
    panic!("the checker never said `{wrong}` when broken was: {broken}");
}

/// Changes the logs of three good games, the first in which `change` can, and sees that the checker then says `wrong`.
fn notices_in_a_log(wrong: &str, change: impl Fn(&mut Vec<Value>) -> Option<()>) {
    let mut changed = 0;
    for seed in 0..100 {
        let mut log = events(&play(seed, "", reckless(seed)).log);
        if change(&mut log).is_none() {
            continue;
        }
        changed += 1;
        let text: Vec<String> = log.iter().map(Value::to_string).collect();
        let found = check(&text.join("\n"));
        assert!(found.iter().any(|it| it.contains(wrong)), "seed {seed}: `{wrong}` is not in {found:#?}");
        if changed == 3 {
            return;
        }
    }
    panic!("{changed} games had what is to be changed");
}

/// Where the last event of this kind is that fits.
fn find(log: &[Value], kind: &str, fits: impl Fn(&Value) -> bool) -> Option<usize> {
    log.iter().rposition(|event| event["event"] == kind && fits(event))
}

/// Who died before this place of the log.
fn dead(log: &[Value], before: usize) -> Option<Value> {
    log[..before].iter().find(|event| event["event"] == "death").map(|event| event["name"].clone())
}

fn with_role(log: &[Value], role: &str) -> Value {
    log[0]["players"].as_array().unwrap().iter().find(|it| it["role"] == role).unwrap()["name"].clone()
}

#[test]
fn the_checker_notices_a_dead_player_who_votes() {
    notices_in_a_game("the dead do not vote", "votes, who is dead");
    notices_in_a_log("votes, who is dead", |log| {
        let at = find(log, "vote", |vote| vote["channel"] == "village")?;
        let mut vote = log[at].clone();
        vote["by"] = dead(log, at)?;
        log.insert(at + 1, vote);
        Some(())
    });
}

#[test]
fn the_checker_notices_a_witch_who_saves_twice() {
    notices_in_a_game("the witch saves once", "does it a second time: save");
    notices_in_a_log("does it a second time: save", |log| {
        let first = find(log, "save", |_| true)?;
        let at = find(log, "victim", |victim| {
            victim["round"] != log[first]["round"] && !victim["name"].is_null()
        })?;
        let mut again = log[first].clone();
        (again["round"], again["name"]) = (log[at]["round"].clone(), log[at]["name"].clone());
        log.insert(at + 1, again);
        Some(())
    });
}

#[test]
fn the_checker_notices_words_of_a_werewolf_that_reach_a_villager() {
    notices_in_a_game("the pack talks alone", "in `werewolves`, which was not for");
    notices_in_a_log("in `werewolves`, which was not for", |log| {
        let said = find(log, "said", |said| said["channel"] == "werewolves" && said["by"] != "Moderator")?;
        let mut heard = log[find(log, "heard", |_| true)?].clone();
        (heard["by"], heard["id"]) = (with_role(log, "villager"), log[said]["id"].clone());
        log.push(heard);
        Some(())
    });
}

#[test]
fn the_checker_notices_a_vote_for_a_dead_player_that_counts() {
    notices_in_a_game("nobody votes for the dead", "who is dead or unknown, and it counts");
    notices_in_a_log("who is dead or unknown, and it counts", |log| {
        let at = find(log, "vote", |vote| vote["channel"] == "village")?;
        log[at]["name"] = dead(log, at)?;
        Some(())
    });
}

#[test]
fn the_checker_notices_a_hunter_who_shoots_when_poisoned() {
    notices_in_a_game("the poisoned do not shoot", "shoots, who died of `poison`");
    notices_in_a_log("shoots, who died of `poison`", |log| {
        let hunter = with_role(log, "hunter");
        let at = find(log, "death", |death| death["cause"] == "poison" && death["name"] == hunter)?;
        let mut shot = log[at].clone();
        (shot["event"], shot["by"], shot["name"]) = (json!("shoot"), hunter, with_role(log, "seer"));
        log.insert(at + 1, shot);
        Some(())
    });
}

#[test]
fn the_checker_notices_what_reaches_others_than_it_was_for() {
    // What the seer is shown, told to another.
    notices_in_a_log("which was not for", |log| {
        let shown = find(log, "said", |said| said["text"].as_str().unwrap().ends_with(" is a werewolf."))?;
        let id = log[shown]["id"].clone();
        let heard = find(log, "heard", |heard| heard["id"] == id)?;
        log[heard]["by"] = with_role(log, "witch");
        Some(())
    });
    notices_in_a_log("what only the seer may know", |log| {
        let shown = find(log, "said", |said| said["text"].as_str().unwrap().ends_with(" is a werewolf."))?;
        log[shown]["channel"] = json!("village");
        Some(())
    });
    notices_in_a_log("heard what nobody said", |log| {
        let heard = find(log, "heard", |_| true)?;
        (log[heard]["id"], log[heard]["text"]) = (Value::Null, json!("psst"));
        Some(())
    });
    notices_in_a_log("did not hear", |log| {
        log.remove(find(log, "heard", |_| true)?);
        Some(())
    });
}

#[test]
fn the_checker_notices_a_wrong_end() {
    notices_in_a_log("the game ends, won by", |log| {
        let at = find(log, "end", |_| true)?;
        log[at]["winner"] =
            if log[at]["winner"] == "village" { json!("werewolves") } else { json!("village") };
        Some(())
    });
    notices_in_a_log("the game has no end", |log| {
        log.truncate(find(log, "end", |_| true)?);
        Some(())
    });
    notices_in_a_log("had to die and lives", |log| {
        log.remove(find(log, "death", |death| death["cause"] == "vote")?);
        Some(())
    });
}
