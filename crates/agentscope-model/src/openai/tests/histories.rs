//! Any history of any speakers is a conversation that a server accepts, and nothing that was said in it is lost.

use super::*;
use crate::conversation::testing::{count, is_tool_name, request, words_of};
use agentscope_core::Extra;
use proptest::prelude::*;

const PROVIDERS: [Provider; 14] = [
    Provider::OpenAi,
    Provider::Azure,
    Provider::Xai,
    Provider::Zhipu,
    Provider::Yi,
    Provider::HuggingFace,
    Provider::ModelScope,
    Provider::FastChat,
    Provider::DashScope,
    Provider::DeepSeek,
    Provider::Moonshot,
    Provider::Ollama,
    Provider::Vllm,
    Provider::Other,
];

proptest! {
    #[test]
    fn any_history_is_a_conversation_that_servers_accept(
        req in request(), provider in proptest::sample::select(&PROVIDERS[..]), sees in any::<bool>(),
    ) {
        let format = Chat::of(provider);
        let body = if sees { encoded_seeing(&format, &req) } else { encoded(&format, &req, |_| {}) };
        let words = words_of(&req);
        let Ok(body) = body else {
            prop_assert!(words.iter().all(|text| text.is_empty()), "{words:?} is lost");
            return Ok(());
        };
        let messages = body["messages"].as_array().unwrap();
        prop_assert!(!messages.is_empty());
        let mut at = 0;
        while let Some(message) = messages.get(at) {
            at += 1;
            let role = message["role"].as_str().unwrap();
            prop_assert!(matches!(role, "system" | "user" | "assistant"), "{message} stands alone in {body:#}");
            prop_assert!(role != "system" || at == 1 || provider.ways().manners.system_anywhere, "{body:#}");
            if let Some(name) = message.get("name") {
                let name = name.as_str().unwrap();
                prop_assert!(!name.is_empty() && !name.contains([' ', '<', '>', '|', '\\', '/']), "{message}");
            }
            let calls = message.get("tool_calls").map(|calls| calls.as_array().unwrap().as_slice()).unwrap_or_default();
            match &message["content"] {
                Value::Null => prop_assert!(!calls.is_empty(), "{message}"),
                Value::String(text) => prop_assert!(!text.is_empty(), "{message}"),
                Value::Array(parts) => {
                    prop_assert!(!parts.is_empty(), "{message}");
                    for part in parts {
                        prop_assert!(part["type"] != "text" || part["text"] != "", "{message}");
                    }
                }
                other => prop_assert!(false, "{other}"),
            }
            let results = &messages[at..(at + calls.len()).min(messages.len())];
            prop_assert!(calls.is_empty() || role == "assistant");
            for result in results {
                prop_assert_eq!(&result["role"], "tool", "{:#}", body);
                prop_assert!(result["content"].as_str().is_some_and(|text| !text.is_empty()), "{result}");
                prop_assert!(result.get("name").is_none_or(is_tool_name), "{result}");
            }
            prop_assert_eq!(count(calls.iter().map(|call| &call["id"])), count(results.iter().map(|it| &it["tool_call_id"])), "{:#}", body);
            for call in calls {
                prop_assert!(is_tool_name(&call["function"]["name"]), "{call}");
                let arguments: Value = serde_json::from_str(call["function"]["arguments"].as_str().unwrap()).unwrap();
                prop_assert!(arguments.is_object());
            }
            at += calls.len();
        }
        let text = body.to_string();
        for word in words {
            prop_assert!(text.contains(word), "{word} is lost: {body:#}");
        }
    }
}

#[test]
fn a_tool_name_that_a_model_made_up_does_not_spoil_the_conversation() {
    let reply = Msg::new(
        "Friday",
        Role::Assistant,
        vec![
            ToolCall::new("c", "browser.open", "{}").into(),
            ToolResult::success("c", "browser.open", "no").into(),
        ],
    );
    let mut req = asked([Msg::user("?"), reply]);
    let sent = messages(&req, Provider::OpenAi);
    assert_eq!(sent[1]["tool_calls"][0]["function"]["name"], "browser_open");
    assert_eq!(sent[2]["name"], "browser_open");
    req.tools = [Arc::new(ToolSpec::new("browser.open", "", json!({})))].into();
    let sent = messages(&req, Provider::Vllm);
    assert_eq!(sent[1]["tool_calls"][0]["function"]["name"], "browser.open", "a tool that there is");
}

#[test]
fn the_signature_of_a_call_goes_back_to_where_it_came_from() {
    let signature = json!({"google": {"thought_signature": "EjQKMgEM"}});
    let mut call = ToolCall::new("c", "look", "{}");
    call.extra.set("extra_content", signature.clone());
    let req = asked([Msg::user("?"), Msg::new("Friday", Role::Assistant, vec![call.into()])]);
    assert_eq!(messages(&req, Provider::Other)[1]["tool_calls"][0]["extra_content"], signature);
    assert!(messages(&req, Provider::OpenAi)[1]["tool_calls"][0].get("extra_content").is_none());
}

