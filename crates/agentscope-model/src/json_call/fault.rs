//! What a server says instead of an answer, and what the user can do about it.

use super::Service;
use agentscope_core::{Error, ErrorKind};
use agentscope_net::shown;
use serde_json::Value;
use std::time::{Duration, SystemTime};

/// Most characters that are told of what a server says.
const TOLD: usize = 300;

/// What the words of providers for an input that is too long have in common.
const TOO_LONG: [&str; 9] = [
    "context length",
    "context_length",
    "maximum context",
    "too many tokens",
    "token limit",
    "input length",
    "range of input length",
    "exceeds the maximum number of tokens",
    "max_total_tokens",
];

/// Who answered, for sentences about it.
pub(super) struct Server<'a> {
    pub(super) service: &'static Service,
    pub(super) model: &'a str,
    /// Its address, without what may be secret in it.
    pub(super) address: &'a str,
    pub(super) key: Key,
}

/// Which key the request had.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Key {
    Sent,
    /// None, and the environment may give one.
    Missing,
    /// None, and only the program may give one, because it gave the address.
    OfTheProgram,
}

/// A response that is no success.
pub(super) struct Refusal<'a> {
    pub(super) status: u16,
    pub(super) retry_after: Option<Duration>,
    pub(super) location: Option<&'a str>,
    pub(super) body: &'a [u8],
}

impl Server<'_> {
    /// What a status means.
    pub(super) fn refused(&self, refusal: &Refusal<'_>) -> Error {
        let report: Option<Value> = serde_json::from_slice(refusal.body).ok();
        let message = report.as_ref().map(message_of).unwrap_or_default();
        let said = if message.is_empty() { String::new() } else { format!(": {}", clean(&message)) };
        let code = report.as_ref().map(code_of).unwrap_or_default();
        let words = format!("{code} {}", message.to_lowercase());
        let has = |one: &[&str]| one.iter().any(|it| words.contains(it));
        let Self { address, model, .. } = self;
        let status = refusal.status;
        let wrong_key = status == 401
            || status < 500
                && has(&["invalidapikey", "invalid_api_key", "api_key_invalid", "api key not valid"]);
        let used_up = has(&[
            "insufficient_quota",
            "arrearage",
            "allocationquota",
            "exceeded_current_quota",
            "billing_hard_limit",
        ]);
        let filtered = has(&[
            "content_policy",
            "content_filter",
            "moderation_blocked",
            "datainspectionfailed",
            "data_inspection_failed",
        ]);
        let (kind, message) = match status {
            300..400 => {
                let to = refusal.location.map(|to| format!(" to {}", clean(&shown(to)))).unwrap_or_default();
                let message = format!(
                    "{address} redirects{to}, which is not followed with a key: give the address that it redirects to as base URL"
                );
                (ErrorKind::InvalidInput, message)
            }
            _ if wrong_key => (ErrorKind::Unauthorized, self.no_key()),
            _ if status == 402 || status >= 400 && used_up => (
                ErrorKind::Exhausted,
                format!("the quota at {address} is used up{said}: raise it, or use another model"),
            ),
            400..500 if status != 429 && TOO_LONG.iter().any(|it| words.contains(it)) => (
                ErrorKind::ContextOverflow,
                format!(
                    "an input is longer than `{model}` takes{said}: divide it, or use a model that takes more"
                ),
            ),
            403 => (
                ErrorKind::Unauthorized,
                format!(
                    "{address} does not let this key use `{model}`{said}: use a key that may, or another model"
                ),
            ),
            404 => (
                ErrorKind::NotFound,
                format!(
                    "{address} has no model `{model}`, or is not the base URL of its API{said}: correct the one or the other"
                ),
            ),
            408 => {
                (ErrorKind::Timeout, format!("{address} gave up waiting for the request{said}: try again"))
            }
            429 => (
                ErrorKind::RateLimited,
                format!("{address} takes no more requests for now{said}: wait, or use another model"),
            ),
            400..500 if filtered => (
                ErrorKind::Refused,
                format!("the content filter of {address} held the request back{said}: word it otherwise"),
            ),
            400..500 => (
                ErrorKind::InvalidInput,
                format!(
                    "{address} does not accept the request (status {status}){}",
                    or_page(&said, refusal.body)
                ),
            ),
            500.. => (
                ErrorKind::Unavailable,
                format!(
                    "{address} failed with the status {status}{}: try again later, or use another model",
                    or_page(&said, refusal.body)
                ),
            ),
            _ => (
                ErrorKind::Protocol,
                format!("{address} answered with the status {status}, which is no answer"),
            ),
        };
        let error = Error::new(kind, message);
        let wait = refusal.retry_after.or_else(|| retry_delay(report.as_ref()?));
        match wait {
            Some(wait) if error.is_retryable() => error.with_retry_after(wait),
            _ => error,
        }
    }

    /// What a server says of a key may hold a part of it, so it is not told.
    fn no_key(&self) -> String {
        let Self { service, address, model, .. } = self;
        let variable = service.key_variable();
        match self.key {
            Key::Missing => {
                format!("{address} wants a key for `{model}`: set {variable}, or pass `.api_key(..)`")
            }
            Key::OfTheProgram => format!(
                "{address} wants a key for `{model}`: pass `.api_key(..)`, because one of the environment is not sent to an \
                 address of `.base_url(..)`"
            ),
            Key::Sent => format!(
                "{address} does not accept the key for `{model}`: set {variable} to a valid one, or pass `.api_key(..)`"
            ),
        }
    }

    /// A success that is no answer.
    pub(super) fn no_answer(&self, body: &[u8], error: &serde_json::Error) -> Error {
        let (address, model) = (self.address, self.model);
        let report: Option<Value> = serde_json::from_slice(body).ok();
        let said = report
            .as_ref()
            .filter(|it| it.get("error").is_some() || it.get("code").is_some())
            .map(message_of);
        if let Some(said) = said.filter(|it| !it.is_empty()) {
            let message = format!("{address} refused the request for `{model}`: {}", clean(&said));
            return Error::new(ErrorKind::InvalidInput, message);
        }
        let what = if is_page(body) {
            "with an HTML page: is the base URL that of its API?".to_owned()
        } else if report.is_some() {
            let why: String = error.to_string().chars().take_while(|it| *it != '"').collect();
            format!(
                "with JSON that is no answer for `{model}` ({}): check the address and the model",
                clean(&why)
            )
        } else {
            "with what is no JSON: is the base URL that of its API?".to_owned()
        };
        Error::new(ErrorKind::Protocol, format!("{address} answered {what}"))
    }
}

