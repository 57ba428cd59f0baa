//! An answer from the wire, piece by piece: a pure state machine over chunks.

use super::{
    part::SIGNATURE,
    wire::{Called, Candidate, Chunk, Part, WireUsage},
};
use crate::{
    http::{Decode, Peer},
    wire::{Count, Shape, Sound, Surrogates},
};
use agentscope_core::{Error, ErrorKind, FinishReason, ModelDelta, Result, Usage};
use serde_json::Value;
use std::collections::VecDeque;

pub(super) struct Decoder {
    /// Who answers, for what is told of errors.
    peer: Peer,
    /// The number of the next block.
    next: u32,
    /// The block that words are added to, if the last block is one of that kind.
    open: Option<(Kind, u32)>,
    /// The last block, until it has a signature.
    unsigned: Option<u32>,
    sound: Option<Sound>,
    surrogates: Surrogates,
    /// The arguments of a call are not whole.
    is_cut: bool,
    finish: Option<FinishReason>,
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
        self.finish.is_some()
    }

    fn frame(&mut self, event: &[u8], data: &[u8], out: &mut VecDeque<ModelDelta>) -> Result<()> {
        let data = data.trim_ascii();
        if self.ended || data.is_empty() || data == b"[DONE]" {
            return Ok(());
        }
        if event == b"error" {
            return Err(self.peer.in_band(data));
        }
        match serde_json::from_slice(data) {
            Ok(chunk) => self.take(chunk, out),
            // No more than a guess at why it failed, but a cheap one: whole letters stay as they are.
            Err(_) if memchr::memmem::find(data, b"\\u").is_some() => {
                let mended = self.surrogates.mend(data);
                let chunk = self.chunk(&mended)?;
                self.take(chunk, out)
            }
            Err(error) => Err(self.peer.no_chunk(data, &error)),
        }
    }

    fn whole(&mut self, body: &[u8], out: &mut VecDeque<ModelDelta>) -> Result<()> {
        // A stream without `alt=sse` is a list of its chunks, and an error in it is a list of one.
        let chunks: Vec<Chunk<'_>> = if body.trim_ascii_start().starts_with(b"[") {
            serde_json::from_slice(body).map_err(|error| self.peer.no_chunk(body, &error))?
        } else {
            vec![self.chunk(body)?]
        };
        let is_answer = chunks.iter().any(|chunk| {
            !chunk.candidates.is_empty() || chunk.prompt_feedback.is_some() || chunk.error.is_some()
        });
        if !is_answer {
            return Err(self.peer.no_answer("candidates"));
        }
        for chunk in chunks {
            self.take(chunk, out)?;
        }
        self.end(out)
    }

    fn end(&mut self, out: &mut VecDeque<ModelDelta>) -> Result<()> {
        if self.ended {
            return Ok(());
        }
        let Some(reason) = self.finish.take() else {
            return Err(self.peer.broke_off("a finish reason"));
        };
        // What is cut must not be taken for what the model meant.
        let reason = if self.is_cut && reason == FinishReason::Stop { FinishReason::Length } else { reason };
        if let Some(sound) = self.sound.take() {
            out.extend(sound.last(|| begin(&mut self.next)));
        }
        self.ended = true;
        out.push_back(ModelDelta::Finish { reason });
        Ok(())
    }
}

impl Decoder {
    pub(super) fn new(peer: Peer) -> Self {
        Self {
            peer,
            next: 0,
            open: None,
            unsigned: None,
            sound: None,
            surrogates: Surrogates::default(),
            is_cut: false,
            finish: None,
            ended: false,
        }
    }

