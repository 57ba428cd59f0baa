//! A checker that knows the rules of Werewolf and nothing of the program that plays it: it reads the log of a game, one JSON
//! object a line, and says what was against the rules or reached somebody for whom it was not.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What is wrong with the game of this log; nothing if all is right.
pub(crate) fn check(log: &str) -> Vec<String> {
    let mut judge = Judge::default();
    for (at, line) in log.lines().enumerate() {
        let before = judge.wrong.len();
        match serde_json::from_str(line) {
            Ok(event) => judge.see(&event),
            Err(error) => judge.wrong.push(format!("it is no JSON: {error}")),
        }
        judge.wrong.iter_mut().skip(before).for_each(|wrong| *wrong = format!("line {}: {wrong}", at + 1));
    }
    judge.close();
    judge.wrong
}

#[derive(Default)]
struct Judge {
    roles: BTreeMap<String, String>,
    alive: BTreeSet<String>,
    /// In which round each died, and of what.
    deaths: BTreeMap<String, (u64, String)>,
    said: BTreeMap<u64, Said>,
    heard: BTreeSet<(u64, String)>,
    round: u64,
    phase: String,
    /// Who has voted in this phase, and for whom.
    votes: BTreeMap<String, Option<String>>,
    /// Who may vote in this phase; known from the first vote on.
    voters: Option<BTreeSet<String>>,
    victim: Option<String>,
    saved: Option<String>,
    poisoned: Option<String>,
    looked: bool,
    shot: Option<String>,
    /// Deeds that can be done once in a game.
    done: BTreeSet<String>,
    last_words: BTreeSet<String>,
    winner: Option<String>,
    wrong: Vec<String>,
}

/// Something that was said.
struct Said {
    by: String,
    round: u64,
    is_over: bool,
    channel: String,
    /// Who has to hear it, being there.
    present: BTreeSet<String>,
}

impl Judge {
    fn see(&mut self, event: &Value) {
        let text = |field: &str| event.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        let kind = text("event");
        let (round, phase) = (event.get("round").and_then(Value::as_u64).unwrap_or_default(), text("phase"));
        if self.roles.is_empty() != (kind == "game") {
            return self.wrong("a game begins by telling its players, once");
        }
        if (round, &phase) != (self.round, &self.phase) {
            self.turn_to(round, &phase);
        }
        let (by, name) = (text("by"), event.get("name").and_then(Value::as_str).map(str::to_owned));
        match (kind.as_str(), name) {
            ("game", _) => self.deal(event),
            ("said", _) => match event.get("id").and_then(Value::as_u64) {
                Some(id) => self.say(id, by, text("channel"), &text("text")),
                None => self.wrong("something was said that has no number"),
            },
            ("heard", _) => match event.get("id").and_then(Value::as_u64) {
                Some(id) => self.hear(id, by),
                None => self.wrong(format!("{by} heard what nobody said: {}", text("text"))),
            },
            ("end", _) => self.end(text("winner")),
            _ if self.winner.is_some() => self.wrong(format!("`{kind}` after the end")),
            ("vote", name) => self.vote(&by, &text("channel"), name),
            ("victim", name) => self.choose_victim(name),
            ("death", Some(name)) => self.die(name, text("cause")),
            (deed, Some(name)) => self.deed(deed, &by, name),
            _ => self.wrong(format!("nobody knows what `{kind}` is")),
        }
    }

    fn wrong(&mut self, wrong: impl Into<String>) {
        self.wrong.push(wrong.into());
    }

    fn hold(&mut self, right: bool, wrong: impl Into<String>) {
        if !right {
            self.wrong(wrong);
        }
    }

    fn role(&self, name: &str) -> &str {
        self.roles.get(name).map_or("", String::as_str)
    }

    fn alive_as(&self, role: &str) -> BTreeSet<String> {
        self.alive.iter().filter(|it| self.role(it) == role).cloned().collect()
    }

