use super::{AgentState, SessionKey, Slot, read_slot};
use crate::{id::Name, message::Msg};
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc};

/// A conversation as it was when a thought began: read-only, owned, cheap to clone. Middleware, toolsets and tools see it.
///
/// ```
/// use agentscope_core::{AgentState, Change, Msg};
///
/// let mut state = AgentState::default();
/// state.apply(&Change::message(Msg::user("hi")));
/// let view = state.view();
/// state.apply(&Change::message(Msg::user("again")));
/// assert_eq!(view.messages().len(), 1);
/// ```
#[derive(Clone, Debug, Default)]
pub struct View(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    key: SessionKey,
    summary: String,
    messages: Vec<Arc<Msg>>,
    slots: Arc<BTreeMap<Name, Value>>,
    iters: u32,
}

impl View {
    /// Which conversation.
    pub fn key(&self) -> &SessionKey {
        &self.0.key
    }

    /// What was compacted away, in words.
    pub fn summary(&self) -> &str {
        &self.0.summary
    }

    /// What was said, oldest first, the open reply as the last one.
    pub fn messages(&self) -> &[Arc<Msg>] {
        &self.0.messages
    }

    /// The raw value of a slot.
    pub fn slot_value(&self, name: &str) -> Option<&Value> {
        self.0.slots.get(name)
    }

    /// The value of a slot; its default where it was never set.
    ///
    /// # Errors
    /// If what is in the slot does not fit the type.
    pub fn slot<S: Slot>(&self) -> crate::Result<S> {
        read_slot(&self.0.slots)
    }

    /// How often a model was asked in the open reply.
    pub fn iters(&self) -> u32 {
        self.0.iters
    }
}

impl AgentState {
    /// The conversation as it is now. Copies pointers.
    pub fn view(&self) -> View {
        let mut messages = Vec::with_capacity(self.context.len() + 1);
        messages.extend(self.said().cloned());
        View(Arc::new(Inner {
            key: self.key.clone(),
            summary: self.summary.clone(),
            messages,
            slots: Arc::clone(&self.slots),
            iters: self.open.as_ref().map_or(0, |open| open.iters),
        }))
    }
}
