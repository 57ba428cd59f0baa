use super::{decode::Decoder, *};
use crate::http::{
    Framing,
    testing::{decoded_whole, encoded, encoded_seeing},
};
use agentscope_core::{
    ContentBlock, ErrorKind, FinishReason, Media, ModelDelta, ModelRequest, Msg, Role, ToolCall, ToolChoice,
    ToolResult, ToolSpec, ToolState, Transcript, Usage,
};
use proptest::prelude::*;
use serde_json::{Value, json};

const RECORDED: &str = include_str!("../../tests/fixtures/agentscope-1.0.21-formatters.json");

/// Written after the reference of the API: a thinking model that says something and calls two tools.
const CALLS: &str = include_str!("../../tests/fixtures/reference/dashscope/tool-calls.sse");

const MULTIMODAL: DashScope = DashScope { multimodal: true };
const WORDS: DashScope = DashScope { multimodal: false };

fn decoder() -> Decoder {
    Decoder::new(Peer { address: "the server".into(), service: &SERVICE }, false)
}

fn asked(msgs: impl IntoIterator<Item = Msg>) -> ModelRequest {
    let mut req = ModelRequest::new(msgs);
    req.speaker = "Friday".into();
    req
}

fn compare(formatter: &str, transcript: Transcript) {
    let mut recorded: Value = serde_json::from_str(RECORDED).unwrap();
    let input: Vec<Msg> = serde_json::from_value(recorded["input"].take()).unwrap();
    let mut req = asked(input);
    req.options.transcript = transcript;
    let mut messages = encoded(&MULTIMODAL, &req, |_| {}).unwrap()["input"]["messages"].take();
    let mut expected = recorded[formatter].take();
    for messages in [&mut messages, &mut expected] {
        // 1.x parses what the model wrote and writes it anew, and what a model reads of itself is then no longer what it said.
        for call in messages
            .as_array_mut()
            .unwrap()
            .iter_mut()
            .filter_map(|msg| msg["tool_calls"].as_array_mut())
            .flatten()
        {
            let text = call["function"]["arguments"].as_str().unwrap().to_owned();
            call["function"]["arguments"] = serde_json::from_str(&text).unwrap();
        }
        messages.as_array_mut().unwrap().iter_mut().for_each(|msg| {
            msg.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        });
    }
    assert_eq!(messages, expected, "{messages:#}");
}

#[test]
fn dashscope_reads_what_1_x_sends() {
    compare("DashScopeChatFormatter", Transcript::Never);
}

#[test]
fn dashscope_reads_what_1_x_sends_of_several_speakers() {
    compare("DashScopeMultiAgentFormatter", Transcript::Always);
    compare("DashScopeMultiAgentFormatter", Transcript::Auto);
}

