//! A hub: those in it hear each other.

mod member;

use agentscope_core::{
    Agent, Agents, Audience, BoxFuture, Error, ErrorKind, Input, Item, Msg, MsgId, Name, Result, Room, Told,
};
use futures_util::{FutureExt, StreamExt, stream::FuturesUnordered};
use member::{Heard, Hearing, Member};
use std::{
    collections::{HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// How long a speaker waits for those who hear slowly.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long one who hears slowly may take for a message.
const LATE_LIMIT: Duration = Duration::from_secs(60);

/// How many faults are kept; the oldest go first.
const FAULTS: usize = 1024;

/// Participants that hear each other: what one of them says, in reply to whatever, all others have heard when its reply is
/// there. So nobody has to pass messages on; you decide who speaks.
///
/// Only what is [spoken](Msg::spoken) is heard, by all as one shared message, and once, whatever hubs they share with the
/// speaker. A reply that failed or waits for a decision is not heard; of one that was interrupted, what was said. Who joins
/// hears what is said from then on. An agent may be in many hubs, and a pipeline takes part like any agent.
///
/// Who takes longer than the [patience](Self::patience) of the hub hears later, in order; who fails to hear is found in
/// [`faults`](Self::faults). Neither keeps a message from the others.
///
/// Clones are the same hub. When the last one is dropped, nobody hears anybody through it; who is behind then still hears what
/// was said before. A participant whose own function holds a clone keeps the hub alive for as long as both are there: remove
/// it, or let it hold none.
///
/// ```
/// use agentscope_agent::MsgHub;
/// use agentscope_core::{AgentExt, Msg, agent_fn};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let alice = agent_fn("Alice", |_, _| async { Ok(Msg::assistant("Alice", "Hello, I am Alice.")) });
/// let bob = agent_fn("Bob", |heard, _| async move {
///     let names: Vec<&str> = heard.iter().map(|msg| msg.name.as_str()).collect();
///     Ok(Msg::assistant("Bob", format!("I heard {}.", names.join(" and "))))
/// });
///
/// let hub = MsgHub::new((&alice, &bob))?;
/// hub.broadcast(Msg::user("Introduce yourselves.").named("Host")).await?;
/// alice.reply(()).await?;
/// assert_eq!(bob.reply(()).await?.text(), "I heard Host and Alice.");
///
/// hub.remove(&alice)?;
/// alice.reply("Who is there?").await?;
/// assert_eq!(bob.reply(()).await?.text(), "I heard .", "Alice is heard no more");
/// # Ok(()) }
/// ```
#[derive(Clone)]
#[must_use = "a hub that is dropped connects nobody"]
pub struct MsgHub(Arc<Hub>);

struct Hub {
    state: Mutex<State>,
    log: Arc<FaultLog>,
}

struct State {
    /// Shared with those who tell something just now: joining makes a new list.
    members: Arc<[Member]>,
    automatic: bool,
    patience: Duration,
    late_limit: Duration,
}

/// What somebody in a hub did not hear.
///
/// ```
/// use agentscope_agent::MsgHub;
/// use agentscope_core::{AgentExt, ErrorKind, Msg, agent_fn};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let alice = agent_fn("Alice", |_, _| async { Ok(Msg::assistant("Alice", "hi")) });
/// let bob = agent_fn("Bob", |_, _| async { Ok(Msg::assistant("Bob", "hi")) });
/// let hub = MsgHub::new((&alice, &bob))?;
/// for _ in 0..10_001 {
///     alice.reply("Talk on!").await?; // and Bob never reads
/// }
/// let faults = hub.faults();
/// assert_eq!((faults.len(), faults[0].participant.as_str(), faults[0].error.kind()), (1, "Bob", ErrorKind::Exhausted));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct HubFault {
    /// Who.
    pub participant: Name,
    /// What.
    pub msg: MsgId,
    /// Why.
    pub error: Error,
}

impl MsgHub {
    /// A hub of these participants.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if one of them is there twice, or has no [audience](Agent::audience).
    pub fn new(participants: impl Agents) -> Result<Self> {
        let state =
            State { members: Arc::new([]), automatic: true, patience: PATIENCE, late_limit: LATE_LIMIT };
        let hub = Self(Arc::new(Hub { state: Mutex::new(state), log: Arc::default() }));
        hub.add(participants)?;
        Ok(hub)
    }

    /// A hub of these participants, who hear `announcement` first.
    ///
    /// # Errors
    /// As [`new`](Self::new) and [`broadcast`](Self::broadcast).
    pub async fn announced(participants: impl Agents, announcement: impl Into<Item>) -> Result<Self> {
        let hub = Self::new(participants)?;
        hub.broadcast(announcement).await?;
        Ok(hub)
    }

    /// How long a speaker waits for those who hear slowly (1 s).
    pub fn patience(self, patience: Duration) -> Self {
        self.0.state().patience = patience;
        self
    }

    /// How long one who hears slowly may take for a message (60 s), before it is missed.
    pub fn late_limit(self, limit: Duration) -> Self {
        self.0.state().late_limit = limit;
        self
    }

    /// Lets more take part. They hear what is said from now on.
    ///
    /// # Errors
    /// As [`new`](Self::new); then nobody was added.
    pub fn add(&self, participants: impl Agents) -> Result<()> {
        let mut joining = Vec::new();
        for agent in participants.agents() {
            let Some(audience) = agent.audience() else {
                let message = format!(
                    "`{}` cannot take part in a hub, because it has no audience: let its `Agent::audience` give that of \
                     its mailbox, or one of its own to which it tells its replies",
                    agent.card().name
                );
                return Err(Error::new(ErrorKind::InvalidInput, message));
            };
            joining.push(Member::new(agent, audience));
        }
        let mut state = self.0.state();
        let mut known = Told::by(&Audience::new());
        let all = || state.members.iter().chain(&joining);
        if let Some(twice) = all().find(|member| !known.first_time(member.audience())) {
            let message = format!("`{}` is in the hub already: add each participant once", twice.name());
            return Err(Error::new(ErrorKind::InvalidInput, message));
        }
        let members = all().cloned().collect();
        joining.iter().for_each(|member| member.audience().join(&self.0));
        state.members = members;
        Ok(())
    }

    /// Lets them take part no longer: they hear nothing more, not even what they are behind with, and are not heard, not even what
    /// they are just saying.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] for who takes no part; the others are removed.
    pub fn remove(&self, participants: impl Agents) -> Result<()> {
        let agents = participants.agents();
        let mut leaving: Vec<_> = agents.iter().map(|agent| (agent, agent.audience())).collect();
        let mut state = self.0.state();
        let members = Arc::clone(&state.members);
        let there = |audience: &Option<Audience>| {
            members.iter().position(|member| audience.as_ref() == Some(member.audience()))
        };
        let gone: HashSet<usize> = leaving.iter().filter_map(|(_, audience)| there(audience)).collect();
        leaving.retain(|(_, audience)| there(audience).is_none());
        let (out, stay): (Vec<_>, Vec<_>) =
            members.iter().cloned().enumerate().partition(|(at, _)| gone.contains(at));
        for (_, member) in &out {
            member.audience().leave(&self.0);
            member.leave();
        }
        state.members = stay.into_iter().map(|(_, member)| member).collect();
        let left = Arc::clone(&state.members);
        drop(state);
        if leaving.is_empty() {
            return Ok(());
        }
        let strangers: Vec<_> = leaving.iter().map(|(agent, _)| format!("`{}`", agent.card().name)).collect();
        let there: Vec<&str> = left.iter().map(|member| member.name().as_str()).collect();
        let there = if there.is_empty() { "nobody".to_owned() } else { there.join(", ") };
        let message = format!("{} cannot be removed: in the hub is {there}", strangers.join(", "));
        Err(Error::new(ErrorKind::NotFound, message))
    }

    /// Who takes part, in the order of joining.
    pub fn participants(&self) -> Vec<Arc<dyn Agent>> {
        self.0.state().members.iter().map(|member| Arc::clone(member.agent())).collect()
    }

    /// Whether replies are heard by themselves, as they are at first. If not, pass on by [`broadcast`](Self::broadcast) what
    /// shall be heard. Put it off for a secret vote: the structured output of a reply is heard like its words.
    pub fn auto_broadcast(&self, on: bool) {
        self.0.state().automatic = on;
    }

    /// Tells all participants what a message [says](Msg::spoken).
    ///
    /// # Errors
    /// If some failed to hear it, naming them; the others have heard it. Who is slow is no error, and not waited for longer than
    /// the [patience](Self::patience) of the hub.
    pub async fn broadcast(&self, msg: impl Into<Item>) -> Result<()> {
        let input =
            agentscope_core::ReplyRequest::from(Input::Messages(vec![msg.into()])).resolve().await?.input;
        let Input::Messages(items) = input else { return Ok(()) };
        let mut unheard = Vec::new();
        for item in items {
            if let Item::Msg(msg) = item {
                unheard.extend(self.0.hearing(Arc::new(msg.spoken()), |_| true).await);
            }
        }
        let Some(first) = unheard.first() else { return Ok(()) };
        let names: Vec<String> = unheard.iter().map(|fault| format!("`{}`", fault.participant)).collect();
        Err(first.error.clone().context(format_args!("not heard by {}", names.join(", "))))
    }

    /// What was not heard, and why, oldest first, since this was asked the last time; the newest 1,024.
    pub fn faults(&self) -> Vec<HubFault> {
        self.0.log.faults().drain(..).collect()
    }

    /// Waits until all have heard what was said so far, the slow ones too.
    pub async fn settled(&self) {
        let members = Arc::clone(&self.0.state().members);
        for member in members.iter() {
            member.caught_up().await;
        }
    }
}

impl MsgHub {
    /// Waits until `agent` has heard what was said so far: who speaks has to know it.
    ///
    /// # Errors
    /// Why it has not heard all.
    pub(crate) async fn ready(&self, agent: &dyn Agent) -> Result<()> {
        let Some(audience) = agent.audience() else { return Ok(()) };
        let members = Arc::clone(&self.0.state().members);
        if let Some(member) = members.iter().find(|member| *member.audience() == audience) {
            member.caught_up().await;
        }
        let faults = self.0.log.faults();
        let unheard = faults.iter().find(|fault| fault.participant == agent.card().name);
        unheard.map_or(Ok(()), |fault| {
            let what = format_args!("`{}` did not hear all that was said", fault.participant).to_string();
            Err(fault.error.clone().context(what))
        })
    }
}

impl std::fmt::Debug for MsgHub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let members = Arc::clone(&self.0.state().members);
        f.debug_list().entries(members.iter().map(Member::name)).finish()
    }
}

