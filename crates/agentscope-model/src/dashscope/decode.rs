//! An answer of DashScope: the pieces are those of OpenAI's chat in an envelope of its own.

use crate::{
    http::{Decode, Peer},
    openai::{self, Choice, Delta, InputDetails},
    wire::{Content, Count, Text, object, or_default},
};
use agentscope_core::{ModelDelta, Result, Usage};
use serde::Deserialize;
use serde_json::Value;
use std::{borrow::Cow, collections::VecDeque};

pub(super) struct Decoder {
    peer: Peer,
    inner: openai::Decoder,
    /// Where each piece has all that was said so far, how much that was.
    said: Option<Said>,
}

/// Lengths in bytes.
#[derive(Default)]
struct Said {
    thoughts: usize,
    text: usize,
    /// Of the arguments, by the number of the call.
    calls: Vec<usize>,
}

impl Said {
    /// Leaves in a piece what is new.
    fn cut(&mut self, delta: &mut Delta<'_>) {
        cut(&mut delta.reasoning_content.0, &mut self.thoughts);
        cut(&mut delta.content.text, &mut self.text);
        for (at, call) in delta.tool_calls.iter_mut().enumerate() {
            if self.calls.len() <= at {
                self.calls.resize(at + 1, 0);
            }
            if let Some(said) = self.calls.get_mut(at) {
                cut(&mut call.function.arguments.0, said);
            }
        }
    }
}

fn cut(text: &mut Cow<'_, str>, said: &mut usize) {
    let more = text.get(*said..).unwrap_or_default().to_owned();
    *said = text.len().max(*said);
    *text = more.into();
}

/// A piece of an answer, or a whole one.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Envelope<'a> {
    #[serde(borrow, deserialize_with = "or_default")]
    output: Output<'a>,
    #[serde(deserialize_with = "object")]
    usage: Option<WireUsage>,
    /// Of an error.
    #[serde(borrow)]
    code: Option<Text<'a>>,
    message: Option<Value>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Output<'a> {
    #[serde(borrow, deserialize_with = "or_default")]
    choices: Vec<Choice<'a>>,
    /// What a model says that was not asked for messages.
    #[serde(borrow)]
    text: Content<'a>,
    #[serde(borrow)]
    finish_reason: Option<Text<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct WireUsage {
    input_tokens: Count,
    output_tokens: Count,
    #[serde(deserialize_with = "object")]
    prompt_tokens_details: Option<InputDetails>,
    #[serde(deserialize_with = "object")]
    input_tokens_details: Option<InputDetails>,
    #[serde(deserialize_with = "object")]
    output_tokens_details: Option<OutputDetails>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct OutputDetails {
    reasoning_tokens: Count,
}

impl From<WireUsage> for Usage {
    fn from(wire: WireUsage) -> Self {
        let mut usage =
            Usage::new(wire.input_tokens.0.unwrap_or_default(), wire.output_tokens.0.unwrap_or_default());
        let details = [wire.prompt_tokens_details, wire.input_tokens_details];
        usage.cache_write_tokens =
            details.iter().flatten().map(InputDetails::written).max().unwrap_or_default();
        usage.cached_tokens =
            details.into_iter().flatten().find_map(|it| it.cached_tokens.0).unwrap_or_default();
        usage.reasoning_tokens =
            wire.output_tokens_details.and_then(|it| it.reasoning_tokens.0).unwrap_or_default();
        usage
    }
}

impl Decoder {
    /// `accumulates` is whether each piece has all that was said so far.
    pub(super) fn new(peer: Peer, accumulates: bool) -> Self {
        let said = accumulates.then(Said::default);
        Self { inner: openai::Decoder::new(peer.clone(), "audio/wav".into()), peer, said }
    }

    /// Whether the data had an answer in it.
    fn take(&mut self, data: &[u8], out: &mut VecDeque<ModelDelta>) -> Result<bool> {
        let envelope: Envelope<'_> =
            serde_json::from_slice(data).map_err(|error| self.peer.no_chunk(data, &error))?;
        let Envelope { output, usage, code, message } = envelope;
        let is_failed = code.is_some_and(|code| !code.is_empty());
        if is_failed || (output.choices.is_empty() && message.is_some_and(|it| !it.is_null())) {
            return Err(self.peer.in_band(data));
        }
        let mut choices = output.choices;
        if !output.text.text.is_empty() || output.finish_reason.is_some() {
            choices.push(Choice::of_text(output.text, output.finish_reason));
        }
        let answered = !choices.is_empty();
        for mut choice in choices {
            choice.delta = choice.message.take().or(choice.delta.take());
            // Until it has a reason, it says so in words.
            if choice.finish_reason.as_ref().is_some_and(|reason| &**reason == "null") {
                choice.finish_reason = None;
            }
            if choice.index.unwrap_or(0) == 0 {
                if let (Some(said), Some(delta)) = (&mut self.said, &mut choice.delta) {
                    said.cut(delta);
                }
                self.inner.choice(&mut choice, out)?;
            }
        }
        if let Some(usage) = usage {
            out.push_back(ModelDelta::Usage(usage.into()));
        }
        Ok(answered)
    }
}

impl Decode for Decoder {
    fn frame(&mut self, event: &[u8], data: &[u8], out: &mut VecDeque<ModelDelta>) -> Result<()> {
        let data = data.trim_ascii();
        if data.is_empty() || self.is_ended() {
            return Ok(());
        }
        if event == b"error" {
            return Err(self.peer.in_band(data));
        }
        self.take(data, out).map(drop)
    }

    fn whole(&mut self, body: &[u8], out: &mut VecDeque<ModelDelta>) -> Result<()> {
        if !self.take(body, out)? {
            return Err(self.peer.no_answer("output"));
        }
        self.inner.done(out)
    }

    fn end(&mut self, out: &mut VecDeque<ModelDelta>) -> Result<()> {
        self.inner.end(out)
    }

    fn is_finished(&self) -> bool {
        self.inner.is_finished()
    }

    fn is_ended(&self) -> bool {
        self.inner.is_ended()
    }
}
