//! Streams as the provider's reference shows them: its guide to streaming, and the types of its own client.

use super::*;
use crate::wire::UNSHOWN;
use crate::{
    anthropic::SERVICE,
    http::Framing,
    http::testing::{Read, any_json, decoded, decoded_whole, holds_split_and_cut, read},
};
use proptest::prelude::*;
use serde_json::json;

const STREAMS: [(&str, &str); 5] = [
    ("text", include_str!("../../../tests/fixtures/reference/anthropic/text.sse")),
    ("thinking-tools", include_str!("../../../tests/fixtures/reference/anthropic/thinking-tools.sse")),
    ("thinking-omitted", include_str!("../../../tests/fixtures/reference/anthropic/thinking-omitted.sse")),
    ("server-tool", include_str!("../../../tests/fixtures/reference/anthropic/server-tool.sse")),
    ("refusal", include_str!("../../../tests/fixtures/reference/anthropic/refusal.sse")),
];

fn decoder() -> Decoder {
    Decoder::new(Peer { address: "the server".into(), service: &SERVICE })
}

fn stream(body: &[u8]) -> Result<Vec<ModelDelta>> {
    decoded(&mut decoder(), Framing::Events, [body])
}

fn events(events: &[Value]) -> Result<Vec<ModelDelta>> {
    let text: String = events
        .iter()
        .map(|event| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap_or("message")))
        .collect();
    stream(text.as_bytes())
}

fn whole(body: &Value) -> Result<Vec<ModelDelta>> {
    decoded_whole(&mut decoder(), body.to_string().as_bytes())
}

fn held(name: &str) -> Read {
    let (_, body) = STREAMS.into_iter().find(|(known, _)| *known == name).unwrap();
    holds_split_and_cut(decoder, body.as_bytes(), name)
}

fn begin() -> Value {
    json!({"type": "message_start", "message": {"content": [], "usage": {"input_tokens": 3, "output_tokens": 1}}})
}

fn stop(reason: &str) -> Value {
    json!({"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": 5}})
}

fn end() -> Value {
    json!({"type": "message_stop"})
}

fn start(index: u32, block: Value) -> Value {
    json!({"type": "content_block_start", "index": index, "content_block": block})
}

fn delta(index: u32, delta: Value) -> Value {
    json!({"type": "content_block_delta", "index": index, "delta": delta})
}

fn text(index: u32, text: &str) -> Value {
    delta(index, json!({"type": "text_delta", "text": text}))
}

#[test]
fn a_text_is_its_deltas_and_the_usage_counts_what_was_cached() {
    let answer = held("text");
    let mut usage = Usage::new(2112, 15);
    (usage.cached_tokens, usage.cache_write_tokens, usage.reasoning_tokens) = (2000, 100, 4);
    assert_eq!(answer.text, "Grüß Gott \"😀\"\n");
    assert_eq!((answer.usage, answer.finish), (Some(usage), Some(FinishReason::Stop)));
}

#[test]
fn thoughts_keep_their_signatures_and_parallel_calls_their_arguments() {
    let answer = held("thinking-tools");
    assert_eq!(answer.thoughts, format!("Two cities, two calls.{UNSHOWN}"));
    assert_eq!(
        answer.extras,
        [
            (0, SIGNATURE.to_owned(), json!("EqQBCgIYAhIM1gbcDa9GJwZA2b3h")),
            (1, REDACTED.to_owned(), json!("EmwKAhgBEgy3va3pzix")),
        ]
    );
    assert_eq!(answer.text, "I'll look.");
    let call = |block, id: &str, name: &str, input: &str| (block, id.into(), name.into(), input.into());
    assert_eq!(
        answer.calls,
        [call(3, "toolu_01", "get_weather", "{\"city\": \"Paris\"}"), call(4, "toolu_02", "get_time", "")]
    );
    assert_eq!((answer.usage, answer.finish), (Some(Usage::new(377, 89)), Some(FinishReason::Stop)));
}

#[test]
fn a_thought_that_is_not_shown_can_be_sent_back_all_the_same() {
    let answer = held("thinking-omitted");
    assert_eq!((answer.thoughts.as_str(), answer.text.as_str()), (UNSHOWN, "453"));
    assert_eq!(answer.extras, [(0, SIGNATURE.to_owned(), json!("EosnCkYICxIMMb3LzNrMu"))]);
    assert_eq!(answer.finish, Some(FinishReason::Length));
}

#[test]
fn what_the_tools_of_the_server_do_is_passed_over() {
    let answer = held("server-tool");
    assert_eq!((answer.text.as_str(), answer.calls.len()), ("It rains.", 0));
    assert_eq!(answer.finish, Some(FinishReason::Other("pause_turn".into())));
}

