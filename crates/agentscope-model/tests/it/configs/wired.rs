//! Embedders, models that draw, budgets and the continuations of Ollama by configuration.

use crate::server::{Answer, Server};
use agentscope_core::{ChatModel, Context, ErrorKind, ModelDelta, ModelRequest, Msg, Result};
use agentscope_model::Configs;
use futures_util::StreamExt;
use serde_json::{Value, json};

async fn ask(model: &dyn ChatModel, req: ModelRequest) -> Result<Vec<ModelDelta>> {
    model.call(req, Context::new()).collect::<Vec<_>>().await.into_iter().collect()
}

fn hi() -> ModelRequest {
    ModelRequest::new([Msg::user("hi")])
}

fn refused(entry: Value) -> String {
    Configs::from_value(entry).unwrap().chat("a").err().unwrap().message().to_owned()
}

#[cfg(feature = "embedding")]
#[tokio::test]
async fn an_embedder_is_what_its_configuration_says() {
    use agentscope_core::EmbedRequest;
    let server = Server::raw(crate::embedding::embeddings);
    let configs = Configs::from_value(json!([
        {"config_name": "a", "model_type": "openai_embedding", "model_name": "m", "api_key": "k-1234", "organization": "org-1",
         "client_args": {"base_url": server.url(), "default_query": {"v": "1"}, "max_retries": 0},
         "generate_args": {"dimensions": 2, "user": "u"}},
        {"config_name": "mine", "model_type": "post_api_embedding", "api_url": "http://localhost:1"},
        {"config_name": "dear", "model_type": "openai_embedding", "budget": 1},
    ]))
    .unwrap();
    let embedder = configs.embedder("a").unwrap();
    assert_eq!((embedder.card().dimensions, &*embedder.card().name), (2, "m"));
    let vectors = embedder.embed(EmbedRequest::new(["a 1"]), Context::new()).await.unwrap();
    assert_eq!(vectors.rows().next().unwrap(), [3.0, 1.0]);
    let request = &server.requests()[0];
    assert_eq!(
        (request.header("authorization"), request.header("openai-organization"), request.path.as_str()),
        (Some("Bearer k-1234"), Some("org-1"), "/v1/embeddings?v=1")
    );
    assert_eq!(
        request.json(),
        json!({"model": "m", "input": ["a 1"], "encoding_format": "float", "dimensions": 2, "user": "u"})
    );
    let told = |name: &str| configs.embedder(name).err().unwrap().message().to_owned();
    assert!(
        told("mine").contains("`post_api_embedding` are not part of this version: use one"),
        "{}",
        told("mine")
    );
    assert!(
        told("dear").ends_with("a `budget` is kept by chat models only: leave it out"),
        "{}",
        told("dear")
    );
    assert!(configs.chat("a").err().unwrap().message().contains("is for embedding and not for chat"));
}

#[cfg(feature = "embedding")]
#[test]
fn each_type_of_embedder_gives_one() {
    for (model_type, name, spec) in [
        ("openai_embedding", "text-embedding-3-small", "openai:text-embedding-3-small"),
        ("dashscope_text_embedding", "text-embedding-v4", "dashscope:text-embedding-v4"),
        ("dashscope_text_embedding", "multimodal-embedding-v1", "dashscope:multimodal-embedding-v1"),
        ("gemini_embedding", "gemini-embedding-001", "gemini:gemini-embedding-001"),
        ("ollama_embedding", "nomic-embed-text", "ollama:nomic-embed-text"),
        ("zhipuai_embedding", "embedding-3", "zhipu:embedding-3"),
    ] {
        let mut entry = json!({"config_name": "a", "model_type": model_type, "model_name": name});
        if model_type != "ollama_embedding" {
            entry["api_key"] = "k-1234".into();
        }
        let embedder = Configs::from_value(entry).unwrap().embedder("a").unwrap();
        assert_eq!(embedder.card().spec, spec);
    }
}

#[cfg(feature = "embedding")]
#[tokio::test]
async fn the_options_of_ollama_are_an_object_of_their_own() {
    use agentscope_core::EmbedRequest;
    let server = Server::raw(Answer::json(200, &json!({"embeddings": [[1.0, 2.0]]})));
    let entry = json!({"config_name": "a", "model_type": "ollama_embedding", "model_name": "m", "host": server.url(),
        "keep_alive": "5m", "options": {"num_ctx": 64}});
    let embedder = Configs::from_value(entry).unwrap().embedder("a").unwrap();
    embedder.embed(EmbedRequest::new(["a"]), Context::new()).await.unwrap();
    let sent = server.requests()[0].json();
    assert_eq!((&sent["options"], &sent["keep_alive"]), (&json!({"num_ctx": 64}), &json!("5m")));
}

