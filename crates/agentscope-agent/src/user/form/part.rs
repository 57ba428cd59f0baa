//! A part of a schema: with its references followed, or as a schema of its own.

use serde_json::{Map, Value};

/// How many references are followed from one to the next.
const MOST_HOPS: usize = 16;

/// A schema with its references followed and what stands beside them kept, and whether it may be `null` as well.
pub(super) fn resolved(root: &Value, schema: &Value) -> (Map<String, Value>, bool) {
    let mut fields = schema.as_object().cloned().unwrap_or_default();
    let mut nullable = false;
    for _ in 0..MOST_HOPS {
        let inner = if let Some(reference) = fields.get("$ref").and_then(Value::as_str) {
            let inner = reference.strip_prefix('#').and_then(|pointer| root.pointer(pointer)).cloned();
            fields.shift_remove("$ref");
            inner
        } else if let Some(kinds) = ["anyOf", "oneOf"].into_iter().find_map(|key| or_null(&fields, key)) {
            nullable = true;
            ["anyOf", "oneOf"].iter().for_each(|key| drop(fields.shift_remove(*key)));
            Some(kinds)
        } else if let Some([inner]) = fields.get("allOf").and_then(Value::as_array).map(Vec::as_slice) {
            let inner = inner.clone();
            fields.shift_remove("allOf");
            Some(inner)
        } else {
            break;
        };
        let Some(Value::Object(inner)) = inner else { return (Map::new(), nullable) };
        for (key, value) in inner {
            fields.entry(key).or_insert(value);
        }
    }
    if let Some(Value::Array(types)) = fields.get("type") {
        nullable |= types.iter().any(|it| it == "null");
        let others: Vec<_> = types.iter().filter(|it| *it != "null").cloned().collect();
        if let [only] = others.as_slice() {
            fields.insert("type".to_owned(), only.clone());
        }
    }
    (fields, nullable)
}

/// The one schema that stands beside `null`.
fn or_null(fields: &Map<String, Value>, key: &str) -> Option<Value> {
    let kinds = fields.get(key)?.as_array()?;
    let is_null = |kind: &&Value| kind.get("type").is_some_and(|it| it == "null");
    let others: Vec<_> = kinds.iter().filter(|kind| !is_null(kind)).collect();
    match others.as_slice() {
        [only] if others.len() < kinds.len() => Some((*only).clone()),
        _ => None,
    }
}

/// A part of a schema as a schema of its own, if what it refers to can go with it.
pub(super) fn apart(root: &Value, part: &Value) -> Option<Value> {
    if !refers_to_definitions_only(root) {
        return None;
    }
    let mut own = Map::new();
    for key in ["$schema", "$defs", "definitions"] {
        own.extend(root.get(key).map(|value| (key.to_owned(), value.clone())));
    }
    own.insert("allOf".to_owned(), Value::Array(vec![part.clone()]));
    Some(Value::Object(own))
}

fn refers_to_definitions_only(schema: &Value) -> bool {
    let here = |(key, value): (&String, &Value)| match (key.as_str(), value.as_str()) {
        ("$ref", Some(to)) => to.starts_with("#/$defs/") || to.starts_with("#/definitions/"),
        ("$id" | "id" | "$anchor" | "$dynamicRef" | "$dynamicAnchor" | "$recursiveRef", Some(_)) => false,
        _ => refers_to_definitions_only(value),
    };
    match schema {
        Value::Object(fields) => fields.iter().all(here),
        Value::Array(items) => items.iter().all(refers_to_definitions_only),
        _ => true,
    }
}
