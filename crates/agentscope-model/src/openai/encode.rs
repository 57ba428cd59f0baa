//! A request as the wire wants it, written straight from the messages: no tree in between, and nothing is copied that can be
//! borrowed. It is a pure function of what it is given.

use super::{
    messages::Messages,
    models::{is_of_mistral, takes_sampling, takes_stop},
    provider::Ways,
    tools::LastTools,
};
use crate::{
    conversation::IdForm,
    http::{Ask, not_written, written},
    wire::strict,
};
use agentscope_core::{Name, Result, ToolChoice};
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Value, json};

/// What a request becomes, but for its tools.
#[derive(Clone, Copy)]
pub(crate) struct Body<'a> {
    pub(crate) ask: Ask<'a>,
    pub(crate) ways: &'static Ways,
    /// Someone unknown is asked, who may be a provider behind a proxy of its own.
    pub(crate) is_other: bool,
}

impl Body<'_> {
    /// The providers themselves take the name of a tool beside its result, which is no part of the API; who else is behind an
    /// address may refuse it.
    pub(crate) fn names_tools(&self) -> bool {
        self.ways.names_tools && self.ask.at_home
    }

    /// Which ids of calls are taken. Servers that run a model of Mistral check them as Mistral does.
    pub(crate) fn id_form(&self) -> IdForm {
        match self.ways.is_openai {
            _ if is_of_mistral(self.ask.model()) => IdForm::Exact,
            true => IdForm::Short,
            false => IdForm::Any,
        }
    }

    fn takes_sampling(&self) -> bool {
        let effort = self.ask.extra("reasoning_effort").and_then(Value::as_str);
        !self.ways.is_openai || takes_sampling(self.ask.model(), effort)
    }

    /// The request as bytes. Its tools stand behind all else, because they are written once and not for each request.
    pub(super) fn write(&self, tools: &LastTools) -> Result<Vec<u8>> {
        let mut bytes = written(&self.ask, self)?;
        let req = self.ask.req;
        let may_call = !self.ways.chooses || req.tool_choice != ToolChoice::None;
        if may_call && !req.tools.is_empty() && self.ask.extra("tools").is_none() {
            bytes.pop(); // the brace
            bytes.extend_from_slice(if bytes.len() > 1 { b",\"tools\":" } else { b"\"tools\":" });
            tools.write(&req.tools, &mut bytes).map_err(not_written)?;
            bytes.push(b'}');
        }
        Ok(bytes)
    }

    fn tool_choice(&self) -> Option<Value> {
        let req = self.ask.req;
        let force = |tool: &Name| json!({"type": "function", "function": {"name": tool}});
        match &req.tool_choice {
            _ if req.tools.is_empty() || self.ways.chooses => None,
            ToolChoice::None => Some(json!("none")),
            ToolChoice::Required | ToolChoice::Tool(_) if self.ask.free_choice => None,
            // Not every server knows `required`, but all that know tools know this.
            ToolChoice::Required => match &*req.tools {
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
        let Self { ask, ways, .. } = self;
        let options = &ask.req.options;
        let mut map = serializer.serialize_map(None)?;
        ask.put(&mut map, "model", ask.model())?;
        ask.put(&mut map, "messages", &Messages(self))?;
        if let Some(choice) = self.tool_choice() {
            ask.put(&mut map, "tool_choice", &choice)?;
        }
        if let Some(schema) = &ask.req.output_schema {
            let format = match strict(schema) {
                Some(schema) => json!({"name": "response", "strict": true, "schema": schema}),
                None => json!({"name": "response", "schema": &**schema}),
            };
            ask.put(&mut map, "response_format", &json!({"type": "json_schema", "json_schema": format}))?;
        }
        if let Some(tokens) = options.max_tokens {
            ask.put(&mut map, ways.max_tokens, &tokens)?;
        }
        if (options.temperature, options.top_p) != (None, None) && self.takes_sampling() {
            if let Some(temperature) = options.temperature {
                ask.put(&mut map, "temperature", &temperature)?;
            }
            if let Some(top_p) = options.top_p {
                ask.put(&mut map, "top_p", &top_p)?;
            }
        }
        if !options.stop.is_empty() && (!ways.is_openai || takes_stop(ask.model())) {
            ask.put(&mut map, "stop", &options.stop)?;
        }
        if let Some(seed) = options.seed {
            ask.put(&mut map, "seed", &seed)?;
        }
        if ask.stream {
            ask.put(&mut map, "stream", &true)?;
            ask.put(&mut map, "stream_options", &StreamOptions { include_usage: true })?;
        }
        ask.put_extras(&mut map)?;
        map.end()
    }
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}
