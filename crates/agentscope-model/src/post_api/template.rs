//! What is sent: JSON with places to fill.

use crate::{
    conversation::{Content, Part, Turn, WriteTurns, write_turns},
    http::Ask,
    nearest::nearest,
    openai::{Body, Messages, Provider, Tools},
};
use agentscope_core::{Error, ErrorKind, ModelRequest, Result, ToolChoice, ToolSpec};
use serde_json::{Map, Value};
use std::{convert::Infallible, sync::Arc};

/// What a place can be filled with.
const NAMES: [&str; 13] = [
    "last",
    "max_tokens",
    "messages",
    "model",
    "prompt",
    "schema",
    "seed",
    "stop",
    "stream",
    "system",
    "temperature",
    "tools",
    "top_p",
];

/// JSON with places to fill.
#[derive(Clone, Debug)]
pub(super) struct Template(Value);

impl Template {
    pub(super) fn of(template: Value) -> Self {
        Self(template)
    }

    /// Whether it has a place for this.
    pub(super) fn has(&self, name: &str) -> bool {
        let mut names = Vec::new();
        collect(&self.0, &mut names);
        names.iter().any(|it| it == name)
    }

    /// # Errors
    /// [`ErrorKind::InvalidInput`] for a place that nothing can fill.
    pub(super) fn check(&self) -> Result<()> {
        let mut names = Vec::new();
        collect(&self.0, &mut names);
        let Some(unknown) = names.iter().find(|name| !NAMES.contains(&name.as_str())) else { return Ok(()) };
        let hint = match nearest(unknown, NAMES) {
            Some(name) => format!(": do you mean `{{{{{name}}}}}`?"),
            None => format!(": there are {}", NAMES.join(", ")),
        };
        let message = format!("the template has `{{{{{unknown}}}}}`, which nothing fills{hint}");
        Err(Error::new(ErrorKind::InvalidInput, message))
    }

    /// The body of a request.
    pub(super) fn filled(&self, ask: &Ask<'_>) -> Result<Value> {
        let mut body = fill(&self.0, ask)?.unwrap_or(Value::Null);
        if let Value::Object(fields) = &mut body {
            let own = &ask.req.options.extra;
            let model = ask.extra.iter().filter(|(key, _)| !own.contains_key(*key));
            for (key, value) in model.chain(own) {
                if value.is_null() {
                    fields.remove(key);
                } else {
                    fields.insert(key.clone(), value.clone());
                }
            }
        }
        Ok(body)
    }
}

/// A text in pieces: what stands as it is, and the names of places.
fn pieces(text: &str) -> Vec<(&str, Option<&str>)> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((name, tail)) = after.split_once("}}") else { break };
        pieces.push((before, Some(name.trim())));
        rest = tail;
    }
    pieces.push((rest, None));
    pieces
}

fn collect(value: &Value, names: &mut Vec<String>) {
    match value {
        Value::String(text) => {
            names.extend(pieces(text).into_iter().filter_map(|(_, name)| name.map(str::to_owned)));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, names)),
        Value::Object(fields) => fields.values().for_each(|value| collect(value, names)),
        _ => {}
    }
}

/// The value with its places filled; `None` if it is nothing but a place for which there is nothing.
fn fill(template: &Value, ask: &Ask<'_>) -> Result<Option<Value>> {
    Ok(Some(match template {
        Value::String(text) => return fill_text(text, ask),
        Value::Array(items) => {
            let items = items.iter().map(|item| fill(item, ask)).filter_map(Result::transpose);
            Value::Array(items.collect::<Result<_>>()?)
        }
        Value::Object(fields) => {
            let mut filled = Map::new();
            for (key, value) in fields {
                if let Some(value) = fill(value, ask)? {
                    filled.insert(key.clone(), value);
                }
            }
            Value::Object(filled)
        }
        other => other.clone(),
    }))
}

fn fill_text(text: &str, ask: &Ask<'_>) -> Result<Option<Value>> {
    let pieces = pieces(text);
    if let [("", Some(name)), ("", None)] = &*pieces {
        return value_of(name, ask);
    }
    let mut filled = String::new();
    for (before, name) in pieces {
        filled.push_str(before);
        match name.map(|name| value_of(name, ask)).transpose()?.flatten() {
            Some(Value::String(text)) => filled.push_str(&text),
            Some(value) => filled.push_str(&value.to_string()),
            None => {}
        }
    }
    Ok(Some(Value::String(filled)))
}

