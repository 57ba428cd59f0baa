//! What a server says instead of an answer, and what the user can do about it.

use super::service::Service;
use agentscope_core::{Error, ErrorKind, Name};
use agentscope_net::shown;
use serde::de::IgnoredAny;
use serde_json::Value;
use std::fmt;
use std::time::{Duration, SystemTime};

/// Most characters that are told of what a server says.
const TOLD: usize = 300;

/// What the words of providers for a request that is too long have in common.
const OVERFLOW: [&str; 21] = [
    "context_length_exceeded",
    "context length",
    "context window",
    "context size",
    "maximum context",
    "exceed_context_size",
    "prompt is too long",
    "input is too long",
    "too many tokens",
    "input length",
    "maximum number of tokens",
    "exceeded model token limit",
    "reduce the length",
    "token limit",
    "prompt length",
    "exceeds max length",
    "`inputs` tokens",
    "token count of",
    "too many input tokens",
    "reduce your message size",
    "max_total_tokens",
];

/// What the codes of errors have in them that servers report without a status, in lower case, and what they mean.
const CODES: [(&str, ErrorKind); 15] = [
    ("rate_limit", ErrorKind::RateLimited),
    ("resource_exhausted", ErrorKind::RateLimited),
    ("throttling", ErrorKind::RateLimited),
    ("api_key", ErrorKind::Unauthorized),
    ("apikey", ErrorKind::Unauthorized),
    ("authentication", ErrorKind::Unauthorized),
    ("accessdenied", ErrorKind::Unauthorized),
    ("permission", ErrorKind::Unauthorized),
    ("not_found", ErrorKind::NotFound),
    ("notfound", ErrorKind::NotFound),
    ("invalid_", ErrorKind::InvalidInput),
    ("image_", ErrorKind::InvalidInput),
    ("unsupported_", ErrorKind::InvalidInput),
    ("invalidparameter", ErrorKind::InvalidInput),
    ("request_too_large", ErrorKind::InvalidInput),
];

/// Who answered, for sentences about it.
pub(super) struct Server<'a> {
    pub(super) service: &'a Service,
    /// What it was to read, such as `the conversation`.
    pub(super) asked: &'static str,
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
    pub(super) fn refused(&self, response: &Refusal<'_>) -> Error {
        let report: Option<Value> = serde_json::from_slice(response.body).ok();
        let said = report.as_ref().map(|report| self.said(report)).unwrap_or_default();
        let code = report.as_ref().map(code_of).unwrap_or_default();
        let Self { service, asked, model, address, .. } = self;
        let key = service.key_names();
        // Google says of a wrong key that the request is wrong.
        let status = if code.contains("api_key_invalid") { 401 } else { response.status };
        if is_overflow(status, &code, &said) {
            let message = format!(
                "{asked} is longer than the model `{model}` takes{said}: shorten it, or use a model that takes more"
            );
            return Error::new(ErrorKind::ContextOverflow, message);
        }
        let (kind, message) = match status {
            300..400 => {
                let to = response.location.map(|to| format!(" to {}", clean(&shown(to)))).unwrap_or_default();
                let message = format!(
                    "{address} redirects{to}, which is not followed with a key: give the address that it redirects to as base URL"
                );
                (ErrorKind::InvalidInput, message)
            }
            401 if self.key == Key::Missing => (
                ErrorKind::Unauthorized,
                format!("{address} wants a key for `{model}`: set {key}, or pass `.api_key(..)`"),
            ),
            401 if self.key == Key::OfTheProgram => (
                ErrorKind::Unauthorized,
                format!(
                    "{address} wants a key for `{model}`: pass `.api_key(..)`, because one of the environment is not \
                     sent to an address of `.base_url(..)`"
                ),
            ),
            // What a provider says here may hold a part of the key.
            401 => (
                ErrorKind::Unauthorized,
                format!(
                    "{address} does not accept the key for `{model}`: set {key} to a valid one, or pass `.api_key(..)`"
                ),
            ),
            402 => (
                ErrorKind::Exhausted,
                format!("the account at {address} has no credit left{said}: top it up"),
            ),
            // MiniMax says so with 429 or 500, others with 403.
            400.. if is_used_up(&code, &said) => (
                ErrorKind::Exhausted,
                format!("the quota at {address} is used up{said}: raise it, or use another model"),
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
                    "{address} has no model `{model}`, or is not the base URL of its API, {}{said}",
                    service.place
                ),
            ),
            408 => {
                (ErrorKind::Timeout, format!("{address} gave up waiting for the request{said}: try again"))
            }
            429 => (
                ErrorKind::RateLimited,
                format!("{address} takes no more requests for now{said}: wait, or use another model"),
            ),
            400..500 if is_filtered(&code, &said) => (
                ErrorKind::Refused,
                format!("the content filter of {address} held the request back{said}: word it otherwise"),
            ),
            400..500 => (
                ErrorKind::InvalidInput,
                format!(
                    "{address} does not accept the request (status {status}){}",
                    self.or_page(&said, response.body)
                ),
            ),
            500.. => (
                ErrorKind::Unavailable,
                format!(
                    "{address} failed with the status {status}{}: try again later, or use another model",
                    self.or_page(&said, response.body)
                ),
            ),
            _ => (
                ErrorKind::Protocol,
                format!("{address} answered with the status {status}, which is no answer"),
            ),
        };
        let wait = response.retry_after.or_else(|| report.as_ref().and_then(wait_of));
        waiting(Error::new(kind, message), wait)
    }

    fn or_page(&self, said: &str, body: &[u8]) -> String {
        if said.is_empty() && is_page(body) { " and an HTML page".to_owned() } else { said.to_owned() }
    }

    /// What the server says, after a colon.
    fn said(&self, report: &Value) -> String {
        let said = message_of(report);
        if said.is_empty() { said } else { format!(": {}", clean(&said)) }
    }
}

