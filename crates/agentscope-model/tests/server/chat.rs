//! A scripted answer, the same for all formats: each renders it whole or as a stream, as the request asks for.

use super::{
    Heard, Request,
    answer::{Framing, Response},
    format::{self, Format, Refused},
    frame::Events,
    schema::instance,
};
use bytes::Bytes;
use serde_json::Value;

/// What the model says, in its order.
#[derive(Clone)]
pub(crate) struct Chat {
    parts: Vec<Part>,
    usage: Count,
    /// Tokens of the input that were written to the cache.
    written: u64,
    finish: Option<String>,
    /// Characters of a delta.
    piece: usize,
    style: Style,
}

#[derive(Clone)]
pub(super) enum Part {
    /// In OpenAI's chat under this field: `reasoning_content` as DeepSeek and DashScope have it, `reasoning` as OpenRouter and
    /// vLLM. The other formats have a place of their own.
    Reasoning(&'static str, String),
    /// Thoughts that only the provider can read.
    Redacted(String),
    Text(String),
    /// A text that obeys the request's schema, or a call of the tool that the request forces.
    Echo,
    /// A text that names the media of the request.
    Seen,
    Refusal(String),
    Call {
        id: String,
        name: String,
        arguments: String,
    },
    /// Bytes between the events of a stream, as they are.
    Raw(Bytes),
    /// What an event of a stream carries, framed as the format does.
    Data(Bytes),
    /// An event that says nothing.
    Nothing,
    /// An error in the middle of a stream, in the format's own form.
    Error(Refused),
}

/// Tokens.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Count {
    /// With those from the cache.
    pub(crate) input: u64,
    /// With those of thoughts.
    pub(crate) output: u64,
    /// Of the input, those from the cache.
    pub(crate) cached: u64,
    /// Of the output, those of thoughts.
    pub(crate) reasoning: u64,
}

/// How a stream is written; the default is the provider's way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    pub(crate) line_end: &'static str,
    /// `data: {..}`, not `data:{..}`.
    pub(crate) space: bool,
    /// A comment before each event, to keep the connection alive; nothing where the format has no comments.
    pub(crate) comments: bool,
    /// The event with the reason of the end.
    pub(crate) finish: bool,
    /// The event with the usage, where it was asked for.
    pub(crate) usage: bool,
    /// The event behind the last, where the format has one: `data: [DONE]`, `message_stop`.
    pub(crate) done: bool,
}

impl Default for Style {
    fn default() -> Self {
        Self { line_end: "\n", space: true, comments: false, finish: true, usage: true, done: true }
    }
}

impl Chat {
    pub(crate) fn new() -> Self {
        let usage = Count { input: 12, output: 5, ..Count::default() };
        Self { parts: Vec::new(), usage, written: 0, finish: None, piece: 5, style: Style::default() }
    }

    pub(crate) fn text(self, text: impl Into<String>) -> Self {
        self.part(Part::Text(text.into()))
    }

    /// Thoughts; `reasoning_content` in OpenAI's chat. Anthropic's and Gemini's are signed.
    pub(crate) fn reasoning(self, text: impl Into<String>) -> Self {
        self.part(Part::Reasoning("reasoning_content", text.into()))
    }

    /// Thoughts in a field of this name.
    pub(crate) fn reasoning_in(self, field: &'static str, text: impl Into<String>) -> Self {
        self.part(Part::Reasoning(field, text.into()))
    }

    /// Thoughts that are kept from the client, which shall send them back; nothing where the format has no such thing.
    pub(crate) fn redacted(self, data: impl Into<String>) -> Self {
        self.part(Part::Redacted(data.into()))
    }

    /// A text that obeys the schema which the request has; where it forces a tool instead, a call of that; else `{}`.
    pub(crate) fn echo(self) -> Self {
        self.part(Part::Echo)
    }

    /// A text such as `I see image/png, 68 bytes; image https://a.org/b.png`, of all media in the last turn; `I see nothing`
    /// where there is none.
    pub(crate) fn seen(self) -> Self {
        self.part(Part::Seen)
    }

    pub(crate) fn refusal(self, text: impl Into<String>) -> Self {
        self.part(Part::Refusal(text.into()))
    }

    /// A call; the id is not sent where the format has none.
    pub(crate) fn call(self, id: &str, name: &str, arguments: impl Into<String>) -> Self {
        self.part(Part::Call { id: id.to_owned(), name: name.to_owned(), arguments: arguments.into() })
    }

    /// Bytes in the stream, as they are; nothing where the answer is whole.
    pub(crate) fn raw(self, bytes: impl Into<Bytes>) -> Self {
        self.part(Part::Raw(bytes.into()))
    }

    /// An event of the stream that carries this; nothing where the answer is whole.
    pub(crate) fn data(self, bytes: impl Into<Bytes>) -> Self {
        self.part(Part::Data(bytes.into()))
    }

    /// An event of the stream that says nothing, such as Anthropic's `ping`.
    pub(crate) fn nothing(self) -> Self {
        self.part(Part::Nothing)
    }

    /// The server gives up in the middle of the stream, in the format's own words.
    pub(crate) fn error(self, refused: Refused) -> Self {
        self.part(Part::Error(refused))
    }

