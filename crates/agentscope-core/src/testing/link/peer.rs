//! The side on which the agent is not: an agent by itself, whose calls travel.

use super::{
    Link,
    frame::{Down, Place, Up, out_of_place},
    wire::{LinkConnection, Lost},
};
use crate::{
    agent::{Agent, AgentCard, Input, Item, ReplyRequest},
    context::Context,
    error::{Error, ErrorKind, Result},
    event::{Event, EventKind},
    id::{CallId, ReplyId},
    interrupt::Reason,
    message::{Finish, Msg, Role},
    stream::{EventSink, EventStream},
};
use futures_core::future::BoxFuture;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// How long a reply goes on without a connection to its caller, unless the caller sets it.
const LEASE: Duration = Duration::from_secs(60);

/// How long to wait before the second try to connect; twice as long before each further one.
const FIRST_RETRY: Duration = Duration::from_millis(10);

/// Longest wait between two tries to connect.
const LAST_RETRY: Duration = Duration::from_secs(1);

/// Tries to connect that fit into a lease at least: the last one before it runs out should not come too late by much.
const TRIES_IN_LEASE: u32 = 16;

/// How long a reply whose deadline has passed may look for its lost connection.
const DEADLINE_GRACE: Duration = Duration::from_secs(3);

/// Events after which the peer acknowledges them; the end is acknowledged at once.
const ACKNOWLEDGE_EVERY: usize = 32;

/// An agent on the far side of a [`Link`]. Clones are the same agent.
///
/// A reply goes on where the agent is while the connection is lost, for the time of the [`lease`](Self::lease). The caller sees
/// each event once. If the connection does not come back the caller sees an error and no [`EventKind::ReplyEnd`]: how the reply
/// ended is not known here.
///
/// ```
/// use agentscope_core::{AgentExt, ErrorKind, Msg, agent_fn, testing::Link};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let echo = agent_fn("Echo", |msgs, _| async move { Ok(Msg::assistant("Echo", msgs[0].text())) });
/// let link = Link::serve(echo);
/// let far = link.agent().patience(Duration::from_millis(50));
/// assert_eq!(far.reply("hi").await?.text(), "hi");
/// link.cut();
/// assert_eq!(far.reply("hi").await.unwrap_err().kind(), ErrorKind::Unavailable);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct LinkedAgent {
    link: Link,
    card: Arc<AgentCard>,
    lease: Duration,
    patience: Duration,
}

impl LinkedAgent {
    pub(super) fn new(link: Link, card: AgentCard) -> Self {
        Self { link, card: Arc::new(card), lease: LEASE, patience: LEASE }
    }

    /// Lets replies go on for `lease` (60 s) while the connection is lost, and be interrupted after that.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// Looks for a lost connection for `patience` (60 s), and fails with [`ErrorKind::Unavailable`] after that.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    async fn ask(self, req: ReplyRequest, sink: EventSink, cx: Context) -> Result<()> {
        let request = resolve(req, &cx).await?;
        let call_id = sink.reply_id().clone();
        let msg = Arc::new(Msg::new(&self.card.name, Role::Assistant, Vec::new()));
        let mut seen = Seen { sink, msg, last: None, finish: None, error: None, answered: false };
        let mut first_call = None;
        loop {
            let connected = self.connect(&cx).await;
            let mut connection = match (connected, &seen.finish) {
                (Ok(connection), _) => connection,
                (Err(error), None) => return Err(error),
                (Err(_), Some(Finish::Failed(failure))) => return Err(Error::from((**failure).clone())),
                (Err(_), Some(_)) => return Ok(()), // all was seen, but that nothing follows
            };
            let hello = if seen.answered {
                Up::Attach { call_id: call_id.clone(), after: seen.last }
            } else {
                if first_call.is_some_and(|at: Instant| at.elapsed() >= self.lease) {
                    return Err(self.unknown_outcome()); // the host may have forgotten it, and would do it twice
                }
                first_call.get_or_insert_with(Instant::now);
                self.call_frame(&call_id, &request, &cx)
            };
            let outcome = seen.follow(&mut connection, &hello.encode()?, &call_id, &cx).await;
            match outcome {
                Outcome::Over => return seen.error.map_or(Ok(()), Err),
                Outcome::Failed(error) => return Err(error),
                Outcome::Lost => tokio::time::sleep(FIRST_RETRY).await,
            }
        }
    }

    fn call_frame(&self, call_id: &ReplyId, request: &ReplyRequest, cx: &Context) -> Up {
        Up::Call {
            call_id: call_id.clone(),
            request: request.clone(),
            path: cx.path().to_vec(),
            time_left_ms: cx.time_left().map(millis),
            trace_parent: cx.trace_parent().map(str::to_owned),
            lease_ms: millis(self.lease),
        }
    }

    /// Connects, again and again while the agent cannot be reached.
    async fn connect(&self, cx: &Context) -> Result<LinkConnection> {
        let since = Instant::now();
        let mut wait = FIRST_RETRY;
        let last = LAST_RETRY.min(self.lease / TRIES_IN_LEASE).max(FIRST_RETRY);
        loop {
            if let Some(connection) = self.link.connect() {
                return Ok(connection);
            }
            let late = cx.interrupt().reason() == Some(Reason::Deadline);
            let patience = if late { self.patience.min(DEADLINE_GRACE) } else { self.patience };
            let left = patience.saturating_sub(since.elapsed());
            if left.is_zero() {
                return Err(if late { self.too_late() } else { self.unreachable() });
            }
            tokio::time::sleep(wait.min(left)).await;
            wait = (wait * 2).min(last);
        }
    }

    fn unreachable(&self) -> Error {
        let message = format!(
            "`{}` could not be reached for {:?}: its reply, if it began, is interrupted when its lease runs out",
            self.card.name, self.patience
        );
        Error::new(ErrorKind::Unavailable, message)
    }

    fn too_late(&self) -> Error {
        let message = format!("the deadline passed while `{}` could not be reached", self.card.name);
        Error::new(ErrorKind::Timeout, message)
    }

    fn unknown_outcome(&self) -> Error {
        let message = format!(
            "`{}` did not answer in its lease of {:?}, and it is not known whether it began: ask it before you ask again",
            self.card.name, self.lease
        );
        Error::new(ErrorKind::Unavailable, message)
    }

    async fn tell(self, msgs: Vec<Arc<Msg>>) -> Result<()> {
        let frame = Up::Observe { observe_id: CallId::random(), msgs }.encode()?;
        loop {
            let mut connection = self.connect(&Context::new()).await?;
            let answer = match connection.outlet.send(&frame).await {
                Ok(()) => connection.recv().await,
                Err(Lost) => None,
            };
            let Some(answer) = answer else {
                tokio::time::sleep(FIRST_RETRY).await;
                continue;
            };
            return match Down::decode(&answer)? {
                Down::Observed => Ok(()),
                Down::Error { error } | Down::Refused { error } => Err(error),
                Down::Event { .. } | Down::End => Err(out_of_place("an observation has no events")),
            };
        }
    }
}

