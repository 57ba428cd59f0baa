//! An answer from the wire, piece by piece: a pure state machine over events. What it has seen it has given away; it keeps the
//! items by their index.

use super::wire::{Event, Item as WireItem, Response, WireUsage};
use crate::{
    http::{Decode, Peer},
    wire::{Call, Count, Give, Surrogates, Text, read},
};
use agentscope_core::{Error, ErrorKind, FinishReason, ModelDelta, Result, Usage};
use serde_json::{Value, json};
use std::{collections::VecDeque, mem::discriminant};

/// The field of a thought that has its id.
pub(super) const ITEM: &str = "reasoning_item_id";

/// The field of a thought in which it is encrypted.
pub(super) const ENCRYPTED: &str = "encrypted_content";

/// The field of words that says whether they are the answer or a comment on the way; newer models want it back.
pub(super) const PHASE: &str = "phase";

pub(super) struct Decoder {
    /// Who answers, for what is told of errors.
    peer: Peer,
    /// The number of the next block.
    next: u32,
    items: Vec<Open>,
    surrogates: Surrogates,
    refused: bool,
    /// The arguments of a call are not whole.
    is_cut: bool,
    finish: Option<FinishReason>,
    ended: bool,
}

/// An item that was begun and has not ended.
struct Open {
    index: Option<u32>,
    /// Its number, once something of it was given away.
    block: Option<u32>,
    kind: Kind,
}

enum Kind {
    Text,
    /// With the number of the summary's part that is being written.
    Thinking(u32),
    Call(Call),
    /// What the server's own tools do, and what nobody knows.
    Other,
}

impl Decode for Decoder {
    fn frame(&mut self, event: &[u8], data: &[u8], out: &mut VecDeque<ModelDelta>) -> Result<()> {
        let data = data.trim_ascii();
        if self.ended || data.is_empty() {
            return Ok(());
        }
        if event == b"error" {
            return Err(self.peer.in_band(data));
        }
        match read::<Event<'_>>(data) {
            Ok(event) => self.event(event, data, out),
            // Proxies have a last word that is not the API's.
            Err(_) if data == b"[DONE]" => Ok(()),
            // No more than a guess at why it failed, but a cheap one: whole letters stay as they are.
            Err(_) if memchr::memmem::find(data, b"\\u").is_some() => {
                let mended = self.surrogates.mend(data);
                let event = read(&mended).map_err(|error| self.peer.no_chunk(data, &error))?;
                self.event(event, &mended, out)
            }
            Err(error) => Err(self.peer.no_chunk(data, &error)),
        }
    }

    fn whole(&mut self, body: &[u8], out: &mut VecDeque<ModelDelta>) -> Result<()> {
        let response: Response<'_> = read(body).map_err(|error| self.peer.no_chunk(body, &error))?;
        if response.output.is_none() && response.error.as_ref().is_none_or(Value::is_null) {
            return Err(self.peer.no_answer("output"));
        }
        self.response(response, out)
    }

    fn end(&mut self, _: &mut VecDeque<ModelDelta>) -> Result<()> {
        if self.ended { Ok(()) } else { Err(self.peer.broke_off("`response.completed`")) }
    }

    fn is_finished(&self) -> bool {
        self.ended
    }

    fn is_ended(&self) -> bool {
        self.ended
    }
}

impl Decoder {
    pub(super) fn new(peer: Peer) -> Self {
        Self {
            peer,
            next: 0,
            items: Vec::new(),
            surrogates: Surrogates::default(),
            refused: false,
            is_cut: false,
            finish: None,
            ended: false,
        }
    }

