//! A model over a wire: what is asked, what is answered, when it is asked again.

use crate::server::{Answer, At, Chat, Count, FAULTS, Request, Server, Then, fault};
use agentscope_core::{
    ChatModel, Context, ErrorKind, FinishReason, ModelDelta, ModelRequest, Msg, Result, ToolChoice, ToolSpec,
    testing::conformance,
};
use agentscope_model::{OpenAIChatModel, Provider, from_spec};
use futures_util::StreamExt;
use serde_json::json;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

fn model(server: &Server) -> OpenAIChatModel {
    OpenAIChatModel::of(Provider::Other, "scripted").base_url(server.url()).api_key("k")
}

fn hi() -> ModelRequest {
    ModelRequest::new([Msg::user("hi")])
}

async fn ask(model: &OpenAIChatModel) -> Result<Vec<ModelDelta>> {
    ask_for(model, hi()).await
}

async fn ask_for(model: &OpenAIChatModel, req: ModelRequest) -> Result<Vec<ModelDelta>> {
    let answer = model.call(req, Context::new()).collect::<Vec<_>>();
    let answer = tokio::time::timeout(Duration::from_secs(30), answer).await.expect("the answer hangs");
    answer.into_iter().collect()
}

fn text(deltas: &[ModelDelta]) -> String {
    let texts = deltas.iter().filter_map(|delta| match delta {
        ModelDelta::Text { delta, .. } => Some(delta.as_str()),
        _ => None,
    });
    texts.collect()
}

#[tokio::test]
async fn it_is_a_chat_model() {
    for stream in [true, false] {
        let server = Server::start(|_: &Request| Chat::new().reasoning("Hm.").text("Hello there.").into());
        conformance::chat_model(|| Arc::new(model(&server).stream(stream))).await;
    }
}

#[tokio::test]
async fn an_answer_is_the_same_whole_and_as_a_stream() {
    let usage = Count { input: 9, output: 4, cached: 3, reasoning: 2 };
    let chat = Chat::new()
        .reasoning_in("reasoning", "Hm.")
        .text("Hello.")
        .call("c1", "f", "{\"a\":1}")
        .call("c2", "g", "{}")
        .usage(usage);
    let server = Server::start(move |_: &Request| chat.clone().into());
    let mut answers = Vec::new();
    for stream in [true, false] {
        let mut joined: Vec<ModelDelta> = Vec::new();
        for delta in ask(&model(&server).stream(stream)).await.unwrap() {
            match (joined.last_mut(), delta) {
                (Some(ModelDelta::Text { delta: all, .. }), ModelDelta::Text { delta, .. })
                | (Some(ModelDelta::Thinking { delta: all, .. }), ModelDelta::Thinking { delta, .. }) => {
                    *all += &delta
                }
                (
                    Some(ModelDelta::ToolCall { id: known, delta: all, .. }),
                    ModelDelta::ToolCall { id, delta, .. },
                ) if *known == id => {
                    *all += &delta;
                }
                (_, delta) => joined.push(delta),
            }
        }
        answers.push(joined);
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0].len(), 6, "{:?}", answers[0]);
    assert!(matches!(answers[0].last(), Some(ModelDelta::Finish { reason: FinishReason::Stop })));
}

#[tokio::test]
async fn what_is_asked_is_on_the_wire() {
    let server = Server::start(Answer::text("hi"));
    let model = model(&server).header("X-Project", "p1").body("enable_thinking", true).temperature(0.5);
    ask(&model).await.unwrap();
    let request = &server.requests()[0];
    assert_eq!(
        (request.header("authorization"), request.header("x-project")),
        (Some("Bearer k"), Some("p1"))
    );
    assert_eq!(
        request.json(),
        json!({
            "model": "scripted", "messages": [{"role": "user", "content": "hi"}], "temperature": 0.5,
            "stream": true, "stream_options": {"include_usage": true}, "enable_thinking": true,
        })
    );
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let server = Server::start(Answer::text("hi"));
    for stream in [true, false, true, false] {
        ask(&model(&server).stream(stream)).await.unwrap();
    }
    let counts = server.wait(|counts| counts.requests == 4).await;
    assert_eq!(counts.connections, 1);
}

