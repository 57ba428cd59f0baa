//! What Anthropic's messages take.

use super::{Checked, is_name, is_said, unknown, within, wrong};
use crate::server::{
    Request,
    chat::signature,
    heard::{is_base64, list, string},
    schema::not_strict,
};
use serde_json::{Value, json};

const FIELDS: &str = "model messages max_tokens system tools tool_choice thinking stop_sequences stream metadata \
    service_tier output_config container cache_control inference_geo";
/// What the version `2023-06-01` of the API takes besides; `2026-10-21` does not.
const SAMPLING: &str = "temperature top_p top_k";

pub(in crate::server) fn check(request: &Request, body: &Value) -> Checked {
    let old = match request.header("anthropic-version") {
        None => return wrong("anthropic-version", "header is required"),
        Some("2023-06-01") => true,
        Some("2026-10-21") => false,
        Some(version) => return wrong("anthropic-version", format!("\"{version}\" is not a valid version")),
    };
    let sampling = if old { SAMPLING } else { "" };
    if let Some(field) = unknown(body, &[FIELDS, sampling].join(" ")) {
        return wrong(field, "Extra inputs are not permitted");
    }
    if !is_said(&body["model"]) {
        return wrong("model", "Field required");
    }
    let Some(most) = body["max_tokens"].as_u64().filter(|most| *most > 0) else {
        return wrong("max_tokens", "Field required");
    };
    within(body, &[("temperature", 0.0, 1.0), ("top_p", 0.0, 1.0), ("top_k", 0.0, 1e9)])?;
    if list(&body["stop_sequences"]).any(|stop| string(stop).trim().is_empty()) {
        return wrong("stop_sequences", "each stop sequence must contain non-whitespace");
    }
    let thinks = thinking(body, most)?;
    tools(body, thinks)?;
    let format = &body["output_config"]["format"];
    if !format.is_null() {
        if format["type"] != "json_schema"
            || !format["schema"].is_object()
            || unknown(format, "type schema").is_some()
        {
            return wrong("output_config.format", "Input should be a 'json_schema' with a 'schema'");
        }
        // Every object is closed, though not each of its properties must be required.
        if let Some(fault) =
            not_strict(&format["schema"], "").filter(|fault| fault.contains("additionalProperties"))
        {
            return wrong("output_config.format.schema", fault);
        }
    }
    match &body["system"] {
        Value::Null => {}
        Value::String(text) if !text.is_empty() => {}
        Value::Array(blocks) if !blocks.is_empty() && blocks.iter().all(is_text) => {}
        _ => return wrong("system", "text content blocks must be non-empty"),
    }
    let points = body.to_string().matches("\"cache_control\":{").count();
    if points > 4 {
        return wrong(
            "",
            format!("A maximum of 4 blocks with cache_control may be provided. Found {points}."),
        );
    }
    messages(&body["messages"], thinks)
}

/// Whether it thinks.
fn thinking(body: &Value, most: u64) -> Result<bool, super::Wrong> {
    let thinking = &body["thinking"];
    let thinks = match string(&thinking["type"]) {
        "" if thinking.is_null() => false,
        "disabled" => false,
        "adaptive" => true,
        "enabled" => {
            let budget = thinking["budget_tokens"].as_u64().unwrap_or(0);
            if budget < 1024 {
                wrong("thinking.enabled.budget_tokens", "Input should be greater than or equal to 1024")?;
            }
            if budget >= most {
                wrong("", "`max_tokens` must be greater than `thinking.budget_tokens`.")?;
            }
            true
        }
        _ => {
            wrong(
                "thinking",
                "Input tag does not match any of the expected tags: 'disabled', 'enabled', 'adaptive'",
            )?;
            false
        }
    };
    if thinks
        && body["temperature"].as_f64().is_some_and(|temperature| (temperature - 1.0).abs() > f64::EPSILON)
    {
        wrong("", "`temperature` may only be set to 1 when thinking is enabled.")?;
    }
    if thinks && !body["top_k"].is_null() {
        wrong("", "`top_k` must be unset when thinking is enabled.")?;
    }
    Ok(thinks)
}

