//! The turns of a conversation as messages.

use super::encode::Body;
use crate::{
    conversation::{
        Answered, CallIds, Content, NOTHING_TO_SAY, Part, Place, Turn, WriteTurns, arguments, in_order,
        joined, write_turns,
    },
    http::Ask,
};
use agentscope_core::{ContentBlock, Map};
use serde::{
    Serialize, Serializer,
    ser::{Error as _, SerializeSeq},
};
use std::borrow::Cow;

pub(super) struct Messages<'a>(pub(super) &'a Body<'a>);

impl Serialize for Messages<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let body = self.0;
        let seq = serializer.serialize_seq(None)?;
        let mut writer =
            Writer { seq, ask: body.0, calls: Vec::new(), ids: CallIds::default(), is_empty: true };
        write_turns(&body.0, &mut writer)?;
        if writer.is_empty {
            return Err(S::Error::custom(NOTHING_TO_SAY));
        }
        // Ollama holds a model to a schema at the cost of its tools.
        if let Some(schema) = &body.0.req.output_schema
            && body.tools().next().is_some()
        {
            let hint = format!(
                "<system-hint>When your task is done, answer with JSON alone that fits this schema: {schema}</system-hint>"
            );
            writer.put(&Wire { role: "user", content: hint.into(), ..Wire::default() })?;
        }
        writer.seq.end()
    }
}

struct Writer<'a, S> {
    seq: S,
    ask: Ask<'a>,
    /// The ids of the last calls, and those of all calls on the wire.
    calls: Vec<&'a str>,
    ids: CallIds<'a>,
    is_empty: bool,
}

impl<'a, S: SerializeSeq> WriteTurns<'a> for Writer<'a, S> {
    type Error = S::Error;

    fn turn(&mut self, turn: Turn<'a>) -> Result<(), S::Error> {
        match turn {
            Turn::System { content, .. } => self.said("system", content),
            Turn::User { content, .. } => self.said("user", content),
            Turn::Assistant { blocks, .. } => self.assistant(blocks),
            // A result names its tool, and some templates look no further: what counts is the order.
            Turn::Results(results) => {
                in_order(&self.calls, results).into_iter().try_for_each(|result| self.result(result))
            }
        }
    }
}

impl<'a, S: SerializeSeq> Writer<'a, S> {
    fn said(&mut self, role: &'static str, content: Content<'a>) -> Result<(), S::Error> {
        let mut wire = Wire { role, ..Wire::default() };
        for part in content.into_parts(&self.ask) {
            match part {
                Part::Text(text) if wire.content.is_empty() => wire.content = text,
                Part::Text(text) => wire.content = (wire.content.into_owned() + "\n" + &text).into(),
                Part::Image(Place::Data { data, .. }) => wire.images.push(data),
                _ => {} // nothing else is shown
            }
        }
        self.put(&wire)
    }

    fn assistant(&mut self, blocks: &'a [ContentBlock]) -> Result<(), S::Error> {
        let texts = blocks.iter().filter_map(|block| match block {
            ContentBlock::Text { text, .. } if !text.is_empty() => Some(text.as_str()),
            _ => None,
        });
        let thoughts = blocks.iter().filter_map(|block| match block {
            ContentBlock::Thinking { thinking, .. } if !thinking.is_empty() => Some(thinking.as_str()),
            _ => None,
        });
        let calls = || {
            blocks.iter().filter_map(|block| match block {
                ContentBlock::ToolCall(call) => Some(call),
                _ => None,
            })
        };
        self.calls = calls().map(|call| &*call.id).collect();
        let tool_calls = calls().map(|call| WireCall {
            id: self.ids.call(&call.id),
            kind: "function",
            function: Called {
                name: self.ask.tool_name(&call.name),
                arguments: serde_json::from_str(arguments(call)).unwrap_or_default(),
            },
        });
        let wire = Wire {
            role: "assistant",
            content: joined(texts).unwrap_or_default(),
            thinking: joined(thoughts),
            tool_calls: tool_calls.collect(),
            ..Wire::default()
        };
        // Thoughts alone are no message.
        if wire.content.is_empty() && wire.tool_calls.is_empty() { Ok(()) } else { self.put(&wire) }
    }

    fn result(&mut self, result: Answered<'a>) -> Result<(), S::Error> {
        let tool_name = Some(self.ask.tool_name(result.name));
        let tool_call_id = Some(self.ids.result(result.id));
        self.put(&Wire { role: "tool", tool_call_id, content: result.text, tool_name, ..Wire::default() })
    }

    fn put(&mut self, wire: &Wire<'a>) -> Result<(), S::Error> {
        if wire.content.is_empty() && wire.images.is_empty() && wire.tool_calls.is_empty() {
            return Ok(());
        }
        self.is_empty = false;
        self.seq.serialize_element(wire)
    }
}

/// A message.
#[derive(Default, Serialize)]
struct Wire<'a> {
    role: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<Cow<'a, str>>,
    content: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    images: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<WireCall<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_name: Option<Cow<'a, str>>,
}

#[derive(Serialize)]
struct WireCall<'a> {
    id: Cow<'a, str>,
    #[serde(rename = "type")]
    kind: &'static str,
    function: Called<'a>,
}

#[derive(Serialize)]
struct Called<'a> {
    name: Cow<'a, str>,
    arguments: Map,
}