    fn event(&mut self, event: Event<'_>, data: &[u8], out: &mut VecDeque<ModelDelta>) -> Result<()> {
        let index = event.output_index;
        let kind = event.kind.as_deref().unwrap_or_default();
        match kind {
            "response.output_item.added" => self.begin(index, &event.item.unwrap_or_default(), out)?,
            "response.output_item.done" => return self.finish(index, event.item.unwrap_or_default(), out),
            "response.output_text.delta" => self.give(index, Kind::Text, out).0.text(event.delta.0),
            "response.refusal.delta" => {
                self.refused = true;
                self.give(index, Kind::Text, out).0.text(event.delta.0);
            }
            "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" => {
                let (mut give, kind) = self.give(index, Kind::Thinking(0), out);
                if let (Kind::Thinking(part), Some(now)) = (kind, event.summary_index) {
                    if *part != now && give.block.is_some() {
                        give.thinking("\n\n".into());
                    }
                    *part = now;
                }
                give.thinking(event.delta.0);
            }
            "response.function_call_arguments.delta" if !event.delta.0.is_empty() => {
                match self.give(index, Kind::Other, out) {
                    (mut give, Kind::Call(call)) => give.call(call, event.delta.0.into_owned()),
                    _ => return Err(self.nameless()),
                }
            }
            "response.function_call_arguments.done" if !event.arguments.0.is_empty() => {
                match self.give(index, Kind::Other, out) {
                    (mut give, Kind::Call(call)) if !call.has_begun() => {
                        give.call(call, event.arguments.0.into_owned());
                    }
                    _ => {}
                }
            }
            "response.completed" | "response.incomplete" | "response.failed" => {
                let mut response = event.response.unwrap_or_default();
                // What was given away already is not said again.
                response.output = response.output.filter(|_| self.next == 0);
                if kind == "response.failed" && response.error.as_ref().is_none_or(Value::is_null) {
                    response.error = Some(json!({"code": "server_error"}));
                }
                if kind == "response.incomplete" {
                    self.finish = Some(FinishReason::Other("incomplete".into()));
                }
                return self.response(*response, out);
            }
            "error" => return Err(self.peer.in_band(data)),
            _ if event.error.is_some_and(|error| !error.is_null()) => return Err(self.peer.in_band(data)),
            // What is about to come, what came whole already, and what is new.
            _ => {}
        }
        Ok(())
    }

    /// The whole answer, or what is known of it in the end.
    fn response(&mut self, response: Response<'_>, out: &mut VecDeque<ModelDelta>) -> Result<()> {
        if let Some(error) = response.error.filter(|error| !error.is_null()) {
            return Err(self.peer.reported(&json!({"error": error})));
        }
        for item in response.output.unwrap_or_default() {
            self.finish(None, item, out)?;
        }
        for mut open in std::mem::take(&mut self.items) {
            if let Kind::Call(call) = &mut open.kind {
                Give { next: &mut self.next, block: &mut open.block, out }.rest_of(call);
                self.is_cut |= !call.is_whole();
            }
        }
        if let Some(usage) = response.usage {
            out.push_back(ModelDelta::Usage(usage.into()));
        }
        let incomplete = response.incomplete_details.and_then(|details| details.reason);
        let reason = match (incomplete.as_ref().and_then(Value::as_str), response.status.as_deref()) {
            (Some("max_output_tokens"), _) => FinishReason::Length,
            (Some("content_filter"), _) => FinishReason::ContentFilter,
            (Some(other), _) => FinishReason::Other(other.into()),
            (None, Some(status @ ("failed" | "cancelled"))) => {
                let message =
                    format!("{} gave up in the middle of its answer ({status}): try again", self.peer);
                return Err(Error::new(ErrorKind::Unavailable, message));
            }
            (None, Some(status @ ("in_progress" | "queued"))) if self.next == 0 => {
                let message = format!(
                    "{} answered before there was an answer ({status}): leave out the field `background`",
                    self.peer
                );
                return Err(Error::new(ErrorKind::Protocol, message));
            }
            // Servers that only speak alike do not say why.
            (None, Some("incomplete")) => FinishReason::Length,
            // What is cut must not be taken for what the model meant.
            _ if self.is_cut => FinishReason::Length,
            _ if self.refused => FinishReason::Other("refusal".into()),
            _ => self.finish.take().unwrap_or_default(),
        };
        self.ended = true;
        out.push_back(ModelDelta::Finish { reason });
        Ok(())
    }

