//! What a field wants to hear, and what a line of that kind means.

use super::part::resolved;
use serde_json::{Map, Value};

/// What an empty line is, in the place of words that mean nothing.
pub(super) const NEEDED: &str = "an answer is needed";

/// What is asked for.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    Text,
    Whole,
    Number,
    YesNo,
    Choice(Vec<Choice>),
    List(Box<Kind>),
    /// Its fields, in turn.
    Object,
    /// One of several schemas, by these names.
    OneOf(Vec<(String, Value)>),
    Const(Value),
    Json,
}

#[derive(Clone, Debug)]
pub(super) struct Choice {
    name: String,
    description: String,
    value: Value,
}

impl Kind {
    /// How to ask for what `schema` describes, whose references are followed.
    pub(super) fn of(root: &Value, schema: &Map<String, Value>) -> Self {
        if let Some(value) = schema.get("const") {
            return Self::Const(value.clone());
        }
        if let Some(values) = schema.get("enum").and_then(Value::as_array) {
            return Self::choice(values.iter().map(|it| (it.clone(), None)).collect());
        }
        let several = ["oneOf", "anyOf"].iter().find_map(|key| schema.get(*key).and_then(Value::as_array));
        let constrains = |key: &str| schema.contains_key(key);
        if let Some(kinds) = several {
            let alone = !["properties", "required", "allOf", "not", "if"].iter().any(|key| constrains(key));
            return if alone { Self::one_of(root, kinds) } else { Self::Json };
        }
        if ["allOf", "if"].iter().any(|key| constrains(key)) {
            return Self::Json;
        }
        match schema.get("type").and_then(Value::as_str) {
            Some("string") => Self::Text,
            Some("integer") => Self::Whole,
            Some("number") => Self::Number,
            Some("boolean") => Self::YesNo,
            Some("null") => Self::Const(Value::Null),
            Some("array") if !constrains("prefixItems") => match schema.get("items") {
                Some(items) => Self::list(root, items),
                None => Self::Json,
            },
            Some("object") if constrains("properties") => Self::Object,
            _ => Self::Json,
        }
    }

    fn choice(values: Vec<(Value, Option<&str>)>) -> Self {
        if values.is_empty() {
            return Self::Json;
        }
        let choices = values.into_iter().map(|(value, description)| Choice {
            name: name_of(&value),
            description: description.unwrap_or_default().to_owned(),
            value,
        });
        Self::Choice(choices.collect())
    }

