//! An answer from the wire, piece by piece: a pure state machine over events. What it has seen it has given away; it keeps the
//! blocks by their index, and the tokens so far.

use super::wire::{Block, Delta, Event, Message, StopDetails, Usage as WireUsage};
use crate::{
    http::{Decode, Peer},
    wire::{Call, Count, Give, Surrogates, Text, read},
};
use agentscope_core::{Error, ErrorKind, FinishReason, ModelDelta, Result, Usage};
use serde_json::Value;
use std::collections::VecDeque;

/// The field of a thought in which the provider signs it.
pub(super) const SIGNATURE: &str = "signature";

/// The field of a thought that the provider shows to nobody, in which it is encrypted.
pub(super) const REDACTED: &str = "redacted_thinking_data";

pub(super) struct Decoder {
    /// Who answers, for what is told of errors.
    peer: Peer,
    /// The number of the next block.
    next: u32,
    blocks: Vec<Open>,
    surrogates: Surrogates,
    usage: Usage,
    /// Of the input, what was neither read from the cache nor written to it.
    fresh: u64,
    begun: bool,
    /// The arguments of a call are not whole.
    is_cut: bool,
    is_nameless: bool,
    finish: Option<FinishReason>,
    /// Why nothing more was said.
    explanation: String,
    ended: bool,
}

/// A block that was begun and has not ended.
struct Open {
    index: Option<u32>,
    /// Its number, once something of it was given away.
    block: Option<u32>,
    kind: Kind,
}

