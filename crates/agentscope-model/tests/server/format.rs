//! The formats that the server speaks, each in a file of its own, and which of them a request is in.

use super::{Answer, Heard, Request, chat::Said, check::Checked, frame::Events, frame::Lines};
use serde_json::Value;

mod anthropic;
mod chat;
mod dashscope;
mod gemini;
mod ollama;
mod plain;
mod responses;

/// What differs from format to format.
pub(super) trait Format: Sync {
    /// The key of the request, empty where it has none; none at all where the format wants none.
    fn key<'a>(&self, request: &'a Request) -> Option<&'a str>;

    /// Whether the provider takes the request.
    fn check(&self, request: &Request, body: &Value) -> Checked;

    /// What the request says, in words that are the same for all formats.
    fn heard(&self, request: &Request, body: &Value) -> Heard;

    /// Whether the answer shall be a stream.
    fn streams(&self, _request: &Request, body: &Value) -> bool {
        body["stream"] == true
    }

    /// How the events of a stream are separated.
    fn lines(&self, request: &Request) -> Lines;

    fn whole(&self, said: &Said<'_>) -> Value;

    fn stream(&self, said: &Said<'_>, events: &mut Events);

    /// An answer that answers nothing.
    fn hollow(&self) -> Value;

    /// Whether the time to wait is told by `retry-after`.
    fn waits_in_the_head(&self) -> bool {
        true
    }

    /// The status and the body of a refusal.
    fn refused(&self, refused: &Refused) -> (u16, Value);
}

/// Why a request gets no answer.
#[derive(Clone, Debug)]
pub(crate) struct Refused {
    pub(crate) status: u16,
    /// In OpenAI's words, such as `rate_limit_exceeded`.
    pub(crate) code: Option<&'static str>,
    pub(crate) message: String,
    /// The field that is wrong.
    pub(crate) param: Option<String>,
    /// Seconds to wait.
    pub(crate) wait: Option<u64>,
}

impl Refused {
    pub(crate) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code: Some(code), message: message.into(), param: None, wait: None }
    }

    pub(crate) fn wait(mut self, seconds: u64) -> Self {
        self.wait = Some(seconds);
        self
    }
}

/// What a path asks for.
#[derive(Clone, Copy)]
pub(super) enum Wanted {
    /// An answer of the model.
    Talk,
    /// Something that needs no model, made from the body.
    Other(fn(&Request, &Value) -> Answer),
}

/// The format of a path and what is asked there; none where the path is unknown.
pub(super) fn route(request: &Request) -> Option<(&'static dyn Format, Wanted)> {
    let path = request.path.split('?').next().unwrap_or_default();
    let google = path.strip_prefix("/v1beta/models").or_else(|| path.strip_prefix("/v1/models"));
    let (model, verb) = google.and_then(|rest| rest.rsplit_once(':')).unwrap_or_default();
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    Some(match (request.method.as_str(), parts.as_slice()) {
        ("POST", ["v1", "chat", "completions"]) => (&chat::CHAT, Wanted::Talk),
        (
            "POST",
            ["openai", "deployments", _, "chat", "completions"] | ["openai", "v1", "chat", "completions"],
        ) => (&chat::AZURE, Wanted::Talk),
        ("POST", ["v1", "responses"]) => (&responses::RESPONSES, Wanted::Talk),
        ("POST", ["openai", "v1", "responses"]) => (&responses::AZURE, Wanted::Talk),
        ("GET", ["v1", "models"]) if request.header("anthropic-version").is_some() => {
            (&anthropic::Anthropic, Wanted::Other(anthropic::models))
        }
        ("GET", ["v1" | "v1beta", "models"])
            if google.is_some() && (parts[0] == "v1beta" || request.header("x-goog-api-key").is_some()) =>
        {
            (&gemini::Gemini, Wanted::Other(gemini::models))
        }
        ("GET", ["v1", "models"]) => (&chat::CHAT, Wanted::Other(chat::models)),
        ("POST", ["v1", "messages"]) => (&anthropic::Anthropic, Wanted::Talk),
        ("POST", ["v1", "messages", "count_tokens"]) => {
            (&anthropic::Anthropic, Wanted::Other(anthropic::count))
        }
        ("POST", ["v1" | "v1beta", "models", _]) if model.len() > 1 => match verb {
            "generateContent" | "streamGenerateContent" => (&gemini::Gemini, Wanted::Talk),
            "countTokens" => (&gemini::Gemini, Wanted::Other(gemini::count)),
            _ => return None,
        },
        ("POST", ["api", "chat"]) => (&ollama::Ollama, Wanted::Talk),
        ("POST", ["api", "embed"]) => (&ollama::Ollama, Wanted::Other(ollama::embed)),
        ("GET", ["api", "tags"]) => (&ollama::Ollama, Wanted::Other(ollama::tags)),
        ("GET", ["api", "version"]) => (&ollama::Ollama, Wanted::Other(ollama::version)),
        (
            "POST",
            ["api", "v1", "services", "aigc", "text-generation" | "multimodal-generation", "generation"],
        ) => (&dashscope::DashScope, Wanted::Talk),
        ("POST", ["generate"]) => (&plain::Plain, Wanted::Talk),
        _ => return None,
    })
}

/// The format in which a request is answered; OpenAI's chat where the path says nothing.
pub(super) fn of(request: &Request) -> &'static dyn Format {
    route(request).map_or(&chat::CHAT, |(format, _)| format)
}
