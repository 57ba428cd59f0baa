//! Streams as the provider's reference shows them: its guide to streaming, and the types of its own client.

use super::*;
use crate::{
    http::{
        Framing,
        testing::{Read, any_json, decoded, decoded_whole, read},
    },
    responses::SERVICE,
    wire::UNSHOWN,
};
use proptest::prelude::*;

const STREAMS: [(&str, &str); 5] = [
    ("text", include_str!("../../../tests/fixtures/reference/responses/text.sse")),
    ("reasoning-tools", include_str!("../../../tests/fixtures/reference/responses/reasoning-tools.sse")),
    ("incomplete", include_str!("../../../tests/fixtures/reference/responses/incomplete.sse")),
    ("refusal", include_str!("../../../tests/fixtures/reference/responses/refusal.sse")),
    ("server-tool", include_str!("../../../tests/fixtures/reference/responses/server-tool.sse")),
];

fn decoder() -> Decoder {
    Decoder::new(Peer { address: "the server".into(), service: &SERVICE })
}

fn stream(body: &[u8]) -> Result<Vec<ModelDelta>> {
    decoded(&mut decoder(), Framing::Events, [body])
}

fn events(events: &[Value]) -> Result<Vec<ModelDelta>> {
    let text: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
    stream(text.as_bytes())
}

fn whole(body: &Value) -> Result<Vec<ModelDelta>> {
    decoded_whole(&mut decoder(), body.to_string().as_bytes())
}

fn held(name: &str) -> Read {
    let (_, body) = STREAMS.into_iter().find(|(known, _)| *known == name).unwrap();
    read(stream(body.as_bytes()).unwrap())
}

fn text(delta: &str) -> Value {
    json!({"type": "response.output_text.delta", "output_index": 0, "delta": delta})
}

fn completed() -> Value {
    json!({"type": "response.completed", "response": {"status": "completed", "output": []}})
}

fn usage() -> Usage {
    let mut usage = Usage::new(328, 52);
    (usage.cached_tokens, usage.reasoning_tokens) = (128, 40);
    usage
}

#[test]
fn a_text_is_its_deltas() {
    let answer = held("text");
    assert_eq!((answer.text.as_str(), answer.finish), ("Grüß Gott \"😀\"\n", Some(FinishReason::Stop)));
    assert_eq!(answer.usage.unwrap().cached_tokens, 128);
}

#[test]
fn thoughts_can_be_sent_back_and_parallel_calls_keep_their_arguments() {
    let answer = held("reasoning-tools");
    assert_eq!(answer.thoughts, "**Two cities**\n\nTwo calls.");
    let extra = |block, key: &str, value: &str| (block, key.to_owned(), json!(value));
    assert_eq!(
        answer.extras,
        [extra(0, ENCRYPTED, "gAAAAABcomplete"), extra(0, ITEM, "rs_01"), extra(1, PHASE, "commentary")]
    );
    assert_eq!(answer.text, "I'll look.");
    let call = |block, id: &str, name: &str, input: &str| (block, id.into(), name.into(), input.into());
    assert_eq!(
        answer.calls,
        [call(2, "call_2", "get_weather", "{\"city\":\"Paris\"}"), call(3, "call_3", "get_time", "{}")]
    );
    assert_eq!((answer.usage, answer.finish.as_ref()), (Some(usage()), Some(&FinishReason::Stop)));
    let body = include_bytes!("../../../tests/fixtures/reference/responses/reasoning-tools.json");
    assert_eq!(read(decoded_whole(&mut decoder(), body).unwrap()), answer, "not streamed");
}

#[test]
fn an_answer_that_a_limit_cut_says_so_and_a_thought_that_is_not_shown_is_kept() {
    let answer = held("incomplete");
    assert_eq!((answer.thoughts.as_str(), answer.text.as_str()), (UNSHOWN, "45"));
    assert_eq!(answer.extras[0], (0, ENCRYPTED.to_owned(), json!("gAAAAABhidden")));
    assert_eq!(answer.finish, Some(FinishReason::Length));
    let filtered = json!({"type": "response.incomplete", "response": {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}});
    assert_eq!(read(events(&[text("a"), filtered]).unwrap()).finish, Some(FinishReason::ContentFilter));
}

