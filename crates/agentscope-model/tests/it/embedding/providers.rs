//! What each provider is sent, as its reference has it, and what is read of what it says.

use crate::server::{Answer, Request, Server};
use agentscope_core::{
    ContentBlock, Context, EmbedPurpose, EmbedRequest, Embedder, Embeddings, Error, ErrorKind, Media, Usage,
};
use agentscope_model::{
    DashScopeMultiModalEmbedding, DashScopeTextEmbedding, GeminiTextEmbedding, OllamaTextEmbedding,
};
use serde_json::{Value, json};

fn base(server: &Server) -> String {
    server.url().replace("/v1", "")
}

async fn embed(embedder: &impl Embedder, req: EmbedRequest) -> Result<Embeddings, Error> {
    embedder.embed(req, Context::new()).await
}

fn one(server: &Server) -> Request {
    let mut requests = server.requests();
    assert_eq!(requests.len(), 1);
    requests.remove(0)
}

/// A vector of a model that gives so many numbers.
fn numbers(count: usize, first: f32) -> Vec<f32> {
    let mut numbers = vec![0.0; count];
    numbers[0] = first;
    numbers
}

// https://www.alibabacloud.com/help/en/model-studio/text-embedding-synchronous-api
#[tokio::test]
async fn dashscope_is_sent_texts_by_its_own_api() {
    let server = Server::raw(|_: &Request| {
        let row = |at: usize| json!({"text_index": at, "embedding": numbers(512, at as f32 + 1.0)});
        Answer::json(
            200,
            &json!({"status_code": 200, "request_id": "1ba94ac8-e058-99bc-9cc1-7fdb37940a46", "code": "", "message": "",
                "output": {"embeddings": [row(1), row(0)]}, "usage": {"total_tokens": 7}}),
        )
    });
    let embedder = DashScopeTextEmbedding::new("text-embedding-v4")
        .api_key("k")
        .base_url(format!("{}/api/v1", base(&server)))
        .dimensions(512)
        .body("instruct", "find the answer");
    let req = EmbedRequest::new(["one", "two"]).purpose(EmbedPurpose::Query);
    let vectors = embed(&embedder, req).await.unwrap();
    assert_eq!((vectors.row(0).unwrap()[0], vectors.row(1).unwrap()[0]), (1.0, 2.0));
    assert_eq!(vectors.usage, Usage::new(7, 0));
    let request = one(&server);
    assert_eq!(request.path, "/api/v1/services/embeddings/text-embedding/text-embedding");
    assert_eq!(request.header("authorization"), Some("Bearer k"));
    assert_eq!(
        request.json(),
        json!({"model": "text-embedding-v4", "input": {"texts": ["one", "two"]},
            "parameters": {"dimension": 512, "text_type": "query", "instruct": "find the answer"}})
    );
}

#[tokio::test]
async fn dashscope_takes_ten_texts_at_once() {
    let server = Server::raw(|request: &Request| {
        let count = request.json()["input"]["texts"].as_array().unwrap().len();
        assert!(count <= 10);
        let rows: Vec<Value> =
            (0..count).map(|at| json!({"text_index": at, "embedding": numbers(1024, 1.0)})).collect();
        Answer::json(200, &json!({"output": {"embeddings": rows}, "usage": {"total_tokens": count}}))
    });
    let embedder = DashScopeTextEmbedding::new("text-embedding-v3").api_key("k").base_url(base(&server));
    let texts = vec!["a"; 25];
    let vectors = embed(&embedder, EmbedRequest::new(texts)).await.unwrap();
    assert_eq!((vectors.len(), vectors.usage.input_tokens, server.count()), (25, 25, 3));
    let mut counts: Vec<_> =
        server.requests().iter().map(|it| it.json()["input"]["texts"].as_array().unwrap().len()).collect();
    counts.sort_unstable();
    assert_eq!(counts, [5, 10, 10]);
}