#[test]
fn parameters_stand_apart_from_the_messages() {
    let mut req = asked([Msg::user("hi")]);
    req.tools = [ToolSpec::new("a", "", json!({})), ToolSpec::new("b", "", json!({}))]
        .map(std::sync::Arc::new)
        .into();
    req.tool_choice = ToolChoice::Tool("b".into());
    req.options.max_tokens = Some(9);
    req.options.temperature = Some(0.5);
    req.options.extra.insert("enable_thinking".into(), json!(true));
    req.options.extra.insert("temperature".into(), json!(1.5));
    let body = encoded(&WORDS, &req, |ask| ask.stream = true).unwrap();
    assert_eq!(body["model"], "m");
    let tool = |name| json!({"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {}}}});
    assert_eq!(
        body["parameters"],
        json!({
            "result_format": "message", "incremental_output": true, "tools": [tool("a"), tool("b")],
            "tool_choice": {"type": "function", "function": {"name": "b"}},
            "max_tokens": 9, "enable_thinking": true, "temperature": 1.5,
        })
    );
    req.tool_choice = ToolChoice::Required;
    let body = encoded(&WORDS, &req, |_| {}).unwrap();
    assert!(body["parameters"].get("tool_choice").is_none(), "any of several is left to the model");
}

#[test]
fn media_are_shown_to_models_that_see_and_told_to_others() {
    let msg = Msg::user("look")
        .with(Media::url("https://example.com/a.png"))
        .with(Media::base64("audio/wav", "AAAA"))
        .with(Media::url("https://example.com/a.mp4"));
    let sent = |format: &DashScope| {
        encoded(format, &asked([msg.clone()]), |_| {}).unwrap()["input"]["messages"][0]["content"].take()
    };
    assert_eq!(
        sent(&MULTIMODAL),
        json!([
            {"text": "look"}, {"image": "https://example.com/a.png"},
            {"audio": "data:audio/wav;base64,AAAA"}, {"video": "https://example.com/a.mp4"},
        ])
    );
    assert!(sent(&WORDS).as_str().unwrap().starts_with("look\n[an image that cannot be shown"));
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
    let sent = encoded_seeing(&MULTIMODAL, &asked([Msg::user("?"), reply])).unwrap();
    let messages = sent["input"]["messages"].as_array().unwrap();
    let roles: Vec<_> = messages.iter().map(|it| it["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["user", "assistant", "tool", "tool", "user"]);
    assert_eq!(messages[4]["content"][1], json!({"image": "data:image/png;base64,AAAA"}));
}

#[test]
fn a_stream_has_thoughts_words_calls_and_usage() {
    let deltas = crate::http::testing::decoded(&mut decoder(), Framing::Events, [CALLS.as_bytes()]).unwrap();
    let mut usage = Usage::new(250, 61);
    (usage.cached_tokens, usage.reasoning_tokens) = (128, 20);
    assert_eq!(
        deltas.iter().filter(|it| !matches!(it, ModelDelta::Usage(_))).cloned().collect::<Vec<_>>(),
        [
            ModelDelta::Thinking { block: 0, delta: "Two ".into() },
            ModelDelta::Thinking { block: 0, delta: "cities.".into() },
            ModelDelta::Text { block: 1, delta: "Let me look.".into() },
            ModelDelta::tool_call(2, "call_a1", "weather", ""),
            ModelDelta::tool_call(2, "call_a1", "weather", "{\"city\": \"杭"),
            ModelDelta::tool_call(2, "call_a1", "weather", "州\"}"),
            ModelDelta::tool_call(3, "call_b2", "weather", "{\"city\": \"Paris\"}"),
            ModelDelta::Finish { reason: FinishReason::Stop },
        ]
    );
    let last = deltas.iter().rev().find(|it| matches!(it, ModelDelta::Usage(_)));
    assert_eq!(last, Some(&ModelDelta::Usage(usage)));
}

#[test]
fn a_whole_answer_is_read() {
    let body = json!({"output": {"choices": [{"finish_reason": "length", "message": {"role": "assistant", "content": [{"text": "A dog."}]}}]},
        "usage": {"input_tokens": 10, "output_tokens": 3}, "request_id": "r"});
    let deltas = decoded_whole(&mut decoder(), body.to_string().as_bytes()).unwrap();
    assert_eq!(deltas[0], ModelDelta::text("A dog."));
    assert_eq!(deltas[2], ModelDelta::Finish { reason: FinishReason::Length });
    let text = json!({"output": {"text": "Hi.", "finish_reason": "stop"}, "usage": {"input_tokens": "?"}});
    assert_eq!(
        decoded_whole(&mut decoder(), text.to_string().as_bytes()).unwrap()[0],
        ModelDelta::text("Hi.")
    );
}

#[test]
fn what_the_server_reports_is_an_error_of_its_kind() {
    let report = |code: &str, status: u16| {
        let stream = format!(
            "id:1\nevent:error\n:HTTP_STATUS/{status}\ndata:{{\"code\":\"{code}\",\"message\":\"sorry\",\"request_id\":\"r\"}}\n\n"
        );
        crate::http::testing::decoded(&mut decoder(), Framing::Events, [stream.as_bytes()]).unwrap_err()
    };
    assert_eq!(report("Throttling.RateQuota", 429).kind(), ErrorKind::RateLimited);
    assert_eq!(report("InvalidApiKey", 401).kind(), ErrorKind::Unauthorized);
    assert_eq!(report("InvalidParameter", 400).kind(), ErrorKind::InvalidInput);
    assert_eq!(report("DataInspectionFailed", 400).kind(), ErrorKind::Refused);
    assert_eq!(report("Arrearage", 400).kind(), ErrorKind::Exhausted);
    assert_eq!(report("ModelNotFound", 404).kind(), ErrorKind::NotFound);
    assert_eq!(report("InternalError", 500).kind(), ErrorKind::Unavailable);
    let whole = decoded_whole(&mut decoder(), br#"{"code":"InternalError","message":"sorry"}"#).unwrap_err();
    assert_eq!(whole.kind(), ErrorKind::Unavailable);
    assert_eq!(decoded_whole(&mut decoder(), b"{}").unwrap_err().kind(), ErrorKind::Protocol);
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-z{\"]{0,5}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let keys = proptest::sample::select(vec![
            "output",
            "choices",
            "message",
            "content",
            "text",
            "tool_calls",
            "function",
            "arguments",
            "usage",
            "finish_reason",
            "code",
            "input_tokens",
            "index",
            "reasoning_content",
            "name",
        ]);
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((keys, inner), 0..5).prop_map(|fields| {
                Value::Object(fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
            }),
        ]
    })
}

proptest! {
    #[test]
    fn any_json_is_an_answer_or_a_typed_error(value in json_value()) {
        let text = value.to_string();
        drop(decoded_whole(&mut decoder(), text.as_bytes()));
        let stream = format!("data:{text}\n\n");
        drop(crate::http::testing::decoded(&mut decoder(), Framing::Events, [stream.as_bytes()]));
    }
}
