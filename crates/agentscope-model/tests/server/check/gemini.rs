//! What Gemini takes.

use super::{Checked, is_name, is_said, unknown, within, wrong};
use crate::server::{
    chat::is_signature,
    heard::{is_base64, list, string},
};
use serde_json::Value;

const FIELDS: &str = "contents tools toolConfig safetySettings systemInstruction generationConfig cachedContent \
    labels serviceTier store";
const CONFIG: &str = "stopSequences responseMimeType responseSchema responseJsonSchema responseModalities \
    candidateCount maxOutputTokens temperature topP topK seed presencePenalty frequencyPenalty responseLogprobs \
    logprobs thinkingConfig mediaResolution speechConfig imageConfig enableEnhancedCivicAnswers";
/// What stands for the signature of a call that another model made, as Google's documentation has it.
const FOREIGN: &str = "skip_thought_signature_validator";
/// What a schema of Google's own kind may have, which is less than JSON Schema.
const SCHEMA: &str = "type format title description nullable enum maxItems minItems properties required minProperties \
    maxProperties minLength maxLength pattern example anyOf propertyOrdering default items minimum maximum";

pub(in crate::server) fn check(model: &str, body: &Value) -> Checked {
    known(body, FIELDS, "")?;
    let config = &body["generationConfig"];
    known(config, CONFIG, "generation_config")?;
    within(config, &[("temperature", 0.0, 2.0), ("topP", 0.0, 1.0), ("maxOutputTokens", 1.0, 1e9)])?;
    let stops = list(&config["stopSequences"]).count();
    if stops > 5 || list(&config["stopSequences"]).any(|stop| !is_said(stop)) {
        return wrong("stopSequences", "stop_sequences must be one to five texts");
    }
    let thinking = &config["thinkingConfig"];
    known(thinking, "includeThoughts thinkingBudget thinkingLevel", "generation_config.thinking_config")?;
    if thinking.get("thinkingBudget").is_some() && thinking.get("thinkingLevel").is_some() {
        return wrong("thinkingConfig", "You can only set one of thinking budget and thinking level.");
    }
    let json = config["responseMimeType"] == "application/json";
    let schema = config.get("responseSchema").or_else(|| config.get("responseJsonSchema"));
    if schema.is_some() && !json && config["responseMimeType"] != "text/x.enum" {
        return wrong(
            "responseSchema",
            "Function calling config: response_schema is only supported with response_mime_type 'application/json'",
        );
    }
    if let Some(schema) = config.get("responseSchema") {
        self::schema(schema, "generation_config.response_schema")?;
    }
    let names = tools(body)?;
    if json && !names.is_empty() && !model.starts_with("gemini-3") {
        return wrong("", "Function calling with a response mime type: 'application/json' is unsupported");
    }
    let system = &body["systemInstruction"];
    if !system.is_null() && list(&system["parts"]).all(|part| !is_said(&part["text"])) {
        return wrong("systemInstruction", "system_instruction must have a text part");
    }
    contents(model, &body["contents"])
}

fn known(object: &Value, fields: &str, path: &str) -> Checked {
    let at = if path.is_empty() { String::new() } else { format!(" at '{path}'") };
    unknown(object, fields).map_or(Ok(()), |field| {
        wrong(
            field,
            format!("Invalid JSON payload received. Unknown name \"{field}\"{at}: Cannot find field."),
        )
    })
}

fn schema(schema: &Value, path: &str) -> Checked {
    known(schema, SCHEMA, path)?;
    if !matches!(schema.get("type"), None | Some(Value::String(_))) {
        return wrong(
            "type",
            format!("Invalid value at '{path}': Proto field is not repeating, cannot start list."),
        );
    }
    if list(&schema["enum"]).any(|value| !value.is_string()) {
        return wrong("enum", format!("Invalid value at '{path}.enum' (TYPE_STRING)"));
    }
    let kind = string(&schema["type"]).to_ascii_lowercase();
    if kind == "object" && schema["properties"].as_object().is_some_and(serde_json::Map::is_empty) {
        return wrong(path, format!("{path}.properties: should be non-empty for OBJECT type"));
    }
    if kind == "array" && schema.get("items").is_none() {
        return wrong(path, format!("{path}.items: missing field."));
    }
    let properties = schema["properties"].as_object().into_iter().flatten();
    for (name, property) in properties {
        self::schema(property, &format!("{path}.properties[{name}]"))?;
    }
    if let Some(name) =
        list(&schema["required"]).find(|name| schema["properties"].get(string(name)).is_none())
    {
        return wrong(path, format!("{path}.required: property is not defined: {name}"));
    }
    schema.get("items").map_or(Ok(()), |items| self::schema(items, &format!("{path}.items")))?;
    list(&schema["anyOf"]).try_for_each(|one| self::schema(one, &format!("{path}.any_of")))
}