impl Room for Hub {
    fn tell(&self, msg: &Arc<Msg>, told: &mut Told) -> BoxFuture<'static, ()> {
        if !self.state().automatic {
            return Box::pin(async {});
        }
        self.hearing(Arc::clone(msg), |member| told.first_time(member.audience())).map(drop).boxed()
    }
}

impl Hub {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the members that `chosen` are hear a message, all at once, and says who failed to.
    fn hearing(
        &self,
        msg: Arc<Msg>,
        chosen: impl FnMut(&Member) -> bool,
    ) -> impl Future<Output = Vec<HubFault>> + Send + 'static {
        let state = self.state();
        let members = Arc::clone(&state.members);
        let chosen: Vec<bool> = members.iter().map(chosen).collect();
        let (patience, late_limit, log) = (state.patience, state.late_limit, Arc::clone(&self.log));
        async move {
            let mut faults = Vec::new();
            let mut slow = FuturesUnordered::new();
            for (member, _) in members.iter().zip(chosen).filter(|(_, chosen)| *chosen) {
                match member.hear(&msg).await {
                    Heard::Now | Heard::Later => {}
                    Heard::Not(error) => faults.push(member.fault(&msg, error)),
                    Heard::Slowly(hearing) => slow.push(hearing),
                }
            }
            if !slow.is_empty() {
                faults.extend(await_all(&mut slow, patience).await);
                slow.into_iter().for_each(|hearing| hearing.fall_behind(late_limit, &log));
            }
            faults.iter().for_each(|fault| log.note(fault.clone()));
            faults
        }
    }
}

/// Waits for those who hear slowly, up to `patience`. Who is not done by then is left in `slow`.
async fn await_all(slow: &mut FuturesUnordered<Hearing>, patience: Duration) -> Vec<HubFault> {
    let mut faults = Vec::new();
    let all = async {
        while let Some(fault) = slow.next().await {
            faults.extend(fault);
        }
    };
    let _ = tokio::time::timeout(patience, all).await;
    faults
}

#[derive(Default)]
struct FaultLog(Mutex<VecDeque<HubFault>>);

impl FaultLog {
    fn faults(&self) -> MutexGuard<'_, VecDeque<HubFault>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, fault: HubFault) {
        let mut faults = self.faults();
        if faults.len() == FAULTS {
            faults.pop_front();
        }
        faults.push_back(fault);
    }
}
