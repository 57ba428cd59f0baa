//! One conversation of one agent: replies one after the other, in the order in which they were asked for, and an inbox.

mod hear;
mod open;
mod save;
mod turn;

pub use open::{ALLOWED_SLOT, Opened, Queued};
pub use turn::Turn;

use crate::{
    agent::Audience,
    error::{Error, ErrorKind, Result},
    id::{AgentId, Name, ReplyId},
    message::Msg,
    state::{AgentState, Change, InboxSeq, SessionKey, StateStore, Version, agent_of, session_of},
};
use futures_core::future::BoxFuture;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

/// How long to wait before asking again, when too many replies wait.
const BUSY_RETRY: Duration = Duration::from_secs(1);

/// How much a conversation may hold, and how long it waits for its store.
///
/// ```
/// use agentscope_core::Limits;
/// let strict = Limits { waiting: 8, ..Limits::default() };
/// assert_eq!((strict.waiting, strict.inbox), (8, 10_000));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Most replies that wait for their turn, the one whose turn it is included (1,024); one more is refused with
    /// [`ErrorKind::Unavailable`].
    pub waiting: usize,
    /// Most messages that are heard and not yet taken (10,000); one more is refused with [`ErrorKind::Exhausted`].
    pub inbox: usize,
    /// How long one call of the store may take (10 s).
    pub store_timeout: Duration,
    /// How often a store that cannot be reached is asked in all (4).
    pub store_tries: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { waiting: 1024, inbox: 10_000, store_timeout: Duration::from_secs(10), store_tries: 4 }
    }
}

/// One conversation of one agent: its state, its inbox, and the queue of its replies. Every agent with a conversation has one.
///
/// It costs a few hundred bytes and no task while nothing happens. Clones are the same conversation.
///
/// ```
/// use agentscope_core::{Mailbox, Msg};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let mailbox = Mailbox::new();
/// mailbox.observe(vec![Msg::user("psst").into()]).await?;
/// assert_eq!(mailbox.heard(), 1);
/// assert_eq!(mailbox.snapshot().await?.context.len(), 0, "it is taken when the agent replies");
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Mailbox(Arc<Inner>);

struct Inner {
    key: SessionKey,
    store: Option<Arc<dyn StateStore>>,
    held: Arc<tokio::sync::Mutex<Held>>,
    inbox: Mutex<Inbox>,
    waiting: AtomicUsize,
    limits: Limits,
    /// Made when somebody asks for it.
    audience: OnceLock<Audience>,
}

/// What the reply whose turn it is works on.
#[derive(Default)]
struct Held {
    /// Loaded when it is first needed.
    state: Option<Box<AgentState>>,
    version: Version,
    /// What is folded into the state and not yet in the store.
    unsaved: Vec<Change>,
    /// What is here is not what is in the store: load it again.
    stale: bool,
    safe: Safe,
}

/// How far the open reply was when it was last committed.
#[derive(Default)]
struct Safe {
    reply_id: Option<ReplyId>,
    next_seq: u64,
    iters: u32,
}

#[derive(Default)]
struct Inbox {
    /// In the order of their places, which only a store's inbox may skip.
    msgs: VecDeque<(InboxSeq, Arc<Msg>)>,
    /// The last one given out here; a store gives out its own.
    last: InboxSeq,
    taken: InboxSeq,
    /// Up to here nothing is missing. Another handle of the conversation may have put messages into the store between these.
    sure: InboxSeq,
}

impl Mailbox {
    /// A conversation that lives as long as this value.
    pub fn new() -> Self {
        Self::open_session(SessionKey::default(), None)
    }

    /// The conversation `key`, kept in `store` and loaded from it when it is first needed.
    pub fn stored(key: SessionKey, store: Arc<dyn StateStore>) -> Self {
        Self::open_session(key, Some(store))
    }

