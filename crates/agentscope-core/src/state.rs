//! State as data: a conversation with all that has to survive a crash, and the changes that make it.

mod change;
mod memory_store;
pub(crate) mod session;
mod store;
mod view;

pub use change::{Change, Entry};
pub use memory_store::MemoryStore;
pub use store::{InboxSeq, SessionFilter, StateStore, Stored, Version};
pub use view::View;

use crate::{
    id::{AgentId, Name},
    message::{Finish, Msg},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc};

/// Which conversation of which agent with whom. All four parts count: two tenants with equal session names never meet.
///
/// ```
/// let key = agentscope_core::SessionKey::new("chat-1").user("alice").agent("friday");
/// assert_eq!(key.to_string(), "/alice/friday/chat-1");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct SessionKey {
    /// For whom the program runs, empty where it runs for one alone.
    pub tenant: Name,
    /// With whom the agent talks.
    pub user: Name,
    /// The agent.
    pub agent: Name,
    /// The conversation.
    pub session: Name,
}

impl SessionKey {
    /// The conversation `session` of an agent that is named when it takes the key.
    pub fn new(session: impl Into<Name>) -> Self {
        Self { session: session.into(), ..Self::default() }
    }

    /// For this tenant.
    #[must_use]
    pub fn tenant(mut self, tenant: impl Into<Name>) -> Self {
        self.tenant = tenant.into();
        self
    }

    /// With this user.
    #[must_use]
    pub fn user(mut self, user: impl Into<Name>) -> Self {
        self.user = user.into();
        self
    }

    /// Of this agent.
    #[must_use]
    pub fn agent(mut self, agent: impl Into<Name>) -> Self {
        self.agent = agent.into();
        self
    }
}

impl From<&str> for SessionKey {
    fn from(session: &str) -> Self {
        Self::new(session)
    }
}

impl std::fmt::Display for SessionKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}/{}/{}", self.tenant, self.user, self.agent, self.session)
    }
}

/// All that an agent knows of a conversation. A plain value: it is the fold of its [`Change`]s, and [`crate::Step::of`] tells from
/// it alone what comes next.
///
/// ```
/// use agentscope_core::{AgentState, Change, Msg, Step};
///
/// let mut state = AgentState::default();
/// state.apply(&Change::message(Msg::user("hi")));
/// assert_eq!(state.messages().count(), 1);
/// let copy: AgentState = serde_json::from_str(&serde_json::to_string(&state)?)?;
/// assert_eq!(Step::of(&copy), Step::of(&state));
/// # Ok::<_, serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct AgentState {
    /// Which conversation.
    pub key: SessionKey,
    /// What was compacted away, in words; empty while nothing was.
    pub summary: String,
    /// What was said, oldest first; the open reply is not in it.
    pub context: Vec<Entry>,
    /// The reply that goes on or waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open: Option<Box<OpenReply>>,
    /// What tools and middleware keep.
    pub slots: Arc<BTreeMap<Name, Value>>,
    /// Messages up to this one were taken from the inbox.
    pub taken: InboxSeq,
}

/// A reply that goes on or waits.
///
/// ```
/// use agentscope_core::{AgentState, Event, EventKind, Msg};
///
/// let mut state = AgentState::default();
/// let start: Event = serde_json::from_str(
///     r#"{"reply_id":"r1","epoch":0,"seq":0,"type":"REPLY_START","name":"Friday","timestamp":"2026-07-20T07:41:54Z"}"#,
/// )?;
/// state.apply_event(&start);
/// let open = state.open.as_ref().unwrap();
/// assert_eq!((open.msg.name.as_str(), open.next_seq, open.iters), ("Friday", 1, 0));
/// # Ok::<_, serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct OpenReply {
    /// What it is so far.
    pub msg: Arc<Msg>,
    /// How often it was taken up again.
    pub epoch: u64,
    /// The place of the next event.
    pub next_seq: u64,
    /// How often a model was asked.
    pub iters: u32,
    /// How often it may be asked, not counting the summary that follows.
    pub max_iters: u32,
    /// The JSON schema of the output that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_schema: Option<Arc<Value>>,
    /// What tools set that have not yet succeeded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) unsettled: Vec<(crate::CallId, Name, Value)>,
}