fn value_of(name: &str, ask: &Ask<'_>) -> Result<Option<Value>> {
    let options = &ask.req.options;
    Ok(match name {
        "model" => Some(ask.model().into()),
        "messages" => {
            let body = Body { ask: *ask, ways: Provider::Other.ways(), is_other: true };
            let messages = serde_json::to_value(Messages(&body)).map_err(|error| {
                Error::new(ErrorKind::InvalidInput, format!("the request cannot be written as JSON: {error}"))
            })?;
            Some(messages)
        }
        "prompt" => Some(Told::of(ask).prompt(&ask.req.speaker).into()),
        "system" => Some(Told::of(ask).system).filter(|it| !it.is_empty()).map(Value::from),
        "last" => Some(Told::of(ask).last).filter(|it| !it.is_empty()).map(Value::from),
        "tools" => {
            let offered = offered(ask.req);
            (!offered.is_empty()).then(|| serde_json::to_value(Tools(&offered))).transpose()?
        }
        "schema" => ask.req.output_schema.as_deref().cloned(),
        "temperature" => options.temperature.map(Value::from),
        "top_p" => options.top_p.map(Value::from),
        "max_tokens" => options.max_tokens.map(Value::from),
        "seed" => options.seed.map(Value::from),
        "stop" if !options.stop.is_empty() => Some(options.stop.clone().into()),
        "stream" => Some(ask.stream.into()),
        _ => None,
    })
}

/// The tools that may be called: nothing else tells such a server which.
fn offered(req: &ModelRequest) -> Vec<Arc<ToolSpec>> {
    let may_be_called = |tool: &&Arc<ToolSpec>| match &req.tool_choice {
        ToolChoice::None => false,
        ToolChoice::Tool(name) => tool.name == *name,
        _ => true,
    };
    req.tools.iter().filter(may_be_called).cloned().collect()
}

/// A conversation in words.
struct Told<'a> {
    ask: Ask<'a>,
    system: String,
    lines: Vec<String>,
    last: String,
}

impl<'a> Told<'a> {
    fn of(ask: &Ask<'a>) -> Self {
        let mut told = Self { ask: *ask, system: String::new(), lines: Vec::new(), last: String::new() };
        let Ok(()) = write_turns(ask, &mut told);
        told
    }

    fn words(&self, parts: Vec<Part<'a>>) -> String {
        let texts = parts.into_iter().filter_map(|part| match part {
            Part::Text(text) => Some(text.into_owned()),
            _ => None,
        });
        texts.collect::<Vec<_>>().join("\n")
    }

    /// One text: what a single user says as it is, a conversation with names.
    fn prompt(self, speaker: &str) -> String {
        let system = if self.system.is_empty() { String::new() } else { self.system + "\n\n" };
        if self.lines.len() == 1 && !self.last.is_empty() {
            return system + &self.last;
        }
        let speaker = if speaker.is_empty() { "assistant" } else { speaker };
        format!("{system}{}\n{speaker}: ", self.lines.join("\n"))
    }
}

impl<'a> WriteTurns<'a> for Told<'a> {
    type Error = Infallible;

    fn turn(&mut self, turn: Turn<'a>) -> Result<(), Infallible> {
        let ask = self.ask;
        let words = |content: Content<'a>| content.into_parts(&ask);
        match turn {
            Turn::System { content, .. } => self.system = self.words(words(content)),
            Turn::User { name, content } => {
                let text = self.words(words(content));
                self.lines.push(format!("{}: {text}", name.unwrap_or("user")));
                self.last = text;
            }
            Turn::Assistant { name, blocks } => {
                let text = self.words(blocks.iter().filter_map(Part::own).collect());
                self.lines.push(format!("{}: {text}", name.unwrap_or("assistant")));
            }
            Turn::Results(results) => {
                self.lines.extend(results.iter().map(|it| format!("{}: {}", it.name, it.text)));
            }
        }
        Ok(())
    }
}