enum Kind {
    Text,
    Thinking,
    Call(Call),
    /// What a server's own tools do, and what nobody knows.
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
        let message: Message<'_> = read(body).map_err(|error| self.peer.no_chunk(body, &error))?;
        let is_error = message.error.as_ref().is_some_and(|error| !error.is_null());
        if is_error || message.kind.as_deref() == Some("error") {
            return Err(self.peer.in_band(body));
        }
        if message.content.is_none() {
            return Err(self.peer.no_answer("content"));
        }
        self.message(message, out);
        if self.next == 0 && self.finish.is_none() {
            return Err(self.peer.no_answer("stop_reason"));
        }
        self.done(out)
    }

    fn end(&mut self, out: &mut VecDeque<ModelDelta>) -> Result<()> {
        match (self.ended, &self.finish) {
            (true, _) => Ok(()),
            (false, Some(_)) => self.done(out),
            (false, None) => Err(self.peer.broke_off("a stop reason")),
        }
    }

    fn is_finished(&self) -> bool {
        self.finish.is_some()
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
            blocks: Vec::new(),
            surrogates: Surrogates::default(),
            usage: Usage::default(),
            fresh: 0,
            begun: false,
            is_cut: false,
            is_nameless: false,
            finish: None,
            explanation: String::new(),
            ended: false,
        }
    }

    fn event(&mut self, event: Event<'_>, data: &[u8], out: &mut VecDeque<ModelDelta>) -> Result<()> {
        let kind = event.kind.as_deref().unwrap_or_default();
        match kind {
            "message_start" => {
                let Some(mut message) = event.message else { return Ok(()) };
                // A proxy may send it twice.
                if std::mem::replace(&mut self.begun, true) {
                    message.content = None;
                }
                self.message(*message, out);
            }
            "content_block_start" => self.start(event.index, event.content_block.unwrap_or_default(), out),
            "content_block_delta" => return self.delta(event.index, event.delta.unwrap_or_default(), out),
            "content_block_stop" => self.stop(event.index, out),
            "message_delta" => {
                let delta = event.delta.unwrap_or_default();
                self.stopped(delta.stop_reason.as_deref(), delta.stop_details);
                self.count(event.usage, out);
            }
            "message_stop" if self.finish.is_none() && self.next == 0 => {
                let message = format!("the answer of {} is empty, and has no stop reason", self.peer);
                return Err(Error::new(ErrorKind::Unavailable, message));
            }
            "message_stop" => return self.done(out),
            "error" => return Err(self.peer.in_band(data)),
            _ if event.error.is_some_and(|error| !error.is_null()) => return Err(self.peer.in_band(data)),
            // `ping`, and what is new.
            _ => {}
        }
        Ok(())
    }

    /// A message with what is in it: all of it, or the beginning of a stream.
    fn message(&mut self, message: Message<'_>, out: &mut VecDeque<ModelDelta>) {
        for block in message.content.unwrap_or_default() {
            self.start(None, block, out);
            self.stop(None, out);
        }
        self.stopped(message.stop_reason.as_deref(), message.stop_details);
        self.count(message.usage, out);
    }

    /// The server says that this was all.
    fn done(&mut self, out: &mut VecDeque<ModelDelta>) -> Result<()> {
        while let Some(open) = self.blocks.first() {
            self.stop(open.index, out);
        }
        if self.is_nameless {
            return Err(self.nameless());
        }
        let reason = match self.finish.take() {
            // What is cut must not be taken for what the model meant.
            Some(FinishReason::Stop) | None if self.is_cut => FinishReason::Length,
            Some(FinishReason::ContentFilter) if self.next == 0 && !self.explanation.is_empty() => {
                let message =
                    format!("the content filter of {} held the answer back: {}", self.peer, self.explanation);
                return Err(Error::new(ErrorKind::Refused, message));
            }
            Some(reason) => reason,
            None => FinishReason::Stop,
        };
        self.ended = true;
        out.push_back(ModelDelta::Finish { reason });
        Ok(())
    }

    fn start(&mut self, index: Option<u32>, wire: Block<'_>, out: &mut VecDeque<ModelDelta>) {
        self.stop(index, out); // one whose number is given again has ended
        let kind = match wire.kind.as_deref().unwrap_or_default() {
            "text" => Kind::Text,
            "thinking" | "redacted_thinking" => Kind::Thinking,
            "tool_use" => Kind::Call(call_of(&wire)),
            _ => Kind::Other,
        };
        let mut open = Open { index, block: None, kind };
        let mut give = Give { next: &mut self.next, block: &mut open.block, out };
        match &mut open.kind {
            Kind::Text => give.text(wire.text.0),
            Kind::Thinking => {
                give.thinking(wire.thinking.0);
                give.sign(SIGNATURE, &wire.signature.0);
                give.sign(REDACTED, &wire.data.0);
            }
            Kind::Call(call) => give.call(call, String::new()),
            Kind::Other => {}
        }
        self.blocks.push(open);
    }

    fn delta(&mut self, index: Option<u32>, delta: Delta<'_>, out: &mut VecDeque<ModelDelta>) -> Result<()> {
        if !self.blocks.iter().any(|open| open.index == index) {
            // A proxy may leave out how a block begins.
            let kind = match delta.kind.as_deref().unwrap_or_default() {
                "text_delta" => Kind::Text,
                "thinking_delta" | "signature_delta" => Kind::Thinking,
                "input_json_delta" => return Err(self.nameless()),
                _ => Kind::Other,
            };
            self.blocks.push(Open { index, block: None, kind });
        }
        let Some(open) = self.blocks.iter_mut().find(|open| open.index == index) else { return Ok(()) };
        let mut give = Give { next: &mut self.next, block: &mut open.block, out };
        match &mut open.kind {
            Kind::Text => give.text(delta.text.0),
            Kind::Thinking => {
                give.thinking(delta.thinking.0);
                give.sign(SIGNATURE, &delta.signature.0);
            }
            Kind::Call(call) if !delta.partial_json.0.is_empty() => {
                give.call(call, delta.partial_json.0.into_owned());
            }
            _ => {}
        }
        Ok(())
    }

    /// Ends a block; what came whole is given away now.
    fn stop(&mut self, index: Option<u32>, out: &mut VecDeque<ModelDelta>) {
        let Some(at) = self.blocks.iter().position(|open| open.index == index) else { return };
        let mut open = self.blocks.remove(at);
        let mut give = Give { next: &mut self.next, block: &mut open.block, out };
        if let Kind::Call(call) = &mut open.kind {
            give.rest_of(call);
            self.is_cut |= !call.is_whole();
            self.is_nameless |= call.name.is_empty();
        }
    }

    fn nameless(&self) -> Error {
        Error::new(ErrorKind::Protocol, format!("{} called a tool without a name", self.peer))
    }

    fn stopped(&mut self, reason: Option<&str>, details: Option<StopDetails>) {
        let reason = match reason.unwrap_or_default() {
            "" => return,
            "end_turn" | "tool_use" | "stop_sequence" => FinishReason::Stop,
            "max_tokens" | "model_context_window_exceeded" => FinishReason::Length,
            // The second is that of servers that only speak alike.
            "refusal" | "content_filter" => FinishReason::ContentFilter,
            other => FinishReason::Other(other.into()),
        };
        self.finish = Some(reason);
        if let Some(Value::String(explanation)) = details.and_then(|details| details.explanation) {
            self.explanation = explanation.trim().trim_end_matches('.').to_owned();
        }
    }

    fn count(&mut self, usage: Option<WireUsage>, out: &mut VecDeque<ModelDelta>) {
        let Some(wire) = usage else { return };
        let set = |place: &mut u64, count: Count| *place = count.0.unwrap_or(*place);
        set(&mut self.fresh, wire.input_tokens);
        set(&mut self.usage.cache_write_tokens, wire.cache_creation_input_tokens);
        set(&mut self.usage.cached_tokens, wire.cache_read_input_tokens);
        set(&mut self.usage.output_tokens, wire.output_tokens);
        if let Some(details) = wire.output_tokens_details {
            set(&mut self.usage.reasoning_tokens, details.thinking_tokens);
        }
        // What the API calls input is what was neither read from the cache nor written to it.
        let Usage { cached_tokens, cache_write_tokens, .. } = self.usage;
        self.usage.input_tokens = self.fresh.saturating_add(cache_write_tokens).saturating_add(cached_tokens);
        out.push_back(ModelDelta::Usage(self.usage));
    }
}

/// A call, with arguments that came whole until others come in pieces.
fn call_of(wire: &Block<'_>) -> Call {
    let whole = match &wire.input {
        Some(Value::Object(fields)) if !fields.is_empty() => wire.input.as_ref().map(Value::to_string),
        Some(Value::String(text)) if !text.is_empty() => Some(text.clone()),
        _ => None,
    };
    let text = |text: &Option<Text<'_>>| text.as_deref().unwrap_or_default().to_owned();
    Call::new(&text(&wire.id), &text(&wire.name), whole)
}

#[cfg(test)]
mod tests;