#[tokio::test]
async fn dashscope_says_what_is_wrong() {
    for (status, code, kind) in [
        (400, "InvalidParameter", ErrorKind::InvalidInput),
        (400, "Arrearage", ErrorKind::Exhausted),
        (400, "DataInspectionFailed", ErrorKind::Refused),
        (401, "InvalidApiKey", ErrorKind::Unauthorized),
        (403, "AllocationQuota.FreeTierOnly", ErrorKind::Exhausted),
        (429, "Throttling.RateQuota", ErrorKind::RateLimited),
    ] {
        let body = json!({"code": code, "message": "as it says", "request_id": "r"});
        let server = Server::raw(Answer::json(status, &body));
        let embedder =
            DashScopeTextEmbedding::new("text-embedding-v4").api_key("k").base_url(base(&server)).retries(0);
        let error = embed(&embedder, EmbedRequest::new(["a"])).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{code}: {error}");
        assert!(kind == ErrorKind::Unauthorized || error.message().contains("as it says"), "{error}");
    }
}

// https://www.alibabacloud.com/help/en/model-studio/multimodal-embedding-api-reference
#[tokio::test]
async fn dashscope_is_sent_pictures_and_films() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dot.png");
    std::fs::write(&path, [0x89, b'P', b'N', b'G']).unwrap();
    let server = Server::raw(|request: &Request| {
        let contents = request.json()["input"]["contents"].as_array().unwrap().clone();
        let row = |at: usize| json!({"index": at, "embedding": numbers(1152, 1.0), "type": "vl"});
        let rows: Vec<Value> = (0..contents.len()).map(row).collect();
        Answer::json(
            200,
            &json!({"output": {"embeddings": rows}, "request_id": "r", "usage": {"input_tokens": 10, "image_tokens": 896}}),
        )
    });
    let embedder = DashScopeMultiModalEmbedding::new("tongyi-embedding-vision-plus")
        .api_key("k")
        .base_url(base(&server));
    let inputs = [
        ContentBlock::text("a dot"),
        ContentBlock::url("https://example.org/a.jpg"),
        ContentBlock::url(path.to_str().unwrap()),
        ContentBlock::Image(Media::base64("image/webp", "AAAA")),
        ContentBlock::url("https://example.org/a.mp4"),
    ];
    let vectors = embed(&embedder, EmbedRequest::new(inputs)).await.unwrap();
    assert_eq!((vectors.len(), vectors.dimensions(), vectors.usage), (5, 1152, Usage::new(906, 0)));
    let request = one(&server);
    assert_eq!(request.path, "/services/embeddings/multimodal-embedding/multimodal-embedding");
    assert_eq!(
        request.json(),
        json!({"model": "tongyi-embedding-vision-plus", "input": {"contents": [
            {"text": "a dot"}, {"image": "https://example.org/a.jpg"}, {"image": "data:image/png;base64,iVBORw=="},
            {"image": "data:image/webp;base64,AAAA"}, {"video": "https://example.org/a.mp4"}]}})
    );
    let local = EmbedRequest::new([ContentBlock::Video(Media::base64("video/mp4", "AAAA"))]);
    let error = embed(&embedder, local).await.unwrap_err();
    assert!(error.message().starts_with("DashScope takes a film by its web address only"), "{error}");
    let gone = EmbedRequest::new([ContentBlock::url(folder.path().join("gone.png").to_str().unwrap())]);
    let error = embed(&embedder, gone).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(server.count(), 1);
}

// https://ai.google.dev/api/embeddings#method:-models.batchembedcontents
#[tokio::test]
async fn gemini_is_sent_a_batch_and_short_vectors_are_made_of_length_one() {
    let server = Server::raw(Answer::json(
        200,
        &json!({"embeddings": [{"values": [3.0, 4.0]}, {"values": [0.0, -2.0]}]}),
    ));
    let embedder = GeminiTextEmbedding::new("gemini-embedding-001")
        .api_key("k")
        .base_url(format!("{}/v1beta", base(&server)))
        .dimensions(2);
    let req = EmbedRequest::new(["one", "two"]).purpose(EmbedPurpose::Document).extra("title", "T");
    let vectors = embed(&embedder, req).await.unwrap();
    assert_eq!(vectors.values(), [0.6, 0.8, 0.0, -1.0]);
    let request = one(&server);
    assert_eq!(request.path, "/v1beta/models/gemini-embedding-001:batchEmbedContents");
    assert_eq!((request.header("x-goog-api-key"), request.header("authorization")), (Some("k"), None));
    let asked = |text: &str| {
        json!({"model": "models/gemini-embedding-001", "content": {"parts": [{"text": text}]},
            "taskType": "RETRIEVAL_DOCUMENT", "outputDimensionality": 2, "title": "T"})
    };
    assert_eq!(request.json(), json!({"requests": [asked("one"), asked("two")]}));
}

