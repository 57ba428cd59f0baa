//! OpenAI's responses, and Azure's.
//!
//! After <https://platform.openai.com/docs/api-reference/responses> and `../responses-streaming`, and the SDK `openai` of
//! Python.

use super::{Format, Refused, chat};
use crate::server::{
    Heard, Request,
    chat::{Part, Said, signature},
    check::{self, Checked},
    frame::{Events, Lines},
    heard::{Bit, arguments, at, list, string, words},
};
use serde_json::{Map, Value, json};

pub(super) struct Responses {
    azure: bool,
}

pub(super) static RESPONSES: Responses = Responses { azure: false };
pub(super) static AZURE: Responses = Responses { azure: true };

impl Format for Responses {
    fn key<'a>(&self, request: &'a Request) -> Option<&'a str> {
        let key = if self.azure { request.header("api-key") } else { None };
        Some(key.unwrap_or_else(|| request.bearer()))
    }

    fn check(&self, _: &Request, body: &Value) -> Checked {
        check::responses::check(body)
    }

    fn heard(&self, _: &Request, body: &Value) -> Heard {
        let mut heard = Heard { model: string(&body["model"]).to_owned(), ..Heard::default() };
        if let Some(text) = body["instructions"].as_str() {
            heard.turn("system", vec![Bit::Text(text.to_owned())]);
        }
        if let Some(text) = body["input"].as_str() {
            heard.turn("user", vec![Bit::Text(text.to_owned())]);
        }
        for item in list(&body["input"]) {
            let text = |field: &str| string(&item[field]).to_owned();
            let (role, bits) = match item["type"].as_str() {
                Some("reasoning") => {
                    ("assistant", vec![Bit::Thought(words(&item["summary"]), text("encrypted_content"))])
                }
                Some("function_call") => {
                    let arguments = arguments(&item["arguments"]);
                    ("assistant", vec![Bit::Call { id: text("call_id"), name: text("name"), arguments }])
                }
                Some("function_call_output") => {
                    let mut bits = vec![Bit::Result { id: text("call_id"), text: words(&item["output"]) }];
                    bits.extend(list(&item["output"]).filter_map(media));
                    ("tool", bits)
                }
                _ => {
                    let mut bits = vec![Bit::Text(words(&item["content"]))];
                    bits.extend(list(&item["content"]).filter_map(media));
                    (string(&item["role"]), bits)
                }
            };
            // The items of one answer are one turn.
            match heard.turns.last_mut() {
                Some(last) if last.role == "assistant" && role == "assistant" => last.parts.extend(bits),
                _ => heard.turn(role, bits),
            }
        }
        for tool in list(&body["tools"]) {
            heard.tools.push((string(&tool["name"]).to_owned(), tool["parameters"].clone()));
        }
        let schema = &body["text"]["format"]["schema"];
        heard.schema = schema.is_object().then(|| schema.clone());
        heard.choose(string(&body["tool_choice"]), body["tool_choice"]["name"].as_str());
        heard
    }

    fn lines(&self, _: &Request) -> Lines {
        Lines::NamedEvents
    }

    fn whole(&self, said: &Said<'_>) -> Value {
        response(said, items(said).into_iter().map(|item| item.done).collect())
    }

    fn stream(&self, said: &Said<'_>, events: &mut Events) {
        let mut number = 0;
        let mut numbered = |kind: &str, fields: Value| {
            let mut event = Map::new();
            event.insert("type".to_owned(), kind.into());
            event.extend(fields.as_object().cloned().unwrap_or_default());
            event.insert("sequence_number".to_owned(), number.into());
            number += 1;
            Value::from(event).to_string()
        };
        let mut open = response(said, json!([]));
        (open["status"], open["usage"]) = ("in_progress".into(), Value::Null);
        open["incomplete_details"] = Value::Null;
        for kind in ["response.created", "response.in_progress"] {
            events.send(kind, numbered(kind, json!({"response": open})));
        }
        let mut items = items(said).into_iter();
        let mut done = Vec::new();
        for part in &said.parts {
            match part {
                Part::Raw(bytes) => events.raw(bytes),
                Part::Data(bytes) => events.send("response.output_text.delta", bytes),
                Part::Nothing => events.send("keepalive", numbered("keepalive", json!({}))),
                Part::Error(refused) => {
                    let Refused { code, message, param, .. } = refused;
                    let fields = json!({"code": code, "message": message, "param": param});
                    events.send("error", numbered("error", fields));
                }
                Part::Echo | Part::Seen => {}
                _ => {
                    let Some(item) = items.next() else { continue };
                    let index = done.len();
                    let mut send = |kind: &str, mut fields: Value| {
                        fields["output_index"] = index.into();
                        events.send(kind, numbered(kind, fields));
                    };
                    send("response.output_item.added", json!({"item": item.added}));
                    for (kind, mut fields) in item.between {
                        fields["item_id"] = item.done["id"].clone();
                        send(&kind, fields);
                    }
                    send("response.output_item.done", json!({"item": item.done}));
                    done.push(item.done);
                }
            }
        }
        if said.style.finish {
            let response = response(said, done.into());
            let kind = format!("response.{}", string(&response["status"]));
            events.send(&kind, numbered(&kind, json!({"response": response})));
        }
    }

    fn hollow(&self) -> Value {
        json!({"id": "resp_1", "object": "response", "status": "in_progress", "output": []})
    }

    fn refused(&self, refused: &Refused) -> (u16, Value) {
        if self.azure { chat::AZURE.refused(refused) } else { chat::CHAT.refused(refused) }
    }
}

