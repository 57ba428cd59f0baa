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

fn seeing(req: &ModelRequest) -> Value {
    encoded_seeing(&Messages::default(), req).unwrap()
}

/// The body of a request for a model of this name, with these fields of its own.
fn body(model: &str, req: &ModelRequest, extra: Value) -> Value {
    let (card, extra) = (ModelCard::new(model), serde_json::from_value::<Map>(extra).unwrap());
    encoded(&Messages::default(), req, |ask| {
        ask.card = Box::leak(Box::new(card));
        ask.extra = Box::leak(Box::new(extra));
    })
    .unwrap()
}

fn with_tools(mut req: ModelRequest, choice: ToolChoice) -> ModelRequest {
    let object = json!({"type": "object", "properties": {}});
    req.tools =
        [ToolSpec::new("a", "A tool.", object), ToolSpec::new("b", "", json!({}))].map(Arc::new).into();
    req.tool_choice = choice;
    req
}

#[test]
fn results_of_a_round_are_one_message_with_images_in_place_and_thoughts_in_their_order() {
    let mut thought = ContentBlock::thinking("Look twice.");
    thought.extra_mut().unwrap().set("signature", "Eq==");
    let mut redacted = ContentBlock::thinking("[a thought that is not shown]");
    redacted.extra_mut().unwrap().set("redacted_thinking_data", "Em==");
    let image = ContentBlock::Image(Media::base64("image/jpg", "AAAA"));
    let reply = Msg::new(
        "Friday",
        Role::Assistant,
        vec![
            thought,
            redacted,
            ContentBlock::thinking("unsigned"),
            ContentBlock::text(" \n"),
            ToolCall::new("c1", "look", r#"{"at": 1}"#).into(),
            ToolCall::new("c2", "look", "").into(),
            ToolResult::new("c2", "look", ToolState::Error, vec!["broken".into()]).into(),
            ToolResult::new("c1", "look", ToolState::Success, vec!["a tree".into(), image]).into(),
            ContentBlock::text("A tree."),
        ],
    );
    let sent =
        seeing(&asked([Msg::system("Be brief."), Msg::user("What is there?"), reply, Msg::user("Thanks.")]));
    assert_eq!(sent["system"], json!([{"type": "text", "text": "Be brief."}]));
    assert_eq!(
        sent["messages"],
        json!([
            {"role": "user", "content": [{"type": "text", "text": "What is there?"}]},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "Look twice.", "signature": "Eq=="},
                {"type": "redacted_thinking", "data": "Em=="},
                {"type": "tool_use", "id": "c1", "name": "look", "input": {"at": 1}},
                {"type": "tool_use", "id": "c2", "name": "look", "input": {}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "c2", "content": [{"type": "text", "text": "broken"}], "is_error": true},
                {"type": "tool_result", "tool_use_id": "c1", "content": [
                    {"type": "text", "text": "a tree"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": "AAAA"}},
                ]},
            ]},
            {"role": "assistant", "content": [{"type": "text", "text": "A tree."}]},
            {"role": "user", "content": [{"type": "text", "text": "Thanks."}]},
        ])
    );
}

#[test]
fn a_failed_result_has_words_alone_and_its_images_come_behind_the_results() {
    let image = || ContentBlock::Image(Media::base64("image/png", "AAAA"));
    let failed = |id: &str, output| ToolResult::new(id, "look", ToolState::Error, output).into();
    let reply = Msg::new(
        "Friday",
        Role::Assistant,
        vec![
            ToolCall::new("c1", "look", "{}").into(),
            ToolCall::new("c2", "look", "{}").into(),
            failed("c1", vec!["broken".into(), image()]),
            failed("c2", vec!["dark".into()]),
        ],
    );
    let sent = seeing(&asked([Msg::user("What is there?"), reply]));
    let result = |id: &str, text: &str| json!({"type": "tool_result", "tool_use_id": id, "content": [{"type": "text", "text": text}], "is_error": true});
    let content = sent["messages"][2]["content"].as_array().unwrap();
    assert_eq!(content[..2], [result("c1", "broken\n[an image, shown below]"), result("c2", "dark")]);
    assert_eq!(
        content[3],
        json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}})
    );
}

#[test]
fn a_round_of_calls_without_a_thought_goes_on_without_a_budget_of_thoughts() {
    let enabled = json!({"thinking": {"type": "enabled", "budget_tokens": 2000}});
    let round = |thought: Option<&str>, more: Option<&str>| {
        let mut blocks = Vec::new();
        if let Some(signature) = thought {
            let mut thought = ContentBlock::thinking("Look.");
            thought.extra_mut().unwrap().set("signature", signature);
            blocks.push(thought);
        }
        blocks.push(ToolCall::new("c1", "look", "{}").into());
        blocks.push(ToolResult::new("c1", "look", ToolState::Success, vec!["a tree".into()]).into());
        blocks.extend(more.map(ContentBlock::text));
        asked([Msg::user("hi"), Msg::new("Friday", Role::Assistant, blocks), Msg::user("go on")])
    };
    let thinking = |req: &ModelRequest, how: &Value| {
        body("claude-sonnet-4-5", req, how.clone()).get("thinking").is_some()
    };
    assert!(!thinking(&round(None, None), &enabled));
    assert!(thinking(&round(Some("Eq=="), None), &enabled));
    assert!(thinking(&round(None, Some("A tree.")), &enabled), "the round is over");
    assert!(thinking(&round(None, None), &json!({"thinking": {"type": "adaptive"}})));
}

