//! Schemas as Gemini takes them: JSON Schema with fewer keywords, as the reference of `responseJsonSchema` lists them. Any other is
//! left out, or said by one of these, so that the schema allows at least what it allowed before.

use agentscope_core::Map;
use serde_json::{Value, json};

/// What is left as it is.
const KNOWN: [&str; 17] = [
    "$anchor",
    "$id",
    "$ref",
    "additionalProperties",
    "description",
    "enum",
    "format",
    "items",
    "maxItems",
    "maximum",
    "minItems",
    "minimum",
    "prefixItems",
    "propertyOrdering",
    "required",
    "title",
    "type",
];

/// What holds schemas by name.
const BY_NAME: [&str; 3] = ["$defs", "definitions", "properties"];

/// The formats that are known of texts.
const FORMATS: [&str; 3] = ["date", "date-time", "time"];

/// How deep `allOf` is followed: a reference may lead back to where it stands.
const DEPTH: u8 = 8;

/// The schema with no keyword that Gemini refuses.
pub(super) fn cleaned(schema: &Value) -> Value {
    clean(schema, schema)
}

fn clean(root: &Value, schema: &Value) -> Value {
    let Some(fields) = schema.as_object() else {
        return json!({}); // `true`, or what is no schema
    };
    if let Some(place) = fields.get("$ref").and_then(Value::as_str) {
        // Nothing may stand beside it but what begins with `$`.
        let mut reference = Map::from_iter([("$ref".to_owned(), Value::String(moved(place)))]);
        reference.extend(definitions(root, fields));
        return Value::Object(reference);
    }
    let mut folded = Map::new();
    fold(root, fields, &mut folded, DEPTH);
    let mut cleaned = definitions(root, &folded);
    for (key, value) in &folded {
        match key.as_str() {
            "properties" => {
                let properties = value.as_object().into_iter().flatten();
                let properties = properties.map(|(name, schema)| (name.clone(), clean(root, schema)));
                cleaned.insert(key.clone(), Value::Object(properties.collect()));
            }
            "anyOf" | "oneOf" | "prefixItems" => {
                drop(cleaned.insert(key.clone(), each(root, value)));
            }
            "items" if value.is_array() => drop(cleaned.insert("prefixItems".to_owned(), each(root, value))),
            "items" => drop(cleaned.insert(key.clone(), clean(root, value))),
            "additionalProperties" if value.is_object() => {
                drop(cleaned.insert(key.clone(), clean(root, value)));
            }
            "enum" => drop(values(value).map(|values| cleaned.insert(key.clone(), values))),
            "const" => drop(values(&json!([value])).map(|values| cleaned.insert("enum".to_owned(), values))),
            "format" if !FORMATS.iter().any(|known| value == known) => {}
            // A little more is allowed then.
            "exclusiveMinimum" if value.is_number() => {
                drop(cleaned.insert("minimum".to_owned(), value.clone()))
            }
            "exclusiveMaximum" if value.is_number() => {
                drop(cleaned.insert("maximum".to_owned(), value.clone()))
            }
            known if KNOWN.contains(&known) => drop(cleaned.insert(key.clone(), value.clone())),
            _ => {}
        }
    }
    keep_required(&mut cleaned);
    Value::Object(cleaned)
}

/// What is in `allOf` stands beside it: Gemini knows no `allOf`.
fn fold(root: &Value, fields: &Map, into: &mut Map, depth: u8) {
    for (key, value) in fields.iter().filter(|(key, _)| *key != "allOf") {
        match (into.get_mut(key), value) {
            (Some(Value::Object(known)), Value::Object(more)) if BY_NAME.contains(&key.as_str()) => {
                known.extend(more.clone());
            }
            (Some(Value::Array(known)), Value::Array(more)) if key == "required" => {
                known.extend(more.iter().cloned());
            }
            (Some(_), _) => {}
            (None, value) => drop(into.insert(key.clone(), value.clone())),
        }
    }
    let Some(depth) = depth.checked_sub(1) else { return };
    for schema in fields.get("allOf").and_then(Value::as_array).into_iter().flatten() {
        let place = schema.get("$ref").and_then(Value::as_str);
        let target = match place {
            Some(place) => place.strip_prefix('#').and_then(|pointer| root.pointer(pointer)),
            None => Some(schema),
        };
        if let Some(Value::Object(fields)) = target {
            fold(root, fields, into, depth);
        }
    }
}

/// The definitions of a schema, under the name of today.
fn definitions(root: &Value, fields: &Map) -> Map {
    let all = ["$defs", "definitions"].into_iter().filter_map(|key| fields.get(key)?.as_object());
    let all: Map = all.flatten().map(|(name, schema)| (name.clone(), clean(root, schema))).collect();
    if all.is_empty() { Map::new() } else { Map::from_iter([("$defs".to_owned(), Value::Object(all))]) }
}

