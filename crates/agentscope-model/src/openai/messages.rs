//! The messages of a request, as turns of a user and an assistant or, where several speak, as a text with names.

use super::{
    encode::Body,
    part::{Part, Wire, WireCall, WireContent, joined, tool_name},
    transcript::{self, History},
};
use agentscope_core::{ContentBlock, ModelRequest, Msg, Role, ToolCall, ToolResult};
use serde::{
    Serialize, Serializer,
    ser::{Error as _, SerializeSeq},
};
use std::{borrow::Cow, collections::VecDeque};

/// What the model is told of a call whose result is not in the conversation. Providers refuse a call without one.
const NO_RESULT: &str = "The result of this call is not known.";

pub(super) struct Messages<'a>(pub(super) &'a Body<'a>);

impl Serialize for Messages<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let cx = self.0;
        let history = transcript::is_wanted(cx.req).then(History::default);
        let mut writer = Writer {
            seq: serializer.serialize_seq(None)?,
            cx,
            history,
            open: VecDeque::new(),
            promoted: Vec::new(),
            count: 0,
        };
        for (at, msg) in cx.req.messages.iter().enumerate() {
            writer.message(msg, at == 0)?;
        }
        writer.close()?;
        if writer.count == 0 {
            return Err(S::Error::custom(
                "it has no message with words, media or a tool's result: give at least one",
            ));
        }
        writer.seq.end()
    }
}

struct Writer<'a, S> {
    seq: S,
    cx: &'a Body<'a>,
    /// What was said since the last tool call, where it is told as one text.
    history: Option<History<'a>>,
    /// The calls that have no result yet.
    open: VecDeque<&'a ToolCall>,
    /// The images of results, which are shown when all results of the round are there: parallel results must not be torn apart.
    promoted: Vec<Part<'a>>,
    count: usize,
}

impl<'a, S: SerializeSeq> Writer<'a, S> {
    /// A message: runs of what was said, and results, hints and what was heard in between.
    fn message(&mut self, msg: &'a Msg, first: bool) -> Result<(), S::Error> {
        let mut rest = msg.content.as_slice();
        while let Some((head, tail)) = rest.split_first() {
            match head {
                ContentBlock::ToolResult(result) => self.result(result)?,
                ContentBlock::Hint { text, .. } => self.hint(text)?,
                ContentBlock::Heard(heard) => self.message(heard, false)?,
                _ => {
                    let end = rest.iter().position(is_border).unwrap_or(rest.len());
                    let (said, after) = rest.split_at(end);
                    self.said(msg, said, first)?;
                    rest = after;
                    continue;
                }
            }
            rest = tail;
        }
        Ok(())
    }

    fn said(&mut self, msg: &'a Msg, blocks: &'a [ContentBlock], first: bool) -> Result<(), S::Error> {
        let own = is_own(self.cx.req, msg);
        let calls = blocks.iter().any(|block| matches!(block, ContentBlock::ToolCall(_)));
        match (&mut self.history, msg.role) {
            (_, Role::System) if first => {}
            (Some(_), _) if calls => {}
            (Some(history), _) => {
                history.add(self.cx, &msg.name, blocks, own);
                return self.settle();
            }
            _ => {}
        }
        self.flush()?;
        let role = match msg.role {
            _ if calls => "assistant", // nobody else may call a tool
            Role::System if (first && self.count == 0) || self.cx.ways().system_anywhere => "system",
            Role::Assistant if own => "assistant",
            _ => "user",
        };
        let mut wire = Wire { role, ..Wire::default() };
        // The one text with names needs no names beside it, but for who calls.
        if self.cx.ways().names_and_parts && (self.history.is_none() || calls) {
            wire.name = participant(&msg.name);
        }
        wire.content = self.content(blocks, role == "assistant");
        if calls {
            wire.tool_calls = blocks.iter().filter_map(|block| WireCall::of(self.cx, block)).collect();
            if self.cx.ways().wants_thoughts {
                wire.reasoning_content = joined(blocks.iter().filter_map(|block| match block {
                    ContentBlock::Thinking { thinking, .. } => Some(thinking.as_str()),
                    _ => None,
                }));
            }
        }
        self.put(&wire)?;
        self.open.extend(blocks.iter().filter_map(|block| match block {
            ContentBlock::ToolCall(call) => Some(call),
            _ => None,
        }));
        Ok(())
    }