    fn one_of(root: &Value, kinds: &[Value]) -> Self {
        let resolved: Vec<_> = kinds.iter().map(|kind| resolved(root, kind).0).collect();
        let constant = |kind: &'_ Map<String, Value>| {
            Some((kind.get("const")?.clone(), kind.get("description").cloned()))
        };
        let constants: Option<Vec<_>> = resolved.iter().map(constant).collect();
        if let Some(constants) = constants {
            let described = constants
                .iter()
                .map(|(value, about)| (value.clone(), about.as_ref().and_then(Value::as_str)));
            return Self::choice(described.collect());
        }
        let named = kinds.iter().zip(&resolved).map(|(kind, resolved)| (variant(resolved), kind.clone()));
        if kinds.is_empty() { Self::Json } else { Self::OneOf(named.collect()) }
    }

    fn list(root: &Value, items: &Value) -> Self {
        let (schema, nullable) = resolved(root, items);
        if schema.get("type").is_some_and(|it| it == "array") {
            return Self::Json; // also because it may be a list of itself
        }
        match Self::of(root, &schema) {
            kind @ (Self::Text | Self::Whole | Self::Number | Self::YesNo | Self::Choice(_)) if !nullable => {
                Self::List(Box::new(kind))
            }
            _ => Self::Json,
        }
    }

    pub(super) fn hint(&self) -> String {
        match self {
            Self::Text => "text".to_owned(),
            Self::Whole => "whole number".to_owned(),
            Self::Number => "number".to_owned(),
            Self::YesNo => "y/n".to_owned(),
            Self::Choice(_) | Self::OneOf(_) => "one of these, by number or name".to_owned(),
            Self::List(of) => match &**of {
                Self::Choice(_) => "some of these, separated by commas".to_owned(),
                of => format!("list of {}, separated by commas", of.hint()),
            },
            Self::Object | Self::Const(_) | Self::Json => "JSON".to_owned(),
        }
    }

    pub(super) fn choices(&self) -> Vec<String> {
        match self {
            Self::Choice(choices) => choices.iter().map(Choice::shown).collect(),
            Self::OneOf(kinds) => kinds.iter().map(|(name, _)| name.clone()).collect(),
            Self::List(of) => of.choices(),
            _ => Vec::new(),
        }
    }

    /// The value that `line` stands for, by its form alone.
    pub(super) fn read(&self, line: &str) -> Result<Value, String> {
        match self {
            Self::Text if line == "\"\"" => Ok(Value::String(String::new())),
            Self::Text => Ok(line.into()),
            Self::Whole => {
                let signed = || line.parse::<i64>().map(Value::from).ok();
                let whole = signed().or_else(|| line.parse::<u64>().map(Value::from).ok());
                whole.ok_or_else(|| format!("`{line}` is no whole number, such as 42"))
            }
            Self::Number => number(line).ok_or_else(|| format!("`{line}` is no number, such as 3.5")),
            Self::YesNo => yes_or_no(line).map(Value::Bool),
            Self::Choice(choices) => {
                let names: Vec<&str> = choices.iter().map(|it| it.name.as_str()).collect();
                let chosen = choices.get(choose(&names, line)?).map(|it| it.value.clone());
                Ok(chosen.unwrap_or_default())
            }
            Self::List(of) if !line.starts_with('[') => {
                let items = line.split(',').map(str::trim);
                let read = |item: &str| if item.is_empty() { Err(NEEDED.to_owned()) } else { of.read(item) };
                items.map(read).collect::<Result<Vec<_>, _>>().map(Value::Array)
            }
            Self::List(_) | Self::Object | Self::OneOf(_) | Self::Const(_) | Self::Json => {
                serde_json::from_str(line).map_err(|error| format!("it is no JSON: {error}"))
            }
        }
    }
}

impl Choice {
    fn shown(&self) -> String {
        if self.description.is_empty() {
            self.name.clone()
        } else {
            format!("{}: {}", self.name, self.description)
        }
    }
}

fn number(line: &str) -> Option<Value> {
    let exact = serde_json::from_str::<serde_json::Number>(line).ok();
    let number = exact.or_else(|| line.parse().ok().and_then(serde_json::Number::from_f64));
    number.map(Value::Number)
}

pub(super) fn yes_or_no(line: &str) -> Result<bool, String> {
    match line.to_lowercase().as_str() {
        "y" | "yes" | "true" => Ok(true),
        "n" | "no" | "false" => Ok(false),
        _ => Err(format!("`{line}` is neither y nor n")),
    }
}

/// Which of the names a line means: by the name itself, else whatever its case, else by its number from 1.
pub(super) fn choose(names: &[&str], line: &str) -> Result<usize, String> {
    let exact = names.iter().position(|name| *name == line);
    let by_name = || names.iter().position(|name| name.to_lowercase() == line.to_lowercase());
    let by_number = || line.parse::<usize>().ok()?.checked_sub(1).filter(|at| *at < names.len());
    exact
        .or_else(by_name)
        .or_else(by_number)
        .ok_or_else(|| format!("`{line}` is none of: {}", names.join(", ")))
}

/// A value as a person writes it.
pub(super) fn name_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// What one of several schemas is called: by its title, its constant, its tag, its only field, or its type.
fn variant(schema: &Map<String, Value>) -> String {
    let word = |key: &str| schema.get(key).and_then(Value::as_str).map(str::to_owned);
    let properties = || schema.get("properties").and_then(Value::as_object);
    let tag = || properties()?.values().find_map(|it| it.get("const")).map(name_of);
    let only = || properties().filter(|it| it.len() == 1)?.keys().next().cloned();
    let by_name = word("title").or_else(|| schema.get("const").map(name_of)).or_else(tag).or_else(only);
    by_name.or_else(|| word("description")).or_else(|| word("type")).unwrap_or_else(|| "another".to_owned())
}
