//! The test server says the same in every format, and understands the same from it.

use crate::{
    server::{Bit, Chat, Count, FAULTS, Heard, Request, Script, Server, fault, scenario},
    server_tests::{post, read, send},
};
use serde_json::{Value, json};
use std::sync::mpsc;

/// A format: how it is asked for, and where it has what.
pub(crate) struct Spoken {
    pub(crate) name: &'static str,
    path: &'static str,
    /// Where a stream is asked for by the path.
    stream_path: Option<&'static str>,
    headers: &'static str,
}

const fn spoken(name: &'static str, path: &'static str, headers: &'static str) -> Spoken {
    Spoken { name, path, stream_path: None, headers }
}

pub(crate) const ALL: [Spoken; 7] = [
    spoken("chat", "/v1/chat/completions", "authorization: Bearer k"),
    spoken("azure", "/openai/deployments/d/chat/completions?api-version=2024-10-21", "api-key: k"),
    spoken("responses", "/v1/responses", "authorization: Bearer k"),
    spoken("anthropic", "/v1/messages", "x-api-key: k\r\nanthropic-version: 2023-06-01"),
    Spoken {
        stream_path: Some("/v1beta/models/m:streamGenerateContent?alt=sse"),
        ..spoken("gemini", "/v1beta/models/m:generateContent", "x-goog-api-key: k")
    },
    spoken("ollama", "/api/chat", "accept: */*"),
    spoken("dashscope", "/api/v1/services/aigc/text-generation/generation", "authorization: Bearer k"),
];

impl Spoken {
    /// The bytes of a request, which is a stream or not.
    pub(crate) fn http(&self, body: &Value, stream: bool) -> String {
        let mut body = body.clone();
        let path = if stream { self.stream_path.unwrap_or(self.path) } else { self.path };
        let mut headers = self.headers.to_owned();
        match self.name {
            "gemini" => {}
            "dashscope" if stream => {
                headers += "\r\nx-dashscope-sse: enable";
                body["parameters"]["incremental_output"] = true.into();
            }
            "dashscope" => {}
            _ => body["stream"] = stream.into(),
        }
        post(path, &headers, &body)
    }

    /// A request that says this.
    pub(crate) fn hello(&self, words: &str) -> Value {
        let messages = json!([{"role": "user", "content": words}]);
        match self.name {
            "responses" => json!({"model": "m", "input": messages}),
            "anthropic" => json!({"model": "m", "max_tokens": 9, "messages": messages}),
            "gemini" => json!({"contents": [{"role": "user", "parts": [{"text": words}]}]}),
            "dashscope" => {
                json!({"model": "m", "input": {"messages": messages}, "parameters": {"result_format": "message"}})
            }
            _ => json!({"model": "m", "messages": messages}),
        }
    }

    /// The same talk with two calls and their results, before the words.
    fn talk(&self) -> Value {
        let places = ["Paris", "Oslo"].map(|place| json!({"location": place}));
        let function = |place: &Value| json!({"name": "get_weather", "arguments": place.to_string()});
        let ids = ["c1", "c2"];
        let both = |make: &dyn Fn(&str, &Value) -> Value| -> Value {
            ids.iter().zip(&places).map(|(id, place)| make(id, place)).collect()
        };
        let mut body = self.hello("hi");
        match self.name {
            "responses" => {
                let calls = both(
                    &|id, place| json!({"type": "function_call", "call_id": id, "name": "get_weather", "arguments": place.to_string()}),
                );
                let outputs =
                    both(&|id, _| json!({"type": "function_call_output", "call_id": id, "output": "sunny"}));
                let mut items = vec![body["input"][0].clone()];
                items.extend(calls.as_array().cloned().unwrap());
                items.extend(outputs.as_array().cloned().unwrap());
                body["input"] = items.into();
                body["instructions"] = "Be brief.".into();
            }
            "anthropic" => {
                let calls = both(
                    &|id, place| json!({"type": "tool_use", "id": id, "name": "get_weather", "input": place}),
                );
                let results =
                    both(&|id, _| json!({"type": "tool_result", "tool_use_id": id, "content": "sunny"}));
                body["messages"] = json!([
                    body["messages"][0], {"role": "assistant", "content": calls}, {"role": "user", "content": results}
                ]);
                body["system"] = "Be brief.".into();
            }
            "gemini" => {
                let calls = both(&|_, place| json!({"functionCall": {"name": "get_weather", "args": place}}));
                let results = both(
                    &|_, _| json!({"functionResponse": {"name": "get_weather", "response": {"output": "sunny"}}}),
                );
                body["contents"] = json!([
                    body["contents"][0], {"role": "model", "parts": calls}, {"role": "user", "parts": results}
                ]);
                body["systemInstruction"] = json!({"parts": [{"text": "Be brief."}]});
            }
            "ollama" => {
                let calls =
                    both(&|_, place| json!({"function": {"name": "get_weather", "arguments": place}}));
                let result = json!({"role": "tool", "tool_name": "get_weather", "content": "sunny"});
                body["messages"] = json!([
                    {"role": "system", "content": "Be brief."}, body["messages"][0],
                    {"role": "assistant", "content": "", "tool_calls": calls}, result, result
                ]);
            }
            _ => {
                let calls =
                    both(&|id, place| json!({"id": id, "type": "function", "function": function(place)}));
                let mut messages = vec![
                    json!({"role": "system", "content": "Be brief."}),
                    json!({"role": "user", "content": "hi"}),
                    json!({"role": "assistant", "content": "", "tool_calls": calls}),
                ];
                messages
                    .extend(ids.map(|id| json!({"role": "tool", "tool_call_id": id, "content": "sunny"})));
                let place = if self.name == "dashscope" { &mut body["input"] } else { &mut body };
                place["messages"] = messages.into();
            }
        }
        body
    }

