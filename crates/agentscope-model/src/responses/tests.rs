use super::*;
use crate::{
    conversation::testing::asked,
    http::testing::{encoded, encoded_seeing},
};
use agentscope_core::{
    ChatModel, ContentBlock, ErrorKind, Map, Media, ModelCard, ModelRequest, Msg, Role, ToolCall, ToolChoice,
    ToolResult, ToolSpec, ToolState, Transcript,
};

mod formatters;
mod histories;

fn seeing(req: &ModelRequest) -> Value {
    encoded_seeing(&Responses, req).unwrap()
}

/// The body of a request for a model of this name, with these fields of its own.
fn body(model: &str, req: &ModelRequest, extra: Value) -> Value {
    let (card, extra) = (ModelCard::new(model), serde_json::from_value::<Map>(extra).unwrap());
    encoded(&Responses, req, |ask| {
        ask.card = Box::leak(Box::new(card));
        ask.extra = Box::leak(Box::new(extra));
    })
    .unwrap()
}

#[test]
fn thoughts_words_and_calls_are_items_in_their_order_and_images_stay_in_their_results() {
    let thought = |text: &str| {
        let mut thought = ContentBlock::thinking(text);
        let extra = thought.extra_mut().unwrap();
        extra.set("reasoning_item_id", "rs_1");
        extra.set("encrypted_content", "gA==");
        thought
    };
    let mut comment = ContentBlock::text("Let me see.");
    comment.extra_mut().unwrap().set("phase", "commentary");
    let image = ContentBlock::Image(Media::base64("image/png", "AAAA"));
    let reply = Msg::new(
        "Friday",
        Role::Assistant,
        vec![
            thought("Look twice."),
            comment,
            ContentBlock::thinking("not encrypted"),
            ToolCall::new("c1", "look", r#"{"at": 1}"#).into(),
            ToolCall::new("c2", "look", "").into(),
            ToolResult::success("c2", "look", "a house").into(),
            ToolResult::new("c1", "look", ToolState::Success, vec!["a tree".into(), image]).into(),
            thought("[a thought that is not shown]"),
            ContentBlock::text("A tree."),
            thought("No more."),
        ],
    );
    let sent = seeing(&asked([Msg::system("Be brief."), Msg::user("What is there?"), reply]));
    assert_eq!(
        sent["input"],
        json!([
            {"role": "system", "content": [{"type": "input_text", "text": "Be brief."}]},
            {"role": "user", "content": [{"type": "input_text", "text": "What is there?"}]},
            {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Look twice."}], "encrypted_content": "gA=="},
            {"role": "assistant", "content": [{"type": "output_text", "text": "Let me see."}], "phase": "commentary"},
            {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{\"at\": 1}"},
            {"type": "function_call", "call_id": "c2", "name": "look", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c2", "output": "a house"},
            {"type": "function_call_output", "call_id": "c1", "output": [
                {"type": "input_text", "text": "a tree"},
                {"type": "input_image", "image_url": "data:image/png;base64,AAAA"},
            ]},
            {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gA=="},
            {"role": "assistant", "content": [{"type": "output_text", "text": "A tree."}]},
        ])
    );
    assert_eq!(sent["store"], false);
}

#[test]
fn options_choices_and_extra_fields_are_written() {
    let mut req = asked([Msg::user("hi")]);
    req.tools = [ToolSpec::new("a", "A tool.", json!({"type": "object"}))].map(Arc::new).into();
    req.tool_choice = ToolChoice::Tool("a".into());
    req.options.max_tokens = Some(7);
    req.options.temperature = Some(0.5);
    req.options.seed = Some(1);
    req.options.stop = vec!["x".into()];
    req.output_schema = Some(Arc::new(json!({"type": "object", "properties": {}})));
    let mut sent = body("gpt-5", &req, json!({"text": {"verbosity": "low"}, "reasoning": {"effort": "low"}}));
    sent.as_object_mut().unwrap().remove("input");
    assert_eq!(
        sent,
        json!({
            "model": "gpt-5",
            "tools": [{"type": "function", "name": "a", "description": "A tool.", "parameters": {"type": "object", "properties": {}}, "strict": false}],
            "tool_choice": {"type": "function", "name": "a"},
            "text": {"verbosity": "low", "format": {"type": "json_schema", "name": "response", "strict": true,
                "schema": {"type": "object", "properties": {}, "additionalProperties": false}}},
            "max_output_tokens": 7,
            "store": false,
            "include": ["reasoning.encrypted_content"],
            "reasoning": {"effort": "low"},
        })
    );
    assert_eq!(body("gpt-4o", &req, json!({}))["temperature"], 0.5, "it does not think");
    let choice = |choice, extra| {
        let mut req = req.clone();
        req.tool_choice = choice;
        body("gpt-5", &req, extra)["tool_choice"].take()
    };
    assert_eq!(choice(ToolChoice::Required, json!({})), "required");
    assert_eq!(choice(ToolChoice::None, json!({})), "none");
    assert_eq!(choice(ToolChoice::Auto, json!({})), Value::Null);
    let allowed =
        json!({"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "a"}]});
    assert_eq!(choice(ToolChoice::Auto, json!({"tool_choice": allowed.clone()})), allowed);
    let stored = body("gpt-4o", &asked([Msg::user("hi")]), json!({"store": true}));
    assert_eq!((stored["store"].clone(), stored.get("include")), (json!(true), None));
}

#[test]
fn files_are_shown_and_what_cannot_be_is_told() {
    let msg = Msg::user("look")
        .with(Media::base64("application/pdf", "JVBERi0="))
        .with(Media::base64("audio/wav", "AAAA"));
    let content = seeing(&asked([msg]))["input"][0]["content"].take();
    assert_eq!(
        content,
        json!([
            {"type": "input_text", "text": "look"},
            {"type": "input_file", "filename": "file", "file_data": "data:application/pdf;base64,JVBERi0="},
            {"type": "input_text", "text": "[an audio that cannot be shown to this model]"},
        ])
    );
    let error = encoded(&Responses, &asked([Msg::new("user", Role::User, vec![])]), |_| {}).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

#[test]
fn settings_of_thoughts_stand_together_and_tokens_are_counted_beside_the_method() {
    let model = OpenAIResponseModel::new("gpt-5").effort("low").summary("auto");
    assert_eq!(model.0.extra["reasoning"], json!({"effort": "low", "summary": "auto"}));
    assert!(model.card().output_schema && !model.card().input_types.is_empty());
    for base in ["https://example.com/v1", "https://example.com/v1/responses"] {
        let base: Url = base.parse().unwrap();
        assert_eq!(Responses.address(base.clone(), "m", true).as_str(), "https://example.com/v1/responses");
        let url = Responses.counting(base, "m").unwrap().url;
        assert_eq!(url.as_str(), "https://example.com/v1/responses/input_tokens");
    }
}
