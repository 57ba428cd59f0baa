//! A message is the fold of its events: the same here, on the far side of a wire, on replay and in every store.

use super::{CallState, ContentBlock, Media, Msg, Source, ToolCall, ToolResult, ToolState, Usage};
use crate::event::{Event, EventKind};
use serde_json::Value;
use std::{collections::HashSet, sync::Arc};

/// How to take back what was folded since the reply began, for [`EventKind::Rewind`]. Empty when the reply has ended.
#[derive(Clone, Default)]
pub(super) struct Trail(Vec<(u64, Undo)>);

#[derive(Clone)]
enum Undo {
    /// The block at this place was added.
    Added(usize),
    /// A call was in this state, and had these arguments if they were edited.
    State(usize, CallState, Option<String>),
    /// The result at this place was another one; without its output if it was running, see [`Msg::rewind`].
    Result(usize, Box<ToolResult>),
    /// So much had been used.
    Usage(Option<Usage>),
    /// This was the output.
    Output(Option<Value>),
}

impl std::fmt::Debug for Trail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} steps", self.0.len())
    }
}

/// How a message came to be is no part of what it says.
impl PartialEq for Trail {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Msg {
    /// Folds one event in.
    ///
    /// Events are folded in the order of their `seq`, each once. What does not concern the message (`Custom`, `Inner`, `Slot`,
    /// unknown ones) is skipped. A delta that names no block of its kind, as after an event that this version does not know,
    /// continues the last block if that is of its kind, and begins one otherwise.
    ///
    /// After a `Rewind` to an event that ended a step, the message is what it was after that event, but that results which
    /// were still running are empty: their tools are run again or closed. So whoever saw what was lost has the same message as
    /// who did not. What is before the last `Resumed` or `ReplyEnd` is not taken back.
    pub fn apply(&mut self, event: &Event) {
        let seq = event.seq;
        match &event.kind {
            EventKind::ReplyStart { name, role, timestamp, .. } => {
                if self.id != event.reply_id {
                    // A middleware that asks again gives the events of one reply after those of another.
                    (self.content, self.usage, self.output) = (Vec::new(), None, None);
                    self.metadata.clear();
                    self.trail.0.clear();
                }
                self.id = event.reply_id.clone();
                self.name = name.clone();
                self.role = *role;
                self.timestamp = timestamp.clone();
                self.finish = None;
            }
            EventKind::Resumed { msg, .. } => {
                *self = Msg::clone(msg);
                self.trail.0.clear();
            }
            EventKind::ModelEnd { usage: Some(usage), .. } => {
                self.trail.0.push((seq, Undo::Usage(self.usage)));
                *self.usage.get_or_insert_default() += *usage;
            }
            EventKind::TextDelta { block, delta } => {
                match self.block(*block, |it| matches!(it, ContentBlock::Text { .. })) {
                    Some(ContentBlock::Text { text, .. }) => text.push_str(delta),
                    _ => self.add(seq, ContentBlock::text(delta)),
                }
            }
            EventKind::ThinkingDelta { block, delta } => {
                match self.block(*block, |it| matches!(it, ContentBlock::Thinking { .. })) {
                    Some(ContentBlock::Thinking { thinking, .. }) => thinking.push_str(delta),
                    _ => self.add(seq, ContentBlock::thinking(delta)),
                }
            }
            EventKind::MediaDelta { block, media_type, delta } => {
                match self.block(*block, |it| it.media().is_some_and(Media::is_inline)) {
                    Some(
                        ContentBlock::Image(Media { source: Source::Base64 { data, .. }, .. })
                        | ContentBlock::Audio(Media { source: Source::Base64 { data, .. }, .. })
                        | ContentBlock::Video(Media { source: Source::Base64 { data, .. }, .. })
                        | ContentBlock::File(Media { source: Source::Base64 { data, .. }, .. }),
                    ) => data.push_str(delta),
                    _ => self.add(seq, Media::base64(media_type, delta).into()),
                }
            }
            EventKind::Extra { block, key, value } => {
                let block = self.content.get_mut(*block as usize);
                if let Some(extra) = block.and_then(ContentBlock::extra_mut) {
                    extra.set(key, value.clone());
                }
            }
            EventKind::ToolCallDelta { block, id, name, delta } => {
                match self.block(*block, |it| matches!(it, ContentBlock::ToolCall(call) if call.id == *id)) {
                    Some(ContentBlock::ToolCall(call)) => call.input.push_str(delta),
                    _ => self.add(seq, ToolCall::new(id, name, delta).into()),
                }
            }
            EventKind::ToolCall(call) => self.add(seq, call.clone().into()),
            EventKind::ToolCallState { id, state, input } => self.set_state(seq, id, state, input.as_deref()),
            EventKind::ToolResultDelta { id, name, delta } => {
                let at = self.result_place(id).unwrap_or_else(|place| {
                    self.insert(seq, place, ToolResult::new(id, name, ToolState::Running, Vec::new()));
                    place
                });
                if let Some(ContentBlock::ToolResult(result)) = self.content.get_mut(at)
                    && result.state == ToolState::Running
                {
                    for block in delta {
                        ContentBlock::append(&mut result.output, block);
                    }
                }
            }
            EventKind::ToolResult(result) => match self.result_place(&result.id) {
                Ok(at) => {
                    if let Some(ContentBlock::ToolResult(it)) = self.content.get_mut(at) {
                        let mut before = std::mem::replace(it, result.clone());
                        if before.state == ToolState::Running {
                            before.output = Vec::new();
                        }
                        self.trail.0.push((seq, Undo::Result(at, Box::new(before))));
                    }
                }
                Err(place) => self.insert(seq, place, result.clone()),
            },
            EventKind::Block { block } => self.add(seq, block.clone()),
            EventKind::Hint { text } => {
                self.add(seq, ContentBlock::Hint { text: text.clone(), extra: super::Extra::default() });
            }
            EventKind::Heard { msg } => self.add(seq, ContentBlock::Heard(Arc::clone(msg))),
            EventKind::Output { value } => {
                let before = self.output.replace(value.clone());
                self.trail.0.push((seq, Undo::Output(before)));
            }
            EventKind::Rewind { to_seq } => self.rewind(*to_seq),
            EventKind::ReplyEnd { finish, metadata } => {
                self.metadata.extend((**metadata).clone());
                self.finish = Some(finish.clone());
                self.trail.0 = Vec::new();
            }
            EventKind::ModelStart { .. }
            | EventKind::ModelEnd { usage: None, .. }
            | EventKind::Slot { .. }
            | EventKind::Inner { .. }
            | EventKind::RequireConfirm { .. }
            | EventKind::RequireExternal { .. }
            | EventKind::Custom { .. }
            | EventKind::Other(_) => {}
        }
    }

