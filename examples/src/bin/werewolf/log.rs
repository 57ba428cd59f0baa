//! What is kept of a game: sentences for people, events for a checker.

use agentscope::{MsgId, prelude::*};
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
    /// `night`, `day` or `over`; empty while the roles are dealt.
    pub(crate) phase: &'static str,
    /// Messages by their numbers in the log, so that two logs of one game are the same.
    numbers: HashMap<MsgId, usize>,
}

impl Log {
    /// Somebody said this in this channel.
    pub(crate) fn said(&mut self, msg: &Msg, channel: &str) {
        let (number, name, text) = (self.numbers.len(), &msg.name, msg.text());
        self.numbers.insert(msg.id.clone(), number);
        match channel {
            _ if text.is_empty() => {} // a choice
            "village" => self.line(format!("{name}: {text}")),
            _ => self.line(format!("{name} ({channel}): {text}")),
        }
        self.event("said", json!({"id": number, "by": name, "channel": channel, "text": text}));
    }

    /// What the moderator is about to say.
    pub(crate) fn moderator(&mut self, channel: &str, text: impl Into<String>) -> Msg {
        let msg = Msg::user(text).named("Moderator");
        self.said(&msg, channel);
        msg
    }

    pub(crate) fn event(&mut self, kind: &str, fields: Value) {
        let mut event = json!({"event": kind, "round": self.round, "phase": self.phase});
        if let (Some(event), Value::Object(fields)) = (event.as_object_mut(), fields) {
            event.extend(fields);
        }
        self.events.push(event);
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
        let within = |block: &ContentBlock| match block {
            ContentBlock::Heard(msg) => Some(msg.clone()),
            _ => None,
        };
        let msgs = mind.said().flat_map(|it| it.content.iter().filter_map(within).chain([it.clone()]));
        for msg in msgs.filter(|it| it.name != by) {
            let id = self.numbers.get(&msg.id);
            let text = id.is_none().then(|| msg.text());
            self.event("heard", json!({"by": by, "id": id, "text": text}));
        }
    }
}
