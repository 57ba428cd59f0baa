//! What is kept of a game: sentences for people, events for a checker.

use agentscope::{MsgId, prelude::*};
use examples::println;
use serde_json::{Value, json};
use std::collections::HashMap;

#[derive(Default)]
pub(crate) struct Log {
    /// The moderator's log; printed, too, if the game is `live`.
    pub(crate) lines: Vec<String>,
    pub(crate) live: bool,
    /// What happened, as JSON.
    pub(crate) events: Vec<Value>,
    pub(crate) round: u32,
    /// `night`, `morning`, `day` or `over`; empty while the roles are dealt.
    pub(crate) phase: &'static str,
    /// Messages by their numbers in the log, so that two logs of one game are the same.
    numbers: HashMap<MsgId, usize>,
}

impl Log {
    /// Somebody said this in this channel. A choice has no words.
    pub(crate) fn said(&mut self, msg: &Msg, channel: &str) {
        let (number, name, text) = (self.numbers.len(), &msg.name, msg.text());
        self.numbers.insert(msg.id.clone(), number);
        if !text.is_empty() {
            self.line(format!("{name} ({channel}): {text}"));
        }
        self.event("said", json!({"id": number, "by": name, "channel": channel, "text": text}));
    }

    /// What the moderator is about to say.
    pub(crate) fn moderator(&mut self, channel: &str, text: impl Into<String>) -> Msg {
        let msg = Msg::user(text).named("Moderator");
        self.said(&msg, channel);
        msg
    }

    pub(crate) fn event(&mut self, kind: &str, mut fields: Value) {
        let when = json!({"event": kind, "round": self.round, "phase": self.phase});
        if let (Some(fields), Value::Object(when)) = (fields.as_object_mut(), when) {
            fields.extend(when);
        }
        self.events.push(fields);
    }

    pub(crate) fn line(&mut self, line: String) {
        if self.live {
            println!("{line}");
        }
        self.lines.push(line);
    }

    /// What a player has in mind, which is what its model was given, whoever said it and by whatever way it came. What is not in
    /// the log as said has no number, but its text.
    pub(crate) fn heard(&mut self, by: &str, mind: &AgentState) {
        let blocks = mind.said().flat_map(|msg| &msg.content);
        let within = blocks.filter_map(|it| if let ContentBlock::Heard(msg) = it { Some(msg) } else { None });
        for msg in mind.said().chain(within).filter(|it| it.name != by) {
            let id = self.numbers.get(&msg.id);
            let text = id.is_none().then(|| msg.text());
            self.event("heard", json!({"by": by, "id": id, "text": text}));
        }
    }
}
