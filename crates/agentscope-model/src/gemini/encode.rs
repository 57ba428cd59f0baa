//! A request as Gemini wants it, written straight from the messages.

use super::{
    Series,
    contents::{Contents, Opening},
    schema::cleaned,
};
use crate::http::Ask;
use agentscope_core::{Map, ToolChoice, ToolSpec};
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Value, json};
use std::sync::Arc;

/// What a model is told to think, beside the user's own fields. No field of the API is called so.
pub(super) const THINKING: &str = "generationConfig/thinkingConfig";

/// The fields that are merged with those of the user.
const MERGED: [&str; 4] = ["tools", "toolConfig", "generationConfig", THINKING];

/// What a request becomes.
pub(super) struct Body<'a> {
    pub(super) ask: Ask<'a>,
    pub(super) series: Series,
    pub(super) opening: Opening<'a>,
}

impl<'a> Body<'a> {
    pub(super) fn of(ask: &Ask<'a>, series: Series) -> Self {
        Self { ask: *ask, series, opening: Opening::of(ask, series) }
    }

    fn tool_config(&self) -> Value {
        let config = match &self.ask.req.tool_choice {
            _ if self.ask.req.tools.is_empty() => return json!({}),
            ToolChoice::None => json!({"mode": "NONE"}),
            ToolChoice::Required => json!({"mode": "ANY"}),
            ToolChoice::Tool(tool) => json!({"mode": "ANY", "allowedFunctionNames": [tool]}),
            _ => return json!({}),
        };
        json!({"functionCallingConfig": config})
    }

    fn generation_config(&self) -> Value {
        let req = self.ask.req;
        let options = &req.options;
        let mut config = Map::new();
        let mut set = |key: &str, value: Value| drop(config.insert(key.to_owned(), value));
        if let Some(temperature) = options.temperature {
            set("temperature", json!(temperature));
        }
        if let Some(top_p) = options.top_p {
            set("topP", json!(top_p));
        }
        if let Some(tokens) = options.max_tokens {
            set("maxOutputTokens", json!(tokens));
        }
        if !options.stop.is_empty() {
            set("stopSequences", json!(options.stop));
        }
        if let Some(seed) = options.seed {
            set("seed", json!(seed & 0x7fff_ffff)); // an int32
        }
        if let Some(schema) = &req.output_schema {
            set("responseMimeType", json!("application/json"));
            set("responseJsonSchema", cleaned(schema));
        }
        if let Some(thinking) = self.ask.extra(THINKING) {
            set("thinkingConfig", thinking.clone());
        }
        Value::Object(config)
    }

    /// An object that is there if anything is in it.
    fn put_merged<M: SerializeMap>(
        &self,
        map: &mut M,
        key: &'static str,
        own: Value,
    ) -> Result<(), M::Error> {
        let value = self.ask.merged(key, own);
        let is_nothing = value.is_null() || value.as_object().is_some_and(Map::is_empty);
        if is_nothing { Ok(()) } else { map.serialize_entry(key, &value) }
    }
}

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let ask = &self.ask;
        let is_cached = ask.extra("cachedContent").is_some_and(|it| !it.is_null());
        let mut map = serializer.serialize_map(None)?;
        if !is_cached && let Some(system) = self.opening.instruction() {
            ask.put(&mut map, "systemInstruction", &json!({"parts": system}))?;
        }
        ask.put(&mut map, "contents", &Contents(self))?;
        if !is_cached {
            let tools = Tools::of(ask);
            if !tools.is_empty() {
                map.serialize_entry("tools", &tools)?;
            }
            self.put_merged(&mut map, "toolConfig", self.tool_config())?;
        }
        self.put_merged(&mut map, "generationConfig", self.generation_config())?;
        ask.put_extras_but(&mut map, &MERGED)?;
        map.end()
    }
}

/// The tools of the request, and those of Gemini that were asked for by name.
struct Tools<'a> {
    specs: &'a [Arc<ToolSpec>],
    others: &'a [Value],
}

impl<'a> Tools<'a> {
    fn of(ask: &Ask<'a>) -> Self {
        let others = ask.extra("tools").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        Self { specs: &ask.req.tools, others }
    }

    fn is_empty(&self) -> bool {
        self.specs.is_empty() && self.others.is_empty()
    }
}

impl Serialize for Tools<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let declared: Vec<Declared<'_>> = self.specs.iter().map(|spec| Declared::of(spec)).collect();
        let declared = (!declared.is_empty()).then(|| WireTools { function_declarations: declared });
        let tools = declared.iter().map(WireTool::Declared);
        serializer.collect_seq(tools.chain(self.others.iter().map(WireTool::Other)))
    }
}

#[derive(Serialize)]
#[serde(untagged)]
enum WireTool<'a> {
    Declared(&'a WireTools<'a>),
    Other(&'a Value),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireTools<'a> {
    function_declarations: Vec<Declared<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Declared<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    description: &'a str,
    /// None for a tool without parameters: some models refuse an object without properties.
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters_json_schema: Option<Value>,
}

impl<'a> Declared<'a> {
    fn of(spec: &'a ToolSpec) -> Self {
        let schema = &spec.input_schema;
        let properties = schema.get("properties").and_then(Value::as_object);
        let is_empty = properties.is_none_or(Map::is_empty)
            && !["$ref", "allOf", "anyOf", "oneOf"].iter().any(|key| schema.get(*key).is_some());
        Self {
            name: &spec.name,
            description: &spec.description,
            parameters_json_schema: (!is_empty).then(|| cleaned(schema)),
        }
    }
}
