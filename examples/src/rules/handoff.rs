//! A front desk and specialists who know by a word whose matter it is.

use super::{Rules, call, has, say};
use agentscope::prelude::*;
use serde_json::json;

/// Whose matter it is, by what words, and what they say about it.
const MATTERS: [(&str, &[&str], &str); 2] = [
    (
        "Billing",
        &["charge", "money", "refund", "bill", "pay"],
        "I see the charge. The money will be back on your account in three days.",
    ),
    (
        "Repairs",
        &["broken", "leak", "repair", "work", "noise"],
        "Turn it off for ten minutes. If it still leaks, send it in: we pay the postage.",
    ),
];

/// Everybody in `handoff`.
pub fn handoff() -> Rules {
    Rules::new(file!(), |req| {
        let asked = req.messages.iter().rfind(|msg| msg.role == Role::User && msg.name == "user");
        let asked = asked.map(|msg| msg.text()).unwrap_or_default();
        if let Some(told) = req.messages.last().and_then(|msg| msg.results().last().map(ToolResult::text)) {
            return say(format!("One moment: {told}"));
        }
        let matter = MATTERS.iter().find(|(_, words, _)| has(&asked, words));
        match matter {
            Some((name, _, answer)) if req.speaker == *name => say(*answer),
            Some((name, ..)) if may_transfer(req, name) => {
                call("transfer_to", json!({"agent": name, "brief": format!("The customer says: {asked}")}))
            }
            // Whose matter it is knows the front desk.
            Some(_) if may_transfer(req, "Front") => {
                call("transfer_to", json!({"agent": "Front", "brief": "That is not my matter."}))
            }
            _ => say(format!(
                "How can {} help? Tell me about a bill, or about a machine that is broken.",
                req.speaker
            )),
        }
    })
}

/// Whether the tool is there and offers this agent.
fn may_transfer(req: &ModelRequest, name: &str) -> bool {
    let schema =
        req.tools.iter().find(|tool| tool.name == "transfer_to").map(|tool| tool.input_schema.to_string());
    schema.is_some_and(|schema| schema.contains(&format!("\"{name}\"")))
}
