//! OpenAI's rules for chat completions, and of other providers' rules for them the narrower ones.

use super::{Checked, Wrong, is_name, unknown, within, wrong};
use crate::server::schema::not_strict;
use serde_json::Value;

/// The fields of a request that are known to OpenAI, and from `enable_thinking` on those of others.
const FIELDS: &str = "\
     model messages tools tool_choice parallel_tool_calls stream stream_options temperature top_p max_tokens \
     max_completion_tokens stop seed n response_format user logprobs top_logprobs presence_penalty \
     frequency_penalty logit_bias reasoning_effort modalities audio metadata store service_tier verbosity \
     prediction \
     enable_thinking thinking_budget thinking reasoning top_k min_p repetition_penalty chat_template_kwargs \
     provider enable_search";

pub(in crate::server) fn check(body: &Value) -> Checked {
    if let Some(field) = unknown(body, FIELDS) {
        return wrong(field, format!("Unrecognized request argument supplied: {field}"));
    }
    if body["model"].as_str().is_none_or(str::is_empty) {
        return wrong("model", "you must provide a model parameter");
    }
    numbers(body)?;
    tools(body)?;
    response_format(&body["response_format"])?;
    messages(&body["messages"])
}

fn numbers(body: &Value) -> Checked {
    within(body, &[("temperature", 0.0, 2.0), ("top_p", 0.0, 1.0)])?;
    for field in ["max_tokens", "max_completion_tokens", "n"] {
        if !body[field].is_null() && body[field].as_u64().is_none_or(|value| value == 0) {
            return wrong(field, format!("Invalid '{field}': integer below minimum value."));
        }
    }
    let stops = body["stop"].as_array();
    if stops.is_some_and(|stops| stops.is_empty() || stops.len() > 4 || !stops.iter().all(Value::is_string)) {
        return wrong("stop", "Invalid 'stop': expected one to four strings.");
    }
    if !body["stream_options"].is_null() && body["stream"] != true {
        return wrong(
            "stream_options",
            "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
        );
    }
    Ok(())
}

fn tools(body: &Value) -> Checked {
    let Some(tools) = body.get("tools") else {
        let lone =
            ["tool_choice", "parallel_tool_calls"].into_iter().find(|field| body.get(*field).is_some());
        let message = |field| format!("'{field}' is only allowed when 'tools' are specified.");
        return lone.map_or(Ok(()), |field| wrong(field, message(field)));
    };
    let Some(tools) = tools.as_array().filter(|tools| !tools.is_empty()) else {
        return wrong("tools", "Invalid 'tools': expected an array with at least one element.");
    };
    let mut names = Vec::new();
    for (at, tool) in tools.iter().enumerate() {
        let (param, function) = (format!("tools[{at}]"), &tool["function"]);
        if tool["type"] != "function" || !is_name(&function["name"]) {
            return wrong(
                param,
                "Invalid tool: expected type 'function' and a name of ^[a-zA-Z0-9_-]{1,64}$.",
            );
        }
        let parameters = function.get("parameters");
        if parameters.is_some_and(|schema| schema["type"] != "object") {
            return wrong(
                param,
                "Invalid schema for function: schema must be a JSON Schema of 'type: \"object\"'.",
            );
        }
        if !matches!(function.get("description"), None | Some(Value::String(_))) {
            return wrong(param, "Invalid description: expected a string.");
        }
        if names.contains(&&function["name"]) {
            return wrong(param, "Tool names must be unique.");
        }
        names.push(&function["name"]);
    }
    match body.get("tool_choice") {
        None => Ok(()),
        Some(Value::String(choice)) if ["none", "auto", "required"].contains(&choice.as_str()) => Ok(()),
        Some(choice) if choice["type"] == "function" && names.contains(&&choice["function"]["name"]) => {
            Ok(())
        }
        Some(_) => wrong("tool_choice", "Tool choice names no function of 'tools'."),
    }
}

fn response_format(format: &Value) -> Checked {
    let schema = &format["json_schema"];
    match format["type"].as_str() {
        None if format.is_null() => Ok(()),
        Some("text" | "json_object") => Ok(()),
        Some("json_schema") if is_name(&schema["name"]) && schema["schema"].is_object() => {
            let fault = (schema["strict"] == true).then(|| not_strict(&schema["schema"], "")).flatten();
            fault.map_or(Ok(()), |fault| {
                wrong("response_format", format!("Invalid schema for response_format: {fault}"))
            })
        }
        _ => wrong("response_format", "Invalid 'response_format': expected a type, and a name and a schema."),
    }
}

