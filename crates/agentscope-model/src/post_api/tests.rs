use super::*;
use crate::http::testing::{decoded, decoded_whole, encoded, hold_at_every_byte};
use agentscope_core::{ChatModel, ErrorKind, FinishReason, ModelDelta, ModelRequest, Msg, ToolSpec, Usage};
use proptest::prelude::*;

/// The format of a model, as it was set.
fn format(model: &PostApiChatModel) -> PostApi {
    model.0.format.as_post_api().unwrap().clone()
}

fn model() -> PostApiChatModel {
    PostApiChatModel::new("http://localhost:1/generate")
}

fn decoder(model: &PostApiChatModel) -> decode::Decoder {
    decode::Decoder::new(format(model), Peer { address: "the server".into(), service: &SERVICE })
}

fn body(model: &PostApiChatModel, req: &ModelRequest) -> Value {
    encoded(&format(model), req, |_| {}).unwrap()
}

#[test]
fn a_template_is_filled_and_what_is_left_open_is_left_out() {
    let model = model().template(json!({
        "inputs": "{{messages}}", "p": "[{{system}}] {{ last }}!", "fixed": [1, "{{seed}}", "{{model}}"],
        "parameters": {"temperature": "{{temperature}}", "max_new_tokens": "{{max_tokens}}", "stop": "{{stop}}"},
    }));
    let mut req = ModelRequest::new([
        Msg::system("Be brief."),
        Msg::user("Hi."),
        Msg::assistant("a", "Yes?"),
        Msg::user("Why?"),
    ]);
    req.options.temperature = Some(0.5);
    assert_eq!(
        body(&model, &req),
        json!({
            "inputs": [
                {"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi."},
                {"role": "assistant", "content": "Yes?"}, {"role": "user", "content": "Why?"},
            ],
            "p": "[Be brief.] Why?!", "fixed": [1, "m"], "parameters": {"temperature": 0.5},
        })
    );
}

#[test]
fn a_prompt_is_what_one_user_says_or_a_conversation_with_names() {
    let model = model().template(json!("{{prompt}}"));
    assert_eq!(body(&model, &ModelRequest::new([Msg::system("S"), Msg::user("Hi.")])), json!("S\n\nHi."));
    let mut req = ModelRequest::new([Msg::user("Hi."), Msg::assistant("Friday", "Yes?"), Msg::user("Why?")]);
    req.speaker = "Friday".into();
    assert_eq!(body(&model, &req), json!("user: Hi.\nFriday: Yes?\nuser: Why?\nFriday: "));
}

#[test]
fn fields_of_the_request_come_before_those_of_the_model_and_of_the_template() {
    let mut req = ModelRequest::new([Msg::user("Hi.")]);
    req.options.extra.insert("a".into(), json!(3));
    req.options.extra.insert("c".into(), Value::Null);
    let model = model().template(json!({"a": 1, "b": 1, "c": 1}));
    let extra = agentscope_core::Map::from_iter([("a".to_owned(), json!(2)), ("b".to_owned(), json!(2))]);
    let sent = encoded(&format(&model), &req, |ask| ask.extra = Box::leak(Box::new(extra))).unwrap();
    assert_eq!(sent, json!({"a": 3, "b": 2}));
}

#[test]
fn a_place_that_nothing_fills_is_told_before_anything_is_sent() {
    let model = model().template(json!({"a": {"b": ["{{mesages}}"]}}));
    let error = model.0.check().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(
        error.message(),
        "the template has `{{mesages}}`, which nothing fills: do you mean `{{messages}}`?"
    );
    assert!(encoded(&format(&model), &ModelRequest::new([Msg::user("Hi.")]), |_| {}).is_err());
    assert!(model.template(json!("{{{}}}")).0.check().is_err());
}

#[test]
fn it_can_what_its_template_says() {
    assert!(!model().card().tools && !model().card().output_schema);
    let can = model().template(json!({"t": "{{tools}}", "s": "{{schema}}"}));
    assert!(can.card().tools && can.card().output_schema);
    assert_eq!(can.named("mine").card().name, "mine");
    assert_eq!(model().card().name, "localhost");
    let mut req = ModelRequest::new([Msg::user("Hi.")]);
    req.tools = [std::sync::Arc::new(ToolSpec::new("look", "", json!({"type": "object"})))].into();
    let sent = body(&model().template(json!({"t": "{{tools}}"})), &req);
    assert_eq!(sent["t"][0]["function"]["name"], "look");
}

