//! Filling in a value by its JSON schema, line by line: a pure state machine, without any terminal.

mod field;
mod kind;
mod part;

use crate::schema::told;
use agentscope_core::{Error, ErrorKind, Result};
use field::{Field, Taken};
use jsonschema::{ValidationError, Validator};
use kind::Kind;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fmt;

/// Most fields of one form; what comes after them is asked for as JSON.
const MOST_FIELDS: usize = 1000;

/// Asks a person for a value by its JSON schema, one line after the other: field by field, with the choices and defaults of the
/// schema, and again where a line does not fit.
///
/// It reads and writes nothing itself. Show what [`prompt`](Self::prompt) gives, bring what the person says to
/// [`answer`](Self::answer), until there is no prompt: then [`output`](Self::output) is valid by the schema. What cannot be
/// asked in simpler words is asked for as JSON.
///
/// ```
/// use agentscope_agent::Form;
/// use serde_json::json;
///
/// let mut form = Form::new(&json!({
///     "type": "object",
///     "properties": {
///         "city": {"type": "string", "description": "Where it is"},
///         "celsius": {"type": "number", "minimum": -273.15},
///         "sky": {"enum": ["clear", "cloudy"], "default": "clear"},
///     },
///     "required": ["city", "celsius"],
/// }))?;
/// assert_eq!(form.prompt().unwrap().to_string(), "city (text): Where it is");
/// for line in ["Oslo", "-300"] {
///     form.answer(line);
/// }
/// let again = form.prompt().unwrap();
/// assert_eq!((again.name.as_str(), again.wrong.is_some()), ("celsius", true));
/// for line in ["-3", ""] {
///     form.answer(line);
/// }
/// assert_eq!(form.output(), Some(&json!({"city": "Oslo", "celsius": -3, "sky": "clear"})));
/// # Ok::<_, agentscope_core::Error>(())
/// ```
#[derive(Debug)]
pub struct Form {
    schema: Value,
    validator: Validator,
    /// What is filled in so far.
    value: Option<Value>,
    /// What is still to be asked; the next one is the last.
    ahead: Vec<Field>,
    /// What was filled in, in order.
    taken: Vec<Field>,
    /// Why the next field is asked again.
    wrong: Option<String>,
}

/// What a [`Form`] asks next; in a terminal, its `Display`.
///
/// ```
/// let form = agentscope_agent::Form::new(&serde_json::json!({"type": "boolean", "title": "Ready"}))?;
/// assert_eq!(form.prompt().unwrap().to_string(), "Ready (y/n)");
/// # Ok::<_, agentscope_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Prompt {
    /// The field, such as `address.city`; the schema's title where the whole value is asked for.
    pub name: String,
    /// What the schema's author says of it; may be empty.
    pub description: String,
    /// What kind of answer is wanted, and what an empty line means.
    pub hint: String,
    /// What may be chosen, by its number from 1 or by its name before a colon; empty where the answer is free.
    pub choices: Vec<String>,
    /// Why the last answer was not taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wrong: Option<String>,
}

impl Form {
    /// A form that is empty.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if `schema` is no JSON schema.
    pub fn new(schema: &Value) -> Result<Self> {
        let validator = jsonschema::validator_for(schema).map_err(|error| {
            let message = format!("a form cannot be made of a schema that is wrong, mend it: {error}");
            Error::new(ErrorKind::InvalidInput, message)
        })?;
        let root = Field::new(schema, schema, Vec::new(), true);
        let mut form = Self {
            schema: schema.clone(),
            validator,
            value: None,
            ahead: vec![root],
            taken: Vec::new(),
            wrong: None,
        };
        form.advance();
        Ok(form)
    }

    /// What to ask the person next; `None` when all is filled in.
    pub fn prompt(&self) -> Option<Prompt> {
        let field = self.ahead.last()?;
        Some(Prompt {
            name: field.name(),
            description: field.description(),
            hint: field.hint(),
            choices: field.kind.choices(),
            wrong: self.wrong.clone(),
        })
    }

