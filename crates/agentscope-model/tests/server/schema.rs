//! JSON schemas: a value that obeys one, and what a strict server asks of one.

use serde_json::{Map, Value, json};

/// A value that obeys the schema, the same each time: the first choice, the least number, the shortest list.
pub(crate) fn instance(schema: &Value) -> Value {
    of(schema, schema, 0)
}

fn of(schema: &Value, root: &Value, depth: usize) -> Value {
    // A schema that refers to itself is at its end where it may be.
    if depth > 16 {
        return Value::Null;
    }
    if let Some(target) = schema["$ref"].as_str().and_then(|target| target.strip_prefix('#')) {
        return root.pointer(target).map_or(Value::Null, |target| of(target, root, depth + 1));
    }
    if let Some(value) = schema.get("const").or_else(|| schema["enum"].get(0)) {
        return value.clone();
    }
    if let Some(first) = ["anyOf", "oneOf", "allOf"].iter().find_map(|key| schema[*key].get(0)) {
        return of(first, root, depth + 1);
    }
    // Google writes them in capitals.
    let kind = schema["type"].as_str().or_else(|| schema["type"][0].as_str()).map(str::to_ascii_lowercase);
    match kind.as_deref() {
        Some("object") => {
            let properties = schema["properties"].as_object().into_iter().flatten();
            properties
                .map(|(name, schema)| (name.clone(), of(schema, root, depth + 1)))
                .collect::<Map<_, _>>()
                .into()
        }
        Some("array") => {
            let length = schema["minItems"].as_u64().unwrap_or(1);
            (0..length).map(|_| of(&schema["items"], root, depth + 1)).collect()
        }
        Some("string") => "x".repeat(schema["minLength"].as_u64().unwrap_or(3) as usize).into(),
        Some("integer") => schema["minimum"].as_i64().unwrap_or(1).into(),
        Some("number") => schema["minimum"].as_f64().unwrap_or(0.5).into(),
        Some("boolean") => true.into(),
        _ => json!(null),
    }
}

/// What is wrong with a schema that the model shall obey to the letter: each object closed, all of its properties required.
pub(super) fn not_strict(schema: &Value, path: &str) -> Option<String> {
    if let Some(properties) = schema["properties"].as_object() {
        if schema["additionalProperties"] != false {
            return Some(format!(
                "In context=({path}), 'additionalProperties' is required to be supplied and to be false."
            ));
        }
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        if let Some(name) = properties.keys().find(|name| !required.contains(&json!(name))) {
            return Some(format!(
                "In context=({path}), 'required' is required to be supplied and to be an array including every key in \
                 properties. Missing '{name}'."
            ));
        }
    }
    let mut inner: Vec<(String, &Value)> = Vec::new();
    for key in ["properties", "$defs"] {
        let schemas = schema[key].as_object().into_iter().flatten();
        inner.extend(schemas.map(|(name, schema)| (format!("{path}'{key}', '{name}', "), schema)));
    }
    for key in ["anyOf", "oneOf", "allOf"] {
        let schemas = schema[key].as_array().into_iter().flatten();
        inner.extend(schemas.map(|schema| (format!("{path}'{key}', "), schema)));
    }
    inner.extend(schema.get("items").map(|items| (format!("{path}'items', "), items)));
    inner.into_iter().find_map(|(path, schema)| not_strict(schema, &path))
}
