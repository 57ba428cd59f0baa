//! What goes on the wire beside what AgentScope 1.0.21 puts there.

use super::*;

const RECORDED: &str = include_str!("../../../tests/fixtures/agentscope-1.0.21-formatters.json");

/// The recorded conversation, and what a formatter of 1.x makes of it.
fn recorded(formatter: &str) -> (ModelRequest, Value) {
    let mut recorded: Value = serde_json::from_str(RECORDED).unwrap();
    let input: Vec<Msg> = serde_json::from_value(recorded["input"].take()).unwrap();
    (asked(input), recorded[formatter].take())
}

/// The arguments of calls as JSON, not as text: 1.x parses what the model wrote and writes it anew, and what a model reads of
/// itself is then no longer what it said, nor what its provider has cached.
fn read_arguments(messages: &mut Value) {
    let messages = messages.as_array_mut().unwrap().iter_mut();
    for call in messages.filter_map(|msg| msg["tool_calls"].as_array_mut()).flatten() {
        let text = call["function"]["arguments"].as_str().unwrap().to_owned();
        call["function"]["arguments"] = serde_json::from_str(&text).unwrap();
    }
}

fn drop_nulls(messages: &mut Value) {
    for msg in messages.as_array_mut().unwrap() {
        msg.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    }
}

fn compare(formatter: &str, provider: Provider, transcript: Transcript, differ: impl FnOnce(&mut Value)) {
    let (mut req, mut expected) = recorded(formatter);
    req.options.transcript = transcript;
    let mut messages = messages(&req, provider);
    differ(&mut expected);
    for messages in [&mut messages, &mut expected] {
        read_arguments(messages);
        drop_nulls(messages);
    }
    assert_eq!(messages, expected, "{messages:#}");
}

#[test]
fn openai_reads_what_1_x_sends() {
    compare("OpenAIChatFormatter", Provider::OpenAi, Transcript::Never, |_| {});
}

#[test]
fn openai_reads_what_1_x_sends_of_several_speakers() {
    compare("OpenAIMultiAgentFormatter", Provider::OpenAi, Transcript::Always, |_| {});
    compare("OpenAIMultiAgentFormatter", Provider::OpenAi, Transcript::Auto, |_| {});
}

/// 1.x sends no thought with the answer that follows tools, where the newest models want one.
fn add_thought(messages: &mut Value, at: usize) {
    assert_eq!(messages[at], json!({"role": "assistant", "content": "done"}));
    messages[at]["reasoning_content"] = json!(" ");
}

/// 1.x leaves out an image that DeepSeek cannot be shown, and the model answers as if nobody had sent one.
const UNSEEN: &str = "[an image that cannot be shown to this model]";

#[test]
fn deepseek_reads_what_1_x_sends() {
    compare("DeepSeekChatFormatter", Provider::DeepSeek, Transcript::Never, |expected| {
        assert_eq!(expected[2]["content"], "look");
        expected[2]["content"] = json!(format!("look\n{UNSEEN}"));
        add_thought(expected, 6);
    });
}

#[test]
fn deepseek_reads_what_1_x_sends_of_several_speakers() {
    compare("DeepSeekMultiAgentFormatter", Provider::DeepSeek, Transcript::Always, |expected| {
        // 1.x sends the prompt as a list of parts here and as a text elsewhere; DeepSeek's API takes a text.
        assert_eq!(expected[0]["content"][0]["text"], "You are Friday.");
        expected[0]["content"] = json!("You are Friday.");
        let text = expected[1]["content"].as_str().unwrap();
        expected[1]["content"] = json!(text.replace("Alice: look", &format!("Alice: look\nAlice: {UNSEEN}")));
    });
}
