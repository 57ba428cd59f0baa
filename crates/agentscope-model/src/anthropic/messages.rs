//! The turns of a conversation as messages of a user and an assistant, which take turns.

use super::{
    decode::{REDACTED, SIGNATURE},
    part::{Block, CacheControl, EPHEMERAL, Kind},
};
use crate::{
    conversation::{
        Answered, CallIds, Content, NOTHING_TO_SAY, Part, Turn, WriteTurns, arguments, unseen_file,
        write_turns,
    },
    http::Ask,
    wire::UNSHOWN,
};
use agentscope_core::{ContentBlock, Error, ErrorKind, Result, ToolState};
use serde::Serialize;
use serde_json::Value;
use std::convert::Infallible;

/// What a conversation begins with that begins with words of the model: the API wants a user's first.
const BEGIN: &str = "<system-info>The conversation begins with your own words.</system-info>";

/// What a conversation ends with that ends with words of the model. The API would take them for the beginning of its answer, or
/// refuse them.
const GO_ON: &str = "<system-info>Go on.</system-info>";

/// A conversation on the wire.
#[derive(Default)]
pub(super) struct Conversation<'a> {
    pub(super) system: Vec<Block<'a>>,
    pub(super) messages: Vec<Message<'a>>,
}

#[derive(Debug, Serialize)]
pub(super) struct Message<'a> {
    role: Speaker,
    content: Vec<Block<'a>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Speaker {
    User,
    Assistant,
}

impl<'a> Conversation<'a> {
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if it has no words.
    pub(super) fn of(ask: &Ask<'a>, cache: bool) -> Result<Self> {
        let mut writer = Writer { ask: *ask, talk: Self::default(), ids: CallIds::default() };
        let Ok(()) = write_turns(ask, &mut writer);
        let mut talk = writer.talk;
        talk.end_message();
        if talk.messages.is_empty() && talk.system.is_empty() {
            let message = format!("the request cannot be written: {NOTHING_TO_SAY}");
            return Err(Error::new(ErrorKind::InvalidInput, message));
        }
        let said = |role, text| Message { role, content: Block::text(text).into_iter().collect() };
        if talk.messages.last().is_none_or(|last| last.role == Speaker::Assistant) {
            talk.messages.push(said(Speaker::User, GO_ON));
        }
        if talk.messages.first().is_some_and(|first| first.role == Speaker::Assistant) {
            talk.messages.insert(0, said(Speaker::User, BEGIN));
        }
        if cache {
            talk.mark();
        }
        Ok(talk)
    }

    /// Marks what is to be kept: the instructions, with the tools before them, and the conversation until its last message, and
    /// until the one before, where the mark of the last request was.
    fn mark(&mut self) {
        let mark = |block: Option<&mut Block<'a>>| {
            if let Some(block) = block {
                block.cache_control = Some(EPHEMERAL);
            }
        };
        mark(self.system.last_mut());
        let users = self.messages.iter_mut().rev().filter(|message| message.role == Speaker::User);
        users.take(2).for_each(|message| mark(message.content.last_mut()));
    }

    /// Whether the model's last words are calls that begin with no thought: one that came from elsewhere, or without thinking.
    pub(super) fn calls_without_thought(&self) -> bool {
        let last = self.messages.iter().rev().find(|message| message.role == Speaker::Assistant);
        last.is_some_and(|last| {
            last.content.iter().any(|block| matches!(block.kind, Kind::ToolUse { .. }))
                && !last.content.first().is_some_and(Block::is_thought)
        })
    }

    fn put(&mut self, role: Speaker, blocks: impl IntoIterator<Item = Block<'a>>) {
        let mut blocks = blocks.into_iter().peekable();
        if blocks.peek().is_none() {
            return;
        }
        if self.messages.last().is_none_or(|last| last.role != role) {
            self.end_message();
            self.messages.push(Message { role, content: Vec::new() });
        }
        if let Some(last) = self.messages.last_mut() {
            last.content.extend(blocks);
        }
    }

    /// A message must not end with thoughts.
    fn end_message(&mut self) {
        let Some(last) = self.messages.last_mut() else { return };
        while last.content.last().is_some_and(Block::is_thought) {
            last.content.pop();
        }
        if last.content.is_empty() {
            self.messages.pop();
        }
    }
}

