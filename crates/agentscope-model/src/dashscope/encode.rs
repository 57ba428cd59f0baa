//! A request as DashScope wants it: messages apart from parameters.

use crate::{
    conversation::{Answered, CallIds, Content, IdForm, NOTHING_TO_SAY, Part, Turn, WriteTurns, write_turns},
    http::Ask,
    openai::{Tools, WireCall},
};
use agentscope_core::{ContentBlock, Result, ToolChoice};
use serde::{
    Serialize, Serializer,
    ser::{Error as _, SerializeMap, SerializeSeq},
};
use serde_json::{Value, json};
use std::borrow::Cow;

pub(super) struct Body<'a>(pub(super) &'a Ask<'a>);

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Input<'a> {
            messages: Messages<'a>,
        }
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("model", self.0.model())?;
        map.serialize_entry("input", &Input { messages: Messages(self.0) })?;
        map.serialize_entry("parameters", &Parameters(self.0))?;
        map.end()
    }
}

struct Parameters<'a>(&'a Ask<'a>);

impl Parameters<'_> {
    fn tool_choice(&self) -> Option<Value> {
        let force = |tool: &str| json!({"type": "function", "function": {"name": tool}});
        match (&self.0.req.tool_choice, &*self.0.req.tools) {
            (_, []) => None,
            (ToolChoice::None, _) => Some(json!("none")),
            _ if self.0.free_choice => None,
            (ToolChoice::Required, [only]) => Some(force(&only.name)),
            (ToolChoice::Tool(tool), _) => Some(force(tool)),
            _ => None,
        }
    }
}

impl Serialize for Parameters<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let ask = self.0;
        let options = &ask.req.options;
        let mut map = serializer.serialize_map(None)?;
        ask.put(&mut map, "result_format", "message")?;
        if ask.stream {
            ask.put(&mut map, "incremental_output", &true)?;
        }
        if !ask.req.tools.is_empty() {
            ask.put(&mut map, "tools", &Tools(&ask.req.tools))?;
        }
        if let Some(choice) = self.tool_choice() {
            ask.put(&mut map, "tool_choice", &choice)?;
        }
        if let Some(tokens) = options.max_tokens {
            ask.put(&mut map, "max_tokens", &tokens)?;
        }
        if let Some(temperature) = options.temperature {
            ask.put(&mut map, "temperature", &temperature)?;
        }
        if let Some(top_p) = options.top_p {
            ask.put(&mut map, "top_p", &top_p)?;
        }
        if !options.stop.is_empty() {
            ask.put(&mut map, "stop", &options.stop)?;
        }
        if let Some(seed) = options.seed {
            ask.put(&mut map, "seed", &seed)?;
        }
        ask.put_extras(&mut map)?;
        map.end()
    }
}

struct Messages<'a>(&'a Ask<'a>);

impl Serialize for Messages<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let seq = serializer.serialize_seq(None)?;
        let mut writer = Writer { seq, ask: self.0, ids: CallIds::of(IdForm::Any), is_empty: true };
        write_turns(self.0, &mut writer)?;
        if writer.is_empty {
            return Err(S::Error::custom(NOTHING_TO_SAY));
        }
        writer.seq.end()
    }
}

struct Writer<'a, S> {
    seq: S,
    ask: &'a Ask<'a>,
    ids: CallIds<'a>,
    is_empty: bool,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: Words<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<WireCall<'a>>,
}

/// A text, or its parts where not all of them are texts.
enum Words<'a> {
    Text(Cow<'a, str>),
    Parts(Vec<Part<'a>>),
}

impl<'a> Words<'a> {
    fn of(parts: Vec<Part<'a>>) -> Self {
        if !parts.iter().all(|part| matches!(part, Part::Text(_))) {
            return Self::Parts(parts);
        }
        let texts = parts.into_iter().filter_map(|part| match part {
            Part::Text(text) => Some(text),
            _ => None,
        });
        Self::Text(texts.reduce(|all, text| (all.into_owned() + "\n" + &text).into()).unwrap_or_default())
    }
}

impl Serialize for Words<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let parts = match self {
            Self::Text(text) => return serializer.serialize_str(text),
            Self::Parts(parts) => parts,
        };
        let mut seq = serializer.serialize_seq(Some(parts.len()))?;
        for part in parts {
            seq.serialize_element(&match part {
                Part::Text(text) => json!({"text": text}),
                Part::Image(place) => json!({"image": place.url()}),
                Part::Audio(place) => json!({"audio": place.url()}),
                Part::Video(place) => json!({"video": place.url()}),
                Part::File { place, .. } => json!({"file": place.url()}),
            })?;
        }
        seq.end()
    }
}

impl<'a, S: SerializeSeq> WriteTurns<'a> for Writer<'a, S> {
    type Error = S::Error;

    fn turn(&mut self, turn: Turn<'a>) -> Result<(), S::Error> {
        match turn {
            Turn::System { content, .. } => self.said("system", content),
            Turn::User { content, .. } => self.said("user", content),
            Turn::Assistant { blocks, .. } => {
                let tool_calls: Vec<_> = blocks.iter().filter_map(|it| self.call(it)).collect();
                let parts: Vec<_> = blocks.iter().filter_map(Part::own).collect();
                if parts.is_empty() && tool_calls.is_empty() {
                    return Ok(());
                }
                let content = Words::of(parts);
                self.put(&Message { tool_calls, ..Message::of("assistant", content) })
            }
            Turn::Results(results) => results.into_iter().try_for_each(|result| self.result(result)),
        }
    }
}

impl<'a> Message<'a> {
    fn of(role: &'static str, content: Words<'a>) -> Self {
        Self { role, content, tool_call_id: None, name: None, tool_calls: Vec::new() }
    }
}

impl<'a, S: SerializeSeq> Writer<'a, S> {
    fn said(&mut self, role: &'static str, content: Content<'a>) -> Result<(), S::Error> {
        let parts = content.into_parts(self.ask);
        if parts.is_empty() { Ok(()) } else { self.put(&Message::of(role, Words::of(parts))) }
    }

    fn call(&mut self, block: &'a ContentBlock) -> Option<WireCall<'a>> {
        WireCall::of(self.ask, &mut self.ids, block)
    }

    fn result(&mut self, result: Answered<'a>) -> Result<(), S::Error> {
        let id = self.ids.result(result.id);
        self.put(&Message {
            tool_call_id: Some(id),
            name: Some(self.ask.tool_name(result.name)),
            ..Message::of("tool", Words::Text(result.text))
        })
    }

    fn put(&mut self, message: &Message<'a>) -> Result<(), S::Error> {
        self.is_empty = false;
        self.seq.serialize_element(message)
    }
}
