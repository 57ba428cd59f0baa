//! Schemas that OpenAI can hold a model to strictly.

use agentscope_core::Map;
use serde_json::Value;

/// What strict mode does not know, and what cannot be left out without a change of meaning.
const UNKNOWN: [&str; 14] = [
    "allOf",
    "default",
    "dependentRequired",
    "dependentSchemas",
    "else",
    "if",
    "not",
    "oneOf",
    "patternProperties",
    "prefixItems",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
];

/// Bounds that strict mode refuses. They are told in words, and held by whoever reads the answer.
const BOUNDS: [&str; 8] = [
    "contains",
    "maxContains",
    "maxLength",
    "maxProperties",
    "minContains",
    "minLength",
    "minProperties",
    "uniqueItems",
];

/// One of these says what a value may be. Without any it may be anything, which strict mode does not know.
const KINDS: [&str; 4] = ["anyOf", "const", "enum", "type"];

/// The formats of strict mode. Others, such as the `uint32` that a Rust type gives, only comment on a type and are left out.
const FORMATS: [&str; 9] =
    ["date", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "time", "uuid"];

/// The schema as strict mode demands it: objects are closed, and name all their properties as required. `None` where that
/// would give another meaning, such as where a property is optional; such a schema is sent as it is, and not strictly.
///
/// Closing an object only leaves out answers that the schema would have allowed as well. Some bounds, such as the length of a
/// text, become words of the description.
pub(crate) fn strict(schema: &Value) -> Option<Value> {
    if schema.get("type").is_none_or(|it| it != "object") || schema.get("$ref").is_some() {
        return None; // the root has to be an object
    }
    close(schema)
}

fn close(schema: &Value) -> Option<Value> {
    let mut fields = schema.as_object()?.clone();
    if UNKNOWN.iter().any(|key| fields.contains_key(*key)) {
        return None;
    }
    if let Some(reference) = fields.remove("$ref") {
        return Some(Value::Object(Map::from_iter([("$ref".to_owned(), reference)]))); // nothing may stand beside it
    }
    if !KINDS.iter().any(|key| fields.contains_key(*key)) {
        return None;
    }
    if is_kind(&fields, "array") && !fields.contains_key("items") {
        return None;
    }
    fields.remove("$schema");
    tell_bounds(&mut fields);
    if fields.get("format").and_then(Value::as_str).is_some_and(|format| !FORMATS.contains(&format)) {
        fields.remove("format");
    }
    if fields.contains_key("properties") || is_kind(&fields, "object") {
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

fn is_kind(fields: &Map, wanted: &str) -> bool {
    fields.get("type").is_some_and(|kind| match kind {
        Value::Array(kinds) => kinds.iter().any(|kind| kind == wanted),
        kind => kind == wanted,
    })
}

/// Puts the bounds that strict mode refuses into the description.
fn tell_bounds(fields: &mut Map) {
    let words = |key: &str| fields.remove(key).map(|bound| format!("{key}: {bound}"));
    let words: Vec<_> = BOUNDS.into_iter().filter_map(words).collect();
    if words.is_empty() {
        return;
    }
    let words = format!("{{{}}}", words.join(", "));
    let described = fields.get("description").and_then(Value::as_str);
    let described = described.map_or_else(|| words.clone(), |text| format!("{text}\n{words}"));
    fields.insert("description".to_owned(), described.into());
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
    fn nothing_stands_beside_a_reference_and_bounds_are_told_in_words() {
        let who = object(json!({"type": "string", "minLength": 1, "maxLength": 3, "description": "A name."}));
        let mut schema = object(json!({"$ref": "#/$defs/Who", "description": "Who did it."}));
        schema["$defs"] = json!({"Who": who});
        schema["properties"]["b"] =
            json!({"type": "array", "items": {"$ref": "#/$defs/Who"}, "uniqueItems": true});
        schema["required"] = json!(["a", "b"]);
        let strict = strict(&schema).unwrap();
        assert_eq!(strict["properties"]["a"], json!({"$ref": "#/$defs/Who"}));
        assert_eq!(
            strict["properties"]["b"],
            json!({"type": "array", "items": {"$ref": "#/$defs/Who"}, "description": "{uniqueItems: true}"})
        );
        assert_eq!(
            strict["$defs"]["Who"]["properties"]["a"],
            json!({"type": "string", "description": "A name.\n{maxLength: 3, minLength: 1}"})
        );
    }

    #[test]
    fn what_may_be_anything_or_is_a_tuple_is_not_strict() {
        let pair = json!({"type": "array", "prefixItems": [{"type": "string"}], "items": {"type": "string"}});
        for inner in
            [json!({"description": "Anything."}), json!({}), pair, json!({"type": ["array", "null"]})]
        {
            assert_eq!(strict(&object(inner.clone())), None, "{inner}");
        }
        let mut root = object(json!({"type": "string"}));
        root["$ref"] = json!("#/$defs/Who");
        assert_eq!(
            strict(&root),
            None,
            "nothing may stand beside a reference, and the root has to be an object"
        );
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