struct Writer<'a> {
    ask: Ask<'a>,
    talk: Conversation<'a>,
    ids: CallIds<'a>,
}

impl<'a> WriteTurns<'a> for Writer<'a> {
    type Error = Infallible;

    fn turn(&mut self, turn: Turn<'a>) -> Result<(), Infallible> {
        match turn {
            Turn::System { content, .. } => {
                let texts = content.into_parts(&self.ask).into_iter().filter_map(|part| match part {
                    Part::Text(text) => Block::text(text),
                    Part::Image(_) => Block::text(unseen_file("an image", "in the instructions")),
                    Part::File { name, .. } => Block::text(unseen_file("a file", name)),
                    Part::Audio(_) | Part::Video(_) => None,
                });
                self.talk.system.extend(texts);
            }
            Turn::User { content, .. } => self.user(content),
            Turn::Assistant { blocks, .. } => {
                let blocks: Vec<_> = blocks.iter().filter_map(|block| self.own(block)).collect();
                self.talk.put(Speaker::Assistant, blocks);
            }
            Turn::Results(results) => {
                let mut shown = Vec::new();
                let results: Vec<_> =
                    results.into_iter().map(|result| self.result(&result, &mut shown)).collect();
                self.talk.put(Speaker::User, results);
                self.talk.put(Speaker::User, shown);
            }
        }
        Ok(())
    }
}

impl<'a> Writer<'a> {
    fn user(&mut self, content: Content<'a>) {
        let parts = content.into_parts(&self.ask);
        self.talk.put(Speaker::User, parts.into_iter().filter_map(Block::of));
    }

    /// What the model said, in its order. Thoughts without a signature are left out: the API refuses them, and 1.x sends them.
    fn own(&mut self, block: &'a ContentBlock) -> Option<Block<'a>> {
        match block {
            ContentBlock::Text { text, .. } => Block::text(text),
            ContentBlock::Thinking { .. } if self.ask.without_thoughts => None,
            ContentBlock::Thinking { thinking, extra } => {
                let text = |key| extra.get(key).and_then(Value::as_str).filter(|it| !it.is_empty());
                if let Some(data) = text(REDACTED) {
                    return Some(Kind::RedactedThinking { data }.into());
                }
                let thinking = if thinking == UNSHOWN { "" } else { thinking };
                text(SIGNATURE).map(|signature| Kind::Thinking { thinking, signature }.into())
            }
            ContentBlock::ToolCall(call) => {
                let input = serde_json::from_str(arguments(call)).unwrap_or_default();
                let (id, name) = (self.ids.call(&call.id), self.ask.tool_name(&call.name));
                Some(Kind::ToolUse { id, name, input }.into())
            }
            _ => None,
        }
    }

    /// A result, with its images in place. The API takes only words of one that failed: its images are `shown` behind the results.
    fn result(&mut self, result: &Answered<'a>, shown: &mut Vec<Block<'a>>) -> Block<'a> {
        let failed = |state: &ToolState| {
            matches!(state, ToolState::Error | ToolState::Interrupted | ToolState::Denied)
        };
        let is_error = result.result.is_some_and(|result| failed(&result.state));
        let content = if is_error {
            shown.extend(result.images(&self.ask).into_iter().filter_map(Block::of));
            Block::text(result.text.clone()).into_iter().collect()
        } else {
            result.parts(&self.ask).into_iter().filter_map(Block::of).collect()
        };
        Kind::ToolResult { tool_use_id: self.ids.result(result.id), content, is_error }.into()
    }
}

/// The mark of the last tool, where no instructions come behind it.
pub(super) fn mark_of_tools(talk: &Conversation<'_>, cache: bool) -> Option<CacheControl> {
    (cache && talk.system.is_empty()).then_some(EPHEMERAL)
}
