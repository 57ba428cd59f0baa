//! A request as the wire wants it. It is a pure function of what it is given.

use super::{
    claude::Claude,
    messages::{Conversation, mark_of_tools},
    part::{Block, CacheControl},
    schema::closed,
};
use crate::{cards::max_output, http::Ask, wire::parameters};
use agentscope_core::{Map, Result, ToolChoice, ToolSpec};
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Value, json};
use std::{borrow::Cow, sync::Arc};

/// Fewest tokens to think in that the API takes.
const FEWEST_THOUGHTS: u64 = 1024;

/// What is written in a way of its own, where it was asked for by name.
const OWN: [&str; 3] = ["disable_parallel_tool_use", "output_config", "thinking"];

/// What a request becomes.
pub(super) struct Body<'a> {
    ask: Ask<'a>,
    claude: Claude,
    talk: Conversation<'a>,
    tools_mark: Option<CacheControl>,
    /// The schema that the model is held to.
    schema: Option<Value>,
    max_tokens: u64,
}

impl<'a> Body<'a> {
    /// # Errors
    /// [`ErrorKind::InvalidInput`](agentscope_core::ErrorKind) if there is nothing to answer.
    pub(super) fn of(ask: &Ask<'a>, cache: bool) -> Result<Self> {
        let claude = Claude::of(ask.model());
        let mut talk = Conversation::of(ask, cache)?;
        let tools_mark = mark_of_tools(&talk, cache);
        let wanted = ask.req.output_schema.as_deref();
        let schema = wanted.and_then(closed);
        if let (Some(wanted), None) = (wanted, &schema) {
            // The model cannot be held to it, but whoever asks reads the answer by it, and asks again.
            let text =
                format!("Answer with JSON alone, without a fence, that fits this JSON schema:\n{wanted}");
            talk.system.extend(Block::text(text));
        }
        let mut body = Self { ask: *ask, claude, talk, tools_mark, schema, max_tokens: 0 };
        body.max_tokens = ask.req.options.max_tokens.unwrap_or_else(|| {
            let thoughts = body.asked_thinking().and_then(|it| it.get("budget_tokens")?.as_u64());
            let most = max_output(ask.card).unwrap_or_else(|| claude.max_tokens());
            most.max(thoughts.map_or(0, |thoughts| thoughts.saturating_add(4_096)))
        });
        Ok(body)
    }

    fn is_forced(&self) -> bool {
        let told = matches!(self.ask.req.tool_choice, ToolChoice::Required | ToolChoice::Tool(_));
        told && !self.ask.req.tools.is_empty() && !self.ask.free_choice
    }

    fn asked_thinking(&self) -> Option<&'a Map> {
        self.ask.extra("thinking").and_then(Value::as_object)
    }

    /// How it thinks. It must not where it has to call a tool, nor with a budget in a round of calls that it has begun without a
    /// thought, and it has to leave room for the answer.
    fn thinking(&self) -> Option<Cow<'a, Map>> {
        let asked = self.asked_thinking()?;
        let kind = asked.get("type").and_then(Value::as_str).unwrap_or_default();
        if kind != "disabled" && self.is_forced() {
            return None;
        }
        if kind == "enabled" && self.talk.calls_without_thought() {
            return None;
        }
        match asked.get("budget_tokens").and_then(Value::as_u64) {
            Some(budget) if budget >= self.max_tokens => {
                let budget = self.max_tokens.saturating_sub(1);
                let mut less = asked.clone();
                less.insert("budget_tokens".to_owned(), budget.into());
                (budget >= FEWEST_THOUGHTS).then_some(Cow::Owned(less))
            }
            _ => Some(Cow::Borrowed(asked)),
        }
    }

    fn tool_choice(&self) -> Option<Value> {
        let req = self.ask.req;
        let one_at_a_time = self.ask.extra("disable_parallel_tool_use") == Some(&Value::Bool(true));
        let mut choice = match &req.tool_choice {
            _ if req.tools.is_empty() => return None,
            ToolChoice::None => return Some(json!({"type": "none"})),
            ToolChoice::Required if self.is_forced() => json!({"type": "any"}),
            ToolChoice::Tool(tool) if self.is_forced() => json!({"type": "tool", "name": tool}),
            _ if one_at_a_time => json!({"type": "auto"}),
            _ => return None,
        };
        if let (Some(fields), true) = (choice.as_object_mut(), one_at_a_time) {
            fields.insert("disable_parallel_tool_use".to_owned(), Value::Bool(true));
        }
        Some(choice)
    }

    fn output_config(&self) -> Option<Map> {
        let mut config =
            self.ask.extra("output_config").and_then(Value::as_object).cloned().unwrap_or_default();
        if let Some(schema) = &self.schema
            && !config.contains_key("format")
        {
            config.insert("format".to_owned(), json!({"type": "json_schema", "schema": schema}));
        }
        (!config.is_empty()).then_some(config)
    }

    /// What the tokens of a request are counted by.
    fn put_counted<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        let ask = &self.ask;
        ask.put(map, "model", ask.model())?;
        if !self.talk.system.is_empty() {
            ask.put(map, "system", &self.talk.system)?;
        }
        ask.put(map, "messages", &self.talk.messages)?;
        if !ask.req.tools.is_empty() {
            ask.put(map, "tools", &Tools(&ask.req.tools, self.tools_mark))?;
        }
        if let Some(choice) = self.tool_choice() {
            ask.put(map, "tool_choice", &choice)?;
        }
        if let Some(thinking) = self.thinking() {
            map.serialize_entry("thinking", &thinking)?;
        }
        if let Some(config) = self.output_config() {
            map.serialize_entry("output_config", &config)?;
        }
        Ok(())
    }

    /// How words are drawn: a model that thinks does not let itself be told, nor do the newest, and none since 4 takes both.
    fn put_sampling<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        let options = &self.ask.req.options;
        let thinks = self.thinking().is_some_and(|it| it.get("type").is_none_or(|kind| kind != "disabled"));
        if !self.claude.takes_temperature() {
            return Ok(());
        }
        match (options.temperature, options.top_p) {
            (Some(temperature), _) if !thinks => {
                self.ask.put(map, "temperature", &temperature.clamp(0.0, 1.0))
            }
            (_, Some(top_p)) if !thinks || top_p >= 0.95 => self.ask.put(map, "top_p", &top_p),
            _ => Ok(()),
        }
    }
}

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let ask = &self.ask;
        let mut map = serializer.serialize_map(None)?;
        self.put_counted(&mut map)?;
        ask.put(&mut map, "max_tokens", &self.max_tokens)?;
        self.put_sampling(&mut map)?;
        let stop: Vec<_> = ask.req.options.stop.iter().filter(|it| !it.trim().is_empty()).collect();
        if !stop.is_empty() {
            ask.put(&mut map, "stop_sequences", &stop)?;
        }
        if ask.stream {
            ask.put(&mut map, "stream", &true)?;
        }
        ask.put_extras_but(&mut map, &OWN)?;
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

struct Tools<'a>(&'a [Arc<ToolSpec>], Option<CacheControl>);

impl Serialize for Tools<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let last = self.0.len().saturating_sub(1);
        serializer.collect_seq(self.0.iter().enumerate().map(|(at, spec)| Tool {
            name: &spec.name,
            description: &spec.description,
            input_schema: parameters(&spec.input_schema),
            cache_control: self.1.filter(|_| at == last),
        }))
    }
}

#[derive(Serialize)]
struct Tool<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    description: &'a str,
    input_schema: Cow<'a, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_control: Option<CacheControl>,
}
