//! What goes on the wire beside what AgentScope 1.0.21 puts there.

use super::*;

const RECORDED: &str = include_str!("../../../tests/fixtures/agentscope-1.0.21-formatters.json");

/// The arguments of calls as JSON, not as text: 1.x parses what the model wrote and writes it anew.
fn read_arguments(items: &mut Value) {
    for item in items.as_array_mut().unwrap().iter_mut().filter(|item| item["type"] == "function_call") {
        item["arguments"] = serde_json::from_str(item["arguments"].as_str().unwrap()).unwrap();
    }
}

fn compare(formatter: &str, transcript: Transcript) {
    let mut recorded: Value = serde_json::from_str(RECORDED).unwrap();
    let input: Vec<Msg> = serde_json::from_value(recorded["input"].take()).unwrap();
    let mut req = asked(input);
    req.options.transcript = transcript;
    let (mut sent, mut expected) = (seeing(&req)["input"].take(), recorded[formatter].take());
    read_arguments(&mut sent);
    read_arguments(&mut expected);
    assert_eq!(sent, expected, "{sent:#}");
}

#[test]
fn the_responses_api_reads_what_1_x_sends() {
    compare("OpenAIResponseChatFormatter", Transcript::Never);
}

#[test]
fn the_responses_api_reads_what_1_x_sends_of_several_speakers() {
    compare("OpenAIResponseMultiAgentFormatter", Transcript::Always);
    compare("OpenAIResponseMultiAgentFormatter", Transcript::Auto);
}