    fn deal(&mut self, event: &Value) {
        for player in event.get("players").and_then(Value::as_array).into_iter().flatten() {
            let text = |field: &str| player.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
            self.roles.insert(text("name"), text("role"));
        }
        let mut roles: Vec<&str> = self.roles.values().map(String::as_str).collect();
        roles.sort_unstable();
        let right = [
            "hunter", "seer", "villager", "villager", "villager", "werewolf", "werewolf", "werewolf", "witch",
        ];
        let is_right = roles == right;
        self.alive = self.roles.keys().cloned().collect();
        self.hold(is_right, "the roles are not those of the game");
    }

    fn turn_to(&mut self, round: u64, phase: &str) {
        let next = match self.phase.as_str() {
            "" => round == 1 && phase == "night",
            "night" => round == self.round && phase == "morning",
            "morning" => round == self.round && (phase == "day" || phase == "over"),
            "day" => {
                (round == self.round + 1 && phase == "night") || (round == self.round && phase == "over")
            }
            _ => false,
        };
        self.hold(
            next,
            format!("round {round}, {phase} does not follow round {}, {}", self.round, self.phase),
        );
        self.close_phase();
        if phase == "night" {
            let won = self.won();
            self.hold(won.is_none(), format!("a night begins, though the game is won: {won:?}"));
            self.hold(round <= 20, "the game goes on after round 20");
            (self.victim, self.saved, self.poisoned, self.looked) = (None, None, None, false);
        }
        (self.round, self.phase) = (round, phase.to_owned());
        (self.votes, self.voters) = (BTreeMap::new(), None);
    }

    /// What had to happen in a phase has happened.
    fn close_phase(&mut self) {
        if let Some(voters) = self.voters.take() {
            let missing: Vec<_> = voters.iter().filter(|it| !self.votes.contains_key(*it)).cloned().collect();
            self.hold(missing.is_empty(), format!("not asked for a vote: {missing:?}"));
        } else {
            self.hold(self.phase != "day" && self.phase != "night", "nobody voted");
        }
        if self.phase != "morning" && self.phase != "day" {
            return;
        }
        let victim = self.victim.clone().filter(|it| self.saved.as_ref() != Some(it));
        let out = self.voted_out(); // nobody in the morning
        for name in victim.into_iter().chain(self.poisoned.clone()).chain(out).chain(self.shot.take()) {
            self.hold(!self.alive.contains(&name), format!("{name} had to die and lives"));
        }
    }

    fn most_voted(&self) -> Vec<String> {
        let mut counts: BTreeMap<&String, usize> = BTreeMap::new();
        self.votes.values().flatten().for_each(|name| *counts.entry(name).or_default() += 1);
        let most = counts.values().max().copied();
        counts.into_iter().filter(|(_, count)| Some(*count) == most).map(|(name, _)| name.clone()).collect()
    }

    /// Who has more than half of the votes that could be cast.
    fn voted_out(&self) -> Option<String> {
        let name = self.most_voted().pop()?;
        let count = self.votes.values().flatten().filter(|it| **it == name).count();
        (2 * count > self.votes.len()).then_some(name)
    }

