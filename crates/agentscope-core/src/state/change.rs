//! A state is the fold of its changes.

use super::{AgentState, InboxSeq, OpenReply};
use crate::{
    event::{Event, EventKind},
    id::{MsgId, Name, ReplyId},
    message::{CallState, Finish, Msg, ToolState},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;

/// A message of a conversation, and what is marked on it.
///
/// ```
/// use agentscope_core::{AgentState, Change, Msg};
///
/// let mut state = AgentState::default();
/// let msg = Msg::user("hi");
/// let mark = Change::Mark { ids: vec![msg.id.clone()], mark: "compressed".into(), on: true };
/// state.apply(&Change::message(msg));
/// state.apply(&mark);
/// assert_eq!(state.context[0].marks[0], "compressed");
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Entry {
    /// The message.
    pub msg: Arc<Msg>,
    /// Marks, such as `compressed`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<Name>,
}

/// A change of a state, in the form in which stores keep it.
///
/// ```
/// use agentscope_core::{AgentState, Change};
/// use serde_json::json;
///
/// let mut state = AgentState::default();
/// state.apply(&Change::Slot { key: "theme".into(), value: json!("dark") });
/// assert_eq!(state.slots["theme"], "dark");
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Change {
    /// A message joins the conversation.
    Message {
        /// The message.
        msg: Arc<Msg>,
    },
    /// Something happened in a reply.
    Event {
        /// What.
        event: Event,
    },
    /// The open reply is taken up again.
    Reopen {
        /// The reply.
        reply_id: ReplyId,
        /// Its new epoch.
        epoch: u64,
    },
    /// A slot is set, or removed by `null`.
    Slot {
        /// The slot.
        key: Name,
        /// Its new value.
        value: Value,
    },
    /// A mark is put on messages, or taken off.
    Mark {
        /// The messages.
        ids: Vec<MsgId>,
        /// The mark.
        mark: Name,
        /// Whether it is put on.
        on: bool,
    },
    /// Older messages become a summary.
    Compact {
        /// The summary, which replaces the former one.
        summary: String,
        /// The last message that it covers.
        upto: MsgId,
    },
    /// Messages were taken from the inbox.
    Taken {
        /// The last one.
        upto: InboxSeq,
    },
}

impl Change {
    /// A message joins the conversation.
    pub fn message(msg: impl Into<Arc<Msg>>) -> Self {
        Self::Message { msg: msg.into() }
    }

    /// Takes `next` into this change if both are deltas of one block; otherwise gives it back.
    ///
    /// # Errors
    /// `next` itself, where the two do not join.
    #[expect(clippy::result_large_err, reason = "it gives back what it was given")]
    pub fn join(&mut self, next: Change) -> Result<(), Change> {
        match (self, next) {
            (Self::Event { event }, Self::Event { event: next }) => {
                event.join(next).map_err(|event| Self::Event { event })
            }
            (_, next) => Err(next),
        }
    }
}

impl AgentState {
    /// Folds one change in.
    pub fn apply(&mut self, change: &Change) {
        match change {
            Change::Message { msg } => self.push(Arc::clone(msg)),
            Change::Event { event } => self.apply_event(event),
            Change::Reopen { reply_id, epoch } => {
                if let Some(open) = self.open.as_mut().filter(|open| open.msg.id == *reply_id) {
                    open.epoch = *epoch;
                    Arc::make_mut(&mut open.msg).finish = None;
                }
            }
            Change::Slot { key, value } => self.set_slot(key, value),
            Change::Mark { ids, mark, on } => {
                for entry in self.context.iter_mut().filter(|entry| ids.contains(&entry.msg.id)) {
                    entry.marks.retain(|it| it != mark);
                    if *on {
                        entry.marks.push(mark.clone());
                    }
                }
            }
            Change::Compact { summary, upto } => {
                // A message that is not there is covered already.
                if let Some(covered) = self.context.iter().position(|entry| entry.msg.id == *upto) {
                    self.context.drain(..=covered);
                    self.summary.clone_from(summary);
                }
            }
            Change::Taken { upto } => self.taken = self.taken.max(*upto),
        }
    }

    /// Folds one event of the open reply in; those of other replies are skipped.
    ///
    /// A slot takes effect with the success of the call that set it in its last run. `Rewind` concerns the message alone: what a
    /// state has was committed, and a reply is taken up again from there.
    pub fn apply_event(&mut self, event: &Event) {
        if let EventKind::ReplyStart { name, role, max_iters, output_schema, .. } = &event.kind {
            let mut msg = Msg::with_id(event.reply_id.clone(), name.clone(), *role, Vec::new());
            msg.apply(event);
            self.open = Some(Box::new(OpenReply {
                msg: Arc::new(msg),
                epoch: event.epoch,
                next_seq: event.seq.saturating_add(1),
                iters: 0,
                max_iters: *max_iters,
                output_schema: output_schema.clone(),
                unsettled: Vec::new(),
            }));
            return;
        }
        let Some(open) = self.open.as_mut().filter(|open| open.msg.id == event.reply_id) else { return };
        open.epoch = event.epoch;
        open.next_seq = event.seq.saturating_add(1);
        if event.kind.changes_message() {
            Arc::make_mut(&mut open.msg).apply(event); // copies it where somebody else holds it
        }
        match &event.kind {
            EventKind::ModelStart { .. } => open.iters = open.iters.saturating_add(1),
            EventKind::ToolCallState { id, state: CallState::Started, .. } => {
                open.unsettled.retain(|(call, ..)| call != id); // what an earlier run set goes with its output
            }
            EventKind::Slot { call_id, key, value } => {
                open.unsettled.push((call_id.clone(), key.clone(), value.clone()));
            }
            EventKind::ToolResult(result) => {
                let success = result.state == ToolState::Success;
                let settled = open.unsettled.extract_if(.., |(call, ..)| *call == result.id);
                for (_, key, value) in settled.filter(|_| success).collect::<Vec<_>>() {
                    self.set_slot(&key, &value);
                }
            }
            EventKind::ReplyEnd { finish, .. } if *finish != Finish::Waiting => {
                let msg = Arc::clone(&open.msg);
                self.open = None;
                self.push(msg);
            }
            _ => {}
        }
    }

    fn push(&mut self, msg: Arc<Msg>) {
        self.context.push(Entry { msg, marks: Vec::new() });
    }

    fn set_slot(&mut self, key: &Name, value: &Value) {
        let slots = Arc::make_mut(&mut self.slots);
        if value.is_null() {
            slots.remove(key);
        } else {
            slots.insert(key.clone(), value.clone());
        }
    }
}