#[test]
fn those_who_want_thoughts_back_get_some_with_each_call_and_with_the_answer() {
    let thought = |text: &str| ContentBlock::Thinking { thinking: text.into(), extra: Extra::default() };
    let call = |id: &str| ContentBlock::from(ToolCall::new(id, "look", "{}"));
    let result = |id: &str| ContentBlock::from(ToolResult::success(id, "look", "a tree"));
    let unshown = thought(crate::wire::UNSHOWN);
    let content =
        vec![thought("Hm."), call("1"), result("1"), call("2"), result("2"), unshown, call("3"), result("3")];
    let reply = Msg::new("Friday", Role::Assistant, content).with(ContentBlock::text("A tree."));
    let req = asked([Msg::user("?"), reply, Msg::user("Thanks."), Msg::assistant("Friday", "Well.")]);
    let thoughts = |provider| -> Vec<Value> {
        let sent = messages(&req, provider);
        let own = sent.as_array().unwrap().iter().filter(|it| it["role"] == "assistant");
        own.map(|it| it["reasoning_content"].clone()).collect()
    };
    for provider in [Provider::DeepSeek, Provider::Moonshot] {
        assert_eq!(thoughts(provider), ["Hm.".into(), " ".into(), " ".into(), " ".into(), Value::Null]);
    }
    assert_eq!(thoughts(Provider::OpenAi), [const { Value::Null }; 5]);
}

#[test]
fn ids_of_calls_are_such_as_the_provider_takes() {
    let id = format!("call_{}", "x".repeat(60));
    let called = vec![
        ToolCall::new(id.as_str(), "look", "{}").into(),
        ToolResult::success(id.as_str(), "look", "a tree").into(),
    ];
    let req = asked([Msg::user("?"), Msg::new("Friday", Role::Assistant, called)]);
    let sent = |provider, model: &'static str| {
        let body = encode(&req, provider, |ask| ask.card = Box::leak(Box::new(ModelCard::new(model))));
        let (call, result) =
            (&body["messages"][1]["tool_calls"][0]["id"], &body["messages"][2]["tool_call_id"]);
        assert_eq!(call, result);
        call.as_str().unwrap().to_owned()
    };
    assert_eq!(sent(Provider::Other, "qwen3"), id);
    assert_eq!(sent(Provider::Azure, "gpt-4o"), id[..40]);
    assert_eq!(sent(Provider::Vllm, "mistralai/Devstral-Small").len(), 9);
}

#[test]
fn a_hint_without_words_is_not_sent() {
    let hint = ContentBlock::Hint { text: String::new(), extra: Extra::default() };
    let reply = Msg::assistant("Friday", "a").with(hint);
    for transcript in [Transcript::Never, Transcript::Always] {
        let mut req = asked([Msg::user("?"), reply.clone()]);
        req.options.transcript = transcript;
        let sent = messages(&req, Provider::OpenAi).to_string();
        assert!(
            !sent.contains(r#""text":"""#)
                && !sent.contains("user: \\nuser")
                && !sent.contains("user: \\n</"),
            "{sent}"
        );
    }
}

async fn media_of(req: &ModelRequest) -> Result<Value> {
    let format = Chat::of(Provider::Other);
    let media = Inlined::of(req, format.manners()).await?;
    encoded(&format, req, |ask| ask.media = Box::leak(Box::new(media)))
}

#[tokio::test]
async fn a_file_that_is_gone_does_not_end_the_conversation() {
    let gone = || Msg::user("look").url("/no/such/file.png");
    let req = asked([gone(), Msg::assistant("Friday", "I see."), Msg::user("Thanks.")]);
    let sent = media_of(&req).await.unwrap()["messages"][0]["content"].take();
    assert_eq!(sent, "look\n[an image that cannot be shown to this model: /no/such/file.png]");
    let error = media_of(&asked([Msg::assistant("Friday", "Yes?"), gone()])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "what was just said has to be there");

    // What it has shown itself is not shown to it, so it need not be there.
    let own = Msg::assistant("Friday", "Here it is.").url("/no/such/file.png");
    assert!(media_of(&asked([Msg::user("Draw!"), own])).await.is_ok());
}

#[tokio::test]
async fn ollama_is_sent_the_image_and_not_its_address() {
    let req = asked([Msg::user("look").url("http://127.0.0.1:9/a.png")]);
    assert!(media_of(&req).await.is_ok(), "most servers fetch it themselves");
    let manners = Chat::of(Provider::Ollama).manners();
    assert!(Inlined::of(&req, manners).await.is_err(), "it has to be fetched here");
}
