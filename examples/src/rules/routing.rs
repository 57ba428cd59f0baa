//! A router that knows a question by its words, and those who answer.

use super::{Rules, call, give, has, last, say, wants_output};
use agentscope::{FINISH_TOOL, prelude::*};
use serde_json::json;

/// Everybody in `routing`.
pub fn routing() -> Rules {
    Rules::new(file!(), |req| {
        let question = last(req);
        let expert = if has(&question, &["how many", "percent", "sum"]) { "Math" } else { "Travel" };
        let told = req.messages.last().and_then(|msg| msg.results().last().map(ToolResult::text));
        match req.speaker.as_str() {
            _ if wants_output(req) => give("", json!({"expert": expert.to_lowercase()})),
            "Math" => say("There are 86,400 seconds in a day: 24 hours of 60 minutes of 60 seconds."),
            "Travel" => say("Take the train: seven hours, and the mountains all the way."),
            _ if told.is_some() => say(told.unwrap_or_default()),
            _ => match req.tools.iter().find(|tool| has(&tool.name, &[&expert.to_lowercase()])) {
                Some(tool) if tool.name != FINISH_TOOL => call(&tool.name, json!({"task": question})),
                _ => say("Nobody here knows that."),
            },
        }
    })
}
