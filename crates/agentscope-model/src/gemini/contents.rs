//! The turns of a conversation as contents: a user and a model take turns, and nobody speaks twice in a row.

use super::{
    Series,
    encode::Body,
    part::{WirePart, response},
};
use crate::{
    conversation::{CallIds, NOTHING_TO_SAY, Turn, WriteTurns, in_order, write_turns},
    http::Ask,
};
use agentscope_core::ContentBlock;
use serde::{
    Serialize, Serializer,
    ser::{Error as _, SerializeSeq},
};

/// What a user says where the model spoke first: Gemini wants a call to come after words of a user.
const BEGINNING: &str = "<system-info>The conversation begins with you.</system-info>";

/// How a conversation begins.
pub(super) struct Opening<'a> {
    /// What the system says first.
    system: Vec<WirePart<'a>>,
    /// Nothing else is said. Gemini answers no instruction alone, so that it is told as words of a user.
    is_all: bool,
}

impl<'a> Opening<'a> {
    pub(super) fn of(ask: &Ask<'a>, series: Series) -> Self {
        let mut opening = Self { system: Vec::new(), is_all: true };
        let mut reader = Reader { ask: *ask, series, opening: &mut opening };
        if write_turns(ask, &mut reader).is_err() {
            opening.is_all = false;
        }
        opening
    }

    pub(super) fn instruction(&self) -> Option<&[WirePart<'a>]> {
        (!self.system.is_empty() && !self.is_all).then_some(&self.system)
    }
}

/// Reads as far as the first words that are no system message.
struct Reader<'a, 'o> {
    ask: Ask<'a>,
    series: Series,
    opening: &'o mut Opening<'a>,
}

/// The reader has seen enough.
struct Enough;

impl<'a> WriteTurns<'a> for Reader<'a, '_> {
    type Error = Enough;

    fn turn(&mut self, turn: Turn<'a>) -> Result<(), Enough> {
        let says_more = match turn {
            Turn::System { content, .. } => {
                let parts = content.into_parts(&self.ask).into_iter();
                self.opening.system.extend(parts.map(WirePart::of));
                false
            }
            Turn::User { content, .. } => !content.into_parts(&self.ask).is_empty(),
            Turn::Assistant { blocks, .. } => own_parts(&self.ask, self.series, blocks).next().is_some(),
            Turn::Results(_) => true,
        };
        if says_more { Err(Enough) } else { Ok(()) }
    }
}

pub(super) struct Contents<'a>(pub(super) &'a Body<'a>);

impl Serialize for Contents<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let body = self.0;
        let mut seq = serializer.serialize_seq(None)?;
        if body.opening.is_all {
            if body.opening.system.is_empty() {
                return Err(S::Error::custom(NOTHING_TO_SAY));
            }
            seq.serialize_element(&Content { role: "user", parts: &body.opening.system })?;
            return seq.end();
        }
        let mut writer = Writer {
            seq,
            body,
            role: "",
            parts: Vec::new(),
            calls: Vec::new(),
            ids: CallIds::default(),
            begun: false,
        };
        write_turns(&body.ask, &mut writer)?;
        writer.flush()?;
        writer.seq.end()
    }
}

#[derive(Serialize)]
struct Content<'a, 'b> {
    role: &'static str,
    parts: &'b [WirePart<'a>],
}

struct Writer<'a, S> {
    seq: S,
    body: &'a Body<'a>,
    /// Who speaks, and what is said so far.
    role: &'static str,
    parts: Vec<WirePart<'a>>,
    /// The ids of the last calls, and those of all calls on the wire.
    calls: Vec<&'a str>,
    ids: CallIds<'a>,
    /// Something was written.
    begun: bool,
}

impl<'a, S: SerializeSeq> WriteTurns<'a> for Writer<'a, S> {
    type Error = S::Error;

    fn turn(&mut self, turn: Turn<'a>) -> Result<(), S::Error> {
        let body = self.body;
        match turn {
            Turn::System { .. } => Ok(()),
            Turn::User { content, .. } => {
                self.say("user", content.into_parts(&body.ask).into_iter().map(WirePart::of))
            }
            Turn::Assistant { blocks, .. } => {
                self.calls = blocks
                    .iter()
                    .filter_map(|block| match block {
                        ContentBlock::ToolCall(call) => Some(&*call.id),
                        _ => None,
                    })
                    .collect();
                let mut parts: Vec<_> = own_parts(&body.ask, body.series, blocks).collect();
                let ids = parts.iter_mut().filter_map(WirePart::call_id);
                for (id, own) in ids.zip(&self.calls) {
                    *id = self.ids.call(own);
                }
                self.say("model", parts.into_iter())
            }
            Turn::Results(results) => {
                let results = in_order(&self.calls, results).into_iter();
                let ids = &mut self.ids;
                let parts: Vec<_> = results.map(|it| response(&body.ask, ids.result(it.id), it)).collect();
                self.say("user", parts.into_iter())
            }
        }
    }
}

impl<'a, S: SerializeSeq> Writer<'a, S> {
    fn say(&mut self, role: &'static str, parts: impl Iterator<Item = WirePart<'a>>) -> Result<(), S::Error> {
        let mut parts = parts.peekable();
        if parts.peek().is_none() {
            return Ok(());
        }
        if self.role != role {
            self.flush()?;
            self.role = role;
        }
        self.parts.extend(parts);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), S::Error> {
        if self.parts.is_empty() {
            return Ok(());
        }
        if !self.begun && self.role == "model" {
            let parts = [WirePart::text(BEGINNING)];
            self.seq.serialize_element(&Content { role: "user", parts: &parts })?;
        }
        self.begun = true;
        self.seq.serialize_element(&Content { role: self.role, parts: &self.parts })?;
        self.parts.clear();
        Ok(())
    }
}

/// What the model has said itself. The first call of a round has to have a signature from Gemini 3 on.
fn own_parts<'a>(
    ask: &Ask<'a>,
    series: Series,
    blocks: &'a [ContentBlock],
) -> impl Iterator<Item = WirePart<'a>> {
    let ask = *ask;
    let mut needs_signature = series == Series::New;
    blocks.iter().filter_map(move |block| {
        let mut part = WirePart::own(&ask, block)?;
        if let WirePart::Call { signature, .. } = &mut part
            && std::mem::take(&mut needs_signature)
        {
            signature.get_or_insert(NO_SIGNATURE);
        }
        Some(part)
    })
}

/// The signature of a call that another model made, as Google's documentation has it.
const NO_SIGNATURE: &str = "skip_thought_signature_validator";
