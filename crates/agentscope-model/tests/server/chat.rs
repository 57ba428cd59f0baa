//! A scripted answer in OpenAI's format, whole or as a stream of events, as the request asks for.

use super::{
    answer::{Framing, Response},
    schema::instance,
};
use bytes::Bytes;
use serde_json::{Map, Value, json};

/// What the model says, in its order.
#[derive(Clone)]
pub(crate) struct Chat {
    parts: Vec<Part>,
    usage: Count,
    finish: Option<String>,
    /// Characters of a delta.
    piece: usize,
    style: Style,
}

#[derive(Clone)]
enum Part {
    /// Under this field: `reasoning_content` as DeepSeek and DashScope have it, `reasoning` as OpenRouter and vLLM.
    Reasoning(&'static str, String),
    Text(String),
    /// A text that obeys the request's schema.
    Echo,
    Refusal(String),
    Call {
        id: String,
        name: String,
        arguments: String,
    },
    /// Bytes between the events of a stream, as they are.
    Raw(Bytes),
}

/// Tokens.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Count {
    pub(crate) input: u64,
    pub(crate) output: u64,
    /// Of the input, those from the cache.
    pub(crate) cached: u64,
    /// Of the output, those of thoughts.
    pub(crate) reasoning: u64,
}

/// How a stream is written; the default is OpenAI's way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    pub(crate) line_end: &'static str,
    /// `data: {..}`, not `data:{..}`.
    pub(crate) space: bool,
    /// A comment before each event, to keep the connection alive.
    pub(crate) comments: bool,
    /// The chunk with the reason of the end.
    pub(crate) finish: bool,
    /// The chunk with the usage, where it was asked for.
    pub(crate) usage: bool,
    /// `data: [DONE]`.
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
        Self { parts: Vec::new(), usage, finish: None, piece: 5, style: Style::default() }
    }

    pub(crate) fn text(self, text: impl Into<String>) -> Self {
        self.part(Part::Text(text.into()))
    }

    /// Thoughts in `reasoning_content`.
    pub(crate) fn reasoning(self, text: impl Into<String>) -> Self {
        self.part(Part::Reasoning("reasoning_content", text.into()))
    }

    /// Thoughts in a field of this name.
    pub(crate) fn reasoning_in(self, field: &'static str, text: impl Into<String>) -> Self {
        self.part(Part::Reasoning(field, text.into()))
    }

    /// A text that obeys the schema which the request has; `{}` where it has none.
    pub(crate) fn echo(self) -> Self {
        self.part(Part::Echo)
    }

    pub(crate) fn refusal(self, text: impl Into<String>) -> Self {
        self.part(Part::Refusal(text.into()))
    }

    pub(crate) fn call(self, id: &str, name: &str, arguments: impl Into<String>) -> Self {
        self.part(Part::Call { id: id.to_owned(), name: name.to_owned(), arguments: arguments.into() })
    }

    /// Bytes in the stream, as they are; nothing where the answer is whole.
    pub(crate) fn raw(self, bytes: impl Into<Bytes>) -> Self {
        self.part(Part::Raw(bytes.into()))
    }

    fn part(mut self, part: Part) -> Self {
        self.parts.push(part);
        self
    }

    pub(crate) fn usage(mut self, usage: Count) -> Self {
        self.usage = usage;
        self
    }

    /// Why it ends; `tool_calls` or `stop` by default.
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

    /// As the request asks for it.
    pub(super) fn response(&self, request: &Value) -> Response {
        let (content_type, framing, body) = if request["stream"] == true {
            ("text/event-stream; charset=utf-8", Framing::Chunked, self.stream(request))
        } else {
            ("application/json", Framing::Length, vec![self.whole(request).to_string().into()])
        };
        Response { status: 200, content_type, framing, body }
    }

    fn whole(&self, request: &Value) -> Value {
        let mut message = json!({"role": "assistant", "content": null});
        let mut calls = Vec::new();
        for part in &self.parts {
            match part {
                Part::Reasoning(field, text) => append(&mut message[*field], text),
                Part::Text(text) => append(&mut message["content"], text),
                Part::Echo => append(&mut message["content"], &echo(request)),
                Part::Refusal(text) => append(&mut message["refusal"], text),
                Part::Call { id, name, arguments } => calls.push(json!({
                    "id": id, "type": "function", "function": {"name": name, "arguments": arguments}
                })),
                Part::Raw(_) => {}
            }
        }
        if !calls.is_empty() {
            message["tool_calls"] = calls.into();
        }
        let choice =
            json!({"index": 0, "message": message, "logprobs": null, "finish_reason": self.finish_reason()});
        let mut answer = self.head("chat.completion", request);
        answer.insert("choices".to_owned(), json!([choice]));
        answer.insert("usage".to_owned(), self.count());
        answer.into()
    }

    fn stream(&self, request: &Value) -> Vec<Bytes> {
        let usage = self.style.usage && request["stream_options"]["include_usage"] == true;
        let chunk = |choices: Value, count: Value| {
            let mut chunk = self.head("chat.completion.chunk", request);
            chunk.insert("choices".to_owned(), choices);
            if usage {
                chunk.insert("usage".to_owned(), count);
            }
            self.event(&Value::from(chunk).to_string())
        };
        let choice = |delta: Value, finish: Value| {
            let choice = json!({"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish});
            chunk(json!([choice]), Value::Null)
        };
        let delta = |delta: Value| choice(delta, Value::Null);
        let mut events = vec![delta(json!({"role": "assistant", "content": ""}))];
        let mut index = 0;
        for part in &self.parts {
            match part {
                Part::Reasoning(field, text) => {
                    events
                        .extend(self.slices(text).map(|text| delta(json!({*field: text, "content": null}))));
                }
                Part::Text(text) => {
                    events.extend(self.slices(text).map(|text| delta(json!({"content": text}))))
                }
                Part::Echo => {
                    let text = echo(request);
                    events.extend(self.slices(&text).map(|text| delta(json!({"content": text}))));
                }
                Part::Refusal(text) => {
                    events.extend(self.slices(text).map(|text| delta(json!({"refusal": text}))));
                }
                Part::Call { id, name, arguments } => {
                    let function = json!({"name": name, "arguments": ""});
                    let first = json!({"index": index, "id": id, "type": "function", "function": function});
                    events.push(delta(json!({"tool_calls": [first]})));
                    events.extend(self.slices(arguments).map(|arguments| {
                        delta(json!({"tool_calls": [{"index": index, "function": {"arguments": arguments}}]}))
                    }));
                    index += 1;
                }
                Part::Raw(bytes) => events.push(bytes.clone()),
            }
        }
        if self.style.finish {
            events.push(choice(json!({}), self.finish_reason().into()));
        }
        if usage {
            events.push(chunk(json!([]), self.count()));
        }
        if self.style.done {
            events.push(self.event("[DONE]"));
        }
        events
    }

    fn event(&self, data: &str) -> Bytes {
        let Style { line_end, space, comments, .. } = self.style;
        let comment = if comments { format!(": keep-alive{line_end}{line_end}") } else { String::new() };
        let space = if space { " " } else { "" };
        format!("{comment}data:{space}{data}{line_end}{line_end}").into()
    }

    fn slices<'a>(&'a self, text: &'a str) -> impl Iterator<Item = String> + 'a {
        let mut characters = text.chars().peekable();
        std::iter::from_fn(move || {
            characters.peek()?;
            Some(characters.by_ref().take(self.piece).collect())
        })
    }

    fn head(&self, object: &str, request: &Value) -> Map<String, Value> {
        let model = request["model"].as_str().unwrap_or("scripted");
        let head = json!({
            "id": "chatcmpl-1", "object": object, "created": 1_700_000_000, "model": model,
            "system_fingerprint": "fp_1"
        });
        match head {
            Value::Object(head) => head,
            _ => Map::new(),
        }
    }

    fn finish_reason(&self) -> String {
        let calls = self.parts.iter().any(|part| matches!(part, Part::Call { .. }));
        let reason = self.finish.as_deref();
        reason.unwrap_or(if calls { "tool_calls" } else { "stop" }).to_owned()
    }

    fn count(&self) -> Value {
        let Count { input, output, cached, reasoning } = self.usage;
        json!({
            "prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output,
            "prompt_tokens_details": {"cached_tokens": cached, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": reasoning, "audio_tokens": 0}
        })
    }
}

fn echo(request: &Value) -> String {
    let schema = &request["response_format"]["json_schema"]["schema"];
    if schema.is_object() { instance(schema).to_string() } else { "{}".to_owned() }
}

fn append(field: &mut Value, text: &str) {
    *field = format!("{}{text}", field.as_str().unwrap_or_default()).into();
}
