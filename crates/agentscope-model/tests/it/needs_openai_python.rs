//! The official SDK of OpenAI understands our test server: what we test against is what others speak, too.

use crate::{
    said::peer,
    server::{Answer, Chat, Count, Request, Server, Style, fault},
};
use std::process::Command;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/openai_sdk.py");

/// Runs one function of the script against a server that answers as the user's last words ask.
fn sdk(function: &str) {
    let Some(python) = peer("AGENTSCOPE_OPENAI_PYTHON") else { return };
    let server = Server::start(answer);
    let output = Command::new(python).args([SCRIPT, function, &server.url()]).output().unwrap();
    let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{function} in openai_sdk.py failed:\n{said}{errors}");
    assert_eq!(said.trim(), "ok", "{errors}");
}

fn answer(request: &Request) -> Answer {
    let words = request.transcript().pop().unwrap_or_default();
    let chat = Chat::new();
    let answer = match words.strip_prefix("user: ").unwrap_or(&words) {
        "hello" => chat.text("Grüße, 你好, 👍🏽").usage(Count { input: 9, output: 4, cached: 3, reasoning: 2 }),
        "think" => chat.reasoning("Let me think.").text("Well."),
        "weather" => chat.text("One moment.").call("call_1", "get_weather", r#"{"location":"Paris"}"#),
        "compare" => chat.call("call_1", "get_weather", r#"{"location":"Paris"}"#).call(
            "call_2",
            "get_weather",
            r#"{"location":"Oslo"}"#,
        ),
        "schema" => chat.echo(),
        "refuse" => chat.refusal("I must not."),
        "no end" => chat.text("on and on").finish("length"),
        "crlf" => chat.text("lines").style(Style { line_end: "\r\n", ..Style::default() }),
        "comments" => chat.text("kept alive").style(Style { comments: true, ..Style::default() }),
        tool if tool.starts_with("tool: ") => chat.text(format!("The tool says {tool}")),
        name => return fault(name).unwrap_or_else(|| Answer::text(format!("nobody scripted {name}"))),
    };
    answer.into()
}

#[test]
fn the_sdk_reads_a_whole_answer() {
    sdk("whole");
}

#[test]
fn the_sdk_reads_a_stream() {
    sdk("streamed");
}

#[test]
fn the_sdk_reads_calls_and_sends_results() {
    sdk("tools");
}

#[test]
fn the_sdk_parses_what_obeys_a_schema() {
    sdk("parsed");
}

#[test]
fn the_sdk_raises_its_own_exceptions() {
    sdk("errors");
}