/// The wait that a `Retry-After` asks for: seconds, or a date, as in RFC 9110, section 10.2.3.
pub(super) fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let at = httpdate::parse_http_date(value).ok()?;
    Some(at.duration_since(now).unwrap_or_default())
}

/// The wait that Gemini asks for, in the body: `google.rpc.RetryInfo`.
fn retry_delay(report: &Value) -> Option<Duration> {
    let details = inner(report).get("details")?.as_array()?;
    let delay = details.iter().find_map(|it| it.get("retryDelay")?.as_str())?;
    Duration::try_from_secs_f64(delay.strip_suffix('s')?.parse().ok()?).ok()
}

/// Where a report says what happened. Gemini puts a list around it.
fn inner(report: &Value) -> &Value {
    let report = report.as_array().and_then(|reports| reports.first()).unwrap_or(report);
    report.get("error").filter(|it| !it.is_null()).unwrap_or(report)
}

/// What a report says for people.
fn message_of(report: &Value) -> String {
    match inner(report) {
        Value::String(said) => said.clone(),
        inner => {
            let said = ["message", "detail", "error_msg", "msg"].iter().find_map(|key| inner.get(*key));
            said.and_then(Value::as_str).unwrap_or_default().to_owned()
        }
    }
}

/// The words by which a report names its kind, in lower case.
fn code_of(report: &Value) -> String {
    let words = ["code", "type", "status"].iter().filter_map(|key| inner(report).get(*key)?.as_str());
    words.collect::<Vec<_>>().join(" ").to_lowercase()
}

fn or_page(said: &str, body: &[u8]) -> String {
    if said.is_empty() && is_page(body) { " and an HTML page".to_owned() } else { said.to_owned() }
}

fn is_page(body: &[u8]) -> bool {
    let start = body.trim_ascii_start();
    let start = start.get(..start.len().min(9)).unwrap_or_default().to_ascii_lowercase();
    start.starts_with(b"<!doctype") || start.starts_with(b"<html") || start.starts_with(b"<?xml")
}

/// The beginning of a foreign text, on one line.
pub(super) fn clean(text: &str) -> String {
    let line: String = text.chars().map(|it| if it.is_control() { ' ' } else { it }).take(TOLD).collect();
    let line = line.trim().trim_end_matches('.').to_owned();
    if text.chars().nth(TOLD).is_some() { line + " .." } else { line }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_found_in_the_header_or_in_the_body() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777 - 30); // Sun, 06 Nov 1994 08:49:07 GMT
        assert_eq!(retry_after("2", now), Some(Duration::from_secs(2)));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:49:37 GMT", now), Some(Duration::from_secs(30)));
        for nonsense in ["", "soon", "-1", "NaN", "inf", "1e400"] {
            assert_eq!(retry_after(nonsense, now), None, "{nonsense}");
        }
        let gemini = serde_json::json!({"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "details": [
            {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1.5s"}]}});
        assert_eq!(retry_delay(&gemini), Some(Duration::from_millis(1500)));
        let odd = serde_json::json!({"error": {"details": [{"retryDelay": "-3s"}]}});
        assert_eq!(retry_delay(&odd), None);
    }
}
