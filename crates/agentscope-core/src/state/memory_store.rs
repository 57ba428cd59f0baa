use super::{
    Change, InboxSeq, SessionFilter, SessionKey, StateStore, Stored, Version,
    session::{Session, conflict, exists, not_found},
};
use crate::{error::Result, message::Msg};
use async_trait::async_trait;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// A store in the memory of this process: for tests, and for agents that share conversations without keeping them.
///
/// It keeps every change, so that a conversation can be rewound.
///
/// ```
/// use agentscope_core::{Change, MemoryStore, Msg, SessionKey, StateStore, Version};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let (store, key) = (MemoryStore::new(), SessionKey::new("chat-1"));
/// store.commit(&key, Version(0), &[Change::message(Msg::user("hi"))]).await?;
/// assert_eq!(store.load(&key).await?.unwrap().version, Version(1));
/// assert!(store.commit(&key, Version(0), &[]).await.is_err(), "somebody else was faster");
/// # Ok(()) }
/// ```
#[derive(Clone, Default)]
pub struct MemoryStore {
    sessions: Arc<Mutex<BTreeMap<SessionKey, Session>>>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn sessions(&self) -> MutexGuard<'_, BTreeMap<SessionKey, Session>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl StateStore for MemoryStore {
    async fn load(&self, key: &SessionKey) -> Result<Option<Stored>> {
        Ok(self.sessions().get(key).map(Session::stored))
    }

    async fn commit(&self, key: &SessionKey, expected: Version, changes: &[Change]) -> Result<Version> {
        let mut sessions = self.sessions();
        let found = sessions.get(key).map_or(Version(0), Session::version);
        if found != expected {
            return Err(conflict(key, expected, found));
        }
        let session = sessions.entry(key.clone()).or_insert_with(|| Session::new(key));
        Ok(session.commit(changes.to_vec()))
    }

    async fn enqueue(&self, key: &SessionKey, msgs: &[Arc<Msg>]) -> Result<InboxSeq> {
        let mut sessions = self.sessions();
        let session = sessions.entry(key.clone()).or_insert_with(|| Session::new(key));
        Ok(session.enqueue(msgs))
    }

    async fn list(&self, filter: &SessionFilter) -> Result<Vec<SessionKey>> {
        Ok(self.sessions().keys().filter(|key| filter.matches(key)).cloned().collect())
    }

    async fn fork(&self, from: &SessionKey, to: &SessionKey) -> Result<()> {
        let mut sessions = self.sessions();
        let Some(original) = sessions.get(from) else { return Err(not_found(from)) };
        if sessions.contains_key(to) {
            return Err(exists(to));
        }
        let copy = original.fork(to);
        sessions.insert(to.clone(), copy);
        Ok(())
    }

    async fn rewind(&self, key: &SessionKey, to: Version) -> Result<Version> {
        let mut sessions = self.sessions();
        let Some(session) = sessions.get_mut(key) else { return Err(not_found(key)) };
        let past = session.at(to)?;
        Ok(session.replace(past))
    }

    async fn delete(&self, key: &SessionKey) -> Result<bool> {
        Ok(self.sessions().remove(key).is_some())
    }
}
