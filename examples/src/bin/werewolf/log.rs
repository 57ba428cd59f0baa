//! What is kept of a game: sentences for people, events for a checker.

use agentscope::{MsgId, prelude::*};
use serde_json::{Value, json};
use std::{collections::HashMap, time::Duration};

#[derive(Default)]
pub(crate) struct Log {
    /// The moderator's log.
    pub(crate) lines: Vec<String>,
    /// What happened, as JSON.
    pub(crate) events: Vec<Value>,
    /// From 1; 0 while the roles are dealt.
    pub(crate) round: u32,
    /// `night`, `day` or `over`; empty while the roles are dealt.
    pub(crate) phase: &'static str,
    /// If there is one, lines are printed, and each is given so much time.
    pub(crate) pace: Option<Duration>,
    /// Messages by their numbers in the log, so that two logs of one game are the same.
    numbers: HashMap<MsgId, usize>,
}

impl Log {
    pub(crate) async fn line(&mut self, line: impl Into<String>) {
        let line = line.into();
        if let Some(pace) = self.pace {
            println!("{line}");
            tokio::time::sleep(pace).await;
        }
        self.lines.push(line);
    }

    pub(crate) fn event(&mut self, kind: &str, fields: Value) {
        let mut event = json!({"event": kind, "round": self.round, "phase": self.phase});
        if let (Some(event), Value::Object(fields)) = (event.as_object_mut(), fields) {
            event.extend(fields);
        }
        self.events.push(event);
    }

    /// Somebody said this in this channel.
    pub(crate) fn said(&mut self, msg: &Msg, channel: &str) {
        let number = self.numbers.len();
        self.numbers.insert(msg.id.clone(), number);
        self.event("said", json!({"id": number, "by": msg.name, "channel": channel, "text": msg.text()}));
    }

    /// What the moderator is about to say.
    pub(crate) fn moderator(&mut self, channel: &str, text: impl Into<String>) -> Msg {
        let msg = Msg::user(text).named("Moderator");
        self.said(&msg, channel);
        msg
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
