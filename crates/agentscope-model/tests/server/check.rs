//! What a strict server refuses: each provider's rules, a file each, and what they have in common.

use super::{
    Answer, Request,
    format::{self, Refused, Wanted},
};
use serde_json::Value;

pub(super) mod anthropic;
pub(super) mod chat;
pub(super) mod dashscope;
pub(super) mod gemini;
pub(super) mod ollama;
pub(super) mod responses;

pub(super) type Checked = Result<(), Wrong>;

/// What is wrong, and with which field.
#[derive(Debug)]
pub(super) struct Wrong(pub(super) String, pub(super) String);

pub(super) fn wrong(param: impl Into<String>, message: impl Into<String>) -> Checked {
    Err(Wrong(param.into(), message.into()))
}

/// The answer to a request that does not get to the script, or needs none.
pub(super) fn refusal(request: &Request) -> Option<Answer> {
    let Some((format, wanted)) = format::route(request) else {
        let (method, path) = (&request.method, request.path.split('?').next().unwrap_or_default());
        return Some(
            Refused::new(404, "unknown_url", format!("Unknown request URL: {method} {path}")).into(),
        );
    };
    if format.key(request).is_some_and(str::is_empty) {
        return Some(Refused::new(401, "invalid_api_key", "You didn't provide an API key.").into());
    }
    if let Wanted::Other(answer) = wanted {
        return Some(answer(request, &request.json()));
    }
    let Wrong(param, message) = check(request, format).err()?;
    Some(Refused { param: Some(param), code: None, ..Refused::new(400, "", message) }.into())
}

fn check(request: &Request, format: &dyn format::Format) -> Checked {
    if request.header("content-type").is_none_or(|kind| !kind.starts_with("application/json")) {
        return wrong("", "The content type must be application/json.");
    }
    match serde_json::from_slice::<Value>(&request.body) {
        Ok(body @ Value::Object(_)) => format.check(request, &body),
        _ => wrong("", "We could not parse the JSON body of your request."),
    }
}

/// The first field of the object that is not in the list, which is separated by spaces.
pub(super) fn unknown<'a>(object: &'a Value, known: &str) -> Option<&'a str> {
    let mut fields = object.as_object().into_iter().flatten().map(|(field, _)| field.as_str());
    fields.find(|field| !known.split_whitespace().any(|known| known == *field))
}

/// Each field that is there is a number within its limits.
pub(super) fn within(object: &Value, limits: &[(&str, f64, f64)]) -> Checked {
    for (field, least, most) in limits {
        let value = &object[*field];
        if !value.is_null() && value.as_f64().is_none_or(|value| value < *least || value > *most) {
            return wrong(*field, format!("Invalid '{field}': expected a number from {least} to {most}."));
        }
    }
    Ok(())
}

/// `^[a-zA-Z0-9_-]{1,64}$`.
pub(super) fn is_name(name: &Value) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    name.as_str().is_some_and(|name| (1..=64).contains(&name.len()) && name.bytes().all(plain))
}

/// Whether a value is a text that is not empty.
pub(super) fn is_said(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.is_empty())
}
