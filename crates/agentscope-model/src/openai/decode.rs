//! An answer from the wire, piece by piece: a pure state machine over frames. What it has seen it has given away; it keeps the
//! number of the block that is open, and the calls by their index.

use super::wire::{CallDelta, Choice, Chunk, Delta, InputDetails, WireUsage};
use crate::{
    http::{Decode, Peer},
    wire::{Count, Shape, Sound, Surrogates, read},
};
use agentscope_core::{CallId, Error, ErrorKind, FinishReason, ModelDelta, Name, Result, Usage};
use serde_json::Value;
use std::{borrow::Cow, collections::VecDeque, mem::take};

/// The field of a call in which Gemini signs its thoughts.
pub(super) const EXTRA_CONTENT: &str = "extra_content";

pub(crate) struct Decoder {
    /// Who answers, for what is told of errors.
    peer: Peer,
    /// The number of the next block.
    next: u32,
    /// The block that words are added to, if the last block is one of that kind.
    open: Open,
    calls: Vec<Call>,
    surrogates: Surrogates,
    sound: Option<Sound>,
    sound_type: Cow<'static, str>,
    finish: Option<FinishReason>,
    ended: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Open {
    None,
    Text(u32),
    Thinking(u32),
}

/// A call that is being written.
struct Call {
    index: Option<u32>,
    /// 0 until its name is known: blocks are numbered as they are given away.
    block: u32,
    id: CallId,
    /// Empty until it is known: a piece of a call names its tool.
    name: Name,
    /// Arguments that came before the name.
    early: String,
    /// What has to be sent back with it, until it is given away.
    extra: Option<Value>,
    /// How deep the arguments are nested, to know whether they are whole.
    shape: Shape,
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
        if self.ended || data.is_empty() {
            return Ok(());
        }
        if data == b"[DONE]" {
            return self.done(out);
        }
        if event == b"error" {
            return Err(self.peer.in_band(data));
        }
        match read(data) {
            Ok(chunk) => self.take(chunk, data, out),
            // No more than a guess at why it failed, but a cheap one: whole letters stay as they are.
            Err(_) if memchr::memmem::find(data, b"\\u").is_some() => {
                let mended = self.surrogates.mend(data);
                let chunk = self.chunk(&mended)?;
                self.take(chunk, &mended, out)
            }
            Err(error) => Err(self.peer.no_chunk(data, &error)),
        }
    }

    fn whole(&mut self, body: &[u8], out: &mut VecDeque<ModelDelta>) -> Result<()> {
        let mut chunk = self.chunk(body)?;
        if chunk.choices.is_empty() && !is_error(&chunk) {
            return Err(self.peer.no_answer("choices"));
        }
        for choice in &mut chunk.choices {
            if let Some(message) = choice.message.take() {
                choice.delta = Some(message);
            }
        }
        self.take(chunk, body, out)?;
        self.done(out)
    }

    fn end(&mut self, out: &mut VecDeque<ModelDelta>) -> Result<()> {
        match (self.ended, &self.finish) {
            (true, _) => Ok(()),
            (false, Some(_)) => self.done(out),
            (false, None) => Err(self.peer.broke_off("a finish reason")),
        }
    }
}

impl Decoder {
    /// `sound_type` is the media type of sounds, where the model makes any.
    pub(crate) fn new(peer: Peer, sound_type: Cow<'static, str>) -> Self {
        Self {
            peer,
            next: 0,
            open: Open::None,
            calls: Vec::new(),
            surrogates: Surrogates::default(),
            sound: None,
            sound_type,
            finish: None,
            ended: false,
        }
    }

    /// The server says that this was all. Some say so and give no reason.
    pub(crate) fn done(&mut self, out: &mut VecDeque<ModelDelta>) -> Result<()> {
        for call in &mut self.calls {
            if call.name.is_empty() {
                let message = format!("{} called a tool without a name", self.peer);
                return Err(Error::new(ErrorKind::Protocol, message));
            }
        }
        let is_cut = self.calls.iter().any(|call| !call.shape.is_whole());
        let reason = match self.finish.take() {
            // llama.cpp's server calls it a tool call all the same. What is cut must not be taken for what the model meant.
            Some(FinishReason::Stop) if is_cut => FinishReason::Length,
            Some(reason) => reason,
            None if self.next == 0 => {
                let message = format!("the answer of {} is empty, and has no finish reason", self.peer);
                return Err(Error::new(ErrorKind::Unavailable, message));
            }
            None if is_cut => {
                let message = format!("the answer of {} ends in the middle of a tool call", self.peer);
                return Err(Error::new(ErrorKind::Unavailable, message));
            }
            None => FinishReason::Stop,
        };
        if let Some(sound) = self.sound.take() {
            out.extend(sound.last(|| begin(&mut self.next)));
        }
        self.ended = true;
        out.push_back(ModelDelta::Finish { reason });
        Ok(())
    }