#[test]
fn a_refusal_is_told_after_what_was_said_and_else_an_error() {
    let answer = held("refusal");
    assert_eq!((answer.text.as_str(), answer.finish), ("First, you", Some(FinishReason::ContentFilter)));
    let refused = json!({"type": "message_delta", "delta": {"stop_reason": "refusal",
        "stop_details": {"type": "refusal", "category": "cyber", "explanation": "It may do harm."}}});
    let empty = start(0, json!({"type": "text", "text": ""}));
    let error = events(&[begin(), empty, refused, end()]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert_eq!(error.message(), "the content filter of the server held the answer back: It may do harm");
    let without = events(&[begin(), stop("refusal"), end()]).unwrap();
    assert_eq!(read(without).finish, Some(FinishReason::ContentFilter));
}

#[test]
fn reasons_to_stop_are_told() {
    for (told, meant) in [
        ("end_turn", FinishReason::Stop),
        ("stop_sequence", FinishReason::Stop),
        ("tool_use", FinishReason::Stop),
        ("max_tokens", FinishReason::Length),
        ("model_context_window_exceeded", FinishReason::Length),
        ("compaction", FinishReason::Other("compaction".into())),
    ] {
        let body =
            json!({"type": "message", "content": [{"type": "text", "text": "a"}], "stop_reason": told});
        assert_eq!(read(whole(&body).unwrap()).finish, Some(meant.clone()), "{told}");
        assert_eq!(
            read(events(&[begin(), text(0, "a"), stop(told), end()]).unwrap()).finish,
            Some(meant),
            "{told}"
        );
    }
}

#[test]
fn a_whole_answer_is_the_same_as_a_stream() {
    let body = json!({
        "id": "msg_02", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5-20250929",
        "content": [
            {"type": "thinking", "thinking": "Two cities, two calls.", "signature": "EqQBCgIYAhIM1gbcDa9GJwZA2b3h"},
            {"type": "redacted_thinking", "data": "EmwKAhgBEgy3va3pzix"},
            {"type": "text", "text": "I'll look.", "citations": null},
            {"type": "tool_use", "id": "toolu_01", "name": "get_weather", "input": {"city": "Paris"}},
            {"type": "tool_use", "id": "toolu_02", "name": "get_time", "input": {}},
        ],
        "stop_reason": "tool_use", "stop_sequence": null, "usage": {"input_tokens": 377, "output_tokens": 89},
    });
    let (mut one, mut other) = (read(whole(&body).unwrap()), held("thinking-tools"));
    for read in [&mut one, &mut other] {
        read.calls.iter_mut().for_each(|call| call.3.retain(|it| it != ' '));
    }
    assert_eq!(one, other);
}

#[test]
fn errors_keep_their_kind_and_their_words() {
    for (kind, told) in [
        (ErrorKind::Unavailable, "overloaded_error"),
        (ErrorKind::Unavailable, "api_error"),
        (ErrorKind::Unavailable, "timeout_error"),
        (ErrorKind::RateLimited, "rate_limit_error"),
        (ErrorKind::InvalidInput, "invalid_request_error"),
        (ErrorKind::Unauthorized, "authentication_error"),
        (ErrorKind::Unauthorized, "permission_error"),
        (ErrorKind::NotFound, "not_found_error"),
        (ErrorKind::Exhausted, "billing_error"),
    ] {
        let report =
            json!({"type": "error", "error": {"type": told, "message": "No luck"}, "request_id": "req_1"});
        for error in [
            events(&[begin(), report.clone()]).unwrap_err(),
            stream(format!("data: {report}\n\n").as_bytes()).unwrap_err(),
            whole(&report).unwrap_err(),
        ] {
            assert_eq!(error.kind(), kind, "{told}: {error}");
            assert!(error.message().contains("No luck"), "{error}");
        }
    }
    let long = json!({"type": "error", "error": {"type": "invalid_request_error", "message": "prompt is too long: 208310 tokens > 200000 maximum"}});
    assert_eq!(whole(&long).unwrap_err().kind(), ErrorKind::ContextOverflow);
    for nonsense in
        ["data: {", "data: <html>", "data: 7", r#"data: {"type": "content_block_start", "content_block": 7}"#]
    {
        assert_eq!(
            stream(format!("{nonsense}\n\n").as_bytes()).unwrap_err().kind(),
            ErrorKind::Protocol,
            "{nonsense}"
        );
    }
    assert!(whole(&json!({"hello": 1})).unwrap_err().message().contains("has no `content`"));
}

#[test]
fn an_answer_that_is_not_whole_is_an_error() {
    let cut = |sent: &[Value]| events(sent).unwrap_err();
    assert_eq!(
        cut(&[begin(), text(0, "a")]).message(),
        "the answer of the server broke off: the stream ended without a stop reason, so try again"
    );
    assert_eq!(cut(&[]).kind(), ErrorKind::Unavailable);
    assert_eq!(cut(&[begin(), end()]).kind(), ErrorKind::Unavailable);
    let call = start(0, json!({"type": "tool_use", "id": "c", "name": "f", "input": {}}));
    let half = delta(0, json!({"type": "input_json_delta", "partial_json": "{\"a\": \"}"}));
    let answer = read(events(&[begin(), call, half, stop("tool_use"), end()]).unwrap());
    assert_eq!(
        answer.finish,
        Some(FinishReason::Length),
        "a call that is cut is never taken for a whole one"
    );
    let nameless = start(0, json!({"type": "tool_use", "id": "c", "input": {}}));
    assert_eq!(cut(&[begin(), nameless, stop("tool_use"), end()]).kind(), ErrorKind::Protocol);
}

/// Servers that are compatible with the API leave out how a block begins or ends, send arguments whole, or begin twice.
#[test]
fn what_others_make_of_the_api_is_understood() {
    let sparse = read(
        events(&[
            begin(),
            delta(0, json!({"type": "thinking_delta", "thinking": "hm"})),
            text(1, "a"),
            begin(),
            start(2, json!({"type": "tool_use", "id": "c1", "name": "f", "input": {"a": 1}})),
            start(2, json!({"type": "tool_use", "id": "c2", "name": "g"})),
            delta(2, json!({"type": "input_json_delta", "partial_json": {"b": 2}})),
            json!({"type": "hologram"}),
            stop("tool_use"),
        ])
        .unwrap(),
    );
    assert_eq!((sparse.thoughts.as_str(), sparse.text.as_str()), ("hm", "a"));
    let calls: Vec<_> = sparse.calls.iter().map(|call| (call.1.as_str(), call.3.as_str())).collect();
    assert_eq!(calls, [("c1", "{\"a\":1}"), ("c2", "{\"b\":2}")]);
    assert_eq!(sparse.finish, Some(FinishReason::Stop));
    let halves = r#"data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"\ud83d"}}

data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"\ude00"}}

data: {"type":"message_delta","delta":{"stop_reason":"end_turn"}}

data: [DONE]

"#;
    assert_eq!(read(stream(halves.as_bytes()).unwrap()).text, "😀");
}