#[test]
fn words_are_found_where_paths_lead() {
    let read = |model: &PostApiChatModel, answer: Value| {
        decoded_whole(&mut decoder(model), answer.to_string().as_bytes())
    };
    let openai = json!({"choices": [{"message": {"content": "Hi."}, "finish_reason": "length"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 1}});
    assert_eq!(
        read(&model(), openai).unwrap(),
        [
            ModelDelta::text("Hi."),
            ModelDelta::Usage(Usage::new(3, 1)),
            ModelDelta::Finish { reason: FinishReason::Length }
        ]
    );
    let of_0_x = json!({"data": {"response": {"choices": [{"message": {"content": "Hi."}}]}}});
    assert_eq!(read(&model(), of_0_x).unwrap()[0], ModelDelta::text("Hi."));
    let list = model().text_at("[0].generated_text");
    assert_eq!(read(&list, json!([{"generated_text": "Hi."}])).unwrap()[0], ModelDelta::text("Hi."));
    let all = model().text_at("a").thinking_at("t").tool_calls_at("calls").usage_at("u.in", "u.out");
    let answer =
        json!({"a": "Hi.", "t": "Hm.", "calls": [{"name": "look", "arguments": {"at": 1}}], "u": {"out": 4}});
    assert_eq!(
        read(&all, answer).unwrap(),
        [
            ModelDelta::Thinking { block: 0, delta: "Hm.".into() },
            ModelDelta::Text { block: 1, delta: "Hi.".into() },
            ModelDelta::tool_call(2, "", "look", "{\"at\":1}"),
            ModelDelta::Usage(Usage::new(0, 4)),
            ModelDelta::Finish { reason: FinishReason::Stop },
        ]
    );
}

#[test]
fn an_answer_without_what_a_path_names_tells_what_it_has() {
    let read = |answer: Value| {
        decoded_whole(&mut decoder(&model().text_at("text")), answer.to_string().as_bytes()).unwrap_err()
    };
    let error = read(json!({"response": "Hi.", "took": 3}));
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert_eq!(
        error.message(),
        "the server answered with JSON that has no text at `text`, but `response`, `took`: correct it by `.text_at(..)`"
    );
    assert_eq!(read(json!({"error": {"code": 429, "message": "slow down"}})).kind(), ErrorKind::RateLimited);
}

#[test]
fn a_stream_of_more_words_or_of_all_words_so_far_is_the_same() {
    let more = "data: {\"t\": \"Hi \"}\n\ndata: {\"t\": \"猫.\"}\n\n";
    let all = "{\"t\": \"Hi \"}\n{\"t\": \"Hi 猫.\"}\n{\"t\": \"Hi 猫.\", \"choices\": [{\"finish_reason\": \"stop\"}]}\n";
    let [events, lines] = [model().text_at("t").events(), model().text_at("t").lines().cumulative()];
    let expected =
        [ModelDelta::text("Hi "), ModelDelta::text("猫."), ModelDelta::Finish { reason: FinishReason::Stop }];
    assert_eq!(decoded(&mut decoder(&events), Framing::Events, [more.as_bytes()]).unwrap(), expected);
    assert_eq!(decoded(&mut decoder(&lines), Framing::Lines, [all.as_bytes()]).unwrap(), expected);
    let ended = format!("{more}data: [DONE]\n\n");
    assert_eq!(decoded(&mut decoder(&events), Framing::Events, [ended.as_bytes()]).unwrap(), expected);
    let error = decoded(&mut decoder(&events), Framing::Events, [&b""[..]]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    hold_at_every_byte(
        &|| Box::new(decoder(&model().text_at("t").events())),
        Framing::Events,
        "data: {\"t\": \"a 猫\"}\n\n".as_bytes(),
    );
}

proptest! {
    #[test]
    fn any_path_into_any_json_is_words_or_a_typed_error(path in "[a-c0-2.\\[\\]]{0,8}", json in "[\\[\\]{}\":,a-c0-2]{0,12}") {
        let model = model().text_at(&path).tool_calls_at(&path).usage_at(&path, &path).cumulative();
        drop(decoded_whole(&mut decoder(&model), json.as_bytes()));
        let value = json!({"a": [{"b": json}, 1, null], "c": {"0": "x"}});
        drop(decoded_whole(&mut decoder(&model), value.to_string().as_bytes()));
    }
}
