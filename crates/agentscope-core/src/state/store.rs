use super::{AgentState, Change, SessionKey};
use crate::{error::Result, id::Name, message::Msg};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// How often a conversation was committed; 0 for one that does not exist.
///
/// ```
/// assert_eq!(agentscope_core::Version::default(), agentscope_core::Version(0));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(pub u64);

/// The place of a message in a conversation's inbox, from 1.
///
/// ```
/// use agentscope_core::{InboxSeq, MemoryStore, Msg, SessionKey, StateStore};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let heard = MemoryStore::new().enqueue(&SessionKey::new("chat-1"), &[Msg::user("psst").into()]).await?;
/// assert_eq!(heard, InboxSeq(1));
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InboxSeq(pub u64);

/// A conversation as a store has it.
///
/// ```
/// use agentscope_core::{MemoryStore, Msg, SessionKey, StateStore, Version};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let (store, key) = (MemoryStore::new(), SessionKey::new("chat-1"));
/// store.enqueue(&key, &[Msg::user("psst").into()]).await?;
/// let stored = store.load(&key).await?.unwrap();
/// assert_eq!((stored.version, stored.inbox[0].1.text()), (Version(0), "psst".to_owned()));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Stored {
    /// The state.
    pub state: AgentState,
    /// Its version.
    pub version: Version,
    /// What was heard and not yet taken, oldest first.
    pub inbox: Vec<(InboxSeq, Arc<Msg>)>,
}

impl Stored {
    /// A conversation as a store has it.
    pub fn new(state: AgentState, version: Version, inbox: Vec<(InboxSeq, Arc<Msg>)>) -> Self {
        Self { state, version, inbox }
    }
}

/// Which conversations to list: those that agree in every part that is given.
///
/// ```
/// use agentscope_core::{SessionFilter, SessionKey};
/// let of_alice = SessionFilter { user: Some("alice".into()), ..SessionFilter::default() };
/// assert!(of_alice.matches(&SessionKey::new("s").user("alice")));
/// assert!(!of_alice.matches(&SessionKey::new("s").user("bob")));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionFilter {
    /// The tenant; the empty one is one of its own.
    pub tenant: Name,
    /// The user, or all.
    pub user: Option<Name>,
    /// The agent, or all.
    pub agent: Option<Name>,
}

impl SessionFilter {
    /// Whether `key` is among them.
    pub fn matches(&self, key: &SessionKey) -> bool {
        key.tenant == self.tenant
            && self.user.as_ref().is_none_or(|user| *user == key.user)
            && self.agent.as_ref().is_none_or(|agent| *agent == key.agent)
    }
}

/// Where conversations are kept. [`crate::testing::conformance::state_store`] is what each implementation has to pass.
///
/// ```
/// use agentscope_core::{Change, MemoryStore, Msg, SessionKey, StateStore, Version};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let store: Box<dyn StateStore> = Box::new(MemoryStore::new());
/// let (key, draft) = (SessionKey::new("chat-1"), SessionKey::new("draft"));
/// store.commit(&key, Version(0), &[Change::message(Msg::user("hi"))]).await?;
/// store.fork(&key, &draft).await?;
/// store.rewind(&key, Version(0)).await?;
/// assert!(store.load(&key).await?.unwrap().state.context.is_empty());
/// assert_eq!(store.load(&draft).await?.unwrap().state.context.len(), 1);
/// # Ok(()) }
/// ```
#[async_trait]
pub trait StateStore: Send + Sync + 'static {
    /// The conversation, if it exists or has an inbox.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Unavailable`] where the store cannot be reached.
    async fn load(&self, key: &SessionKey) -> Result<Option<Stored>>;

    /// Folds `changes` into the conversation, all or none. What it costs is what it adds.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Conflict`] if the conversation is not at version `expected`: somebody else has it.
    async fn commit(&self, key: &SessionKey, expected: Version, changes: &[Change]) -> Result<Version>;

    /// Puts messages into the inbox, durable when it returns, without touching the state or its version.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Unavailable`] where the store cannot be reached.
    async fn enqueue(&self, key: &SessionKey, msgs: &[Arc<Msg>]) -> Result<InboxSeq>;

    /// The conversations, in the order of their keys.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Unavailable`] where the store cannot be reached.
    async fn list(&self, filter: &SessionFilter) -> Result<Vec<SessionKey>>;

    /// Copies a conversation as it is now to a key that does not exist; its inbox stays behind.
    ///
    /// # Errors
    /// [`crate::ErrorKind::NotFound`] if there is nothing to copy, [`crate::ErrorKind::Conflict`] if the other exists.
    async fn fork(&self, from: &SessionKey, to: &SessionKey) -> Result<()>;

    /// Makes the conversation what it was at version `to`, as a new version.
    ///
    /// # Errors
    /// [`crate::ErrorKind::NotFound`] if it has no such version.
    async fn rewind(&self, key: &SessionKey, to: Version) -> Result<Version>;

    /// Removes the conversation and its inbox; says whether there was one.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Unavailable`] where the store cannot be reached.
    async fn delete(&self, key: &SessionKey) -> Result<bool>;
}

#[async_trait]
impl<S: StateStore + ?Sized> StateStore for Arc<S> {
    async fn load(&self, key: &SessionKey) -> Result<Option<Stored>> {
        (**self).load(key).await
    }
    async fn commit(&self, key: &SessionKey, expected: Version, changes: &[Change]) -> Result<Version> {
        (**self).commit(key, expected, changes).await
    }
    async fn enqueue(&self, key: &SessionKey, msgs: &[Arc<Msg>]) -> Result<InboxSeq> {
        (**self).enqueue(key, msgs).await
    }
    async fn list(&self, filter: &SessionFilter) -> Result<Vec<SessionKey>> {
        (**self).list(filter).await
    }
    async fn fork(&self, from: &SessionKey, to: &SessionKey) -> Result<()> {
        (**self).fork(from, to).await
    }
    async fn rewind(&self, key: &SessionKey, to: Version) -> Result<Version> {
        (**self).rewind(key, to).await
    }
    async fn delete(&self, key: &SessionKey) -> Result<bool> {
        (**self).delete(key).await
    }
}
