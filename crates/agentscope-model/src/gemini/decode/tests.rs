use super::*;
use crate::{
    gemini::SERVICE,
    http::{
        Framing,
        testing::{any_json, decoded, decoded_whole},
    },
};
use proptest::prelude::*;
use serde_json::json;
use std::{fs, path::PathBuf};

/// What the reference says that Gemini sends.
fn reference(name: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/reference/gemini");
    fs::read(folder.join(name)).unwrap()
}

fn decoder() -> Decoder {
    Decoder::new(Peer { address: "the server".into(), service: &SERVICE })
}

/// What a decoder makes of the bytes of a stream, in these pieces; then they end.
fn stream<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<ModelDelta>> {
    decoded(&mut decoder(), Framing::Events, pieces).map(joined)
}

fn streamed(name: &str) -> Result<Vec<ModelDelta>> {
    stream([&reference(name)[..]])
}

fn whole(body: &[u8]) -> Result<Vec<ModelDelta>> {
    decoded_whole(&mut decoder(), body).map(joined)
}

/// The pieces of one block as one, and the last usage alone.
fn joined(deltas: Vec<ModelDelta>) -> Vec<ModelDelta> {
    let mut joined: Vec<ModelDelta> = Vec::new();
    let mut usage = None;
    for delta in deltas {
        match (joined.last_mut(), delta) {
            (_, ModelDelta::Usage(last)) => usage = Some(ModelDelta::Usage(last)),
            (Some(ModelDelta::Text { block, delta }), ModelDelta::Text { block: next, delta: more })
            | (
                Some(ModelDelta::Thinking { block, delta }),
                ModelDelta::Thinking { block: next, delta: more },
            )
            | (
                Some(ModelDelta::Media { block, delta, .. }),
                ModelDelta::Media { block: next, delta: more, .. },
            ) if *block == next => {
                delta.push_str(&more);
            }
            (_, delta) => joined.push(delta),
        }
    }
    joined.extend(usage);
    joined
}

fn text(block: u32, delta: &str) -> ModelDelta {
    ModelDelta::Text { block, delta: delta.into() }
}

fn thinking(block: u32, delta: &str) -> ModelDelta {
    ModelDelta::Thinking { block, delta: delta.into() }
}

fn signature(block: u32, value: &str) -> ModelDelta {
    ModelDelta::Extra { block, key: "thought_signature".into(), value: value.into() }
}

fn finish(reason: FinishReason) -> ModelDelta {
    ModelDelta::Finish { reason }
}

fn usage(input: u64, output: u64, cached: u64, reasoning: u64) -> ModelDelta {
    let mut usage = Usage::new(input, output);
    (usage.cached_tokens, usage.reasoning_tokens) = (cached, reasoning);
    ModelDelta::Usage(usage)
}

#[test]
fn words_come_with_what_they_cost() {
    let expected = [text(0, "The sky is blue — 蓝色 🌍."), finish(FinishReason::Stop), usage(9, 9, 0, 0)];
    assert_eq!(streamed("text-stream.sse").unwrap(), expected);
    assert_eq!(whole(&reference("text.json")).unwrap(), expected);
}

#[test]
fn thoughts_are_told_apart_and_the_signature_is_that_of_the_last_part() {
    let expected = [
        thinking(0, "**Weighing**\n\nIt is about scattering."),
        text(1, "Light scatters."),
        signature(1, "CiQBcsjafMx0ZXh0"),
        finish(FinishReason::Stop),
        usage(12, 58, 8, 54),
    ];
    assert_eq!(streamed("thinking-stream.sse").unwrap(), expected);
}

