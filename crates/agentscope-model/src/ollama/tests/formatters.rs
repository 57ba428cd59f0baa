//! What goes on the wire beside what AgentScope 1.0.21 puts there.

use super::*;

const RECORDED: &str = include_str!("../../../tests/fixtures/agentscope-1.0.21-formatters.json");

/// What a formatter of 1.x makes of the recorded conversation, but for its defects.
fn expected(formatter: &str) -> (ModelRequest, Value) {
    let mut recorded: Value = serde_json::from_str(RECORDED).unwrap();
    let input: Vec<Msg> = serde_json::from_value(recorded["input"].take()).unwrap();
    let mut messages = recorded[formatter].take();
    for msg in messages.as_array_mut().unwrap() {
        // 1.x names the tool of a result in a field that Ollama does not read.
        if msg["role"] == "tool" {
            msg["tool_name"] = msg["name"].take();
            msg.as_object_mut().unwrap().remove("name");
        }
        // 1.x leaves thoughts out, and Ollama wants them back with the calls that they led to.
        if msg.get("tool_calls").is_some() {
            msg["thinking"] = json!("hmm");
        }
    }
    (asked(input), messages)
}

#[test]
fn ollama_reads_what_1_x_sends() {
    let (mut req, expected) = expected("OllamaChatFormatter");
    req.options.transcript = Transcript::Never;
    assert_eq!(messages(&req), expected);
}

#[test]
fn ollama_reads_what_1_x_sends_of_several_speakers() {
    let (mut req, mut expected) = expected("OllamaMultiAgentFormatter");
    // For Ollama alone 1.x leaves an empty line where the image was.
    let text = expected[1]["content"].as_str().unwrap();
    assert!(text.ends_with("Alice: look\n\n</history>"), "{text}");
    expected[1]["content"] = json!(text.replace("look\n\n", "look\n"));
    for transcript in [Transcript::Always, Transcript::Auto] {
        req.options.transcript = transcript;
        assert_eq!(messages(&req), expected);
    }
}
