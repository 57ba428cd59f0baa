//! What Ollama takes, and no more: it passes over what it does not know, so that a client's mistakes would not be seen.

use super::{Checked, is_said, unknown, wrong};
use crate::server::heard::{is_base64, list, string};
use serde_json::Value;

const FIELDS: &str =
    "model messages tools stream format options keep_alive think truncate shift logprobs top_logprobs";
const OPTIONS: &str = "num_ctx num_keep seed num_predict top_k top_p min_p tfs_z typical_p repeat_last_n temperature \
    repeat_penalty presence_penalty frequency_penalty mirostat mirostat_tau mirostat_eta penalize_newline stop \
    numa num_batch num_gpu main_gpu low_vram f16_kv logits_all vocab_only use_mmap use_mlock num_thread";

pub(in crate::server) fn check(body: &Value) -> Checked {
    if let Some(field) = unknown(body, FIELDS).or_else(|| unknown(&body["options"], OPTIONS)) {
        return wrong(field, "invalid option provided");
    }
    if !is_said(&body["model"]) {
        return wrong("", "model is required");
    }
    if !matches!(body.get("stream"), None | Some(Value::Bool(_))) {
        return wrong(
            "stream",
            "json: cannot unmarshal into Go struct field ChatRequest.stream of type bool",
        );
    }
    let format = &body["format"];
    if !format.is_null() && !format.is_object() && format != "json" && format != "" {
        return wrong(
            "format",
            format!("invalid format: {format}; expected \"json\" or a valid JSON Schema object"),
        );
    }
    match &body["think"] {
        Value::Null | Value::Bool(_) => {}
        Value::String(level) if ["low", "medium", "high", "max"].contains(&level.as_str()) => {}
        think => return wrong("think", format!("invalid think value: {think}")),
    }
    for tool in list(&body["tools"]) {
        let function = &tool["function"];
        if tool["type"] != "function"
            || !is_said(&function["name"])
            || function["parameters"]["type"] != "object"
        {
            return wrong(
                "tools",
                "a tool is of type 'function' and has a name and parameters of type 'object'",
            );
        }
    }
    let Some(messages) = body["messages"].as_array().filter(|messages| !messages.is_empty()) else {
        return wrong("messages", "there is no message"); // which loads the model, and says nothing
    };
    messages
        .iter()
        .enumerate()
        .try_for_each(|(at, message)| self::message(message, &format!("messages[{at}]")))
}

fn message(message: &Value, param: &str) -> Checked {
    let role = string(&message["role"]);
    let fields = match role {
        "system" => "role content",
        "user" => "role content images",
        "assistant" => "role content thinking images tool_calls",
        "tool" => "role content tool_name tool_call_id images",
        _ => return wrong(param, format!("invalid role: {role}")),
    };
    if let Some(field) = unknown(message, fields) {
        return wrong(param, format!("'{field}' is not for role '{role}'"));
    }
    if !message["content"].is_string() && message.get("tool_calls").is_none() {
        return wrong(
            param,
            "json: cannot unmarshal array into Go struct field Message.content of type string",
        );
    }
    if role == "tool" && !is_said(&message["tool_name"]) {
        return wrong(param, "a result has the name of its tool in 'tool_name'");
    }
    if let Some(image) = list(&message["images"]).find(|image| !is_base64(string(image))) {
        let start: String = string(image).chars().take(16).collect();
        return wrong(param, format!("illegal base64 data at input byte 0: {start}"));
    }
    for call in list(&message["tool_calls"]) {
        if unknown(call, "id type function").is_some() || !is_said(&call["function"]["name"]) {
            return wrong(param, "a call has a function with a name and arguments");
        }
        if !call["function"]["arguments"].is_object() {
            return wrong(
                param,
                "json: cannot unmarshal string into Go struct field .arguments of type api.ToolCallFunctionArguments",
            );
        }
    }
    Ok(())
}
