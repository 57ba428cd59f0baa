//! Anthropic's messages.
//!
//! After <https://platform.claude.com/docs/en/api/messages>, `../build-with-claude/streaming`, `../extended-thinking`, and the
//! types of the SDK `anthropic` of Python.

use super::{Format, Refused};
use crate::server::{
    Answer, Heard, Request,
    chat::{Part, Said, signature},
    check::{self, Checked},
    frame::{Events, Lines},
    heard::{Bit, at, inline, list, string, words},
};
use serde_json::{Value, json};

pub(super) struct Anthropic;

impl Format for Anthropic {
    fn key<'a>(&self, request: &'a Request) -> Option<&'a str> {
        Some(request.header("x-api-key").unwrap_or_else(|| request.bearer()))
    }

    fn check(&self, request: &Request, body: &Value) -> Checked {
        check::anthropic::check(request, body)
    }

    fn heard(&self, _: &Request, body: &Value) -> Heard {
        let mut heard = Heard { model: string(&body["model"]).to_owned(), ..Heard::default() };
        if !body["system"].is_null() {
            heard.turn("system", vec![Bit::Text(words(&body["system"]))]);
        }
        for message in list(&body["messages"]) {
            let role = string(&message["role"]);
            let mut bits = Vec::new();
            if let Some(text) = message["content"].as_str() {
                bits.push(Bit::Text(text.to_owned()));
            }
            for block in list(&message["content"]) {
                if block["type"] == "tool_result" {
                    let content = &block["content"];
                    let mut result = vec![Bit::Result {
                        id: string(&block["tool_use_id"]).to_owned(),
                        text: words(content),
                    }];
                    result.extend(list(content).filter_map(bit).filter(|bit| matches!(bit, Bit::Media(_))));
                    heard.turn("tool", result);
                } else {
                    bits.extend(bit(block));
                }
            }
            if !bits.is_empty() {
                heard.turn(role, bits);
            }
        }
        for tool in list(&body["tools"]) {
            heard.tools.push((string(&tool["name"]).to_owned(), tool["input_schema"].clone()));
        }
        let schema = &body["output_config"]["format"]["schema"];
        heard.schema = schema.is_object().then(|| schema.clone());
        let choice = &body["tool_choice"];
        heard.choose(string(&choice["type"]), choice["name"].as_str());
        heard
    }

    fn lines(&self, _: &Request) -> Lines {
        Lines::NamedEvents
    }

    fn whole(&self, said: &Said<'_>) -> Value {
        let mut message = head(said);
        message["content"] = blocks(said).map(|block| block.whole).collect();
        let (reason, details) = stop(said);
        message["stop_reason"] = reason;
        message["stop_details"] = details;
        message["usage"] = usage(said, said.count.output);
        message
    }

    fn stream(&self, said: &Said<'_>, events: &mut Events) {
        let mut send = |data: Value| events.send(string(&data["type"]), data.to_string());
        let mut message = head(said);
        message["usage"] = usage(said, 1);
        send(json!({"type": "message_start", "message": message}));
        send(json!({"type": "ping"}));
        let mut blocks = blocks(said);
        let mut index = 0;
        for part in &said.parts {
            match part {
                Part::Raw(bytes) => events.raw(bytes),
                Part::Data(bytes) => events.send("content_block_delta", bytes),
                Part::Nothing => events.send("ping", "{\"type\":\"ping\"}"),
                Part::Error(refused) => return events.fail(200, self.refused(refused).1.to_string()),
                Part::Refusal(_) | Part::Echo | Part::Seen => {}
                _ => {
                    let Some(block) = blocks.next() else { continue };
                    let mut send = |data: Value| events.send(string(&data["type"]), data.to_string());
                    send(
                        json!({"type": "content_block_start", "index": index, "content_block": block.start}),
                    );
                    for delta in block.deltas {
                        send(json!({"type": "content_block_delta", "index": index, "delta": delta}));
                    }
                    send(json!({"type": "content_block_stop", "index": index}));
                    index += 1;
                }
            }
        }
        let mut send = |data: Value| events.send(string(&data["type"]), data.to_string());
        if said.style.finish {
            let (reason, details) = stop(said);
            let delta = json!({"stop_reason": reason, "stop_sequence": null, "stop_details": details});
            let mut count = json!({"output_tokens": said.count.output});
            if said.style.usage {
                count = usage(said, said.count.output);
            }
            send(json!({"type": "message_delta", "delta": delta, "usage": count}));
        }
        if said.style.done {
            send(json!({"type": "message_stop"}));
        }
    }

    fn hollow(&self) -> Value {
        json!({"id": "msg_1", "type": "message", "role": "assistant", "content": [], "stop_reason": null})
    }

    fn refused(&self, refused: &Refused) -> (u16, Value) {
        let Refused { status, code, message, param, .. } = refused;
        // A quota that is used up is a 400 here, and too much to do is a status of its own.
        let (status, kind) = match code.unwrap_or_default() {
            "insufficient_quota" => (402, "billing_error"),
            "overloaded" => (529, "overloaded_error"),
            _ => match status {
                401 => (401, "authentication_error"),
                403 => (403, "permission_error"),
                404 => (404, "not_found_error"),
                413 => (413, "request_too_large"),
                429 => (429, "rate_limit_error"),
                500.. => (*status, "api_error"),
                _ => (*status, "invalid_request_error"),
            },
        };
        let message = match (code.unwrap_or_default(), param.as_deref()) {
            ("context_length_exceeded", _) => "prompt is too long: 210000 tokens > 200000 maximum".to_owned(),
            (_, Some(param)) if !param.is_empty() => format!("{param}: {message}"),
            _ => message.clone(),
        };
        let error = json!({"type": kind, "message": message});
        (status, json!({"type": "error", "error": error, "request_id": "req_1"}))
    }
}