    /// Takes a line as the answer to the last prompt. What does not fit is asked again.
    pub fn answer(&mut self, line: &str) {
        let Some(field) = self.ahead.pop() else { return };
        match field.read(line.trim(), &self.schema) {
            Ok(taken) => {
                self.wrong = None;
                self.take(field, taken);
                self.advance();
            }
            Err(wrong) => {
                self.wrong = Some(wrong);
                self.ahead.push(field);
            }
        }
    }

    /// The value, valid by the schema, when all is filled in.
    pub fn output(&self) -> Option<&Value> {
        if self.ahead.is_empty() { self.value.as_ref() } else { None }
    }

    /// Goes on to the next field that a person has to answer, or to the end.
    fn advance(&mut self) {
        loop {
            match self.ahead.pop() {
                None if self.is_valid() => return,
                None => {}
                Some(mut field) => {
                    if self.taken.len() >= MOST_FIELDS {
                        field.kind = Kind::Json;
                    }
                    match field.by_itself() {
                        Some(taken) => self.take(field, taken),
                        None => return self.ahead.push(field),
                    }
                }
            }
        }
    }

    fn take(&mut self, field: Field, taken: Taken) {
        match taken {
            Taken::Value(value) => self.value = put(self.value.take(), &field.at, Some(value)),
            Taken::Absent => self.value = put(self.value.take(), &field.at, None),
            Taken::Fields => {
                self.value = put(self.value.take(), &field.at, Some(Value::Object(Map::new())));
                self.ahead.extend(field.fields(&self.schema).into_iter().rev());
            }
            Taken::OneOf(schema) => {
                self.ahead.push(Field::new(&self.schema, &schema, field.at.clone(), true).chosen());
            }
        }
        self.taken.push(field);
    }

    /// Holds what is filled in to the schema, and asks again for what is wrong.
    fn is_valid(&mut self) -> bool {
        let value = self.value.take().unwrap_or_default();
        // The narrowest place: the field that is wrong, not all that contains it.
        let wrong = self.validator.iter_errors(&value).map(|error| (place_of(&error), told(&error)));
        let wrong = wrong.take(MOST_FIELDS).max_by_key(|(place, _)| place.len());
        self.value = Some(value);
        let Some((place, wrong)) = wrong else { return true };
        self.wrong = Some(wrong);
        let responsible = |field: &Field| place.starts_with(&field.at);
        let narrowest =
            self.taken.iter().filter(|field| responsible(field)).map(|field| field.at.len()).max();
        let at = self.taken.iter().rposition(|it| responsible(it) && Some(it.at.len()) == narrowest);
        let mut field = match at {
            Some(at) => self.taken.remove(at),
            None => Field::new(&self.schema, &self.schema, Vec::new(), true),
        };
        self.taken.retain(|other| !other.at.starts_with(&field.at));
        field.ask_again();
        self.ahead.push(field);
        false
    }
}

/// `value` with `new` in the place `at`, or without what was there.
fn put(value: Option<Value>, at: &[String], new: Option<Value>) -> Option<Value> {
    let Some((key, rest)) = at.split_first() else { return new };
    let mut fields = match value {
        Some(Value::Object(fields)) => fields,
        _ => Map::new(),
    };
    let old = fields.get_mut(key).map(Value::take);
    match put(old, rest, new) {
        Some(value) => drop(fields.insert(key.clone(), value)), // where it is already, it keeps its place
        None => drop(fields.shift_remove(key)),
    }
    Some(Value::Object(fields))
}

/// The keys that lead to what an error is about; the error has them as a JSON pointer (RFC 6901, section 4).
fn place_of(error: &ValidationError<'_>) -> Vec<String> {
    let pointer = error.instance_path().to_string();
    pointer.split('/').skip(1).map(|key| key.replace("~1", "/").replace("~0", "~")).collect()
}

impl fmt::Display for Prompt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(wrong) = &self.wrong {
            writeln!(f, "That does not fit: {wrong}")?;
        }
        write!(f, "{} ({})", self.name, self.hint)?;
        if !self.description.is_empty() {
            write!(f, ": {}", self.description)?;
        }
        for (number, choice) in (1..).zip(&self.choices) {
            write!(f, "\n  {number}. {choice}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
