//! The turns of a conversation as messages.

use super::{
    encode::Body,
    part::{Wire, WireCall, WireContent},
};
use crate::{
    conversation::{Answered, CallIds, Content, NOTHING_TO_SAY, Part, Turn, WriteTurns, joined, write_turns},
    wire::UNSHOWN,
};
use agentscope_core::ContentBlock;
use serde::{
    Serialize, Serializer,
    ser::{Error as _, SerializeSeq},
};
use std::borrow::Cow;

/// What stands for thoughts where there are none, for those that want them back. Moonshot takes an empty text for none.
const NO_THOUGHTS: &str = " ";

pub(crate) struct Messages<'a>(pub(crate) &'a Body<'a>);

impl Serialize for Messages<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut writer = Writer {
            seq: serializer.serialize_seq(None)?,
            body: self.0,
            ids: CallIds::of(self.0.id_form()),
            has_called: false,
            is_empty: true,
        };
        write_turns(&self.0.ask, &mut writer)?;
        if writer.is_empty {
            return Err(S::Error::custom(NOTHING_TO_SAY));
        }
        writer.seq.end()
    }
}

struct Writer<'a, S> {
    seq: S,
    body: &'a Body<'a>,
    ids: CallIds<'a>,
    /// The model called tools since a user spoke.
    has_called: bool,
    is_empty: bool,
}

impl<'a, S: SerializeSeq> WriteTurns<'a> for Writer<'a, S> {
    type Error = S::Error;

    fn turn(&mut self, turn: Turn<'a>) -> Result<(), S::Error> {
        self.has_called = match turn {
            Turn::User { .. } => false,
            Turn::Results(_) => true,
            _ => self.has_called,
        };
        match turn {
            Turn::System { name, content } => self.said("system", name, content),
            Turn::User { name, content } => self.said("user", name, content),
            Turn::Assistant { name, blocks } => self.assistant(name, blocks),
            Turn::Results(results) => results.into_iter().try_for_each(|result| self.result(result)),
        }
    }
}

impl<'a, S: SerializeSeq> Writer<'a, S> {
    fn said(
        &mut self,
        role: &'static str,
        name: Option<&'a str>,
        content: Content<'a>,
    ) -> Result<(), S::Error> {
        let content = match content {
            Content::Blocks([ContentBlock::Text { text, .. }]) if !text.is_empty() => {
                self.words(text.as_str())
            }
            Content::Blocks(blocks) if !self.body.ways.names_and_parts && is_plain(blocks) => plain(blocks),
            content => WireContent::of(self.body, content.into_parts(&self.body.ask)),
        };
        let name = self.name(name);
        self.put(&Wire { role, name, content, ..Wire::default() })
    }

    fn assistant(&mut self, name: Option<&'a str>, blocks: &'a [ContentBlock]) -> Result<(), S::Error> {
        let ways = self.body.ways;
        let mut own = blocks.iter().filter_map(Part::own);
        let content = match (own.next(), own.next()) {
            (None, _) => WireContent::None,
            (Some(Part::Text(text)), None) => self.words(text),
            _ if ways.names_and_parts => {
                WireContent::of(self.body, blocks.iter().filter_map(Part::own).collect())
            }
            _ => plain(blocks),
        };
        let mut wire = Wire { role: "assistant", name: self.name(name), content, ..Wire::default() };
        // Some of those with a name refuse fields that they do not know.
        let call = if self.body.is_other { WireCall::with_extra } else { WireCall::of };
        let calls = blocks.iter().filter_map(|block| call(&self.body.ask, &mut self.ids, block));
        wire.tool_calls = calls.collect();
        if ways.wants_thoughts && (self.has_called || !wire.tool_calls.is_empty()) {
            let thoughts = blocks.iter().filter_map(|block| match block {
                ContentBlock::Thinking { thinking, .. } if thinking != UNSHOWN => Some(thinking.as_str()),
                _ => None,
            });
            wire.reasoning_content = joined(thoughts).or(Some(NO_THOUGHTS.into()));
        }
        self.put(&wire)
    }

    fn result(&mut self, result: Answered<'a>) -> Result<(), S::Error> {
        let name = self.body.names_tools().then(|| self.body.ask.tool_name(result.name));
        let content = WireContent::Text(result.text);
        let tool_call_id = Some(self.ids.result(result.id));
        self.put(&Wire { role: "tool", tool_call_id, name, content, ..Wire::default() })
    }

    fn put(&mut self, wire: &Wire<'a>) -> Result<(), S::Error> {
        if matches!(wire.content, WireContent::None) && wire.tool_calls.is_empty() {
            return Ok(());
        }
        self.is_empty = false;
        self.seq.serialize_element(wire)
    }

    /// One text and nothing else.
    fn words(&self, text: impl Into<Cow<'a, str>>) -> WireContent<'a> {
        let words = if self.body.ways.names_and_parts { WireContent::Part } else { WireContent::Text };
        words(text.into())
    }

    fn name(&self, name: Option<&'a str>) -> Option<Cow<'a, str>> {
        name.filter(|_| self.body.ways.names_and_parts).and_then(participant)
    }
}

fn is_plain(blocks: &[ContentBlock]) -> bool {
    blocks.iter().all(|block| block.media().is_none())
}

/// The words of some blocks as one text.
fn plain(blocks: &[ContentBlock]) -> WireContent<'_> {
    let texts = blocks.iter().filter_map(|block| match block {
        ContentBlock::Text { text, .. } if !text.is_empty() => Some(text.as_str()),
        _ => None,
    });
    joined(texts).map_or(WireContent::None, WireContent::Text)
}

/// A name as OpenAI takes it: at most 64 characters, none of them white or one of `<|\/>`. 1.x sends it as it is, and is refused.
fn participant(name: &str) -> Option<Cow<'_, str>> {
    let fits =
        |it: char| !it.is_whitespace() && !it.is_control() && !matches!(it, '<' | '|' | '\\' | '/' | '>');
    if name.is_empty() {
        return None;
    }
    let is_word = name.bytes().all(|it| it.is_ascii_alphanumeric()); // as most are
    if name.len() <= 64 && (is_word || name.chars().all(fits)) {
        return Some(Cow::Borrowed(name));
    }
    Some(name.chars().take(64).map(|it| if fits(it) { it } else { '_' }).collect())
}
