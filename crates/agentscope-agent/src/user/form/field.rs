//! One field of a form: what its schema wants to hear, and what a line means for it.

use super::{
    kind::{Kind, NEEDED, choose, name_of, yes_or_no},
    part::{apart, resolved},
};
use crate::schema::told;
use serde_json::{Map, Value};

/// How deep objects are asked field by field; what lies deeper is asked for as JSON.
const DEEPEST: usize = 8;

/// A place of the value and how to ask for it.
#[derive(Clone, Debug)]
pub(super) struct Field {
    /// The keys that lead to it.
    pub(super) at: Vec<String>,
    pub(super) kind: Kind,
    /// As it stands in the schema.
    raw: Value,
    /// With its references followed.
    schema: Map<String, Value>,
    required: bool,
    nullable: bool,
    /// What an empty line stands for.
    default: Option<Value>,
    /// It was right by itself and wrong in the whole.
    failed: bool,
}

/// What a line means.
pub(super) enum Taken {
    Value(Value),
    Absent,
    /// An object, whose fields come next.
    Fields,
    /// This schema, which comes next.
    OneOf(Value),
}

impl Field {
    pub(super) fn new(root: &Value, raw: &Value, at: Vec<String>, required: bool) -> Self {
        let (schema, nullable) = resolved(root, raw);
        let mut kind = Kind::of(root, &schema);
        if at.len() >= DEEPEST && matches!(kind, Kind::Object | Kind::OneOf(_)) {
            kind = Kind::Json;
        }
        let default = schema.get("default").filter(|it| !it.is_null()).cloned();
        let mut field =
            Self { at, kind, raw: raw.clone(), schema, required, nullable, default: None, failed: false };
        field.default = default.filter(|default| field.check(default, root).is_ok());
        field
    }

    /// The same after its schema was chosen among several: what is not `null` already.
    pub(super) fn chosen(mut self) -> Self {
        self.nullable = false;
        self
    }

    /// The fields of an object, in the order in which their author wrote them.
    pub(super) fn fields(&self, root: &Value) -> Vec<Field> {
        let none = Map::new();
        let properties = self.schema.get("properties").and_then(Value::as_object).unwrap_or(&none);
        let required: Vec<&str> = self
            .schema
            .get("required")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let unnamed = required
            .iter()
            .filter(|key| !properties.contains_key(**key))
            .map(|key| (*key, &Value::Bool(true)));
        let named = properties.iter().map(|(key, schema)| (key.as_str(), schema));
        let fields = named.chain(unnamed).map(|(key, schema)| {
            let at = self.at.iter().cloned().chain([key.to_owned()]).collect();
            Field::new(root, schema, at, required.contains(&key))
        });
        fields.collect()
    }

    /// What it is without asking, if that is certain.
    pub(super) fn by_itself(&self) -> Option<Taken> {
        match &self.kind {
            _ if self.raw == Value::Bool(false) && !self.required => Some(Taken::Absent),
            Kind::Const(value) => {
                Some(if self.required { Taken::Value(value.clone()) } else { Taken::Absent })
            }
            Kind::Object if self.required && !self.nullable => Some(Taken::Fields),
            _ => None,
        }
    }

    /// What `line` means, or what is wrong with it.
    pub(super) fn read(&self, line: &str, root: &Value) -> Result<Taken, String> {
        if line.is_empty() {
            return self.empty(root);
        }
        match &self.kind {
            Kind::Object => match yes_or_no(line)? {
                true => Ok(Taken::Fields),
                false if self.required => Ok(Taken::Value(Value::Null)),
                false => Ok(Taken::Absent),
            },
            Kind::Text => self.checked(self.kind.read(line)?, root),
            _ if self.nullable && line == "null" => Ok(Taken::Value(Value::Null)),
            Kind::OneOf(kinds) => {
                let names: Vec<&str> = kinds.iter().map(|(name, _)| name.as_str()).collect();
                let chosen = kinds.get(choose(&names, line)?).map(|(_, schema)| schema.clone());
                Ok(Taken::OneOf(chosen.unwrap_or_default()))
            }
            kind => self.checked(kind.read(line)?, root),
        }
    }

    fn empty(&self, root: &Value) -> Result<Taken, String> {
        match (&self.default, &self.kind) {
            (Some(default), _) => Ok(Taken::Value(default.clone())),
            (None, _) if !self.required => Ok(Taken::Absent),
            (None, _) if self.nullable => Ok(Taken::Value(Value::Null)),
            (None, Kind::List(_)) => self.checked(Value::Array(Vec::new()), root),
            (None, Kind::Text) => Err(format!("{NEEDED}; \"\" is an empty text")),
            _ => Err(NEEDED.to_owned()),
        }
    }

    fn checked(&self, value: Value, root: &Value) -> Result<Taken, String> {
        self.check(&value, root).map(|()| Taken::Value(value))
    }

    /// Holds a value to the field's own schema, where that can be read apart from the whole.
    fn check(&self, value: &Value, root: &Value) -> Result<(), String> {
        let Some(own) = apart(root, &self.raw) else { return Ok(()) };
        let Ok(validator) = jsonschema::validator_for(&own) else { return Ok(()) };
        validator.iter_errors(value).next().map_or(Ok(()), |error| Err(told(&error)))
    }

    /// It was wrong in the whole: the same question once more, then JSON, by which all can be said.
    pub(super) fn ask_again(&mut self) {
        if self.failed || matches!(self.kind, Kind::Object | Kind::OneOf(_) | Kind::Const(_)) {
            self.kind = Kind::Json;
        }
        self.failed = true;
    }

    pub(super) fn name(&self) -> String {
        match self.at.as_slice() {
            [] => self.word("title").unwrap_or("answer").to_owned(),
            at => at.join("."),
        }
    }

    pub(super) fn description(&self) -> String {
        let title = self.word("title").filter(|_| !self.at.is_empty());
        [title, self.word("description")].into_iter().flatten().collect::<Vec<_>>().join(": ")
    }

    fn word(&self, key: &str) -> Option<&str> {
        self.schema.get(key).and_then(Value::as_str).filter(|it| !it.is_empty())
    }

    pub(super) fn hint(&self) -> String {
        let wanted = match &self.kind {
            Kind::Object => "fill it in? y/n".to_owned(),
            kind => kind.hint(),
        };
        match &self.default {
            Some(default) => format!("{wanted}, or nothing for {}", name_of(default)),
            None if !self.required => format!("{wanted}, or nothing"),
            None if self.nullable => format!("{wanted}, or nothing for none"),
            None => wanted,
        }
    }
}
