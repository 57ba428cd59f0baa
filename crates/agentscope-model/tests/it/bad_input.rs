//! What a user reads when something is wrong: what happened and what to do, in a sentence, and never the key.

use crate::server::{Answer, Request, Script, Server, fault};
use agentscope_core::{ChatModel, Context, Error, ErrorKind, ModelRequest, Msg};
use agentscope_model::{OpenAIChatModel, Provider, from_spec};
use futures_util::TryStreamExt;
use serde_json::json;
use std::{error::Error as _, sync::Arc, time::Duration};
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpSocket},
    task::JoinSet,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, pki_types::PrivateKeyDer},
};

/// What no message may have.
const KEY: &str = "sk-4711-very-secret";

fn model(url: impl Into<String>) -> OpenAIChatModel {
    OpenAIChatModel::new("gpt-4o").api_key(KEY).base_url(url)
}

/// How asking the model fails. Neither what is shown nor what a log would have of it has the key.
async fn failure(model: &OpenAIChatModel) -> Error {
    let asked = model.call(ModelRequest::new([Msg::user("hi")]), Context::new());
    let error = asked.try_collect::<Vec<_>>().await.unwrap_err();
    assert!(!format!("{error} {error:?} {model:?}").contains(KEY), "the key is in {error:?}");
    error
}

/// How asking a server with this script fails, with the server's address as HOST, and how often it was asked.
async fn told(
    script: impl Script,
    change: fn(OpenAIChatModel) -> OpenAIChatModel,
) -> (ErrorKind, String, usize) {
    let server = Server::start(script);
    let error = failure(&change(model(server.url()))).await;
    (error.kind(), error.message().replace(&server.address().to_string(), "HOST"), server.count())
}

fn as_it_is(model: OpenAIChatModel) -> OpenAIChatModel {
    model
}

fn named(name: &str) -> Answer {
    fault(name).unwrap()
}

#[test]
fn an_unknown_spec_names_the_known_ones() {
    let error = from_spec("opnai:gpt-4o").err().unwrap();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    let known = "`opnai` is no known provider of models (do you mean `openai`?): a spec is `openai:gpt-4o`, ";
    assert!(error.message().starts_with(known), "{error}");
    assert!(error.message().ends_with(" or `http://host:8000/v1#NAME`"), "{error}");
}

#[tokio::test]
async fn a_missing_key_names_its_variable() {
    // The variable may be set where tests run, so that the key is taken away with the address, and that is given back.
    let model = OpenAIChatModel::of(Provider::OpenAi, "gpt-4o").base_url("https://api.openai.com/v1");
    let error = failure(&model).await;
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    assert_eq!(error.message(), "model `gpt-4o` needs OPENAI_API_KEY: set it or pass `.api_key(..)`");
}

#[tokio::test]
async fn a_wrong_key_is_told_and_not_shown() {
    let echo =
        Answer::json(401, &json!({"error": {"message": format!("Incorrect API key provided: {KEY}.")}}));
    let (kind, message, asked) = told(echo, as_it_is).await;
    assert_eq!((kind, asked), (ErrorKind::Unauthorized, 1));
    assert_eq!(
        message,
        "HOST does not accept the key for `gpt-4o`: set OPENAI_API_KEY to a valid one, or pass `.api_key(..)`"
    );
}

#[tokio::test]
async fn a_key_that_was_not_sent_is_asked_for_where_it_can_be_given() {
    let server = Server::start(named("unauthorized"));
    let error = failure(&OpenAIChatModel::new("gpt-4o").base_url(server.url())).await;
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    assert_eq!(
        error.message().replace(&server.address().to_string(), "HOST"),
        "HOST wants a key for `gpt-4o`: pass `.api_key(..)`, because one of the environment is not sent to an address \
         of `.base_url(..)`"
    );
}

#[tokio::test]
async fn a_limit_that_says_how_long_is_waited_for_and_told() {
    let (kind, message, asked) = told(named("rate-limited-date"), as_it_is).await;
    assert_eq!((kind, asked), (ErrorKind::RateLimited, 3));
    assert_eq!(
        message,
        "asked 3 times: HOST takes no more requests for now: Rate limit reached: wait, or use another model"
    );

    let server = Server::start(named("rate-limited-seconds"));
    let error = failure(&model(server.url()).retries(0)).await;
    assert_eq!((error.retry_after(), server.count()), (Some(Duration::from_secs(1)), 1));
}

#[tokio::test]
async fn a_limit_that_does_not_say_how_long_is_tried_again() {
    let (kind, message, asked) = told(named("rate-limited"), |model| model.retries(1)).await;
    assert_eq!((kind, asked), (ErrorKind::RateLimited, 2));
    assert_eq!(
        message,
        "asked 2 times: HOST takes no more requests for now: Rate limit reached: wait, or use another model"
    );
}