    fn chunk<'a>(&self, data: &'a [u8]) -> Result<Chunk<'a>> {
        read(data).map_err(|error| self.peer.no_chunk(data, &error))
    }

    fn take(&mut self, mut chunk: Chunk<'_>, data: &[u8], out: &mut VecDeque<ModelDelta>) -> Result<()> {
        if is_error(&chunk) {
            return Err(self.peer.in_band(data));
        }
        for choice in &mut chunk.choices {
            // Several choices are several answers; only one was asked for.
            if choice.index.unwrap_or(0) == 0 {
                self.choice(choice, out)?;
            }
        }
        if let Some(usage) = chunk.usage {
            out.push_back(ModelDelta::Usage(usage.into()));
        }
        Ok(())
    }

    /// A piece of the answer, whose texts are taken.
    pub(crate) fn choice(&mut self, choice: &mut Choice<'_>, out: &mut VecDeque<ModelDelta>) -> Result<()> {
        if let Some(delta) = choice.delta.as_mut().or(choice.message.as_mut()) {
            self.delta(delta, out);
        }
        if let Some(usage) = choice.usage.take() {
            out.push_back(ModelDelta::Usage(usage.into()));
        }
        if let Some(error) = choice.error.as_ref().filter(|error| !is_nothing(error)) {
            return Err(self.peer.reported(error));
        }
        match choice.finish_reason.as_deref().unwrap_or_default() {
            "" => Ok(()),
            "stop" | "tool_calls" => {
                self.finish.get_or_insert(FinishReason::Stop);
                Ok(())
            }
            reason => self.finished(reason),
        }
    }

    /// The rarer reasons, and those that are written otherwise.
    #[cold]
    fn finished(&mut self, reason: &str) -> Result<()> {
        match reason.to_ascii_lowercase().as_str() {
            "stop" | "tool_calls" | "function_call" | "eos" | "eos_token" | "stop_sequence" | "end_turn" => {
                self.finish.get_or_insert(FinishReason::Stop);
            }
            // The second is Gemini's, the third Mistral's.
            "length" | "max_tokens" | "model_length" => self.finish = Some(FinishReason::Length),
            // The first is Zhipu's, the second Gemini's.
            "sensitive" | "safety" => self.finish = Some(FinishReason::ContentFilter),
            filter if filter.starts_with("content_filter") => {
                self.finish = Some(FinishReason::ContentFilter);
            }
            // The first is DeepSeek's, the second Zhipu's.
            "insufficient_system_resource" | "network_error" | "error" | "abort" => {
                let message =
                    format!("{} gave up in the middle of its answer ({reason}): try again", self.peer);
                return Err(Error::new(ErrorKind::Unavailable, message));
            }
            _ => self.finish = Some(FinishReason::Other(reason.into())),
        }
        Ok(())
    }

    fn delta(&mut self, delta: &mut Delta<'_>, out: &mut VecDeque<ModelDelta>) {
        // Some servers fill both; they are the same then.
        let thoughts = if delta.reasoning_content.0.is_empty() {
            &mut delta.reasoning.0
        } else {
            &mut delta.reasoning_content.0
        };
        for thoughts in [owned(thoughts), take(&mut delta.content.thoughts)] {
            if !thoughts.is_empty() {
                let block = self.thinking_block();
                out.push_back(ModelDelta::Thinking { block, delta: thoughts });
            }
        }
        if !delta.content.text.is_empty() {
            let block = self.text_block();
            out.push_back(ModelDelta::Text { block, delta: owned(&mut delta.content.text) });
        }
        if !delta.refusal.0.is_empty() {
            let block = self.text_block();
            out.push_back(ModelDelta::Text { block, delta: owned(&mut delta.refusal.0) });
            self.finish = Some(FinishReason::Other("refusal".into()));
        }
        if let Some(mut audio) = delta.audio.take() {
            if !audio.transcript.0.is_empty() {
                let block = self.text_block();
                out.push_back(ModelDelta::Text { block, delta: owned(&mut audio.transcript.0) });
            }
            if !audio.data.0.is_empty() {
                let sound =
                    self.sound.get_or_insert_with(|| Sound::new(self.sound_type.clone().into_owned()));
                out.extend(sound.add(&audio.data.0, || begin(&mut self.next)));
            }
            if let (Some(id), Some(sound)) = (audio.id.filter(|it| !it.is_empty()), &mut self.sound) {
                out.extend(sound.named(id.to_owned()));
            }
        }
        for call in take(&mut delta.tool_calls) {
            self.call(call, out);
        }
    }

    fn text_block(&mut self) -> u32 {
        if let Open::Text(block) = self.open {
            return block;
        }
        let block = begin(&mut self.next);
        self.open = Open::Text(block);
        block
    }

    fn thinking_block(&mut self) -> u32 {
        if let Open::Thinking(block) = self.open {
            return block;
        }
        let block = begin(&mut self.next);
        self.open = Open::Thinking(block);
        block
    }

    fn call(&mut self, piece: CallDelta<'_>, out: &mut VecDeque<ModelDelta>) {
        let at = self.place(&piece);
        let Some(call) = self.calls.get_mut(at) else { return };
        let name = piece.function.name.as_deref().unwrap_or_default();
        let mut arguments = piece.function.arguments.0;
        call.shape.add(&arguments);
        call.extra = piece.extra_content.or(call.extra.take());
        let is_named = call.name.is_empty() && !name.is_empty();
        if is_named {
            call.name = name.into();
            call.block = begin(&mut self.next);
            if !call.early.is_empty() {
                arguments = (take(&mut call.early) + &arguments).into();
            }
        }
        if call.name.is_empty() {
            call.early.push_str(&arguments);
            return;
        }
        if is_named || !arguments.is_empty() {
            out.push_back(ModelDelta::ToolCall {
                block: call.block,
                id: call.id.clone(),
                name: call.name.clone(),
                delta: arguments.into_owned(),
            });
        }
        if let Some(value) = call.extra.take() {
            out.push_back(ModelDelta::Extra { block: call.block, key: EXTRA_CONTENT.to_owned(), value });
        }
    }

    /// Which call a piece belongs to. Some servers leave the index out, and some give each call the index 0, with an id of its
    /// own or without any: a tool that is named again, with arguments from their beginning, is called again.
    fn place(&mut self, piece: &CallDelta<'_>) -> usize {
        let index = piece.index;
        let id = piece.id.as_deref().unwrap_or_default();
        let name = piece.function.name.as_deref().unwrap_or_default();
        let begins = piece.function.arguments.0.trim_start().starts_with('{');
        let is_new = |call: &Call| {
            let is_other = !id.is_empty() && !call.id.is_empty() && *call.id != *id;
            let is_told_apart = index.is_some() && !id.is_empty();
            let again = begins && call.shape.is_complete() && !is_told_apart;
            !name.is_empty() && (is_other || again)
        };
        let known = match index {
            Some(_) => self.calls.iter().rposition(|call| call.index == index).or_else(|| {
                // One that has been given another number goes on if its arguments do.
                let goes_on = |call: &Call| !id.is_empty() && *call.id == *id && !call.shape.is_whole();
                self.calls.iter().rposition(goes_on)
            }),
            None if !id.is_empty() => self.calls.iter().rposition(|call| *call.id == *id),
            None if name.is_empty() => self.calls.len().checked_sub(1),
            None => None,
        };
        if let Some(at) = known
            && self.calls.get(at).is_some_and(|call| !is_new(call))
        {
            return at;
        }
        self.open = Open::None;
        let call = Call {
            index,
            block: 0,
            id: id.into(),
            name: "".into(),
            early: String::new(),
            extra: None,
            shape: Shape::default(),
        };
        self.calls.push(call);
        self.calls.len() - 1
    }
}

