//! A request as the wire wants it, written straight from the messages. It is a pure function of what it is given.

use super::items::Items;
use crate::{
    http::Ask,
    openai::{takes_sampling, thinks},
    wire::{parameters, strict},
};
use agentscope_core::{Map, Result, ToolChoice, ToolSpec};
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Value, json};
use std::{borrow::Cow, sync::Arc};

/// What a request becomes.
pub(super) struct Body<'a>(pub(super) Ask<'a>);

impl Body<'_> {
    fn tool_choice(&self) -> Option<Value> {
        let req = self.0.req;
        match &req.tool_choice {
            _ if req.tools.is_empty() => None,
            ToolChoice::None => Some(json!("none")),
            ToolChoice::Required | ToolChoice::Tool(_) if self.0.free_choice => None,
            ToolChoice::Required => Some(json!("required")),
            ToolChoice::Tool(tool) => Some(json!({"type": "function", "name": tool})),
            _ => None,
        }
    }

    /// How words are written: by a schema, and what was asked for by name.
    fn text(&self) -> Option<Map> {
        let mut text = self.0.extra("text").and_then(Value::as_object).cloned().unwrap_or_default();
        if let Some(schema) = &self.0.req.output_schema
            && !text.contains_key("format")
        {
            let closed = strict(schema);
            let format = json!({
                "type": "json_schema", "name": "response", "strict": closed.is_some(),
                "schema": closed.as_ref().unwrap_or(schema),
            });
            text.insert("format".to_owned(), format);
        }
        (!text.is_empty()).then_some(text)
    }

    /// What the tokens of a request are counted by.
    fn put_counted<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        let ask = &self.0;
        ask.put(map, "model", ask.model())?;
        ask.put(map, "input", &Items(ask))?;
        if !ask.req.tools.is_empty() {
            ask.put(map, "tools", &Tools(&ask.req.tools))?;
        }
        if let Some(choice) = self.tool_choice() {
            ask.put(map, "tool_choice", &choice)?;
        }
        if let Some(text) = self.text() {
            map.serialize_entry("text", &text)?;
        }
        Ok(())
    }
}

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let ask = &self.0;
        let options = &ask.req.options;
        let mut map = serializer.serialize_map(None)?;
        self.put_counted(&mut map)?;
        if let Some(tokens) = options.max_tokens {
            ask.put(&mut map, "max_output_tokens", &tokens)?;
        }
        let effort = ask.extra("reasoning").and_then(|it| it.get("effort")?.as_str());
        let takes_sampling = takes_sampling(ask.model(), effort);
        if let Some(temperature) = options.temperature.filter(|_| takes_sampling) {
            ask.put(&mut map, "temperature", &temperature)?;
        }
        if let Some(top_p) = options.top_p.filter(|_| takes_sampling) {
            ask.put(&mut map, "top_p", &top_p)?;
        }
        ask.put(&mut map, "store", &false)?;
        if thinks(ask.model()) {
            ask.put(&mut map, "include", &["reasoning.encrypted_content"])?;
        }
        if ask.stream {
            ask.put(&mut map, "stream", &true)?;
        }
        ask.put_extras_but(&mut map, &["text"])?;
        map.end()
    }
}

/// The same for the method that counts its tokens.
pub(super) struct Counted<'a>(pub(super) Body<'a>);

impl Serialize for Counted<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.0.put_counted(&mut map)?;
        map.end()
    }
}

struct Tools<'a>(&'a [Arc<ToolSpec>]);

impl Serialize for Tools<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|spec| Tool {
            kind: "function",
            name: &spec.name,
            description: &spec.description,
            parameters: parameters(&spec.input_schema),
            strict: false,
        }))
    }
}

#[derive(Serialize)]
struct Tool<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    description: &'a str,
    parameters: Cow<'a, Value>,
    /// Without a word the API would hold it to its schema, and make what is optional required.
    strict: bool,
}
