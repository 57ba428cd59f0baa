//! A few rules that play Werewolf in the place of a language model. A mind is made anew for each answer, from what the model was
//! given and from nothing else: it knows what its player heard.

use agentscope::{FINISH_TOOL, prelude::*};
use fastrand::Rng;
use serde_json::json;

/// A player of the demo `werewolf`. With the same `seed` it gives the same answer to the same request.
pub fn werewolf(seed: u64) -> impl ChatModel + Clone {
    model_fn(ModelCard::new("policy"), move |req: ModelRequest| async move {
        let mut mind = Mind::new(&req, seed);
        Ok(match mind.options.is_empty() {
            true => ModelDelta::text(mind.talk()),
            false => ModelDelta::tool_call(0, "", FINISH_TOOL, json!({"name": mind.choose()}).to_string()),
        })
    })
}

struct Mind {
    me: String,
    role: String,
    /// Who said what, in the order of hearing, its own words included.
    heard: Vec<(String, String)>,
    alive: Vec<String>,
    /// Who is to be chosen; empty if it is to talk.
    options: Vec<String>,
    rng: Rng,
}

impl Mind {
    fn new(req: &ModelRequest, seed: u64) -> Self {
        let heard: Vec<_> = req.messages.iter().map(|it| (it.name.to_string(), it.text())).collect();
        let told = |what: &str| {
            let mut told = heard.iter().rev().filter(|(who, _)| who == "Moderator");
            told.find_map(|(_, text)| text.split_once(what)?.1.split('.').next()).unwrap_or_default()
        };
        let (role, alive) =
            (told("your role is ").to_owned(), told("Alive: ").split(", ").map(str::to_owned));
        let tool = req.tools.iter().find(|tool| tool.name == FINISH_TOOL);
        let names = tool.and_then(|tool| tool.input_schema.pointer("/properties/name/enum")?.as_array());
        let options = names.into_iter().flatten().filter_map(|it| it.as_str().map(str::to_owned));
        let rng = Rng::with_seed(seed.wrapping_add(heard.len() as u64));
        Self {
            me: req.speaker.to_string(),
            role,
            alive: alive.collect(),
            options: options.collect(),
            heard,
            rng,
        }
    }

    fn talk(&mut self) -> String {
        let asked = self.question();
        if asked.contains("kill") {
            return format!("Let us kill {}.", self.prey(self.alive.clone()));
        } else if asked.contains("over") {
            return "That was a good game.".to_owned();
        }
        let suspect = self.suspect(self.alive.clone());
        let seen = self.seen("a").into_iter().rfind(|it| self.alive.contains(it));
        let accuser =
            self.claims().into_iter().find(|(_, whom)| self.is_wolf() && self.pack().contains(whom));
        match (seen, accuser) {
            (Some(seen), _) => format!("I am the seer: the werewolf is {seen}."),
            (_, Some((accuser, _))) if self.alive.contains(&accuser) && self.rng.bool() => {
                format!("No, I am the seer: the werewolf is {accuser}.")
            }
            _ if asked.contains("last words") => "Farewell, and good luck.".to_owned(),
            _ => format!("I suspect {suspect}."),
        }
    }

    fn choose(&mut self) -> String {
        let asked = self.question();
        let options: Vec<_> =
            self.options.iter().filter(|it| *it != "nobody" && **it != self.me).cloned().collect();
        let certain = !self.claims().is_empty();
        match asked.as_str() {
            _ if asked.contains("save") && self.rng.u8(..4) > 0 => {
                self.options.first().cloned().unwrap_or_default()
            }
            _ if asked.contains("save") => "nobody".to_owned(),
            _ if asked.contains("poison") && !certain => "nobody".to_owned(),
            _ if asked.contains("kill") => self.prey(options),
            _ if asked.contains("learn") => {
                let known = [self.seen("a"), self.seen("no")].concat();
                self.any(options.into_iter().filter(|it| !known.contains(it)).collect())
            }
            _ => self.suspect(options),
        }
    }

    /// Whom the pack kills: who was proposed tonight, else who says to be the seer, else anybody.
    fn prey(&mut self, mut among: Vec<String>) -> String {
        let pack = self.pack();
        among.retain(|it| !pack.contains(it));
        let proposed =
            self.since("The werewolves are").into_iter().find_map(|(_, text)| after(&text, "Let us kill "));
        let seers = self.claims().into_iter().map(|(who, _)| who);
        let wanted = proposed.into_iter().chain(seers).find(|it| among.contains(it));
        wanted.unwrap_or_else(|| self.any(among))
    }

    /// Who is most likely a werewolf; for a werewolf, who best is taken for one.
    fn suspect(&mut self, mut among: Vec<String>) -> String {
        let (mine, good) =
            (if self.is_wolf() { self.pack() } else { vec![self.me.clone()] }, self.seen("no"));
        among.retain(|it| !mine.contains(it) && !good.contains(it));
        let seen = self.seen("a").into_iter().rev();
        // Who accuses me falsely is a werewolf; else the last who says to be the seer may be right.
        let liars = self.claims().into_iter().filter(|(_, whom)| *whom == self.me).map(|(who, _)| who);
        let accused = self.claims().into_iter().rev().map(|(_, whom)| whom);
        if let Some(found) = seen.chain(liars).chain(accused).find(|it| among.contains(it)) {
            return found;
        }
        let named = self.since("Day ").into_iter().filter_map(|(_, text)| after(&text, "I suspect "));
        let named: Vec<_> = named.filter(|it| among.contains(it)).collect();
        self.any(if named.is_empty() { among } else { named })
    }

    /// Who said to be the seer, and whom they accused.
    fn claims(&self) -> Vec<(String, String)> {
        let accused = |text: &str| after(text, "I am the seer: the werewolf is ");
        self.heard.iter().filter_map(|(who, text)| Some((who.clone(), accused(text)?))).collect()
    }

    /// Whom the moderator showed to me, as seer, to be `a` or `no` werewolf.
    fn seen(&self, is: &str) -> Vec<String> {
        let end = format!(" is {is} werewolf.");
        let told = self.heard.iter().filter(|(who, _)| who == "Moderator");
        told.filter_map(|(_, text)| text.strip_suffix(&end).map(str::to_owned)).collect()
    }

    fn pack(&self) -> Vec<String> {
        let told =
            self.heard.iter().find_map(|(_, text)| text.strip_prefix("The werewolves are ")?.split_once('.'));
        told.map_or_else(Vec::new, |(pack, _)| pack.split(", ").map(str::to_owned).collect())
    }

    /// What was said since the moderator began a text like this.
    fn since(&self, begin: &str) -> Vec<(String, String)> {
        let is_it = |(who, text): &&(String, String)| who == "Moderator" && text.starts_with(begin);
        let since = self.heard.rsplit(|it| is_it(&it)).next().unwrap_or_default();
        since.to_vec()
    }

    fn question(&self) -> String {
        let asked = self.heard.iter().rfind(|(who, _)| who == "Moderator");
        asked.map(|(_, text)| text.clone()).unwrap_or_default()
    }

    fn is_wolf(&self) -> bool {
        self.role == "werewolf"
    }

    fn any(&mut self, among: Vec<String>) -> String {
        self.rng.choice(among).unwrap_or_else(|| "nobody".to_owned())
    }
}

/// The word after this.
fn after(text: &str, what: &str) -> Option<String> {
    let word = text.split_once(what)?.1.split(|it: char| !it.is_alphanumeric()).next()?;
    Some(word.to_owned())
}
