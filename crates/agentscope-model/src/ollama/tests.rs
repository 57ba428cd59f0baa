use super::*;
use crate::{
    conversation::testing::asked,
    http::testing::{encoded, encoded_seeing},
};
use agentscope_core::{
    ChatModel, ContentBlock, ErrorKind, Map, Media, ModelCard, ModelRequest, Msg, Role, ToolCall, ToolChoice,
    ToolResult, ToolSpec, ToolState, Transcript,
};
use serde_json::{Value, json};

mod formatters;
mod histories;

/// The body of a request, as Ollama reads it.
fn body(req: &ModelRequest) -> Value {
    encoded(&Ollama, req, |_| {}).unwrap()
}

fn messages(req: &ModelRequest) -> Value {
    body(req)["messages"].take()
}

fn call(id: &str, name: &str, arguments: Value) -> Value {
    json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}})
}

fn round() -> Msg {
    let image = ContentBlock::Image(Media::base64("image/png", "AAAA"));
    let blocks: Vec<ContentBlock> = vec![
        ContentBlock::thinking("I have"),
        ContentBlock::thinking("to look."),
        "Let me see.".into(),
        ToolCall::new("c1", "look", r#"{"at": 1}"#).into(),
        ToolCall::new("c2", "look", "{").into(),
        ToolResult::success("c2", "look", "a house").into(),
        ToolResult::new("c1", "look", ToolState::Success, vec!["a tree".into(), image]).into(),
        ContentBlock::thinking("So that is it."),
        "A tree and a house.".into(),
    ];
    Msg::new("Friday", Role::Assistant, blocks)
}

#[test]
fn a_reply_of_several_rounds_becomes_the_messages_that_it_was_made_of() {
    let expected = json!([
        {"role": "user", "content": "What is there?"},
        {"role": "assistant", "content": "Let me see.", "thinking": "I have\nto look.",
            "tool_calls": [call("c1", "look", json!({"at": 1})), call("c2", "look", json!({}))]},
        {"role": "tool", "tool_call_id": "c1", "content": "a tree\n[an image that cannot be shown to this model]", "tool_name": "look"},
        {"role": "tool", "tool_call_id": "c2", "content": "a house", "tool_name": "look"},
        {"role": "assistant", "content": "A tree and a house.", "thinking": "So that is it."},
    ]);
    let req = asked([Msg::user("What is there?"), round()]);
    assert_eq!(messages(&req), expected);

    let seen = encoded_seeing(&Ollama, &req).unwrap()["messages"].take();
    assert_eq!(seen[2]["content"], "a tree\n[an image, shown below]");
    assert_eq!(
        (&seen[3]["role"], &seen[4]["role"]),
        (&json!("tool"), &json!("user")),
        "results stay together"
    );
    assert_eq!(seen[4]["images"], json!(["AAAA"]));
}

#[test]
fn images_are_sent_and_what_cannot_be_shown_is_told() {
    let msg = Msg::user("look")
        .with(Media::base64("image/png", "AAAA"))
        .with(Media::url("https://example.com/gone.png"))
        .with(ContentBlock::Audio(Media::base64("audio/wav", "BBBB")))
        .with(ContentBlock::text("!"));
    let expected = json!([{
        "role": "user",
        "content": "look\n[an image that cannot be shown to this model: https://example.com/gone.png]\n[an audio that cannot be shown to this model]\n!",
        "images": ["AAAA"],
    }]);
    assert_eq!(messages(&asked([msg])), expected);
}

fn with_tools(choice: ToolChoice) -> ModelRequest {
    let mut req = asked([Msg::user("hi")]);
    let look = ToolSpec::new(
        "look",
        "Looks.",
        json!({"type": "object", "properties": {"at": {"$ref": "#/$defs/At"}}, "$defs": {"At": {"type": "integer"}}}),
    );
    let wait = ToolSpec::new("wait", "", json!({"type": "object"}));
    req.tools = [Arc::new(look), Arc::new(wait)].into();
    req.tool_choice = choice;
    req
}

#[test]
fn options_tools_and_further_fields_are_written() {
    let mut req = with_tools(ToolChoice::Auto);
    req.options.max_tokens = Some(7);
    req.options.seed = Some(1);
    req.options.stop = vec!["x".into()];
    req.options.temperature = Some(1.0);
    req.options.top_p = Some(0.5);
    req.options.extra.insert("options".into(), json!({"num_gpu": 1, "temperature": 0.5, "seed": null}));
    req.options.extra.insert("shift".into(), Value::Null);
    let extra = Map::from_iter([
        ("think".to_owned(), json!("high")),
        ("keep_alive".to_owned(), json!(60)),
        ("truncate".to_owned(), json!(true)),
    ]);
    let card = ModelCard::new("m").context_size(8192);
    let body = encoded(&Ollama, &req, |ask| {
        (ask.extra, ask.card) = (Box::leak(Box::new(extra)), Box::leak(Box::new(card)));
    });
    let expected = json!({
        "model": "m",
        "messages": [{"role": "user", "content": "hi"}],
        "tools": [
            {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {"at": {"type": "integer"}}}, "description": "Looks."}},
            {"type": "function", "function": {"name": "wait", "parameters": {"type": "object", "properties": {}}}},
        ],
        "options": {"num_ctx": 8192, "num_predict": 7, "temperature": 0.5, "top_p": 0.5, "stop": ["x"], "num_gpu": 1},
        "stream": false,
        "think": "high",
        "keep_alive": 60,
        "truncate": true,
    });
    assert_eq!(body.unwrap(), expected);
    assert!(super::tests::body(&asked([Msg::user("hi")])).get("options").is_none());
}