/// A block whole, and as it is streamed.
struct Block {
    whole: Value,
    start: Value,
    deltas: Vec<Value>,
}

fn blocks(said: &Said<'_>) -> impl Iterator<Item = Block> {
    said.parts.iter().filter_map(|part| {
        let delta = |kind: &str, field: &str, text: &str| {
            said.slices(text).map(|piece| json!({"type": kind, field: piece})).collect::<Vec<_>>()
        };
        Some(match part {
            Part::Text(text) => Block {
                whole: json!({"type": "text", "text": text}),
                start: json!({"type": "text", "text": ""}),
                deltas: delta("text_delta", "text", text),
            },
            Part::Reasoning(_, text) => {
                let signature = signature(text);
                let mut deltas = delta("thinking_delta", "thinking", text);
                deltas.push(json!({"type": "signature_delta", "signature": signature}));
                Block {
                    whole: json!({"type": "thinking", "thinking": text, "signature": signature}),
                    start: json!({"type": "thinking", "thinking": "", "signature": ""}),
                    deltas,
                }
            }
            Part::Redacted(data) => {
                let block = json!({"type": "redacted_thinking", "data": data});
                Block { whole: block.clone(), start: block, deltas: Vec::new() }
            }
            Part::Call { id, name, arguments } => {
                let block =
                    |input: Value| json!({"type": "tool_use", "id": id, "name": name, "input": input});
                // The first delta is empty, as the provider's is.
                let mut deltas = vec![json!({"type": "input_json_delta", "partial_json": ""})];
                deltas.extend(delta("input_json_delta", "partial_json", arguments));
                let input = serde_json::from_str(arguments).unwrap_or_else(|_| json!({}));
                Block { whole: block(input), start: block(json!({})), deltas }
            }
            _ => return None,
        })
    })
}

fn head(said: &Said<'_>) -> Value {
    json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": said.model(), "content": [],
        "stop_reason": null, "stop_sequence": null
    })
}

/// The reason of the end, and what is told of a refusal.
fn stop(said: &Said<'_>) -> (Value, Value) {
    if let Some(text) = said.refusal() {
        return (json!("refusal"), json!({"type": "refusal", "category": null, "explanation": text}));
    }
    let reason = match said.finish() {
        "stop" => "end_turn",
        "tool_calls" => "tool_use",
        "length" => "max_tokens",
        "content_filter" => "refusal",
        reason => reason,
    };
    (reason.into(), Value::Null)
}

/// What was read from the cache and written to it counts apart.
fn usage(said: &Said<'_>, output: u64) -> Value {
    let (count, written) = (said.count, said.written);
    json!({
        "input_tokens": count.input.saturating_sub(count.cached + written), "cache_creation_input_tokens": written,
        "cache_read_input_tokens": count.cached, "output_tokens": output,
        "output_tokens_details": {"thinking_tokens": count.reasoning}, "service_tier": "standard"
    })
}

fn bit(block: &Value) -> Option<Bit> {
    let text = |field: &str| string(&block[field]).to_owned();
    Some(match string(&block["type"]) {
        "text" => Bit::Text(text("text")),
        "thinking" => Bit::Thought(text("thinking"), text("signature")),
        "redacted_thinking" => Bit::Thought(String::new(), text("data")),
        "tool_use" => Bit::Call { id: text("id"), name: text("name"), arguments: block["input"].clone() },
        kind @ ("image" | "document") => {
            let source = &block["source"];
            match source["url"].as_str() {
                Some(url) => at(kind, url),
                None => inline(string(&source["media_type"]), string(&source["data"])),
            }
        }
        _ => return None,
    })
}

/// A model, as the list has it.
pub(super) fn models(_: &Request, _: &Value) -> Answer {
    let model = json!({
        "type": "model", "id": "scripted", "display_name": "Scripted", "created_at": "2025-01-01T00:00:00Z"
    });
    Answer::json(
        200,
        &json!({"data": [model], "has_more": false, "first_id": "scripted", "last_id": "scripted"}),
    )
}

/// A token for each four bytes of the request.
pub(super) fn count(request: &Request, _: &Value) -> Answer {
    Answer::json(200, &json!({"input_tokens": request.body.len() / 4}))
}
