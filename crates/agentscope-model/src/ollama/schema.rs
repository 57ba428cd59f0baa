//! The schemas of tools as Ollama reads them: it shows a model no `$ref`, and refuses what is no object where it expects one.

use agentscope_core::Map;
use serde_json::{Value, json};

/// Most references that are put in place (256): a few that name each other may stand for millions.
const REFERENCES: u16 = 256;

/// The schema with all references in place; one that leads back to itself is an object of any kind.
pub(super) fn inlined(schema: &Value) -> Value {
    let mut inlined = Inline { root: schema, left: REFERENCES, open: Vec::new() }.schema(schema);
    if let Some(fields) = inlined.as_object_mut() {
        fields.entry("type").or_insert_with(|| json!("object"));
        if !fields.get("properties").is_some_and(Value::is_object) {
            fields.insert("properties".to_owned(), json!({}));
        }
    }
    inlined
}

struct Inline<'a> {
    root: &'a Value,
    left: u16,
    /// The references that are being put in place.
    open: Vec<&'a str>,
}

impl<'a> Inline<'a> {
    fn schema(&mut self, schema: &'a Value) -> Value {
        let Some(fields) = schema.as_object() else { return json!({}) };
        let mut inlined = Map::new();
        for (key, value) in fields {
            match (key.as_str(), value) {
                ("$defs" | "definitions" | "$schema" | "$ref" | "allOf", _) => {}
                ("properties", Value::Object(properties)) => {
                    let properties =
                        properties.iter().map(|(name, schema)| (name.clone(), self.schema(schema)));
                    let properties = Value::Object(properties.collect());
                    inlined.insert(key.clone(), properties);
                }
                ("anyOf" | "oneOf", Value::Array(schemas)) => {
                    let schemas = schemas.iter().map(|schema| self.schema(schema)).collect();
                    inlined.insert("anyOf".to_owned(), schemas);
                }
                ("items", schema) => {
                    let items = self.schema(schema);
                    inlined.insert(key.clone(), items);
                }
                (_, value) => drop(inlined.insert(key.clone(), value.clone())),
            }
        }
        if let Some(place) = fields.get("$ref").and_then(Value::as_str) {
            let target = self.target(place);
            join(&mut inlined, target);
        }
        for schema in fields.get("allOf").and_then(Value::as_array).into_iter().flatten() {
            let part = self.schema(schema);
            join(&mut inlined, part);
        }
        Value::Object(inlined)
    }

    fn target(&mut self, place: &'a str) -> Value {
        let root = self.root;
        let target = place.strip_prefix('#').and_then(|pointer| root.pointer(pointer));
        let (Some(target), false, Some(left)) =
            (target, self.open.contains(&place), self.left.checked_sub(1))
        else {
            return json!({"type": "object"});
        };
        self.left = left;
        self.open.push(place);
        let inlined = self.schema(target);
        self.open.pop();
        inlined
    }
}

/// Puts the fields of a schema beside those of another one, which come first.
fn join(into: &mut Map, from: Value) {
    let Value::Object(from) = from else { return };
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(Value::Object(known)), Value::Object(more)) if key == "properties" => known.extend(more),
            (Some(Value::Array(known)), Value::Array(more)) if key == "required" => known.extend(more),
            (Some(_), _) => {}
            (None, value) => drop(into.insert(key, value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_put_in_place_and_do_not_go_round() {
        let schema = json!({
            "type": "object",
            "properties": {
                "who": {"$ref": "#/$defs/Who", "description": "Who goes."},
                "any": true,
                "maybe": {"oneOf": [{"type": "null"}, {"allOf": [{"$ref": "#/$defs/Who"}]}]},
                "lost": {"$ref": "#/$defs/Nobody"},
            },
            "required": ["who"],
            "$defs": {"Who": {"type": "object", "properties": {"friends": {"type": "array", "items": {"$ref": "#/$defs/Who"}}}}},
        });
        let who = json!({"type": "object", "properties": {"friends": {"type": "array", "items": {"type": "object"}}}});
        let mut described = who.clone();
        described["description"] = json!("Who goes.");
        let expected = json!({
            "type": "object",
            "properties": {
                "who": described,
                "any": {},
                "maybe": {"anyOf": [{"type": "null"}, who]},
                "lost": {"type": "object"},
            },
            "required": ["who"],
        });
        assert_eq!(inlined(&schema), expected);
        assert_eq!(inlined(&json!({})), json!({"type": "object", "properties": {}}));
        assert_eq!(inlined(&json!({"$ref": "#"})), json!({"type": "object", "properties": {}}));
    }

    #[test]
    fn references_that_stand_for_millions_have_an_end() {
        let mut schema = json!({"type": "object", "properties": {"a": {"$ref": "#/$defs/d0"}}, "$defs": {}});
        for at in 0..40 {
            let next = json!({"$ref": format!("#/$defs/d{}", at + 1)});
            schema["$defs"][format!("d{at}")] =
                json!({"type": "object", "properties": {"a": next, "b": next}});
        }
        assert!(inlined(&schema).to_string().len() < 100_000);
    }
}
