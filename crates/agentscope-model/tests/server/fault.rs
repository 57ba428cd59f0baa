//! What goes wrong with a model's server, by name, so that a test can sweep all of it and a program can ask for one.

use super::{Answer, At, Chat, Refused, Style, Then, answer::Framing};
use bytes::Bytes;

type Fault = (&'static str, fn() -> Answer);

/// Each kind of fault, in the form of the request's format. Those from `crlf` on are no faults of the answer: a good client reads it as it reads any other.
pub(crate) const FAULTS: &[Fault] = &[
    ("unauthorized", || error(401, "Incorrect API key provided: sk-***.", "invalid_api_key")),
    ("no-such-model", || error(404, "The model `scripted` does not exist.", "model_not_found")),
    ("too-long", || {
        error(400, "This model's maximum context length is 8192 tokens.", "context_length_exceeded")
    }),
    ("rate-limited", || error(429, "Rate limit reached.", "rate_limit_exceeded")),
    ("rate-limited-seconds", || {
        Refused::new(429, "rate_limit_exceeded", "Rate limit reached.").wait(1).into()
    }),
    ("rate-limited-date", || {
        // Long past, so that whoever reads it asks again at once.
        error(429, "Rate limit reached.", "rate_limit_exceeded")
            .header("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT")
    }),
    ("no-quota", || error(429, "You exceeded your current quota.", "insufficient_quota")),
    ("internal", || error(500, "The server had an error.", "server_error")),
    ("overloaded", || error(503, "The engine is overloaded.", "overloaded")),
    ("redirect", || Answer::new(307, "text/plain", "").header("location", "/v1/elsewhere")),
    ("html", || Answer::new(200, "text/html", PAGE)),
    ("html-502", || Answer::new(502, "text/html", PAGE)),
    ("not-json", || Answer::new(200, "application/json", "upstream said: ok")),
    ("wrong-type", || Answer::new(200, "text/plain", "ok")),
    ("empty", || Answer::new(200, "application/json", "")),
    ("no-choices", || Answer::hollow()),
    ("short-body", || {
        let body = vec![Bytes::from_static(b"{\"id\":\"chatcmpl-1\",\"choices\":[{\"index\":0,")];
        Answer::framed(200, "application/json", Framing::LengthAnd(200), body).then(Then::Close)
    }),
    ("short-stream", || Answer::from(hello()).cut(At::Percent(50), Then::Close)),
    ("reset-first", || Answer::text("hi").cut(At::Byte(0), Then::Reset)),
    ("reset-in-head", || Answer::text("hi").cut(At::Byte(20), Then::Reset)),
    ("reset-in-body", || Answer::from(hello()).cut(At::Percent(50), Then::Reset)),
    ("close-first", || Answer::text("hi").cut(At::Byte(0), Then::Close)),
    ("silence", || Answer::text("hi").cut(At::Byte(0), Then::Silence)),
    ("silence-after-head", || Answer::text("hi").cut(At::Body(0), Then::Silence)),
    ("silence-in-body", || Answer::from(hello()).cut(At::Percent(50), Then::Silence)),
    ("error-in-band", || {
        let overloaded = Refused::new(503, "overloaded", "The server is overloaded.");
        Chat::new().text("Hello").error(overloaded).style(Style { finish: false, ..Style::default() }).into()
    }),
    ("error-event", || {
        // As some servers of OpenAI's chat have it.
        let event = format!("event: error\n{}", event(ERROR));
        Chat::new().text("Hello").raw(event).style(Style { finish: false, ..Style::default() }).into()
    }),
    ("no-finish-no-done", || hello().style(Style { finish: false, done: false, ..Style::default() }).into()),
    ("done-without-finish", || hello().style(Style { finish: false, ..Style::default() }).into()),
    ("bad-utf8", || Answer::text("~~").swap(b"~~", b"\xff\xfe")),
    ("bad-event", || Chat::new().data("{\"choices\":[").into()),
    ("endless-line", || {
        // 40 MiB: a line nobody has to keep.
        Chat::new().data("x".repeat(40 << 20)).into()
    }),
    ("cut-arguments", || Chat::new().call("call_1", "weather", "{\"city\": \"Os").finish("length").into()),
    ("crlf", || hello().style(Style { line_end: "\r\n", ..Style::default() }).into()),
    ("cr", || hello().style(Style { line_end: "\r", ..Style::default() }).into()),
    ("no-space", || hello().style(Style { space: false, ..Style::default() }).into()),
    ("comments", || hello().style(Style { comments: true, ..Style::default() }).into()),
    ("empty-choices", || Chat::new().nothing().text("Hello, world.").into()),
    ("no-done", || hello().style(Style { done: false, usage: false, ..Style::default() }).into()),
    ("finish-then-silence", || {
        Answer::from(hello().style(Style { done: false, usage: false, ..Style::default() }))
            .cut(At::End(5), Then::Silence)
    }),
    ("no-length", || Answer::text("Hello, world.").framing(Framing::Close)),
    ("byte-by-byte", || Answer::from(hello()).by(1)),
];

const PAGE: &str =
    "<!DOCTYPE html><html><head><title>Welcome</title></head><body>Please log in.</body></html>";

const ERROR: &str =
    r#"{"error":{"message":"The server is overloaded.","type":"server_error","param":null,"code":503}}"#;

/// The fault of this name.
pub(crate) fn fault(name: &str) -> Option<Answer> {
    FAULTS.iter().find(|(known, _)| *known == name).map(|(_, fault)| fault())
}

fn hello() -> Chat {
    Chat::new().text("Hello, world.")
}

fn event(data: &str) -> String {
    format!("data: {data}\n\n")
}

fn error(status: u16, message: &str, code: &'static str) -> Answer {
    Refused::new(status, code, message).into()
}