    /// Who has won, of those who live.
    fn won(&self) -> Option<&'static str> {
        let wolves = self.alive_as("werewolf").len();
        match self.alive.len() - wolves {
            _ if wolves == 0 => Some("village"),
            others if wolves >= others => Some("werewolves"),
            _ => None,
        }
    }

    fn say(&mut self, id: u64, by: String, channel: String, text: &str) {
        let is_over = self.phase == "over";
        if by == "Moderator" {
            self.keep_secrets(&channel, text, is_over);
        } else {
            self.may_say(&by, &channel, is_over);
        }
        let mut present = match channel.as_str() {
            "village" => self.alive.clone(),
            "werewolves" => self.alive_as("werewolf"),
            _ => BTreeSet::from([channel.clone()]),
        };
        if is_over && channel == "village" {
            present = self.roles.keys().cloned().collect();
        }
        let known = channel == "village" || channel == "werewolves" || self.roles.contains_key(&channel);
        self.hold(known, format!("there is no channel `{channel}`"));
        present.remove(&by);
        let said = Said { by, round: self.round, is_over, channel, present };
        let is_new = self.said.insert(id, said).is_none();
        self.hold(is_new, format!("two messages have the number {id}"));
    }

    fn may_say(&mut self, by: &str, channel: &str, is_over: bool) {
        let died = self.deaths.get(by).cloned();
        let died_now = |causes: &[&str]| {
            died.as_ref().is_some_and(|(at, cause)| *at == self.round && causes.contains(&cause.as_str()))
        };
        let first = self.round == 1 && died_now(&["werewolves", "poison"]);
        let may_end = (self.phase == "morning" && first) || (self.phase == "day" && died_now(&["vote"]));
        let is_alive = self.alive.contains(by);
        let may = match channel {
            "village" if is_alive => self.phase == "day",
            "village" => may_end && self.last_words.insert(by.to_owned()),
            "werewolves" => is_alive && self.phase == "night" && self.role(by) == "werewolf",
            // To the moderator: only the hunter chooses after death.
            own => own == by && (is_alive || is_over || (self.role(by) == "hunter" && died.is_some())),
        };
        self.hold(may, format!("{by} may not talk in `{channel}`"));
    }

    /// What a moderator may tell to whom, by its words.
    fn keep_secrets(&mut self, channel: &str, text: &str, is_over: bool) {
        if is_over {
            return;
        }
        let tells =
            |words: &str| self.roles.keys().find(|name| text.contains(&format!("{name} {words}"))).cloned();
        let mut wrong = Vec::new();
        for (words, truth) in [("is a werewolf", true), ("is no werewolf", false)] {
            let Some(name) = tells(words) else { continue };
            if self.role(channel) != "seer" {
                wrong.push(format!("`{channel}` is told of {name} what only the seer may know"));
            }
            if (self.role(&name) == "werewolf") != truth {
                wrong.push(format!("the seer is told of {name} what is not true"));
            }
        }
        if tells("will die").is_some() && self.role(channel) != "witch" {
            wrong.push(format!("`{channel}` is told who will die"));
        }
        if let Some((_, role)) = text.split_once("your role is ")
            && !(role.trim_end_matches('.') == self.role(channel) && text.starts_with(channel))
        {
            wrong.push(format!("`{channel}` is told a role that is not its own"));
        }
        if text.contains("werewolves are") && channel != "werewolves" {
            wrong.push(format!("`{channel}` is told who the werewolves are"));
        }
        if channel == "village" && ["werewol", "seer", "witch", "villager"].iter().any(|it| text.contains(it))
        {
            wrong.push("the village is told of roles".to_owned());
        }
        self.wrong.extend(wrong);
    }

    fn hear(&mut self, id: u64, by: String) {
        let Some(said) = self.said.get(&id) else {
            return self.wrong(format!("{by} heard {id}, which nobody said"));
        };
        let died = self.deaths.get(&by).map_or(u64::MAX, |(round, _)| *round);
        let may = match said.channel.as_str() {
            "village" => said.is_over || said.round <= died,
            "werewolves" => self.role(&by) == "werewolf" && said.round <= died,
            own => own == by,
        };
        let whose = format!("{by} heard {id} of {} in `{}`, which was not for {by}", said.by, said.channel);
        self.hold(may, whose);
        let is_new = self.heard.insert((id, by.clone()));
        self.hold(is_new, format!("{by} heard {id} twice"));
    }

    fn vote(&mut self, by: &str, channel: &str, name: Option<String>) {
        let right = match self.phase.as_str() {
            "night" => channel == "werewolves" && self.victim.is_none(),
            phase => phase == "day" && channel == "village",
        };
        self.hold(right, format!("{by} votes in `{channel}` when no vote is held there"));
        if self.voters.is_none() {
            let won = self.won();
            self.hold(won.is_none(), format!("a vote is held, though the game is won: {won:?}"));
            let all = if channel == "werewolves" { self.alive_as("werewolf") } else { self.alive.clone() };
            self.voters = Some(all);
        }
        let may = self.voters.as_ref().is_some_and(|voters| voters.contains(by));
        let why = if self.alive.contains(by) { "is no werewolf" } else { "is dead" };
        self.hold(may, format!("{by} votes, who {why}"));
        if let Some(name) = &name {
            let lives = self.alive.contains(name);
            self.hold(lives, format!("{by} votes for {name}, who is dead or unknown, and it counts"));
        }
        let is_new = self.votes.insert(by.to_owned(), name).is_none();
        self.hold(is_new, format!("{by} votes twice"));
    }

    fn choose_victim(&mut self, name: Option<String>) {
        let most = self.most_voted();
        let right = name.as_ref().map_or(most.is_empty(), |name| most.contains(name));
        self.hold(self.phase == "night" && self.victim.is_none(), "the werewolves choose once a night");
        self.hold(right, format!("the werewolves voted for {most:?} and choose {name:?}"));
        self.victim = name;
    }

    fn deed(&mut self, deed: &str, by: &str, name: String) {
        let lives = self.alive.contains(&name);
        self.hold(lives, format!("{by}: {deed} {name}, who is dead or unknown"));
        let actor = match deed {
            "save" | "poison" => "witch",
            "look" => "seer",
            "shoot" => "hunter",
            _ => return self.wrong(format!("nobody can `{deed}`")),
        };
        self.hold(self.role(by) == actor, format!("{by} is no {actor} and does: {deed}"));
        if deed != "look" {
            let once = self.done.insert(deed.to_owned());
            self.hold(once, format!("{by} does it a second time: {deed}"));
        }
        if deed == "shoot" {
            let fit = ["werewolves", "vote"];
            let death = self.deaths.get(by).cloned().unwrap_or_default();
            let may = death.0 == self.round && fit.contains(&death.1.as_str());
            self.hold(may, format!("{by} shoots, who died of `{}` in round {}", death.1, death.0));
            self.shot = Some(name);
            return;
        }
        let may = self.alive.contains(by) && self.phase == "night";
        self.hold(may, format!("{by} is dead, or it is day: {deed}"));
        match deed {
            "look" => {
                self.hold(!self.looked, format!("{by} looks twice in a night"));
                self.looked = true;
                return;
            }
            "save" => {
                self.hold(
                    self.victim.as_ref() == Some(&name),
                    format!("{by} saves {name}, who is no victim"),
                );
                self.saved = Some(name);
            }
            _ => self.poisoned = Some(name),
        }
        let both = self.saved.is_some() && self.poisoned.is_some();
        self.hold(!both, format!("{by} uses both potions in a night"));
    }

    fn die(&mut self, name: String, cause: String) {
        let right = match cause.as_str() {
            "werewolves" if self.saved.as_ref() == Some(&name) => false,
            "werewolves" => self.phase == "morning" && self.victim.as_ref() == Some(&name),
            "poison" => self.phase == "morning" && self.poisoned.as_ref() == Some(&name),
            "vote" => self.phase == "day" && self.voted_out().as_ref() == Some(&name),
            "shot" => self.shot.as_ref() == Some(&name),
            _ => false,
        };
        self.hold(right, format!("{name} dies of `{cause}`, which did not happen"));
        let lived = self.alive.remove(&name);
        self.hold(lived, format!("{name} dies, who is dead or unknown"));
        self.deaths.insert(name, (self.round, cause));
    }

    fn end(&mut self, winner: String) {
        let right = self.won().unwrap_or("nobody") == winner && (winner != "nobody" || self.round == 20);
        self.hold(right && self.winner.is_none(), format!("the game ends, won by {winner}"));
        self.winner = Some(winner);
    }

    /// The game has ended, and who was there has heard.
    fn close(&mut self) {
        self.hold(self.winner.is_some(), "the game has no end");
        let mut missed = Vec::new();
        for (id, said) in &self.said {
            let deaf = said.present.iter().filter(|name| !self.heard.contains(&(*id, (*name).clone())));
            missed.extend(deaf.map(|name| format!("{name} did not hear {id} of {}", said.by)));
        }
        self.wrong.extend(missed);
    }
}