#[cfg(feature = "image")]
#[tokio::test]
async fn a_model_that_draws_is_what_its_configuration_says() {
    use agentscope_core::{ImageRequest, Media};
    let server = Server::raw(Answer::json(200, &json!({"data": [{"b64_json": "YWJj"}]})));
    let entry = json!({"config_name": "a", "model_type": "openai_dall_e", "model_name": "m", "api_key": "k-1234",
        "client_args": {"base_url": server.url()}, "generate_args": {"n": 2, "size": "512x512", "quality": "low"}});
    let painter = Configs::from_value(entry).unwrap().image("a").unwrap();
    let drawn = painter.generate(ImageRequest::new("a dot"), Context::new()).await.unwrap();
    assert_eq!(drawn.images, [Media::base64("image/png", "YWJj")]);
    assert_eq!(
        server.requests()[0].json(),
        json!({"model": "m", "prompt": "a dot", "n": 2, "size": "512x512", "quality": "low"})
    );
    let wan = json!({"config_name": "a", "model_type": "dashscope_image_synthesis", "model_name": "wan2.2-t2i-flash",
        "api_key": "k-1234"});
    assert_eq!(
        Configs::from_value(wan).unwrap().image("a").unwrap().card().spec,
        "dashscope:wan2.2-t2i-flash"
    );
}

#[test]
fn a_budget_needs_a_price_and_is_a_number_above_0() {
    let entry = |more: Value| {
        let mut entry = json!({"config_name": "a", "model_type": "openai_chat", "model_name": "gpt-4o", "api_key": "k-1234"});
        entry.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        entry
    };
    let told = refused(entry(json!({"budget": 1, "model_name": "m"})));
    assert!(
        told.contains("`budget` cannot be kept, because nobody knows what the model `m` costs"),
        "{told}"
    );
    let told = refused(entry(json!({"budget": 1, "base_url": "http://localhost:1/v1"})));
    assert!(told.contains("nobody knows what the model `gpt-4o` costs"), "{told}");
    let told = refused(entry(json!({"budget": 0})));
    assert!(told.contains("`budget`: a budget of 0.00 USD is no limit"), "{told}");
    assert!(Configs::from_value(entry(json!({"budget": 1}))).unwrap().chat("a").is_ok());
}

/// Is run by the test below in a process of its own, because cards are read once.
#[tokio::test]
async fn child_with_a_budget() {
    if std::env::var_os("AGENTSCOPE_TEST_BUDGET").is_none() {
        return;
    }
    let server = Server::start(Answer::text("hi"));
    let entry = json!({"config_name": "a", "model_type": "openai_chat", "model_name": "m", "api_key": "k-1234",
        "client_args": {"base_url": server.url()}, "budget": 1});
    let configs = Configs::from_value(entry).unwrap();
    let (first, second) = (configs.chat("a").unwrap(), configs.clone().chat("a").unwrap());
    ask(&*first, hi()).await.unwrap();
    let error = ask(&*second, hi()).await.unwrap_err();
    assert_eq!((error.kind(), server.count()), (ErrorKind::Exhausted, 1), "{error}");
}

#[test]
fn a_budget_is_shared_by_all_models_of_its_entry() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cards.json");
    std::fs::write(&path, r#"{"other": [{"model": "m", "price": {"input": 1000000, "output": 1000000}}]}"#)
        .unwrap();
    let ran = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "configs::wired::child_with_a_budget", "--nocapture"])
        .env("AGENTSCOPE_MODEL_CARDS", &path)
        .env("AGENTSCOPE_TEST_BUDGET", "1")
        .output()
        .unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    assert!(String::from_utf8_lossy(&ran.stdout).contains("1 passed"));
}

#[tokio::test]
async fn a_continuation_of_ollama_is_a_chat_with_one_text() {
    let body =
        r#"{"model":"m","message":{"role":"assistant","content":"hi"},"done":true,"done_reason":"stop"}"#;
    let server = Server::raw(Answer::new(200, "application/x-ndjson", body));
    let entry = json!({"config_name": "a", "model_type": "ollama_generate", "model_name": "m", "host": server.url(),
        "options": {"num_ctx": 2048, "num_gpu": 1, "temperature": 0.5}});
    let model = Configs::from_value(entry).unwrap().chat("a").unwrap();
    assert_eq!(model.card().context_size, 2048);
    let talk = [Msg::system("Be brief."), Msg::user("a"), Msg::assistant("m", "b"), Msg::user("c")];
    let answer = ask(&*model, ModelRequest::new(talk)).await.unwrap();
    assert_eq!(answer[0], ModelDelta::text("hi"));
    let request = &server.requests()[0];
    let sent = request.json();
    assert!(request.path.ends_with("/api/chat"));
    assert_eq!(sent["options"], json!({"num_ctx": 2048, "num_gpu": 1, "temperature": 0.5}));
    assert!(sent.get("num_gpu").is_none());
    let messages = sent["messages"].as_array().unwrap();
    assert_eq!(messages.iter().filter(|it| it["role"] == "user").count(), 1, "{messages:?}");
}

#[tokio::test]
async fn a_version_of_azure_is_asked_for() {
    let server = Server::start(Answer::text("hi"));
    let base_url = server.url().trim_end_matches("/v1").to_owned();
    let entry = json!({"config_name": "a", "model_type": "azure", "model_name": "m", "api_key": "k-1234",
        "base_url": base_url, "api_version": "2024-10-21"});
    let model = Configs::from_value(entry).unwrap().chat("a").unwrap();
    ask(&*model, hi()).await.unwrap();
    let path = &server.requests()[0].path;
    assert!(path.ends_with("/openai/deployments/m/chat/completions?api-version=2024-10-21"), "{path}");
}
