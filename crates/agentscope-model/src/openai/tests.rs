use super::*;
use crate::{
    conversation::testing::asked,
    http::{
        Inlined,
        testing::{encoded, encoded_seeing},
    },
};
use agentscope_core::{
    ChatModel, ContentBlock, ErrorKind, Map, Media, ModelCard, ModelRequest, Msg, Role, ToolCall, ToolChoice,
    ToolResult, ToolSpec, ToolState, Transcript,
};
use serde_json::{Value, json};

mod formatters;
mod histories;

/// The body of a request, as the server reads it.
fn body(req: &ModelRequest, provider: Provider) -> Value {
    encode(req, provider, |_| {})
}

/// The same for a model that sees.
fn seeing(req: &ModelRequest, provider: Provider) -> Value {
    encoded_seeing(&Chat::of(provider), req).unwrap()
}

fn encode(req: &ModelRequest, provider: Provider, change: impl FnOnce(&mut Ask<'_>)) -> Value {
    encoded(&Chat::of(provider), req, change).unwrap()
}

fn messages(req: &ModelRequest, provider: Provider) -> Value {
    body(req, provider)["messages"].take()
}

fn with_results() -> Msg {
    Msg::assistant("Friday", "Let me see.")
        .with(ToolCall::new("c1", "look", r#"{"at": 1}"#))
        .with(ToolCall::new("c2", "look", ""))
        .with(ToolResult::success("c1", "look", "a tree"))
        .with(ToolResult::success("c2", "look", "a house"))
        .with(ContentBlock::text("A tree and a house."))
}

#[test]
fn a_reply_of_several_rounds_becomes_the_messages_that_it_was_made_of() {
    let messages = messages(&asked([Msg::user("What is there?"), with_results()]), Provider::Other);
    let call = |id: &str, arguments: &str| json!({"id": id, "type": "function", "function": {"name": "look", "arguments": arguments}});
    assert_eq!(
        messages,
        json!([
            {"role": "user", "content": "What is there?"},
            {"role": "assistant", "content": "Let me see.", "tool_calls": [call("c1", "{\"at\": 1}"), call("c2", "{}")]},
            {"role": "tool", "tool_call_id": "c1", "content": "a tree"},
            {"role": "tool", "tool_call_id": "c2", "content": "a house"},
            {"role": "assistant", "content": "A tree and a house."},
        ])
    );
}

#[test]
fn arguments_that_are_no_object_are_not_sent_back() {
    for input in ["{\"at\": ", "[1]", "3", "nonsense"] {
        let reply = Msg::new("Friday", Role::Assistant, vec![ToolCall::new("c", "look", input).into()]);
        let messages = messages(&asked([Msg::user("?"), reply]), Provider::Vllm);
        assert_eq!(messages[1]["tool_calls"][0]["function"]["arguments"], "{}", "{input}");
    }
}

#[test]
fn a_call_without_a_result_gets_one_and_a_result_without_a_call_is_told() {
    let open = Msg::new("Friday", Role::Assistant, vec![ToolCall::new("c", "look", "{}").into()]);
    let lone = Msg::new("Friday", Role::Assistant, vec![ToolResult::success("x", "look", "a tree").into()]);
    let messages = messages(&asked([Msg::user("?"), open, lone, Msg::user("!")]), Provider::Other);
    assert_eq!(
        messages[2],
        json!({"role": "tool", "tool_call_id": "c", "content": "The result of this call is not known."})
    );
    assert_eq!(
        messages[3],
        json!({"role": "user", "content": "<system-info>A tool, look, had this result:\na tree</system-info>"})
    );
    assert_eq!(messages[4]["content"], "!");
}

#[test]
fn hints_and_what_was_heard_stand_where_they_came() {
    let mut reply = with_results();
    reply.content.insert(5, ContentBlock::Heard(Msg::user("Look up!").into()));
    reply.content.push(ContentBlock::Hint { text: "Go on.".into(), extra: Default::default() });
    let messages = messages(&asked([Msg::user("?"), reply]), Provider::Other);
    let said: Vec<_> = messages
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["role"].as_str().unwrap(), it["content"].as_str().unwrap()))
        .collect();
    assert_eq!(said[4..], [("user", "Look up!"), ("assistant", "A tree and a house."), ("user", "Go on.")],);
}

#[test]
fn images_of_parallel_results_come_after_the_last_of_them() {
    let image = || vec![ContentBlock::Image(Media::base64("image/png", "AAAA"))];
    let reply = Msg::new(
        "Friday",
        Role::Assistant,
        vec![
            ToolCall::new("c1", "look", "{}").into(),
            ToolCall::new("c2", "look", "{}").into(),
            ToolResult::new("c1", "look", ToolState::Success, image()).into(),
            ToolResult::new("c2", "look", ToolState::Success, image()).into(),
        ],
    );
    let req = asked([Msg::user("?"), reply]);
    let seen = seeing(&req, Provider::Other);
    let roles: Vec<_> =
        seen["messages"].as_array().unwrap().iter().map(|it| it["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["user", "assistant", "tool", "tool", "user"]);
    assert_eq!(seen["messages"][2]["content"], "[an image, shown below]");
    assert_eq!(seen["messages"][4]["content"][1]["image_url"]["url"], "data:image/png;base64,AAAA");
    assert_eq!(seen["messages"][4]["content"].as_array().unwrap().len(), 6);

    let unseen = messages(&req, Provider::Other);
    assert_eq!(unseen[2]["content"], "[an image that cannot be shown to this model]");
    assert_eq!(unseen.as_array().unwrap().len(), 4);
}

#[test]
fn a_tool_cannot_have_a_file_of_this_machine_sent_away() {
    let stolen = ContentBlock::Image(Media::url("file:///etc/passwd.png"));
    let reply = Msg::new(
        "Friday",
        Role::Assistant,
        vec![
            ToolCall::new("c1", "look", "{}").into(),
            ToolResult::new("c1", "look", ToolState::Success, vec![stolen]).into(),
        ],
    );
    let sent = seeing(&asked([Msg::user("?"), reply]), Provider::Other);
    assert_eq!(sent["messages"][2]["content"], "The returned image can be found at: file:///etc/passwd.png");
    assert_eq!(sent["messages"].as_array().unwrap().len(), 3);
}

#[test]
fn names_are_made_such_as_openai_takes_them() {
    let mut req =
        asked([Msg::user("hi").named("Bob <the> Builder/1"), Msg::user("yo").named("x".repeat(80))]);
    req.options.transcript = Transcript::Never;
    let messages = messages(&req, Provider::OpenAi);
    assert_eq!(messages[0]["name"], "Bob__the__Builder_1");
    assert_eq!(messages[1]["name"].as_str().unwrap().len(), 64);
}

#[test]
fn a_conversation_of_several_is_told_as_a_text() {
    let said = |text: &str, name: &str| Msg::user(text).named(name);
    let told = |req: &ModelRequest| messages(req, Provider::Other).to_string().contains("<history>");
    assert!(!told(&asked([Msg::user("a"), Msg::assistant("Friday", "b")])));
    assert!(
        !told(&asked([said("a", "Bob"), Msg::assistant("Friday", "b"), Msg::user("<system-hint>")])),
        "a hint is nobody"
    );
    assert!(
        !told(&asked([Msg::assistant("Alice", "a"), Msg::assistant("Friday", "b")])),
        "two agents take turns"
    );
    assert!(told(&asked([said("a", "Bob"), said("b", "Alice")])));
    assert!(told(&asked([said("a", "Bob"), Msg::assistant("Alice", "b")])));
    assert!(told(&asked([Msg::user("a"), Msg::assistant("Alice", "b")])), "a person and another agent");
    let mut never = asked([said("a", "Bob"), said("b", "Alice")]);
    never.options.transcript = Transcript::Never;
    assert!(!told(&never));
}

#[test]
fn an_agent_hears_another_agent_as_a_user() {
    let messages =
        messages(&asked([Msg::assistant("Alice", "a"), Msg::assistant("Friday", "b")]), Provider::Other);
    assert_eq!(messages[0]["role"], "user");
    assert_eq!(messages[1]["role"], "assistant");
}

#[test]
fn what_cannot_be_shown_is_told() {
    let msg = Msg::user("look")
        .with(Media::url("https://example.com/a.png"))
        .with(Media::base64("audio/wav", "AAAA"));
    let content = messages(&asked([msg]), Provider::DeepSeek)[0]["content"].take();
    assert_eq!(
        content,
        "look\n[an image that cannot be shown to this model: https://example.com/a.png]\n[an audio that cannot be shown to this model]"
    );
}

#[test]
fn a_file_is_sent_if_it_is_a_pdf_and_read_if_it_is_a_text() {
    let file = |kind: &str, data: &str, name: &str| {
        let mut media = Media::base64(kind, data);
        media.name = Some(name.to_owned());
        let sent = messages(&asked([Msg::user("").with(ContentBlock::File(media))]), Provider::OpenAi);
        sent[0]["content"].as_array().unwrap().last().unwrap().clone()
    };
    let pdf = json!({"filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"});
    assert_eq!(file("application/pdf", "AAAA", "a.pdf"), json!({"type": "file", "file": pdf}));
    let text = |text: &str| json!({"type": "text", "text": text});
    assert_eq!(file("text/csv", "YSxi", "a.csv"), text("a.csv:\na,b"));
    let unseen = text("[a file that cannot be shown to this model: a.zip]");
    assert_eq!(file("application/zip", "AAAA", "a.zip"), unseen);
}

#[test]
fn options_choices_and_extra_fields_are_written() {
    let mut req = asked([Msg::user("hi")]);
    req.tools = [
        ToolSpec::new("a", "A tool.", json!({"type": "object"})),
        ToolSpec::new("b", "", json!({"type": "object"})),
    ]
    .map(Arc::new)
    .into();
    req.tool_choice = ToolChoice::Required;
    req.options.max_tokens = Some(7);
    req.options.seed = Some(1);
    req.options.stop = vec!["x".into()];
    req.options.extra.insert("temperature".into(), json!(0.5));
    req.options.extra.insert("stream_options".into(), Value::Null);
    req.options.temperature = Some(1.0);
    req.output_schema = Some(Arc::new(json!({"type": "object", "properties": {}})));
    let extra =
        Map::from_iter([("enable_thinking".to_owned(), json!(true)), ("temperature".to_owned(), json!(2))]);
    let mut body = encode(&req, Provider::OpenAi, |ask| ask.stream = true);
    assert_eq!(body["stream"], true);
    assert!(body.get("stream_options").is_none());
    body = encode(&req, Provider::OpenAi, |ask| ask.extra = Box::leak(Box::new(extra)));
    body.as_object_mut().unwrap().remove("messages");
    assert_eq!(
        body,
        json!({
            "model": "m",
            "tools": [
                {"type": "function", "function": {"name": "a", "description": "A tool.", "parameters": {"type": "object", "properties": {}}}},
                {"type": "function", "function": {"name": "b", "parameters": {"type": "object", "properties": {}}}},
            ],
            "tool_choice": "required",
            "response_format": {"type": "json_schema", "json_schema": {"name": "response", "strict": true, "schema": {
                "type": "object", "properties": {}, "additionalProperties": false}}},
            "max_completion_tokens": 7,
            "stop": ["x"],
            "seed": 1,
            "temperature": 0.5,
            "enable_thinking": true,
        })
    );
    let one = |choice| {
        let mut req = asked([Msg::user("hi")]);
        req.tools = [Arc::new(ToolSpec::new("a", "", json!({})))].into();
        req.tool_choice = choice;
        req
    };
    let forced = json!({"type": "function", "function": {"name": "a"}});
    assert_eq!(super::tests::body(&one(ToolChoice::Required), Provider::Other)["tool_choice"], forced);
    assert_eq!(super::tests::body(&one(ToolChoice::None), Provider::Other)["tool_choice"], "none");
    assert!(super::tests::body(&one(ToolChoice::Auto), Provider::Other).get("tool_choice").is_none());
    let free = encode(&one(ToolChoice::Required), Provider::Other, |ask| ask.free_choice = true);
    assert!(free.get("tool_choice").is_none());
}

#[test]
fn models_that_think_are_not_told_how_to_draw_words_nor_where_to_stop() {
    let mut req = asked([Msg::user("hi")]);
    req.options.temperature = Some(0.5);
    req.options.top_p = Some(0.9);
    req.options.stop = vec!["x".into()];
    let told = |provider, model: &'static str| {
        let body = encode(&req, provider, |ask| ask.card = Box::leak(Box::new(ModelCard::new(model))));
        ["temperature", "top_p", "stop"].map(|key| body.get(key).is_some())
    };
    for provider in [Provider::OpenAi, Provider::Azure] {
        assert_eq!(told(provider, "gpt-4o"), [true; 3]);
        assert_eq!(told(provider, "o1"), [false, false, true]);
        assert_eq!(told(provider, "gpt-5-mini"), [false; 3]);
    }
    assert_eq!(told(Provider::Other, "gpt-5-mini"), [true; 3]);
    req.options.extra.insert("temperature".into(), json!(1));
    let asked_for = encode(&req, Provider::OpenAi, |_| {});
    assert_eq!(asked_for["temperature"], 1, "what is asked for by name is sent");
}

#[test]
fn zhipu_chooses_by_itself_whether_to_call_a_tool() {
    let mut req = asked([Msg::user("hi")]);
    req.tools = [Arc::new(ToolSpec::new("a", "", json!({})))].into();
    for (choice, has_tools) in
        [(ToolChoice::Auto, true), (ToolChoice::Required, true), (ToolChoice::None, false)]
    {
        req.tool_choice = choice;
        let sent = body(&req, Provider::Zhipu);
        assert_eq!((sent.get("tools").is_some(), sent.get("tool_choice")), (has_tools, None));
    }
}

#[test]
fn a_request_without_words_is_refused() {
    let req = asked([Msg::new("user", Role::User, vec![])]);
    let error = encoded(&Chat::of(Provider::Other), &req, |_| {}).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.message().contains("no message with words"), "{error}");
}

#[test]
fn models_of_openai_that_see_nothing_are_not_shown_the_images_of_tools() {
    let sees = |model: &str| !OpenAIChatModel::new(model).card().input_types.is_empty();
    for model in ["gpt-4o", "gpt-4o-mini", "gpt-4.1-nano", "gpt-5", "o1", "o3", "o4-mini"] {
        assert!(sees(model), "{model}");
    }
    for model in [
        "gpt-3.5-turbo",
        "o1-mini",
        "o1-preview",
        "o3-mini",
        "o3-mini-2025-01-31",
        "gpt-4o-audio-preview",
        "my-model",
    ] {
        assert!(!sees(model), "{model}");
    }
}
