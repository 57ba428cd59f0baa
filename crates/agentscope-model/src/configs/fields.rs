//! Reads the fields of an object, each with its type, and tells all that is wrong with them.

use crate::{keys, nearest::nearest};
use agentscope_core::{Map, Secret};
use agentscope_net::{
    Url,
    reqwest::header::{HeaderName, HeaderValue},
};
use serde_json::Value;
use std::{ops::RangeInclusive, time::Duration};

/// Most characters that are told of a name (60).
const TOLD: usize = 60;

/// Longest time that can be set (365 days).
const LONGEST: f64 = 365.0 * 86_400.0;

/// An object whose fields are taken out one after the other. What is wrong is put down, and reading goes on.
pub(super) struct Fields<'a> {
    rest: Map,
    known: Vec<&'static str>,
    /// Other names of known fields.
    aliases: Vec<&'static str>,
    /// Where the object is, such as `` of `client_args` ``; empty for the entry itself.
    place: String,
    problems: &'a mut Vec<String>,
}

impl<'a> Fields<'a> {
    pub(super) fn new(object: Map, problems: &'a mut Vec<String>) -> Self {
        Self { rest: object, known: Vec::new(), aliases: Vec::new(), place: String::new(), problems }
    }

    pub(super) fn problem(&mut self, problem: String) {
        self.problems.push(problem);
    }

    /// Whether the field is there.
    pub(super) fn has(&self, name: &str) -> bool {
        self.rest.get(name).is_some_and(|it| !it.is_null())
    }

    /// The value of the field. `null` is none, as Python's `None`.
    fn take(&mut self, name: &'static str) -> Option<Value> {
        self.known.push(name);
        self.rest.shift_remove(name).filter(|it| !it.is_null())
    }

    /// Another name of a field, which is read as if it were that.
    pub(super) fn alias(&mut self, alias: &'static str, name: &'static str) {
        self.aliases.push(alias);
        let Some(value) = self.rest.shift_remove(alias).filter(|it| !it.is_null()) else { return };
        if self.has(name) {
            let place = &self.place;
            self.problems
                .push(format!("`{alias}`{place} is another name of `{name}`: leave one of them out"));
        } else {
            self.rest.insert(name.to_owned(), value);
        }
    }

    fn wrong(&mut self, name: &str, wanted: &str, value: &Value) {
        let advice = match value {
            Value::String(text) if !text.trim().is_empty() && fits_without_quotes(wanted, text) => {
                ": write it without quotation marks"
            }
            Value::Number(_) if wanted.starts_with("a text") => ": put it into quotation marks",
            _ => "",
        };
        let is = match value {
            Value::Number(number) if wanted.contains("number") => format!("{number}"),
            value => type_of(value).to_owned(),
        };
        let place = &self.place;
        self.problems.push(format!("{}{place} must be {wanted}, and is {is}{advice}", named(name)));
    }