#[tokio::test]
async fn a_server_that_fails_is_tried_again() {
    let (kind, message, asked) = told(named("internal"), |model| model.retries(1)).await;
    assert_eq!((kind, asked), (ErrorKind::Unavailable, 2));
    assert_eq!(
        message,
        "asked 2 times: HOST failed with the status 500: The server had an error: try again later, or use another model"
    );
}

#[tokio::test]
async fn what_a_server_says_is_told_without_the_key() {
    let echo = Answer::json(503, &json!({"error": {"message": format!("no upstream takes {KEY}")}}));
    let (_, message, _) = told(echo, |model| model.retries(0)).await;
    assert_eq!(
        message,
        "HOST failed with the status 503: no upstream takes ***: try again later, or use another model"
    );
}

#[tokio::test]
async fn what_a_stream_says_of_an_error_is_told_without_the_key() {
    let report = json!({"error": {"message": format!("{KEY} is no key for org-12345"), "code": 503}});
    let error = Answer::events(format!("data: {report}\n\n"));
    let (_, message, _) =
        told(error, |model| model.retries(0).header("OpenAI-Organization", "org-12345")).await;
    assert_eq!(
        message,
        "HOST broke its answer off and says: *** is no key for ***: try again, or use another model"
    );
}

#[tokio::test]
async fn a_body_that_is_no_json_is_told() {
    let (kind, message, asked) = told(named("not-json"), as_it_is).await;
    assert_eq!((kind, asked), (ErrorKind::Protocol, 1));
    assert_eq!(message, "HOST answered with what is no JSON: is it compatible with OpenAI's API?");
    let (kind, message, asked) = told(named("wrong-type"), as_it_is).await;
    assert_eq!((kind, asked), (ErrorKind::Protocol, 1));
    assert_eq!(message, "HOST answered with what is no JSON: is it compatible with OpenAI's API?");
}

#[tokio::test]
async fn a_page_is_told_from_an_answer() {
    let (kind, message, asked) = told(named("html"), as_it_is).await;
    assert_eq!((kind, asked), (ErrorKind::Protocol, 1));
    assert_eq!(
        message,
        "HOST answered with an HTML page: is the base URL that of its API, which mostly ends with /v1?"
    );
    let (kind, message, asked) = told(named("html-502"), |model| model.retries(1)).await;
    assert_eq!((kind, asked), (ErrorKind::Unavailable, 2));
    assert_eq!(
        message,
        "asked 2 times: HOST failed with the status 502 and an HTML page: try again later, or use another model"
    );
}

