use super::*;
use crate::{
    conversation::testing::asked,
    http::testing::{encoded, encoded_seeing},
};
use agentscope_core::{
    ChatModel, ContentBlock, ErrorKind, Map, Media, ModelRequest, Msg, Role, ToolCall, ToolChoice,
    ToolResult, ToolSpec, ToolState, Transcript,
};
use serde_json::{Value, json};

mod formatters;
mod histories;

/// The body of a request, as Gemini reads it.
fn body(req: &ModelRequest) -> Value {
    encoded(&Gemini(Series::Old), req, |_| {}).unwrap()
}

fn contents(req: &ModelRequest) -> Value {
    body(req)["contents"].take()
}

/// The same for a model that sees.
fn seeing(series: Series, req: &ModelRequest) -> Value {
    encoded_seeing(&Gemini(series), req).unwrap()["contents"].take()
}

fn reply(blocks: impl IntoIterator<Item = ContentBlock>) -> Msg {
    Msg::new("Friday", Role::Assistant, blocks.into_iter().collect())
}

fn signed(mut block: ContentBlock, signature: &str) -> ContentBlock {
    block.extra_mut().unwrap().set("thought_signature", signature);
    block
}

#[test]
fn responses_come_in_the_order_of_their_calls_and_with_their_ids() {
    let reply = reply([
        ContentBlock::text("Let me see."),
        ToolCall::new("c1", "look", r#"{"at": 1}"#).into(),
        ToolCall::new("c2", "look", "{").into(),
        ToolResult::new("c2", "look", ToolState::Error, vec!["fog".into()]).into(),
        ToolResult::success("c1", "look", "a tree").into(),
        ContentBlock::Hint { text: "Go on.".into(), extra: Default::default() },
    ]);
    let expected = json!([
        {"role": "user", "parts": [{"text": "?"}]},
        {"role": "model", "parts": [
            {"text": "Let me see."},
            {"functionCall": {"id": "c1", "name": "look", "args": {"at": 1}}},
            {"functionCall": {"id": "c2", "name": "look", "args": {}}},
        ]},
        {"role": "user", "parts": [
            {"functionResponse": {"id": "c1", "name": "look", "response": {"output": "a tree"}}},
            {"functionResponse": {"id": "c2", "name": "look", "response": {"error": "fog"}}},
            {"text": "Go on."},
        ]},
    ]);
    assert_eq!(contents(&asked([Msg::user("?"), reply])), expected);
}

#[test]
fn a_signature_goes_back_with_the_part_that_it_came_with() {
    let picture = ContentBlock::Image(Media::base64("image/png", "AAAA"));
    let reply = reply([
        ContentBlock::thinking("not signed"),
        signed(ContentBlock::thinking("hm"), "s0"),
        signed(ContentBlock::text("a"), "s1"),
        ContentBlock::text("b"),
        signed(picture, "s2"),
        signed(ToolCall::new("c1", "look", "{}").into(), "s3"),
        ToolCall::new("c2", "look", "{}").into(),
    ]);
    let req = asked([Msg::user("?"), reply]);
    let call = |id: &str| json!({"id": id, "name": "look", "args": {}});
    let expected = json!([
        {"text": "hm", "thought": true, "thoughtSignature": "s0"},
        {"text": "a", "thoughtSignature": "s1"},
        {"text": "b"},
        {"inlineData": {"mimeType": "image/png", "data": "AAAA"}, "thoughtSignature": "s2"},
        {"functionCall": call("c1"), "thoughtSignature": "s3"},
        {"functionCall": call("c2")},
    ]);
    assert_eq!(contents(&req)[1]["parts"], expected);
}

#[test]
fn a_call_of_another_model_says_that_it_has_no_signature_where_one_is_wanted() {
    let calls = reply([ToolCall::new("c1", "look", "{}").into(), ToolCall::new("c2", "look", "{}").into()]);
    let req = asked([Msg::user("?"), calls]);
    let parts = encoded(&Gemini(Series::New), &req, |_| {}).unwrap()["contents"][1]["parts"].take();
    assert_eq!(parts[0]["thoughtSignature"], "skip_thought_signature_validator");
    assert!(parts[1].get("thoughtSignature").is_none(), "only the first of a round has one");
    assert!(contents(&req)[1]["parts"][0].get("thoughtSignature").is_none());
}

#[test]
fn images_of_results_are_in_the_result_or_behind_all_of_them() {
    let image = || vec!["Look:".into(), ContentBlock::Image(Media::base64("image/png", "AAAA"))];
    let calls = reply([
        ToolCall::new("c1", "look", "{}").into(),
        ToolCall::new("c2", "look", "{}").into(),
        ToolResult::new("c1", "look", ToolState::Success, image()).into(),
        ToolResult::new("c2", "look", ToolState::Success, image()).into(),
    ]);
    let req = asked([Msg::user("?"), calls]);
    let inline = json!({"inlineData": {"mimeType": "image/png", "data": "AAAA"}});
    let output = json!({"output": "Look:\n[an image, shown below]"});
    let new = seeing(Series::New, &req);
    let response = |id: &str| json!({"functionResponse": {"id": id, "name": "look", "response": output, "parts": [inline]}});
    assert_eq!(new[2], json!({"role": "user", "parts": [response("c1"), response("c2")]}));

    let old = seeing(Series::Old, &req)[2]["parts"].take();
    assert!(old[0]["functionResponse"].get("parts").is_none() && old[1].get("functionResponse").is_some());
    assert_eq!(old[3], inline);
    assert_eq!(old.as_array().unwrap().len(), 2 + 6);
}

#[test]
fn an_image_of_a_result_that_gemini_cannot_fetch_is_told() {
    let image = ContentBlock::Image(Media::url("https://example.com/a.png"));
    let calls = reply([
        ToolCall::new("c1", "look", "{}").into(),
        ToolResult::new("c1", "look", ToolState::Success, vec![image]).into(),
    ]);
    for series in [Series::Old, Series::New] {
        let sent = seeing(series, &asked([Msg::user("?"), calls.clone()]));
        let response = &sent[2]["parts"][0]["functionResponse"]["response"];
        assert_eq!(response["output"], "The returned image can be found at: https://example.com/a.png");
    }
}

#[test]
fn files_are_put_in_or_named_where_gemini_has_them() {
    let msg = Msg::user("look")
        .with(Media::base64("audio/mpeg", "AAAA"))
        .with(ContentBlock::Video(Media::url("https://www.youtube.com/watch?v=9hE5-98ZeCg")))
        .with(Media::url("https://generativelanguage.googleapis.com/v1beta/files/abc.pdf"))
        .with(ContentBlock::File(Media::base64("application/pdf", "AAAA")))
        .with(ContentBlock::File(Media::base64("application/zip", "AAAA")))
        .with(Media::url("https://example.com/gone.png"));
    let expected = json!([
        {"text": "look"},
        {"inlineData": {"mimeType": "audio/mpeg", "data": "AAAA"}},
        {"fileData": {"fileUri": "https://www.youtube.com/watch?v=9hE5-98ZeCg"}},
        {"fileData": {"mimeType": "application/pdf", "fileUri": "https://generativelanguage.googleapis.com/v1beta/files/abc.pdf"}},
        {"inlineData": {"mimeType": "application/pdf", "data": "AAAA"}},
        {"text": "[a file that cannot be shown to this model: file]"},
        {"text": "[an image that cannot be shown to this model: https://example.com/gone.png]"},
    ]);
    assert_eq!(contents(&asked([msg]))[0]["parts"], expected);
}

fn with_tools(choice: ToolChoice) -> ModelRequest {
    let mut req = asked([Msg::system("Be brief."), Msg::user("hi")]);
    let schema = json!({"type": "object", "properties": {"at": {"type": "integer", "format": "uint8"}}});
    let look = ToolSpec::new("look", "Looks.", schema);
    let wait = ToolSpec::new("wait", "", json!({"type": "object", "properties": {}}));
    req.tools = [Arc::new(look), Arc::new(wait)].into();
    req.tool_choice = choice;
    req
}

#[test]
fn options_tools_and_further_fields_are_written() {
    let mut req = with_tools(ToolChoice::Required);
    req.options.max_tokens = Some(7);
    req.options.seed = Some(1);
    req.options.stop = vec!["x".into()];
    req.options.temperature = Some(1.0);
    req.options.top_p = Some(0.5);
    req.output_schema = Some(Arc::new(json!({"type": "object", "properties": {}, "$schema": "x"})));
    req.options
        .extra
        .insert("generationConfig".into(), json!({"topK": 40, "seed": null, "temperature": 0.5}));
    req.options.extra.insert("tools".into(), json!([{"googleSearch": {}}]));
    let extra = Map::from_iter([
        ("safetySettings".to_owned(), json!([])),
        ("generationConfig".to_owned(), json!({"thinkingConfig": {"includeThoughts": false}, "topK": 3})),
        (THINKING.to_owned(), json!({"thinkingBudget": 512, "includeThoughts": true})),
    ]);
    let mut body =
        encoded(&Gemini(Series::New), &req, |ask| ask.extra = Box::leak(Box::new(extra.clone()))).unwrap();
    body.as_object_mut().unwrap().remove("contents");
    let expected = json!({
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "tools": [
            {"functionDeclarations": [
                {"name": "look", "description": "Looks.", "parametersJsonSchema": {"type": "object", "properties": {"at": {"type": "integer"}}}},
                {"name": "wait"},
            ]},
            {"googleSearch": {}},
        ],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY"}},
        "generationConfig": {
            "temperature": 0.5, "topP": 0.5, "maxOutputTokens": 7, "stopSequences": ["x"], "responseMimeType": "application/json",
            "responseJsonSchema": {"type": "object", "properties": {}},
            "thinkingConfig": {"thinkingBudget": 512, "includeThoughts": false}, "topK": 40,
        },
        "safetySettings": [],
    });
    assert_eq!(body, expected, "{body:#}");

    req.options.extra.insert("cachedContent".into(), json!("cachedContents/a"));
    let cached = super::tests::body(&req);
    for held in ["systemInstruction", "tools", "toolConfig"] {
        assert!(cached.get(held).is_none(), "{held} is in what is cached");
    }
    assert_eq!(cached["cachedContent"], "cachedContents/a");
}

#[test]
fn tools_are_chosen_as_the_request_says() {
    let config = |choice| body(&with_tools(choice)).get("toolConfig").cloned();
    assert_eq!(config(ToolChoice::Auto), None);
    assert_eq!(config(ToolChoice::None).unwrap(), json!({"functionCallingConfig": {"mode": "NONE"}}));
    let one = json!({"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["look"]}});
    assert_eq!(config(ToolChoice::Tool("look".into())).unwrap(), one);
}

#[test]
fn a_request_without_words_is_refused_and_a_prompt_alone_is_told() {
    let error = encoded(&Gemini(Series::Old), &asked([]), |_| {}).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    let alone = body(&asked([Msg::system("Say hello.")]));
    assert_eq!(alone["contents"], json!([{"role": "user", "parts": [{"text": "Say hello."}]}]));
    assert!(alone.get("systemInstruction").is_none());
}

#[test]
fn models_differ_in_what_they_take() {
    for old in ["gemini-2.5-flash", "gemini-2.0-flash-lite", "gemini-1.5-pro", "gemini-exp-1206"] {
        assert_eq!(Series::of(old), Series::Old, "{old}");
    }
    for new in ["gemini-3-pro-preview", "gemini-3.1-flash-lite", "gemini-flash-latest", "gemini-4-pro"] {
        assert_eq!(Series::of(new), Series::New, "{new}");
    }
    let card = |model: &str| GeminiChatModel::new(model).card().clone();
    assert!(card("gemini-3-pro").output_schema && !card("gemini-2.5-pro").output_schema);
    assert!(card("gemma-3-27b-it").input_types.is_empty());
    assert_eq!(card("models/gemini-2.5-pro").spec, "gemini:gemini-2.5-pro");
}

#[test]
fn the_address_names_the_model_and_the_method() {
    let at = |model: &str, stream| {
        let base = Url::parse("https://h/v1beta").unwrap();
        Gemini(Series::Old).address(base, model, stream).to_string()
    };
    assert_eq!(at("gemini-2.5-pro", false), "https://h/v1beta/models/gemini-2.5-pro:generateContent");
    assert_eq!(
        at("gemini-2.5-pro", true),
        "https://h/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse"
    );
    assert_eq!(at("tunedModels/a?b", false), "https://h/v1beta/tunedModels/a%3Fb:generateContent");
}

#[test]
fn tokens_are_counted_of_the_whole_request() {
    let counting = Gemini(Series::Old).counting(Url::parse("https://h/v1beta").unwrap(), "m").unwrap();
    assert_eq!(counting.url.as_str(), "https://h/v1beta/models/m:countTokens");
    let req = with_tools(ToolChoice::Auto);
    let (extra, media, card) = (Map::new(), Default::default(), agentscope_core::ModelCard::new("m"));
    let ask = Ask {
        req: &req,
        card: &card,
        manners: &OLD,
        extra: &extra,
        media: &media,
        stream: true,
        at_home: true,
        free_choice: false,
        without_thoughts: false,
    };
    let counted = Gemini(Series::Old).encode_counted(&ask).unwrap();
    let counted: Value = serde_json::from_slice(&counted).unwrap();
    let mut expected = json!({"model": "models/m"});
    expected.as_object_mut().unwrap().extend(body(&req).as_object().unwrap().clone());
    assert_eq!(counted, json!({"generateContentRequest": expected}));
}

#[test]
fn thinking_is_asked_for_and_told() {
    let of = |model: GeminiChatModel| model.0.extra.get(THINKING).cloned().unwrap();
    let model = || GeminiChatModel::new("gemini-2.5-pro");
    assert_eq!(of(model().thinking_budget(-1)), json!({"thinkingBudget": -1, "includeThoughts": true}));
    assert_eq!(of(model().thinking_budget(0)), json!({"thinkingBudget": 0, "includeThoughts": false}));
    assert_eq!(of(model().thinking_level("low")), json!({"thinkingLevel": "low", "includeThoughts": true}));
}
