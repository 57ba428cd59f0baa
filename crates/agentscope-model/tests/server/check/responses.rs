//! OpenAI's rules for responses.

use super::{Checked, is_name, is_said, unknown, within, wrong};
use crate::server::{
    chat::is_signature,
    heard::{list, string},
    schema::not_strict,
};
use serde_json::Value;

const FIELDS: &str = "model input instructions tools tool_choice parallel_tool_calls stream stream_options temperature \
    top_p max_output_tokens max_tool_calls text reasoning include store metadata truncation user previous_response_id \
    service_tier background prompt prompt_cache_key prompt_cache_retention safety_identifier top_logprobs conversation";

pub(in crate::server) fn check(body: &Value) -> Checked {
    if let Some(field) = unknown(body, FIELDS) {
        return wrong(field, format!("Unknown parameter: '{field}'."));
    }
    if !is_said(&body["model"]) {
        return wrong("model", "Missing required parameter: 'model'.");
    }
    within(body, &[("temperature", 0.0, 2.0), ("top_p", 0.0, 1.0), ("max_output_tokens", 16.0, 1e9)])?;
    if !body["stream_options"].is_null() && body["stream"] != true {
        return wrong(
            "stream_options",
            "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
        );
    }
    if let Some(field) = unknown(&body["reasoning"], "effort summary generate_summary") {
        return wrong(format!("reasoning.{field}"), format!("Unknown parameter: 'reasoning.{field}'."));
    }
    if !body["previous_response_id"].is_null() {
        return wrong("previous_response_id", "Previous response with this id not found.");
    }
    tools(body)?;
    let format = &body["text"]["format"];
    match format["type"].as_str() {
        None if format.is_null() => {}
        Some("text" | "json_object") => {}
        // The name and the schema are beside the type, and not within a `json_schema`.
        Some("json_schema") if is_name(&format["name"]) && format["schema"].is_object() => {
            let fault = (format["strict"] == true).then(|| not_strict(&format["schema"], "")).flatten();
            if let Some(fault) = fault {
                return wrong("text.format.schema", format!("Invalid schema for response_format: {fault}"));
            }
        }
        _ => return wrong("text.format.name", "Missing required parameter: 'text.format.name'."),
    }
    match &body["input"] {
        Value::String(text) if !text.is_empty() => Ok(()),
        Value::Array(items) if !items.is_empty() => self::items(items, body["store"] != false),
        _ => wrong("input", "Missing required parameter: 'input'."),
    }
}

fn tools(body: &Value) -> Checked {
    let mut names = Vec::new();
    for (at, tool) in list(&body["tools"]).enumerate() {
        let param = format!("tools[{at}]");
        if tool["type"] != "function" {
            continue; // the provider's own tools
        }
        if let Some(field) = unknown(tool, "type name description parameters strict") {
            return wrong(&param, format!("Unknown parameter: '{param}.{field}'."));
        }
        if !is_name(&tool["name"]) {
            return wrong(&param, format!("Missing required parameter: '{param}.name'."));
        }
        if tool["parameters"]["type"] != "object" {
            return wrong(
                &param,
                "Invalid schema for function: schema must be a JSON Schema of 'type: \"object\"'.",
            );
        }
        let fault = (tool["strict"] == true).then(|| not_strict(&tool["parameters"], "")).flatten();
        if let Some(fault) = fault {
            return wrong(
                &param,
                format!("Invalid schema for function '{}': {fault}", string(&tool["name"])),
            );
        }
        if names.contains(&&tool["name"]) {
            return wrong(&param, "Tool names must be unique.");
        }
        names.push(&tool["name"]);
    }
    match body.get("tool_choice") {
        None => Ok(()),
        Some(Value::String(choice)) if ["none", "auto"].contains(&choice.as_str()) => Ok(()),
        Some(Value::String(choice)) if choice == "required" && !names.is_empty() => Ok(()),
        Some(choice) if choice["type"] == "function" && names.contains(&&choice["name"]) => Ok(()),
        Some(_) => wrong("tool_choice", "Tool choice names no function of 'tools'."),
    }
}

