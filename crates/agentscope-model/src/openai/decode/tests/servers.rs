//! What servers send that is not as OpenAI sends it, quoted from their documentation and from reports of their users.

use super::*;
use agentscope_core::Error;
use proptest::prelude::*;

/// A stream of these frames, as they are.
fn raw(frames: &[&str]) -> Result<Vec<ModelDelta>> {
    stream([frames.iter().map(|frame| format!("{frame}\n\n")).collect::<String>().as_bytes()])
}

fn calls(read: &Read) -> Vec<(&str, &str)> {
    read.calls.iter().map(|call| (call.2.as_str(), call.3.as_str())).collect()
}

fn call(call: Value) -> Value {
    delta(json!({"tool_calls": [call]}))
}

fn error_of(frame: &str) -> Error {
    raw(&[frame]).unwrap_err()
}

/// Gemini's API in OpenAI's form and proxies of it: each call is whole, all have the index 0, and some have no id.
#[test]
fn whole_calls_with_one_index_and_no_ids_are_several_calls() {
    let city = |index: Value, id: &str, city: &str| {
        call(json!({"index": index, "id": id, "type": "function",
            "function": {"name": "get_weather", "arguments": format!("{{\"city\":\"{city}\"}}")}}))
    };
    for (index, id) in [(json!(0), ""), (Value::Null, ""), (Value::Null, "call-get_weather")] {
        let read = read(
            chunks(&[
                city(index.clone(), id, "Beijing"),
                city(index.clone(), id, "Shanghai"),
                finish("stop"),
            ])
            .unwrap(),
        );
        assert_eq!(
            calls(&read),
            [("get_weather", r#"{"city":"Beijing"}"#), ("get_weather", r#"{"city":"Shanghai"}"#)],
            "{index} {id:?}"
        );
    }
    let body = json!({"choices": [{"finish_reason": "tool_calls", "message": {"role": "assistant", "tool_calls": [
        {"id": "f", "function": {"name": "f", "arguments": "{}"}}, {"id": "f", "function": {"name": "f", "arguments": "{}"}}]}}]});
    assert_eq!(read(whole(body.to_string().as_bytes()).unwrap()).calls.len(), 2);
}

/// vLLM repeats the name of the tool, and its last piece may be empty.
#[test]
fn a_name_that_is_repeated_begins_no_new_call() {
    let piece =
        |arguments: Value| call(json!({"index": 0, "function": {"name": "f", "arguments": arguments}}));
    let read = read(
        chunks(&[
            call(json!({"index": 0, "id": "c", "function": {"name": "f", "arguments": null}})),
            piece(json!("{\"a\": ")),
            piece(json!("{\"b\": 1}")),
            piece(json!("}")),
            piece(json!("")),
            piece(Value::Null),
            delta(json!({"tool_calls": []})),
            delta(json!({"tool_calls": null})),
            finish("tool_calls"),
        ])
        .unwrap(),
    );
    assert_eq!(calls(&read), [("f", r#"{"a": {"b": 1}}"#)]);
}

/// What Gemini 3 has to get back with a call, or it refuses the next request.
#[test]
fn the_signature_of_a_call_is_kept() {
    let signature = json!({"google": {"thought_signature": "EjQKMgEM"}});
    let answer = chunks(&[
        call(json!({"extra_content": signature, "function": {"arguments": "{}", "name": "f"}, "id": "jm4owj31", "type": "function"})),
        finish("stop"),
    ])
    .unwrap();
    assert_eq!(
        answer,
        [
            ModelDelta::tool_call(0, "jm4owj31", "f", "{}"),
            ModelDelta::Extra { block: 0, key: "extra_content".into(), value: signature },
            stop()
        ]
    );
}

/// Perplexity sends the words so far beside the new ones.
#[test]
fn a_choice_with_a_delta_and_a_message_is_its_delta() {
    let piece = |new: &str, all: &str, reason: Value| {
        json!({"id": "ab7cac59", "object": "chat.completion", "usage": {"prompt_tokens": 10, "completion_tokens": 1, "total_tokens": 11},
            "choices": [{"index": 0, "finish_reason": reason,
                "message": {"role": "assistant", "content": all}, "delta": {"role": "assistant", "content": new}}]})
    };
    let answer =
        chunks(&[piece("Find", "Find", Value::Null), piece("ing", "Finding", json!("stop"))]).unwrap();
    assert_eq!(read(answer).text, "Finding");
    let null = json!({"choices": [{"message": {"content": "a"}, "delta": null, "finish_reason": "stop"}]});
    assert_eq!(read(whole(null.to_string().as_bytes()).unwrap()).text, "a");
}

/// Mistral's reasoning models put thoughts among the parts of the content; its references have no words.
#[test]
fn thoughts_among_the_parts_are_thoughts() {
    let parts = |parts: Value| delta(json!({"content": parts}));
    let read = read(
        chunks(&[
            parts(json!([{"type": "thinking", "thinking": [{"type": "text", "text": "Okay"}]}])),
            parts(json!([{"type": "thinking", "thinking": ", so"}, {"type": "text", "text": "It is"}])),
            parts(json!([{"type": "reference", "reference_ids": [1]}])),
            delta(json!({"content": " sunny"})),
            finish("stop"),
        ])
        .unwrap(),
    );
    assert_eq!((read.thoughts.as_str(), read.text.as_str()), ("Okay, so", "It is sunny"));
}

/// OpenRouter, LiteLLM, vLLM, llama.cpp before late 2025, Anthropic: what went wrong is told, and whether it helps to ask again.
#[test]
fn errors_in_a_stream_keep_their_kind_and_their_words() {
    for (frame, kind, words) in [
        (
            r#"data: {"id":"g","object":"chat.completion.chunk","error":{"code":"server_error","message":"Provider disconnected"},"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}]}"#,
            ErrorKind::Unavailable,
            "Provider disconnected",
        ),
        (
            r#"data: {"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error","error":{"code":429,"message":"slow down"}}]}"#,
            ErrorKind::RateLimited,
            "slow down",
        ),
        (
            r#"data: {"error": {"message": "litellm.RateLimitError: x", "type": "throttling_error", "param": "None", "code": "429"}}"#,
            ErrorKind::RateLimited,
            "litellm.RateLimitError",
        ),
        (
            r#"data: {"object": "error", "message": "top_p must be in (0, 1]", "type": "BadRequestError", "param": null, "code": 400}"#,
            ErrorKind::InvalidInput,
            "top_p must be",
        ),
        (
            r#"error: {"code":400,"message":"the request exceeds the available context size. try increasing the context size","type":"invalid_request_error"}"#,
            ErrorKind::ContextOverflow,
            "available context size",
        ),
        (
            r#"data: {"error": null, "object": "error", "message": "no such model", "code": 404}"#,
            ErrorKind::NotFound,
            "no such model",
        ),
        (r#"data: {"error": {"message": "pay", "code": 402}}"#, ErrorKind::Exhausted, "pay"),
        (r#"data: {"error": {"message": "not yours", "code": 403}}"#, ErrorKind::Unauthorized, "not yours"),
        (
            r#"data: {"choices":null,"base_resp":{"status_code":1008,"status_msg":"insufficient balance"}}"#,
            ErrorKind::Exhausted,
            "insufficient balance",
        ),
        (
            r#"data: {"error": {"message": "Rate limit: 10000 tokens, your token limit", "code": "rate_limit_exceeded"}}"#,
            ErrorKind::RateLimited,
            "token limit",
        ),
    ] {
        let error = error_of(frame);
        assert_eq!(error.kind(), kind, "{frame}: {error}");
        assert!(error.message().contains(words), "{frame}: {error}");
    }
    // MiniMax says in each chunk that all is well.
    let fine = json!({"base_resp": {"status_code": 0, "status_msg": ""}, "input_sensitive": false, "error": {},
        "choices": [{"index": 0, "delta": {"role": "", "content": "a"}, "finish_reason": "stop"}]});
    assert_eq!(read(chunks(&[fine]).unwrap()).text, "a");
}

/// Zhipu and Mistral have reasons of their own; proxies of Gemini shout.
#[test]
fn reasons_of_others_are_understood() {
    let reason = |reason: &str| chunks(&[delta(json!({"content": "a"})), finish(reason)]).map(read);
    for (told, meant) in [
        ("sensitive", FinishReason::ContentFilter),
        ("SAFETY", FinishReason::ContentFilter),
        ("content_filter: SAFETY", FinishReason::ContentFilter),
        ("model_length", FinishReason::Length),
        ("MAX_TOKENS", FinishReason::Length),
        ("STOP", FinishReason::Stop),
        ("end_turn", FinishReason::Stop),
    ] {
        assert_eq!(reason(told).unwrap().finish, Some(meant), "{told}");
    }
    for failed in ["network_error", "error", "abort"] {
        assert_eq!(reason(failed).unwrap_err().kind(), ErrorKind::Unavailable, "{failed}");
    }
}

/// Numbers that are none cost the number, not the answer.
#[test]
fn a_usage_that_is_nonsense_costs_no_answer() {
    for usage in [
        json!({"prompt_tokens": 3.0, "completion_tokens": -1}),
        json!({"prompt_tokens": "7", "prompt_tokens_details": []}),
        json!([]),
        json!("none"),
    ] {
        let mut last = finish("stop");
        last["usage"] = usage.clone();
        let answer = chunks(&[delta(json!({"content": "a"})), last]);
        assert_eq!(answer.map(read).map(|read| read.text).unwrap(), "a", "{usage}");
    }
}

/// Azure's first chunk has no choices, its last no delta; Groq, llama.cpp and OpenRouter add what is theirs.
#[test]
fn what_is_theirs_is_passed_over() {
    let read = read(
        raw(&[
            ": OPENROUTER PROCESSING",
            r#"data: {"choices":[],"created":0,"id":"","model":"","object":"","prompt_filter_results":[{"prompt_index":0,"content_filter_results":{"hate":{"filtered":false,"severity":"safe"}}}]}"#,
            ": keep-alive",
            r#"data: {"choices":[{"content_filter_results":{},"delta":{"content":"","refusal":null,"role":"assistant"},"finish_reason":null,"index":0,"logprobs":null}],"x_groq":{"id":"req_1"}}"#,
            r#"data: {"choices":[{"index":0,"delta":{"content":"hi","reasoning_details":[]},"finish_reason":null,"native_finish_reason":null,"matched_stop":null}],"timings":{"prompt_n":1}}"#,
            "data:",
            r#"data: {"choices":[{"content_filter_offsets":{"check_offset":1},"content_filter_results":{},"finish_reason":null,"index":0}]}"#,
            r#"data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null}"#,
            "data: [DONE]",
        ])
        .unwrap(),
    );
    assert_eq!((read.text.as_str(), read.finish), ("hi", Some(FinishReason::Stop)));
}

const FIELDS: [&str; 24] = [
    "",
    "/choices",
    "/choices/0",
    "/choices/0/index",
    "/choices/0/delta",
    "/choices/0/finish_reason",
    "/choices/0/usage",
    "/choices/0/delta/content",
    "/choices/0/delta/reasoning",
    "/choices/0/delta/reasoning_content",
    "/choices/0/delta/refusal",
    "/choices/0/delta/audio",
    "/choices/0/delta/audio/data",
    "/choices/0/delta/audio/id",
    "/choices/0/delta/tool_calls/0",
    "/choices/0/delta/tool_calls/0/index",
    "/choices/0/delta/tool_calls/0/id",
    "/choices/0/delta/tool_calls/0/extra_content",
    "/choices/0/delta/tool_calls/0/function",
    "/choices/0/delta/tool_calls/0/function/name",
    "/choices/0/delta/tool_calls/0/function/arguments",
    "/usage",
    "/usage/prompt_tokens",
    "/error",
];

proptest! {
    /// A field of any type is an error with a kind, or the call that stands beside it is there all the same.
    #[test]
    fn any_type_in_any_field_loses_no_call(field in proptest::sample::select(&FIELDS[..]), value in any_json(), is_whole in any::<bool>()) {
        let mut odd = json!({
            "choices": [{"index": 0, "finish_reason": null, "usage": null, "delta": {"content": "", "reasoning": "", "reasoning_content": "", "refusal": null,
                "audio": {"id": null, "data": ""},
                "tool_calls": [{"index": 0, "id": "c0", "extra_content": null, "function": {"name": "f", "arguments": "{}"}}]}}],
            "usage": {"prompt_tokens": 1}, "error": null,
        });
        *odd.pointer_mut(field).unwrap() = value;
        let sound = call(json!({"index": 1, "id": "c1", "function": {"name": "g", "arguments": "{\"a\":1}"}}));
        match chunks(&[sound.clone(), odd.clone(), finish("tool_calls")]) {
            Ok(deltas) => {
                let kept: String = deltas.iter().filter_map(|delta| match delta {
                    ModelDelta::ToolCall { id, delta, .. } if *id == "c1" => Some(delta.as_str()),
                    _ => None,
                }).collect();
                prop_assert!(kept.starts_with("{\"a\":1}"), "{odd}: {deltas:?}");
                let ended = matches!(deltas.last(), Some(ModelDelta::Finish { .. }));
                prop_assert!(ended, "{deltas:?}");
            }
            Err(error) => prop_assert!(error.kind() != ErrorKind::Internal && !error.message().is_empty()),
        }
        if is_whole {
            drop(whole(odd.to_string().as_bytes()));
        }
    }

    /// Calls written in any pieces, side by side, are the calls that were meant.
    #[test]
    fn calls_in_any_pieces_are_whole(
        inputs in proptest::collection::vec(proptest::collection::hash_map("[a-z\"\\\\{}é😀]{1,3}", "[ -~😀]{0,8}", 0..3), 1..4),
        cuts in proptest::collection::vec(1usize..9, 1..12), interleaved in any::<bool>(), repeats_name in any::<bool>(), split in 1usize..40,
    ) {
        let inputs: Vec<String> = inputs.iter().map(|input| serde_json::to_string(input).unwrap()).collect();
        let mut pieces: Vec<Vec<Value>> = Vec::new();
        for (index, input) in inputs.iter().enumerate() {
            let mut own = vec![call(json!({"index": index, "id": format!("c{index}"), "function": {"name": "f", "arguments": ""}}))];
            let letters: Vec<char> = input.chars().collect();
            let (mut at, mut cut) = (0, cuts.iter().cycle());
            while at < letters.len() {
                let end = (at + cut.next().unwrap()).min(letters.len());
                let text: String = letters[at..end].iter().collect();
                let name = if repeats_name { json!("f") } else { Value::Null };
                own.push(call(json!({"index": index, "function": {"name": name, "arguments": text}})));
                at = end;
            }
            pieces.push(own);
        }
        let mut sent = Vec::new();
        if interleaved {
            let most = pieces.iter().map(Vec::len).max().unwrap();
            for at in 0..most {
                sent.extend(pieces.iter().filter_map(|own| own.get(at).cloned()));
            }
        } else {
            sent = pieces.concat();
        }
        sent.push(finish("tool_calls"));
        let bytes: Vec<u8> = sent.iter().flat_map(|chunk| format!("data: {chunk}\n\n").into_bytes()).collect();
        let read = read(stream(bytes.chunks(split)).unwrap());
        let got: Vec<&str> = read.calls.iter().map(|call| call.3.as_str()).collect();
        prop_assert_eq!(got, inputs);
        prop_assert_eq!(read.finish, Some(FinishReason::Stop));
    }
}
