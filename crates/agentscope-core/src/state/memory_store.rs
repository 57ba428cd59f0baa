use super::{AgentState, Change, InboxSeq, SessionFilter, SessionKey, StateStore, Stored, Version};
use crate::{
    error::{Error, ErrorKind, Result},
    message::Msg,
};
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

#[derive(Clone, Default)]
struct Session {
    state: AgentState,
    commits: Vec<Commit>,
    inbox: BTreeMap<InboxSeq, Arc<Msg>>,
    next_inbox: u64,
}

#[derive(Clone)]
enum Commit {
    Changes(Vec<Change>),
    /// The whole state: after a rewind, and at the beginning of a fork.
    State(Box<AgentState>),
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

impl Session {
    fn new(key: &SessionKey) -> Self {
        Self { state: AgentState::new(key.clone()), ..Self::default() }
    }

    fn version(&self) -> Version {
        Version(self.commits.len() as u64)
    }

    fn commit(&mut self, commit: Commit) -> Version {
        self.state.fold(&commit);
        self.inbox = self.inbox.split_off(&InboxSeq(self.state.taken.0 + 1));
        self.commits.push(commit);
        self.version()
    }

    /// The state as it was at `version`.
    fn at(&self, key: &SessionKey, version: Version) -> Option<AgentState> {
        let mut past = AgentState::new(key.clone());
        self.commits.get(..usize::try_from(version.0).ok()?)?.iter().for_each(|commit| past.fold(commit));
        Some(past)
    }
}

impl AgentState {
    fn fold(&mut self, commit: &Commit) {
        match commit {
            Commit::Changes(changes) => changes.iter().for_each(|change| self.apply(change)),
            Commit::State(state) => self.clone_from(state),
        }
    }
}

#[async_trait]
impl StateStore for MemoryStore {
    async fn load(&self, key: &SessionKey) -> Result<Option<Stored>> {
        Ok(self.sessions().get(key).map(|session| Stored {
            state: session.state.clone(),
            version: session.version(),
            inbox: session.inbox.iter().map(|(seq, msg)| (*seq, Arc::clone(msg))).collect(),
        }))
    }

    async fn commit(&self, key: &SessionKey, expected: Version, changes: &[Change]) -> Result<Version> {
        let mut sessions = self.sessions();
        let found = sessions.get(key).map_or(Version(0), Session::version);
        if found != expected {
            return Err(conflict(key, expected, found));
        }
        let session = sessions.entry(key.clone()).or_insert_with(|| Session::new(key));
        Ok(session.commit(Commit::Changes(changes.to_vec())))
    }

    async fn enqueue(&self, key: &SessionKey, msgs: &[Arc<Msg>]) -> Result<InboxSeq> {
        let mut sessions = self.sessions();
        let session = sessions.entry(key.clone()).or_insert_with(|| Session::new(key));
        for msg in msgs {
            session.next_inbox += 1;
            session.inbox.insert(InboxSeq(session.next_inbox), Arc::clone(msg));
        }
        Ok(InboxSeq(session.next_inbox))
    }

    async fn list(&self, filter: &SessionFilter) -> Result<Vec<SessionKey>> {
        Ok(self.sessions().keys().filter(|key| filter.matches(key)).cloned().collect())
    }

    async fn fork(&self, from: &SessionKey, to: &SessionKey) -> Result<()> {
        let mut sessions = self.sessions();
        let Some(original) = sessions.get(from) else { return Err(not_found(from)) };
        if sessions.contains_key(to) {
            return Err(Error::new(
                ErrorKind::Conflict,
                format!("session `{to}` exists: fork to another name"),
            ));
        }
        let state = AgentState { key: to.clone(), taken: InboxSeq(0), ..original.state.clone() };
        let mut copy = Session::new(to);
        copy.commit(Commit::State(Box::new(state)));
        sessions.insert(to.clone(), copy);
        Ok(())
    }

    async fn rewind(&self, key: &SessionKey, to: Version) -> Result<Version> {
        let mut sessions = self.sessions();
        let Some(session) = sessions.get_mut(key) else { return Err(not_found(key)) };
        let Some(mut past) = session.at(key, to) else {
            let message =
                format!("session `{key}` has no version {}: its last is {}", to.0, session.version().0);
            return Err(Error::new(ErrorKind::NotFound, message));
        };
        past.taken = session.state.taken; // what was heard since then stays heard
        Ok(session.commit(Commit::State(Box::new(past))))
    }

    async fn delete(&self, key: &SessionKey) -> Result<bool> {
        Ok(self.sessions().remove(key).is_some())
    }
}

fn not_found(key: &SessionKey) -> Error {
    Error::new(ErrorKind::NotFound, format!("there is no session `{key}`"))
}

/// What a store answers whose conversation is not at the version that was expected.
pub(crate) fn conflict(key: &SessionKey, expected: Version, found: Version) -> Error {
    let message = format!(
        "session `{key}` is at version {}, not {}: another process works on it; load it again",
        found.0, expected.0
    );
    Error::new(ErrorKind::Conflict, message)
}
