//! The APIs of Gemini and Ollama over a wire: where a request goes, how an answer comes, and what a refusal becomes.

use crate::{
    said::ask,
    server::{Answer, Request, Server},
};
use agentscope_core::{ChatModel, ErrorKind, FinishReason, ModelRequest, Msg, testing::conformance};
use agentscope_model::{GeminiChatModel, OllamaChatModel, from_spec};
use serde_json::json;
use std::{path::PathBuf, sync::Arc, time::Duration};

fn reference(name: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/reference");
    std::fs::read(folder.join(name)).unwrap()
}

fn hi() -> ModelRequest {
    ModelRequest::new([Msg::user("hi")])
}

fn gemini(server: &Server) -> GeminiChatModel {
    GeminiChatModel::new("gemini-2.5-flash")
        .base_url(format!("http://{}/v1beta", server.address()))
        .api_key("secret-k")
}

fn ollama(server: &Server) -> OllamaChatModel {
    OllamaChatModel::new("qwen3").base_url(format!("http://{}", server.address()))
}

/// A stream of lines, in pieces that are none.
fn lines(body: Vec<u8>) -> Answer {
    Answer::new(200, "application/x-ndjson", body).by(100)
}

#[tokio::test]
async fn gemini_is_asked_as_a_stream_or_whole() {
    let server = Server::raw(|request: &Request| {
        assert_eq!(request.header("x-goog-api-key"), Some("secret-k"));
        match request.path.as_str() {
            "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse" => {
                Answer::events(reference("gemini/text-stream.sse"))
            }
            "/v1beta/models/gemini-2.5-flash:generateContent" => {
                Answer::new(200, "application/json", reference("gemini/text.json"))
            }
            other => panic!("{other}"),
        }
    });
    for stream in [true, false] {
        let said = ask(&gemini(&server).stream(stream), hi()).await.unwrap();
        assert_eq!(said.text, "The sky is blue — 蓝色 🌍.");
        assert_eq!((said.finish, said.usage.unwrap().output_tokens), (FinishReason::Stop, 9));
        let asked = server.requests().pop().unwrap().json();
        assert_eq!(asked["contents"], json!([{"role": "user", "parts": [{"text": "hi"}]}]));
    }
    conformance::chat_model(|| Arc::new(gemini(&server))).await;
}

#[tokio::test]
async fn gemini_counts_the_tokens_of_a_request() {
    let server = Server::raw(|request: &Request| {
        assert_eq!(request.path, "/v1beta/models/gemini-2.5-flash:countTokens");
        assert_eq!(request.json()["generateContentRequest"]["model"], "models/gemini-2.5-flash");
        Answer::json(200, &json!({"totalTokens": 31, "promptTokensDetails": []}))
    });
    assert_eq!(gemini(&server).count_tokens(&hi()).await.unwrap(), 31);
}

#[tokio::test]
async fn ollama_is_asked_as_a_stream_or_whole() {
    let server = Server::raw(|request: &Request| {
        assert_eq!(request.path, "/api/chat");
        let body = request.json();
        match body["stream"] == true {
            true => lines(reference("ollama/text-stream.ndjson")),
            false => Answer::new(200, "application/json", reference("ollama/text.json")),
        }
    });
    for stream in [true, false] {
        let said = ask(&ollama(&server).stream(stream), hi()).await.unwrap();
        assert_eq!(said.text, "The sky is blue — 蓝色 🌍.");
        assert_eq!((said.finish, said.usage.unwrap().input_tokens), (FinishReason::Stop, 26));
        let asked = server.requests().pop().unwrap().json();
        assert_eq!(asked["messages"], json!([{"role": "user", "content": "hi"}]));
    }
    conformance::chat_model(|| Arc::new(ollama(&server))).await;
}

#[tokio::test]
async fn gemini_says_how_long_to_wait_and_is_not_asked_before() {
    let quota = String::from_utf8(reference("gemini/error-quota.json")).unwrap();
    let long = quota.replace("34s", "3600s");
    let server = Server::raw(Answer::new(429, "application/json", long));
    let error = ask(&gemini(&server), hi()).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.retry_after()),
        (ErrorKind::RateLimited, Some(Duration::from_secs(3600)))
    );
    assert_eq!(server.count(), 1, "an hour is not waited for");

    let day = quota.replace("PerMinute", "PerDay");
    let server = Server::raw(Answer::new(429, "application/json", day));
    assert_eq!(ask(&gemini(&server), hi()).await.unwrap_err().kind(), ErrorKind::Exhausted);
}

#[tokio::test]
async fn gemini_is_asked_again_where_its_model_wrote_a_call_that_nobody_can_read() {
    let answers = ["gemini/malformed-call-stream.sse", "gemini/text-stream.sse"].map(reference);
    let server = Server::raw(answers.map(Answer::events).to_vec());
    assert_eq!(ask(&gemini(&server), hi()).await.unwrap().text, "The sky is blue — 蓝色 🌍.");
    assert_eq!(server.count(), 2);
}

#[tokio::test]
async fn a_model_that_ollama_does_not_have_is_named_with_the_way_to_get_it() {
    let server = Server::raw(Answer::new(404, "application/json", reference("ollama/error-not-found.json")));
    let error = ask(&ollama(&server), hi()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(
        error.message().ends_with("model 'qwen3' not found; Ollama gets a model by `ollama pull qwen3`"),
        "{error}"
    );
}

#[tokio::test]
async fn a_stream_that_breaks_off_is_an_error() {
    let cut = |name: &str| {
        let body = reference(name);
        let half = body.len() / 2;
        body.get(..half).unwrap().to_vec()
    };
    let server = Server::raw(Answer::events(cut("gemini/text-stream.sse")));
    let error = ask(&gemini(&server), hi()).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Unavailable && error.message().contains("a finish reason"), "{error}");
    let server = Server::raw(lines(cut("ollama/text-stream.ndjson")));
    let error = ask(&ollama(&server), hi()).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Unavailable && error.message().contains("without `done`"), "{error}");
}

#[test]
fn specs_name_both() {
    assert_eq!(from_spec("ollama:qwen3:8b").unwrap().card().spec, "ollama:qwen3:8b");
    match from_spec("gemini:gemini-2.5-pro") {
        Ok(model) => assert_eq!(model.card().spec, "gemini:gemini-2.5-pro"),
        Err(error) => assert_eq!(error.kind(), ErrorKind::Unauthorized, "{error}"),
    }
}