    /// Puts all open calls into `state`, for tests of what comes next.
    pub(crate) fn set_call_states(&mut self, state: &CallState) {
        let open: Vec<_> = self.open_calls().map(|call| call.id.clone()).collect();
        for block in &mut self.content {
            if let ContentBlock::ToolCall(call) = block
                && open.contains(&call.id)
            {
                call.state = state.clone();
            }
        }
    }

    /// The block that a delta continues: the one that it names; the last one if it names none that `fits`. `None` if it begins
    /// a block.
    fn block(&mut self, named: u32, fits: impl Fn(&ContentBlock) -> bool) -> Option<&mut ContentBlock> {
        let (named, len) = (named as usize, self.content.len());
        let at = match self.content.get(named) {
            Some(block) if fits(block) => named,
            None if named == len => return None,
            _ => len.checked_sub(1)?,
        };
        self.content.get_mut(at).filter(|block| fits(block))
    }

    fn add(&mut self, seq: u64, block: ContentBlock) {
        self.trail.0.push((seq, Undo::Added(self.content.len())));
        if self.content.capacity() == 0 {
            self.content.reserve_exact(1); // most messages have one block, and many are kept for long
        }
        self.content.push(block);
    }

    fn insert(&mut self, seq: u64, place: usize, result: ToolResult) {
        self.trail.0.push((seq, Undo::Added(place)));
        self.content.insert(place, result.into());
    }

    fn call_place(&self, id: &str) -> Option<usize> {
        self.content
            .iter()
            .rposition(|block| matches!(block, ContentBlock::ToolCall(call) if *call.id == *id))
    }

