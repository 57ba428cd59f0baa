//! Against llama.cpp's server with a model of random weights: its words are noise, all else is real.

use crate::said::{Said, ask, peer, question};
use agentscope_core::{ErrorKind, FinishReason, ModelRequest, ToolChoice, ToolSpec};
use agentscope_model::{OpenAIChatModel, Provider};
use serde_json::{Value, json};
use std::sync::Arc;

/// Tokens of an answer without an end: the noise goes on until it is stopped.
const TOKENS: u64 = 24;

fn model() -> Option<OpenAIChatModel> {
    let url = peer("AGENTSCOPE_LLAMA")?;
    Some(OpenAIChatModel::of(Provider::Other, "tiny-random").base_url(url).retries(0))
}

/// A question whose answer is the same each time.
fn settled(words: &str, tokens: u64) -> ModelRequest {
    let mut req = question(words);
    req.options.temperature = Some(0.0);
    req.options.seed = Some(7);
    req.options.max_tokens = Some(tokens);
    req
}

/// A question that the model has to answer by a call that comes to an end: nothing in it is a text.
fn forced(tokens: u64) -> ModelRequest {
    let schema = json!({
        "type": "object",
        "properties": {"room": {"enum": ["kitchen", "hall"]}, "on": {"type": "boolean"}},
        "required": ["room", "on"],
    });
    let mut req = settled("the lamp", tokens);
    req.tools = [Arc::new(ToolSpec::new("set_lamp", "Switches a lamp.", schema))].into();
    req.tool_choice = ToolChoice::Tool("set_lamp".into());
    req
}

/// The answers to one question, whole and streamed.
async fn both(model: &OpenAIChatModel, req: ModelRequest) -> [Said; 2] {
    let whole = ask(&model.clone().stream(false), req.clone()).await.unwrap();
    [whole, ask(model, req).await.unwrap()]
}

#[tokio::test]
async fn a_stream_says_what_the_whole_answer_says() {
    let Some(model) = model() else { return };
    for words in ["hello", "你好, привет, 👍", "tell me\nmore \"quoted\" \\ words"] {
        let [whole, streamed] = both(&model, settled(words, TOKENS)).await;
        assert_eq!(streamed.text, whole.text, "{words}");
        assert!(!whole.text.is_empty(), "{words}");
        assert_eq!([whole.finish, streamed.finish], [FinishReason::Length, FinishReason::Length]);
    }
}

#[tokio::test]
async fn tokens_are_counted_as_the_server_counts_them() {
    let Some(model) = model() else { return };
    let model = model.stream(false);
    let mut input = Vec::new();
    for words in ["hello", "hello hello hello hello"] {
        let usage = ask(&model, settled(words, TOKENS)).await.unwrap().usage.unwrap();
        assert_eq!(usage.output_tokens, TOKENS);
        input.push(usage.input_tokens);
    }
    assert!(0 < input[0] && input[0] < input[1], "{input:?}");
}

#[tokio::test]
async fn a_stop_ends_an_answer_before_it() {
    let Some(model) = model() else { return };
    let whole = ask(&model, settled("hello", TOKENS)).await.unwrap().text;
    let stop = whole.chars().nth(whole.chars().count() / 2).unwrap().to_string();
    let mut req = settled("hello", TOKENS);
    req.options.stop = vec![stop.clone()];
    for said in both(&model, req).await {
        assert_eq!(said.text, whole.split(&stop).next().unwrap());
        assert_eq!(said.finish, FinishReason::Stop);
    }
}

#[tokio::test]
async fn an_answer_that_a_grammar_holds_obeys_its_schema() {
    let Some(model) = model() else { return };
    let schema = json!({
        "type": "object",
        "properties": {"ok": {"type": "boolean"}, "n": {"type": "integer"}, "kind": {"enum": ["a", "b"]}},
        "required": ["ok", "n", "kind"],
        "additionalProperties": false,
    });
    // This server has another form than OpenAI's.
    let model = model.body("response_format", json!({"type": "json_object", "schema": schema}));
    for seed in 0..4 {
        let mut req = settled("hello", 96);
        (req.options.seed, req.options.temperature) = (Some(seed), Some(1.0));
        for said in both(&model, req).await {
            let value: Value = serde_json::from_str(&said.text).expect(&said.text);
            let fields: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
            assert_eq!(fields, ["ok", "n", "kind"]);
            assert!(value["ok"].is_boolean() && value["n"].is_number(), "{value}");
            assert!(["a", "b"].contains(&value["kind"].as_str().unwrap()), "{value}");
            assert_eq!(said.finish, FinishReason::Stop);
        }
    }
}

#[tokio::test]
async fn a_call_that_is_forced_comes_whole() {
    let Some(model) = model() else { return };
    for said in both(&model, forced(96)).await {
        let [(name, arguments)] = &said.arguments()[..] else { panic!("one call is forced: {said:?}") };
        assert_eq!(*name, "set_lamp");
        assert!(["kitchen", "hall"].contains(&arguments["room"].as_str().unwrap()), "{arguments}");
        assert!(arguments["on"].is_boolean(), "{arguments}");
        assert!(!said.calls[0].id.is_empty());
        assert_eq!(said.finish, FinishReason::Stop);
    }
}

#[tokio::test]
async fn a_call_that_the_limit_cuts_is_not_taken_for_a_whole_one() {
    let Some(model) = model() else { return };
    // The server says `tool_calls`, as if it were whole.
    for said in both(&model, forced(6)).await {
        assert!(said.calls[0].arguments().is_err(), "{said:?}");
        assert_eq!(said.finish, FinishReason::Length);
    }
}

#[tokio::test]
async fn a_conversation_beyond_the_context_is_told_as_such() {
    let Some(model) = model() else { return };
    let long = settled(&"word ".repeat(4000), TOKENS);
    let error = ask(&model.clone().stream(false), long.clone()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ContextOverflow, "{error:?}");
    // To a stream it answers 200 and not a byte: nobody could tell why.
    let error = ask(&model.clone(), long).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    // It also closes the connection, which may be seen only by the next request on it.
    assert!(!ask(&model.retries(2), settled("hello", TOKENS)).await.unwrap().text.is_empty());
}

#[tokio::test]
async fn a_client_that_leaves_frees_the_server() {
    use agentscope_core::{ChatModel, Context};
    use futures_util::StreamExt;
    let Some(model) = model() else { return };
    for _ in 0..3 {
        let mut stream = model.call(settled("hello", 400), Context::new());
        stream.next().await.unwrap().unwrap();
        drop(stream);
        assert_eq!(ask(&model, settled("hello", 2)).await.unwrap().finish, FinishReason::Length);
    }
}

#[tokio::test]
async fn a_request_that_the_server_does_not_know_is_an_error() {
    let Some(model) = model() else { return };
    let mut req = settled("hello", TOKENS);
    req.output_schema = Some(Arc::new(json!({"type": "object"})));
    for stream in [true, false] {
        let error = ask(&model.clone().stream(stream), req.clone()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "it is 500 here: {error:?}");
    }
}