#[test]
fn only_the_tools_that_may_be_called_are_offered() {
    let offered = |choice| {
        let tools = body(&with_tools(choice))["tools"].take();
        let names = tools.as_array().into_iter().flatten().map(|tool| tool["function"]["name"].clone());
        names.collect::<Vec<_>>()
    };
    assert_eq!(offered(ToolChoice::Auto), ["look", "wait"]);
    assert_eq!(offered(ToolChoice::Required), ["look", "wait"]);
    assert_eq!(offered(ToolChoice::Tool("wait".into())), ["wait"]);
    assert_eq!(offered(ToolChoice::None), [""; 0]);
}

#[test]
fn a_schema_is_held_to_without_tools_and_told_beside_them() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "integer"}}});
    let mut req = with_tools(ToolChoice::None);
    req.output_schema = Some(Arc::new(schema.clone()));
    let sent = body(&req);
    assert_eq!(sent["format"], schema);
    assert_eq!(sent["messages"].as_array().unwrap().len(), 1);

    req.tool_choice = ToolChoice::Auto;
    let sent = body(&req);
    assert!(sent.get("format").is_none(), "it could call no tool");
    let hint = sent["messages"][1]["content"].as_str().unwrap();
    assert!(hint.contains(&schema.to_string()), "{hint}");
}

#[test]
fn a_request_without_words_is_refused() {
    let error = encoded(&Ollama, &asked([Msg::user("")]), |_| {}).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

#[test]
fn the_address_is_that_of_the_server_or_of_its_compatible_api() {
    for base in ["http://h:1", "http://h:1/v1", "http://h:1/api", "http://h:1/api/chat"] {
        let url = Ollama.address(Url::parse(base).unwrap(), "m", true);
        assert_eq!(url.as_str(), "http://h:1/api/chat", "{base}");
    }
    let behind = Ollama.address(Url::parse("http://h/ollama").unwrap(), "m", true);
    assert_eq!(behind.as_str(), "http://h/ollama/api/chat");
}

#[test]
fn an_error_says_what_ollama_can_do_about_it() {
    let error = Ollama.advised(Error::new(ErrorKind::NotFound, "no model `qwen3`"), "qwen3");
    assert_eq!(error.message(), "no model `qwen3`; Ollama gets a model by `ollama pull qwen3`");
    let error = Ollama.advised(Error::new(ErrorKind::ContextOverflow, "too long"), "qwen3");
    assert!(error.message().contains(".context_size(..)"), "{error}");
    assert_eq!(Ollama.advised(Error::new(ErrorKind::Unavailable, "away"), "qwen3").message(), "away");
}

#[test]
fn settings_are_fields_of_the_request() {
    let model = OllamaChatModel::new("qwen3").think("low").keep_alive(Duration::from_secs(60));
    assert_eq!((&model.0.extra["think"], &model.0.extra["keep_alive"]), (&json!("low"), &json!(60)));
    let model = OllamaChatModel::new("qwen3").think(false).keep_alive(Duration::MAX);
    assert_eq!((&model.0.extra["think"], &model.0.extra["keep_alive"]), (&json!(false), &json!(-1)));
    assert!(model.card().output_schema && model.card().input_types.is_empty());
    for sees in ["llava:13b", "qwen2.5vl", "qwen3-vl:8b", "llama3.2-vision", "gemma3:4b"] {
        assert!(!OllamaChatModel::new(sees).card().input_types.is_empty(), "{sees}");
    }
}
