//! DashScope's own API, for text and for several kinds of media.
//!
//! After <https://help.aliyun.com/zh/model-studio/use-qwen-by-calling-api> (DashScope), and the SDK `dashscope` of Python.

use super::{Format, Refused, chat};
use crate::server::{
    Heard, Request,
    chat::{Part, Said},
    check::{self, Checked},
    frame::{Events, Lines},
    heard::{Bit, at, list, string, words},
};
use serde_json::{Value, json};

pub(super) struct DashScope;

impl Format for DashScope {
    fn key<'a>(&self, request: &'a Request) -> Option<&'a str> {
        Some(request.bearer())
    }

    fn check(&self, request: &Request, body: &Value) -> Checked {
        check::dashscope::check(body, is_multimodal(request), self.streams(request, body))
    }

    fn heard(&self, _: &Request, body: &Value) -> Heard {
        let mut heard = Heard { model: string(&body["model"]).to_owned(), ..Heard::default() };
        for message in list(&body["input"]["messages"]) {
            let mut bits = Vec::new();
            let thoughts = message["reasoning_content"].as_str().filter(|text| !text.is_empty());
            bits.extend(thoughts.map(|text| Bit::Thought(text.to_owned(), String::new())));
            let text = words(&message["content"]);
            bits.push(match string(&message["role"]) {
                "tool" => Bit::Result { id: string(&message["tool_call_id"]).to_owned(), text },
                _ => Bit::Text(text),
            });
            for part in list(&message["content"]) {
                for kind in ["image", "audio", "video"] {
                    match &part[kind] {
                        Value::String(url) => bits.push(at(kind, url)),
                        frames => bits.extend(list(frames).map(|url| at(kind, string(url)))),
                    }
                }
            }
            bits.extend(list(&message["tool_calls"]).map(chat::call));
            heard.turn(string(&message["role"]), bits);
        }
        let parameters = &body["parameters"];
        for tool in list(&parameters["tools"]) {
            let function = &tool["function"];
            heard.tools.push((string(&function["name"]).to_owned(), function["parameters"].clone()));
        }
        let schema = &parameters["response_format"]["json_schema"]["schema"];
        heard.schema = schema.is_object().then(|| schema.clone());
        heard.choose(
            string(&parameters["tool_choice"]),
            parameters["tool_choice"]["function"]["name"].as_str(),
        );
        heard
    }

    fn streams(&self, request: &Request, _: &Value) -> bool {
        request.header("x-dashscope-sse") == Some("enable")
            || request.header("accept") == Some("text/event-stream")
    }

    fn lines(&self, _: &Request) -> Lines {
        Lines::DashScope
    }

    fn whole(&self, said: &Said<'_>) -> Value {
        let mut message = chat::message(said);
        for field in ["content", "reasoning_content"] {
            message[field] = message[field].as_str().unwrap_or_default().into();
        }
        if let Some(text) = said.refusal() {
            message["content"] = text.into();
            message.as_object_mut().map(|message| message.remove("refusal"));
        }
        let calls = message.get_mut("tool_calls").and_then(Value::as_array_mut);
        for (at, call) in calls.into_iter().flatten().enumerate() {
            call["index"] = at.into();
        }
        let text = string(&message["content"]).to_owned();
        message["content"] = content(said, &text);
        chunk(said, message, said.finish(), said.count.output)
    }

    fn stream(&self, said: &Said<'_>, events: &mut Events) {
        let steps = said.body["parameters"]["incremental_output"] == true;
        // Without steps, each event has all that was said so far.
        let (mut texts, mut thoughts) = (String::new(), String::new());
        let mut calls: Vec<Value> = Vec::new();
        for part in &said.parts {
            let mut send = |text: &str, thought: &str, call: Option<Value>| {
                texts.push_str(text);
                thoughts.push_str(thought);
                let mut message = json!({"role": "assistant"});
                let (text, thought) =
                    if steps { (text, thought) } else { (texts.as_str(), thoughts.as_str()) };
                message["content"] = content(said, text);
                message["reasoning_content"] = thought.into();
                if let Some(call) = call {
                    merge(&mut calls, &call);
                    message["tool_calls"] = if steps { json!([call]) } else { json!(calls) };
                } else if !steps && !calls.is_empty() {
                    message["tool_calls"] = json!(calls);
                }
                // No reason is a text, and not null.
                events.send("result", chunk(said, message, "null", 1).to_string());
            };
            match part {
                Part::Text(text) | Part::Refusal(text) => {
                    said.slices(text).for_each(|text| send(&text, "", None))
                }
                Part::Reasoning(_, text) => said.slices(text).for_each(|text| send("", &text, None)),
                Part::Call { id, name, arguments } => {
                    let index = said.parts.iter().filter(|part| matches!(part, Part::Call { .. }));
                    let index = index.take_while(|other| !std::ptr::eq(*other, part)).count();
                    let call = |id: &str, name: Option<&str>, arguments: &str| {
                        let mut function = json!({"arguments": arguments});
                        if let Some(name) = name {
                            function["name"] = name.into();
                        }
                        json!({"index": index, "id": id, "type": "function", "function": function})
                    };
                    send("", "", Some(call(id, Some(name), "")));
                    // Later pieces have an empty id and no name.
                    said.slices(arguments).for_each(|piece| send("", "", Some(call("", None, &piece))));
                }
                Part::Raw(bytes) => events.raw(bytes),
                Part::Data(bytes) => events.send("result", bytes),
                Part::Nothing => send("", "", None),
                Part::Error(refused) => {
                    let (status, body) = self.refused(refused);
                    events.fail(status, body.to_string());
                }
                Part::Redacted(_) | Part::Echo | Part::Seen => {}
            }
        }
        if said.style.finish {
            let (text, thought) = if steps { ("", "") } else { (texts.as_str(), thoughts.as_str()) };
            let mut message = json!({"role": "assistant", "reasoning_content": thought});
            message["content"] = content(said, text);
            if !steps && !calls.is_empty() {
                message["tool_calls"] = json!(calls);
            }
            events.send("result", chunk(said, message, said.finish(), said.count.output).to_string());
        }
    }

    fn hollow(&self) -> Value {
        json!({"output": {"choices": []}, "request_id": "req-1"})
    }

    fn refused(&self, refused: &Refused) -> (u16, Value) {
        let Refused { status, code, message, param, .. } = refused;
        let (status, code, message) = match (code.unwrap_or_default(), status) {
            ("insufficient_quota", _) => (
                400,
                "Arrearage",
                "Access denied, please make sure your account is in good standing.".to_owned(),
            ),
            ("context_length_exceeded", _) => {
                (400, "InvalidParameter", "Range of input length should be [1, 129024]".to_owned())
            }
            (_, 401) => (401, "InvalidApiKey", "Invalid API-key provided.".to_owned()),
            (_, 404) => (404, "ModelNotFound", "Model not exist.".to_owned()),
            (_, 429) => (
                429,
                "Throttling.RateQuota",
                "Requests rate limit exceeded, please try again later.".to_owned(),
            ),
            (_, 503) => (
                503,
                "ModelServingError",
                "Too many requests. Your requests are being throttled due to system capacity limits."
                    .to_owned(),
            ),
            (_, 500..) => (*status, "InternalError", message.clone()),
            _ => {
                let param = param.as_deref().unwrap_or_default();
                (
                    *status,
                    "InvalidParameter",
                    format!("<{status}> InternalError.Algo.InvalidParameter: {param}: {message}"),
                )
            }
        };
        (status, json!({"code": code, "message": message, "request_id": "req-1"}))
    }
}