/// The text of a field, which is taken out.
fn owned(text: &mut Cow<'_, str>) -> String {
    take(text).into_owned()
}

/// The number of a new block.
fn begin(next: &mut u32) -> u32 {
    *next += 1;
    *next - 1
}

fn is_error(chunk: &Chunk<'_>) -> bool {
    let alone = chunk.choices.is_empty()
        && chunk.usage.is_none()
        && (chunk.message.is_some() || chunk.detail.is_some());
    let is_failed = |base: &Value| base.get("status_code").is_some_and(|code| *code != 0);
    chunk.error.as_ref().is_some_and(|error| !is_nothing(error))
        || alone
        || chunk.object.as_deref() == Some("error")
        || chunk.base_resp.as_ref().is_some_and(is_failed)
}

/// Whether an error is none: some servers put the field into each chunk.
fn is_nothing(error: &Value) -> bool {
    match error {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

impl From<WireUsage> for Usage {
    fn from(wire: WireUsage) -> Self {
        let written = wire.prompt_tokens_details.as_ref().map_or(0, InputDetails::written);
        let within = wire.prompt_tokens_details.and_then(|details| details.cached_tokens.0);
        let elsewhere = wire.prompt_cache_hit_tokens.0.or(wire.cached_tokens.0);
        let thoughts = wire.completion_tokens_details.and_then(|details| details.reasoning_tokens.0);
        let count = |count: Count| count.0.unwrap_or_default();
        let mut usage = Usage::new(count(wire.prompt_tokens), count(wire.completion_tokens));
        usage.cache_write_tokens = written;
        usage.cached_tokens = within.or(elsewhere).unwrap_or_default();
        usage.reasoning_tokens = thoughts.unwrap_or_default();
        // xAI tells the tokens of thoughts apart from those of the answer; the sum of all shows it.
        let with_thoughts = usage.output_tokens.saturating_add(usage.reasoning_tokens);
        if wire.total_tokens.0 == Some(usage.input_tokens.saturating_add(with_thoughts)) {
            usage.output_tokens = with_thoughts;
        }
        usage
    }
}

#[cfg(test)]
mod tests;