    fn content(&self, blocks: &'a [ContentBlock], assistant: bool) -> WireContent<'a> {
        let texts = || {
            blocks.iter().filter_map(|block| match block {
                ContentBlock::Text { text, .. } if !text.is_empty() => Some(text.as_str()),
                _ => None,
            })
        };
        let plain = blocks.iter().all(|block| block.media().is_none());
        if plain && !self.cx.ways().names_and_parts {
            return joined(texts()).map_or(WireContent::None, WireContent::Text);
        }
        let parts: Vec<_> = blocks.iter().filter_map(|block| Part::of(self.cx, block, assistant)).collect();
        WireContent::of(self.cx.ways(), parts)
    }

    /// A hint is shown as words of the user.
    fn hint(&mut self, text: &'a str) -> Result<(), S::Error> {
        if text.is_empty() {
            return Ok(());
        }
        if let Some(history) = &mut self.history {
            history.say("user", text);
            return self.settle();
        }
        self.user(vec![Part::Text(text.into())], Some("user"))
    }

    fn result(&mut self, result: &'a ToolResult) -> Result<(), S::Error> {
        let called = self.open.iter().position(|call| call.id == result.id);
        let text = transcript::result_text(self.cx, result);
        let Some(at) = called else {
            // Its call was left out of the conversation: providers refuse a result alone.
            let text =
                format!("<system-info>A tool, {}, had this result:\n{text}</system-info>", result.name);
            if let Some(history) = &mut self.history {
                history.say("system", text);
                return Ok(());
            }
            return self.user(vec![Part::Text(text.into())], None);
        };
        self.open.remove(at);
        self.tool(&result.id, &result.name, text)?;
        if self.cx.sees {
            transcript::promote(self.cx, result, &mut self.promoted);
        }
        if self.open.is_empty() { self.show_promoted() } else { Ok(()) }
    }

    fn tool(&mut self, id: &'a str, name: &'a str, text: Cow<'a, str>) -> Result<(), S::Error> {
        let name = self.cx.names_tools.then(|| tool_name(self.cx, name));
        let content = WireContent::Text(text);
        self.put(&Wire { role: "tool", tool_call_id: Some(id), name, content, ..Wire::default() })
    }

    fn user(&mut self, parts: Vec<Part<'a>>, name: Option<&'a str>) -> Result<(), S::Error> {
        self.settle()?;
        let ways = self.cx.ways();
        let name = name.filter(|_| ways.names_and_parts).map(Cow::Borrowed);
        self.put(&Wire { role: "user", name, content: WireContent::of(ways, parts), ..Wire::default() })
    }

    fn put(&mut self, wire: &Wire<'a>) -> Result<(), S::Error> {
        if matches!(wire.content, WireContent::None) && wire.tool_calls.is_empty() {
            return Ok(());
        }
        self.count += 1;
        self.seq.serialize_element(wire)
    }

    /// Gives the calls that are still open a result: something else is said now.
    fn settle(&mut self) -> Result<(), S::Error> {
        while let Some(call) = self.open.pop_front() {
            self.tool(&call.id, &call.name, NO_RESULT.into())?;
        }
        self.show_promoted()
    }

    fn show_promoted(&mut self) -> Result<(), S::Error> {
        if self.promoted.is_empty() {
            return Ok(());
        }
        let parts = std::mem::take(&mut self.promoted);
        let name = self.cx.ways().names_and_parts.then_some(Cow::Borrowed("user"));
        self.put(&Wire {
            role: "user",
            name,
            content: WireContent::of(self.cx.ways(), parts),
            ..Wire::default()
        })
    }

    /// Puts down what is said so far as one text.
    fn flush(&mut self) -> Result<(), S::Error> {
        self.settle()?;
        let Some(parts) = self.history.as_mut().and_then(|history| history.take(self.cx.ways())) else {
            return Ok(());
        };
        self.put(&Wire { role: "user", content: WireContent::of(self.cx.ways(), parts), ..Wire::default() })
    }

    fn close(&mut self) -> Result<(), S::Error> {
        self.flush()
    }
}

/// Whether a message was said by who shall answer.
pub(crate) fn is_own(req: &ModelRequest, msg: &Msg) -> bool {
    msg.role == Role::Assistant && (req.speaker.is_empty() || msg.name == req.speaker)
}

fn is_border(block: &ContentBlock) -> bool {
    matches!(block, ContentBlock::ToolResult(_) | ContentBlock::Hint { .. } | ContentBlock::Heard(_))
}

/// A name as OpenAI takes it: at most 64 characters, none of them white or one of `<|\/>`. 1.x sends it as it is, and is refused.
fn participant(name: &str) -> Option<Cow<'_, str>> {
    let fits =
        |it: char| !it.is_whitespace() && !it.is_control() && !matches!(it, '<' | '|' | '\\' | '/' | '>');
    if name.is_empty() {
        return None;
    }
    if name.len() <= 64 && name.chars().all(fits) {
        return Some(Cow::Borrowed(name));
    }
    Some(name.chars().take(64).map(|it| if fits(it) { it } else { '_' }).collect())
}