#[tokio::test]
async fn gemini_is_sent_media_where_the_model_takes_them() {
    let server = Server::raw(Answer::json(200, &json!({"embeddings": [{"values": numbers(3072, 1.0)}]})));
    let embedder = |model: &str| GeminiTextEmbedding::new(model).api_key("k").base_url(base(&server));
    let picture = || {
        EmbedRequest::new([ContentBlock::Image(Media::base64("image/png", "AAAA"))])
            .purpose(EmbedPurpose::Query)
    };
    embed(&embedder("gemini-embedding-2"), picture()).await.unwrap();
    assert_eq!(
        one(&server).json()["requests"][0],
        json!({"model": "models/gemini-embedding-2",
            "content": {"parts": [{"inlineData": {"mimeType": "image/png", "data": "AAAA"}}]}})
    );
    let error = embed(&embedder("gemini-embedding-001"), picture()).await.unwrap_err();
    assert!(error.message().ends_with("`gemini-embedding-001` takes texts only"), "{error}");
}

#[tokio::test]
async fn gemini_says_what_is_wrong() {
    let report = |code: u16, status: &str, message: &str, reason: &str| {
        json!({"error": {"code": code, "status": status, "message": message, "details": [
            {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason},
            {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "90s"}]}})
    };
    for (status, body, kind) in [
        (
            400,
            report(
                400,
                "INVALID_ARGUMENT",
                "API key not valid. Please pass a valid API key.",
                "API_KEY_INVALID",
            ),
            ErrorKind::Unauthorized,
        ),
        (
            400,
            report(400, "INVALID_ARGUMENT", "at most 100 requests can be in one batch", "X"),
            ErrorKind::InvalidInput,
        ),
        (404, report(404, "NOT_FOUND", "models/x is not found", "X"), ErrorKind::NotFound),
        (
            429,
            report(429, "RESOURCE_EXHAUSTED", "Quota exceeded for metric", "RATE_LIMIT_EXCEEDED"),
            ErrorKind::RateLimited,
        ),
    ] {
        let server = Server::raw(Answer::json(status, &body));
        let embedder = GeminiTextEmbedding::new("gemini-embedding-001").api_key("k").base_url(base(&server));
        let error = embed(&embedder, EmbedRequest::new(["a"])).await.unwrap_err();
        assert_eq!((error.kind(), server.count()), (kind, 1), "{error}");
        let wait = error.retry_after().map(|it| it.as_secs());
        assert_eq!(wait, (kind == ErrorKind::RateLimited).then_some(90));
    }
}

// https://github.com/ollama/ollama/blob/main/docs/api.md#generate-embeddings
#[tokio::test]
async fn ollama_is_sent_texts_that_it_must_not_cut() {
    let server = Server::raw(Answer::json(
        200,
        &json!({"model": "nomic-embed-text", "embeddings": [[0.1, 0.2], [0.3, 0.4]], "total_duration": 14143917,
            "load_duration": 1019500, "prompt_eval_count": 8}),
    ));
    // Users have one variable for both of its APIs.
    let embedder =
        OllamaTextEmbedding::new("nomic-embed-text").base_url(server.url()).body("keep_alive", "10m");
    let vectors = embed(&embedder, EmbedRequest::new(["one", "two"])).await.unwrap();
    assert_eq!((vectors.values(), vectors.usage), (&[0.1, 0.2, 0.3, 0.4][..], Usage::new(8, 0)));
    let request = one(&server);
    assert_eq!((request.path.as_str(), request.header("authorization")), ("/api/embed", None));
    assert_eq!(
        request.json(),
        json!({"model": "nomic-embed-text", "input": ["one", "two"], "truncate": false, "keep_alive": "10m"})
    );
}

#[tokio::test]
async fn ollama_says_what_is_wrong() {
    for (status, said, kind) in [
        (404, "model \"x\" not found, try pulling it first", ErrorKind::NotFound),
        (400, "the input length exceeds the context length", ErrorKind::ContextOverflow),
        (500, "llama runner process has terminated", ErrorKind::Unavailable),
    ] {
        let server = Server::raw(Answer::json(status, &json!({ "error": said })));
        let embedder = OllamaTextEmbedding::new("x").base_url(base(&server)).retries(0);
        let error = embed(&embedder, EmbedRequest::new(["a"])).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.message().contains(said), "{error}");
    }
}