#[tokio::test]
async fn a_body_that_is_cut_short_is_told() {
    let (kind, message, asked) = told(named("short-body"), |model| model.stream(false).retries(1)).await;
    assert_eq!((kind, asked), (ErrorKind::Unavailable, 2));
    assert_eq!(
        message,
        "asked 2 times: the answer of `gpt-4o` broke off: the connection to HOST broke off: try again"
    );
    let (kind, message, asked) = told(named("short-stream"), as_it_is).await;
    assert_eq!((kind, asked), (ErrorKind::Unavailable, 1));
    assert_eq!(message, "the answer of `gpt-4o` broke off: the connection to HOST broke off: try again");
    let (kind, message, asked) = told(named("no-finish-no-done"), as_it_is).await;
    assert_eq!((kind, asked), (ErrorKind::Unavailable, 1));
    assert_eq!(
        message,
        "the answer of HOST broke off: the stream ended without a finish reason, so try again"
    );
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_names_where_it_leads() {
    let elsewhere = Arc::new(Server::raw(Answer::text("hi")));
    let location = format!("{}/chat/completions", elsewhere.url());
    let redirect = move |_: &Request| Answer::new(307, "text/plain", "").header("location", &*location);
    let (kind, message, asked) = told(redirect, as_it_is).await;
    assert_eq!((kind, asked, elsewhere.count()), (ErrorKind::InvalidInput, 1, 0));
    assert_eq!(
        message.replace(&elsewhere.address().to_string(), "ELSEWHERE"),
        "HOST redirects to http://ELSEWHERE/v1/chat/completions, which is not followed with a key: give the address that it redirects to as base URL"
    );
}

#[tokio::test]
async fn a_server_that_never_answers_is_not_waited_for_for_ever() {
    let hasty = |model: OpenAIChatModel| model.first_byte_timeout(Duration::from_millis(300));
    let (kind, message, asked) = told(named("silence"), hasty).await;
    assert_eq!((kind, asked), (ErrorKind::Timeout, 1));
    assert_eq!(
        message,
        "HOST did not answer for 0.3 s: try again, or allow more by `.first_byte_timeout(..)`"
    );
    let (kind, message, asked) = told(named("silence-after-head"), hasty).await;
    assert_eq!((kind, asked), (ErrorKind::Timeout, 1));
    assert_eq!(
        message,
        "HOST said nothing more for 0.3 s: try again, or allow more by `.first_byte_timeout(..)`"
    );
    let patient = |model: OpenAIChatModel| model.chunk_timeout(Duration::from_millis(300));
    let (kind, message, asked) = told(named("silence-in-body"), patient).await;
    assert_eq!((kind, asked), (ErrorKind::Timeout, 1));
    assert_eq!(message, "HOST said nothing more for 0.3 s: try again, or allow more by `.chunk_timeout(..)`");
}

#[tokio::test]
async fn nobody_at_the_address_is_told() {
    // Bound and not listening: nobody else gets the port.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let address = socket.local_addr().unwrap();
    let error = failure(&model(format!("http://{address}/v1")).retries(0)).await;
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(
        error.message().replace(&address.to_string(), "HOST"),
        "nothing listens at HOST: start the server, or correct the address"
    );

    // An address to which a proxy may be on the way.
    let address = format!("0.0.0.0:{}", address.port());
    let error = failure(&model(format!("http://{address}/v1")).retries(0)).await;
    assert_eq!(
        error.message().replace(&address, "HOST"),
        "nothing listens at HOST, or at its proxy where there is one: start the server, or correct the address"
    );
}

#[tokio::test]
async fn a_name_that_cannot_be_resolved_is_told() {
    let error = failure(&model("http://model.invalid/v1").retries(0)).await;
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(
        error.message(),
        "the name model.invalid cannot be resolved: check its spelling and this machine's network"
    );
}

/// A server with a certificate that it has signed itself.
async fn self_signed() -> (String, JoinSet<()>) {
    let signed = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(signed.signing_key.serialize_der()).unwrap();
    let config =
        ServerConfig::builder_with_provider(Arc::new(tokio_rustls::rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![signed.cert.der().clone()], key)
            .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}/v1", listener.local_addr().unwrap().port());
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        let acceptor = TlsAcceptor::from(Arc::new(config));
        while let Ok((stream, _)) = listener.accept().await {
            // The client breaks the handshake off, which is what the test is about.
            if let Ok(mut stream) = acceptor.accept(stream).await {
                drop(stream.read(&mut [0; 64]).await);
            }
        }
    });
    (url, serving)
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_told() {
    let (url, _serving) = self_signed().await;
    let error = failure(&model(url.as_str()).retries(0)).await;
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    let host = url.trim_start_matches("https://").trim_end_matches("/v1");
    assert_eq!(
        error.message().replace(host, "HOST"),
        "the certificate of HOST is not trusted (UnknownIssuer): correct the address, or add its authority by SSL_CERT_FILE"
    );
}

#[tokio::test]
async fn a_server_without_tls_is_told() {
    let server = Server::start(vec![]);
    let error = failure(&model(server.url().replace("http", "https")).retries(0)).await;
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert_eq!(
        error.message().replace(&server.address().to_string(), "HOST"),
        "HOST does not speak TLS: use an address that begins with http://"
    );
}

#[tokio::test]
async fn an_address_that_is_none_is_told() {
    for (url, why) in [
        ("localhost:8000/v1", "it does not begin with http:// or https:// and a host"),
        ("ftp://localhost/v1", "it does not begin with http:// or https:// and a host"),
        ("", "relative URL without a base"),
    ] {
        let error = failure(&model(url)).await;
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{url}");
        let told =
            format!("`{url}` is no base URL of an API ({why}): give one such as http://localhost:8000/v1");
        assert_eq!(error.message(), told);
    }
}

#[tokio::test]
async fn a_key_that_no_header_can_have_is_told() {
    let model = OpenAIChatModel::new("gpt-4o").api_key(format!("{KEY}\nx")).base_url("http://127.0.0.1:1/v1");
    let error = failure(&model).await;
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(
        error.message(),
        "the API key has characters that no HTTP header can have, such as a line break: correct it"
    );
    assert!(error.source().is_none());
}

#[tokio::test]
async fn an_unknown_model_and_a_wrong_path_are_told() {
    let (kind, message, asked) = told(named("no-such-model"), as_it_is).await;
    assert_eq!((kind, asked), (ErrorKind::NotFound, 1));
    assert_eq!(
        message,
        "HOST has no model `gpt-4o`, or is not the base URL of its API, which mostly ends with /v1: The model `scripted` does not exist"
    );
    let server = Server::start(vec![]);
    let error = failure(&model(server.url().trim_end_matches("/v1"))).await;
    assert_eq!((error.kind(), server.count()), (ErrorKind::NotFound, 1));
    assert_eq!(
        error.message().replace(&server.address().to_string(), "HOST"),
        "HOST has no model `gpt-4o`, or is not the base URL of its API, which mostly ends with /v1: Unknown request URL: POST /chat/completions"
    );
}

