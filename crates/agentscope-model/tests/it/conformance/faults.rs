//! One fault at a time: what kind of error it is, how often the provider is asked, and that nothing is said twice.

use super::stage::{Case, Stage, run, serve};
use crate::server::{Answer, At, Chat, Refused, Style, Then};
use agentscope_core::{
    ChatModel, Context, Error,
    ErrorKind::{InvalidInput, NotFound, Protocol, RateLimited, Timeout, Unauthorized, Unavailable},
    ModelDelta, ModelRequest, Msg,
};
use agentscope_model::RetryPolicy;
use futures_util::StreamExt;
use std::{sync::Arc, time::Duration};

/// The longest silence. Long enough that a busy machine is not taken for a fault.
const SILENCE: Duration = Duration::from_millis(1000);

pub(super) const WORDS: &str = "Hello, world.";

/// What goes wrong, which error it is, and how often it is asked, where two retries are allowed, as a stream and whole; 0 where
/// there is no such fault, because a whole answer has no middle.
type Fault = (&'static str, fn() -> Answer, agentscope_core::ErrorKind, [usize; 2]);

const FAULTS: &[Fault] = &[
    ("400", || status(400), InvalidInput, [1, 1]),
    ("401", || status(401), Unauthorized, [1, 1]),
    ("403", || status(403), Unauthorized, [1, 1]),
    ("404", || status(404), NotFound, [1, 1]),
    ("408", || status(408), Timeout, [1, 1]),
    ("413", || status(413), InvalidInput, [1, 1]),
    ("429", || status(429), RateLimited, [3, 3]),
    ("429 for no time", || status(429).header("retry-after", "0"), RateLimited, [3, 3]),
    (
        "429 for an hour",
        || Refused::new(429, "rate_limit_exceeded", "Slow down.").wait(3600).into(),
        RateLimited,
        [1, 1],
    ),
    ("500", || status(500), Unavailable, [3, 3]),
    ("503", || status(503), Unavailable, [3, 3]),
    ("529", || status(529), Unavailable, [3, 3]),
    ("stall before", stall_before, Timeout, [1, 1]),
    ("stall after the head", || hello().cut(At::Body(0), Then::Silence), Timeout, [1, 1]),
    ("stall within", stall_within, Timeout, [1, 1]),
    ("reset", reset, Unavailable, [3, 3]),
    ("close", || hello().cut(At::Byte(0), Then::Close), Unavailable, [3, 3]),
    ("reset within", || hello().paced(PACE).cut(MIDDLE, Then::Reset), Unavailable, [1, 3]),
    ("cut", cut, Unavailable, [1, 3]),
    ("no end", no_end, Unavailable, [1, 3]),
    ("garbage", garbage, Protocol, [1, 1]),
    ("garbage within", garbage_within, Protocol, [1, 1]),
    ("HTML page", page, Protocol, [1, 1]),
    ("error in the stream", || said_then_overloaded("Hello"), Unavailable, [1, 0]),
    ("error at the start of the stream", || said_then_overloaded(""), Unavailable, [3, 0]),
];

/// Between two pieces, so that the client has read one before the connection breaks.
const PACE: Duration = Duration::from_millis(5);
const MIDDLE: At = At::Percent(60);

pub(super) fn hello() -> Answer {
    Chat::new().text(WORDS).into()
}

pub(super) fn status(status: u16) -> Answer {
    let code = match status {
        401 => "invalid_api_key",
        404 => "model_not_found",
        429 => "rate_limit_exceeded",
        _ => "odd",
    };
    Refused::new(status, code, "No.").into()
}

pub(super) fn stall_before() -> Answer {
    hello().cut(At::Byte(0), Then::Silence)
}

pub(super) fn stall_within() -> Answer {
    hello().cut(MIDDLE, Then::Silence)
}

pub(super) fn reset() -> Answer {
    hello().cut(At::Byte(0), Then::Reset)
}

pub(super) fn cut() -> Answer {
    hello().cut(MIDDLE, Then::Close)
}

/// A stream without its end; whole, a body that is shorter than it says.
fn no_end() -> Answer {
    let style = Style { finish: false, usage: false, done: false, ..Style::default() };
    Answer::from(Chat::new().text(WORDS).style(style)).cut(At::End(6), Then::Close)
}

pub(super) fn garbage() -> Answer {
    Answer::new(200, "application/json", "upstream said: ok")
}

fn garbage_within() -> Answer {
    let style = Style { finish: false, done: false, ..Style::default() };
    let stream = Chat::new().text("Hello").data("{\"odd\": [").style(style);
    Answer::from(stream).swap(b"\"Hello\"", b"\"Hello")
}

fn page() -> Answer {
    Answer::new(200, "text/html", "<!DOCTYPE html><html><body>Please log in.</body></html>")
}

fn said_then_overloaded(text: &str) -> Answer {
    let style = Style { finish: false, ..Style::default() };
    let chat = if text.is_empty() { Chat::new() } else { Chat::new().text(text) };
    chat.error(Refused::new(503, "overloaded", "The server is overloaded.")).style(style).into()
}

/// A row of each format; rows of the same format go wrong in the same way.
const FORMATS: [&str; 9] = [
    "chat",
    "azure",
    "responses",
    "anthropic",
    "gemini",
    "ollama",
    "dashscope-native",
    "dashscope-native, multimodal",
    "post_api",
];

pub(super) fn formats(stage: &Arc<Stage>) -> Vec<Case> {
    let all = Case::all(stage).into_iter();
    let cases: Vec<_> = all.filter(|case| FORMATS.contains(&case.row.name)).collect();
    assert_eq!(cases.len(), 2 * FORMATS.len() - 1, "a post_api is whole");
    cases
}

/// A model with two retries that come at once, and short limits.
pub(super) fn hasty(case: &Case) -> Arc<dyn ChatModel> {
    case.model_with(|set| {
        set.retry = RetryPolicy::default()
            .retries(2)
            .no_budget()
            .backoff(Duration::from_millis(1), Duration::from_millis(2));
        (set.first_byte, set.gap) = (SILENCE, SILENCE);
    })
}

/// All that was said, and the error behind it, if there is one. Panics where neither an end nor an error comes last.
pub(super) async fn listen(case: &Case) -> (String, Option<Error>) {
    let mut answer = hasty(case).call(ModelRequest::new([Msg::user("hi")]), Context::new());
    let (mut said, mut finished) = (String::new(), false);
    while let Some(delta) = answer.next().await {
        match delta {
            Ok(ModelDelta::Text { delta, .. }) => said += &delta,
            Ok(ModelDelta::Finish { .. }) => {
                assert!(!std::mem::replace(&mut finished, true), "{case}: two ends")
            }
            Ok(_) => {}
            Err(error) => {
                assert!(!finished && answer.next().await.is_none(), "{case}: {error} is not the end");
                return (said, Some(error));
            }
        }
    }
    assert!(finished, "{case}: no end");
    (said, None)
}

#[tokio::test]
async fn each_fault_is_an_error_of_its_kind_after_as_many_requests_as_help() {
    let stage = serve(|request, _| {
        let case = super::stage::case_of(request);
        let fault = FAULTS.iter().find(|(name, ..)| case.ends_with(&format!(": {name}")));
        fault.map_or_else(|| status(418), |(_, answer, ..)| answer())
    });
    let possible = |case: &Case, asked: &[usize; 2]| asked[usize::from(!case.stream)] > 0;
    let cases = formats(&stage).into_iter().flat_map(|case| {
        let faults = FAULTS.iter().filter(|(.., asked)| possible(&case, asked));
        faults.map(|(name, ..)| case.trying(*name)).collect::<Vec<_>>()
    });
    let cases: Vec<_> = cases.collect();
    run(&cases, async |case| {
        let (name, _, kind, asked) = FAULTS.iter().find(|(name, ..)| case.what() == *name).unwrap();
        let (said, error) = listen(case).await;
        let error = error.unwrap_or_else(|| panic!("{case}: no error, but {said:?}"));
        let asked = asked[usize::from(!case.stream)];
        assert_eq!((error.kind(), case.count()), (*kind, asked), "{case}: {error}");
        assert_eq!(error.message().contains("asked 3 times: "), asked == 3, "{case}: {error}");
        assert!(WORDS.starts_with(&said), "{case}: {said:?}");
        let wait = (*name == "429 for an hour").then_some(Duration::from_secs(3600));
        assert_eq!(error.retry_after().filter(|wait| !wait.is_zero()), wait, "{case}: {error}");
    })
    .await;
}

#[tokio::test]
async fn an_answer_that_answers_nothing_is_an_error() {
    let stage = serve(|_, _| Answer::hollow());
    run(&formats(&stage), async |case| {
        let (said, error) = listen(case).await;
        let error = error.unwrap_or_else(|| panic!("{case}: no error, but {said:?}"));
        // Of Ollama's it cannot be told from the beginning of a stream.
        let wanted = if case.row.name == "ollama" && case.stream { Unavailable } else { Protocol };
        assert_eq!((error.kind(), said.as_str()), (wanted, ""), "{case}: {error}");
    })
    .await;
}