/// A typed value in a slot of the state.
///
/// ```
/// use agentscope_core::{AgentState, Slot};
///
/// #[derive(Default, serde::Serialize, serde::Deserialize)]
/// struct Plan { steps: Vec<String> }
/// impl Slot for Plan { const KEY: &'static str = "plan"; }
///
/// let state = AgentState::default();
/// assert!(state.slot::<Plan>()?.steps.is_empty());
/// # Ok::<_, agentscope_core::Error>(())
/// ```
pub trait Slot: Serialize + DeserializeOwned + Default {
    /// The slot's name.
    const KEY: &'static str;
}

impl AgentState {
    /// The state of a conversation that has not begun.
    pub fn new(key: SessionKey) -> Self {
        Self { key, ..Self::default() }
    }

    /// The messages, oldest first, without the open reply.
    pub fn messages(&self) -> impl DoubleEndedIterator<Item = &Arc<Msg>> {
        self.context.iter().map(|entry| &entry.msg)
    }

    /// What was said, oldest first, the open reply as the last one unless it is empty.
    ///
    /// ```
    /// use agentscope_core::{AgentState, Change, Msg};
    ///
    /// let mut state = AgentState::default();
    /// state.apply(&Change::message(Msg::user("hi")));
    /// assert_eq!(state.said().count(), 1);
    /// ```
    pub fn said(&self) -> impl Iterator<Item = &Arc<Msg>> {
        let open = self.open.as_ref().map(|open| &open.msg);
        self.messages().chain(open.filter(|msg| !msg.content.is_empty()))
    }

    /// The value of a slot; its default where it was never set.
    ///
    /// # Errors
    /// If what is in the slot does not fit the type.
    pub fn slot<S: Slot>(&self) -> crate::Result<S> {
        read_slot(&self.slots)
    }

    /// The reply that waits for decisions or for results from outside, if one does.
    ///
    /// ```
    /// use agentscope_core::{AgentState, Decision};
    ///
    /// let state = AgentState::default(); // loaded from somewhere
    /// let decisions: Vec<Decision> = state.waiting().map(|reply| Decision::allow_all(reply)).unwrap_or_default();
    /// assert!(decisions.is_empty(), "nothing waits");
    /// ```
    pub fn waiting(&self) -> Option<&Arc<Msg>> {
        let msg = &self.open.as_ref()?.msg;
        (msg.finish == Some(Finish::Waiting)).then_some(msg)
    }

    /// Whether every tool call has its result, but for those of an open reply. It holds whenever no reply runs.
    pub fn is_well_formed(&self) -> bool {
        self.context.iter().all(|entry| {
            let results = entry.msg.results().count();
            entry.msg.open_calls().next().is_none() && results == entry.msg.calls().count()
        })
    }
}

pub(crate) fn read_slot<S: Slot>(slots: &BTreeMap<Name, Value>) -> crate::Result<S> {
    let Some(value) = slots.get(S::KEY) else { return Ok(S::default()) };
    S::deserialize(value)
        .map_err(|error| crate::Error::from(error).context(format_args!("slot `{}`", S::KEY)))
}

/// An agent's identity in a conversation, for [`crate::Context::enter`].
pub(crate) fn session_of(key: &SessionKey) -> Name {
    if key.tenant.is_empty() && key.user.is_empty() {
        return key.session.clone();
    }
    Name::from(format!("{}/{}/{}", key.tenant, key.user, key.session))
}

/// The agent's id where none was given: its name in the key.
pub(crate) fn agent_of(key: &SessionKey) -> AgentId {
    AgentId::from(key.agent.as_str())
}

#[cfg(test)]
mod tests;
