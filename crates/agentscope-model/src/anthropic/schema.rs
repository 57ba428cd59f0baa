//! Schemas that Claude can be held to. It takes less than JSON Schema has; what it does not take is told in words, and held
//! by whoever reads the answer.

use agentscope_core::Map;
use serde_json::Value;

/// What is kept as it is.
const KNOWN: [&str; 8] = ["$ref", "const", "default", "description", "enum", "required", "title", "type"];

/// What holds more schemas.
const INNER: [&str; 5] = ["$defs", "allOf", "anyOf", "definitions", "properties"];

/// What says something about other keys than the named ones, which Claude cannot be held to.
const OPEN: [&str; 5] = ["patternProperties", "propertyNames", "unevaluatedProperties", "if", "not"];

const FORMATS: [&str; 10] =
    ["date", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "time", "uri", "uuid"];

/// The schema with its objects closed, as the API demands it, and its further bounds in words. `None` where that would leave
/// out answers that are meant: maps, objects without named fields, and types that contain themselves.
pub(super) fn closed(schema: &Value) -> Option<Value> {
    if is_recursive(schema) {
        return None;
    }
    close(schema)
}

fn close(schema: &Value) -> Option<Value> {
    let fields = schema.as_object()?;
    let (mut closed, mut words) = (Map::new(), Vec::new());
    for (key, value) in fields {
        match (key.as_str(), value) {
            (known, value) if KNOWN.contains(&known) => drop(closed.insert(key.clone(), value.clone())),
            ("items", value) => drop(closed.insert(key.clone(), close(value)?)),
            ("oneOf", value) => drop(closed.insert("anyOf".to_owned(), inner(value)?)),
            (known, value) if INNER.contains(&known) => drop(closed.insert(key.clone(), inner(value)?)),
            ("additionalProperties", Value::Object(_)) => return None,
            ("additionalProperties" | "$schema" | "$id", _) => {}
            ("format", Value::String(format)) if FORMATS.contains(&format.as_str()) => {
                closed.insert(key.clone(), value.clone());
            }
            // Such as the `uint32` that a Rust type gives, which only comments on a type.
            ("format", _) => {}
            ("minItems", value) if *value == 0 || *value == 1 => {
                drop(closed.insert(key.clone(), value.clone()))
            }
            (open, _) if OPEN.contains(&open) => return None,
            (bound, value) => words.push(format!("{bound}: {value}")),
        }
    }
    if is_object(fields) {
        if fields.get("properties").and_then(Value::as_object).is_none_or(Map::is_empty)
            && fields.get("additionalProperties").is_none_or(|it| *it != false)
        {
            return None;
        }
        closed.insert("additionalProperties".to_owned(), Value::Bool(false));
    }
    if !words.is_empty() {
        let words = format!("{{{}}}", words.join(", "));
        let described = closed.get("description").and_then(Value::as_str);
        let described = described.map_or_else(|| words.clone(), |text| format!("{text}\n{words}"));
        closed.insert("description".to_owned(), Value::String(described));
    }
    Some(Value::Object(closed))
}

/// Whether an object may stand there, alone or among other types.
fn is_object(fields: &Map) -> bool {
    fields.contains_key("properties")
        || fields.get("type").is_some_and(|kind| match kind {
            Value::Array(kinds) => kinds.iter().any(|kind| kind == "object"),
            kind => kind == "object",
        })
}

/// The schemas of a list, or of an object's fields.
fn inner(schemas: &Value) -> Option<Value> {
    match schemas {
        Value::Array(schemas) => schemas.iter().map(close).collect::<Option<_>>().map(Value::Array),
        Value::Object(fields) => {
            let close = |(key, schema): (&String, &Value)| Some((key.clone(), close(schema)?));
            fields.iter().map(close).collect::<Option<_>>().map(Value::Object)
        }
        _ => None,
    }
}

/// Whether a definition leads back to itself.
fn is_recursive(schema: &Value) -> bool {
    let mut names = Vec::new();
    for key in ["$defs", "definitions"] {
        names.extend(schema.get(key).and_then(Value::as_object).into_iter().flatten());
    }
    names.iter().any(|(name, definition)| {
        let mut found = Vec::new();
        references(definition, &mut found);
        let mut at = 0;
        while let Some(reached) = found.get(at).cloned() {
            if reached == **name {
                return true;
            }
            if let Some((_, next)) = names.iter().find(|(other, _)| **other == reached) {
                let mut more = Vec::new();
                references(next, &mut more);
                more.retain(|it| !found.contains(it));
                found.extend(more);
            }
            at += 1;
        }
        false
    }) || {
        let mut found = Vec::new();
        references(schema, &mut found);
        found.iter().any(|it| it == "#")
    }
}

fn references(schema: &Value, found: &mut Vec<String>) {
    match schema {
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        Value::Object(fields) => {
            if let Some(Value::String(reference)) = fields.get("$ref") {
                found.push(reference.rsplit('/').next().unwrap_or_default().to_owned());
            }
            fields.values().for_each(|value| references(value, found));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn objects_are_closed_and_bounds_are_told_in_words() {
        let schema = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object",
            "properties": {
                "age": {"type": "integer", "format": "uint8", "minimum": 0, "maximum": 255, "description": "In years."},
                "home": {"$ref": "#/$defs/Home"},
                "kind": {"oneOf": [{"const": "a"}, {"const": "b"}]},
                "tags": {"type": "array", "items": {"type": "string", "maxLength": 3}, "minItems": 1},
            },
            "required": ["age"],
            "$defs": {"Home": {"type": "object", "properties": {"city": {"type": "string"}}, "additionalProperties": false}},
        });
        assert_eq!(
            closed(&schema).unwrap(),
            json!({
                "type": "object",
                "properties": {
                    "age": {"type": "integer", "description": "In years.\n{minimum: 0, maximum: 255}"},
                    "home": {"$ref": "#/$defs/Home"},
                    "kind": {"anyOf": [{"const": "a"}, {"const": "b"}]},
                    "tags": {"type": "array", "items": {"type": "string", "description": "{maxLength: 3}"}, "minItems": 1},
                },
                "required": ["age"],
                "$defs": {"Home": {"type": "object", "properties": {"city": {"type": "string"}}, "additionalProperties": false}},
                "additionalProperties": false,
            })
        );
    }

    #[test]
    fn what_cannot_be_closed_is_not() {
        let of = |inner: Value| json!({"type": "object", "properties": {"a": inner}});
        for open in [
            json!({"type": "object", "additionalProperties": {"type": "string"}}),
            json!({"type": "object"}),
            json!({"type": "object", "properties": {}}),
            json!({"type": ["object", "null"], "additionalProperties": true}),
            json!({"not": {"type": "string"}}),
            json!(true),
            json!({"$ref": "#"}),
        ] {
            assert_eq!(closed(&of(open.clone())), None, "{open}");
        }
        let mut tree = of(json!({"$ref": "#/$defs/Node"}));
        tree["$defs"] =
            json!({"Node": of(json!({"$ref": "#/$defs/Leaf"})), "Leaf": of(json!({"$ref": "#/$defs/Node"}))});
        assert_eq!(closed(&tree), None);
        tree["$defs"]["Leaf"] = of(json!({"type": "string"}));
        assert!(closed(&tree).is_some());
    }
}
