//! An answer from the wire, line by line: a pure state machine.

use super::wire::{Call, Chunk};
use crate::{
    http::{Decode, Peer},
    wire::{Shape, Surrogates},
};
use agentscope_core::{Error, ErrorKind, FinishReason, ModelDelta, Result, Usage};
use std::collections::VecDeque;

pub(super) struct Decoder {
    /// Who answers, for what is told of errors.
    peer: Peer,
    /// The number of the next block.
    next: u32,
    /// The block that words are added to, if the last block is one of that kind.
    open: Option<(Kind, u32)>,
    surrogates: Surrogates,
    /// The arguments of a call are not whole.
    is_cut: bool,
    ended: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Text,
    Thinking,
}

impl Decode for Decoder {
    fn is_ended(&self) -> bool {
        self.ended
    }

    fn is_finished(&self) -> bool {
        self.ended
    }

    fn frame(&mut self, _: &[u8], data: &[u8], out: &mut VecDeque<ModelDelta>) -> Result<()> {
        if self.ended || data.is_empty() {
            return Ok(());
        }
        match serde_json::from_slice(data) {
            Ok(chunk) => self.take(chunk, data, out),
            // No more than a guess at why it failed, but a cheap one: whole letters stay as they are.
            Err(_) if memchr::memmem::find(data, b"\\u").is_some() => {
                let mended = self.surrogates.mend(data);
                let chunk = serde_json::from_slice(&mended).map_err(|error| self.no_chunk(data, &error))?;
                self.take(chunk, &mended, out)
            }
            Err(error) => Err(self.no_chunk(data, &error)),
        }
    }

    fn whole(&mut self, body: &[u8], out: &mut VecDeque<ModelDelta>) -> Result<()> {
        // Some proxies stream though they were not asked to.
        let chunks = serde_json::Deserializer::from_slice(body).into_iter::<Chunk<'_>>();
        for chunk in chunks {
            let chunk = chunk.map_err(|error| self.peer.no_chunk(body, &error))?;
            if chunk.message.is_none() && chunk.error.is_none() && !chunk.done {
                return Err(self.peer.no_answer("message"));
            }
            self.take(chunk, body, out)?;
        }
        self.end(out)
    }

    fn end(&mut self, _: &mut VecDeque<ModelDelta>) -> Result<()> {
        if self.ended { Ok(()) } else { Err(self.peer.broke_off("`done`")) }
    }
}

impl Decoder {
    pub(super) fn new(peer: Peer) -> Self {
        Self { peer, next: 0, open: None, surrogates: Surrogates::default(), is_cut: false, ended: false }
    }

    fn no_chunk(&self, data: &[u8], error: &serde_json::Error) -> Error {
        // A line without its end is the last one of a stream that was cut.
        if error.is_eof() { self.peer.broke_off("`done`") } else { self.peer.no_chunk(data, error) }
    }

    fn take(&mut self, chunk: Chunk<'_>, data: &[u8], out: &mut VecDeque<ModelDelta>) -> Result<()> {
        if chunk.error.is_some_and(|error| !error.is_null()) {
            return Err(self.peer.in_band(data));
        }
        let message = chunk.message.unwrap_or_default();
        let thoughts = [message.thinking.0, message.reasoning_content.0];
        if let Some(thoughts) = thoughts.into_iter().find(|it| !it.is_empty()) {
            self.say(Kind::Thinking, thoughts.into_owned(), out);
        }
        if !message.content.0.is_empty() {
            self.say(Kind::Text, message.content.0.into_owned(), out);
        }
        for call in message.tool_calls {
            self.call(call, out)?;
        }
        if !chunk.done {
            return Ok(());
        }
        let reason = match chunk.done_reason.as_deref().unwrap_or_default() {
            // What is cut must not be taken for what the model meant.
            "" | "stop" if self.is_cut => FinishReason::Length,
            "" | "stop" => FinishReason::Stop,
            "length" => FinishReason::Length,
            loaded @ ("load" | "unload") => {
                let message = format!("{} gave no answer ({loaded}): try again", self.peer);
                return Err(Error::new(ErrorKind::Unavailable, message));
            }
            other => FinishReason::Other(other.into()),
        };
        if let (input, Some(output)) = (chunk.prompt_eval_count.0, chunk.eval_count.0) {
            out.push_back(ModelDelta::Usage(Usage::new(input.unwrap_or_default(), output)));
        }
        out.push_back(ModelDelta::Finish { reason });
        self.ended = true;
        Ok(())
    }

    fn say(&mut self, kind: Kind, delta: String, out: &mut VecDeque<ModelDelta>) {
        let block = match self.open {
            Some((open, block)) if open == kind => block,
            _ => self.begin(),
        };
        self.open = Some((kind, block));
        out.push_back(match kind {
            Kind::Text => ModelDelta::Text { block, delta },
            Kind::Thinking => ModelDelta::Thinking { block, delta },
        });
    }

    /// A call comes whole. Earlier versions give it no id; it gets one where it is put into a message.
    fn call(&mut self, call: Call<'_>, out: &mut VecDeque<ModelDelta>) -> Result<()> {
        let name = call.function.name.as_deref().unwrap_or_default();
        if name.is_empty() {
            let message = format!("{} called a tool without a name", self.peer);
            return Err(Error::new(ErrorKind::Protocol, message));
        }
        let arguments = call.function.arguments.0;
        let arguments = if arguments.is_empty() { "{}".into() } else { arguments };
        // An object is; only a server that speaks otherwise sends a text.
        self.is_cut |= !Shape::is_whole_in(&arguments);
        let block = self.begin();
        out.push_back(ModelDelta::tool_call(block, call.id.as_deref().unwrap_or_default(), name, arguments));
        Ok(())
    }

    fn begin(&mut self) -> u32 {
        self.open = None;
        self.next += 1;
        self.next - 1
    }
}

#[cfg(test)]
mod tests;
