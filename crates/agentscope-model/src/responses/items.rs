//! The turns of a conversation as items.

use super::{
    decode::{ENCRYPTED, ITEM, PHASE},
    part::WirePart,
};
use crate::{
    conversation::{
        Answered, CallIds, Content, NOTHING_TO_SAY, Part, Turn, WriteTurns, arguments, write_turns,
    },
    http::Ask,
    wire::UNSHOWN,
};
use agentscope_core::{ContentBlock, Extra};
use serde::{
    Serialize, Serializer,
    ser::{Error as _, SerializeSeq},
};
use serde_json::Value;
use std::borrow::Cow;

pub(super) struct Items<'a>(pub(super) &'a Ask<'a>);

impl Serialize for Items<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let seq = serializer.serialize_seq(None)?;
        let mut writer = Writer { seq, ask: *self.0, ids: CallIds::default(), is_empty: true };
        write_turns(self.0, &mut writer)?;
        if writer.is_empty {
            return Err(S::Error::custom(NOTHING_TO_SAY));
        }
        writer.seq.end()
    }
}

#[derive(Serialize)]
#[serde(untagged)]
enum Item<'a> {
    Said {
        role: &'static str,
        content: Vec<WirePart<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        phase: Option<&'a str>,
    },
    Other(Other<'a>),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Other<'a> {
    FunctionCall { call_id: Cow<'a, str>, name: Cow<'a, str>, arguments: &'a str },
    FunctionCallOutput { call_id: Cow<'a, str>, output: Output<'a> },
    Reasoning { id: &'a str, summary: Vec<Summary<'a>>, encrypted_content: &'a str },
}

#[derive(Serialize)]
#[serde(untagged)]
enum Output<'a> {
    Text(Cow<'a, str>),
    Parts(Vec<WirePart<'a>>),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Summary<'a> {
    SummaryText { text: &'a str },
}

struct Writer<'a, S> {
    seq: S,
    ask: Ask<'a>,
    ids: CallIds<'a>,
    is_empty: bool,
}

impl<'a, S: SerializeSeq> WriteTurns<'a> for Writer<'a, S> {
    type Error = S::Error;

    fn turn(&mut self, turn: Turn<'a>) -> Result<(), S::Error> {
        match turn {
            Turn::System { content, .. } => self.said("system", content),
            Turn::User { content, .. } => self.said("user", content),
            Turn::Assistant { blocks, .. } => self.own(blocks),
            Turn::Results(results) => results.into_iter().try_for_each(|result| self.result(&result)),
        }
    }
}

impl<'a, S: SerializeSeq> Writer<'a, S> {
    fn said(&mut self, role: &'static str, content: Content<'a>) -> Result<(), S::Error> {
        let parts = content.into_parts(&self.ask);
        self.message(role, parts.into_iter().filter_map(WirePart::of).collect(), None)
    }

    fn message(
        &mut self,
        role: &'static str,
        content: Vec<WirePart<'a>>,
        phase: Option<&'a str>,
    ) -> Result<(), S::Error> {
        if content.is_empty() { Ok(()) } else { self.put(&Item::Said { role, content, phase }) }
    }

    /// What the model said, thought and called, in its order. A thought without words or a call behind it is refused.
    fn own(&mut self, blocks: &'a [ContentBlock]) -> Result<(), S::Error> {
        let is_followed = |block: &ContentBlock| match block {
            ContentBlock::Text { text, .. } => !text.is_empty(),
            ContentBlock::ToolCall(_) => true,
            _ => false,
        };
        let end = blocks.iter().rposition(is_followed).map_or(0, |last| last + 1);
        let (mut words, mut phase) = (Vec::new(), None);
        for block in blocks.iter().take(end) {
            let item = match block {
                ContentBlock::Text { text, extra } if !text.is_empty() => {
                    let own = field(extra, PHASE);
                    if own != phase {
                        self.message("assistant", std::mem::take(&mut words), phase)?;
                    }
                    phase = own;
                    words.push(WirePart::OutputText { text });
                    continue;
                }
                ContentBlock::Thinking { .. } if self.ask.without_thoughts => continue,
                ContentBlock::Thinking { thinking, extra } => match thought(thinking, extra) {
                    Some(item) => item,
                    None => continue,
                },
                ContentBlock::ToolCall(call) => Other::FunctionCall {
                    call_id: self.ids.call(&call.id),
                    name: self.ask.tool_name(&call.name),
                    arguments: arguments(call),
                },
                _ => continue,
            };
            self.message("assistant", std::mem::take(&mut words), phase)?;
            self.put(&Item::Other(item))?;
        }
        self.message("assistant", words, phase)
    }

    fn result(&mut self, result: &Answered<'a>) -> Result<(), S::Error> {
        let parts = result.parts(&self.ask);
        let output = if parts.iter().all(|part| matches!(part, Part::Text(_))) {
            Output::Text(result.text.clone())
        } else {
            Output::Parts(parts.into_iter().filter_map(WirePart::of).collect())
        };
        let call_id = self.ids.result(result.id);
        self.put(&Item::Other(Other::FunctionCallOutput { call_id, output }))
    }

    fn put(&mut self, item: &Item<'a>) -> Result<(), S::Error> {
        self.is_empty = false;
        self.seq.serialize_element(item)
    }
}

/// A thought as it is sent back; none if it was not encrypted, because the provider has not stored it either.
fn thought<'a>(thinking: &'a str, extra: &'a Extra) -> Option<Other<'a>> {
    let (id, encrypted_content) = (field(extra, ITEM)?, field(extra, ENCRYPTED)?);
    let summary =
        if thinking == UNSHOWN { Vec::new() } else { vec![Summary::SummaryText { text: thinking }] };
    Some(Other::Reasoning { id, summary, encrypted_content })
}

fn field<'a>(extra: &'a Extra, key: &str) -> Option<&'a str> {
    extra.get(key).and_then(Value::as_str).filter(|it| !it.is_empty())
}