fn tools(body: &Value, thinks: bool) -> Checked {
    let mut names = Vec::new();
    for (at, tool) in list(&body["tools"]).enumerate() {
        let param = format!("tools.{at}");
        if !matches!(tool["type"].as_str(), None | Some("custom")) {
            continue; // the provider's own tools
        }
        if let Some(field) = unknown(tool, "name description input_schema cache_control type strict") {
            return wrong(format!("{param}.custom.{field}"), "Extra inputs are not permitted");
        }
        if !is_name(&tool["name"]) {
            return wrong(param, "custom.name: String should match pattern '^[a-zA-Z0-9_-]{1,64}$'");
        }
        if tool["input_schema"]["type"] != "object" {
            return wrong(param, "custom.input_schema.type: Input should be 'object'");
        }
        if !matches!(tool.get("description"), None | Some(Value::String(_))) {
            return wrong(param, "custom.description: Input should be a valid string");
        }
        if names.contains(&&tool["name"]) {
            return wrong("tools", "Tool names must be unique.");
        }
        names.push(&tool["name"]);
    }
    let Some(choice) = body.get("tool_choice") else { return Ok(()) };
    if names.is_empty() {
        return wrong("tool_choice", "may only be specified while providing tools");
    }
    let known = match string(&choice["type"]) {
        "auto" | "any" => unknown(choice, "type disable_parallel_tool_use").is_none(),
        "none" => unknown(choice, "type").is_none(),
        "tool" => {
            if !names.contains(&&choice["name"]) {
                return wrong(
                    "tool_choice",
                    format!("Tool '{}' not found in provided tools", string(&choice["name"])),
                );
            }
            unknown(choice, "type name disable_parallel_tool_use").is_none()
        }
        _ => false,
    };
    if !known {
        return wrong(
            "tool_choice",
            "Input tag does not match any of the expected tags: 'auto', 'any', 'tool', 'none'",
        );
    }
    if thinks && (choice["type"] == "any" || choice["type"] == "tool") {
        return wrong("", "Thinking may not be enabled when tool_choice forces tool use.");
    }
    Ok(())
}

fn messages(messages: &Value, thinks: bool) -> Checked {
    let Some(messages) = messages.as_array().filter(|messages| !messages.is_empty()) else {
        return wrong("messages", "at least one message is required");
    };
    // Neighbors of one role count as one turn.
    let mut turns: Vec<(&str, Vec<Value>)> = Vec::new();
    for (at, message) in messages.iter().enumerate() {
        let param = format!("messages.{at}");
        let role = string(&message["role"]);
        if !["user", "assistant", "system"].contains(&role) || (role == "system" && at == 0) {
            return wrong(format!("{param}.role"), "Input should be 'user' or 'assistant'");
        }
        if let Some(field) = unknown(message, "role content") {
            return wrong(format!("{param}.{field}"), "Extra inputs are not permitted");
        }
        let blocks = match &message["content"] {
            Value::String(text) => vec![json!({"type": "text", "text": text})],
            Value::Array(blocks) => blocks.clone(),
            _ => return wrong(format!("{param}.content"), "Input should be a valid string or list"),
        };
        if blocks.is_empty() {
            return wrong(param, "all messages must have non-empty content");
        }
        for (nth, block) in blocks.iter().enumerate() {
            self::block(role, block, &format!("{param}.content.{nth}"))?;
        }
        match turns.last_mut() {
            Some((last, all)) if *last == role => all.extend(blocks),
            // What the system says in between belongs to no turn.
            _ if role == "system" => {}
            _ => turns.push((role, blocks)),
        }
    }
    if turns.first().is_some_and(|(role, _)| *role != "user") {
        return wrong("messages", "first message must use the \"user\" role");
    }
    let last = turns.last().filter(|(role, _)| *role == "assistant");
    if last.is_some_and(|(_, blocks)| {
        blocks.last().is_some_and(|block| string(&block["text"]).ends_with([' ', '\n']))
    }) {
        return wrong("messages", "final assistant content cannot end with trailing whitespace");
    }
    if last.is_some() && thinks {
        return wrong(
            "",
            "This model does not support assistant message prefill. The conversation must end with a user message.",
        );
    }
    calls(&turns, thinks)
}

fn block(role: &str, block: &Value, param: &str) -> Checked {
    let kind = string(&block["type"]);
    let fields = match (role, kind) {
        (_, "text") => "type text cache_control citations",
        ("user", "image") => "type source cache_control",
        ("user", "document") => "type source title context citations cache_control",
        ("user", "tool_result") => "type tool_use_id content is_error cache_control",
        ("assistant", "tool_use") => "type id name input cache_control",
        ("assistant", "thinking") => "type thinking signature",
        ("assistant", "redacted_thinking") => "type data",
        _ => {
            return wrong(
                param,
                format!("Input tag '{kind}' does not match any of the expected tags for role '{role}'"),
            );
        }
    };
    if let Some(field) = unknown(block, fields) {
        return wrong(format!("{param}.{kind}.{field}"), "Extra inputs are not permitted");
    }
    match kind {
        "text" if string(&block["text"]).is_empty() => {
            wrong("messages", "text content blocks must be non-empty")
        }
        "text" if string(&block["text"]).trim().is_empty() => {
            wrong("messages", "text content blocks must contain non-whitespace text")
        }
        "image" | "document" => source(kind, &block["source"], param),
        "thinking" if block["signature"] != signature(string(&block["thinking"])) => {
            wrong(param, "Invalid `signature` in `thinking` block")
        }
        "redacted_thinking" if !is_said(&block["data"]) => {
            wrong(param, "Invalid `data` in `redacted_thinking` block")
        }
        "tool_use" if !is_id(&block["id"]) => {
            wrong(format!("{param}.tool_use.id"), "String should match pattern '^[a-zA-Z0-9_-]+$'")
        }
        "tool_use" if !is_name(&block["name"]) => {
            wrong(format!("{param}.tool_use.name"), "String should match pattern")
        }
        "tool_use" if !block["input"].is_object() => {
            wrong(format!("{param}.tool_use.input"), "Input should be a valid dictionary")
        }
        "tool_result" => match &block["content"] {
            Value::Null | Value::String(_) => Ok(()),
            Value::Array(parts) => {
                let odd = parts
                    .iter()
                    .find(|part| !is_text(part) && part["type"] != "image" && part["type"] != "document");
                odd.map_or(Ok(()), |_| {
                    wrong(format!("{param}.tool_result.content"), "text content blocks must be non-empty")
                })?;
                parts.iter().try_for_each(|part| self::block("user", part, param))
            }
            _ => wrong(format!("{param}.tool_result.content"), "Input should be a valid string or list"),
        },
        _ => Ok(()),
    }
}