#[test]
fn parallel_calls_come_whole_with_their_ids_and_the_signature_of_the_first() {
    let expected = [
        thinking(0, "I look both up."),
        ModelDelta::tool_call(1, "gp737npz", "get_temperature", r#"{"city":"Paris","unit":null}"#),
        signature(1, "EtcCCtQCAXLI2nz5cGFyYWxsZWw="),
        ModelDelta::tool_call(2, "x1k2m3n4", "get_temperature", r#"{"city":"São Paulo","days":[1,2.5]}"#),
        finish(FinishReason::Stop),
        usage(72, 95, 0, 55),
    ];
    assert_eq!(streamed("tool-calls-stream.sse").unwrap(), expected);
    assert_eq!(whole(&reference("tool-calls.json")).unwrap(), expected);
}

#[test]
fn a_call_without_an_id_gets_it_where_it_is_put_into_a_message() {
    let expected = [
        text(0, "Let me see. "),
        ModelDelta::tool_call(1, "", "now", "{}"),
        ModelDelta::tool_call(2, "", "now", "{}"),
        finish(FinishReason::Stop),
        usage(30, 12, 0, 0),
    ];
    assert_eq!(streamed("tool-call-without-id-stream.sse").unwrap(), expected);
}

#[test]
fn words_after_a_signature_are_another_block() {
    let part = |part: Value| json!({"candidates": [{"content": {"parts": [part]}}]});
    let chunks = [
        part(json!({"text": "a"})),
        part(json!({"text": "b", "thoughtSignature": "s1"})),
        part(json!({"text": "c"})),
        part(json!({"text": "", "thoughtSignature": "s2"})),
        part(json!({"text": "", "thoughtSignature": "s3"})),
        json!({"candidates": [{"finishReason": "STOP"}]}),
    ];
    let bytes: String = chunks.iter().map(|chunk| format!("data: {chunk}\n\n")).collect();
    let expected =
        [text(0, "ab"), signature(0, "s1"), text(1, "c"), signature(1, "s2"), finish(FinishReason::Stop)];
    assert_eq!(stream([bytes.as_bytes()]).unwrap(), expected, "a block is signed once");
}

#[test]
fn pictures_sounds_and_programs_of_its_own_are_told() {
    let media = |block, media_type: &str, delta: &str| ModelDelta::Media {
        block,
        media_type: media_type.into(),
        delta: delta.into(),
    };
    let expected = [
        text(0, "Here it is:"),
        media(1, "image/png", "iVBORw0KGgo="),
        signature(1, "c2lnLWltYWdl"),
        media(2, "image/png", "iVBORw0KGgo="),
        finish(FinishReason::Stop),
        usage(8, 1290, 0, 0),
    ];
    assert_eq!(streamed("image-stream.sse").unwrap(), expected, "a sketch is a thought");
    let sound = streamed("sound-stream.sse").unwrap();
    assert_eq!(sound[0], media(0, "audio/L16;codec=pcm;rate=24000", "YWJjZGVmZ2g="), "abcdefgh");
    let expected = [
        text(0, "\n```python\nprint(6 * 7)\n```\n\n```\n42\n```\nIt is 42."),
        finish(FinishReason::Stop),
        usage(43, 25, 0, 5),
    ];
    assert_eq!(streamed("code-stream.sse").unwrap(), expected);
}

#[test]
fn reasons_to_finish_are_told() {
    let reason = |name: &str| match &streamed(name).unwrap()[1] {
        ModelDelta::Finish { reason } => reason.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(reason("length-stream.sse"), FinishReason::Length);
    assert_eq!(reason("safety-stream.sse"), FinishReason::ContentFilter);
    assert_eq!(reason("recitation-stream.sse"), FinishReason::Other("recitation".into()));
}

#[test]
fn what_gemini_refuses_or_reports_is_an_error() {
    for blocked in [streamed("blocked-stream.sse"), whole(&reference("blocked.json"))] {
        let error = blocked.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused);
        assert_eq!(
            error.message(),
            "the server holds the request back (PROHIBITED_CONTENT): word it otherwise"
        );
    }
    let error = streamed("malformed-call-stream.sse").unwrap_err();
    assert!(error.is_retryable(), "{error}");
    assert!(error.message().contains("(MALFORMED_FUNCTION_CALL: Malformed function call: print("), "{error}");
    let error = streamed("error-stream.sse").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.message().contains("The model is overloaded. Please try again later"), "{error}");
    for quota in ["error-quota.json", "error-quota-list.json"] {
        let error = whole(&reference(quota)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::RateLimited);
        assert_eq!(error.retry_after(), Some(std::time::Duration::from_secs(34)));
    }
}

#[test]
fn a_stream_may_come_as_a_list() {
    let expected = [text(0, "The sky is blue."), finish(FinishReason::Stop), usage(9, 5, 0, 0)];
    assert_eq!(whole(&reference("stream-as-list.json")).unwrap(), expected);
}

#[test]
fn what_is_no_answer_is_an_error() {
    for (nothing, said) in [
        (&b"{\"hello\": 1}"[..], "has no `candidates`"),
        (b"[]", "has no `candidates`"),
        (b"<!DOCTYPE html>", "an HTML page"),
        (b"ok", "no JSON"),
        (b"{\"candidates\": 7}", "JSON that is no answer"),
    ] {
        let error = whole(nothing).unwrap_err();
        assert!(error.kind() == ErrorKind::Protocol && error.message().contains(said), "{error}");
    }
    let nameless = br#"{"candidates": [{"content": {"parts": [{"functionCall": {"args": {}}}]}}]}"#;
    assert_eq!(whole(nameless).unwrap_err().message(), "the server called a tool without a name");
    assert_eq!(stream([&b""[..]]).unwrap_err().kind(), ErrorKind::Unavailable);
}

#[test]
fn a_letter_that_is_torn_in_two_is_one_again() {
    let piece = |text: &str, more: &str| {
        format!(
            "data: {{\"candidates\": [{{\"content\": {{\"parts\": [{{\"text\": \"{text}\"}}]}}{more}}}]}}\n\n"
        )
    };
    let bytes = piece("a\\ud83c", "") + &piece("\\udf0d!", ", \"finishReason\": \"STOP\"");
    assert_eq!(stream([bytes.as_bytes()]).unwrap()[0], text(0, "a🌍!"));
}

fn full() -> Value {
    json!({
        "candidates": [{"index": 0, "content": {"parts": [
            {"text": "a", "thought": false, "thoughtSignature": "s"},
            {"functionCall": {"id": "c", "name": "f", "args": {"a": 1}}},
            {"inlineData": {"mimeType": "image/png", "data": "AAAA"}},
        ]}, "finishReason": "STOP"}],
        "usageMetadata": {"promptTokenCount": 1},
        "promptFeedback": {},
    })
}

proptest! {
    #[test]
    fn bytes_of_any_kind_are_no_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64), chunk in any_json()) {
        let _ = stream([&bytes[..]]);
        let _ = whole(&bytes);
        let _ = whole(chunk.to_string().as_bytes());
        let _ = stream([format!("data: {chunk}\n\n").as_bytes()]);
    }
}

#[test]
fn usage_of_another_type_does_not_cost_the_answer() {
    let mut chunk = full();
    chunk["usageMetadata"] =
        json!({"promptTokenCount": "12", "candidatesTokenCount": 3.0, "thoughtsTokenCount": null});
    let answer = whole(chunk.to_string().as_bytes()).unwrap();
    assert_eq!(answer.last(), Some(&usage(0, 3, 0, 0)));
}
