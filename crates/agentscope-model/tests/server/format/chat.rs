//! OpenAI's chat completions, and Azure's, which differ in their paths and keys.
//!
//! After <https://platform.openai.com/docs/api-reference/chat> and the SDK `openai` of Python.

use super::{Format, Refused};
use crate::server::{
    Answer, Count, Heard, Request,
    chat::{Part, Said},
    check::{self, Checked},
    frame::{Events, Lines},
    heard::{Bit, arguments, at, inline, list, string, words},
};
use serde_json::{Map, Value, json};

pub(super) struct Chat {
    azure: bool,
}

pub(super) static CHAT: Chat = Chat { azure: false };
pub(super) static AZURE: Chat = Chat { azure: true };

impl Format for Chat {
    fn key<'a>(&self, request: &'a Request) -> Option<&'a str> {
        let key = if self.azure { request.header("api-key") } else { None };
        Some(key.unwrap_or_else(|| request.bearer()))
    }

    fn check(&self, request: &Request, body: &Value) -> Checked {
        if self.azure && request.path.starts_with("/openai/deployments/") {
            if request.query("api-version").is_none_or(str::is_empty) {
                return check::wrong(
                    "api-version",
                    "Resource not found: 'api-version' is a required query parameter.",
                );
            }
            let mut body = body.clone();
            if body["model"].is_null() {
                body["model"] = "deployment".into();
            }
            return check::chat::check(&body);
        }
        check::chat::check(body)
    }

    fn heard(&self, _: &Request, body: &Value) -> Heard {
        let mut heard = Heard { model: string(&body["model"]).to_owned(), ..Heard::default() };
        for message in list(&body["messages"]) {
            let mut bits = Vec::new();
            for field in ["reasoning_content", "reasoning"] {
                bits.extend(message[field].as_str().map(|text| Bit::Thought(text.to_owned(), String::new())));
            }
            if message["role"] == "tool" {
                let id = string(&message["tool_call_id"]).to_owned();
                bits.push(Bit::Result { id, text: words(&message["content"]) });
            } else {
                bits.extend(content(&message["content"]));
            }
            bits.extend(list(&message["tool_calls"]).map(call));
            heard.turn(string(&message["role"]), bits);
        }
        for tool in list(&body["tools"]) {
            let function = &tool["function"];
            heard.tools.push((string(&function["name"]).to_owned(), function["parameters"].clone()));
        }
        let schema = &body["response_format"]["json_schema"]["schema"];
        heard.schema = schema.is_object().then(|| schema.clone());
        heard.choose(string(&body["tool_choice"]), body["tool_choice"]["function"]["name"].as_str());
        heard
    }

    fn lines(&self, _: &Request) -> Lines {
        Lines::Events
    }

    fn whole(&self, said: &Said<'_>) -> Value {
        let mut answer = head("chat.completion", said);
        let choice = json!({
            "index": 0, "message": message(said), "logprobs": null, "finish_reason": said.finish()
        });
        answer.insert("choices".to_owned(), json!([choice]));
        answer.insert("usage".to_owned(), count(said.count));
        answer.into()
    }

    fn stream(&self, said: &Said<'_>, events: &mut Events) {
        let usage = said.style.usage && said.body["stream_options"]["include_usage"] == true;
        let chunk = |choices: Value, count: Value| {
            let mut chunk = head("chat.completion.chunk", said);
            chunk.insert("choices".to_owned(), choices);
            if usage {
                chunk.insert("usage".to_owned(), count);
            }
            Value::from(chunk).to_string()
        };
        let choice = |delta: Value, finish: Value| {
            let choice = json!({"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish});
            chunk(json!([choice]), Value::Null)
        };
        let mut send = |delta: Value| events.send("", choice(delta, Value::Null));
        send(json!({"role": "assistant", "content": ""}));
        let mut index = 0;
        for part in &said.parts {
            let mut send = |delta: Value| events.send("", choice(delta, Value::Null));
            match part {
                Part::Reasoning(field, text) => {
                    said.slices(text).for_each(|text| send(json!({*field: text, "content": null})));
                }
                Part::Text(text) => said.slices(text).for_each(|text| send(json!({"content": text}))),
                Part::Refusal(text) => said.slices(text).for_each(|text| send(json!({"refusal": text}))),
                Part::Call { id, name, arguments } => {
                    let function = json!({"name": name, "arguments": ""});
                    let first = json!({"index": index, "id": id, "type": "function", "function": function});
                    send(json!({"tool_calls": [first]}));
                    said.slices(arguments).for_each(|arguments| {
                        send(json!({"tool_calls": [{"index": index, "function": {"arguments": arguments}}]}));
                    });
                    index += 1;
                }
                Part::Raw(bytes) => events.raw(bytes),
                Part::Data(bytes) => events.send("", bytes),
                Part::Nothing => events.send("", "{\"choices\":[]}"),
                Part::Error(refused) => events.send("", self.refused(refused).1.to_string()),
                Part::Redacted(_) | Part::Echo | Part::Seen => {}
            }
        }
        if said.style.finish {
            events.send("", choice(json!({}), said.finish().into()));
        }
        if usage {
            events.send("", chunk(json!([]), count(said.count)));
        }
        if said.style.done {
            events.send("", "[DONE]");
        }
    }

    fn hollow(&self) -> Value {
        json!({"id": "chatcmpl-1", "choices": []})
    }

    fn refused(&self, refused: &Refused) -> (u16, Value) {
        let Refused { status, code, message, param, .. } = refused;
        if self.azure && *status == 401 {
            // The gateway before the model says this, in a form of its own.
            return (401, json!({"error": {"code": "401", "message": message}}));
        }
        let kind = match code {
            Some(code) if *status == 429 || *status >= 500 => code,
            _ => "invalid_request_error",
        };
        (*status, json!({"error": {"message": message, "type": kind, "param": param, "code": code}}))
    }
}

/// The message of a whole answer; DashScope has the same.
pub(super) fn message(said: &Said<'_>) -> Value {
    let mut message = json!({"role": "assistant", "content": null});
    let mut calls = Vec::new();
    for part in &said.parts {
        match part {
            Part::Reasoning(field, text) => append(&mut message[*field], text),
            Part::Text(text) => append(&mut message["content"], text),
            Part::Refusal(text) => append(&mut message["refusal"], text),
            Part::Call { id, name, arguments } => calls.push(json!({
                "id": id, "type": "function", "function": {"name": name, "arguments": arguments}
            })),
            _ => {}
        }
    }
    if !calls.is_empty() {
        message["tool_calls"] = calls.into();
    }
    message
}

/// A call as OpenAI's chat writes it.
pub(super) fn call(call: &Value) -> Bit {
    let function = &call["function"];
    let name = string(&function["name"]).to_owned();
    Bit::Call { id: string(&call["id"]).to_owned(), name, arguments: arguments(&function["arguments"]) }
}

fn content(content: &Value) -> Vec<Bit> {
    let Value::Array(parts) = content else { return vec![Bit::Text(words(content))] };
    let bits = parts.iter().map(|part| match string(&part["type"]) {
        kind @ ("image_url" | "video_url") => at(&kind[..5], string(&part[kind]["url"])),
        "input_audio" => {
            let audio = &part["input_audio"];
            inline(&format!("audio/{}", string(&audio["format"])), string(&audio["data"]))
        }
        "file" => at("file", string(&part["file"]["file_data"])),
        _ => Bit::Text(string(&part["text"]).to_owned()),
    });
    bits.collect()
}

fn head(object: &str, said: &Said<'_>) -> Map<String, Value> {
    let head = json!({
        "id": "chatcmpl-1", "object": object, "created": 1_700_000_000, "model": said.model(),
        "system_fingerprint": "fp_1"
    });
    match head {
        Value::Object(head) => head,
        _ => Map::new(),
    }
}

fn count(count: Count) -> Value {
    let Count { input, output, cached, reasoning } = count;
    json!({
        "prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output,
        "prompt_tokens_details": {"cached_tokens": cached, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": reasoning, "audio_tokens": 0}
    })
}

fn append(field: &mut Value, text: &str) {
    *field = format!("{}{text}", field.as_str().unwrap_or_default()).into();
}

/// The list of models.
pub(super) fn models(_: &Request, _: &Value) -> Answer {
    Answer::json(
        200,
        &json!({"object": "list", "data": [{"id": "scripted", "object": "model", "created": 1_700_000_000, "owned_by": "test"}]}),
    )
}
