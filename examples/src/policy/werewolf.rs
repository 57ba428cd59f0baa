//! A few rules that play Werewolf in the place of a language model. A mind is made anew for each answer, from what the model was
//! given and from nothing else: it knows what its player heard.

use agentscope::{FINISH_TOOL, prelude::*};
use fastrand::Rng;
use serde_json::json;

/// Of so few, somebody has to be voted out, whether anything is known or not.
const FEW: usize = 7;

/// The player in a seat of the demo `werewolf`. With one `seed` it gives the same answer to the same request.
pub fn werewolf(seed: u64, seat: u64) -> impl ChatModel + Clone {
    let seed = Rng::with_seed(seed).u64(..).wrapping_add(seat << 32);
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
    /// Who said what, in the order of hearing, its own words included.
    heard: Vec<(String, String)>,
    /// What the moderator said last.
    asked: String,
    /// The werewolves, if it is one of them.
    pack: Vec<String>,
    alive: Vec<String>,
    /// Who can be chosen; empty if it is to talk.
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
        let names = |what: &str| told(what).split(", ").map(str::to_owned).collect();
        let (pack, alive) = (names("The werewolves are "), names("Alive: "));
        let tool = req.tools.iter().find(|tool| tool.name == FINISH_TOOL);
        let options = tool.and_then(|tool| tool.input_schema.pointer("/properties/name/enum")?.as_array());
        let options = options.into_iter().flatten().filter_map(|it| it.as_str().map(str::to_owned));
        let asked = heard.iter().rfind(|(who, _)| who == "Moderator").map(|(_, text)| text.clone());
        let rng = Rng::with_seed(seed.wrapping_add(heard.len() as u64));
        Self {
            me: req.speaker.to_string(),
            asked: asked.unwrap_or_default(),
            pack,
            alive,
            options: options.collect(),
            heard,
            rng,
        }
    }

    fn talk(&mut self) -> String {
        let alive = self.alive.clone();
        if self.asked.contains("whom do you kill") {
            return format!("Let us kill {}.", self.prey(alive));
        } else if self.asked.contains("is over") {
            return "That was a good game.".to_owned();
        }
        let found = self.shown("a").into_iter().rfind(|it| alive.contains(it));
        let accuser =
            self.claims().into_iter().find(|(who, whom)| self.pack.contains(whom) && alive.contains(who));
        match (found, accuser) {
            (Some(found), _) => format!("I am the seer: the werewolf is {found}."),
            (_, Some((accuser, _))) if self.rng.bool() => {
                format!("No, I am the seer: the werewolf is {accuser}.")
            }
            _ if self.asked.contains("last words") => "Farewell, and good luck.".to_owned(),
            _ if self.is_wolf() && self.claims().is_empty() && self.rng.u8(..40) == 0 => {
                format!("I am the seer: the werewolf is {}.", self.prey(alive))
            }
            _ => format!("I suspect {}.", self.suspect(alive)),
        }
    }

    fn choose(&mut self) -> String {
        let options = self.options.iter().filter(|it| *it != "nobody" && **it != self.me);
        let options: Vec<String> = options.cloned().collect();
        let nobody = || "nobody".to_owned();
        match self.asked.as_str() {
            asked if asked.contains("save") => {
                let victim = self.options.first().cloned().unwrap_or_else(nobody);
                let is_seer = self.claims().iter().any(|(who, _)| *who == victim);
                if is_seer || victim == self.me || self.rng.u8(..4) > 0 { victim } else { nobody() }
            }
            asked if asked.contains("poison") => self.known(&options).unwrap_or_else(nobody),
            asked if asked.contains("kill") => self.prey(options),
            asked if asked.contains("learn") => {
                let seen = [self.shown("a"), self.shown("no")].concat();
                self.any(options.into_iter().filter(|it| !seen.contains(it)).collect())
            }
            asked if asked.contains("vote") && !self.is_wolf() && self.alive.len() > FEW => {
                self.known(&options).unwrap_or_else(nobody)
            }
            _ => self.suspect(options),
        }
    }

    /// Whom the pack kills: who was proposed tonight, else who says to be the seer, else anybody.
    fn prey(&mut self, mut among: Vec<String>) -> String {
        among.retain(|it| !self.pack.contains(it));
        let proposed = self.since("The werewolves are ").find_map(|(_, text)| after(text, "Let us kill "));
        let seers = self.claims().into_iter().map(|(who, _)| who);
        let wanted = proposed.into_iter().chain(seers).find(|it| among.contains(it));
        wanted.unwrap_or_else(|| self.any(among))
    }

    /// Who is a werewolf, as far as one can know; for a werewolf, who can be made out to be one.
    fn known(&self, among: &[String]) -> Option<String> {
        let claims = self.claims();
        // Who accuses me falsely is a liar; the first other one who says to be the seer is believed.
        let liars = claims.iter().filter(|(_, whom)| *whom == self.me).map(|(who, _)| who);
        let seer = claims.iter().find(|(_, whom)| *whom != self.me).map(|(who, _)| who);
        let accused = claims.iter().filter(|(who, _)| Some(who) == seer).map(|(_, whom)| whom);
        let rivals = claims.iter().filter(|(_, whom)| Some(whom) == seer).map(|(who, _)| who);
        let shown = self.shown("a");
        let mut known = shown.iter().chain(liars).chain(accused).chain(rivals);
        let good = self.shown("no");
        known.find(|it| among.contains(it) && !self.pack.contains(it) && !good.contains(it)).cloned()
    }

    /// Who is likely a werewolf: who is known, else who was the first to be named today, else anybody.
    fn suspect(&mut self, mut among: Vec<String>) -> String {
        let good = self.shown("no");
        among.retain(|it| *it != self.me && !self.pack.contains(it) && !good.contains(it));
        let named = self.since("Alive: ").filter_map(|(_, text)| after(text, "I suspect "));
        let named = self.known(&among).into_iter().chain(named).find(|it| among.contains(it));
        named.unwrap_or_else(|| self.any(among))
    }

    /// Who said to be the seer, and whom they accused.
    fn claims(&self) -> Vec<(String, String)> {
        let accused = |text: &str| after(text, "I am the seer: the werewolf is ");
        self.heard.iter().filter_map(|(who, text)| Some((who.clone(), accused(text)?))).collect()
    }

    /// Who was shown to me, as the seer, to be `a` or `no` werewolf.
    fn shown(&self, is: &str) -> Vec<String> {
        let end = format!(" is {is} werewolf.");
        let told = self.heard.iter().filter(|(who, _)| who == "Moderator");
        told.filter_map(|(_, text)| text.strip_suffix(&end).map(str::to_owned)).collect()
    }

    /// What was said since the moderator last began a text like this.
    fn since(&self, begin: &str) -> impl Iterator<Item = &(String, String)> {
        let is_it = |(who, text): &(String, String)| who == "Moderator" && text.starts_with(begin);
        self.heard.rsplit(is_it).next().unwrap_or_default().iter()
    }

    fn is_wolf(&self) -> bool {
        self.pack.contains(&self.me)
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[tokio::test(start_paused = true)]
    async fn the_rules_keep_the_laws_of_models() {
        agentscope::testing::conformance::chat_model(|| Arc::new(werewolf(1, 0))).await;
    }

    async fn says(heard: &[(&str, &str)]) -> String {
        let heard = heard.iter().map(|(who, text)| Msg::user(*text).named(*who));
        let mut req = ModelRequest::new(heard);
        req.speaker = "Bea".into();
        Mind::new(&req, 1).talk()
    }

    #[tokio::test]
    async fn a_player_says_what_it_was_told_and_nothing_that_others_know() {
        let day = ("Moderator", "Alive: Ada, Bea, Cal. Talk in turn: whom do you suspect?");
        assert_eq!(
            says(&[("Moderator", "Cal is a werewolf."), day]).await,
            "I am the seer: the werewolf is Cal."
        );
        assert_eq!(says(&[("Moderator", "Ada is no werewolf."), day]).await, "I suspect Cal.");
        assert_eq!(says(&[day, ("Cal", "I am the seer: the werewolf is Ada.")]).await, "I suspect Ada.");
        assert_eq!(says(&[day, ("Cal", "I am the seer: the werewolf is Bea.")]).await, "I suspect Cal.");
    }
}