/// Who answers, as errors tell it.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    /// Its address, without what may be secret in it.
    pub(crate) address: Name,
    pub(crate) service: &'static Service,
}

impl Peer {
    /// An error that comes as an event of the stream.
    pub(crate) fn in_band(&self, data: &[u8]) -> Error {
        let report = serde_json::from_slice(data)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(data).into_owned()));
        self.reported(&report)
    }

    /// An error that a server reports in place of a chunk or an answer, under the status of a success.
    pub(crate) fn reported(&self, report: &Value) -> Error {
        let (status, code, said) = (status_of(report), code_of(report), message_of(report));
        let named = || CODES.iter().find(|(words, _)| code.contains(words)).map(|(_, kind)| *kind);
        let kind = if is_filtered(&code, &said) {
            ErrorKind::Refused
        } else if status == 402 || is_used_up(&code, &said) {
            ErrorKind::Exhausted
        } else if let Some(ErrorKind::RateLimited) = named() {
            ErrorKind::RateLimited
        } else if is_overflow(status, &code, &said) {
            ErrorKind::ContextOverflow
        } else if let Some(kind) = named() {
            kind
        } else {
            match status {
                401 | 403 => ErrorKind::Unauthorized,
                404 => ErrorKind::NotFound,
                408 => ErrorKind::Timeout,
                429 => ErrorKind::RateLimited,
                400..500 => ErrorKind::InvalidInput,
                _ => ErrorKind::Unavailable,
            }
        };
        let said = if said.is_empty() {
            "and does not say why".to_owned()
        } else {
            format!("and says: {}", clean(&said))
        };
        let remedy = match kind {
            ErrorKind::Refused => "word the request otherwise",
            ErrorKind::Exhausted => "raise the quota, or use another model",
            ErrorKind::RateLimited => "wait, or use another model",
            ErrorKind::ContextOverflow => "shorten the conversation, or use a model that takes more",
            ErrorKind::Unauthorized => "use a key that may use this model",
            ErrorKind::NotFound => "correct the name of the model",
            ErrorKind::InvalidInput => "correct the request",
            _ => "try again, or use another model",
        };
        let message = format!("{} broke its answer off {said}: {remedy}", self.address);
        waiting(Error::new(kind, message), wait_of(report))
    }

    /// A frame that is no piece of an answer.
    pub(crate) fn no_chunk(&self, data: &[u8], error: &serde_json::Error) -> Error {
        let Service { api, place, .. } = self.service;
        let what = if is_page(data) {
            format!("with an HTML page: is the base URL that of its API, {place}?")
        } else if is_json(data) {
            // Behind a quotation mark it would repeat what was answered.
            let why: String = error.to_string().chars().take_while(|it| *it != '"').collect();
            format!(
                "with JSON that is no answer of a model ({}): is it compatible with {api}?",
                why.trim_end_matches([' ', ','])
            )
        } else {
            format!("with what is no JSON: is it compatible with {api}?")
        };
        Error::new(ErrorKind::Protocol, format!("{} answered {what}", self.address))
    }

    /// A body that lacks what makes it an answer.
    pub(crate) fn no_answer(&self, missing: &str) -> Error {
        let Service { api, place, .. } = self.service;
        let message = format!(
            "{} answered with JSON that has no `{missing}`: is the base URL that of a server compatible with {api}, {place}?",
            self.address
        );
        Error::new(ErrorKind::Protocol, message)
    }

    /// A stream that has ended before its last word, `missing`.
    pub(crate) fn broke_off(&self, missing: &str) -> Error {
        let message = format!(
            "the answer of {} broke off: the stream ended without {missing}, so try again",
            self.address
        );
        Error::new(ErrorKind::Unavailable, message)
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.address)
    }
}