#[tokio::test]
async fn a_quota_that_is_used_up_is_not_tried_again() {
    let (kind, message, asked) = told(named("no-quota"), as_it_is).await;
    assert_eq!((kind, asked), (ErrorKind::Exhausted, 1));
    assert_eq!(
        message,
        "the quota at HOST is used up: You exceeded your current quota: raise it, or use another model"
    );
}

#[tokio::test]
async fn a_conversation_that_is_too_long_is_told() {
    let (kind, message, asked) = told(named("too-long"), as_it_is).await;
    assert_eq!((kind, asked), (ErrorKind::ContextOverflow, 1));
    assert_eq!(
        message,
        "the conversation is longer than the model `gpt-4o` takes: This model's maximum context length is 8192 tokens: shorten it, or use a model that takes more"
    );
}

#[tokio::test]
async fn an_answer_that_is_compressed_is_told() {
    let gzip = Answer::new(200, "application/json", &b"\x1f\x8b\x08\x00\x00\x00\x00\x00"[..])
        .header("content-encoding", "gzip");
    let (kind, message, asked) = told(gzip, as_it_is).await;
    assert_eq!((kind, asked), (ErrorKind::Protocol, 1));
    assert_eq!(
        message,
        "HOST compresses its answers (gzip), though it was not asked to: turn that off there or in a proxy before it"
    );
}

/// Gemini puts a list around its errors.
#[tokio::test]
async fn an_error_in_a_list_is_told() {
    let list = Answer::json(
        400,
        &json!([{"error": {"code": 400, "message": "Function call is missing a thought_signature.", "status": "INVALID_ARGUMENT"}}]),
    );
    let (kind, message, _) = told(list, as_it_is).await;
    assert_eq!(kind, ErrorKind::InvalidInput);
    assert_eq!(
        message,
        "HOST does not accept the request (status 400): Function call is missing a thought_signature"
    );
}

#[tokio::test]
async fn conversations_that_are_too_long_are_known_in_many_words() {
    for words in [
        "This model's maximum prompt length is 131072 but the request contains 143000 tokens.", // xAI
        "Prompt exceeds max length",                                                            // Zhipu
        "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096.", // text-generation-inference
        "prompt token count of 130000 exceeds the limit of 128000",                    // Copilot
        "Range of input length should be [1, 30720]",                                  // DashScope
        "Too many input tokens",                                                       // Bedrock
    ] {
        let (kind, message, _) =
            told(Answer::json(400, &json!({"error": {"message": words}})), as_it_is).await;
        assert_eq!(kind, ErrorKind::ContextOverflow, "{message}");
    }
}

#[tokio::test]
async fn secrets_of_an_address_are_told_nowhere() {
    let server = Server::start(|request: &Request| {
        Answer::new(307, "text/plain", "")
            .header("location", format!("https://elsewhere.example{}", request.path))
    });
    let with_secrets = |rest: &str| {
        server.url().replace("http://", &format!("http://user:{KEY}@")) + &format!("?key={KEY}{rest}")
    };
    for url in [
        with_secrets(""),
        format!("ftp://user:{KEY}@host/v1?key={KEY}"),
        format!("user:{KEY}@host"),
        format!("http://user:{KEY}@:0"),
    ] {
        let error = failure(&OpenAIChatModel::of(Provider::Vllm, "m").base_url(&url)).await;
        assert!(!error.message().contains("user:"), "{error}");
    }
    for spec in [
        with_secrets(""),
        with_secrets("#"),
        format!("http://user:{KEY}@:0/v1#m"),
        format!("ollama:x\u{0}{}", ' '),
    ] {
        let told = from_spec(&spec)
            .map(|model| model.card().spec.clone())
            .map_err(|error| format!("{error} {error:?}"));
        assert!(!format!("{told:?}").contains(KEY), "{told:?}");
    }
    let model = from_spec(&with_secrets("&api-version=1#m")).unwrap();
    let card = serde_json::to_string(model.card()).unwrap();
    assert!(!card.contains(KEY) && card.contains("#m"), "{card}");
    let error = model
        .call(ModelRequest::new([Msg::user("hi")]), Context::new())
        .try_collect::<Vec<_>>()
        .await
        .unwrap_err();
    assert!(!format!("{error:?}").contains(KEY), "{error:?}");
    assert!(server.requests()[0].path.contains(KEY), "it is sent all the same");
    assert!(server.requests()[0].header("authorization").is_some_and(|it| it.starts_with("Basic ")));
}
