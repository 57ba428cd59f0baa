//! An answer by its paths.

use super::PostApi;
use crate::{
    http::{Decode, Peer},
    wire::Shape,
};
use agentscope_core::{Error, ErrorKind, FinishReason, ModelDelta, Result, Usage};
use serde_json::Value;
use std::collections::VecDeque;

/// The number of the block of words, and of that of thoughts before it.
const FIRST: u32 = 0;

pub(super) struct Decoder {
    format: PostApi,
    peer: Peer,
    /// How much was given away of words and thoughts, where each piece has all of them.
    said: [usize; 2],
    /// The block of thoughts, and that of words, once they have begun.
    blocks: [Option<u32>; 2],
    next: u32,
    /// The arguments of a call are not whole.
    is_cut: bool,
    finish: Option<FinishReason>,
    ended: bool,
}

impl Decoder {
    pub(super) fn new(format: PostApi, peer: Peer) -> Self {
        Self {
            format,
            peer,
            said: [0; 2],
            blocks: [None; 2],
            next: FIRST,
            is_cut: false,
            finish: None,
            ended: false,
        }
    }

    /// Whether there was anything of an answer.
    fn take(&mut self, data: &[u8], out: &mut VecDeque<ModelDelta>) -> Result<bool> {
        let value: Value = serde_json::from_slice(data).map_err(|error| self.peer.no_chunk(data, &error))?;
        let format = &self.format;
        if let Some(error) = format.error.find(&value).filter(|it| !is_nothing(it)) {
            return Err(self.peer.reported(error));
        }
        let thoughts = format.thinking.as_ref().and_then(|path| text_of(path.find(&value)?));
        let words = format.text.iter().find_map(|path| text_of(path.find(&value)?));
        let calls = format.tool_calls.find(&value).and_then(Value::as_array).cloned().unwrap_or_default();
        let reason = format.finish.find(&value).and_then(Value::as_str).map(reason_of);
        let count = |path: &super::Path| path.find(&value).and_then(Value::as_u64);
        let usage = (count(&format.usage.0), count(&format.usage.1));
        let has_answer = words.is_some() || !calls.is_empty();
        for (at, text) in [thoughts, words].into_iter().enumerate() {
            if let Some(text) = text {
                self.say(at, text, out);
            }
        }
        for call in &calls {
            let block = self.begin();
            out.push_back(self.call(block, call)?);
        }
        if let (Some(input), output) | (None, output @ Some(input)) = usage {
            let input = if usage.0.is_some() { input } else { 0 };
            out.push_back(ModelDelta::Usage(Usage::new(input, output.unwrap_or_default())));
        }
        self.finish = reason.or(self.finish.take());
        Ok(has_answer)
    }

    /// Words (1) or thoughts (0).
    fn say(&mut self, at: usize, text: String, out: &mut VecDeque<ModelDelta>) {
        let (Some(said), Some(known)) = (self.said.get_mut(at), self.blocks.get(at).copied()) else { return };
        let delta = if self.format.cumulative {
            let more = text.get(*said..).unwrap_or_default().to_owned();
            *said = text.len().max(*said);
            more
        } else {
            text
        };
        if delta.is_empty() {
            return;
        }
        let block = known.unwrap_or_else(|| self.begin());
        if let Some(known) = self.blocks.get_mut(at) {
            *known = Some(block);
        }
        out.push_back(match at {
            0 => ModelDelta::Thinking { block, delta },
            _ => ModelDelta::Text { block, delta },
        });
    }

    fn call(&mut self, block: u32, call: &Value) -> Result<ModelDelta> {
        let inner = call.get("function").unwrap_or(call);
        let name = inner.get("name").and_then(Value::as_str).unwrap_or_default();
        if name.is_empty() {
            let message = format!("{} called a tool without a name", self.peer);
            return Err(Error::new(ErrorKind::Protocol, message));
        }
        let arguments = ["arguments", "input", "parameters"].iter().find_map(|key| inner.get(*key));
        let arguments = match arguments {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Null) | None => "{}".to_owned(),
            Some(other) => other.to_string(),
        };
        self.is_cut |= !Shape::is_whole_in(&arguments);
        let id = call.get("id").and_then(Value::as_str).unwrap_or_default();
        Ok(ModelDelta::tool_call(block, id, name, arguments))
    }

    fn begin(&mut self) -> u32 {
        self.next += 1;
        self.next - 1
    }

    fn done(&mut self, out: &mut VecDeque<ModelDelta>) {
        self.ended = true;
        // What is cut must not be taken for what the model meant.
        let reason = match self.finish.take().unwrap_or_default() {
            FinishReason::Stop if self.is_cut => FinishReason::Length,
            reason => reason,
        };
        out.push_back(ModelDelta::Finish { reason });
    }
}

impl Decode for Decoder {
    fn frame(&mut self, event: &[u8], data: &[u8], out: &mut VecDeque<ModelDelta>) -> Result<()> {
        let data = data.trim_ascii();
        if self.ended || data.is_empty() {
            return Ok(());
        }
        if data == b"[DONE]" {
            self.done(out);
            return Ok(());
        }
        if event == b"error" {
            return Err(self.peer.in_band(data));
        }
        self.take(data, out).map(drop)
    }

    fn whole(&mut self, body: &[u8], out: &mut VecDeque<ModelDelta>) -> Result<()> {
        if !self.take(body, out)? {
            let fields = serde_json::from_slice(body).map(|it: Value| fields_of(&it)).unwrap_or_default();
            let path = self.format.text.first().map(ToString::to_string).unwrap_or_default();
            let message = format!(
                "{} answered with JSON that has no text at `{path}`, but {fields}: correct it by `.text_at(..)`",
                self.peer
            );
            return Err(Error::new(ErrorKind::Protocol, message));
        }
        self.done(out);
        Ok(())
    }

    fn end(&mut self, out: &mut VecDeque<ModelDelta>) -> Result<()> {
        if self.ended {
            return Ok(());
        }
        // Nobody knows how this server ends its streams: what was said has to do.
        if self.next == FIRST {
            return Err(self.peer.broke_off("any words"));
        }
        self.done(out);
        Ok(())
    }

    fn is_finished(&self) -> bool {
        self.finish.is_some()
    }

    fn is_ended(&self) -> bool {
        self.ended
    }
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Null => None,
        Value::Array(parts) => {
            let texts = parts.iter().filter_map(|part| part.as_str().or_else(|| part.get("text")?.as_str()));
            Some(texts.collect())
        }
        other => Some(other.to_string()),
    }
}

fn reason_of(reason: &str) -> FinishReason {
    match reason {
        "length" | "max_tokens" => FinishReason::Length,
        "content_filter" | "safety" => FinishReason::ContentFilter,
        _ => FinishReason::Stop,
    }
}

fn is_nothing(error: &Value) -> bool {
    matches!(error, Value::Null | Value::Bool(false)) || error.as_str().is_some_and(str::is_empty)
}

/// What an answer has, for errors.
fn fields_of(value: &Value) -> String {
    match value {
        Value::Object(fields) if fields.is_empty() => "nothing".to_owned(),
        Value::Object(fields) => {
            let names =
                fields.keys().take(8).map(|key| format!("`{}`", key.chars().take(40).collect::<String>()));
            names.collect::<Vec<_>>().join(", ")
        }
        Value::Array(items) => format!("a list of {}", items.len()),
        _ => "one value".to_owned(),
    }
}