#[tokio::test]
async fn dropping_an_answer_lets_its_connection_go() {
    let server = Server::start(|_: &Request| Answer::text("x".repeat(1000)).cut(At::End(40), Then::Silence));
    let mut answer = model(&server).call(hi(), Context::new());
    assert!(answer.next().await.unwrap().is_ok());
    drop(answer);
    server.wait(|counts| counts.left == 1).await;
}

#[tokio::test]
async fn it_asks_again_where_that_helps_and_nowhere_else() {
    let again = [
        "rate-limited-date",
        "internal",
        "overloaded",
        "html-502",
        "reset-first",
        "close-first",
        "reset-in-head",
    ];
    let once = [
        "unauthorized",
        "no-such-model",
        "too-long",
        "no-quota",
        "redirect",
        "html",
        "not-json",
        "error-in-band",
    ];
    for (faults, tries) in [(&again[..], 3), (&once[..], 1)] {
        for name in faults {
            let server = Server::start(fault(name).unwrap());
            let error = ask(&model(&server)).await.unwrap_err();
            assert_eq!(server.count(), tries, "{name}: {error}");
            assert_eq!(error.message().starts_with("asked 3 times: "), tries == 3, "{name}: {error}");
        }
    }
    let script = vec![fault("internal").unwrap(), fault("close-first").unwrap(), Answer::text("at last")];
    let server = Server::start(script);
    assert_eq!(text(&ask(&model(&server)).await.unwrap()), "at last");
    let server = Server::start(fault("internal").unwrap());
    ask(&model(&server).retries(0)).await.unwrap_err();
    assert_eq!(server.count(), 1);
}

#[tokio::test]
async fn an_error_in_the_stream_before_anything_was_said_is_asked_again() {
    let refused = Answer::events("data: {\"error\":{\"message\":\"busy\",\"code\":503}}\n\n");
    let server = Server::start(vec![refused, Answer::text("now")]);
    assert_eq!(text(&ask(&model(&server)).await.unwrap()), "now");
}

