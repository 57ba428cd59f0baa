//! An assistant that remembers a name.

use super::{Rules, has, last, say};

/// What it can.
const ABOUT: &str = "I am no language model, only a few rules. Tell me your name (`my name is Bob`), ask me for it (`what is my \
                     name?`), or leave (`exit`).";

/// The assistant of `conversation`.
pub fn conversation() -> Rules {
    Rules::new(file!(), |req| {
        let text = last(req);
        if has(&text, &["what is my name", "who am i"]) {
            return say(match req.messages.iter().rev().find_map(|msg| name(&msg.text())) {
                Some(name) => format!("You are {name}."),
                None => "You did not tell me.".to_owned(),
            });
        }
        match name(&text) {
            Some(name) => say(format!("Nice to meet you, {name}.")),
            None if has(&text, &["hello", "hi ", "good morning"]) || text.eq_ignore_ascii_case("hi") => {
                say("Hello! What is your name?")
            }
            None => say(ABOUT),
        }
    })
}

/// The name that is told in `my name is Bob`.
fn name(text: &str) -> Option<String> {
    let lower = text.to_lowercase();
    let at = lower.find("my name is ")? + "my name is ".len();
    let name: String =
        text.get(at..)?.chars().take_while(|it| it.is_alphanumeric() || "-'".contains(*it)).collect();
    (!name.is_empty()).then_some(name)
}
