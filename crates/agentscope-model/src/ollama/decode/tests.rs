use super::*;
use crate::{
    http::{
        Framing,
        testing::{any_json, decoded, decoded_whole},
    },
    ollama::SERVICE,
};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::{fs, path::PathBuf};

/// What the reference says that Ollama sends.
fn reference(name: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/reference/ollama");
    fs::read(folder.join(name)).unwrap()
}

fn decoder() -> Decoder {
    Decoder::new(Peer { address: "the server".into(), service: &SERVICE })
}

/// What a decoder makes of the bytes of a stream, in these pieces; then they end.
fn stream<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<ModelDelta>> {
    decoded(&mut decoder(), Framing::Lines, pieces)
}

fn streamed(name: &str) -> Result<Vec<ModelDelta>> {
    stream([&reference(name)[..]]).map(joined)
}

fn whole(body: &[u8]) -> Result<Vec<ModelDelta>> {
    decoded_whole(&mut decoder(), body).map(joined)
}

/// The pieces of one block as one.
fn joined(deltas: Vec<ModelDelta>) -> Vec<ModelDelta> {
    let mut joined: Vec<ModelDelta> = Vec::new();
    for delta in deltas {
        match (joined.last_mut(), delta) {
            (Some(ModelDelta::Text { block, delta }), ModelDelta::Text { block: next, delta: more })
            | (
                Some(ModelDelta::Thinking { block, delta }),
                ModelDelta::Thinking { block: next, delta: more },
            ) if *block == next => {
                delta.push_str(&more);
            }
            (_, delta) => joined.push(delta),
        }
    }
    joined
}

fn text(block: u32, delta: &str) -> ModelDelta {
    ModelDelta::Text { block, delta: delta.into() }
}

fn thinking(block: u32, delta: &str) -> ModelDelta {
    ModelDelta::Thinking { block, delta: delta.into() }
}

fn usage(input: u64, output: u64) -> ModelDelta {
    ModelDelta::Usage(Usage::new(input, output))
}

fn finish(reason: FinishReason) -> ModelDelta {
    ModelDelta::Finish { reason }
}

#[test]
fn words_come_with_what_they_cost() {
    let expected = [text(0, "The sky is blue — 蓝色 🌍."), usage(26, 9), finish(FinishReason::Stop)];
    assert_eq!(streamed("text-stream.ndjson").unwrap(), expected);
    assert_eq!(whole(&reference("text.json")).unwrap(), expected);
    assert_eq!(whole(&reference("text-stream.ndjson")).unwrap(), expected, "streamed without being asked to");
    let expected = [text(0, "Hi"), usage(26, 9), finish(FinishReason::Stop)];
    assert_eq!(streamed("text-without-reason-stream.ndjson").unwrap(), expected);
}

#[test]
fn thoughts_come_token_by_token() {
    let deltas = stream([&reference("thinking-stream.ndjson")[..]]).unwrap();
    assert_eq!(deltas[..3], [thinking(0, "Two"), thinking(0, " times"), thinking(0, " three")]);
    let expected =
        [thinking(0, "Two times three is six."), text(1, "6"), usage(15, 12), finish(FinishReason::Stop)];
    assert_eq!(joined(deltas), expected);
    let alike = br#"{"message": {"reasoning_content": "hm", "content": "6"}, "done": true}"#;
    assert_eq!(whole(alike).unwrap()[..2], [thinking(0, "hm"), text(1, "6")]);
}

#[test]
fn parallel_calls_come_whole_with_their_ids() {
    let expected = [
        thinking(0, "I look both up."),
        ModelDelta::tool_call(1, "call_9ab1c2d3", "get_weather", r#"{"city":"Tokyo"}"#),
        ModelDelta::tool_call(2, "call_4ef5a6b7", "get_weather", r#"{"city":"São Paulo","days":[1,2.5]}"#),
        usage(169, 35),
        finish(FinishReason::Stop),
    ];
    assert_eq!(streamed("tool-calls-stream.ndjson").unwrap(), expected);
    assert_eq!(whole(&reference("tool-calls.json")).unwrap(), expected);
}

#[test]
fn a_call_without_an_id_gets_it_where_it_is_put_into_a_message() {
    let expected = [
        text(0, "Let me see."),
        ModelDelta::tool_call(1, "", "now", "{}"),
        ModelDelta::tool_call(2, "", "now", "{}"),
        usage(30, 15),
        finish(FinishReason::Stop),
    ];
    assert_eq!(streamed("tool-call-without-id-stream.ndjson").unwrap(), expected);
}

#[test]
fn reasons_to_finish_are_told() {
    assert_eq!(streamed("length-stream.ndjson").unwrap().last(), Some(&finish(FinishReason::Length)));
    let error = streamed("load-stream.ndjson").unwrap_err();
    assert_eq!(error.message(), "the server gave no answer (load): try again");
    let other = br#"{"message": {"content": "a"}, "done": true, "done_reason": "tired"}"#;
    assert_eq!(whole(other).unwrap(), [text(0, "a"), finish(FinishReason::Other("tired".into()))]);
}

#[test]
fn an_error_in_the_stream_is_an_error() {
    let error = streamed("error-stream.ndjson").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.message().contains("while running the model: unexpected EOF"), "{error}");
    let overflow = br#"{"error": "the input length exceeds the context length"}"#;
    assert_eq!(whole(overflow).unwrap_err().kind(), ErrorKind::ContextOverflow);
}

#[test]
fn what_is_no_answer_is_an_error() {
    for (nothing, said) in [
        (&b"{\"hello\": 1}"[..], "has no `message`"),
        (b"<!DOCTYPE html>", "an HTML page"),
        (b"ok", "no JSON"),
        (b"{\"message\": 7}", "JSON that is no answer"),
    ] {
        let error = whole(nothing).unwrap_err();
        assert!(error.kind() == ErrorKind::Protocol && error.message().contains(said), "{error}");
    }
    let nameless = br#"{"message": {"tool_calls": [{"function": {"arguments": {}}}]}, "done": true}"#;
    assert_eq!(whole(nameless).unwrap_err().message(), "the server called a tool without a name");
    assert_eq!(whole(b"").unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(stream([&b"{\"message\": 7}\n"[..]]).unwrap_err().kind(), ErrorKind::Protocol);
}

#[test]
fn a_letter_that_is_torn_in_two_is_one_again() {
    let bytes = br#"{"message": {"content": "a\ud83c"}, "done": false}
{"message": {"content": "\udf0d!"}, "done": true}"#;
    assert_eq!(stream([&bytes[..]]).map(joined).unwrap()[0], text(0, "a🌍!"));
    let cut = &br#"{"message": {"content": "a\ud83c"#[..];
    assert_eq!(stream([cut]).unwrap_err().kind(), ErrorKind::Unavailable);
}

fn full() -> Value {
    json!({
        "message": {"content": "a", "thinking": "b", "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": {"a": 1}}}]},
        "done": true,
        "done_reason": "stop",
        "prompt_eval_count": 1,
        "eval_count": 2,
    })
}

proptest! {
    #[test]
    fn bytes_of_any_kind_are_no_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64), line in any_json()) {
        let _ = stream([&bytes[..]]);
        let _ = whole(&bytes);
        let _ = whole(line.to_string().as_bytes());
        let _ = stream([line.to_string().as_bytes()]);
    }
}

#[test]
fn usage_of_another_type_does_not_cost_the_answer() {
    let mut line = full();
    (line["prompt_eval_count"], line["eval_count"]) = (json!("12"), json!(3.0));
    assert!(whole(line.to_string().as_bytes()).unwrap().contains(&usage(0, 3)));
}