#[tokio::test]
async fn what_came_before_an_error_is_said_before_it() {
    let chunk = |text: &str| format!("data: {}\n\n", json!({"choices": [{"delta": {"content": text}}]}));
    let body = chunk("Hello") + &chunk(", wor") + "data: {\"error\":{\"message\":\"no\",\"code\":400}}\n\n";
    let server = Server::start(Answer::events(body));
    let answer: Vec<_> = model(&server).call(hi(), Context::new()).collect().await;
    let [Ok(_), Ok(_), Err(error)] = &answer[..] else { panic!("{answer:?}") };
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

#[tokio::test]
async fn a_long_wait_is_left_to_the_caller() {
    let server = Server::start(fault("rate-limited").unwrap().header("retry-after", "120"));
    let error = ask(&model(&server)).await.unwrap_err();
    assert_eq!((error.kind(), error.retry_after()), (ErrorKind::RateLimited, Some(Duration::from_secs(120))));
    assert_eq!(server.count(), 1);
    let server = Server::start(fault("rate-limited-seconds").unwrap());
    let cx = Context::new().with_deadline(Duration::from_millis(500));
    let answer: Vec<_> = model(&server).call(hi(), cx).collect().await;
    assert_eq!(
        answer[0].as_ref().unwrap_err().kind(),
        ErrorKind::RateLimited,
        "it does not wait beyond the deadline"
    );
}

#[tokio::test]
async fn a_server_that_cannot_be_told_which_tool_to_call_is_left_to_choose() {
    let server = Server::start(|request: &Request| match request.json().get("tool_choice") {
        Some(_) => {
            Answer::json(400, &json!({"error": {"message": "tool_choice is not supported in thinking mode"}}))
        }
        None => Answer::text("I rather talk."),
    });
    let model = model(&server);
    let mut req = hi();
    req.tools = [Arc::new(ToolSpec::new("f", "", json!({"type": "object"})))].into();
    req.tool_choice = ToolChoice::Required;
    for (at, tries) in [2, 3].into_iter().enumerate() {
        assert_eq!(text(&ask_for(&model, req.clone()).await.unwrap()), "I rather talk.", "{at}");
        assert_eq!(server.count(), tries, "it is remembered");
    }
}

#[tokio::test]
async fn no_fault_makes_it_hang_or_say_half() {
    for (name, fault) in FAULTS {
        for stream in [true, false] {
            let server = Server::start(fault());
            let quick = Duration::from_millis(300);
            let model =
                model(&server).stream(stream).retries(0).first_byte_timeout(quick).chunk_timeout(quick);
            match ask(&model).await {
                Ok(deltas) => {
                    let whole = matches!(deltas.last(), Some(ModelDelta::Finish { .. }));
                    assert!(
                        whole
                            && (text(&deltas) == "Hello, world."
                                || *name == "cut-arguments"
                                || *name == "done-without-finish"
                                || !stream),
                        "{name}: {deltas:?}"
                    );
                }
                Err(error) => {
                    assert!(
                        !error.message().is_empty() && error.kind() != ErrorKind::Internal,
                        "{name}: {error:?}"
                    );
                }
            }
        }
    }
}

/// The files of the recorded answers.
fn recorded() -> impl Iterator<Item = (String, Vec<u8>)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/recorded");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    paths.sort();
    let http = paths.into_iter().filter(|path| path.extension().is_some_and(|it| it == "http"));
    http.map(|path| (path.file_stem().unwrap().to_string_lossy().into_owned(), std::fs::read(path).unwrap()))
}

/// Each recorded answer through a real connection, whole and cut at places throughout: what a client makes of it is a whole
/// message or a typed error. That each byte is a good place to cut is held beside the decoder, without a wire.
#[tokio::test]
async fn recorded_answers_over_a_wire_are_whole_or_an_error() {
    const PLACES: usize = 24;
    for (name, bytes) in recorded() {
        let streams = name.ends_with("-stream") || name.ends_with("-usage");
        let length = bytes.len();
        let at = Arc::new(AtomicUsize::new(length));
        let answer = Answer::recorded(bytes);
        let server = Server::raw({
            let at = Arc::clone(&at);
            move |_: &Request| answer.clone().cut(At::Byte(at.load(SeqCst)), Then::Close)
        });
        let quick = Duration::from_secs(5);
        let model = model(&server).stream(streams).retries(0).first_byte_timeout(quick).chunk_timeout(quick);
        let whole = ask(&model).await.map(|deltas| text(&deltas));
        for place in 0..PLACES {
            at.store(length * place / PLACES, SeqCst);
            match (ask(&model).await, &whole) {
                (Ok(deltas), Ok(whole)) => {
                    assert_eq!(text(&deltas), *whole, "{name}, cut at {place}/{PLACES}")
                }
                (Ok(deltas), Err(error)) => {
                    panic!("{name}, cut at {place}/{PLACES}, is {deltas:?}, but whole it is {error}")
                }
                (Err(error), _) => assert_ne!(error.kind(), ErrorKind::Internal, "{name}: {error:?}"),
            }
        }
    }
}

