//! One entry: a class and its arguments, checked by the schema of the type.

use crate::{parse::kind_of, schema::Validators};
use agentscope_core::{AgentTypes, Map, config::nearest};
use serde_json::Value;
use std::sync::Arc;

/// Most characters that are told of a name (60).
const TOLD: usize = 60;

/// What fields are called here that AgentScope 0.x calls otherwise.
const NAMES_OF_0_X: [(&str, &str); 2] = [("sys_prompt", "prompt"), ("model_config_name", "model")];

#[derive(Clone)]
pub(super) struct Entry {
    /// Its number in a list, from 1.
    number: Option<usize>,
    pub(super) name: String,
    pub(super) class: String,
    pub(super) args: Value,
}

impl Entry {
    /// Reads an entry. What is wrong is put into `problems`.
    pub(super) fn read(
        number: Option<usize>,
        value: Value,
        types: &AgentTypes,
        problems: &mut Vec<String>,
    ) -> Option<Self> {
        let nobody = |number| place(number, "");
        let Value::Object(mut entry) = value else {
            problems.push(format!("{} must be an object with `class` and `args`", nobody(number)));
            return None;
        };
        let args = entry.shift_remove("args");
        let name = args
            .as_ref()
            .and_then(|args| args.get("name"))
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        let class = entry.shift_remove("class");
        let mut found = Vec::new();
        for field in entry.keys() {
            let advice = nearest(field, ["class", "args"]).map(|it| format!("do you mean `{it}`?"));
            let advice = advice.unwrap_or_else(|| "there are class, args".to_owned());
            found.push(format!("{} is no known field: {advice}", told(field)));
        }
        let (schema, class) = match class {
            Some(Value::String(class)) => match types.schema(&class) {
                Ok(schema) => (Some(schema), class),
                Err(error) => {
                    found.push(format!("`class`: {error}"));
                    (None, class)
                }
            },
            Some(_) => {
                found.push("`class` must be a text, such as \"DialogAgent\"".to_owned());
                (None, String::new())
            }
            None => {
                found.push("`class` is missing: add the type of agent, such as \"DialogAgent\"".to_owned());
                (None, String::new())
            }
        };
        let args = match args {
            Some(Value::Object(args)) => schema.as_ref().map(|schema| checked(args, schema, &mut found)),
            Some(_) => {
                found.push("`args` must be an object".to_owned());
                None
            }
            None => {
                found.push(
                    "`args` is missing: add the fields of the agent, such as {\"name\": ..}".to_owned(),
                );
                None
            }
        };
        let (is_good, here) = (found.is_empty(), place(number, &name));
        problems.extend(found.into_iter().map(|problem| format!("{here}: {problem}")));
        let args = args.filter(|_| is_good)?;
        Some(Self { number, name, class, args: Value::Object(args) })
    }

    /// Which entry it is, for sentences.
    pub(super) fn place(&self) -> String {
        place(self.number, &self.name)
    }
}

fn place(number: Option<usize>, name: &str) -> String {
    match (number, name.trim().is_empty()) {
        (Some(number), false) => format!("entry {number} ({})", told(name)),
        (Some(number), true) => format!("entry {number}"),
        (None, false) => format!("entry {}", told(name)),
        (None, true) => "the entry".to_owned(),
    }
}

/// The arguments by the names that the type has for them, with all that is wrong by its schema.
fn checked(args: Map, schema: &Value, problems: &mut Vec<String>) -> Map {
    let empty = Map::new();
    let known = schema.get("properties").and_then(Value::as_object).unwrap_or(&empty);
    let is_open = schema.get("additionalProperties").is_none_or(|it| *it != false);
    let renamed = |name: &str| {
        let other = NAMES_OF_0_X.iter().find(|(old, new)| *old == name && known.contains_key(*new));
        other.filter(|_| !known.contains_key(name)).map(|(_, new)| *new)
    };
    let mut named = Map::new();
    let mut written_as = Map::new();
    for (name, value) in args {
        // As Python's `None`: as if it were not there.
        if value.is_null() {
            continue;
        }
        let new = renamed(&name).unwrap_or(&name).to_owned();
        if !known.contains_key(&new) && !is_open {
            let old = NAMES_OF_0_X.iter().filter(|(_, new)| known.contains_key(*new)).map(|(old, _)| *old);
            let all: Vec<&str> = known.keys().map(String::as_str).chain(old).collect();
            let advice = match nearest(&name, all.iter().copied()) {
                Some(meant) => format!("do you mean `{meant}`?"),
                None => format!("there are {}", all.join(", ")),
            };
            problems.push(format!("{} of `args` is no known field: {advice}", told(&name)));
        } else if named.insert(new.clone(), value).is_some() {
            problems
                .push(format!("{} of `args` is another name of `{new}`: leave one of them out", told(&name)));
        }
        written_as.insert(new, name.into());
    }
    let required = schema.get("required").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for name in required.iter().filter_map(Value::as_str).filter(|name| !named.contains_key(*name)) {
        let old = NAMES_OF_0_X.iter().find(|(_, new)| *new == name).map(|(old, _)| format!(" (or `{old}`)"));
        // What it was called instead is told already.
        if !problems.iter().any(|problem| problem.contains("do you mean") && problem.contains(name)) {
            problems.push(format!("`{name}`{} of `args` is missing: add it", old.unwrap_or_default()));
        }
    }
    for (name, value) in &named {
        let Some(field) = known.get(name) else { continue };
        let field = without_null(field);
        let wrong = Validators::default().check(&Arc::new(with_definitions(&field, schema)), value).err();
        let wrong = wrong.map(|wrong| match wanted(&field, value) {
            Some(wanted) => format!("must be {wanted}, and is {}", kind_of(value)),
            None => format!("is not as it has to be: {wrong}"),
        });
        let name = written_as.get(name).and_then(Value::as_str).unwrap_or(name);
        problems.extend(wrong.map(|wrong| format!("{} of `args` {wrong}", told(name))));
    }
    named
}

/// The schema of a field that is there.
fn without_null(field: &Value) -> Value {
    let mut field = field.clone();
    if let Some(Value::Array(types)) = field.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            field.as_object_mut().and_then(|field| field.insert("type".to_owned(), only));
        }
    }
    field
}

/// In words, what a field has to be, if `value` is something else altogether.
fn wanted(field: &Value, value: &Value) -> Option<&'static str> {
    let (wanted, is_it) = match field.get("type")?.as_str()? {
        "boolean" => ("true or false", value.is_boolean()),
        "string" => ("a text", value.is_string()),
        "integer" => ("a whole number", value.is_i64() || value.is_u64()),
        "number" => ("a number", value.is_number()),
        "array" => ("a list", value.is_array()),
        "object" => ("an object", value.is_object()),
        _ => return None,
    };
    (!is_it).then_some(wanted)
}

/// The schema of a field, with what it refers to.
fn with_definitions(field: &Value, schema: &Value) -> Value {
    let mut field = field.clone();
    if let (Some(object), Some(definitions)) = (field.as_object_mut(), schema.get("$defs")) {
        object.insert("$defs".to_owned(), definitions.clone());
    }
    field
}

/// A name as it is told: not too long, and in one line.
fn told(name: &str) -> String {
    let mut told: String = name.chars().take(TOLD).flat_map(char::escape_debug).collect();
    if name.chars().nth(TOLD).is_some() {
        told.push_str("..");
    }
    format!("`{told}`")
}