/// An answer that cannot be read because it is compressed.
pub(crate) fn compressed(peer: &str, coding: &str) -> Error {
    let message = format!(
        "{peer} compresses its answers ({}), though it was not asked to: turn that off there or in a proxy before it",
        clean(coding)
    );
    Error::new(ErrorKind::Protocol, message)
}

/// The wait that the headers of a response ask for; OpenAI tells shorter ones in milliseconds.
pub(super) fn wait_in<'a>(header: impl Fn(&str) -> Option<&'a str>, now: SystemTime) -> Option<Duration> {
    let millis = header("retry-after-ms").and_then(|it| it.trim().parse::<f64>().ok());
    let exact = millis.and_then(|it| Duration::try_from_secs_f64(it / 1000.0).ok());
    exact.or_else(|| retry_after(header("retry-after")?, now))
}

/// The wait that a `Retry-After` asks for: seconds, or a date, as in RFC 9110, section 10.2.3.
fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let at = httpdate::parse_http_date(value).ok()?;
    Some(at.duration_since(now).unwrap_or_default())
}

/// Where a report says what happened. Gemini puts a list around it, MiniMax has a name of its own.
fn inner(report: &Value) -> &Value {
    let report = report.as_array().and_then(|reports| reports.first()).unwrap_or(report);
    let inner = ["error", "base_resp"].iter().filter_map(|key| report.get(*key)).find(|it| !it.is_null());
    inner.unwrap_or(report)
}

/// The status of HTTP that a report names, which some write as a text; 0 if it names none.
fn status_of(report: &Value) -> u16 {
    let named =
        ["code", "status", "http_code"].iter().flat_map(|key| [inner(report).get(*key), report.get(*key)]);
    let status = named.flatten().find_map(|status| match status {
        Value::String(status) => status.parse().ok(),
        status => u16::try_from(status.as_u64()?).ok(),
    });
    status.unwrap_or(0)
}

/// What a report says for people.
fn message_of(report: &Value) -> String {
    let said = match inner(report) {
        Value::String(said) => Some(said.clone()),
        inner => ["message", "detail", "error_msg", "msg", "status_msg"].iter().find_map(|key| {
            match inner.get(*key)? {
                Value::String(said) => Some(said.clone()),
                Value::Null => None,
                other => Some(other.to_string()),
            }
        }),
    };
    said.unwrap_or_default()
}

/// The words by which a report names its kind, in lower case.
fn code_of(report: &Value) -> String {
    let words = ["code", "type", "status"].iter().filter_map(|key| inner(report).get(*key)?.as_str());
    let quotas = details(report).filter_map(|it| it.get("violations")?.as_array()).flatten();
    let quotas = quotas.filter_map(|it| it.get("quotaId")?.as_str());
    let reasons = details(report).filter_map(|it| it.get("reason")?.as_str());
    words.chain(reasons).chain(quotas).collect::<Vec<_>>().join(" ").to_lowercase()
}

/// What Google's services tell beside a message, as in `google.rpc.Status`.
fn details(report: &Value) -> impl Iterator<Item = &Value> {
    inner(report).get("details").and_then(Value::as_array).into_iter().flatten()
}

/// The wait that a report asks for, as in `google.rpc.RetryInfo`.
fn wait_of(report: &Value) -> Option<Duration> {
    let delay = details(report).find_map(|it| it.get("retryDelay")?.as_str())?;
    Duration::try_from_secs_f64(delay.strip_suffix('s')?.parse().ok()?).ok()
}