fn messages(messages: &Value) -> Checked {
    let Some(messages) = messages.as_array().filter(|messages| !messages.is_empty()) else {
        return wrong("messages", "Invalid 'messages': expected an array with at least one element.");
    };
    let mut open: Vec<&Value> = Vec::new();
    for (at, message) in messages.iter().enumerate() {
        let param = format!("messages[{at}]");
        let role = message["role"].as_str().unwrap_or_default();
        if role == "tool" {
            let Some(call) = open.iter().position(|call| **call == message["tool_call_id"]) else {
                return wrong(
                    param,
                    "Invalid parameter: messages with role 'tool' must be a response to a preceding message with \
                     'tool_calls'.",
                );
            };
            open.remove(call);
        } else {
            answered(&open)?;
        }
        let fields: &[&str] = match role {
            "system" | "developer" | "user" => &["role", "content", "name"],
            "tool" => &["role", "content", "tool_call_id"],
            "assistant" => &[
                "role",
                "content",
                "name",
                "tool_calls",
                "refusal",
                "audio",
                "reasoning_content",
                "reasoning",
            ],
            _ => return wrong(param, format!("Invalid value: '{role}'. Supported values are: 'system', ..")),
        };
        let fields_of = message.as_object().into_iter().flatten();
        if let Some((field, _)) = fields_of.into_iter().find(|(field, _)| !fields.contains(&field.as_str())) {
            return wrong(param, format!("Additional properties are not allowed ('{field}' was unexpected)"));
        }
        if message.get("name").is_some_and(|name| !is_name(name)) {
            return wrong(param, "Invalid name: string does not match pattern '^[a-zA-Z0-9_-]{1,64}$'.");
        }
        content(role, message, &param)?;
        if let Some(calls) = message.get("tool_calls") {
            open = tool_calls(calls, &param)?;
        }
    }
    answered(&open)
}

fn answered(open: &[&Value]) -> Checked {
    if open.is_empty() {
        return Ok(());
    }
    let ids: Vec<_> = open.iter().filter_map(|id| id.as_str()).collect();
    wrong(
        "messages",
        format!(
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The \
             following tool_call_ids did not have response messages: {}",
            ids.join(", ")
        ),
    )
}

fn tool_calls<'a>(calls: &'a Value, param: &str) -> Result<Vec<&'a Value>, Wrong> {
    let calls = calls.as_array().filter(|calls| !calls.is_empty());
    let mut ids: Vec<&Value> = Vec::new();
    for call in
        calls.ok_or_else(|| Wrong(param.to_owned(), "Invalid 'tool_calls': empty array.".to_owned()))?
    {
        let function = &call["function"];
        let id = call["id"].as_str().is_some_and(|id| !id.is_empty()) && !ids.contains(&&call["id"]);
        if !id || call["type"] != "function" || !is_name(&function["name"]) {
            wrong(param, "Invalid tool call: expected an id of its own, type 'function' and a name.")?;
        }
        let arguments = function["arguments"].as_str().map(serde_json::from_str::<Value>);
        if !matches!(arguments, Some(Ok(Value::Object(_)))) {
            wrong(param, "Invalid tool call: 'arguments' must be a string that is a JSON object.")?;
        }
        ids.push(&call["id"]);
    }
    Ok(ids)
}

fn content(role: &str, message: &Value, param: &str) -> Checked {
    let kinds: &[&str] = match role {
        "user" => &["text", "image_url", "input_audio", "file", "video_url"],
        "assistant" => &["text", "refusal"],
        _ => &["text"],
    };
    match &message["content"] {
        Value::String(text) if text.is_empty() && role == "user" => {
            wrong(param, "Invalid content: it is empty.")
        }
        Value::String(_) => Ok(()),
        Value::Null if role == "assistant" && message.get("tool_calls").is_some() => Ok(()),
        Value::Array(parts) if !parts.is_empty() => {
            let odd = parts.iter().find(|part| {
                let kind = part["type"].as_str().unwrap_or_default();
                !kinds.contains(&kind) || !well_formed(kind, &part[kind])
            });
            odd.map_or(Ok(()), |part| {
                wrong(param, format!("Invalid content of type '{}' for role '{role}'.", part["type"]))
            })
        }
        content => wrong(param, format!("Invalid content for role '{role}': {content}.")),
    }
}

fn well_formed(kind: &str, part: &Value) -> bool {
    let has = |field: &str| part[field].as_str().is_some_and(|text| !text.is_empty());
    match kind {
        "image_url" | "video_url" => has("url"),
        "input_audio" => has("data") && has("format"),
        "file" => has("file_id") || has("file_data"),
        _ => part.is_string(),
    }
}
