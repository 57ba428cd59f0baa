//! The models that configurations give.

use super::least;
use crate::server::{Answer, Request, Server};
use agentscope_core::{ChatModel, Context, ErrorKind, ModelRequest, Msg, Result, testing::conformance};
use agentscope_model::Configs;
use futures_util::StreamExt;
use serde_json::{Value, json};
use std::sync::Arc;

fn config(server: &Server, more: Value) -> Configs {
    let mut entry =
        json!({"config_name": "a", "model_type": "openai_chat", "model_name": "m", "api_key": "k-1234"});
    entry["client_args"] = json!({"base_url": server.url(), "max_retries": 0});
    entry.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Configs::from_value(entry).unwrap()
}

async fn ask(model: &Arc<dyn ChatModel>, req: ModelRequest) -> Result<()> {
    model
        .call(req, Context::new())
        .collect::<Vec<_>>()
        .await
        .into_iter()
        .collect::<Result<Vec<_>>>()
        .map(drop)
}

fn hi() -> ModelRequest {
    ModelRequest::new([Msg::user("hi")])
}

#[tokio::test]
async fn what_a_configuration_says_is_on_the_wire() {
    let server = Server::start(Answer::text("hi"));
    let configs = config(
        &server,
        json!({
            "organization": "org-1", "stream": false, "max_length": 4096,
            "client_args": {"base_url": server.url(), "default_headers": {"X-Team": "t"}, "default_query": {"v": "1 2"}},
            "generate_args": {"temperature": 0.5, "max_tokens": 9, "stop": ["END"], "seed": 3, "top_p": 0.25, "top_k": 4},
        }),
    );
    let model = configs.chat("a").unwrap();
    ask(&model, hi()).await.unwrap();
    let request = &server.requests()[0];
    let header = |name| request.header(name);
    assert_eq!(
        (header("authorization"), header("openai-organization"), header("x-team")),
        (Some("Bearer k-1234"), Some("org-1"), Some("t"))
    );
    assert!(request.path.ends_with("/chat/completions?v=1+2"), "{}", request.path);
    assert_eq!(
        request.json(),
        json!({
            "model": "m", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 9, "temperature": 0.5, "top_p": 0.25,
            "stop": ["END"], "seed": 3, "top_k": 4,
        })
    );
    assert_eq!(
        (model.card().context_size, model.card().spec.as_str()),
        (4096, format!("{}#m", server.url()).as_str())
    );
}

#[tokio::test]
async fn what_a_request_says_comes_before_its_configuration() {
    let server = Server::start(Answer::text("hi"));
    let configs = config(
        &server,
        json!({"generate_args": {"temperature": 0.5, "max_tokens": 9, "stop": "END", "top_k": 4, "user": "u"}}),
    );
    let mut req = hi();
    req.options.temperature = Some(0.0);
    req.options.max_tokens = Some(20);
    req.options.extra.insert("top_k".to_owned(), json!(7));
    ask(&configs.chat("a").unwrap(), req).await.unwrap();
    let sent = server.requests()[0].json();
    assert_eq!(
        (&sent["temperature"], &sent["max_tokens"], &sent["top_k"]),
        (&json!(0.0), &json!(20), &json!(7))
    );
    assert_eq!((&sent["stop"], &sent["user"], &sent["stream"]), (&json!(["END"]), &json!("u"), &json!(true)));
}

#[tokio::test]
async fn a_configured_model_is_a_chat_model() {
    let server = Server::start(|_: &Request| Answer::text("Hello there."));
    let configs = config(&server, json!({}));
    conformance::chat_model(|| configs.chat("a").unwrap()).await;
}

#[test]
fn a_configuration_that_is_for_something_else_says_so() {
    let configs = Configs::from_value(json!([least("openai_embedding")])).unwrap();
    let error = configs.chat("my_config").err().unwrap();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(
        error.message(),
        "the model configurations, entry 1 (`my_config`): its type `openai_embedding` is for embedding and not for chat: name another \
         configuration, or change its type"
    );
    let error = Configs::new().chat("my_config").err().unwrap();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(
        error.message(),
        "no configuration is named `my_config`: there are none yet, load a file of them"
    );
}

#[test]
fn a_configuration_is_shown_without_its_secrets() {
    let configs = Configs::from_value(json!({
        "config_name": "a", "model_type": "openai", "api_key": "sk-secret", "headers": {"X": "secret"},
        "base_url": "https://user:secret@a/v1?key=secret", "generate_args": {"user": "secret"},
    }))
    .unwrap();
    let told =
        format!("{configs:?} {:?} {:?}", configs.config("a").unwrap(), configs.chat("a").unwrap().card());
    assert!(!told.contains("secret") && told.contains("https://a/v1") && told.contains("***"), "{told}");
}
