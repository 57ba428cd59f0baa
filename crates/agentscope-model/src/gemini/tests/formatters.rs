//! What goes on the wire beside what AgentScope 1.0.21 puts there.

use super::*;

const RECORDED: &str = include_str!("../../../tests/fixtures/agentscope-1.0.21-formatters.json");

/// 1.x writes the fields as its SDK has them, which puts them on the wire in camel case.
fn on_the_wire(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(on_the_wire),
        Value::Object(fields) => {
            for (from, to) in [
                ("inline_data", "inlineData"),
                ("mime_type", "mimeType"),
                ("function_call", "functionCall"),
                ("function_response", "functionResponse"),
            ] {
                if let Some(value) = fields.remove(from) {
                    fields.insert(to.to_owned(), value);
                }
            }
            fields.values_mut().for_each(on_the_wire);
        }
        _ => {}
    }
}

/// What a formatter of 1.x makes of the recorded conversation, but for its defects.
fn expected(formatter: &str) -> (ModelRequest, Value) {
    let mut recorded: Value = serde_json::from_str(RECORDED).unwrap();
    let input: Vec<Msg> = serde_json::from_value(recorded["input"].take()).unwrap();
    let mut contents = recorded[formatter].take();
    on_the_wire(&mut contents);
    let mut said = contents.as_array().unwrap().clone();

    // 1.x lets a user say the prompt: Gemini has `systemInstruction` for it.
    let system = said.remove(0);
    assert_eq!(system, json!({"role": "user", "parts": [{"text": "You are Friday."}]}));

    // 1.x gives a result the id of a call that has none on the wire, so that they do not match.
    let calls = said.iter_mut().flat_map(|it| it["parts"].as_array_mut().unwrap());
    let calls = calls.filter_map(|part| part.get_mut("functionCall"));
    for (call, id) in calls.zip(["c1", "c2"]) {
        assert_eq!(call["id"], Value::Null);
        call["id"] = json!(id);
    }

    // 1.x lets one speak several times in a row, and tears the results of a round apart.
    let mut merged: Vec<Value> = Vec::new();
    for content in said {
        match merged.last_mut() {
            Some(last) if last["role"] == content["role"] => {
                let parts = content["parts"].as_array().unwrap().clone();
                last["parts"].as_array_mut().unwrap().extend(parts);
            }
            _ => merged.push(content),
        }
    }
    (asked(input), json!({"systemInstruction": {"parts": system["parts"]}, "contents": merged}))
}

#[test]
fn gemini_reads_what_1_x_sends() {
    let (mut req, expected) = expected("GeminiChatFormatter");
    req.options.transcript = Transcript::Never;
    assert_eq!(body(&req), expected);
}

#[test]
fn gemini_reads_what_1_x_sends_of_several_speakers() {
    let (mut req, expected) = expected("GeminiMultiAgentFormatter");
    // For Gemini alone 1.x leaves out the line break behind the tag.
    let text = expected.to_string();
    assert!(text.contains("<history>Bob: ") && text.contains("<history>Friday: "));
    let text = text
        .replace("<history>Bob: ", "<history>\\nBob: ")
        .replace("<history>Friday: ", "<history>\\nFriday: ");
    let expected: Value = serde_json::from_str(&text).unwrap();
    for transcript in [Transcript::Always, Transcript::Auto] {
        req.options.transcript = transcript;
        assert_eq!(body(&req), expected);
    }
}
