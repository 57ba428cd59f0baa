//! What goes wrong with an answer, told so that one can do something about it.

use super::{embed, embedder, embeddings};
use crate::server::{Answer, At, Request, Server, Then};
use agentscope_core::{ContentBlock, Context, EmbedRequest, Embedder, Error, ErrorKind};
use agentscope_model::OpenAITextEmbedding;
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use std::{
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
    time::{Duration, Instant},
};

fn data(rows: Value) -> Answer {
    Answer::json(200, &json!({ "data": rows }))
}

/// The error of asking for the vectors of two texts.
async fn refused(answer: Answer) -> Error {
    let server = Server::raw(answer);
    embed(&embedder(&server).api_key("sk-secret").retries(0), &["a", "b"]).await.unwrap_err()
}

#[tokio::test]
async fn an_answer_that_cannot_be_true_is_an_error() {
    let row = |at: u32| json!({"index": at, "embedding": [1.0, 2.0]});
    let nan = STANDARD.encode([f32::NAN.to_le_bytes(), 1.0_f32.to_le_bytes()].concat());
    for (rows, why) in [
        (json!([row(0)]), "1 vectors for 2 inputs"),
        (json!([row(0), row(1), row(2)]), "3 vectors for 2 inputs"),
        (json!([row(0), row(0)]), "two vectors for input 0"),
        (json!([row(0), row(7)]), "a vector for input 7 of 2, counted from 0"),
        (json!([row(0), {"index": 1, "embedding": []}]), "an empty vector for input 1"),
        (json!([row(0), {"index": 1, "embedding": [1.0]}]), "a vector of 1 numbers in place of 2"),
        (json!([row(0), {"index": 1, "embedding": nan}]), "the number NaN in the vector of input 1"),
    ] {
        let error = refused(data(rows)).await;
        assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
        assert!(error.message().contains(&format!("answered for `m` with {why}")), "{error}");
    }
}

#[tokio::test]
async fn what_is_no_answer_is_told_without_what_was_in_it() {
    let page = Answer::new(200, "text/html", "<!DOCTYPE html><title>secret</title>");
    assert!(refused(page).await.message().ends_with(
        "answered with an HTML page: is the base URL that of its API, which mostly ends with /v1?"
    ));
    let cut = Answer::new(200, "application/json", r#"{"data":[{"embedding":[1.0,"#);
    assert!(
        refused(cut).await.message().ends_with("with what is no JSON: is it compatible with OpenAI's API?")
    );
    for odd in [
        json!({"data": "secret"}),
        json!({"data": [{"embedding": null}]}),
        json!({}),
        json!([]),
        json!({"data": [{"embedding": ["x"]}]}),
        json!({"data": [{"embedding": [1e300]}]}),
    ] {
        let error = refused(Answer::json(200, &odd)).await;
        assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
        assert!(
            error.message().contains("JSON that is no answer of a model")
                && !error.message().contains("secret"),
            "{error}"
        );
    }
    let hidden = refused(Answer::json(200, &json!({"error": {"message": "the model is gone"}}))).await;
    assert!(hidden.message().contains("and says: the model is gone"), "{hidden}");
}

#[tokio::test]
async fn a_refusal_says_what_to_do() {
    let said = |message: &str, code: &str| json!({"error": {"message": message, "code": code}});
    for (status, body, kind, words) in [
        (400, said("bad", "x"), ErrorKind::InvalidInput, "does not accept the request (status 400): bad"),
        (
            400,
            said("This model's maximum context length is 8192 tokens, however you requested 9001.", "x"),
            ErrorKind::ContextOverflow,
            "an input is longer than the model `m` takes: This model's maximum context length",
        ),
        (
            401,
            said("key sk-secret is wrong", "invalid_api_key"),
            ErrorKind::Unauthorized,
            "does not accept the key for `m`",
        ),
        (403, said("no sk-secret", "x"), ErrorKind::Unauthorized, "does not let this key use `m`: no ***"),
        (404, said("no such model", "model_not_found"), ErrorKind::NotFound, "has no model `m`"),
        (429, said("you ran out", "insufficient_quota"), ErrorKind::Exhausted, "is used up: you ran out"),
        (
            429,
            said("slow", "rate_limit_exceeded"),
            ErrorKind::RateLimited,
            "takes no more requests for now: slow",
        ),
        (500, json!("broken"), ErrorKind::Unavailable, "failed with the status 500"),
        (302, json!({}), ErrorKind::InvalidInput, "redirects, which is not followed with a key"),
    ] {
        let error = refused(Answer::json(status, &body)).await;
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.message().contains(words), "{error}");
        assert!(!format!("{error:?}").contains("sk-secret"), "{error:?}");
    }
}

#[tokio::test]
async fn a_request_is_sent_again_where_that_may_help() {
    let wait = Answer::json(429, &json!({"error": {"message": "slow"}})).header("retry-after", "0.2");
    let cut = Answer::json(200, &json!({"data": [{"embedding": [1.0]}]})).cut(At::End(3), Then::Close);
    for trouble in [
        wait,
        cut,
        Answer::json(503, &json!({})),
        Answer::text("x").then(Then::Reset).cut(At::Byte(0), Then::Reset),
    ] {
        let count = AtomicUsize::new(0);
        let server = Server::raw(move |request: &Request| match count.fetch_add(1, SeqCst) {
            0 => trouble.clone(),
            _ => embeddings(request),
        });
        let start = Instant::now();
        embed(&embedder(&server), &["a"]).await.unwrap();
        assert_eq!(server.count(), 2);
        let first = &server.requests()[0];
        assert_eq!(first.body, server.requests()[1].body);
        assert!(start.elapsed() < Duration::from_secs(5));
    }
}