#[tokio::test]
async fn files_of_this_machine_are_put_into_the_request() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let path = file("a.png", b"\x89PNG\r\n\x1a\n");
    let server = Server::start(Answer::text("I see."));
    let model = from_spec(&format!("{}#scripted", server.url())).unwrap();
    let ask = async |msg: Msg| model.call(ModelRequest::new([msg]), Context::new()).collect::<Vec<_>>().await;
    ask(Msg::user("look").url(path.clone())).await;
    let sent = server.requests()[0].json();
    assert_eq!(sent["messages"][0]["content"][1]["image_url"]["url"], "data:image/png;base64,iVBORw0KGgo=");

    let gone = ask(Msg::user("look").url("/no/such/file.png")).await;
    let error = gone[0].as_ref().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(
        error.message().starts_with("the file `/no/such/file.png` of a message cannot be read"),
        "{error}"
    );
    let none = file("b.png", b"<!doctype html>");
    let answer = ask(Msg::user("look").url(none.clone())).await;
    let error = answer[0].as_ref().unwrap_err();
    assert_eq!(
        error.message(),
        format!(
            "the file `{none}` of a message: it is called an image but is none that is known: give a PNG, JPEG, GIF or WebP \
             file, or attach it as what it is"
        )
    );
    let huge = file("c.png", &vec![0; 50 << 20]);
    let answer = ask(Msg::user("look").url(huge)).await;
    let error = answer[0].as_ref().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.message().contains("has more than 20971520 bytes: give a smaller one"), "{error}");
    let jpeg = file("d.png", b"\xff\xd8\xff\xe0");
    ask(Msg::user("look").url(jpeg)).await;
    let sent = server.requests()[1].json();
    assert_eq!(sent["messages"][0]["content"][1]["image_url"]["url"], "data:image/jpeg;base64,/9j/4A==");
    let local = ask(Msg::user("listen").url("http://127.0.0.1:9/a.wav")).await;
    let error = local[0].as_ref().unwrap_err();
    assert_eq!(
        error.message(),
        "`http://127.0.0.1:9/a.wav` could not be fetched: 127.0.0.1 is not a public address, so it is not fetched"
    );
    assert_eq!(server.count(), 2);
}

#[tokio::test]
async fn what_was_said_comes_before_what_went_wrong() {
    let said =
        |text: &str| format!("data: {}\n\n", json!({"choices": [{"index": 0, "delta": {"content": text}}]}));
    let error = "data: {\"error\":{\"message\":\"busy\",\"code\":503}}\n\n";
    let server = Server::start(Answer::events(said("Hello") + error));
    let answer: Vec<_> = model(&server).retries(0).call(hi(), Context::new()).collect().await;
    assert!(matches!(&answer[..], [Ok(ModelDelta::Text { .. }), Err(_)]), "{answer:?}");
}

#[tokio::test]
async fn what_a_body_is_shows_in_its_first_bytes_whatever_its_type_says() {
    let stream = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    let whole = "{\"choices\":[{\"message\":{\"content\":\"hi\"},\"finish_reason\":\"stop\"}]}";
    for streams in [true, false] {
        for kind in ["text/event-stream", "application/json", "text/plain"] {
            // DeepSeek keeps a connection alive by empty lines before a whole answer.
            for body in [stream.to_owned(), whole.to_owned(), format!("\n\n\n{whole}"), format!("\n{stream}")]
            {
                for bytes in [1, 1 << 20] {
                    let server = Server::start(Answer::new(200, kind, body.clone()).by(bytes));
                    let answer = ask(&model(&server).stream(streams).retries(0)).await;
                    assert_eq!(answer.map(|deltas| text(&deltas)).unwrap(), "hi", "{kind}: {body:?}");
                }
            }
        }
    }
}

/// Lemonade passes its backend's refusal on as it is, in a stream.
#[tokio::test]
async fn an_error_that_is_no_frame_is_told() {
    let body = "{\"error\":{\"code\":400,\"message\":\"request (19185 tokens) exceeds the available context size (16384 tokens)\",\"type\":\"exceed_context_size_error\"}}";
    let server = Server::start(Answer::new(200, "text/event-stream", body));
    let error = ask(&model(&server)).await.unwrap_err();
    assert_eq!((error.kind(), server.count()), (ErrorKind::ContextOverflow, 1), "{error}");
}