    fn typed<T>(
        &mut self,
        name: &'static str,
        wanted: &str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Option<T> {
        let value = self.take(name)?;
        let read = read(&value);
        if read.is_none() {
            self.wrong(name, wanted, &value);
        }
        read
    }

    /// A text that is not empty.
    pub(super) fn text(&mut self, name: &'static str) -> Option<String> {
        self.typed(name, "a text that is not empty", |it| {
            it.as_str().filter(|it| !it.trim().is_empty()).map(str::to_owned)
        })
    }

    /// Whether a field is there that has to be. `what` says what it is.
    pub(super) fn must(&mut self, name: &'static str, what: &str) -> bool {
        if !self.has(name) {
            self.known.push(name);
            self.rest.shift_remove(name);
            // What it was called instead is told, and not told again as unknown.
            let other = self.rest.keys().find(|it| nearest(it, [name]).is_some()).cloned();
            let advice = match other {
                Some(other) => {
                    self.rest.shift_remove(&other);
                    format!("rename {} to `{name}`", named(&other))
                }
                None => format!("add {what}"),
            };
            let place = &self.place;
            self.problems.push(format!("`{name}`{place} is missing: {advice}"));
            return false;
        }
        true
    }

    /// A text that has to be there.
    pub(super) fn required(&mut self, name: &'static str, what: &str) -> Option<String> {
        if self.must(name, what) { self.text(name) } else { None }
    }

    /// Takes fields of an inner object that belong beside it.
    pub(super) fn lift(&mut self, inner: &str, names: &[&'static str]) {
        for name in names {
            let is_there = self.has(name);
            let Some(Value::Object(object)) = self.rest.get_mut(inner) else { return };
            match object.shift_remove(*name).filter(|it| !it.is_null()) {
                Some(_) if is_there => {
                    self.problems.push(format!(
                        "`{name}` is in the entry and in its `{inner}`: leave one of them out"
                    ));
                }
                Some(value) => drop(self.rest.insert((*name).to_owned(), value)),
                None => {}
            }
        }
    }

    /// A key; an empty one is none, as where a template was not filled in.
    pub(super) fn secret(&mut self, name: &'static str) -> Option<Secret> {
        let text = self.typed(name, "a text", |it| it.as_str().map(str::to_owned))?;
        let text = text.trim();
        if HeaderValue::from_str(text).is_err() {
            let place = &self.place;
            self.problems.push(format!(
                "`{name}`{place} has a character that no key has, such as a line break: correct it"
            ));
            return None;
        }
        (!text.is_empty()).then(|| Secret::from(text))
    }

    pub(super) fn flag(&mut self, name: &'static str) -> Option<bool> {
        self.typed(name, "true or false", Value::as_bool)
    }

    pub(super) fn number(&mut self, name: &'static str, range: RangeInclusive<f64>) -> Option<f64> {
        let (from, to) = (range.start(), range.end());
        let wanted = match to.is_finite() {
            true => format!("a number from {from} to {to}"),
            false => format!("a number from {from}"),
        };
        self.typed(name, &wanted, |it| it.as_f64().filter(|it| it.is_finite() && range.contains(it)))
    }

    pub(super) fn whole(&mut self, name: &'static str, range: RangeInclusive<u64>) -> Option<u64> {
        let wanted = match *range.end() {
            u64::MAX => format!("a whole number from {}", range.start()),
            to => format!("a whole number from {} to {to}", range.start()),
        };
        self.typed(name, &wanted, |it| it.as_u64().filter(|it| range.contains(it)))
    }

    /// Seconds, or a list of two: for connecting and for reading, as `requests` takes them; the latter is taken.
    pub(super) fn timeout(&mut self, name: &'static str) -> Option<Duration> {
        let wanted = format!("a number of seconds, more than 0 and at most {LONGEST}, or a list of two");
        self.typed(name, &wanted, |it| match it.as_array().map(Vec::as_slice) {
            Some([connect, read]) => seconds(connect).and(seconds(read)),
            Some(_) => None,
            None => seconds(it),
        })
    }

    /// The address of an API.
    pub(super) fn url(&mut self, name: &'static str) -> Option<String> {
        let text = self.text(name)?;
        match why_no_url(&text) {
            None => Some(text),
            Some(why) => {
                let place = &self.place;
                self.problems.push(format!(
                    "`{name}`{place} is no address ({why}): give one such as https://host:8000/path"
                ));
                None
            }
        }
    }

    pub(super) fn object(&mut self, name: &'static str) -> Option<Map> {
        match self.take(name)? {
            Value::Object(object) => Some(object),
            other => {
                self.wrong(name, "an object", &other);
                None
            }
        }
    }

    /// The fields of an inner object.
    pub(super) fn inner(&mut self, name: &'static str) -> Option<Fields<'_>> {
        let rest = self.object(name)?;
        let place = format!(" of `{name}`{}", self.place);
        Some(Fields { rest, known: Vec::new(), aliases: Vec::new(), place, problems: self.problems })
    }

    /// Names with texts. Their values are treated as secrets.
    pub(super) fn texts(&mut self, name: &'static str) -> Vec<(String, Secret)> {
        let mut texts = Vec::new();
        for (key, value) in self.object(name).unwrap_or_default() {
            match &value {
                Value::Null => {}
                Value::String(text) => texts.push((key, Secret::from(text.as_str()))),
                value => {
                    let (place, is) = (&self.place, type_of(value));
                    let advice = if value.is_number() { ": put it into quotation marks" } else { "" };
                    let key = named(&key);
                    self.problems
                        .push(format!("{key} of `{name}`{place} must be a text, and is {is}{advice}"));
                }
            }
        }
        texts
    }

    /// Names and values of HTTP headers.
    pub(super) fn headers(&mut self, name: &'static str) -> Vec<(String, Secret)> {
        let mut headers = self.texts(name);
        let place = format!(" of `{name}`{}", self.place);
        headers.retain(|(key, value)| {
            let wrong = match (key.parse::<HeaderName>(), HeaderValue::from_str(value.expose())) {
                (Err(_), _) => "is no name of an HTTP header",
                (_, Err(_)) => "has a character that no HTTP header can have, such as a line break",
                _ => return true,
            };
            self.problems.push(format!("{}{place} {wrong}: correct it", named(key)));
            false
        });
        headers
    }

    /// Any value that `read` accepts.
    pub(super) fn value(
        &mut self,
        name: &'static str,
        wanted: &str,
        read: fn(&Value) -> bool,
    ) -> Option<Value> {
        self.typed(name, wanted, |it| read(it).then(|| it.clone()))
    }

    /// A field that is known and has no effect.
    pub(super) fn without_effect(&mut self, name: &'static str) {
        let _ = self.take(name);
    }

    /// A field that may not be there, and why.
    pub(super) fn refused(&mut self, name: &'static str, why: &str) {
        if self.take(name).is_some() {
            let place = &self.place;
            self.problems.push(format!("`{name}`{place} {why}"));
        }
    }

    /// All fields that were not taken. One whose name is nearly that of a taken one or of `others` is a typing error.
    pub(super) fn others(mut self, others: &[&'static str], advice: &str) -> Map {
        let rest = std::mem::take(&mut self.rest);
        let known: Vec<_> = self.known.iter().chain(&self.aliases).chain(others).copied().collect();
        let mut kept = Map::new();
        for (name, value) in rest {
            let is_known = known.contains(&name.as_str());
            match nearest(&name, known.iter().copied()).filter(|_| !is_known && name.len() > 3) {
                Some(meant) => {
                    let place = &self.place;
                    self.problems.push(format!(
                        "{}{place} is no known field: do you mean `{meant}`?{advice}",
                        named(&name)
                    ));
                }
                None => drop(kept.insert(name, value)),
            }
        }
        kept
    }

    /// That nothing is left.
    pub(super) fn end(self) {
        for name in self.rest.keys() {
            let all = || self.known.iter().chain(&self.aliases).copied();
            let is_part = |known: &&str| known.split('_').any(|part| part == name);
            let advice = match nearest(name, all()).or_else(|| all().find(is_part)) {
                Some(meant) => format!("do you mean `{meant}`?"),
                None => format!("there are {}", self.known.join(", ")),
            };
            self.problems.push(format!("{}{} is no known field: {advice}", named(name), self.place));
        }
    }
}

fn seconds(value: &Value) -> Option<Duration> {
    let seconds = value.as_f64().filter(|it| *it > 0.0 && *it <= LONGEST)?;
    Duration::try_from_secs_f64(seconds).ok().filter(|it| !it.is_zero())
}

/// Why a text is no address of an API.
pub(super) fn why_no_url(text: &str) -> Option<String> {
    match text.trim().parse::<Url>() {
        Err(error) => Some(error.to_string()),
        Ok(url) if !matches!(url.scheme(), "http" | "https") || url.host().is_none() => {
            Some("it does not begin with http:// or https:// and a host".to_owned())
        }
        Ok(_) => None,
    }
}

fn fits_without_quotes(wanted: &str, text: &str) -> bool {
    let text = text.trim();
    (wanted.contains("number") && text.parse::<f64>().is_ok_and(f64::is_finite))
        || (wanted.starts_with("true") && matches!(text.to_lowercase().as_str(), "true" | "false"))
}

pub(super) fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(text) if text.trim().is_empty() => "an empty text",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// A name as it is told: not too long, in one line, and not if it is a key that was put into a wrong place.
pub(super) fn named(name: &str) -> String {
    if keys::looks_like_key(name) {
        return "`***`".to_owned();
    }
    let mut told: String = name.chars().take(TOLD).flat_map(char::escape_debug).collect();
    if name.chars().nth(TOLD).is_some() {
        told.push_str("..");
    }
    format!("`{told}`")
}
