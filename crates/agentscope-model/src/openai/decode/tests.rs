use super::*;
use crate::sse::Frames;
use proptest::prelude::*;
use serde_json::json;
use std::{fs, path::PathBuf, sync::LazyLock};

mod servers;

/// What a decoder makes of the bytes of a stream, in these pieces; then they end.
fn stream<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<ModelDelta>> {
    let (mut frames, mut decoder, mut out) = (Frames::default(), decoder(), VecDeque::new());
    for piece in pieces {
        frames.feed(piece, |event, data| decoder.frame(event, data, &mut out))?;
    }
    frames.end(|event, data| decoder.frame(event, data, &mut out))?;
    decoder.end(&mut out)?;
    Ok(out.into())
}

fn decoder() -> Decoder {
    Decoder::new("the server".into(), "audio/wav".into())
}

fn whole(body: &[u8]) -> Result<Vec<ModelDelta>> {
    let mut out = VecDeque::new();
    decoder().whole(body, &mut out)?;
    Ok(out.into())
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

/// An answer as the one who reads it has it: its blocks joined, its calls checked.
#[derive(Debug, Default, PartialEq)]
struct Read {
    text: String,
    thoughts: String,
    calls: Vec<(u32, String, String, String)>,
    usage: Option<Usage>,
    finish: Option<FinishReason>,
}

fn read(deltas: Vec<ModelDelta>) -> Read {
    let mut read = Read::default();
    let mut begun: Vec<u32> = Vec::new();
    for delta in deltas {
        let block = match &delta {
            ModelDelta::Text { block, .. }
            | ModelDelta::Thinking { block, .. }
            | ModelDelta::ToolCall { block, .. } => Some(*block),
            _ => None,
        };
        if let Some(block) = block.filter(|block| !begun.contains(block)) {
            assert_eq!(block as usize, begun.len(), "blocks begin in order");
            begun.push(block);
        }
        assert_eq!(read.finish, None, "nothing comes after the finish");
        match delta {
            ModelDelta::Text { delta, .. } => read.text += &delta,
            ModelDelta::Thinking { delta, .. } => read.thoughts += &delta,
            ModelDelta::ToolCall { block, id, name, delta } => {
                match read.calls.iter_mut().find(|call| call.0 == block) {
                    Some(call) => {
                        assert_eq!((call.1.as_str(), call.2.as_str()), (id.as_str(), name.as_str()));
                        call.3 += &delta;
                    }
                    None => read.calls.push((block, id.to_string(), name.to_string(), delta)),
                }
            }
            ModelDelta::Usage(usage) => read.usage = Some(usage),
            ModelDelta::Finish { reason } => read.finish = Some(reason),
            other => panic!("{other:?}"),
        }
    }
    read
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
        assert_eq!(error.message(), format!("the server broke its answer off and says: {said}"));
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

/// The recorded answers: name, status and body, its chunks joined.
fn recorded() -> Vec<(String, u16, Vec<u8>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/recorded");
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let mut recorded: Vec<_> = files
        .filter(|path| path.extension().is_some_and(|it| it == "http"))
        .map(|path| {
            let bytes = fs::read(&path).unwrap();
            let head = memchr::memmem::find(&bytes, b"\r\n\r\n").map_or(bytes.len(), |at| at + 4);
            let text = String::from_utf8_lossy(&bytes[..head]).to_lowercase();
            let status = text.split(' ').nth(1).map_or(0, |status| status.parse().unwrap());
            let body = if text.contains("transfer-encoding: chunked") {
                joined(&bytes[head..])
            } else {
                bytes[head..].to_vec()
            };
            (path.file_stem().unwrap().to_str().unwrap().to_owned(), status, body)
        })
        .collect();
    recorded.sort();
    recorded
}

/// A body without the sizes of its chunks.
fn joined(mut chunked: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = memchr::memmem::find(chunked, b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&chunked[..end]).unwrap().trim(), 16).unwrap();
        let rest = &chunked[end + 2..];
        body.extend_from_slice(&rest[..size.min(rest.len())]);
        chunked = rest.get(size + 2..).unwrap_or_default();
    }
    body
}

fn streams() -> impl Iterator<Item = (String, Vec<u8>)> {
    let streams = recorded()
        .into_iter()
        .filter(|(name, status, _)| name.ends_with("-stream") | name.ends_with("-usage") && *status == 200);
    streams.map(|(name, _, body)| (name, body)).filter(|(_, body)| body.starts_with(b"data"))
}

/// The frames of a stream that comes in these pieces and then ends: all that a decoder sees of it.
fn frames<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<(Vec<u8>, Vec<u8>)> {
    let (mut frames, mut seen) = (Frames::default(), Vec::new());
    let mut see = |event: &[u8], data: &[u8]| {
        seen.push((event.to_vec(), data.to_vec()));
        Ok(())
    };
    for piece in pieces {
        frames.feed(piece, &mut see).unwrap();
    }
    frames.end(&mut see).unwrap();
    seen
}