/// The error with a wait, where it can be waited for.
fn waiting(error: Error, wait: Option<Duration>) -> Error {
    match wait {
        Some(wait) if error.is_retryable() => error.with_retry_after(wait),
        _ => error,
    }
}

fn is_overflow(status: u16, code: &str, said: &str) -> bool {
    let said = said.to_lowercase();
    !matches!(status, 401..=404 | 429)
        && OVERFLOW.iter().any(|words| code.contains(words) || said.contains(words))
}

fn is_filtered(code: &str, said: &str) -> bool {
    ["content_filter", "_policy", "moderation_blocked", "data_inspection_failed", "datainspectionfailed"]
        .iter()
        .any(|it| code.contains(it))
        || ["content management policy", "content filtering policy"]
            .iter()
            .any(|it| said.to_lowercase().contains(it))
}

fn is_used_up(code: &str, said: &str) -> bool {
    // The fifth is Anthropic's, which also says so with 400 and no code of its own; the last is the day's quota of Gemini.
    [
        "insufficient_quota",
        "insufficient_balance",
        "exceeded_current_quota",
        "arrearage",
        "billing_error",
        "billing_hard_limit",
        "freetieronly",
        "perday",
    ]
    .iter()
    .any(|it| code.contains(it))
        || ["insufficient balance", "credit balance is too low", "your specified api usage limits"]
            .iter()
            .any(|it| said.to_lowercase().contains(it))
}

fn is_json(bytes: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(bytes).is_ok()
}

fn is_page(body: &[u8]) -> bool {
    let start = body.trim_ascii_start();
    let start = start.get(..start.len().min(14)).unwrap_or_default().to_ascii_lowercase();
    start.starts_with(b"<!doctype")
        || start.starts_with(b"<html")
        || start.starts_with(b"<head")
        || start.starts_with(b"<?xml")
}

/// The beginning of a foreign text, on one line.
fn clean(text: &str) -> String {
    let line: String = text.chars().map(|it| if it.is_control() { ' ' } else { it }).take(TOLD).collect();
    let line = line.trim().trim_end_matches('.').to_owned();
    if text.chars().nth(TOLD).is_some() { line + " .." } else { line }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retry_after_is_seconds_or_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777 - 30); // Sun, 06 Nov 1994 08:49:07 GMT
        assert_eq!(retry_after("2", now), Some(Duration::from_secs(2)));
        assert_eq!(retry_after("0.5", now), Some(Duration::from_millis(500)));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:49:37 GMT", now), Some(Duration::from_secs(30)));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:00:00 GMT", now), Some(Duration::ZERO));
        for nonsense in ["", "soon", "-1", "NaN", "inf", "1e400"] {
            assert_eq!(retry_after(nonsense, now), None, "{nonsense}");
        }
    }

    #[test]
    fn google_tells_the_wait_the_quota_and_a_wrong_key_in_details() {
        let server = Server {
            service: &Service::COMMON,
            asked: "the conversation",
            model: "m",
            address: "the server",
            key: Key::Sent,
        };
        let refused = |status: u16, details: &str| {
            let body = format!(
                r#"{{"error": {{"code": {status}, "message": "No.", "status": "X", "details": [{details}]}}}}"#
            );
            server.refused(&Refusal { status, retry_after: None, location: None, body: body.as_bytes() })
        };
        let minute = r#"{"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": "RequestsPerMinute"}]}"#;
        let delay = r#"{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.5s"}"#;
        let error = refused(429, &format!("{minute}, {delay}"));
        assert_eq!(
            (error.kind(), error.retry_after()),
            (ErrorKind::RateLimited, Some(Duration::from_millis(34_500)))
        );
        let day = minute.replace("Minute", "Day");
        assert_eq!(refused(429, &format!("{day}, {delay}")).kind(), ErrorKind::Exhausted);
        assert_eq!(refused(400, r#"{"reason": "API_KEY_INVALID"}"#).kind(), ErrorKind::Unauthorized);
        for nonsense in
            ["7", "null", r#"{"retryDelay": 7}"#, r#"{"retryDelay": "-1s"}"#, r#"{"violations": {}}"#]
        {
            assert_eq!(refused(429, nonsense).retry_after(), None, "{nonsense}");
        }
    }
}