fn items(items: &[Value], stored: bool) -> Checked {
    let mut open: Vec<&str> = Vec::new();
    for (at, item) in items.iter().enumerate() {
        let param = format!("input[{at}]");
        let kind = item["type"].as_str().unwrap_or("message");
        let (fields, prefix) = match kind {
            "message" => ("type role content id status phase", "msg"),
            "function_call" => ("type call_id name arguments id status namespace", "fc"),
            "function_call_output" => ("type call_id output id status", "fc"),
            "reasoning" => ("type id summary content encrypted_content status", "rs"),
            _ => {
                return wrong(param, format!("Invalid value: '{kind}'. Supported values are: 'message', .."));
            }
        };
        if let Some(field) = unknown(item, fields) {
            return wrong(&param, format!("Unknown parameter: '{param}.{field}'."));
        }
        if item["id"].as_str().is_some_and(|id| !id.starts_with(prefix)) {
            return wrong(
                &param,
                format!("Invalid '{param}.id': {}. Expected an ID that begins with '{prefix}'.", item["id"]),
            );
        }
        match kind {
            "message" => message(item, &param)?,
            "function_call" => {
                let arguments = item["arguments"].as_str().map(serde_json::from_str::<Value>);
                if !is_said(&item["call_id"]) || !is_name(&item["name"]) {
                    return wrong(&param, format!("Missing required parameter: '{param}.call_id'."));
                }
                if !matches!(arguments, Some(Ok(Value::Object(_)))) {
                    return wrong(
                        &param,
                        format!("Invalid '{param}.arguments': expected a string that is a JSON object."),
                    );
                }
                open.push(string(&item["call_id"]));
            }
            "function_call_output" => {
                let id = string(&item["call_id"]);
                let Some(call) = open.iter().position(|call| *call == id) else {
                    return wrong(
                        &param,
                        format!("No tool call found for function call output with call_id {id}."),
                    );
                };
                open.remove(call);
                match &item["output"] {
                    Value::String(_) => {}
                    Value::Array(parts) if !parts.is_empty() => {
                        parts.iter().try_for_each(|part| self::part("user", part, &param))?;
                    }
                    _ => return wrong(&param, format!("Missing required parameter: '{param}.output'.")),
                }
            }
            _ => {
                if !is_said(&item["id"]) || !item["summary"].is_array() {
                    return wrong(&param, format!("Missing required parameter: '{param}.summary'."));
                }
                if !stored && item.get("encrypted_content").is_none() {
                    let id = string(&item["id"]);
                    return wrong(
                        &param,
                        format!(
                            "Item with id '{id}' not found. Items are not persisted when `store` is set to false."
                        ),
                    );
                }
                let content = &item["encrypted_content"];
                if !content.is_null() && !is_signature(string(content)) {
                    return wrong(&param, "The encrypted content for item could not be verified.");
                }
                let next = items.get(at + 1);
                let follows = next.is_some_and(|next| {
                    ["reasoning", "function_call"].contains(&string(&next["type"]))
                        || next["role"] == "assistant"
                });
                if !follows {
                    let id = string(&item["id"]);
                    return wrong(
                        &param,
                        format!(
                            "Item '{id}' of type 'reasoning' was provided without its required following item."
                        ),
                    );
                }
            }
        }
    }
    open.first().map_or(Ok(()), |id| wrong("input", format!("No tool output found for function call {id}.")))
}

fn message(item: &Value, param: &str) -> Checked {
    let role = string(&item["role"]);
    if !["user", "assistant", "system", "developer"].contains(&role) {
        return wrong(
            param,
            format!("Invalid value: '{role}'. Supported values are: 'assistant', 'system', .."),
        );
    }
    match &item["content"] {
        Value::String(text) if role != "user" || !text.is_empty() => Ok(()),
        Value::Array(parts) if !parts.is_empty() => {
            parts.iter().try_for_each(|part| self::part(role, part, param))
        }
        _ => wrong(param, format!("Invalid '{param}.content': it is empty.")),
    }
}

fn part(role: &str, part: &Value, param: &str) -> Checked {
    let kind = string(&part["type"]);
    let kinds: &[&str] = match role {
        "assistant" => &["output_text", "refusal"],
        "user" => &["input_text", "input_image", "input_file", "input_audio"],
        _ => &["input_text"],
    };
    if !kinds.contains(&kind) {
        return wrong(param, format!("Invalid value: '{kind}'. Supported values are: {kinds:?}."));
    }
    let fine = match kind {
        "input_text" | "output_text" => part["text"].is_string(),
        "refusal" => part["refusal"].is_string(),
        // A text, and not an object as in chat completions.
        "input_image" => is_said(&part["image_url"]) || is_said(&part["file_id"]),
        "input_file" => ["file_data", "file_id", "file_url"].iter().any(|field| is_said(&part[*field])),
        _ => is_said(&part["input_audio"]["data"]) && is_said(&part["input_audio"]["format"]),
    };
    if fine { Ok(()) } else { wrong(param, format!("Invalid content of type '{kind}'.")) }
}
