//! What goes on the wire beside what AgentScope 1.0.21 puts there.

use super::*;

const RECORDED: &str = include_str!("../../../tests/fixtures/agentscope-1.0.21-formatters.json");

/// What 1.x sends, as the API reads it: the instructions of the first message by themselves, and messages of one role joined.
/// 1.x sends each result in a message of its own, which tears parallel results apart, and each speaker's words too.
fn joined(messages: Value) -> (Value, Vec<Value>) {
    let Value::Array(mut messages) = messages else { panic!("{messages}") };
    let system = messages.remove(0)["content"].take();
    let mut joined: Vec<Value> = Vec::new();
    for mut message in messages {
        match joined.last_mut() {
            Some(last) if last["role"] == message["role"] => {
                let content = message["content"].as_array_mut().unwrap();
                last["content"].as_array_mut().unwrap().append(content);
            }
            _ => joined.push(message),
        }
    }
    (system, joined)
}

fn compare(formatter: &str, transcript: Transcript) {
    let mut recorded: Value = serde_json::from_str(RECORDED).unwrap();
    let input: Vec<Msg> = serde_json::from_value(recorded["input"].take()).unwrap();
    let mut req = asked(input);
    req.options.transcript = transcript;
    let sent = seeing(&req);
    let (system, messages) = joined(recorded[formatter].take());
    assert_eq!(sent["system"], system);
    assert_eq!(sent["messages"], json!(messages), "{:#}", sent["messages"]);
}

#[test]
fn claude_reads_what_1_x_sends() {
    compare("AnthropicChatFormatter", Transcript::Never);
}

#[test]
fn claude_reads_what_1_x_sends_of_several_speakers() {
    compare("AnthropicMultiAgentFormatter", Transcript::Always);
    compare("AnthropicMultiAgentFormatter", Transcript::Auto);
}