/// An item of the output: how it begins, the events in its middle, how it is in the end.
struct Item {
    added: Value,
    between: Vec<(String, Value)>,
    done: Value,
}

fn items(said: &Said<'_>) -> Vec<Item> {
    let parts = said.parts.iter().enumerate();
    parts.filter_map(|(at, part)| item(said, at, part)).collect()
}

fn item(said: &Said<'_>, at: usize, part: &Part) -> Option<Item> {
    let encrypted = list(&said.body["include"]).any(|include| include == "reasoning.encrypted_content");
    let steps = |kind: &str, place: &Value, text: &str| -> Vec<(String, Value)> {
        let delta = said.slices(text).map(|piece| {
            let mut fields = place.clone();
            fields["delta"] = piece.into();
            (format!("{kind}.delta"), fields)
        });
        delta.collect()
    };
    Some(match part {
        Part::Text(text) | Part::Refusal(text) => {
            let refusal = matches!(part, Part::Refusal(_));
            let (kind, field) = if refusal { ("refusal", "refusal") } else { ("output_text", "text") };
            let content = |text: &str| {
                let mut content = json!({"type": kind, field: text});
                if !refusal {
                    (content["annotations"], content["logprobs"]) = (json!([]), json!([]));
                }
                content
            };
            let message = |status: &str, content: Value| {
                json!({
                    "type": "message", "id": format!("msg_{at}"), "role": "assistant", "status": status, "content": content
                })
            };
            let place = json!({"content_index": 0});
            let with = |field: &str, value: Value| {
                let mut fields = place.clone();
                fields[field] = value;
                if field == "text" {
                    fields["logprobs"] = json!([]);
                }
                fields
            };
            let name = format!("response.{kind}");
            let mut between = vec![("response.content_part.added".to_owned(), with("part", content("")))];
            let mut deltas = steps(&name, &place, text);
            for (_, fields) in deltas.iter_mut().filter(|_| !refusal) {
                fields["logprobs"] = json!([]);
            }
            between.extend(deltas);
            between.push((format!("{name}.done"), with(field, text.as_str().into())));
            between.push(("response.content_part.done".to_owned(), with("part", content(text))));
            Item {
                added: message("in_progress", json!([])),
                between,
                done: message("completed", json!([content(text)])),
            }
        }
        Part::Reasoning(_, text) => {
            let item = |summary: Value, content: Option<String>| {
                let mut item = json!({"type": "reasoning", "id": format!("rs_{at}"), "summary": summary});
                if let Some(content) = content.filter(|_| encrypted) {
                    item["encrypted_content"] = content.into();
                }
                item
            };
            let place = json!({"summary_index": 0});
            let part = |text: &str| json!({"type": "summary_text", "text": text});
            let with = |field: &str, value: Value| json!({"summary_index": 0, field: value});
            let name = "response.reasoning_summary";
            let mut between = vec![(format!("{name}_part.added"), with("part", part("")))];
            between.extend(steps(&format!("{name}_text"), &place, text));
            between.push((format!("{name}_text.done"), with("text", text.as_str().into())));
            between.push((format!("{name}_part.done"), with("part", part(text))));
            let done = item(json!([part(text)]), Some(signature(text)));
            Item { added: item(json!([]), None), between, done }
        }
        Part::Redacted(data) => {
            let mut item = json!({"type": "reasoning", "id": format!("rs_{at}"), "summary": []});
            if encrypted {
                item["encrypted_content"] = signature(data).into();
            }
            Item { added: item.clone(), between: Vec::new(), done: item }
        }
        Part::Call { id, name, arguments } => {
            let item = |status: &str, arguments: &str| {
                json!({
                    "type": "function_call", "id": format!("fc_{at}"), "call_id": id, "name": name, "arguments": arguments,
                    "status": status
                })
            };
            let kind = "response.function_call_arguments";
            let mut between = steps(kind, &json!({}), arguments);
            between.push((format!("{kind}.done"), json!({"arguments": arguments, "name": name})));
            let status = if said.finish() == "length" { "incomplete" } else { "completed" };
            Item { added: item("in_progress", ""), between, done: item(status, arguments) }
        }
        _ => return None,
    })
}

fn response(said: &Said<'_>, output: Value) -> Value {
    let incomplete = match said.finish() {
        "length" => json!({"reason": "max_output_tokens"}),
        "content_filter" => json!({"reason": "content_filter"}),
        _ => Value::Null,
    };
    let status = if incomplete.is_null() { "completed" } else { "incomplete" };
    let (body, count) = (&said.body, said.count);
    let usage = json!({
        "input_tokens": count.input, "input_tokens_details": {"cached_tokens": count.cached},
        "output_tokens": count.output, "output_tokens_details": {"reasoning_tokens": count.reasoning},
        "total_tokens": count.input + count.output
    });
    json!({
        "id": "resp_1", "object": "response", "created_at": 1_700_000_000, "status": status, "error": null,
        "incomplete_details": incomplete, "instructions": body["instructions"], "metadata": {}, "model": said.model(),
        "output": output, "parallel_tool_calls": true, "previous_response_id": null, "store": body["store"] != false,
        "temperature": 1.0, "text": {"format": {"type": "text"}}, "tool_choice": "auto", "tools": [], "top_p": 1.0,
        "truncation": "disabled", "usage": usage
    })
}

fn media(part: &Value) -> Option<Bit> {
    Some(match string(&part["type"]) {
        "input_image" => at("image", string(&part["image_url"])),
        "input_file" => at("file", part["file_data"].as_str().unwrap_or(string(&part["file_url"]))),
        "input_audio" => at("audio", string(&part["input_audio"]["data"])),
        _ => return None,
    })
}
