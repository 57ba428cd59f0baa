//! Other formats than OpenAI's chat over a wire: where they are asked, by which headers, and what is made of what they refuse.

use crate::server::{Answer, Request, Server};
use agentscope_core::{
    ChatModel, ContentBlock, Context, ErrorKind, ModelDelta, ModelRequest, Msg, Result, Role, ToolChoice,
    ToolSpec, testing::conformance,
};
use agentscope_model::{AnthropicChatModel, OpenAIChatModel, OpenAIResponseModel, Provider, from_spec};
use futures_util::TryStreamExt;
use serde_json::json;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

const ANTHROPIC: &str = include_str!("../fixtures/reference/anthropic/text.sse");
const RESPONSES: &str = include_str!("../fixtures/reference/responses/text.sse");

fn claude(server: &Server) -> AnthropicChatModel {
    AnthropicChatModel::new("claude-sonnet-4-5").base_url(format!("http://{}", server.address())).api_key("k")
}

fn gpt(server: &Server) -> OpenAIResponseModel {
    OpenAIResponseModel::new("gpt-5").base_url(format!("http://{}/v1", server.address())).api_key("k")
}

fn azure(server: &Server) -> OpenAIChatModel {
    OpenAIChatModel::of(Provider::Azure, "my-gpt")
        .base_url(format!("http://{}?api-version=1", server.address()))
        .api_key("k")
}

fn hi() -> ModelRequest {
    ModelRequest::new([Msg::user("hi")])
}

async fn ask(model: &impl ChatModel, req: ModelRequest) -> Result<Vec<ModelDelta>> {
    let asked = model.call(req, Context::new()).try_collect();
    tokio::time::timeout(Duration::from_secs(30), asked).await.expect("the answer hangs")
}

/// The error of the Messages API.
fn refused(status: u16, kind: &str, message: &str) -> Answer {
    Answer::json(
        status,
        &json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}),
    )
}

#[tokio::test]
async fn they_are_chat_models() {
    let server = Server::raw(|_: &Request| Answer::events(ANTHROPIC));
    conformance::chat_model(|| Arc::new(claude(&server))).await;
    let server = Server::raw(|_: &Request| Answer::events(RESPONSES));
    conformance::chat_model(|| Arc::new(gpt(&server))).await;
}

#[tokio::test]
async fn each_is_asked_at_its_place_with_its_key() {
    let server = Server::raw(|_: &Request| Answer::events(ANTHROPIC));
    ask(&claude(&server), hi()).await.unwrap();
    let asked = server.requests().remove(0);
    assert_eq!((asked.method.as_str(), asked.path.as_str()), ("POST", "/v1/messages"));
    assert_eq!((asked.header("x-api-key"), asked.header("authorization")), (Some("k"), None));
    assert_eq!(asked.header("anthropic-version"), Some("2023-06-01"));

    let server = Server::raw(|_: &Request| Answer::events(RESPONSES));
    ask(&gpt(&server), hi()).await.unwrap();
    let asked = server.requests().remove(0);
    assert_eq!((asked.path.as_str(), asked.header("authorization")), ("/v1/responses", Some("Bearer k")));

    let server = Server::raw(|_: &Request| Answer::text("hi"));
    ask(&azure(&server), hi()).await.unwrap();
    let asked = server.requests().remove(0);
    assert_eq!(asked.path, "/openai/deployments/my-gpt/chat/completions?api-version=1");
    assert_eq!((asked.header("api-key"), asked.header("authorization")), (Some("k"), None));

    let entra = azure(&server)
        .base_url(format!("http://{}/openai/v1", server.address()))
        .header("Authorization", "Bearer t");
    ask(&entra, hi()).await.unwrap();
    let asked = server.requests().remove(1);
    assert_eq!(
        (asked.path.as_str(), asked.header("authorization")),
        ("/openai/v1/chat/completions", Some("Bearer t"))
    );
}

#[tokio::test]
async fn a_provider_that_is_overloaded_is_asked_again() {
    let count = AtomicUsize::new(0);
    let server = Server::raw(move |_: &Request| match count.fetch_add(1, SeqCst) {
        0 => refused(529, "overloaded_error", "Overloaded"),
        1 => Answer::events(
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n",
        ),
        _ => Answer::events(ANTHROPIC),
    });
    ask(&claude(&server), hi()).await.unwrap();
    assert_eq!(server.count(), 3);
}