impl Agent for LinkedAgent {
    fn card(&self) -> &AgentCard {
        &self.card
    }

    fn call(&self, req: ReplyRequest, cx: Context) -> EventStream {
        let this = self.clone();
        EventStream::spawn(cx, move |sink, cx| this.ask(req, sink, cx))
    }

    fn observe(&self, msgs: Vec<Arc<Msg>>) -> BoxFuture<'static, Result<()>> {
        Box::pin(self.clone().tell(msgs))
    }
}

/// Waits for what was promised. What was promised and is not there when the reply is interrupted is left out: the far side then
/// ends the reply as it would end one of its own.
async fn resolve(req: ReplyRequest, cx: &Context) -> Result<ReplyRequest> {
    let mut without = req.clone();
    tokio::select! {
        biased;
        resolved = req.resolve() => resolved,
        () = cx.interrupt().triggered() => {
            if let Input::Messages(items) = &mut without.input {
                items.retain(|item| matches!(item, Item::Msg(_)));
            }
            Ok(without)
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// What the caller has seen of a reply.
struct Seen {
    sink: EventSink,
    msg: Arc<Msg>,
    last: Option<Place>,
    finish: Option<Finish>,
    error: Option<Error>,
    /// The host has the request.
    answered: bool,
}

enum Outcome {
    Over,
    Failed(Error),
    Lost,
}

impl From<Lost> for Outcome {
    fn from(_: Lost) -> Self {
        Self::Lost
    }
}

impl Seen {
    /// Follows the reply on one connection, and passes on that it shall stop.
    async fn follow(
        &mut self,
        connection: &mut LinkConnection,
        hello: &str,
        call_id: &ReplyId,
        cx: &Context,
    ) -> Outcome {
        let outcome = self.try_follow(connection, hello, call_id, cx).await.unwrap_or_else(|outcome| outcome);
        if let Outcome::Failed(_) = outcome
            && let Ok(stop) = (Up::Interrupt { call_id: call_id.clone(), reason: Reason::Dropped }).encode()
        {
            connection.outlet.try_send(&stop); // nobody here follows the reply any more
        }
        outcome
    }

    async fn try_follow(
        &mut self,
        connection: &mut LinkConnection,
        hello: &str,
        call_id: &ReplyId,
        cx: &Context,
    ) -> Result<Outcome, Outcome> {
        let LinkConnection { inlet, outlet } = connection;
        outlet.send(hello).await?;
        let mut stopped = false;
        let mut unacknowledged = 0;
        loop {
            let frame = tokio::select! {
                biased;
                () = cx.interrupt().triggered(), if !stopped => {
                    stopped = true;
                    let reason = cx.interrupt().reason().unwrap_or(Reason::Dropped);
                    let stop = Up::Interrupt { call_id: call_id.clone(), reason };
                    outlet.send(&stop.encode().map_err(Outcome::Failed)?).await?;
                    continue;
                }
                frame = inlet.recv() => frame.ok_or(Outcome::Lost)?,
            };
            let over = self.take(&frame).map_err(Outcome::Failed)?;
            unacknowledged += 1;
            if over || unacknowledged >= ACKNOWLEDGE_EVERY {
                unacknowledged = 0;
                let ack = Up::Ack { call_id: call_id.clone(), upto: self.last, end: over };
                let sent = outlet.send(&ack.encode().map_err(Outcome::Failed)?).await;
                if !over {
                    sent?;
                }
            }
            if over {
                return Ok(Outcome::Over); // if the acknowledgement is lost, the host keeps the end for its lease
            }
        }
    }

    /// Takes a frame in; whether it was the last.
    fn take(&mut self, frame: &str) -> Result<bool> {
        match Down::decode(frame)? {
            Down::Event { event } => self.see(event),
            Down::Error { error } => self.error = Some(error),
            Down::End => return Ok(true),
            Down::Refused { error } => return Err(error),
            Down::Observed => return Err(out_of_place("a reply is not an observation")),
        }
        self.answered = true;
        Ok(false)
    }

    /// Lets an event be seen, once.
    fn see(&mut self, event: Event) {
        let place = Place::from(&event);
        if self.last >= Some(place) {
            return;
        }
        self.last = Some(place);
        if let EventKind::ReplyEnd { finish, .. } = &event.kind {
            self.finish = Some(finish.clone());
        }
        self.sink.forward(&mut self.msg, event);
    }
}