    fn part(mut self, part: Part) -> Self {
        self.parts.push(part);
        self
    }

    pub(crate) fn usage(mut self, usage: Count) -> Self {
        self.usage = usage;
        self
    }

    /// So many tokens of the input were written to the cache, which only Anthropic tells.
    pub(crate) fn written(mut self, tokens: u64) -> Self {
        self.written = tokens;
        self
    }

    /// Why it ends, in OpenAI's words: `stop`, `tool_calls`, `length`, `content_filter`; any other is sent as it is. By default
    /// as the parts are.
    pub(crate) fn finish(mut self, reason: &str) -> Self {
        self.finish = Some(reason.to_owned());
        self
    }

    /// So many characters in a delta; 5 by default.
    pub(crate) fn piece(mut self, characters: usize) -> Self {
        self.piece = characters.max(1);
        self
    }

    pub(crate) fn style(mut self, style: Style) -> Self {
        self.style = style;
        self
    }

    /// As the request asks for it, in the format of its path.
    pub(super) fn response(&self, request: &Request) -> Response {
        let format = format::of(request);
        let said = Said::new(self, request, format);
        let (content_type, framing, body) = if format.streams(request, &said.body) {
            let mut events = Events::new(format.lines(request), self.style);
            format.stream(&said, &mut events);
            (events.content_type(), Framing::Chunked, events.pieces())
        } else {
            ("application/json", Framing::Length, vec![format.whole(&said).to_string().into()])
        };
        Response { status: 200, content_type, framing, body }
    }
}

/// A script as it answers one request.
pub(super) struct Said<'a> {
    pub(super) request: &'a Request,
    pub(super) body: Value,
    pub(super) parts: Vec<Part>,
    pub(super) count: Count,
    pub(super) written: u64,
    pub(super) style: Style,
    finish: Option<&'a str>,
    piece: usize,
}

impl<'a> Said<'a> {
    fn new(chat: &'a Chat, request: &'a Request, format: &dyn Format) -> Self {
        let body = request.json();
        let parts = chat.parts.iter().map(|part| match part {
            Part::Echo => echo(&format.heard(request, &body)),
            Part::Seen => Part::Text(seen(&format.heard(request, &body))),
            part => part.clone(),
        });
        let parts = parts.collect();
        let (finish, piece) = (chat.finish.as_deref(), chat.piece);
        Self {
            request,
            body,
            parts,
            count: chat.usage,
            written: chat.written,
            style: chat.style,
            finish,
            piece,
        }
    }

    /// The model that was asked for in the body.
    pub(super) fn model(&self) -> &str {
        self.body["model"].as_str().unwrap_or("scripted")
    }

    /// In OpenAI's words.
    pub(super) fn finish(&self) -> &str {
        let calls = self.parts.iter().any(|part| matches!(part, Part::Call { .. }));
        self.finish.unwrap_or(if calls { "tool_calls" } else { "stop" })
    }

    pub(super) fn slices<'b>(&self, text: &'b str) -> impl Iterator<Item = String> + use<'b> {
        let mut characters = text.chars().peekable();
        let piece = self.piece;
        std::iter::from_fn(move || {
            characters.peek()?;
            Some(characters.by_ref().take(piece).collect())
        })
    }

    /// The text, all in one.
    pub(super) fn text(&self) -> String {
        self.words(|part| if let Part::Text(text) = part { Some(text) } else { None })
    }

    /// The thoughts, all in one.
    pub(super) fn thoughts(&self) -> String {
        self.words(|part| if let Part::Reasoning(_, text) = part { Some(text) } else { None })
    }

    /// What is said in place of an answer.
    pub(super) fn refusal(&self) -> Option<&str> {
        self.parts
            .iter()
            .find_map(|part| if let Part::Refusal(text) = part { Some(text.as_str()) } else { None })
    }

    fn words(&self, pick: impl Fn(&Part) -> Option<&String>) -> String {
        self.parts.iter().filter_map(pick).map(String::as_str).collect()
    }
}

/// What a provider signs thoughts with; the checks take no other.
pub(super) fn signature(text: &str) -> String {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in text.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    // In base64 as it stands, because Google's SDK decodes it.
    format!("sig{hash:016x}A")
}

/// Whether it is one of ours, of whatever text.
pub(super) fn is_signature(signature: &str) -> bool {
    signature.strip_prefix("sig").is_some_and(|rest| rest.len() == 17 && rest.ends_with('A'))
}

fn echo(heard: &Heard) -> Part {
    if let Some(schema) = &heard.schema {
        return Part::Text(instance(schema).to_string());
    }
    let forced = heard.forced.as_ref().and_then(|name| heard.tools.iter().find(|tool| tool.0 == *name));
    forced.map_or(Part::Text("{}".to_owned()), |(name, schema)| Part::Call {
        id: "call_forced".to_owned(),
        name: name.clone(),
        arguments: instance(schema).to_string(),
    })
}

fn seen(heard: &Heard) -> String {
    let media =
        heard.turns.last().map(|turn| turn.media().collect::<Vec<_>>().join("; ")).unwrap_or_default();
    format!("I see {}", if media.is_empty() { "nothing" } else { &media })
}