    /// A conversation that lives as long as this value and goes on from `state`.
    pub fn resumed(state: AgentState) -> Self {
        let key = state.key.clone();
        let taken = state.taken;
        let held = Held { state: Some(Box::new(state)), ..Held::default() };
        let inbox = Inbox { last: taken, taken, sure: taken, ..Inbox::default() };
        Self(Arc::new(Inner {
            key,
            store: None,
            held: Arc::new(tokio::sync::Mutex::new(held)),
            inbox: Mutex::new(inbox),
            waiting: AtomicUsize::new(0),
            limits: Limits::default(),
            audience: OnceLock::new(),
        }))
    }

    /// The conversation `key`, kept in `store` if there is one.
    pub fn open_session(key: SessionKey, store: Option<Arc<dyn StateStore>>) -> Self {
        Self(Arc::new(Inner {
            key,
            store,
            held: Arc::default(),
            inbox: Mutex::default(),
            waiting: AtomicUsize::new(0),
            limits: Limits::default(),
            audience: OnceLock::new(),
        }))
    }

    /// The same with these limits. Call it before the mailbox is cloned: clones share what it was made with.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        if let Some(inner) = Arc::get_mut(&mut self.0) {
            inner.limits = limits;
        }
        self
    }

    /// Which conversation.
    pub fn key(&self) -> &SessionKey {
        &self.0.key
    }

    /// The conversation as [`crate::Context::enter`] names it.
    pub fn session(&self) -> Name {
        session_of(&self.0.key)
    }

    /// The agent's id, where its key names it.
    pub fn agent_id(&self) -> Option<AgentId> {
        Some(agent_of(&self.0.key)).filter(|id| !id.is_empty())
    }

    /// Who hears what is said here.
    pub fn audience(&self) -> Audience {
        self.0.audience.get_or_init(Audience::new).clone()
    }

    /// How many replies wait for their turn, the one whose turn it is included.
    pub fn waiting(&self) -> usize {
        self.0.waiting.load(Ordering::Relaxed)
    }

    /// How many messages were heard and not yet taken.
    pub fn heard(&self) -> usize {
        self.inbox().msgs.len()
    }

    /// Hears. It never waits for a reply; with a store, the messages are in it when this returns.
    pub fn observe(&self, msgs: Vec<Arc<Msg>>) -> BoxFuture<'static, Result<()>> {
        let this = self.clone();
        // Two futures, because a hub makes one for each who hears, and most have no store.
        let Some(store) = self.0.store.clone() else {
            return Box::pin(async move { this.inbox().hear(msgs, this.0.limits.inbox) });
        };
        Box::pin(async move {
            this.inbox().room_for(msgs.len(), this.0.limits.inbox)?;
            let last = this.0.limits.ask(|| store.enqueue(&this.0.key, &msgs)).await?;
            this.inbox().add(msgs, last);
            Ok(())
        })
    }

    /// The state as it is when no reply runs: waits for its turn.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub async fn snapshot(&self) -> Result<AgentState> {
        let mut held = self.0.held.lock().await;
        self.0.load(&mut held).await.cloned()
    }

    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.0.inbox()
    }
}

impl Default for Mailbox {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Mailbox({}, {} waiting)", self.0.key, self.waiting())
    }
}

impl Inner {
    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state, from the store if it is not here.
    async fn load<'a>(&self, held: &'a mut Held) -> Result<&'a mut AgentState> {
        if held.state.is_none() || held.stale {
            let stored = match &self.store {
                Some(store) => Box::pin(self.limits.ask(|| store.load(&self.key))).await?,
                None => None,
            };
            let (state, version) = match stored {
                Some(stored) => {
                    self.inbox().restore(stored.inbox, stored.state.taken);
                    (stored.state, stored.version)
                }
                None => (AgentState::new(self.key.clone()), Version(0)),
            };
            held.version = version;
            held.unsaved.clear();
            held.stale = false;
            held.state = Some(Box::new(state));
        }
        held.state
            .as_deref_mut()
            .ok_or_else(|| Error::new(ErrorKind::Internal, "a state that was just loaded is gone"))
    }
}

