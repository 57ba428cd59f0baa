//! Embedders over a wire: what they send, and what becomes of what comes back.

mod fault;
mod providers;

use crate::server::{Answer, Request, Server};
use agentscope_core::{Context, EmbedRequest, Embedder, Embeddings, Result, Usage};
use agentscope_model::OpenAITextEmbedding;
use base64::{Engine, engine::general_purpose::STANDARD};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::time::Duration;

/// The vector of a text: its length, and its first number.
fn vector(text: &str) -> [f32; 2] {
    let digits = text.split(|it: char| !it.is_ascii_digit()).find(|it| !it.is_empty());
    [text.len() as f32, digits.map_or(-1.0, |it| it.parse().unwrap())]
}

/// What a server compatible with OpenAI's answers.
pub(crate) fn embeddings(request: &Request) -> Answer {
    let body = request.json();
    let inputs = body["input"].as_array().unwrap().clone();
    let data = inputs.iter().enumerate().map(
        |(at, text)| json!({"object": "embedding", "index": at, "embedding": vector(text.as_str().unwrap())}),
    );
    // The last one first: the order is in `index`.
    let data: Vec<Value> = data.rev().collect();
    let tokens = inputs.len();
    Answer::json(
        200,
        &json!({"object": "list", "data": data, "model": body["model"], "usage": {"prompt_tokens": tokens, "total_tokens": tokens}}),
    )
}

/// An embedder that asks a server.
pub(crate) fn embedder(server: &Server) -> OpenAITextEmbedding {
    OpenAITextEmbedding::compatible(server.url(), "m")
}

async fn embed(embedder: &impl Embedder, inputs: &[&str]) -> Result<Embeddings> {
    embedder.embed(EmbedRequest::new(inputs.iter().copied()), Context::new()).await
}

#[tokio::test]
async fn each_text_has_its_vector_in_the_order_of_the_texts() {
    let server = Server::raw(embeddings);
    let vectors = embed(&embedder(&server).api_key("k"), &["a 1", "bb 2", "ccc 3"]).await.unwrap();
    assert_eq!(
        vectors,
        Embeddings::from_rows([[3.0, 1.0], [4.0, 2.0], [5.0, 3.0]]).unwrap().with_usage(Usage::new(3, 0))
    );
    let [request] = &server.requests()[..] else { panic!("one request") };
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/v1/embeddings"));
    assert_eq!(request.header("authorization"), Some("Bearer k"));
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert!(request.header("user-agent").unwrap().starts_with("agentscope-rs/"));
    assert_eq!(
        request.json(),
        json!({"model": "m", "input": ["a 1", "bb 2", "ccc 3"], "encoding_format": "float"})
    );
}

#[tokio::test]
async fn nothing_is_asked_about_nothing() {
    let server = Server::raw(embeddings);
    let vectors = embed(&embedder(&server), &[]).await.unwrap();
    assert_eq!((vectors.len(), vectors.dimensions(), server.count()), (0, 0, 0));
}

#[tokio::test]
async fn no_header_is_sent_that_nobody_named() {
    let server = Server::raw(embeddings);
    embed(&embedder(&server).header("X-Team", "blue"), &["a"]).await.unwrap();
    let request = &server.requests()[0];
    let mut names: Vec<_> = request.headers.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["accept", "content-length", "content-type", "host", "user-agent", "x-team"]);
}

#[tokio::test]
async fn base64_is_read_as_numbers_are() {
    let server = Server::raw(|request: &Request| {
        assert_eq!(request.json()["encoding_format"], "base64");
        let bytes: Vec<u8> = [0.25_f32, -3.0].iter().flat_map(|it| it.to_le_bytes()).collect();
        Answer::json(200, &json!({"data": [{"embedding": STANDARD.encode(bytes)}]}))
    });
    let vectors = embed(&embedder(&server).body("encoding_format", "base64"), &["a"]).await.unwrap();
    assert_eq!(vectors.row(0), Some(&[0.25, -3.0][..]));
}

#[tokio::test]
async fn what_is_set_is_sent() {
    let server = Server::raw(embeddings);
    let embedder = embedder(&server).dimensions(2).body("user", "u-1").body("encoding_format", Value::Null);
    let mut req = EmbedRequest::new(["a"]).extra("user", "u-2");
    embedder.embed(req.clone(), Context::new()).await.unwrap();
    req = req.extra("dimensions", Value::Null);
    embedder.embed(req, Context::new()).await.unwrap();
    let bodies: Vec<_> = server.requests().iter().map(Request::json).collect();
    assert_eq!(bodies[0], json!({"model": "m", "input": ["a"], "dimensions": 2, "user": "u-2"}));
    assert_eq!(bodies[1], json!({"model": "m", "input": ["a"], "user": "u-2"}));
}

#[tokio::test]
async fn so_many_requests_run_at_a_time_and_no_more() {
    for (limit, wanted) in [(3, 3), (1, 1), (100, 6)] {
        let server = Server::raw(|request: &Request| embeddings(request).after(Duration::from_millis(40)));
        let texts: Vec<String> = (0..12).map(|at| format!("text {at}")).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let vectors = embed(&embedder(&server).max_batch(2).concurrency(limit), &texts).await.unwrap();
        assert_eq!((vectors.len(), vectors.usage, server.count()), (12, Usage::new(12, 0), 6));
        // A connection carries one request at a time.
        assert_eq!(server.wait(|_| true).await.connections, wanted);
    }
}

#[tokio::test]
async fn long_texts_are_divided_by_their_tokens() {
    let server = Server::raw(embeddings);
    let long = "the quick brown fox jumps over the lazy dog ".repeat(2000);
    let texts = vec![long.as_str(); 20];
    let vectors = embed(&embedder(&server).max_batch(2048), &texts).await.unwrap();
    assert_eq!(vectors.len(), 20);
    assert!((2..=3).contains(&server.count()), "{} requests for 400,000 tokens", server.count());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_parts_each_text_has_its_vector(count in 0..60usize, most in 1..20usize, at_once in 1..6usize) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let server = Server::raw(embeddings);
        let texts: Vec<String> = (0..count).map(|at| format!("{} {at}", "x".repeat(at % 7))).collect();
        let embedder = embedder(&server).max_batch(most).concurrency(at_once);
        let vectors = runtime.block_on(embed(&embedder, &texts.iter().map(String::as_str).collect::<Vec<_>>())).unwrap();
        let rows: Vec<_> = vectors.rows().map(<[f32]>::to_vec).collect();
        let wanted: Vec<_> = texts.iter().map(|text| vector(text).to_vec()).collect();
        prop_assert_eq!(rows, wanted);
        prop_assert_eq!(server.count(), count.div_ceil(most));
        prop_assert_eq!(vectors.usage.input_tokens, count as u64);
    }
}