#[tokio::test]
async fn refusals_keep_their_kind() {
    for (status, kind, message, meant) in [
        (
            400,
            "invalid_request_error",
            "prompt is too long: 208310 tokens > 200000 maximum",
            ErrorKind::ContextOverflow,
        ),
        (
            400,
            "invalid_request_error",
            "messages: text content blocks must be non-empty",
            ErrorKind::InvalidInput,
        ),
        (
            400,
            "invalid_request_error",
            "Your credit balance is too low to access the Anthropic API",
            ErrorKind::Exhausted,
        ),
        (400, "invalid_request_error", "Output blocked by content filtering policy", ErrorKind::Refused),
        (401, "authentication_error", "invalid x-api-key", ErrorKind::Unauthorized),
        (402, "billing_error", "See your billing settings", ErrorKind::Exhausted),
        (403, "permission_error", "Not for you", ErrorKind::Unauthorized),
        (404, "not_found_error", "model: claude-9", ErrorKind::NotFound),
        (413, "request_too_large", "Request exceeds the maximum size", ErrorKind::InvalidInput),
        (429, "rate_limit_error", "Slow down", ErrorKind::RateLimited),
        (500, "api_error", "Internal server error", ErrorKind::Unavailable),
    ] {
        let server = Server::raw(move |_: &Request| refused(status, kind, message));
        let error = ask(&claude(&server).retries(0), hi()).await.unwrap_err();
        assert_eq!(error.kind(), meant, "{message}: {error}");
    }
    let filtered = json!({"error": {
        "message": "The response was filtered due to the prompt triggering Azure OpenAI's content management policy. Please modify your prompt and retry.",
        "type": null, "param": "prompt", "code": "content_filter", "status": 400,
        "innererror": {"code": "ResponsibleAIPolicyViolation", "content_filter_result": {"hate": {"filtered": true, "severity": "high"}}},
    }});
    let server = Server::raw(move |_: &Request| Answer::json(400, &filtered));
    let error = ask(&azure(&server), hi()).await.unwrap_err();
    assert_eq!((error.kind(), server.count()), (ErrorKind::Refused, 1), "{error}");
}

#[tokio::test]
async fn a_choice_that_a_model_which_thinks_refuses_is_left_to_it() {
    let server = Server::raw(|request: &Request| match request.json().get("tool_choice") {
        Some(_) => refused(
            400,
            "invalid_request_error",
            "Thinking may not be enabled when tool_choice forces tool use.",
        ),
        None => Answer::events(ANTHROPIC),
    });
    let mut req = hi();
    req.tools = [Arc::new(ToolSpec::new("f", "", json!({"type": "object"})))].into();
    req.tool_choice = ToolChoice::Required;
    ask(&claude(&server), req).await.unwrap();
    assert_eq!(server.count(), 2);
}

#[tokio::test]
async fn thoughts_that_another_service_has_sealed_are_left_out() {
    let conversation = |field: &[&str]| {
        let mut thought = ContentBlock::thinking("Look.");
        field.iter().for_each(|key| thought.extra_mut().unwrap().set(*key, "made elsewhere"));
        let reply = Msg::new("Friday", Role::Assistant, vec![thought, "A tree.".into()]);
        ModelRequest::new([Msg::user("hi"), reply, Msg::user("Thanks.")])
    };
    let strict = |answer: &'static str, words: &'static str| {
        Server::raw(move |request: &Request| {
            let is_sealed = String::from_utf8_lossy(&request.body).contains("made elsewhere");
            if is_sealed { refused(400, "invalid_request_error", words) } else { Answer::events(answer) }
        })
    };
    let server = strict(ANTHROPIC, "messages.1.content.0: Invalid `signature` in `thinking` block");
    let model = claude(&server);
    for tries in [2, 3] {
        ask(&model, conversation(&["signature"])).await.unwrap();
        assert_eq!(server.count(), tries, "it is remembered");
    }
    let server = strict(RESPONSES, "The encrypted content could not be verified: invalid_encrypted_content");
    ask(&gpt(&server), conversation(&["reasoning_item_id", "encrypted_content"])).await.unwrap();
    assert_eq!(server.count(), 2);

    let words = "a `signature` is wrong";
    let server = Server::raw(move |_: &Request| refused(400, "invalid_request_error", words));
    let model = claude(&server);
    for tries in [2, 4] {
        ask(&model, conversation(&["signature"])).await.unwrap_err();
        assert_eq!(server.count(), tries, "what did not help is not remembered");
    }
    ask(&model, hi()).await.unwrap_err();
    assert_eq!(server.count(), 5, "there is nothing to leave out");
}

#[tokio::test]
async fn tokens_are_counted_by_the_provider_where_it_does() {
    let server = Server::raw(|_: &Request| Answer::json(200, &json!({"input_tokens": 2095})));
    assert_eq!(claude(&server).count_tokens(&hi()).await.unwrap(), 2095);
    assert_eq!(gpt(&server).count_tokens(&hi()).await.unwrap(), 2095);
    let paths: Vec<_> = server.requests().into_iter().map(|request| request.path).collect();
    assert_eq!(paths, ["/v1/messages/count_tokens", "/v1/responses/input_tokens"]);
    assert!(server.requests()[0].json().get("max_tokens").is_none());

    let server = Server::raw(|_: &Request| refused(404, "not_found_error", "Not found"));
    let model = claude(&server);
    assert_eq!(
        model.count_tokens(&hi()).await.unwrap(),
        model.estimate_tokens(&hi()),
        "a server without the method"
    );
    let server = Server::raw(|_: &Request| refused(401, "authentication_error", "invalid x-api-key k"));
    assert_eq!(claude(&server).count_tokens(&hi()).await.unwrap_err().kind(), ErrorKind::Unauthorized);
    let chat = OpenAIChatModel::of(Provider::Other, "m").base_url(server.url());
    assert_eq!(chat.count_tokens(&hi()).await.unwrap(), chat.estimate_tokens(&hi()));
}

#[test]
fn a_spec_without_a_key_says_which() {
    for (spec, variable) in
        [("anthropic:claude-sonnet-4-5", "ANTHROPIC_API_KEY"), ("responses:gpt-5", "OPENAI_API_KEY")]
    {
        match from_spec(spec) {
            Ok(model) => assert_eq!(model.card().spec, spec, "the key may be set where tests run"),
            Err(error) => assert!(error.message().contains(variable), "{error}"),
        }
    }
}