    fn begin(
        &mut self,
        index: Option<u32>,
        item: &WireItem<'_>,
        out: &mut VecDeque<ModelDelta>,
    ) -> Result<()> {
        let kind = match item.kind.as_deref().unwrap_or_default() {
            "message" => Kind::Text,
            "reasoning" => Kind::Thinking(0),
            "function_call" => {
                let text = |text: &Option<Text<'_>>| text.as_deref().unwrap_or_default().to_owned();
                let whole = Some(item.arguments.0.to_string()).filter(|it| !it.is_empty());
                let (id, name) = (text(&item.call_id), text(&item.name));
                if name.is_empty() {
                    return Err(self.nameless());
                }
                Kind::Call(Call::new(&id, &name, whole))
            }
            _ => Kind::Other,
        };
        self.items.push(Open { index, block: None, kind });
        if let (mut give, Kind::Call(call)) = self.give(index, Kind::Other, out) {
            give.call(call, String::new());
        }
        Ok(())
    }

    /// Ends an item; what did not come in pieces is given away now.
    fn finish(
        &mut self,
        index: Option<u32>,
        item: WireItem<'_>,
        out: &mut VecDeque<ModelDelta>,
    ) -> Result<()> {
        if index.is_none() || !self.items.iter().any(|open| open.index == index) {
            self.begin(index, &item, out)?;
        }
        self.refused |= item.content.iter().any(|part| !part.refusal.0.is_empty());
        let (mut give, kind) = self.give(index, Kind::Other, out);
        match kind {
            Kind::Text => {
                if give.block.is_none() {
                    for part in item.content {
                        give.text(part.text.0);
                        give.text(part.refusal.0);
                    }
                }
                if let Some(phase) = item.phase.filter(|it| !it.is_empty()) {
                    give.extra(PHASE, &phase);
                }
            }
            Kind::Thinking(_) => {
                if give.block.is_none() {
                    let is_summed_up = item.summary.iter().any(|part| !part.text.0.is_empty());
                    let parts = if is_summed_up { item.summary } else { item.content };
                    for part in parts {
                        if give.block.is_some() {
                            give.thinking("\n\n".into());
                        }
                        give.thinking(part.text.0);
                    }
                }
                if let Some(encrypted) = item.encrypted_content.filter(|it| !it.is_empty()) {
                    give.sign(ENCRYPTED, &encrypted);
                    give.extra(ITEM, item.id.as_deref().unwrap_or_default());
                }
            }
            Kind::Call(call) => {
                if !item.arguments.0.is_empty() && !call.has_begun() {
                    give.call(call, item.arguments.0.into_owned());
                }
                give.rest_of(call);
            }
            Kind::Other => {}
        }
        if let Some(at) = self.items.iter().rposition(|open| open.index == index) {
            let open = self.items.remove(at);
            self.is_cut |= matches!(&open.kind, Kind::Call(call) if !call.is_whole());
        }
        Ok(())
    }

    fn nameless(&self) -> Error {
        Error::new(ErrorKind::Protocol, format!("{} called a tool without a name", self.peer))
    }

    /// Where a piece of an item goes. A server may leave out the index, or how an item begins.
    fn give<'a>(
        &'a mut self,
        index: Option<u32>,
        kind: Kind,
        out: &'a mut VecDeque<ModelDelta>,
    ) -> (Give<'a>, &'a mut Kind) {
        let is_kind =
            |open: &Open| matches!(kind, Kind::Other) || discriminant(&open.kind) == discriminant(&kind);
        let is_it = |open: &Open| (index.is_none() || open.index == index) && is_kind(open);
        let at = self.items.iter().rposition(is_it).unwrap_or_else(|| {
            self.items.push(Open { index, block: None, kind });
            self.items.len() - 1
        });
        #[expect(clippy::indexing_slicing, reason = "it was found or put there")]
        let open = &mut self.items[at];
        (Give { next: &mut self.next, block: &mut open.block, out }, &mut open.kind)
    }
}

impl From<WireUsage> for Usage {
    fn from(wire: WireUsage) -> Self {
        let count = |count: Count| count.0.unwrap_or_default();
        let mut usage = Usage::new(count(wire.input_tokens), count(wire.output_tokens));
        usage.cached_tokens = wire.input_tokens_details.map_or(0, |details| count(details.cached_tokens));
        usage.reasoning_tokens =
            wire.output_tokens_details.map_or(0, |details| count(details.reasoning_tokens));
        usage
    }
}

#[cfg(test)]
mod tests;
