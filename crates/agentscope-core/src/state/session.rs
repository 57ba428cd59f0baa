//! A conversation with its history, as the stores that keep all of it have it.

use super::{AgentState, Change, InboxSeq, SessionKey, Stored, Version};
use crate::{
    error::{Error, ErrorKind, Result},
    message::Msg,
};
use std::{collections::BTreeMap, sync::Arc};

/// A conversation, every commit of it, and its inbox.
#[derive(Clone)]
pub(crate) struct Session {
    state: AgentState,
    commits: Vec<Commit>,
    inbox: BTreeMap<InboxSeq, Arc<Msg>>,
    last_heard: InboxSeq,
}

#[derive(Clone)]
enum Commit {
    Changes(Vec<Change>),
    /// The whole state: after a rewind, and at the beginning of a fork.
    State(Box<AgentState>),
}

impl Session {
    pub(crate) fn new(key: &SessionKey) -> Self {
        Self {
            state: AgentState::new(key.clone()),
            commits: Vec::new(),
            inbox: BTreeMap::new(),
            last_heard: InboxSeq::default(),
        }
    }

    pub(crate) fn version(&self) -> Version {
        Version(self.commits.len() as u64)
    }

    /// The place of the message that was heard last.
    pub(crate) fn last_heard(&self) -> InboxSeq {
        self.last_heard
    }

    pub(crate) fn stored(&self) -> Stored {
        Stored {
            state: self.state.clone(),
            version: self.version(),
            inbox: self.inbox.iter().map(|(seq, msg)| (*seq, Arc::clone(msg))).collect(),
        }
    }

    pub(crate) fn commit(&mut self, changes: Vec<Change>) -> Version {
        self.fold(Commit::Changes(changes))
    }

    pub(crate) fn replace(&mut self, state: AgentState) -> Version {
        self.fold(Commit::State(Box::new(state)))
    }

    fn fold(&mut self, commit: Commit) -> Version {
        self.state.fold(&commit);
        self.inbox.retain(|seq, _| *seq > self.state.taken);
        self.commits.push(commit);
        self.version()
    }

    /// Puts messages into the inbox and says the place of the last.
    pub(crate) fn enqueue(&mut self, msgs: &[Arc<Msg>]) -> InboxSeq {
        for msg in msgs {
            self.last_heard.0 += 1;
            self.inbox.insert(self.last_heard, Arc::clone(msg));
        }
        self.last_heard
    }

    /// The state as it was at `version`; but what was heard since then stays heard.
    pub(crate) fn at(&self, version: Version) -> Result<AgentState> {
        let commits = usize::try_from(version.0).ok().and_then(|count| self.commits.get(..count));
        let Some(commits) = commits else {
            let (key, last) = (&self.state.key, self.version().0);
            let message = format!("session `{key}` has no version {}: its last is {last}", version.0);
            return Err(Error::new(ErrorKind::NotFound, message));
        };
        let mut past = AgentState::new(self.state.key.clone());
        commits.iter().for_each(|commit| past.fold(commit));
        past.taken = self.state.taken;
        Ok(past)
    }

    /// A copy of the state under the key `to`, without the inbox.
    pub(crate) fn fork(&self, to: &SessionKey) -> Self {
        let mut copy = Self::new(to);
        copy.replace(AgentState { key: to.clone(), taken: InboxSeq(0), ..self.state.clone() });
        copy
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

pub(crate) fn not_found(key: &SessionKey) -> Error {
    Error::new(ErrorKind::NotFound, format!("there is no session `{key}`"))
}

pub(crate) fn exists(key: &SessionKey) -> Error {
    Error::new(ErrorKind::Conflict, format!("session `{key}` exists: fork to another name"))
}

/// What a store answers whose conversation is not at the version that was expected.
pub(crate) fn conflict(key: &SessionKey, expected: Version, found: Version) -> Error {
    let message = format!(
        "session `{key}` is at version {}, not {}: another process works on it; load it again",
        found.0, expected.0
    );
    Error::new(ErrorKind::Conflict, message)
}