const FIELDS: [&str; 17] = [
    "",
    "/type",
    "/index",
    "/message",
    "/message/content",
    "/message/usage",
    "/content_block",
    "/content_block/type",
    "/content_block/text",
    "/content_block/id",
    "/content_block/name",
    "/content_block/input",
    "/delta",
    "/delta/text",
    "/delta/partial_json",
    "/delta/stop_reason",
    "/usage/output_tokens",
];

proptest! {
    /// A field of any type is an error with a kind, or the call that stands beside it is there all the same.
    #[test]
    fn any_type_in_any_field_loses_no_call(
        field in proptest::sample::select(&FIELDS[..]), value in any_json(),
        kind in proptest::sample::select(vec!["message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta", "ping"]),
    ) {
        let mut odd = json!({
            "type": kind, "index": 7, "message": {"type": "message", "content": [], "stop_reason": null, "usage": {"input_tokens": 1}},
            "content_block": {"type": "tool_use", "text": "", "id": "c7", "name": "h", "input": {}},
            "delta": {"type": "text_delta", "text": "", "partial_json": "", "stop_reason": null}, "usage": {"output_tokens": 1},
        });
        *odd.pointer_mut(field).unwrap() = value;
        let sound = [
            start(0, json!({"type": "tool_use", "id": "c0", "name": "f", "input": {}})),
            delta(0, json!({"type": "input_json_delta", "partial_json": "{\"a\":1}"})),
            json!({"type": "content_block_stop", "index": 0}),
        ];
        let mut sent = sound.to_vec();
        sent.extend([odd.clone(), stop("tool_use"), end()]);
        match events(&sent) {
            Ok(deltas) => {
                let read = read(deltas);
                prop_assert!(read.calls.iter().any(|call| call.1 == "c0" && call.3 == "{\"a\":1}"), "{odd}: {read:?}");
                prop_assert!(read.finish.is_some());
            }
            Err(error) => prop_assert!(error.kind() != ErrorKind::Internal && !error.message().is_empty()),
        }
        drop(whole(&odd["message"]));
        drop(whole(&odd));
    }

    /// Bytes of a stream, changed at random: a message, or a typed error.
    #[test]
    fn no_bytes_make_a_decoder_panic(at in 0usize..4000, byte in any::<u8>(), cut in 0usize..4000, which in 0usize..STREAMS.len()) {
        let mut body = STREAMS[which].1.as_bytes().to_vec();
        let length = body.len();
        body[at % length] = byte;
        body.drain(..cut % length / 3);
        drop(stream(&body).map(read));
        drop(decoded_whole(&mut decoder(), &body));
    }
}