fn is_multimodal(request: &Request) -> bool {
    request.path.contains("/multimodal-generation/")
}

/// A list where there may be media, else a text.
fn content(said: &Said<'_>, text: &str) -> Value {
    match (is_multimodal(said.request), text) {
        (true, "") => json!([]),
        (true, text) => json!([{"text": text}]),
        (false, text) => text.into(),
    }
}

fn chunk(said: &Said<'_>, message: Value, finish: &str, output: u64) -> Value {
    let count = said.count;
    let old = !is_multimodal(said.request) && said.body["parameters"]["result_format"] != "message";
    let output_of = if old {
        json!({"text": message["content"], "finish_reason": finish})
    } else {
        json!({"choices": [{"message": message, "finish_reason": finish}]})
    };
    let mut chunk = json!({"output": output_of, "request_id": "req-1"});
    if said.style.usage {
        chunk["usage"] = json!({
            "input_tokens": count.input, "output_tokens": output, "total_tokens": count.input + output,
            "prompt_tokens_details": {"cached_tokens": count.cached},
            "output_tokens_details": {"reasoning_tokens": count.reasoning}
        });
    }
    chunk
}

/// Puts a piece of a call to the pieces before it.
fn merge(calls: &mut Vec<Value>, piece: &Value) {
    match calls.iter_mut().find(|call| call["index"] == piece["index"]) {
        None => calls.push(piece.clone()),
        Some(call) => {
            let arguments = &mut call["function"]["arguments"];
            *arguments = format!("{}{}", string(arguments), string(&piece["function"]["arguments"])).into();
        }
    }
}
