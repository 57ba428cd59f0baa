//! What DashScope's own API takes.

use super::{Checked, is_said, unknown, within, wrong};
use crate::server::heard::{list, string};
use serde_json::{Value, json};

const PARAMETERS: &str = "result_format incremental_output tools tool_choice parallel_tool_calls temperature top_p top_k \
    max_tokens seed stop repetition_penalty presence_penalty enable_thinking thinking_budget enable_search search_options \
    response_format n logprobs top_logprobs vl_high_resolution_images max_length preserve_thinking";

pub(in crate::server) fn check(body: &Value, multimodal: bool, streams: bool) -> Checked {
    if let Some(field) = unknown(body, "model input parameters") {
        return wrong(field, "unknown field");
    }
    if !is_said(&body["model"]) {
        return wrong(
            "model",
            "Required parameter(s) missing or invalid, please check the request parameters.",
        );
    }
    let parameters = &body["parameters"];
    if let Some(field) = unknown(parameters, PARAMETERS) {
        return wrong(format!("parameters.{field}"), "unknown parameter");
    }
    // Neither end of the range of the temperature belongs to it.
    let least = f64::MIN_POSITIVE;
    within(parameters, &[("temperature", 0.0, 1.99999), ("top_p", least, 1.0), ("max_tokens", 1.0, 1e9)])?;
    if parameters["incremental_output"] == true && !streams {
        return wrong(
            "parameters.incremental_output",
            "only for a stream: send the header X-DashScope-SSE: enable",
        );
    }
    if parameters["enable_thinking"] == true && !streams && !multimodal {
        return wrong("parameters.enable_thinking", "must be set to false for non-streaming calls");
    }
    if parameters["enable_thinking"] == true && parameters["incremental_output"] == false {
        return wrong("parameters.incremental_output", "must be \"true\" when enable_thinking is true");
    }
    let message = multimodal || parameters["result_format"] == "message";
    if parameters.get("tools").is_some() && !message {
        return wrong("parameters.result_format", "must be \"message\" when tools are given");
    }
    // Tools, and the pairs of calls and results, are as in OpenAI's API.
    let mut chat = json!({"model": body["model"], "messages": messages(body, multimodal)?});
    for field in ["tools", "response_format", "stop"] {
        if let Some(value) = parameters.get(field) {
            chat[field] = value.clone();
        }
    }
    match parameters.get("tool_choice") {
        Some(Value::String(choice)) if choice != "auto" && choice != "none" => {
            return wrong("parameters.tool_choice", "must be one of \"auto\", \"none\", or a function");
        }
        Some(Value::Object(_)) if parameters["enable_thinking"] == true => {
            return wrong(
                "parameters.tool_choice",
                "does not support being set to required or object in thinking mode",
            );
        }
        Some(choice) => chat["tool_choice"] = choice.clone(),
        None => {}
    }
    super::chat::check(&chat)
}

/// The messages as OpenAI's API would have them.
fn messages(body: &Value, multimodal: bool) -> Result<Value, super::Wrong> {
    if let Some(field) = unknown(&body["input"], "messages prompt") {
        wrong(format!("input.{field}"), "unknown field")?;
    }
    let mut messages = Vec::new();
    for (at, message) in list(&body["input"]["messages"]).enumerate() {
        let param = format!("input.messages[{at}].content");
        let mut message = message.clone();
        let calls = message.get("tool_calls").is_some();
        match &mut message["content"] {
            Value::String(_) => {}
            // A model for text takes parts, too, but only those of text.
            Value::Array(parts) => {
                for part in parts.iter_mut() {
                    let fine = list(&json!(["text", "image", "audio", "video"]))
                        .map(string)
                        .filter(|kind| *kind == "text" || multimodal)
                        .any(|kind| is_said(&part[kind]) || kind == "video" && part[kind].is_array());
                    if !fine || part.get("type").is_some() {
                        wrong(&param, "a part has one of text, image, audio or video, and no type")?;
                    }
                    let text = string(&part["text"]).to_owned();
                    *part = json!({"type": "text", "text": if text.is_empty() { "media" } else { &text }});
                }
                if parts.is_empty() && message["role"] == "assistant" {
                    message["content"] = "".into();
                }
            }
            Value::Null if calls => {}
            _ => wrong(&param, "expected a text or a list of parts")?,
        }
        if message["role"] == "tool" {
            message.as_object_mut().map(|message| message.remove("name"));
        }
        for call in message.get_mut("tool_calls").and_then(Value::as_array_mut).into_iter().flatten() {
            call.as_object_mut().map(|call| call.remove("index"));
        }
        messages.push(message);
    }
    Ok(messages.into())
}
