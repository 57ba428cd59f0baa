//! Google's Gemini: `generateContent` and `streamGenerateContent`, by `v1beta` and `v1`.
//!
//! After <https://ai.google.dev/api/generate-content>, `../docs/thinking`, `../docs/thought-signatures`, and the types of the
//! SDK `google-genai` of Python.

use super::{Format, Refused};
use crate::server::{
    Answer, Heard, Request,
    chat::{Part, Said, signature},
    check::{self, Checked},
    frame::{Events, Lines},
    heard::{Bit, at, inline, list, string},
};
use serde_json::{Map, Value, json};

pub(super) struct Gemini;

impl Format for Gemini {
    fn key<'a>(&self, request: &'a Request) -> Option<&'a str> {
        Some(request.header("x-goog-api-key").or_else(|| request.query("key")).unwrap_or_default())
    }

    fn check(&self, request: &Request, body: &Value) -> Checked {
        check::gemini::check(model(request), &camel(body))
    }

    fn heard(&self, request: &Request, body: &Value) -> Heard {
        let body = &camel(body);
        let mut heard = Heard { model: model(request).to_owned(), ..Heard::default() };
        if !body["systemInstruction"].is_null() {
            heard.turn("system", list(&body["systemInstruction"]["parts"]).filter_map(bit).collect());
        }
        for content in list(&body["contents"]) {
            let mut bits = Vec::new();
            for part in list(&content["parts"]) {
                let response = &part["functionResponse"];
                if response.is_object() {
                    let mut result = vec![result(response)];
                    result.extend(list(&response["parts"]).filter_map(bit));
                    heard.turn("tool", result);
                } else {
                    bits.extend(bit(part));
                }
            }
            if !bits.is_empty() {
                heard.turn(if content["role"] == "model" { "assistant" } else { "user" }, bits);
            }
        }
        for function in list(&body["tools"]).flat_map(|tool| list(&tool["functionDeclarations"])) {
            let schema = function.get("parametersJsonSchema").unwrap_or(&function["parameters"]);
            heard.tools.push((string(&function["name"]).to_owned(), schema.clone()));
        }
        let config = &body["generationConfig"];
        heard.schema = config.get("responseJsonSchema").or_else(|| config.get("responseSchema")).cloned();
        let calling = &body["toolConfig"]["functionCallingConfig"];
        let allowed = calling["allowedFunctionNames"].as_array().filter(|names| names.len() == 1);
        heard.choose(string(&calling["mode"]), allowed.and_then(|names| names[0].as_str()));
        heard
    }

    fn streams(&self, request: &Request, _: &Value) -> bool {
        request.path.contains(":streamGenerateContent")
    }

    fn lines(&self, request: &Request) -> Lines {
        if request.query("alt") == Some("sse") { Lines::Events } else { Lines::Array }
    }

    fn whole(&self, said: &Said<'_>) -> Value {
        let parts: Vec<_> =
            said.parts.iter().enumerate().filter_map(|(at, part)| whole(said, at, part)).collect();
        chunk(said, parts.into(), Some(finish(said)), true)
    }

    fn stream(&self, said: &Said<'_>, events: &mut Events) {
        for (at, part) in said.parts.iter().enumerate() {
            let mut send =
                |parts: Value| events.send("", chunk(said, parts, None, said.style.usage).to_string());
            match part {
                Part::Text(text) => said.slices(text).for_each(|text| send(json!([{"text": text}]))),
                Part::Reasoning(_, text) => {
                    said.slices(text).for_each(|text| send(json!([{"text": text, "thought": true}])));
                }
                Part::Call { .. } => whole(said, at, part).into_iter().for_each(|part| send(json!([part]))),
                Part::Raw(bytes) => events.raw(bytes),
                Part::Data(bytes) => events.send("", bytes),
                Part::Nothing => events.send("", "{\"usageMetadata\":{\"promptTokenCount\":1}}"),
                Part::Error(refused) => events.send("", self.refused(refused).1.to_string()),
                Part::Refusal(_) | Part::Redacted(_) | Part::Echo | Part::Seen => {}
            }
        }
        if said.style.finish {
            // The signature of thoughts without a call comes last, with an empty text.
            let thoughts = said.thoughts();
            let calls = said.parts.iter().any(|part| matches!(part, Part::Call { .. }));
            let mut part = json!({"text": ""});
            if !thoughts.is_empty() && !calls {
                part["thoughtSignature"] = signature(&thoughts).into();
            }
            let parts = if said.refusal().is_some() { Value::Null } else { json!([part]) };
            events.send("", chunk(said, parts, Some(finish(said)), said.style.usage).to_string());
        }
    }

    fn hollow(&self) -> Value {
        json!({"candidates": [], "modelVersion": "scripted"})
    }

    /// It is in the details of the error.
    fn waits_in_the_head(&self) -> bool {
        false
    }

    fn refused(&self, refused: &Refused) -> (u16, Value) {
        let Refused { status, code, message, wait, .. } = refused;
        let mut details = Vec::new();
        let google = "type.googleapis.com/google.rpc";
        let (status, name, message) = match (code.unwrap_or_default(), status) {
            // A key that is wrong is a wrong argument.
            ("invalid_api_key", _) if !message.starts_with("You didn't") => {
                let info = format!("{google}.ErrorInfo");
                details.push(json!({"@type": info, "reason": "API_KEY_INVALID", "domain": "googleapis.com"}));
                (400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.")
            }
            ("context_length_exceeded", _) => (
                400,
                "INVALID_ARGUMENT",
                "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
            ),
            ("insufficient_quota", _) => {
                let metric = "generativelanguage.googleapis.com/generate_content_free_tier_requests";
                let violations = json!([{"quotaMetric": metric, "quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]);
                details.push(json!({"@type": format!("{google}.QuotaFailure"), "violations": violations}));
                (429, "RESOURCE_EXHAUSTED", message.as_str())
            }
            (_, 401 | 403) => (403, "PERMISSION_DENIED", message.as_str()),
            (_, 404) => (404, "NOT_FOUND", message.as_str()),
            (_, 429) => (429, "RESOURCE_EXHAUSTED", message.as_str()),
            (_, 503) => (503, "UNAVAILABLE", message.as_str()),
            (_, 504) => (504, "DEADLINE_EXCEEDED", message.as_str()),
            (_, 500..) => (*status, "INTERNAL", message.as_str()),
            _ => (*status, "INVALID_ARGUMENT", message.as_str()),
        };
        if let Some(seconds) = wait {
            let delay = format!("{seconds}s");
            details.push(json!({"@type": format!("{google}.RetryInfo"), "retryDelay": delay}));
        }
        let mut error = json!({"code": status, "message": message, "status": name});
        if !details.is_empty() {
            error["details"] = details.into();
        }
        (status, json!({"error": error}))
    }
}

/// Names as Google's documentation writes them: a request may also have them as its SDK does, `generation_config`.
fn camel(value: &Value) -> Value {
    match value {
        Value::Array(values) => values.iter().map(camel).collect(),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| {
                let mut words = name.split('_');
                let mut name = words.next().unwrap_or_default().to_owned();
                for word in words {
                    let (head, tail) = word.split_at(word.len().min(1));
                    name.extend([&head.to_ascii_uppercase(), tail]);
                }
                let value = match name.as_str() {
                    // What is in these is the user's.
                    "args"
                    | "response"
                    | "parametersJsonSchema"
                    | "responseJsonSchema"
                    | "default"
                    | "example" => value.clone(),
                    "properties" => {
                        let properties = value.as_object().into_iter().flatten();
                        properties
                            .map(|(name, schema)| (name.clone(), camel(schema)))
                            .collect::<Map<_, _>>()
                            .into()
                    }
                    _ => camel(value),
                };
                (name, value)
            });
            fields.collect::<Map<_, _>>().into()
        }
        value => value.clone(),
    }
}

/// The model of the path.
fn model(request: &Request) -> &str {
    let rest = request.path.split("/models/").nth(1).unwrap_or_default();
    rest.split([':', '?']).next().unwrap_or_default()
}

fn chunk(said: &Said<'_>, parts: Value, finish: Option<(Value, Value)>, usage: bool) -> Value {
    let mut candidate = json!({"index": 0});
    if !parts.is_null() {
        candidate["content"] = json!({"parts": parts, "role": "model"});
    }
    let (count, thoughts) = (said.count, said.count.reasoning);
    if let Some((reason, message)) = &finish {
        candidate["finishReason"] = reason.clone();
        if !message.is_null() {
            candidate["finishMessage"] = message.clone();
        }
    }
    let mut chunk =
        json!({"candidates": [candidate], "modelVersion": model(said.request), "responseId": "resp-1"});
    if usage {
        // What was thought and what was said count apart, and the total is of both.
        let output = if finish.is_some() { count.output - thoughts } else { 1 };
        let mut usage = json!({
            "promptTokenCount": count.input, "candidatesTokenCount": output,
            "totalTokenCount": count.input + output + thoughts,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": count.input}]
        });
        for (field, tokens) in [("cachedContentTokenCount", count.cached), ("thoughtsTokenCount", thoughts)] {
            if tokens > 0 {
                usage[field] = tokens.into();
            }
        }
        chunk["usageMetadata"] = usage;
    }
    chunk
}

/// A part as a whole answer has it. The first call is signed where there were thoughts, and by the third generation always.
fn whole(said: &Said<'_>, at: usize, part: &Part) -> Option<Value> {
    Some(match part {
        Part::Text(text) => {
            let mut part = json!({"text": text});
            let thoughts = said.thoughts();
            let calls = said.parts.iter().any(|part| matches!(part, Part::Call { .. }));
            if !thoughts.is_empty() && !calls {
                part["thoughtSignature"] = signature(&thoughts).into();
            }
            part
        }
        Part::Reasoning(_, text) => json!({"text": text, "thought": true}),
        Part::Call { name, arguments, .. } => {
            let arguments: Value = serde_json::from_str(arguments).ok()?;
            let mut part = json!({"functionCall": {"name": name, "args": arguments}});
            let before = said.parts.iter().take(at).any(|part| matches!(part, Part::Call { .. }));
            let thoughts = said.thoughts();
            let signs = !thoughts.is_empty() || model(said.request).starts_with("gemini-3");
            if signs && !before {
                part["thoughtSignature"] = signature(&thoughts).into();
            }
            part
        }
        _ => return None,
    })
}

/// Calls have no reason of their own here.
fn finish(said: &Said<'_>) -> (Value, Value) {
    if let Some(text) = said.refusal() {
        return (json!("SAFETY"), text.into());
    }
    let reason = match said.finish() {
        "stop" | "tool_calls" => "STOP",
        "length" => "MAX_TOKENS",
        "content_filter" => "SAFETY",
        reason => reason,
    };
    (reason.into(), Value::Null)
}

fn result(response: &Value) -> Bit {
    let answer = &response["response"];
    let text = ["output", "result", "content", "error"].iter().find_map(|field| answer[*field].as_str());
    let id = response["id"].as_str().unwrap_or(string(&response["name"])).to_owned();
    Bit::Result { id, text: text.map_or_else(|| answer.to_string(), str::to_owned) }
}

fn bit(part: &Value) -> Option<Bit> {
    let (call, data, file) = (&part["functionCall"], &part["inlineData"], &part["fileData"]);
    let signature = string(&part["thoughtSignature"]).to_owned();
    Some(match part["text"].as_str() {
        Some(text) if part["thought"] == true => Bit::Thought(text.to_owned(), signature),
        Some(text) => Bit::Text(text.to_owned()),
        None if call.is_object() => {
            let text = |field: &str| string(&call[field]).to_owned();
            Bit::Call { id: text("id"), name: text("name"), arguments: call["args"].clone() }
        }
        None if data.is_object() => inline(string(&data["mimeType"]), string(&data["data"])),
        None if file.is_object() => {
            let kind = string(&file["mimeType"]).split('/').next().unwrap_or_default();
            at(if kind.is_empty() { "file" } else { kind }, string(&file["fileUri"]))
        }
        None => return None,
    })
}

/// The list of models.
pub(super) fn models(_: &Request, _: &Value) -> Answer {
    let model = json!({
        "name": "models/scripted", "displayName": "Scripted", "version": "1", "inputTokenLimit": 1_048_576,
        "outputTokenLimit": 65_536, "supportedGenerationMethods": ["generateContent", "countTokens"]
    });
    Answer::json(200, &json!({"models": [model]}))
}

/// A token for each four bytes of the request.
pub(super) fn count(request: &Request, _: &Value) -> Answer {
    let tokens = request.body.len() / 4;
    Answer::json(
        200,
        &json!({"totalTokens": tokens, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": tokens}]}),
    )
}
