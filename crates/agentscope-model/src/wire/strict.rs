//! Schemas that OpenAI can hold a model to strictly.

use agentscope_core::Map;
use serde_json::Value;

/// What strict mode does not know, and what cannot be left out without a change of meaning.
const UNKNOWN: [&str; 12] = [
    "allOf",
    "default",
    "dependentRequired",
    "dependentSchemas",
    "else",
    "if",
    "not",
    "oneOf",
    "patternProperties",
    "propertyNames",
    "then",
    "unevaluatedProperties",
];

/// The formats of strict mode. Others, such as the `uint32` that a Rust type gives, only comment on a type and are left out.
const FORMATS: [&str; 9] =
    ["date", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "time", "uuid"];

/// The schema as strict mode demands it: objects are closed, and name all their properties as required. `None` where that
/// would give another meaning, such as where a property is optional; such a schema is sent as it is, and not strictly.
///
/// Closing an object only leaves out answers that the schema would have allowed as well.
pub(crate) fn strict(schema: &Value) -> Option<Value> {
    if schema.get("type").is_none_or(|it| it != "object") {
        return None; // the root has to be an object
    }
    close(schema)
}

fn close(schema: &Value) -> Option<Value> {
    let mut fields = schema.as_object()?.clone();
    if UNKNOWN.iter().any(|key| fields.contains_key(*key)) {
        return None;
    }
    fields.remove("$schema");
    if fields.get("format").and_then(Value::as_str).is_some_and(|format| !FORMATS.contains(&format)) {
        fields.remove("format");
    }
    if is_object(&fields) {
        let required =
            fields.get("required").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let properties = fields.get("properties").and_then(Value::as_object);
        let complete = properties?.keys().all(|key| required.iter().any(|it| it == key));
        let closed = fields.get("additionalProperties").is_none_or(|it| *it == false);
        if !complete || !closed {
            return None;
        }
        fields.insert("additionalProperties".to_owned(), Value::Bool(false));
    }
    for (key, value) in &mut fields {
        match (key.as_str(), value) {
            ("properties" | "$defs" | "definitions", Value::Object(schemas)) => {
                for schema in schemas.values_mut() {
                    *schema = close(schema)?;
                }
            }
            ("anyOf", Value::Array(schemas)) => {
                for schema in schemas {
                    *schema = close(schema)?;
                }
            }
            ("items", schema) => *schema = close(schema)?,
            _ => {}
        }
    }
    Some(Value::Object(fields))
}

fn is_object(fields: &Map) -> bool {
    fields.contains_key("properties")
        || fields.get("type").is_some_and(|kind| match kind {
            Value::Array(kinds) => kinds.iter().any(|kind| kind == "object"),
            kind => kind == "object",
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(inner: Value) -> Value {
        json!({"type": "object", "properties": {"a": inner}, "required": ["a"]})
    }

    #[test]
    fn a_schema_of_complete_objects_is_closed_throughout() {
        let mut schema =
            object(json!({"type": "array", "items": object(json!({"type": "integer", "format": "uint32"}))}));
        schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
        let strict = strict(&schema).unwrap();
        let inner = json!({"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": false});
        let expected = json!({"type": "object", "properties": {"a": {"type": "array", "items": inner}}, "required": ["a"], "additionalProperties": false});
        assert_eq!(strict, expected);
    }

    #[test]
    fn what_strict_mode_would_change_is_not_strict() {
        let optional = json!({"type": "object", "properties": {"a": {"type": "string"}}});
        let open = json!({"type": "object", "properties": {}, "additionalProperties": true});
        let map = json!({"type": "object", "additionalProperties": {"type": "string"}});
        for inner in
            [optional, open, map, json!({"oneOf": []}), json!({"type": "integer", "default": 3}), json!(true)]
        {
            assert_eq!(strict(&object(inner.clone())), None, "{inner}");
        }
        assert_eq!(
            strict(&json!({"type": "array", "items": object(json!({}))})),
            None,
            "the root has to be an object"
        );
    }
}