    fn set_state(&mut self, seq: u64, id: &str, state: &CallState, input: Option<&str>) {
        let Some(at) = self.call_place(id) else { return };
        let running = |block: &ContentBlock| matches!(block, ContentBlock::ToolResult(it) if *it.id == *id && it.state == ToolState::Running);
        if *state == CallState::Started
            && let Some(stale) = self.content.iter().skip(at).position(running)
            && let Some(ContentBlock::ToolResult(result)) = self.content.get_mut(at + stale)
        {
            result.output.clear();
        }
        if let Some(ContentBlock::ToolCall(call)) = self.content.get_mut(at) {
            let before = std::mem::replace(&mut call.state, state.clone());
            let edited = input.map(|input| std::mem::replace(&mut call.input, input.to_owned()));
            self.trail.0.push((seq, Undo::State(at, before, edited)));
        }
    }

    /// Where the result of the call is, or where it goes: after the calls of its round, in their order.
    fn result_place(&self, id: &str) -> Result<usize, usize> {
        let Some(call) = self.call_place(id) else {
            let is_it = |block: &ContentBlock| matches!(block, ContentBlock::ToolResult(it) if *it.id == *id);
            return self.content.iter().rposition(is_it).ok_or(self.content.len());
        };
        let mut later_calls = HashSet::new();
        let mut in_results = false;
        for (at, block) in self.content.iter().enumerate().skip(call + 1) {
            match block {
                ContentBlock::ToolResult(result) if *result.id == *id => return Ok(at),
                ContentBlock::ToolResult(result) if later_calls.contains(&*result.id) => return Err(at),
                ContentBlock::ToolResult(_) => in_results = true,
                ContentBlock::ToolCall(call) if !in_results => {
                    later_calls.insert(&*call.id);
                }
                _ if in_results => return Err(at),
                _ => {}
            }
        }
        Err(self.content.len())
    }

    /// Takes back what was folded after `to_seq`.
    pub(crate) fn rewind(&mut self, to_seq: u64) {
        while let Some((_, undo)) = self.trail.0.pop_if(|(seq, _)| *seq > to_seq) {
            match undo {
                Undo::Added(at) if at < self.content.len() => {
                    self.content.remove(at);
                }
                Undo::Added(_) => {}
                Undo::State(at, before, edited) => {
                    if let Some(ContentBlock::ToolCall(call)) = self.content.get_mut(at) {
                        call.state = before;
                        call.input = edited.unwrap_or_else(|| std::mem::take(&mut call.input));
                    }
                }
                Undo::Result(at, before) => {
                    if let Some(ContentBlock::ToolResult(result)) = self.content.get_mut(at) {
                        *result = *before;
                    }
                }
                Undo::Usage(before) => self.usage = before,
                Undo::Output(before) => self.output = before,
            }
        }
        for block in &mut self.content {
            if let ContentBlock::ToolResult(result) = block
                && result.state == ToolState::Running
            {
                result.output.clear(); // it is run again or closed; how much was seen of it differs from reader to reader
            }
        }
        self.finish = None;
    }
}

impl EventKind {
    /// Whether the fold of a message does anything with it.
    pub(crate) fn changes_message(&self) -> bool {
        !matches!(
            self,
            Self::ModelStart { .. }
                | Self::ModelEnd { usage: None, .. }
                | Self::Slot { .. }
                | Self::Inner { .. }
                | Self::RequireConfirm { .. }
                | Self::RequireExternal { .. }
                | Self::Custom { .. }
                | Self::Other(_)
        )
    }
}

impl ContentBlock {
    /// Adds `block` to `blocks`; words without further fields join the words before them. So a tool's output is put together.
    ///
    /// ```
    /// use agentscope_core::ContentBlock;
    ///
    /// let mut blocks = vec![ContentBlock::text("one ")];
    /// ContentBlock::append(&mut blocks, &ContentBlock::text("two"));
    /// assert_eq!(blocks, [ContentBlock::text("one two")]);
    /// ```
    pub fn append(blocks: &mut Vec<ContentBlock>, block: &ContentBlock) {
        match (blocks.last_mut(), block) {
            (Some(Self::Text { text, extra }), Self::Text { text: more, extra: none })
                if extra.is_empty() && none.is_empty() =>
            {
                text.push_str(more);
            }
            _ => blocks.push(block.clone()),
        }
    }
}

impl From<Media> for ContentBlock {
    fn from(media: Media) -> Self {
        match media.media_type().split('/').next() {
            Some("image") => Self::Image(media),
            Some("audio") => Self::Audio(media),
            Some("video") => Self::Video(media),
            _ => Self::File(media),
        }
    }
}
