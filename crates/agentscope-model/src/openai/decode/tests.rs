use super::*;
use crate::{
    http::{
        Framing,
        testing::{Read, any_json, decoded, decoded_whole, read},
    },
    openai::Provider,
};
use serde_json::json;

mod servers;

/// What a decoder makes of the bytes of a stream, in these pieces; then they end.
fn stream<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<ModelDelta>> {
    decoded(&mut decoder(), Framing::Events, pieces)
}

fn decoder() -> Decoder {
    let service = &Provider::Other.ways().service;
    Decoder::new(Peer { address: "the server".into(), service }, "audio/wav".into())
}

fn whole(body: &[u8]) -> Result<Vec<ModelDelta>> {
    decoded_whole(&mut decoder(), body)
}

/// A stream of these chunks and the last word.
fn chunks(chunks: &[Value]) -> Result<Vec<ModelDelta>> {
    let text: String = chunks.iter().map(|chunk| format!("data: {chunk}\n\n")).collect();
    stream([(text + "data: [DONE]\n\n").as_bytes()])
}

fn delta(delta: Value) -> Value {
    json!({"choices": [{"index": 0, "delta": delta, "finish_reason": null}]})
}

fn finish(reason: &str) -> Value {
    json!({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
}

fn stop() -> ModelDelta {
    ModelDelta::Finish { reason: FinishReason::Stop }
}

fn text(block: u32, delta: &str) -> ModelDelta {
    ModelDelta::Text { block, delta: delta.into() }
}

#[test]
fn words_thoughts_and_calls_are_numbered_as_they_begin() {
    let call = |index: u32, id: Value, name: Value, arguments: &str| {
        delta(
            json!({"tool_calls": [{"index": index, "id": id, "type": "function", "function": {"name": name, "arguments": arguments}}]}),
        )
    };
    let answer = chunks(&[
        delta(json!({"role": "assistant", "content": "", "reasoning_content": "hm"})),
        delta(json!({"reasoning": "m", "content": null})),
        delta(json!({"content": "I "})),
        delta(json!({"content": [{"type": "text", "text": "see"}]})),
        call(0, json!("c1"), json!("f"), ""),
        call(1, json!("c2"), json!("g"), "{}"),
        call(0, Value::Null, Value::Null, "{\"a\":"),
        call(0, json!(""), json!(""), "1}"),
        delta(json!({"content": "."})),
        finish("tool_calls"),
        json!({"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 2}, "completion_tokens_details": {"reasoning_tokens": 1}}}),
    ]);
    let mut usage = Usage::new(9, 3);
    (usage.cached_tokens, usage.reasoning_tokens) = (2, 1);
    assert_eq!(
        answer.unwrap(),
        [
            ModelDelta::Thinking { block: 0, delta: "hm".into() },
            ModelDelta::Thinking { block: 0, delta: "m".into() },
            text(1, "I "),
            text(1, "see"),
            ModelDelta::tool_call(2, "c1", "f", ""),
            ModelDelta::tool_call(3, "c2", "g", "{}"),
            ModelDelta::tool_call(2, "c1", "f", "{\"a\":"),
            ModelDelta::tool_call(2, "c1", "f", "1}"),
            text(4, "."),
            ModelDelta::Usage(usage),
            stop(),
        ]
    );
}

#[test]
fn calls_are_told_apart_by_servers_that_number_them_badly() {
    let call = |call: Value| delta(json!({"tool_calls": [call]}));
    let whole = |index: Value, id: &str, name: &str| {
        call(json!({"index": index, "id": id, "function": {"name": name, "arguments": {"a": 1}}}))
    };
    for (first, second) in [(json!(0), json!(0)), (Value::Null, Value::Null), (json!(0), json!(1))] {
        let read =
            read(chunks(&[whole(first, "c1", "f"), whole(second, "c2", "f"), finish("stop")]).unwrap());
        let expected = [(0, "c1", "f", "{\"a\":1}"), (1, "c2", "f", "{\"a\":1}")];
        assert_eq!(
            read.calls,
            expected.map(|(block, id, name, input)| (block, id.into(), name.into(), input.into()))
        );
    }
    let late_name = read(
        chunks(&[
            call(json!({"index": 0, "id": "c1", "function": {"arguments": "{\"a\""}})),
            call(json!({"index": 0, "function": {"name": "f", "arguments": ":"}})),
            call(json!({"index": 0, "function": {"name": "f", "arguments": "1}"}})),
            finish("tool_calls"),
        ])
        .unwrap(),
    );
    assert_eq!(late_name.calls, [(0, "c1".into(), "f".into(), "{\"a\":1}".into())]);
    let nameless =
        chunks(&[call(json!({"index": 0, "function": {"arguments": "{}"}})), finish("tool_calls")])
            .unwrap_err();
    assert_eq!(nameless.message(), "the server called a tool without a name");
}

#[test]
fn the_usage_is_found_where_each_provider_puts_it() {
    let cached = |usage: Value| {
        read(
            chunks(&[delta(json!({"content": "a"})), finish("stop"), json!({"choices": [], "usage": usage})])
                .unwrap(),
        )
        .usage
    };
    assert_eq!(
        cached(json!({"prompt_tokens": 5, "prompt_cache_hit_tokens": 4})).unwrap().cached_tokens,
        4,
        "DeepSeek"
    );
    assert_eq!(
        cached(json!({"prompt_tokens": 5, "cached_tokens": 3, "completion_tokens": null}))
            .unwrap()
            .cached_tokens,
        3,
        "Moonshot"
    );
    assert_eq!(cached(Value::Null), None);
    let mut within = finish("stop");
    within["choices"][0]["usage"] = json!({"prompt_tokens": 7});
    assert_eq!(read(chunks(&[within]).unwrap()).usage, Some(Usage::new(7, 0)), "Moonshot, in the choice");
    let thoughts = json!({"reasoning_tokens": 386});
    let apart = json!({"prompt_tokens": 12, "completion_tokens": 1, "total_tokens": 399, "completion_tokens_details": thoughts});
    assert_eq!(cached(apart).unwrap().output_tokens, 387, "xAI tells thoughts apart from the answer");
    let within = json!({"prompt_tokens": 12, "completion_tokens": 387, "total_tokens": 399, "completion_tokens_details": thoughts});
    assert_eq!(cached(within).unwrap().output_tokens, 387);
}

#[test]
fn an_answer_that_is_not_whole_is_an_error() {
    let some = delta(json!({"content": "a"}));
    let cut = |text: String| stream([text.as_bytes()]).unwrap_err();
    assert_eq!(
        cut(format!("data: {some}\n\n")).message(),
        "the answer of the server broke off: the stream ended without a finish reason, so try again"
    );
    assert_eq!(cut(String::new()).kind(), ErrorKind::Unavailable);
    assert_eq!(
        cut("data: [DONE]\n\n".into()).message(),
        "the answer of the server is empty, and has no finish reason"
    );
    let half = delta(
        json!({"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f", "arguments": "{\"a\": \"}"}}]}),
    );
    assert_eq!(
        chunks(std::slice::from_ref(&half)).unwrap_err().message(),
        "the answer of the server ends in the middle of a tool call"
    );

    // The last word is enough, and so is the finish.
    assert_eq!(chunks(std::slice::from_ref(&some)).unwrap(), [text(0, "a"), stop()]);
    let finished = format!("data: {some}\n\ndata: {}\n\n", finish("stop"));
    assert_eq!(stream([finished.as_bytes()]).unwrap(), [text(0, "a"), stop()]);
    // A call that is cut is never taken for a whole one.
    assert_eq!(read(chunks(&[half, finish("tool_calls")]).unwrap()).finish, Some(FinishReason::Length));
}

#[test]
fn reasons_to_finish_are_told() {
    let reason = |reason: &str| {
        read(chunks(&[delta(json!({"content": "a"})), finish(reason)]).unwrap()).finish.unwrap()
    };
    for stop in ["stop", "tool_calls", "function_call"] {
        assert_eq!(reason(stop), FinishReason::Stop);
    }
    assert_eq!(reason("length"), FinishReason::Length);
    assert_eq!(reason("content_filter"), FinishReason::ContentFilter);
    assert_eq!(reason("recitation"), FinishReason::Other("recitation".into()));
    let gave_up =
        chunks(&[delta(json!({"content": "a"})), finish("insufficient_system_resource")]).unwrap_err();
    assert_eq!(gave_up.kind(), ErrorKind::Unavailable);
    let refused = read(
        chunks(&[delta(json!({"refusal": "I must "})), delta(json!({"refusal": "not."})), finish("stop")])
            .unwrap(),
    );
    assert_eq!(
        (refused.text.as_str(), refused.finish),
        ("I must not.", Some(FinishReason::Other("refusal".into())))
    );
}

#[test]
fn an_error_in_the_stream_is_an_error() {
    let broken = |frame: &str| {
        stream([format!("data: {}\n\n{frame}\n\n", delta(json!({"content": "a"}))).as_bytes()]).unwrap_err()
    };
    for (frame, kind, said) in [
        (
            r#"data: {"error": {"message": "Rate limit reached.", "code": 429}}"#,
            ErrorKind::RateLimited,
            "Rate limit reached",
        ),
        (r#"data: {"error": "out of memory"}"#, ErrorKind::Unavailable, "out of memory"),
        (
            r#"data: {"object": "error", "message": "maximum context length is 8", "code": 400}"#,
            ErrorKind::ContextOverflow,
            "maximum context length is 8",
        ),
        ("event: error\ndata: {\"message\": \"boom\"}", ErrorKind::Unavailable, "boom"),
        ("event: error\ndata: boom", ErrorKind::Unavailable, "boom"),
        (r#"data: {"detail": "no such thing"}"#, ErrorKind::Unavailable, "no such thing"),
        (r#"data: {"error": {"code": "insufficient_quota", "message": "pay"}}"#, ErrorKind::Exhausted, "pay"),
        (
            r#"data: {"error": {"type": "invalid_request_error", "message": "no"}}"#,
            ErrorKind::InvalidInput,
            "no",
        ),
    ] {
        let error = broken(frame);
        assert_eq!(error.kind(), kind, "{error}");
        let message = format!("the server broke its answer off and says: {said}: ");
        assert!(error.message().starts_with(&message) && error.message().len() > message.len(), "{error}");
    }
    for nonsense in ["data: {", "data: <html>", "data: 7", r#"data: {"choices": 7}"#] {
        assert_eq!(broken(nonsense).kind(), ErrorKind::Protocol, "{nonsense}");
    }
}

#[test]
fn sounds_are_pieces_that_can_be_joined() {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let piece = |bytes: &[u8]| delta(json!({"audio": {"id": "a1", "data": STANDARD.encode(bytes)}}));
    let answer = chunks(&[
        piece(b"a"),
        piece(b"bcd"),
        delta(json!({"audio": {"transcript": "hi"}})),
        piece(b"e"),
        finish("stop"),
    ])
    .unwrap();
    let media: String = answer
        .iter()
        .filter_map(|delta| match delta {
            ModelDelta::Media { delta, media_type, .. } if media_type == "audio/wav" => Some(delta.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(STANDARD.decode(media).unwrap(), b"abcde");
    assert!(answer.contains(&ModelDelta::Extra { block: 0, key: "id".into(), value: "a1".into() }));
    assert!(answer.contains(&text(1, "hi")));
}

#[test]
fn a_body_without_choices_is_no_answer() {
    let error = whole(b"{\"hello\": 1}").unwrap_err();
    assert!(error.message().starts_with("the server answered with JSON that has no `choices`"), "{error}");
    let page = whole(b"  <!DOCTYPE html><html>").unwrap_err();
    assert!(page.message().contains("an HTML page: is the base URL that of its API"), "{page}");
    assert!(whole(b"ok").unwrap_err().message().contains("no JSON"));
    assert!(whole(b"[1]").unwrap_err().message().contains("JSON that is no answer"));
    assert_eq!(whole(b"{\"error\": {\"message\": \"no\"}}").unwrap_err().kind(), ErrorKind::Unavailable);
}

#[test]
fn arguments_cost_what_they_weigh() {
    // As a law, not as a time: each byte of the arguments is given away once.
    let piece = "x".repeat(100);
    let mut given = 0;
    let mut decoder = decoder();
    for at in 0..1000 {
        let arguments = if at == 0 { "{\"a\":\"" } else { &piece };
        let chunk = delta(json!({"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f", "arguments": arguments}}]})).to_string();
        let mut out = VecDeque::new();
        decoder.frame(b"", chunk.as_bytes(), &mut out).unwrap();
        given += out
            .iter()
            .map(|delta| match delta {
                ModelDelta::ToolCall { delta, .. } => delta.len(),
                _ => 0,
            })
            .sum::<usize>();
    }
    assert_eq!(given, 6 + 999 * 100);
}
