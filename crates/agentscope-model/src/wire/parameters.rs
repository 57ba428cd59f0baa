//! Schemas of a tool's arguments, as providers take them.

use agentscope_core::Map;
use serde_json::Value;
use std::borrow::Cow;

/// What providers refuse beside the fields of the arguments.
const REFUSED: [&str; 5] = ["allOf", "anyOf", "enum", "not", "oneOf"];

/// How deep combinators may be nested in each other; what is deeper is left out. It ends a schema that contains itself.
const DEPTH: usize = 8;

/// The schema of a tool's arguments as that of an object with named fields, which is what OpenAI and Anthropic take. The fields
/// of alternatives become fields of the one object, of which those are required that each alternative requires: that allows
/// more than was meant, which the tool refuses itself. A schema that is such a one already is not copied.
pub(crate) fn parameters(schema: &Value) -> Cow<'_, Value> {
    let is_sound = schema.get("type").is_some_and(|kind| kind == "object")
        && schema.get("properties").is_some_and(Value::is_object)
        && !REFUSED.iter().chain(&["$ref"]).any(|key| schema.get(key).is_some());
    if is_sound {
        return Cow::Borrowed(schema);
    }
    let folded = Fields::of(schema, schema, 0);
    let mut fields = schema.as_object().cloned().unwrap_or_default();
    fields.retain(|key, _| !REFUSED.contains(&key.as_str()) && key != "$ref" && key != "required");
    fields.insert("type".to_owned(), "object".into());
    fields.insert("properties".to_owned(), Value::Object(folded.properties));
    if !folded.required.is_empty() {
        fields.insert("required".to_owned(), folded.required.into());
    }
    Cow::Owned(Value::Object(fields))
}

/// The fields of an object.
#[derive(Default)]
struct Fields {
    properties: Map,
    required: Vec<String>,
}

impl Fields {
    fn of(schema: &Value, root: &Value, depth: usize) -> Self {
        if depth > DEPTH {
            return Self::default();
        }
        let properties = schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
        let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
        let required = required.filter_map(|it| it.as_str().map(str::to_owned)).collect();
        let mut fields = Self { properties, required };
        let named =
            schema.get("$ref").and_then(Value::as_str).and_then(|it| root.pointer(it.strip_prefix('#')?));
        let all = schema.get("allOf").and_then(Value::as_array).into_iter().flatten();
        for part in named.into_iter().chain(all) {
            fields.require(Self::of(part, root, depth + 1));
        }
        for key in ["anyOf", "oneOf"] {
            let choices = schema.get(key).and_then(Value::as_array).into_iter().flatten();
            let may_be = |it: &&Value| it.get("type").is_none_or(|kind| kind == "object");
            let choices = choices.filter(may_be).map(|it| Self::of(it, root, depth + 1));
            if let Some(either) = choices.reduce(Self::or) {
                fields.require(either);
            }
        }
        fields
    }

    /// Fields that there are as well.
    fn require(&mut self, other: Self) {
        self.add(other.properties);
        for key in other.required {
            if !self.required.contains(&key) {
                self.required.push(key);
            }
        }
    }

    /// These fields or others.
    fn or(mut self, other: Self) -> Self {
        self.required.retain(|key| other.required.contains(key));
        self.add(other.properties);
        self
    }

    fn add(&mut self, properties: Map) {
        for (key, schema) in properties {
            match self.properties.get_mut(&key) {
                Some(known) if *known != schema => *known = either(known.take(), schema),
                Some(_) => {}
                None => drop(self.properties.insert(key, schema)),
            }
        }
    }
}

/// A field that has a schema in one alternative and another one in the next: the names of alternatives become one list.
fn either(known: Value, other: Value) -> Value {
    let (mut names, kind) = (names(&known), known.get("type"));
    if let (Some(all), Some(more), true) = (&mut names, self::names(&other), kind == other.get("type")) {
        more.into_iter().for_each(|name| {
            if !all.contains(&name) {
                all.push(name);
            }
        });
        let mut fields = Map::new();
        if let Some(kind) = kind {
            fields.insert("type".to_owned(), kind.clone());
        }
        fields.insert("enum".to_owned(), std::mem::take(all).into());
        return Value::Object(fields);
    }
    let mut choices = match known {
        Value::Object(mut fields)
            if fields.len() == 1 && fields.get("anyOf").is_some_and(Value::is_array) =>
        {
            match fields.remove("anyOf") {
                Some(Value::Array(choices)) => choices,
                _ => Vec::new(),
            }
        }
        known => vec![known],
    };
    if !choices.contains(&other) {
        choices.push(other);
    }
    Value::Object(Map::from_iter([("anyOf".to_owned(), choices.into())]))
}

/// What a schema lists, if that is what it does.
fn names(schema: &Value) -> Option<Vec<Value>> {
    match (schema.get("const"), schema.get("enum")) {
        (Some(name), None) => Some(vec![name.clone()]),
        (None, Some(Value::Array(names))) => Some(names.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_schema_that_is_sound_is_not_copied() {
        let schema = json!({"type": "object", "properties": {"a": {"anyOf": [{"type": "string"}]}}});
        assert!(matches!(parameters(&schema), Cow::Borrowed(_)));
    }

    #[test]
    fn arguments_are_an_object_with_fields() {
        let empty = json!({"type": "object", "properties": {}});
        for schema in [
            json!({}),
            json!(true),
            json!(null),
            json!({"type": "object"}),
            json!({"type": ["object", "null"]}),
        ] {
            assert_eq!(*parameters(&schema), empty, "{schema}");
        }
        let untyped = json!({"properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": false});
        let mut typed = untyped.clone();
        typed["type"] = json!("object");
        assert_eq!(*parameters(&untyped), typed);
    }

    #[test]
    fn alternatives_become_one_object() {
        let tag = |name: &str| json!({"type": "string", "const": name});
        let schema = json!({
            "description": "What to do.",
            "oneOf": [
                {"type": "object", "properties": {"kind": tag("move"), "to": {"type": "string"}}, "required": ["kind", "to"]},
                {"$ref": "#/$defs/Wait"},
                {"type": "object", "properties": {"kind": tag("stop"), "to": {"type": "integer"}}, "required": ["kind"]},
                {"type": "null"},
            ],
            "$defs": {"Wait": {"type": "object", "properties": {"kind": tag("wait")}, "required": ["kind"]}},
        });
        assert_eq!(
            *parameters(&schema),
            json!({
                "type": "object",
                "description": "What to do.",
                "properties": {
                    "kind": {"type": "string", "enum": ["move", "wait", "stop"]},
                    "to": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
                },
                "required": ["kind"],
                "$defs": {"Wait": {"type": "object", "properties": {"kind": tag("wait")}, "required": ["kind"]}},
            })
        );
    }

    #[test]
    fn what_holds_as_well_is_required_as_well() {
        let schema = json!({
            "type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"],
            "allOf": [{"properties": {"b": {"type": "string"}}, "required": ["b"]}],
            "anyOf": [{"required": ["c"]}, {"required": ["d"]}],
        });
        let all = json!({
            "type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}, "required": ["a", "b"]
        });
        assert_eq!(*parameters(&schema), all);
        let named = json!({"$ref": "#/$defs/A", "$defs": {"A": {"type": "object", "properties": {"a": {}}, "required": ["a"]}}});
        assert_eq!(parameters(&named)["properties"], json!({"a": {}}));
        assert_eq!(
            *parameters(&json!({"$ref": "#"})),
            json!({"type": "object", "properties": {}}),
            "it contains itself"
        );
    }
}