#[test]
fn a_refusal_is_told_and_what_the_tools_of_the_server_do_is_passed_over() {
    let refusal = held("refusal");
    assert_eq!(
        (refusal.text.as_str(), refusal.finish),
        ("I must not.", Some(FinishReason::Other("refusal".into())))
    );
    assert_eq!(held("server-tool").text, "It rains.");
    let body = json!({"status": "completed", "output": [{"type": "message", "content": [{"type": "refusal", "refusal": "No."}]}]});
    assert_eq!(read(whole(&body).unwrap()).finish, Some(FinishReason::Other("refusal".into())));
}

#[test]
fn errors_keep_their_kind_and_their_words() {
    for (kind, code) in [
        (ErrorKind::Unavailable, "server_error"),
        (ErrorKind::RateLimited, "rate_limit_exceeded"),
        (ErrorKind::Exhausted, "insufficient_quota"),
        (ErrorKind::InvalidInput, "invalid_prompt"),
        (ErrorKind::InvalidInput, "image_too_large"),
        (ErrorKind::Refused, "image_content_policy_violation"),
        (ErrorKind::ContextOverflow, "context_length_exceeded"),
    ] {
        let error = json!({"code": code, "message": "No luck"});
        let failed = json!({"type": "response.failed", "response": {"status": "failed", "error": error}});
        let mut flat = error.clone();
        flat["type"] = "error".into();
        for error in [
            events(&[text("a"), failed]).unwrap_err(),
            events(&[json!({"type": "error", "error": error})]).unwrap_err(),
            events(&[flat]).unwrap_err(),
            whole(&json!({"error": error})).unwrap_err(),
            whole(&json!({"status": "failed", "output": [], "error": error})).unwrap_err(),
        ] {
            assert_eq!(error.kind(), kind, "{code}: {error}");
            assert!(error.message().contains("No luck"), "{error}");
        }
    }
    let mute = events(&[json!({"type": "response.failed", "response": {"status": "failed"}})]).unwrap_err();
    assert_eq!(mute.kind(), ErrorKind::Unavailable);
    for nonsense in
        ["data: {", "data: <html>", "data: 7", r#"data: {"type": "response.output_item.added", "item": 7}"#]
    {
        assert_eq!(
            stream(format!("{nonsense}\n\n").as_bytes()).unwrap_err().kind(),
            ErrorKind::Protocol,
            "{nonsense}"
        );
    }
    assert!(whole(&json!({"hello": 1})).unwrap_err().message().contains("has no `output`"));
}

#[test]
fn an_answer_that_is_not_whole_is_an_error() {
    let cut = events(&[text("a")]).unwrap_err();
    assert_eq!(
        cut.message(),
        "the answer of the server broke off: the stream ended without `response.completed`, so try again"
    );
    let call = json!({"type": "response.output_item.added", "output_index": 0, "item": {"type": "function_call", "call_id": "c", "name": "f"}});
    let half =
        json!({"type": "response.function_call_arguments.delta", "output_index": 0, "delta": "{\"a\": \"}"});
    let answer = read(events(&[call, half.clone(), completed()]).unwrap());
    assert_eq!(
        answer.finish,
        Some(FinishReason::Length),
        "a call that is cut is never taken for a whole one"
    );
    assert_eq!(events(&[half, completed()]).unwrap_err().kind(), ErrorKind::Protocol);
}

/// Servers that are compatible with the API leave out how an item begins or ends, its index, or all but the end.
#[test]
fn what_others_make_of_the_api_is_understood() {
    let item = json!({"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{\"a\":1}"});
    let added = json!({"type": "response.output_item.added", "item": {"type": "function_call", "call_id": "c1", "name": "f"}});
    let done = json!({"type": "response.function_call_arguments.done", "arguments": "{\"a\":1}"});
    let end = json!({"type": "response.completed", "response": {"status": "completed", "output": [item]}});
    let whole_item = json!({"type": "response.output_item.done", "output_index": 4, "item": item});
    for sent in [
        vec![added, done, end.clone()],
        vec![whole_item, end.clone()],
        vec![json!({"type": "response.output_item.added", "output_index": 4, "item": item}), completed()],
        vec![end],
    ] {
        let read = read(events(&sent).unwrap());
        let calls: Vec<_> = read.calls.iter().map(|call| (call.1.as_str(), call.3.as_str())).collect();
        assert_eq!(calls, [("c1", "{\"a\":1}")], "{sent:?}");
        assert_eq!(read.finish, Some(FinishReason::Stop));
    }
    let thought = json!({"type": "response.reasoning_text.delta", "delta": "hm"});
    let word = json!({"type": "response.output_text.delta", "delta": "a"});
    assert_eq!(
        events(&[thought, word, completed()]).unwrap()[..2],
        [
            ModelDelta::Thinking { block: 0, delta: "hm".into() },
            ModelDelta::Text { block: 1, delta: "a".into() }
        ]
    );
    let halves = r#"data: {"type":"response.output_text.delta","delta":"\ud83d"}

data: {"type":"response.output_text.delta","delta":"\ude00"}

data: {"type":"response.completed","response":{}}

data: [DONE]

"#;
    assert_eq!(read(stream(halves.as_bytes()).unwrap()).text, "😀");
}

const FIELDS: [&str; 15] = [
    "",
    "/type",
    "/output_index",
    "/summary_index",
    "/delta",
    "/arguments",
    "/item",
    "/item/type",
    "/item/call_id",
    "/item/name",
    "/item/content",
    "/response",
    "/response/output",
    "/response/usage",
    "/response/error",
];

proptest! {
    /// A field of any type is an error with a kind, or the call that stands beside it is there all the same.
    #[test]
    fn any_type_in_any_field_loses_no_call(
        field in proptest::sample::select(&FIELDS[..]), value in any_json(),
        kind in proptest::sample::select(vec![
            "response.created", "response.output_item.added", "response.output_item.done", "response.output_text.delta", "response.refusal.delta",
            "response.reasoning_summary_text.delta", "response.function_call_arguments.delta", "response.function_call_arguments.done",
        ]),
    ) {
        let mut odd = json!({
            "type": kind, "output_index": 7, "summary_index": 0, "delta": "", "arguments": "",
            "item": {"type": "function_call", "call_id": "c7", "name": "h", "arguments": "", "content": [], "summary": []},
            "response": {"status": "completed", "output": [], "usage": {"input_tokens": 1}, "error": null},
        });
        *odd.pointer_mut(field).unwrap() = value;
        let item = |arguments: &str| json!({"type": "function_call", "call_id": "c0", "name": "f", "arguments": arguments});
        let sent = [
            json!({"type": "response.output_item.added", "output_index": 0, "item": item("")}),
            json!({"type": "response.function_call_arguments.delta", "output_index": 0, "delta": "{\"a\":1}"}),
            json!({"type": "response.output_item.done", "output_index": 0, "item": item("{\"a\":1}")}),
            odd.clone(),
            completed(),
        ];
        match events(&sent) {
            Ok(deltas) => {
                let read = read(deltas);
                prop_assert!(read.calls.iter().any(|call| call.1 == "c0" && call.3 == "{\"a\":1}"), "{odd}: {read:?}");
                prop_assert!(read.finish.is_some());
            }
            Err(error) => prop_assert!(error.kind() != ErrorKind::Internal && !error.message().is_empty()),
        }
        drop(whole(&odd["response"]));
        drop(whole(&odd));
    }
}
