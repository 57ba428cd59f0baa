//! Two debaters with three arguments each, and a judge who counts figures.

use super::{Rules, give, has, prompt, say, spoken, wants_output};
use agentscope::prelude::*;
use serde_json::json;
use std::collections::BTreeMap;

const FOR: [&str; 3] = [
    "Two see what one overlooks: half of all faults are found while they are written, and a fault found late costs 10 times as much.",
    "It is not twice the price: two at one task need 55 % of the time each, so it costs 10 % more, and whoever reads it later gains.",
    "And nobody is the only one who knows how it works.",
];

const AGAINST: [&str; 3] = [
    "Two people cost two salaries, and most code is not hard.",
    "Who wants a second pair of eyes has a review, which takes an hour and not a day.",
    "And to think, one needs silence.",
];

/// The debaters and the judge of `debate`.
pub fn debate() -> Rules {
    Rules::new(file!(), |req| {
        if wants_output(req) {
            return judge(req);
        }
        let arguments = if has(&prompt(req), &["against"]) { AGAINST } else { FOR };
        say(*arguments.get(spoken(req)).unwrap_or(&"I have said what I have to say."))
    })
}

/// Decides after two rounds, for who gave more figures.
fn judge(req: &ModelRequest) -> Vec<ModelDelta> {
    let mut figures: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for msg in req.messages.iter().filter(|msg| msg.role == Role::Assistant && msg.name != req.speaker) {
        let numbers = msg.text().split(|it: char| !it.is_ascii_digit()).filter(|it| !it.is_empty()).count();
        let (turns, count) = figures.entry(msg.name.to_string()).or_default();
        (*turns, *count) = (*turns + 1, *count + numbers);
    }
    let best = figures.iter().max_by_key(|(_, (_, count))| *count);
    match best {
        Some((name, (turns, count))) if *turns >= 2 => {
            let reason = format!("{name} gave {count} figures, and the other side answered none of them.");
            give("I have heard enough.", json!({"decided": true, "winner": name, "reason": reason}))
        }
        _ => {
            let reason = "Each side has only begun.";
            give("Go on, and answer each other.", json!({"decided": false, "winner": null, "reason": reason}))
        }
    }
}
