//! A request as the wire wants it, written straight from the messages: no tree in between, and nothing is copied that can be
//! borrowed. It is a pure function of what it is given.

use super::{
    messages::Messages,
    provider::{Provider, Ways},
    strict::strict,
};
use crate::media::Inlined;
use agentscope_core::{Error, ErrorKind, Map, ModelRequest, Name, Result, ToolChoice, ToolSpec};
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Value, json};
use std::sync::Arc;

/// What a request becomes.
#[derive(Clone, Copy)]
pub(crate) struct Body<'a> {
    pub(crate) req: &'a ModelRequest,
    pub(crate) model: &'a str,
    pub(crate) provider: Provider,
    /// Fields of the model that each of its requests has; those of the request come before them.
    pub(crate) extra: &'a Map,
    /// The files of the messages, read already.
    pub(crate) media: &'a Inlined,
    pub(crate) stream: bool,
    /// The results of tools name their tool.
    pub(crate) names_tools: bool,
    /// The model is known to be shown images, so that those of a tool may be put before it.
    pub(crate) sees: bool,
    /// The server is known not to let itself be told which tool to call.
    pub(crate) free_choice: bool,
}

impl<'a> Body<'a> {
    /// The bytes to send.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if there is nothing to answer.
    pub(crate) fn encode(&self) -> Result<Vec<u8>> {
        // Most messages are short; room for them spares most of the copies of a growing buffer.
        let mut bytes = Vec::with_capacity(1024 + 256 * self.req.messages.len());
        serde_json::to_writer(&mut bytes, self).map_err(|error| {
            Error::new(ErrorKind::InvalidInput, format!("the request cannot be written as JSON: {error}"))
        })?;
        Ok(bytes)
    }

    pub(super) fn ways(&self) -> &'static Ways {
        self.provider.ways()
    }

    /// Fields that were asked for by name: those of the request, then those of the model. `null` takes a field out.
    fn extras(&self) -> impl Iterator<Item = (&'a String, &'a Value)> {
        let (own, model) = (&self.req.options.extra, self.extra);
        own.iter().chain(model.iter().filter(|(key, _)| !own.contains_key(*key)))
    }

    fn is_extra(&self, key: &str) -> bool {
        self.req.options.extra.contains_key(key) || self.extra.contains_key(key)
    }

    fn put<M: SerializeMap>(&self, map: &mut M, key: &str, value: &impl Serialize) -> Result<(), M::Error> {
        if self.is_extra(key) { Ok(()) } else { map.serialize_entry(key, value) }
    }

    fn tool_choice(&self) -> Option<Value> {
        let force = |tool: &Name| json!({"type": "function", "function": {"name": tool}});
        match &self.req.tool_choice {
            _ if self.req.tools.is_empty() => None,
            ToolChoice::None => Some(json!("none")),
            ToolChoice::Required | ToolChoice::Tool(_) if self.free_choice => None,
            // Not every server knows `required`, but all that know tools know this.
            ToolChoice::Required => match &*self.req.tools {
                [only] => Some(force(&only.name)),
                _ => Some(json!("required")),
            },
            ToolChoice::Tool(tool) => Some(force(tool)),
            _ => None,
        }
    }
}

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let options = &self.req.options;
        let mut map = serializer.serialize_map(None)?;
        self.put(&mut map, "model", &self.model)?;
        self.put(&mut map, "messages", &Messages(self))?;
        if !self.req.tools.is_empty() {
            self.put(&mut map, "tools", &Tools(&self.req.tools))?;
        }
        if let Some(choice) = self.tool_choice() {
            self.put(&mut map, "tool_choice", &choice)?;
        }
        if let Some(schema) = &self.req.output_schema {
            let format = match strict(schema) {
                Some(schema) => json!({"name": "response", "strict": true, "schema": schema}),
                None => json!({"name": "response", "schema": &**schema}),
            };
            self.put(&mut map, "response_format", &json!({"type": "json_schema", "json_schema": format}))?;
        }
        if let Some(tokens) = options.max_tokens {
            self.put(&mut map, self.ways().max_tokens, &tokens)?;
        }
        if let Some(temperature) = options.temperature {
            self.put(&mut map, "temperature", &temperature)?;
        }
        if let Some(top_p) = options.top_p {
            self.put(&mut map, "top_p", &top_p)?;
        }
        if !options.stop.is_empty() {
            self.put(&mut map, "stop", &options.stop)?;
        }
        if let Some(seed) = options.seed {
            self.put(&mut map, "seed", &seed)?;
        }
        if self.stream {
            self.put(&mut map, "stream", &true)?;
            self.put(&mut map, "stream_options", &json!({"include_usage": true}))?;
        }
        for (key, value) in self.extras().filter(|(_, value)| !value.is_null()) {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

struct Tools<'a>(&'a [Arc<ToolSpec>]);

impl Serialize for Tools<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|spec| WireTool {
            kind: "function",
            function: Function {
                name: &spec.name,
                description: &spec.description,
                parameters: &spec.input_schema,
            },
        }))
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
    parameters: &'a Value,
}