#[tokio::test]
async fn the_wait_that_a_server_asks_for_is_kept_and_no_longer_one_than_a_minute() {
    let server = Server::raw(Answer::json(429, &json!({})).header("retry-after", "0.3"));
    let start = Instant::now();
    let error = embed(&embedder(&server), &["a"]).await.unwrap_err();
    assert!(start.elapsed() >= Duration::from_millis(600), "{:?}", start.elapsed());
    assert!(error.message().starts_with("asked 3 times: "), "{error}");
    assert_eq!((error.kind(), server.count()), (ErrorKind::RateLimited, 3));

    let server = Server::raw(Answer::json(429, &json!({})).header("retry-after", "61"));
    let error = embed(&embedder(&server), &["a"]).await.unwrap_err();
    assert_eq!((error.retry_after(), server.count()), (Some(Duration::from_secs(61)), 1));
}

#[tokio::test]
async fn nobody_waits_longer_than_the_deadline() {
    let server = Server::raw(embeddings as fn(&Request) -> Answer);
    let gone = Context::new().with_deadline(Duration::ZERO);
    let error = embedder(&server).embed(EmbedRequest::new(["a"]), gone).await.unwrap_err();
    assert_eq!((error.kind(), server.count()), (ErrorKind::Timeout, 0));

    let server = Server::raw(|request: &Request| embeddings(request).after(Duration::from_secs(30)));
    let soon = Context::new().with_deadline(Duration::from_millis(100));
    let error = embedder(&server).embed(EmbedRequest::new(["a"]), soon).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.message().ends_with("the deadline was reached"), "{error}");
    let error = embed(&embedder(&server).timeout(Duration::from_millis(50)), &["a"]).await.unwrap_err();
    assert!(
        error.message().ends_with("had no answer for `m` after 0.05 s: allow more by `.timeout(..)`"),
        "{error}"
    );
    assert_eq!(server.count(), 2, "what took its time is not asked again");
}

#[tokio::test]
async fn one_part_that_fails_stops_the_others() {
    let server = Server::raw(|request: &Request| {
        if request.json()["input"][0] == "text 4" {
            return Answer::json(400, &json!({"error": {"message": "no"}})).after(Duration::from_millis(50));
        }
        embeddings(request).after(Duration::from_secs(30))
    });
    let texts: Vec<String> = (0..40).map(|at| format!("text {at}")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let start = Instant::now();
    let error = embed(&embedder(&server).max_batch(2), &texts).await.unwrap_err();
    assert!(error.message().starts_with("part 3 of 20: "), "{error}");
    assert!(start.elapsed() < Duration::from_secs(10));
    assert_eq!(server.count(), 4, "no further part was sent");
    assert_eq!(server.wait(|counts| counts.left == 3).await.left, 3, "the others were given up");
}

#[tokio::test]
async fn dropping_the_future_stops_the_work() {
    let server = Server::raw(|request: &Request| embeddings(request).after(Duration::from_secs(30)));
    let embedder = embedder(&server);
    {
        let work = embed(&embedder, &["a"]);
        tokio::select! {
            _ = work => panic!("nothing was answered"),
            _ = server.wait(|counts| counts.requests == 1) => {}
        }
    }
    assert_eq!(server.wait(|counts| counts.left == 1).await.left, 1);
}

#[tokio::test]
async fn what_no_model_takes_is_refused_before_anything_is_sent() {
    let server = Server::raw(embeddings as fn(&Request) -> Answer);
    let refused = async |inputs: Vec<ContentBlock>| {
        let error = embedder(&server).embed(EmbedRequest::new(inputs), Context::new()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        error.message().to_owned()
    };
    assert_eq!(
        refused(vec!["a".into(), "".into()]).await,
        "input 2 of 2 is an empty text, which has no meaning: leave it out"
    );
    assert_eq!(
        refused(vec![ContentBlock::url("a.png")]).await,
        "input 1 of 1 is an image (image/png), and `m` takes texts only"
    );
    assert_eq!(
        refused(vec![ContentBlock::thinking("hm")]).await,
        "input 1 of 1 is neither words nor media: give what it says as text"
    );
    assert_eq!(server.count(), 0);
}

#[tokio::test]
async fn dimensions_that_were_promised_are_kept() {
    let server = Server::raw(embeddings as fn(&Request) -> Answer);
    let error = embed(&embedder(&server).dimensions(3), &["a"]).await.unwrap_err();
    assert!(
        error.message().contains("a vector of 2 numbers in place of 3: set `.dimensions(..)`"),
        "{error}"
    );
    let known = OpenAITextEmbedding::new("text-embedding-3-small").base_url(server.url()).api_key("k");
    let error = embed(&known, &["a"]).await.unwrap_err();
    assert!(error.message().contains("a vector of 2 numbers in place of 1536"), "{error}");
}

#[tokio::test]
async fn neither_a_key_nor_an_address_with_one_is_told() {
    let embedder = OpenAITextEmbedding::compatible("http://user:pass-word@127.0.0.1:1/v1?key=abcdef", "m")
        .api_key("sk-secret");
    let shown = format!("{embedder:?} {:?}", embedder.card());
    let error = embed(&embedder.retries(0), &["a"]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    for secret in ["sk-secret", "pass-word", "abcdef"] {
        assert!(!shown.contains(secret) && !format!("{error:?}").contains(secret), "{shown} {error:?}");
    }
    let error = embed(&OpenAITextEmbedding::compatible("nowhere", "m"), &["a"]).await.unwrap_err();
    assert!(error.message().starts_with("`nowhere` is no base URL of an API"), "{error}");
}