    /// Status and body, without the sizes of chunks.
    pub(crate) fn ask(&self, server: &Server, body: &Value, stream: bool) -> (u16, String) {
        let (text, _) = read(send(server, &self.http(body, stream)));
        let (head, mut body) =
            text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{}: {text:?}", self.name));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        if !head.contains("transfer-encoding: chunked") {
            return (status, body.to_owned());
        }
        let mut joined = String::new();
        while let Some((size, rest)) = body.split_once("\r\n") {
            let size = usize::from_str_radix(size, 16).unwrap().min(rest.len());
            joined += &rest[..size];
            body = rest[size..].trim_start_matches("\r\n");
        }
        (status, joined)
    }

    /// The values that a body has, one or a stream of them.
    fn values(&self, body: &str, stream: bool) -> Vec<Value> {
        if !stream {
            return vec![serde_json::from_str(body).unwrap()];
        }
        let lines = body.lines().filter_map(|line| match self.name {
            "ollama" => Some(line),
            _ => line.strip_prefix("data:").map(str::trim),
        });
        lines.filter(|line| *line != "[DONE]").map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// All texts under this field, wherever it is, joined.
fn gathered(values: &[Value], field: &str) -> String {
    values.iter().map(|value| under(value, field)).collect()
}

fn under(value: &Value, field: &str) -> String {
    match value {
        Value::Array(values) => gathered(values, field),
        Value::Object(fields) => {
            let own = fields.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
            own + &fields.values().map(|value| under(value, field)).collect::<String>()
        }
        _ => String::new(),
    }
}

#[test]
fn every_format_says_the_same_whole_and_streamed() {
    for format in &ALL {
        let server = Server::start(scenario);
        for stream in [false, true] {
            let (status, body) = format.ask(&server, &format.hello("hello"), stream);
            assert_eq!(status, 200, "{}: {body}", format.name);
            let values = format.values(&body, stream);
            let field = match (format.name, stream) {
                ("anthropic" | "gemini", _) | ("responses", false) => "text",
                ("responses", true) => "delta",
                _ => "content",
            };
            assert_eq!(gathered(&values, field), "Grüße, 你好, 👍🏽", "{} {stream}: {body}", format.name);
            assert_eq!(values.len() > 2, stream, "{}: {body}", format.name);
        }
    }
}

#[test]
fn every_format_has_calls_and_the_reason_of_the_end() {
    let reasons = ["tool_calls", "tool_calls", "completed", "tool_use", "STOP", "stop", "tool_calls"];
    for (format, reason) in ALL.iter().zip(reasons) {
        let server = Server::start(scenario);
        for stream in [false, true] {
            let (_, body) = format.ask(&server, &format.hello("compare"), stream);
            assert!(body.matches("get_weather").count() >= 2, "{}: {body}", format.name);
            assert!(body.contains("Oslo") || stream, "{}: {body}", format.name);
            assert!(body.contains(&format!("\"{reason}\"")), "{}: {body}", format.name);
        }
    }
}

#[test]
fn every_format_counts_tokens_as_its_provider_does() {
    let count = Count { input: 90, output: 50, cached: 30, reasoning: 20 };
    for format in &ALL {
        let server = Server::start(vec![Chat::new().text("hi").usage(count).into()]);
        let (_, body) = format.ask(&server, &format.hello("hi"), false);
        let value: Value = serde_json::from_str(&body).unwrap();
        let (place, wanted) = match format.name {
            "anthropic" => {
                ("/usage", json!({"input_tokens": 60, "cache_read_input_tokens": 30, "output_tokens": 50}))
            }
            "gemini" => (
                "/usageMetadata",
                json!({"promptTokenCount": 90, "candidatesTokenCount": 30, "thoughtsTokenCount": 20}),
            ),
            "ollama" => ("", json!({"prompt_eval_count": 90, "eval_count": 50})),
            "responses" | "dashscope" => {
                ("/usage", json!({"input_tokens": 90, "output_tokens": 50, "total_tokens": 140}))
            }
            _ => ("/usage", json!({"prompt_tokens": 90, "completion_tokens": 50, "total_tokens": 140})),
        };
        let usage = value.pointer(place).unwrap();
        for (field, wanted) in wanted.as_object().unwrap() {
            assert_eq!(&usage[field], wanted, "{} {field}: {body}", format.name);
        }
    }
}

#[test]
fn a_conversation_is_heard_the_same_in_every_format() {
    let (heard, all) = mpsc::channel::<(Heard, Vec<String>)>();
    for format in &ALL {
        let heard = heard.clone();
        let script = move |request: &Request| {
            heard.send((request.heard(), request.transcript())).unwrap();
            Chat::new().text("well").into()
        };
        let server = Server::start(script.into_script());
        let (status, body) = format.ask(&server, &format.talk(), false);
        assert_eq!(status, 200, "{}: {body}", format.name);
        let (heard, transcript) = all.recv().unwrap();
        let wanted = ["system: Be brief.", "user: hi", "assistant: ", "tool: sunny", "tool: sunny"];
        assert_eq!(transcript, wanted, "{}", format.name);
        let calls: Vec<_> = heard.turns[2].calls().collect();
        let (paris, oslo) = (json!({"location": "Paris"}), json!({"location": "Oslo"}));
        assert_eq!(calls, [("get_weather", &paris), ("get_weather", &oslo)], "{}", format.name);
        let ids = heard.turns.iter().flat_map(|turn| &turn.parts).filter_map(|part| match part {
            Bit::Result { id, .. } => Some(id.as_str()),
            _ => None,
        });
        let named = matches!(format.name, "gemini" | "ollama");
        let wanted = if named { ["get_weather", "get_weather"] } else { ["c1", "c2"] };
        assert_eq!(ids.collect::<Vec<_>>(), wanted, "{}", format.name);
    }
}

#[test]
fn every_fault_that_ends_is_sent_to_its_end_in_every_format() {
    for format in &ALL {
        for (name, fault) in
            FAULTS.iter().filter(|(name, _)| !name.contains("silence") && *name != "endless-line")
        {
            for stream in [false, true] {
                let server = Server::start(vec![fault()]);
                let (text, _) = read(send(&server, &format.http(&format.hello("hi"), stream)));
                let early = name.contains("first") || name.contains("reset");
                assert!(early || text.starts_with("HTTP/1.1 "), "{} {name}: {text}", format.name);
                assert_eq!(server.count(), 1, "{} {name}", format.name);
            }
        }
    }
}

#[test]
fn an_error_has_the_form_of_its_format() {
    let forms = [
        ("/error/code", "rate_limit_exceeded"),
        ("/error/code", "rate_limit_exceeded"),
        ("/error/code", "rate_limit_exceeded"),
        ("/error/type", "rate_limit_error"),
        ("/error/status", "RESOURCE_EXHAUSTED"),
        ("/error", "Rate limit reached."),
        ("/code", "Throttling.RateQuota"),
    ];
    for (format, (place, wanted)) in ALL.iter().zip(forms) {
        for stream in [false, true] {
            let server = Server::start(fault("rate-limited").unwrap());
            let (status, body) = format.ask(&server, &format.hello("hi"), stream);
            let value: Value = serde_json::from_str(&body).unwrap();
            assert_eq!(
                (status, value.pointer(place)),
                (429, Some(&json!(wanted))),
                "{}: {body}",
                format.name
            );
        }
    }
}

#[test]
fn an_error_in_a_stream_follows_what_was_said() {
    for format in &ALL {
        let server = Server::start(fault("error-in-band").unwrap());
        let (status, body) = format.ask(&server, &format.hello("hi"), true);
        let last = body.trim_end().rsplit("\n\n").find(|event| !event.contains("[DONE]")).unwrap();
        assert_eq!(status, 200, "{}", format.name);
        assert!(body.contains("Hello"), "{}: {body}", format.name);
        let last = last.lines().last().unwrap().to_lowercase();
        let told = ["overloaded", "busy", "throttled"].iter().any(|word| last.contains(word));
        assert!(told, "{}: {last}", format.name);
    }
}

#[test]
fn a_service_of_ones_own_takes_messages_and_answers_in_json() {
    let server = Server::start(scenario);
    for field in ["messages", "inputs"] {
        let body = json!({field: [{"role": "user", "content": "hello"}], "temperature": 0.5});
        let (text, _) = read(send(&server, &post("/generate", "accept: */*", &body)));
        let answer: Value = serde_json::from_str(text.split_once("\r\n\r\n").unwrap().1).unwrap();
        let place = "/data/response/choices/0/message/content";
        assert_eq!(answer.pointer(place), Some(&json!("Grüße, 你好, 👍🏽")), "{text}");
    }
    let (text, _) = read(send(&server, &post("/generate", "accept: */*", &json!({"inputs": []}))));
    assert!(text.starts_with("HTTP/1.1 400"), "{text}");
}