impl Inbox {
    fn room_for(&self, more: usize, limit: usize) -> Result<()> {
        if self.msgs.len() + more <= limit {
            return Ok(());
        }
        let message = format!(
            "the agent may hear {limit} messages that it has not yet read: let it reply, or tell it less"
        );
        Err(Error::new(ErrorKind::Exhausted, message))
    }

    /// Adds messages where there is no store: they have the next places.
    fn hear(&mut self, msgs: Vec<Arc<Msg>>, limit: usize) -> Result<()> {
        self.room_for(msgs.len(), limit)?;
        let last = InboxSeq(self.last.0 + msgs.len() as u64);
        self.add(msgs, last);
        Ok(())
    }

    /// Adds messages of which the last has the place `last`.
    fn add(&mut self, msgs: Vec<Arc<Msg>>, last: InboxSeq) {
        let first = last.0 + 1 - msgs.len() as u64;
        for (seq, msg) in (first..).map(InboxSeq).zip(msgs) {
            if seq > self.taken {
                self.insert(seq, msg);
            }
        }
        self.last = self.last.max(last);
        self.join_up();
    }

    /// Nearly always at the end.
    fn insert(&mut self, seq: InboxSeq, msg: Arc<Msg>) {
        if self.msgs.back().is_none_or(|(last, _)| *last < seq) {
            if seq.0 == self.sure.0 + 1 {
                self.sure = seq;
            }
            self.msgs.push_back((seq, msg));
        } else if let Err(at) = self.msgs.binary_search_by_key(&seq, |(seq, _)| *seq) {
            self.msgs.insert(at, (seq, msg));
        }
    }

    /// Whether nothing was ever heard.
    fn is_new(&self) -> bool {
        self.last.0 == 0
    }

    /// Goes on to the end of the messages that follow without a gap.
    fn join_up(&mut self) {
        if !self.has_gap() {
            return;
        }
        for (seq, _) in self.msgs.range(self.after(self.sure)..) {
            if seq.0 != self.sure.0 + 1 {
                break;
            }
            self.sure = *seq;
        }
    }

    /// Whether the store has messages that are missing here.
    fn has_gap(&self) -> bool {
        self.msgs.back().is_some_and(|(seq, _)| *seq > self.sure)
    }

    /// Where the messages after `place` begin.
    fn after(&self, place: InboxSeq) -> usize {
        self.msgs.partition_point(|(seq, _)| *seq <= place)
    }

    fn restore(&mut self, stored: Vec<(InboxSeq, Arc<Msg>)>, taken: InboxSeq) {
        self.taken = taken;
        self.msgs.drain(..self.after(taken));
        self.sure = stored.last().map_or(taken, |(seq, _)| taken.max(*seq));
        self.last = self.last.max(self.sure);
        stored.into_iter().for_each(|(seq, msg)| self.insert(seq, msg));
        self.join_up();
    }

    /// Takes all that was heard, up to a gap.
    fn take(&mut self) -> Option<(InboxSeq, VecDeque<(InboxSeq, Arc<Msg>)>)> {
        let later = if self.has_gap() { self.msgs.split_off(self.after(self.sure)) } else { VecDeque::new() };
        let msgs = std::mem::replace(&mut self.msgs, later);
        let upto = msgs.back()?.0;
        self.taken = upto;
        Some((upto, msgs))
    }

    /// Puts the messages that were taken last back, and says which is the last that stays taken.
    fn put_back(&mut self, msgs: Vec<Arc<Msg>>) -> InboxSeq {
        let first = self.taken.0 + 1 - (msgs.len() as u64).min(self.taken.0);
        (first..).map(InboxSeq).zip(msgs).for_each(|(seq, msg)| self.insert(seq, msg));
        self.taken = InboxSeq(first - 1);
        self.taken
    }
}

#[cfg(test)]
mod tests;
