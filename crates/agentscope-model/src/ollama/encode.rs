//! A request as Ollama wants it, written straight from the messages.

use super::{messages::Messages, schema::inlined};
use crate::http::Ask;
use agentscope_core::{Map, ToolChoice, ToolSpec};
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Value, json};

/// What a request becomes.
pub(super) struct Body<'a>(pub(super) Ask<'a>);

impl<'a> Body<'a> {
    /// The tools that are offered. Ollama knows no choice of tools: it can only be offered others.
    pub(super) fn tools(&self) -> impl Iterator<Item = &'a ToolSpec> {
        let req = self.0.req;
        let is_offered = move |tool: &&ToolSpec| match &req.tool_choice {
            ToolChoice::None => false,
            ToolChoice::Tool(name) => tool.name == *name,
            _ => true,
        };
        req.tools.iter().map(|tool| &**tool).filter(is_offered)
    }

    fn options(&self) -> Value {
        let options = &self.0.req.options;
        let mut wire = Map::new();
        let mut set = |key: &str, value: Value| drop(wire.insert(key.to_owned(), value));
        if self.0.card.context_size > 0 {
            set("num_ctx", json!(self.0.card.context_size));
        }
        if let Some(tokens) = options.max_tokens {
            set("num_predict", json!(tokens));
        }
        if let Some(temperature) = options.temperature {
            set("temperature", json!(temperature));
        }
        if let Some(top_p) = options.top_p {
            set("top_p", json!(top_p));
        }
        if let Some(seed) = options.seed {
            set("seed", json!(seed & 0x7fff_ffff)); // an int, of 32 bits in llama.cpp
        }
        if !options.stop.is_empty() {
            set("stop", json!(options.stop));
        }
        self.0.merged("options", Value::Object(wire))
    }
}

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let ask = &self.0;
        let mut map = serializer.serialize_map(None)?;
        ask.put(&mut map, "model", ask.model())?;
        ask.put(&mut map, "messages", &Messages(self))?;
        let tools: Vec<_> = self.tools().map(WireTool::of).collect();
        if !tools.is_empty() {
            ask.put(&mut map, "tools", &tools)?;
        } else if let Some(schema) = &ask.req.output_schema {
            ask.put(&mut map, "format", &**schema)?;
        }
        let options = self.options();
        if options.as_object().is_none_or(|options| !options.is_empty()) && !options.is_null() {
            map.serialize_entry("options", &options)?;
        }
        ask.put(&mut map, "stream", &ask.stream)?;
        // Without these it forgets the beginning of a conversation, and tells nobody.
        ask.put(&mut map, "truncate", &false)?;
        ask.put(&mut map, "shift", &false)?;
        ask.put_extras_but(&mut map, &["options"])?;
        map.end()
    }
}

#[derive(Serialize)]
struct WireTool<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    function: Function<'a>,
}

#[derive(Serialize)]
struct Function<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    description: &'a str,
    parameters: Value,
}

impl<'a> WireTool<'a> {
    fn of(spec: &'a ToolSpec) -> Self {
        let parameters = inlined(&spec.input_schema);
        let function = Function { name: &spec.name, description: &spec.description, parameters };
        Self { kind: "function", function }
    }
}