#[test]
fn files_are_shown_where_the_api_takes_them_and_else_told() {
    let msg = Msg::user("look")
        .with(Media::url("https://example.com/a.png"))
        .with(Media::base64("application/pdf", "JVBERi0="))
        .with(Media::base64("text/csv", "YSxi"))
        .with(Media::base64("image/bmp", "AAAA"))
        .with(Media::base64("application/zip", "AAAA"))
        .with(Media::base64("audio/wav", "AAAA"));
    let mut content = seeing(&asked([msg]))["messages"][0]["content"].take();
    assert_eq!(
        content.as_array_mut().unwrap().split_off(1),
        [
            json!({"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}),
            json!({"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}}),
            json!({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "a,b"}}),
            json!({"type": "text", "text": "[an image that cannot be shown to this model: image/bmp]"}),
            json!({"type": "text", "text": "[a file that cannot be shown to this model: file]"}),
            json!({"type": "text", "text": "[an audio that cannot be shown to this model]"}),
        ]
    );
}

#[test]
fn a_conversation_begins_and_ends_with_a_user() {
    let sent = seeing(&asked([Msg::assistant("Friday", "Hello, I am Friday. ")]));
    let roles: Vec<_> =
        sent["messages"].as_array().unwrap().iter().map(|it| it["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["user", "assistant", "user"]);
    let error =
        encoded(&Messages::default(), &asked([Msg::new("user", Role::User, vec![])]), |_| {}).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.message().contains("no message with words"), "{error}");
}

#[test]
fn choices_of_tools_are_the_names_that_the_api_has_for_them() {
    let choice = |choice, extra| {
        body("claude-sonnet-4-5", &with_tools(asked([Msg::user("hi")]), choice), extra)["tool_choice"].take()
    };
    assert_eq!(choice(ToolChoice::Auto, json!({})), Value::Null);
    assert_eq!(choice(ToolChoice::None, json!({})), json!({"type": "none"}));
    assert_eq!(choice(ToolChoice::Required, json!({})), json!({"type": "any"}));
    assert_eq!(choice(ToolChoice::Tool("a".into()), json!({})), json!({"type": "tool", "name": "a"}));
    let alone = || json!({"disable_parallel_tool_use": true});
    assert_eq!(choice(ToolChoice::Auto, alone()), json!({"type": "auto", "disable_parallel_tool_use": true}));
    assert_eq!(
        choice(ToolChoice::Required, alone()),
        json!({"type": "any", "disable_parallel_tool_use": true})
    );
    let sent = body("claude-sonnet-4-5", &with_tools(asked([Msg::user("hi")]), ToolChoice::Auto), alone());
    assert!(sent.get("disable_parallel_tool_use").is_none());
    assert_eq!(
        sent["tools"],
        json!([
            {"name": "a", "description": "A tool.", "input_schema": {"type": "object", "properties": {}}},
            {"name": "b", "input_schema": {"type": "object", "properties": {}}},
        ])
    );
}

#[test]
fn a_model_that_thinks_is_asked_for_what_it_takes_then() {
    let thinking = || json!({"thinking": {"type": "enabled", "budget_tokens": 2000}});
    let mut req = asked([Msg::user("hi")]);
    req.options.temperature = Some(1.5);
    req.options.top_p = Some(0.5);
    let sent = body("claude-sonnet-4-5", &req, json!({}));
    assert_eq!(
        (sent["temperature"].clone(), sent.get("top_p"), sent["max_tokens"].clone()),
        (json!(1.0), None, json!(32_000))
    );
    let sent = body("claude-sonnet-4-5", &req, thinking());
    assert_eq!(sent["thinking"], thinking()["thinking"]);
    assert!(sent.get("temperature").is_none() && sent.get("top_p").is_none());
    req.options.max_tokens = Some(1500);
    let sent = body("claude-sonnet-4-5", &req, thinking());
    assert_eq!(
        (sent["thinking"]["budget_tokens"].clone(), sent["max_tokens"].clone()),
        (json!(1499), json!(1500))
    );
    req.options.max_tokens = Some(1000);
    assert!(
        body("claude-sonnet-4-5", &req, thinking()).get("thinking").is_none(),
        "there is no room for thoughts"
    );
    let forced =
        body("claude-sonnet-4-5", &with_tools(asked([Msg::user("hi")]), ToolChoice::Required), thinking());
    assert!(forced.get("thinking").is_none(), "the API does not take both");
    assert_eq!(forced["tool_choice"], json!({"type": "any"}));
    let newest = body("claude-opus-4-7", &req, json!({}));
    assert!(newest.get("temperature").is_none() && newest.get("top_p").is_none());
}

#[test]
fn a_model_is_held_to_a_schema_or_told_it() {
    let mut req = asked([Msg::user("hi")]);
    let schema = json!({"type": "object", "properties": {"a": {"type": "integer"}}});
    req.output_schema = Some(Arc::new(schema));
    let sent = body("claude-sonnet-4-5", &req, json!({"output_config": {"effort": "low"}}));
    let closed =
        json!({"type": "object", "properties": {"a": {"type": "integer"}}, "additionalProperties": false});
    assert_eq!(
        sent["output_config"],
        json!({"effort": "low", "format": {"type": "json_schema", "schema": closed}})
    );
    req.output_schema = Some(Arc::new(json!({"type": "object", "additionalProperties": {"type": "string"}})));
    let sent = body("claude-sonnet-4-5", &req, json!({}));
    assert!(sent.get("output_config").is_none());
    assert!(
        sent["system"][0]["text"]
            .as_str()
            .unwrap()
            .ends_with(r#"{"type":"object","additionalProperties":{"type":"string"}}"#)
    );
    assert!(AnthropicChatModel::new("claude-sonnet-4-5").card().output_schema);
    assert!(!AnthropicChatModel::new("claude-3-7-sonnet-latest").card().output_schema);
}

#[test]
fn what_is_to_be_kept_is_marked() {
    let mark = json!({"type": "ephemeral"});
    let marked = |req: &ModelRequest| encoded(&Messages { cache: true }, req, |_| {}).unwrap();
    let talk = [
        Msg::user("a"),
        Msg::assistant("Friday", "b"),
        Msg::user("c"),
        Msg::assistant("Friday", "d"),
        Msg::user("e"),
    ];
    let sent = marked(&with_tools(asked(talk.clone()), ToolChoice::Auto));
    assert_eq!(sent["tools"][1]["cache_control"], mark);
    assert!(sent["tools"][0].get("cache_control").is_none());
    let marks: Vec<_> =
        (0..5).map(|at| sent["messages"][at]["content"][0]["cache_control"] == mark).collect();
    assert_eq!(marks, [false, false, true, false, true]);
    let mut with_system = vec![Msg::system("Be brief.")];
    with_system.extend(talk);
    let sent = marked(&with_tools(asked(with_system), ToolChoice::Auto));
    assert_eq!(sent["system"][0]["cache_control"], mark);
    assert!(sent["tools"][1].get("cache_control").is_none(), "the instructions come behind the tools");
}

#[test]
fn options_and_extra_fields_are_written() {
    let mut req = asked([Msg::user("hi")]);
    req.options.stop = vec!["x".into(), " \n".into()];
    req.options.seed = Some(1);
    req.options.extra.insert("metadata".into(), json!({"user_id": "u"}));
    let mut sent = body("claude-sonnet-4-5", &req, json!({"max_tokens": 7, "service_tier": "auto"}));
    sent.as_object_mut().unwrap().remove("messages");
    assert_eq!(
        sent,
        json!({"model": "claude-sonnet-4-5", "stop_sequences": ["x"], "metadata": {"user_id": "u"}, "max_tokens": 7, "service_tier": "auto"})
    );
    let counted = Messages::default().encode_counted(&counted_ask(&req)).unwrap();
    let counted: Value = serde_json::from_slice(&counted).unwrap();
    let fields: Vec<_> = counted.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(fields, ["model", "messages"], "the method that counts takes no others");
}

fn counted_ask(req: &ModelRequest) -> Ask<'_> {
    Ask {
        req,
        card: Box::leak(Box::new(ModelCard::new("claude-sonnet-4-5"))),
        manners: &MANNERS,
        extra: Box::leak(Box::new(Map::new())),
        media: Box::leak(Box::default()),
        stream: true,
        at_home: true,
        free_choice: false,
        without_thoughts: false,
    }
}

#[test]
fn the_address_may_end_with_the_version_or_the_method() {
    for base in ["https://example.com/a", "https://example.com/a/v1", "https://example.com/a/v1/messages"] {
        let base: Url = base.parse().unwrap();
        let format = Messages::default();
        assert_eq!(format.address(base.clone(), "m", true).as_str(), "https://example.com/a/v1/messages");
        assert_eq!(
            format.counting(base, "m").unwrap().url.as_str(),
            "https://example.com/a/v1/messages/count_tokens"
        );
    }
}

#[test]
fn thinking_is_asked_for_as_the_model_takes_it() {
    let thinking = |model: &str| AnthropicChatModel::new(model).thinking(2000).0.extra["thinking"].clone();
    assert_eq!(thinking("claude-sonnet-4-5"), json!({"type": "enabled", "budget_tokens": 2000}));
    assert_eq!(thinking("claude-opus-4-7")["type"], "adaptive");
}