fn moved(place: &str) -> String {
    match place.strip_prefix("#/definitions/") {
        Some(name) => format!("#/$defs/{name}"),
        None => place.to_owned(),
    }
}

fn each(root: &Value, schemas: &Value) -> Value {
    schemas.as_array().into_iter().flatten().map(|schema| clean(root, schema)).collect()
}

/// Values that Gemini can hold a model to: texts and numbers. Without the others the schema would allow less than it did.
fn values(all: &Value) -> Option<Value> {
    let is_known =
        |all: &Vec<Value>| !all.is_empty() && all.iter().all(|it| it.is_string() || it.is_number());
    all.as_array().filter(|all| is_known(all)).map(|all| Value::Array(all.clone()))
}

/// Names only properties that there are: Gemini refuses others.
fn keep_required(schema: &mut Map) {
    let Some(Value::Array(required)) = schema.get("required") else { return };
    let properties = schema.get("properties").and_then(Value::as_object);
    let is_there = |name: &&Value| {
        let name = name.as_str().unwrap_or_default();
        properties.is_some_and(|properties| properties.contains_key(name))
    };
    let mut known: Vec<Value> = Vec::new();
    for name in required.iter().filter(is_there) {
        if !known.contains(name) {
            known.push(name.clone());
        }
    }
    if known.is_empty() {
        schema.shift_remove("required");
    } else {
        schema.insert("required".to_owned(), Value::Array(known));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_gemini_refuses_is_left_out_or_said_otherwise() {
        let schema = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": "Trip",
            "type": "object",
            "properties": {
                "kind": {"const": "trip"},
                "city": {"type": ["string", "null"], "minLength": 1, "pattern": "^[A-Z]", "default": "Oslo"},
                "days": {"type": "integer", "format": "uint32", "exclusiveMinimum": 0, "maximum": 9, "multipleOf": 1},
                "at": {"type": "string", "format": "date-time", "examples": ["x"]},
                "who": {"$ref": "#/definitions/Who", "description": "Who goes."},
                "pair": {"type": "array", "items": [{"type": "string"}, {"type": "number"}]},
                "any": true,
                "mixed": {"enum": ["a", null]},
            },
            "required": ["city", "gone", "city"],
            "additionalProperties": false,
            "definitions": {"Who": {"type": "object", "properties": {"name": {"type": "string"}}, "patternProperties": {}}},
        });
        let expected = json!({
            "$defs": {"Who": {"type": "object", "properties": {"name": {"type": "string"}}}},
            "title": "Trip",
            "type": "object",
            "properties": {
                "kind": {"enum": ["trip"]},
                "city": {"type": ["string", "null"]},
                "days": {"type": "integer", "minimum": 0, "maximum": 9},
                "at": {"type": "string", "format": "date-time"},
                "who": {"$ref": "#/$defs/Who"},
                "pair": {"type": "array", "prefixItems": [{"type": "string"}, {"type": "number"}]},
                "any": {},
                "mixed": {},
            },
            "required": ["city"],
            "additionalProperties": false,
        });
        assert_eq!(cleaned(&schema), expected);
        assert_eq!(cleaned(&expected), expected, "once is enough");
    }

    #[test]
    fn all_of_is_put_together_even_where_it_goes_round() {
        let schema = json!({
            "allOf": [{"$ref": "#/$defs/A"}, {"properties": {"b": {"type": "number"}}, "required": ["b"]}],
            "$defs": {"A": {"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}, "required": ["a"], "allOf": [{"$ref": "#/$defs/A"}]}},
        });
        let cleaned = cleaned(&schema);
        assert_eq!(cleaned["properties"], json!({"a": {"$ref": "#/$defs/A"}, "b": {"type": "number"}}));
        assert_eq!(cleaned["required"], json!(["a", "b"]));
        assert!(!cleaned.to_string().contains("allOf"));
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            "[a-z$#/]{0,6}".prop_map(Value::from),
        ];
        let key = proptest::sample::select(vec![
            "type",
            "properties",
            "items",
            "allOf",
            "anyOf",
            "$ref",
            "$defs",
            "definitions",
            "enum",
            "const",
            "required",
            "format",
            "x",
            "additionalProperties",
            "exclusiveMinimum",
        ]);
        leaf.prop_recursive(4, 32, 4, move |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::vec((key.clone(), inner), 0..5).prop_map(|fields| fields
                    .into_iter()
                    .map(|(key, value)| (key.to_owned(), value))
                    .collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_json_becomes_a_schema(schema in any_json()) {
            let cleaned = cleaned(&schema);
            prop_assert!(cleaned.is_object());
            prop_assert!(cleaned.get("allOf").is_none() && cleaned.get("const").is_none());
        }
    }
}
