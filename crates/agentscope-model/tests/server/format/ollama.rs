//! Ollama's own API.
//!
//! After <https://github.com/ollama/ollama/blob/main/docs/api.md> and the types of the SDK `ollama` of Python.

use super::{Format, Refused};
use crate::server::{
    Answer, Heard, Request,
    chat::{Part, Said},
    check::{self, Checked},
    frame::{Events, Lines},
    heard::{Bit, inline, list, sniff, string},
};
use serde_json::{Value, json};

pub(super) struct Ollama;

/// Always the same, because an answer shall be.
const NOW: &str = "2025-01-01T00:00:00.000000Z";

impl Format for Ollama {
    /// A server at home wants none.
    fn key<'a>(&self, _: &'a Request) -> Option<&'a str> {
        None
    }

    fn check(&self, _: &Request, body: &Value) -> Checked {
        check::ollama::check(body)
    }

    fn heard(&self, _: &Request, body: &Value) -> Heard {
        let mut heard = Heard { model: string(&body["model"]).to_owned(), ..Heard::default() };
        for message in list(&body["messages"]) {
            let text = |field: &str| string(&message[field]).to_owned();
            let mut bits = Vec::new();
            if message.get("thinking").is_some() {
                bits.push(Bit::Thought(text("thinking"), String::new()));
            }
            bits.push(match string(&message["role"]) {
                "tool" => {
                    let id =
                        message["tool_call_id"].as_str().unwrap_or(string(&message["tool_name"])).to_owned();
                    Bit::Result { id, text: text("content") }
                }
                _ => Bit::Text(text("content")),
            });
            bits.extend(list(&message["images"]).map(string).map(|image| inline(sniff(image), image)));
            bits.extend(list(&message["tool_calls"]).map(|call| {
                let (id, name) =
                    (string(&call["id"]).to_owned(), string(&call["function"]["name"]).to_owned());
                Bit::Call { id, name, arguments: call["function"]["arguments"].clone() }
            }));
            heard.turn(string(&message["role"]), bits);
        }
        for tool in list(&body["tools"]) {
            let function = &tool["function"];
            heard.tools.push((string(&function["name"]).to_owned(), function["parameters"].clone()));
        }
        heard.schema = body.get("format").filter(|format| format.is_object()).cloned();
        heard
    }

    /// It streams unless it is told not to.
    fn streams(&self, _: &Request, body: &Value) -> bool {
        body["stream"] != false
    }

    fn lines(&self, _: &Request) -> Lines {
        Lines::Json
    }

    fn whole(&self, said: &Said<'_>) -> Value {
        let mut message =
            json!({"role": "assistant", "content": said.text() + said.refusal().unwrap_or_default()});
        let thoughts = said.thoughts();
        if !thoughts.is_empty() {
            message["thinking"] = thoughts.into();
        }
        let calls: Vec<_> = said.parts.iter().filter_map(call).collect();
        if !calls.is_empty() {
            message["tool_calls"] = calls.into();
        }
        end(said, message)
    }

    fn stream(&self, said: &Said<'_>, events: &mut Events) {
        for part in &said.parts {
            let line = |message: Value| {
                json!({"model": said.model(), "created_at": NOW, "message": message, "done": false})
                    .to_string()
            };
            let mut say = |field: &str, text: &str| {
                for text in said.slices(text) {
                    let mut message = json!({"role": "assistant", "content": ""});
                    message[field] = text.into();
                    events.send("", line(message));
                }
            };
            match part {
                Part::Text(text) => say("content", text),
                Part::Reasoning(_, text) => say("thinking", text),
                Part::Call { .. } => {
                    if let Some(call) = call(part) {
                        events.send(
                            "",
                            line(json!({"role": "assistant", "content": "", "tool_calls": [call]})),
                        );
                    }
                }
                Part::Raw(bytes) => events.raw(bytes),
                Part::Data(bytes) => events.send("", bytes),
                Part::Nothing => events.send("", line(json!({"role": "assistant", "content": ""}))),
                Part::Error(refused) => events.send("", self.refused(refused).1.to_string()),
                Part::Refusal(text) => say("content", text),
                Part::Redacted(_) | Part::Echo | Part::Seen => {}
            }
        }
        if said.style.finish {
            events.send("", end(said, json!({"role": "assistant", "content": ""})).to_string());
        }
    }

    fn hollow(&self) -> Value {
        json!({"model": "scripted", "created_at": NOW, "done": false})
    }

    fn refused(&self, refused: &Refused) -> (u16, Value) {
        let Refused { status, code, message, param, .. } = refused;
        let message = match (code.unwrap_or_default(), param.as_deref()) {
            ("model_not_found", _) => "model \"scripted\" not found, try pulling it first".to_owned(),
            ("context_length_exceeded", _) => "the input length exceeds the context length".to_owned(),
            ("overloaded", _) => {
                "server busy, please try again.  maximum pending requests exceeded".to_owned()
            }
            (_, Some(param)) if !param.is_empty() => format!("{param}: {message}"),
            _ => message.clone(),
        };
        (*status, json!({"error": message}))
    }
}

/// The last line, or the only one. Calls have no reason of their own here, and times are in nanoseconds.
fn end(said: &Said<'_>, message: Value) -> Value {
    let reason = match said.finish() {
        "tool_calls" | "content_filter" => "stop",
        reason => reason,
    };
    let mut end = json!({
        "model": said.model(), "created_at": NOW, "message": message, "done": true, "done_reason": reason,
        "total_duration": 5_000_000, "load_duration": 1_000_000
    });
    if said.style.usage {
        for (field, value) in [
            ("prompt_eval_count", said.count.input),
            ("prompt_eval_duration", 2_000_000),
            ("eval_count", said.count.output),
            ("eval_duration", 2_000_000),
        ] {
            end[field] = value.into();
        }
    }
    end
}

/// Arguments are an object, so that a call whose arguments are cut does not come at all.
fn call(part: &Part) -> Option<Value> {
    let Part::Call { id, name, arguments } = part else { return None };
    let arguments: Value = serde_json::from_str(arguments).ok()?;
    Some(json!({"id": id, "function": {"name": name, "arguments": arguments}}))
}

/// Vectors of four numbers, one for each text.
pub(super) fn embed(_: &Request, body: &Value) -> Answer {
    let texts: Vec<_> = match &body["input"] {
        Value::String(text) => vec![text.as_str()],
        texts => list(texts).map(string).collect(),
    };
    if texts.is_empty() || string(&body["model"]).is_empty() {
        return Refused::new(400, "invalid_request", "input and model are required").into();
    }
    let vectors: Vec<_> = texts.iter().map(|text| json!([text.len(), 0.5, -0.5, 1.0])).collect();
    Answer::json(
        200,
        &json!({"model": body["model"], "embeddings": vectors, "total_duration": 1, "load_duration": 1, "prompt_eval_count": 4}),
    )
}

/// The list of models.
pub(super) fn tags(_: &Request, _: &Value) -> Answer {
    let details =
        json!({"format": "gguf", "family": "qwen3", "parameter_size": "8B", "quantization_level": "Q4_K_M"});
    let model = json!({
        "name": "scripted", "model": "scripted", "modified_at": NOW, "size": 4096, "digest": "00", "details": details
    });
    Answer::json(200, &json!({"models": [model]}))
}

pub(super) fn version(_: &Request, _: &Value) -> Answer {
    Answer::json(200, &json!({"version": "0.12.0"}))
}