#[test]
fn recorded_streams_are_the_same_split_at_every_byte() {
    let mut count = 0;
    for (name, body) in streams() {
        count += 1;
        let expected = frames([&body[..]]);
        for at in 0..=body.len() {
            assert_eq!(frames([&body[..at], &body[at..]]), expected, "{name} split at {at}");
        }
        let read = |pieces: &[&[u8]]| stream(pieces.iter().copied()).map_err(|error| error.to_string());
        let bytes: Vec<_> = body.chunks(1).collect();
        assert_eq!(read(&bytes), read(&[&body]), "{name}, byte by byte");
    }
    assert!(count >= 15, "only {count} streams were recorded");
}

#[test]
fn recorded_streams_cut_at_any_byte_are_whole_or_an_error() {
    for (name, body) in streams() {
        let Ok(complete) = stream([&body[..]]).map(read) else { continue };
        let mut wholes = 0;
        let mut before = None;
        for at in 0..body.len() {
            // Within a frame, a cut anywhere is the same to the decoder.
            let seen = Some(frames([&body[..at]]));
            if seen != before {
                match stream([&body[..at]]) {
                    Ok(deltas) => {
                        let read = read(deltas);
                        wholes += 1;
                        assert_eq!(
                            (&read.text, &read.calls, &read.thoughts),
                            (&complete.text, &complete.calls, &complete.thoughts),
                            "{name} at {at}"
                        );
                        assert_eq!(read.finish, complete.finish, "{name} at {at}");
                    }
                    Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable, "{name} at {at}: {error}"),
                }
            }
            before = seen;
        }
        // Once the reason of the end has come, only the usage and the last word can be missing.
        assert!((1..=3).contains(&wholes), "{name} was taken for whole at {wholes} places");
    }
}

#[test]
fn recorded_answers_are_what_they_say() {
    let read_of = |wanted: &str| {
        let (name, _, body) = recorded().into_iter().find(|(name, ..)| name == wanted).unwrap();
        read(if name.contains("stream") { stream([&body[..]]) } else { whole(&body) }.unwrap())
    };
    let pairs = [
        "aimock-text",
        "aimock-tool-call",
        "aimock-tool-calls",
        "aimock-text-and-tool-call",
        "aimock-reasoning",
    ];
    for name in pairs {
        let (whole, streamed) = (read_of(name), read_of(&format!("{name}-stream")));
        assert_eq!(
            (&whole.text, &whole.thoughts, whole.finish.as_ref()),
            (&streamed.text, &streamed.thoughts, streamed.finish.as_ref()),
            "{name}"
        );
        let input =
            |read: &Read| read.calls.iter().map(|call| (call.2.clone(), call.3.clone())).collect::<Vec<_>>();
        assert_eq!(input(&whole), input(&streamed), "{name}");
    }
    assert_eq!(read_of("aimock-tool-calls-stream").calls.len(), 2);
    assert!(!read_of("aimock-reasoning-stream").thoughts.is_empty());
    assert_eq!(read_of("aimock-length-stream").finish, Some(FinishReason::Length));
    assert_eq!(read_of("aimock-content-filter-stream").finish, Some(FinishReason::ContentFilter));
    assert_eq!(read_of("aimock-broken-arguments-stream").finish, Some(FinishReason::Length));
    assert_eq!(read_of("llama-forced-tool-cut-stream").finish, Some(FinishReason::Length));
    for name in ["aimock-usage-details", "aimock-usage-details-stream"] {
        assert_eq!(read_of(name).usage, Some(Usage::new(11, 7)), "{name}");
    }
    assert!(read_of("llama-text").usage.unwrap().input_tokens > 0);
    let emoji = read_of("aimock-split-surrogates-stream").text;
    assert!(emoji.contains(|letter: char| letter as u32 > 0xffff) && !emoji.contains('\u{fffd}'), "{emoji}");
    let call: Value = serde_json::from_str(&read_of("llama-forced-tool-stream").calls[0].3).unwrap();
    assert!(call.is_object(), "{call}");
    for cut in ["aimock-cut-text-stream", "aimock-cut-call-stream"] {
        let (_, _, body) = recorded().into_iter().find(|(name, ..)| name == cut).unwrap();
        assert_eq!(stream([&body[..]]).unwrap_err().kind(), ErrorKind::Unavailable, "{cut}");
    }
}

proptest! {
    /// Bytes of a recorded stream, changed at random: a message, or a typed error.
    #[test]
    fn no_bytes_make_a_decoder_panic(at in 0usize..4000, byte in any::<u8>(), cut in 0usize..4000, which in 0usize..40) {
        static STREAMS: LazyLock<Vec<(String, Vec<u8>)>> = LazyLock::new(|| streams().collect());
        let streams = &*STREAMS;
        let mut body = streams[which % streams.len()].1.clone();
        let length = body.len();
        body[at % length] = byte;
        body.drain(..cut % length / 3);
        drop(stream([&body[..]]).map(read));
        drop(whole(&body));
    }
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