    fn chunk<'a>(&self, data: &'a [u8]) -> Result<Chunk<'a>> {
        serde_json::from_slice(data).map_err(|error| self.peer.no_chunk(data, &error))
    }

    fn take(&mut self, chunk: Chunk<'_>, out: &mut VecDeque<ModelDelta>) -> Result<()> {
        if let Some(error) = chunk.error {
            return Err(self.peer.reported(&error));
        }
        if let Some(reason) = chunk.prompt_feedback.and_then(|feedback| feedback.block_reason) {
            let reason = reason.as_str().map_or_else(|| reason.to_string(), str::to_owned);
            let message = format!("{} holds the request back ({reason}): word it otherwise", self.peer);
            return Err(Error::new(ErrorKind::Refused, message));
        }
        if let Some(usage) = chunk.usage_metadata {
            out.push_back(ModelDelta::Usage(usage.into()));
        }
        for candidate in chunk.candidates {
            // Several candidates are several answers; only one was asked for.
            if candidate.index.0.unwrap_or(0) == 0 {
                self.candidate(candidate, out)?;
            }
        }
        Ok(())
    }

    fn candidate(&mut self, candidate: Candidate<'_>, out: &mut VecDeque<ModelDelta>) -> Result<()> {
        for part in candidate.content.unwrap_or_default().parts {
            self.part(part, out)?;
        }
        let reason = candidate.finish_reason.as_deref().unwrap_or_default();
        self.finish = Some(match reason {
            "" | "FINISH_REASON_UNSPECIFIED" => return Ok(()),
            // The second is that of servers that only speak alike.
            "STOP" | "FUNCTION_CALL" => FinishReason::Stop,
            "MAX_TOKENS" => FinishReason::Length,
            "SAFETY"
            | "PROHIBITED_CONTENT"
            | "BLOCKLIST"
            | "SPII"
            | "IMAGE_SAFETY"
            | "IMAGE_PROHIBITED_CONTENT" => FinishReason::ContentFilter,
            "MALFORMED_FUNCTION_CALL" | "UNEXPECTED_TOOL_CALL" | "MALFORMED_RESPONSE" => {
                let said: String = candidate.finish_message.0.chars().take(200).collect();
                let said = if said.is_empty() { said } else { format!(": {said}") };
                let message =
                    format!("the model wrote a call that nobody can read ({reason}{said}): try again");
                return Err(Error::new(ErrorKind::Unavailable, message));
            }
            other => FinishReason::Other(other.to_ascii_lowercase().into()),
        });
        Ok(())
    }

    fn part(&mut self, part: Part<'_>, out: &mut VecDeque<ModelDelta>) -> Result<()> {
        if let Some(call) = part.function_call {
            self.call(call, out)?;
        }
        if let Some(blob) = part.inline_data.filter(|blob| !part.thought && !blob.data.0.is_empty()) {
            self.media(blob.mime_type.as_deref().unwrap_or("application/octet-stream"), &blob.data.0, out);
        }
        if let Some(code) = part.executable_code {
            let text = format!("\n```{}\n{}\n```\n", code.language.0.to_ascii_lowercase(), code.code.0);
            self.say(Kind::Text, text, out);
        }
        if let Some(outcome) = part.code_execution_result.filter(|it| !it.output.0.is_empty()) {
            self.say(Kind::Text, format!("\n```\n{}\n```\n", outcome.output.0), out);
        }
        if !part.text.0.is_empty() {
            let kind = if part.thought { Kind::Thinking } else { Kind::Text };
            self.say(kind, part.text.0.into_owned(), out);
        }
        // A stream may send it in a part of its own, without words. What is said after it is another part.
        if let Some(signature) = part.thought_signature.filter(|it| !it.is_empty())
            && let Some(block) = self.unsigned.take()
        {
            self.open = None;
            let value = Value::String((*signature).to_owned());
            out.push_back(ModelDelta::Extra { block, key: SIGNATURE.to_owned(), value });
        }
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

    /// A call comes whole. Earlier models give it no id; it gets one where it is put into a message.
    fn call(&mut self, call: Called<'_>, out: &mut VecDeque<ModelDelta>) -> Result<()> {
        let name = call.name.as_deref().unwrap_or_default();
        if name.is_empty() {
            let message = format!("{} called a tool without a name", self.peer);
            return Err(Error::new(ErrorKind::Protocol, message));
        }
        let block = self.begin();
        let args = if call.args.0.is_empty() { "{}".into() } else { call.args.0 };
        // An object is; only a server that speaks otherwise sends a text.
        self.is_cut |= !Shape::is_whole_in(&args);
        out.push_back(ModelDelta::tool_call(block, call.id.as_deref().unwrap_or_default(), name, args));
        Ok(())
    }

    fn media(&mut self, media_type: &str, data: &str, out: &mut VecDeque<ModelDelta>) {
        if media_type.starts_with("audio/") {
            // Pieces of one sound.
            let mut sound = self.sound.take().unwrap_or_else(|| Sound::new(media_type.to_owned()));
            out.extend(sound.add(data, || self.begin()));
            self.sound = Some(sound);
            return;
        }
        let padding = "=".repeat(data.len().next_multiple_of(4) - data.len());
        let block = self.begin();
        out.push_back(ModelDelta::Media {
            block,
            media_type: media_type.to_owned(),
            delta: format!("{data}{padding}"),
        });
    }

    fn begin(&mut self) -> u32 {
        let block = begin(&mut self.next);
        (self.open, self.unsigned) = (None, Some(block));
        block
    }
}

/// The number of a new block.
fn begin(next: &mut u32) -> u32 {
    *next += 1;
    *next - 1
}

impl From<WireUsage> for Usage {
    fn from(wire: WireUsage) -> Self {
        let count = |count: Count| count.0.unwrap_or_default();
        let thoughts = count(wire.thoughts_token_count);
        let input = count(wire.prompt_token_count).saturating_add(count(wire.tool_use_prompt_token_count));
        let mut usage = Self::new(input, count(wire.candidates_token_count).saturating_add(thoughts));
        usage.cached_tokens = count(wire.cached_content_token_count);
        usage.reasoning_tokens = thoughts;
        usage
    }
}

#[cfg(test)]
mod tests;