#[tokio::test]
async fn two_who_are_told_at_once_that_they_cannot_choose_both_ask_again() {
    let server = Server::start(|request: &Request| match request.json().get("tool_choice") {
        Some(_) => Answer::json(400, &json!({"error": {"message": "tool_choice is not supported"}}))
            .after(Duration::from_millis(50)),
        None => Answer::text("I rather talk."),
    });
    let (first, mut req) = (model(&server), hi());
    req.tools = [Arc::new(ToolSpec::new("f", "", json!({"type": "object"})))].into();
    req.tool_choice = ToolChoice::Required;
    let second = first.clone();
    let (one, other) = tokio::join!(ask_for(&first, req.clone()), ask_for(&second, req.clone()));
    assert_eq!(
        (text(&one.unwrap()), text(&other.unwrap())),
        ("I rather talk.".into(), "I rather talk.".into())
    );
    // Another server is asked anew.
    let strict = Server::start(Answer::text("hi"));
    ask_for(&first.base_url(strict.url()), req).await.unwrap();
    assert_eq!(strict.requests()[0].json()["tool_choice"]["function"]["name"], "f");
}

#[tokio::test]
async fn a_connection_that_the_server_has_closed_in_between_is_opened_anew() {
    let server = Server::start(Answer::text("hi").then(Then::Close));
    for _ in 0..20 {
        assert_eq!(text(&ask(&model(&server)).await.unwrap()), "hi");
    }
}

/// Gateways close the connection right behind the last word.
#[tokio::test]
async fn a_last_word_without_a_line_end_counts_if_it_is_whole() {
    let text_of =
        |text: &str| format!("data: {}\n\n", json!({"choices": [{"index": 0, "delta": {"content": text}}]}));
    let finish =
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\" there\"},\"finish_reason\":\"stop\"}]}";
    for end in ["\n\n", "\n", ""] {
        let server = Server::start(Answer::events(text_of("hi") + finish + end));
        assert_eq!(text(&ask(&model(&server).retries(0)).await.unwrap()), "hi there", "{end:?}");
    }
    let server = Server::start(Answer::events(text_of("hi") + "data: [DONE]"));
    assert_eq!(text(&ask(&model(&server).retries(0)).await.unwrap()), "hi");
    for cut in 1..finish.len() {
        let server = Server::start(Answer::events(text_of("hi") + &finish[..cut]));
        let error = ask(&model(&server).retries(0)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{cut}: {error}");
    }
}

#[tokio::test]
async fn what_took_too_long_is_not_asked_again() {
    let server = Server::start(Answer::json(408, &json!({"error": {"message": "too slow"}})));
    let error = ask(&model(&server)).await.unwrap_err();
    assert_eq!((error.kind(), server.count()), (ErrorKind::Timeout, 1), "{error}");
}

#[tokio::test]
async fn dropping_it_at_any_time_lets_its_connection_go() {
    let refusal = Answer::json(500, &json!({"error": {"message": "x".repeat(100)}}));
    let answers = [
        Answer::text("hi").cut(At::Byte(0), Then::Silence),
        Answer::text("hi").cut(At::Byte(20), Then::Silence),
        Answer::text("hi").cut(At::Body(0), Then::Silence),
        Answer::text("hi").cut(At::Body(20), Then::Silence),
        refusal.cut(At::End(20), Then::Silence),
    ];
    for answer in answers {
        let server = Server::start(answer);
        let pause = Duration::from_millis(100);
        let asked =
            tokio::time::timeout(pause, model(&server).call(hi(), Context::new()).collect::<Vec<_>>());
        assert!(asked.await.is_err());
        let left = server.wait(|counts| counts.left == counts.connections);
        tokio::time::timeout(Duration::from_secs(10), left).await.expect("the connection is kept");
    }
}