fn tools(body: &Value) -> Result<Vec<&Value>, super::Wrong> {
    let mut names = Vec::new();
    for (at, tool) in list(&body["tools"]).enumerate() {
        known(tool, "functionDeclarations googleSearch codeExecution urlContext", "tools[0]")?;
        for (nth, function) in list(&tool["functionDeclarations"]).enumerate() {
            let path = format!("tools[{at}].function_declarations[{nth}]");
            known(
                function,
                "name description parameters parametersJsonSchema response responseJsonSchema behavior",
                &path,
            )?;
            if !is_name(&function["name"]) {
                wrong(&path, format!("{path}.name: Invalid function name."))?;
            }
            if function.get("parameters").is_some() && function.get("parametersJsonSchema").is_some() {
                wrong(
                    &path,
                    format!("{path}: parameters and parameters_json_schema are mutually exclusive."),
                )?;
            }
            if let Some(schema) = function.get("parameters") {
                self::schema(schema, &format!("{path}.parameters"))?;
            }
            if names.contains(&&function["name"]) {
                wrong(&path, format!("Duplicate function declaration found: {}", string(&function["name"])))?;
            }
            names.push(&function["name"]);
        }
    }
    let config = &body["toolConfig"];
    known(config, "functionCallingConfig retrievalConfig", "tool_config")?;
    let calling = &config["functionCallingConfig"];
    known(calling, "mode allowedFunctionNames", "tool_config.function_calling_config")?;
    let mode = string(&calling["mode"]);
    if !calling.is_null() && !["AUTO", "ANY", "NONE", "VALIDATED"].contains(&mode) {
        wrong("mode", format!("Invalid value at 'tool_config.function_calling_config.mode': \"{mode}\""))?;
    }
    let mut allowed = list(&calling["allowedFunctionNames"]);
    if calling.get("allowedFunctionNames").is_some() && mode != "ANY" && mode != "VALIDATED" {
        wrong(
            "allowedFunctionNames",
            "Please set allowed_function_names only when function calling mode is ANY.",
        )?;
    }
    if allowed.any(|name| !names.contains(&name)) {
        wrong("allowedFunctionNames", "allowed_function_names must be among the declared functions")?;
    }
    if !calling.is_null() && names.is_empty() && mode != "NONE" {
        wrong("toolConfig", "Function calling config is set without function_declarations.")?;
    }
    Ok(names)
}

fn contents(model: &str, contents: &Value) -> Checked {
    let Some(contents) = contents.as_array().filter(|contents| !contents.is_empty()) else {
        return wrong("contents", "* GenerateContentRequest.contents: contents is not specified");
    };
    let mut open: Vec<&str> = Vec::new();
    for (at, content) in contents.iter().enumerate() {
        let path = format!("contents[{at}]");
        known(content, "role parts", &path)?;
        let role = string(&content["role"]);
        if !["user", "model", ""].contains(&role) {
            return wrong(path, "Please use a valid role: user, model.");
        }
        let parts: Vec<_> = list(&content["parts"]).collect();
        if parts.is_empty() {
            return wrong(
                &path,
                format!("* GenerateContentRequest.{path}.parts: contents.parts must not be empty."),
            );
        }
        for (nth, part) in parts.iter().enumerate() {
            self::part(part, role, &format!("{path}.parts[{nth}]"))?;
        }
        let names = |field: &str| -> Vec<&str> {
            parts.iter().filter_map(|part| part[field].get("name")).map(string).collect()
        };
        let (calls, responses) = (names("functionCall"), names("functionResponse"));
        if role == "model" && at == 0 && !calls.is_empty() {
            return wrong(
                "",
                "Please ensure that function call turn comes immediately after a user turn or after a function response turn.",
            );
        }
        if !open.is_empty() && responses.len() != open.len() {
            return wrong(
                "",
                "Please ensure that the number of function response parts is equal to the number of function call parts of the function call turn.",
            );
        }
        if open.is_empty() && !responses.is_empty() {
            return wrong(
                "",
                "Please ensure that function response turn comes immediately after a function call turn.",
            );
        }
        if let Some(name) = responses.iter().find(|name| !open.contains(name)) {
            return wrong("", format!("Function response '{name}' answers no function call."));
        }
        let first = parts.iter().find(|part| part.get("functionCall").is_some());
        // In the turn that is under way, the first call must be as it was signed.
        let now = at + 2 >= contents.len();
        if model.starts_with("gemini-3")
            && now
            && first.is_some_and(|part| !is_said(&part["thoughtSignature"]))
        {
            return wrong("", "Function call is missing a thought_signature in functionCall parts.");
        }
        open = calls;
    }
    if !open.is_empty() {
        return wrong("", "Please ensure that function call turn is followed by a function response turn.");
    }
    Ok(())
}

fn part(part: &Value, role: &str, path: &str) -> Checked {
    known(
        part,
        "text thought thoughtSignature inlineData fileData functionCall functionResponse videoMetadata mediaResolution",
        path,
    )?;
    let kinds: Vec<_> = ["text", "inlineData", "fileData", "functionCall", "functionResponse"]
        .into_iter()
        .filter(|kind| part.get(*kind).is_some())
        .collect();
    let [kind] = kinds.as_slice() else {
        return wrong(
            path,
            format!(
                "* GenerateContentRequest.{path}.data: required oneof field 'data' must have one initialized field"
            ),
        );
    };
    let value = &part[*kind];
    let signature = &part["thoughtSignature"];
    if !signature.is_null() && !is_signature(string(signature)) && signature != FOREIGN {
        return wrong(path, "Corrupted thought signature.");
    }
    let fine = match *kind {
        "text" => value.is_string(),
        "inlineData" => {
            known(value, "mimeType data displayName", path)?;
            string(&value["mimeType"]).contains('/') && is_base64(string(&value["data"]))
        }
        "fileData" => {
            known(value, "mimeType fileUri displayName", path)?;
            is_said(&value["fileUri"])
        }
        "functionCall" => {
            known(value, "id name args", path)?;
            role == "model"
                && is_name(&value["name"])
                && matches!(value.get("args"), None | Some(Value::Object(_)))
        }
        _ => {
            known(value, "id name response parts willContinue scheduling", path)?;
            role == "user" && is_name(&value["name"]) && value["response"].is_object()
        }
    };
    if fine { Ok(()) } else { wrong(path, format!("Invalid value at '{path}.{kind}'")) }
}