fn source(kind: &str, source: &Value, param: &str) -> Checked {
    let media = string(&source["media_type"]);
    let known = if kind == "image" {
        ["image/jpeg", "image/png", "image/gif", "image/webp"].contains(&media)
    } else {
        media == "application/pdf"
    };
    let fine = match string(&source["type"]) {
        "base64" => known && is_base64(string(&source["data"])),
        "url" => string(&source["url"]).starts_with("http"),
        "file" => is_said(&source["file_id"]),
        "text" => kind == "document" && media == "text/plain" && is_said(&source["data"]),
        "content" => kind == "document",
        _ => false,
    };
    if fine { Ok(()) } else { wrong(format!("{param}.{kind}.source"), "Input is no source of this kind") }
}

/// Each call has its result in the next turn, ahead of all else there.
fn calls(turns: &[(&str, Vec<Value>)], thinks: bool) -> Checked {
    let of = |at: usize, kind: &str, field: &str| -> Vec<String> {
        let blocks = turns.get(at).map(|(_, blocks)| blocks.iter()).into_iter().flatten();
        blocks.filter(|block| block["type"] == kind).map(|block| string(&block[field]).to_owned()).collect()
    };
    let mut seen = Vec::new();
    for (at, (_, blocks)) in turns.iter().enumerate() {
        let (open, results) = (of(at, "tool_use", "id"), of(at + 1, "tool_result", "tool_use_id"));
        let missing: Vec<_> = open.iter().filter(|id| !results.contains(id)).map(String::as_str).collect();
        if !missing.is_empty() {
            return wrong(
                format!("messages.{at}"),
                format!(
                    "`tool_use` ids were found without `tool_result` blocks immediately after: {}. Each `tool_use` block must have \
                     a corresponding `tool_result` block in the next message.",
                    missing.join(", ")
                ),
            );
        }
        let before = at.checked_sub(1).map(|before| of(before, "tool_use", "id")).unwrap_or_default();
        let results = of(at, "tool_result", "tool_use_id");
        for (nth, id) in results.iter().enumerate() {
            if !before.contains(id) {
                return wrong(
                    format!("messages.{at}.content.{nth}"),
                    format!(
                        "unexpected `tool_use_id` found in `tool_result` blocks: {id}. Each `tool_result` block must have a \
                         corresponding `tool_use` block in the previous message."
                    ),
                );
            }
            if results.iter().skip(nth + 1).any(|other| other == id) {
                return wrong(
                    "messages",
                    format!(
                        "each tool_use must have a single result. Found multiple `tool_result` blocks with id: {id}"
                    ),
                );
            }
        }
        if blocks.iter().take(results.len()).any(|block| block["type"] != "tool_result")
            && !results.is_empty()
        {
            return wrong(format!("messages.{at}"), "`tool_result` blocks must come first in the content");
        }
        for id in open {
            if seen.contains(&id) {
                return wrong("messages", "`tool_use` ids must be unique");
            }
            seen.push(id);
        }
    }
    // What is thought before a call goes back with it.
    let last = turns.iter().rposition(|(role, _)| *role == "assistant").filter(|at| at + 2 == turns.len());
    let (_, blocks) = last.and_then(|at| turns.get(at)).cloned().unwrap_or_default();
    let called = blocks.iter().any(|block| block["type"] == "tool_use");
    let starts = blocks.first().is_some_and(|block| string(&block["type"]).ends_with("thinking"));
    if thinks && called && blocks.iter().any(|block| string(&block["type"]).ends_with("thinking")) && !starts
    {
        return wrong("messages", "a final `assistant` message must start with a thinking block");
    }
    Ok(())
}

fn is_text(block: &Value) -> bool {
    block["type"] == "text" && is_said(&block["text"])
}

fn is_id(id: &Value) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    id.as_str().is_some_and(|id| !id.is_empty() && id.bytes().all(plain))
}
