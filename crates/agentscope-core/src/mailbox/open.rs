//! The beginning of a reply: waiting for the turn, then taking up what is open or opening something new.

use super::{
    BUSY_RETRY, Held, Mailbox,
    hear::hear,
    turn::{CLOSED, Hold, Place, Turn, close_calls, finish_of},
};
use crate::{
    agent::{Decision, Input, Item, ReplyRequest, Verdict},
    context::Context,
    error::{Error, ErrorKind, Result},
    event::{Event, EventKind},
    id::{CallId, Name},
    message::{CallState, ContentBlock, Finish, Msg, Role, ToolCall, ToolResult, ToolState},
    state::{Change, OpenReply},
    stream::EventSink,
    timestamp::Timestamp,
};
use serde_json::Value;
use std::{
    collections::HashSet,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{self, Poll, Waker},
};
use tokio::{
    sync::{Mutex, OwnedMutexGuard},
    task::coop::unconstrained,
};

/// The slot with the names of the tools that were once allowed for good, see [`Decision::rules`].
pub const ALLOWED_SLOT: &str = "allowed_tools";

/// What became of a request.
///
/// ```
/// use agentscope_core::{Context, EventStream, Finish, Input, Mailbox, Opened, ReplyRequest};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let mailbox = Mailbox::new();
/// let opening = mailbox.clone();
/// let reply = EventStream::spawn(Context::new(), |sink, cx| async move {
///     match opening.open(&"Nobody".into(), ReplyRequest::from(Input::from("hi")), 0, &cx, sink).await? {
///         Opened::Turn(turn) => turn.end(Finish::Completed, None).await,
///         Opened::Aborted(turn) => turn.end(Finish::Interrupted, None).await,
///         _ => Ok(()),
///     }
/// });
/// assert_eq!(reply.await?.finish, Some(Finish::Completed));
/// assert_eq!(mailbox.snapshot().await?.context.len(), 2, "what was asked, and an empty reply");
/// # Ok(()) }
/// ```
pub enum Opened {
    /// It is this reply's turn; ask [`crate::Step::of`] what to do.
    Turn(Turn),
    /// It is this reply's turn, and it shall end as interrupted.
    Aborted(Turn),
    /// It was interrupted before its turn came, and its end was told. What it brought is in the inbox.
    Left,
}

impl Mailbox {
    /// Takes a place in the queue of replies for `req`, now: turns come in the order of these calls. A request that has to wait
    /// for another agent's reply takes its place when that is there, so that nobody waits behind it meanwhile.
    pub fn queue(&self, req: ReplyRequest) -> Queued {
        let place = Place::take(&self.0, self.0.limits.waiting);
        let turn = if place.is_some() && !has_pending(&req.input) {
            TurnLock::queue(&self.0.held)
        } else {
            TurnLock::later(&self.0.held)
        };
        Queued { mailbox: self.clone(), req, role: Role::Assistant, place, turn }
    }

    /// Waits for the turn of a reply by `name`, and opens or takes up the reply that `req` is for: [`queue`](Self::queue), then
    /// [`Queued::open`].
    ///
    /// # Errors
    /// As [`Queued::open`].
    pub async fn open(
        &self,
        name: &Name,
        req: ReplyRequest,
        max_iters: u32,
        cx: &Context,
        sink: EventSink,
    ) -> Result<Opened> {
        self.queue(req).open(name, max_iters, cx, sink).await
    }
}

/// Who replies, and in which role.
type Speaker<'a> = (&'a Name, Role);

/// The turn of a reply, which may have come at once.
enum TurnLock {
    Held(OwnedMutexGuard<Held>),
    Waiting(Pin<Box<dyn Future<Output = OwnedMutexGuard<Held>> + Send>>),
}

impl TurnLock {
    /// Takes its place in the queue when it is waited for.
    fn later(held: &Arc<Mutex<Held>>) -> Self {
        Self::Waiting(Box::pin(unconstrained(Arc::clone(held).lock_owned())))
    }

    /// Takes its place in the queue now.
    fn queue(held: &Arc<Mutex<Held>>) -> Self {
        if let Ok(held) = Arc::clone(held).try_lock_owned() {
            return Self::Held(held);
        }
        let mut lock = Self::later(held);
        let mut task = task::Context::from_waker(Waker::noop());
        if let Self::Waiting(waiting) = &mut lock
            && let Poll::Ready(held) = waiting.as_mut().poll(&mut task)
        {
            return Self::Held(held);
        }
        lock
    }

    async fn wait(self) -> OwnedMutexGuard<Held> {
        match self {
            Self::Held(held) => held,
            Self::Waiting(waiting) => waiting.await,
        }
    }
}

/// A request in the queue of a [`Mailbox`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use agentscope_core::{Input, Mailbox, ReplyRequest};
///
/// let mailbox = Mailbox::new();
/// let first = mailbox.queue(ReplyRequest::from(Input::from("first")));
/// let second = mailbox.queue(ReplyRequest::from(Input::from("second")));
/// assert_eq!(mailbox.waiting(), 2);
/// drop((first, second));
/// assert_eq!(mailbox.waiting(), 0);
/// # }
/// ```
pub struct Queued {
    mailbox: Mailbox,
    req: ReplyRequest,
    role: Role,
    /// `None` where there was no place.
    place: Option<Place>,
    turn: TurnLock,
}

impl Queued {
    /// What is asked.
    pub fn request(&self) -> &ReplyRequest {
        &self.req
    }

    /// The reply is said in this role; an assistant's by default.
    #[must_use]
    pub fn role(mut self, role: Role) -> Self {
        self.role = role;
        self
    }

    /// Waits for the turn, and opens or takes up the reply by `name` that the request is for. `max_iters` is how often a model may
    /// be asked, 0 for no limit.
    ///
    /// What is wrong with the request is found before anything changes. A new request to a conversation whose reply waits, or
    /// was cut off by a crash, closes that one first.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if there is nothing to take up, or decisions and results do not fit the calls that wait;
    /// [`ErrorKind::Unavailable`] if too many replies wait or the store cannot be reached.
    pub async fn open(self, name: &Name, max_iters: u32, cx: &Context, sink: EventSink) -> Result<Opened> {
        let Self { mailbox: Mailbox(inner), req, role, place, turn } = self;
        let Some(place) = place else {
            let limit = inner.limits.waiting;
            let message = format!("`{name}` has {limit} replies waiting: ask again later");
            return Err(Error::new(ErrorKind::Unavailable, message).with_retry_after(BUSY_RETRY));
        };
        let (req, held) = match turn {
            TurnLock::Held(held) if req.is_resolved() => (req, held), // nothing to wait for
            turn => {
                let brought = messages(&req.input).collect();
                match Box::pin(ready(req, turn, cx)).await? {
                    Some(ready) => ready,
                    None => {
                        Mailbox(inner).observe(brought).await?;
                        return leave((name, role), cx, sink).map(|()| Opened::Left);
                    }
                }
            }
        };
        let mut hold = Hold::new(Arc::clone(&inner), held);
        inner.load(&mut hold.held).await?;
        inner.commit(&mut hold.held).await?; // what a store that was away has missed
        if inner.store.is_some() && inner.inbox().has_gap() {
            hold.held.stale = true;
            inner.load(&mut hold.held).await?;
        }
        let (mut turn, opened) = begin(hold, place, (name, role), req, max_iters, sink)?;
        match turn.commit().await {
            Ok(()) => Ok(opened(turn)),
            Err(error) => {
                let finish = Finish::Failed((&error).into());
                Box::pin(turn.end(finish, Some(error))).await.map(|()| Opened::Left)
            }
        }
    }
}

impl std::fmt::Debug for Queued {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queued").field("request", &self.req).finish_non_exhaustive()
    }
}

fn has_pending(input: &Input) -> bool {
    matches!(input, Input::Messages(items) if items.iter().any(|item| matches!(item, Item::Pending(_))))
}

fn messages(input: &Input) -> impl Iterator<Item = Arc<Msg>> {
    let items = if let Input::Messages(items) = input { items.as_slice() } else { &[] };
    items.iter().filter_map(|item| match item {
        Item::Msg(msg) => Some(Arc::clone(msg)),
        Item::Pending(_) => None,
    })
}

/// Waits for all that a reply needs before it begins; `None` if it is interrupted first.
async fn ready(
    req: ReplyRequest,
    turn: TurnLock,
    cx: &Context,
) -> Result<Option<(ReplyRequest, OwnedMutexGuard<Held>)>> {
    let ready = async { Ok(Some((req.resolve().await?, turn.wait().await))) };
    tokio::select! {
        biased;
        ready = ready => ready,
        () = cx.interrupt().triggered() => Ok(None),
    }
}

/// Ends a reply whose turn never came.
fn leave(who: Speaker<'_>, cx: &Context, mut sink: EventSink) -> Result<()> {
    let mut msg = Arc::new(Msg::new(who.0, who.1, Vec::new()));
    sink.emit(&mut msg, start(who, 0, None));
    let (finish, error) = finish_of(cx, Finish::Interrupted);
    sink.end(msg, EventKind::ReplyEnd { finish, metadata: Box::default() });
    error.map_or(Ok(()), Err)
}

fn start((name, role): Speaker<'_>, max_iters: u32, output_schema: Option<Arc<Value>>) -> EventKind {
    EventKind::ReplyStart { name: name.clone(), role, timestamp: Timestamp::now(), max_iters, output_schema }
}

/// Folds in what the request brings, which is not saved yet.
fn begin(
    mut hold: Hold,
    place: Place,
    who: Speaker<'_>,
    req: ReplyRequest,
    max_iters: u32,
    mut sink: EventSink,
) -> Result<(Turn, fn(Turn) -> Opened)> {
    let open = hold.held.state.as_ref().and_then(|state| state.open.as_deref());
    let nothing = match &req.input {
        Input::Decisions(decisions) => decisions.is_empty(),
        Input::Results(results) => results.is_empty(),
        _ => false,
    };
    if nothing {
        let message = "the request answers about no call: `AgentState::waiting` tells which calls wait";
        return Err(Error::new(ErrorKind::InvalidInput, message));
    }
    let changes = match (open, &req.input) {
        (Some(open), Input::Decisions(decisions)) => decided(open, decisions)?,
        (Some(open), Input::Results(results)) => brought_back(open, results)?,
        (Some(_), Input::Continue | Input::Abort) => Vec::new(),
        (None, Input::Decisions(_) | Input::Results(_) | Input::Abort) => {
            let message = format!(
                "no reply of `{}` waits, so there is nothing to decide, to bring back or to abort",
                who.0
            );
            return Err(Error::new(ErrorKind::InvalidInput, message));
        }
        (_, Input::Messages(_)) | (None, Input::Continue) => {
            close_previous(&mut hold);
            let heard_from = hold.held.state.as_ref().map_or(0, |state| state.context.len());
            hear(&mut hold, messages(&req.input));
            let mut turn = Turn::new(hold, place, sink, heard_from);
            turn.emit(start(who, max_iters, req.output_schema));
            return Ok((turn, Opened::Turn));
        }
    };
    let heard_from = hold.held.state.as_ref().map_or(0, |state| state.context.len());
    reopen(&mut hold, &mut sink);
    let mut turn = Turn::new(hold, place, sink, heard_from);
    if let Input::Decisions(decisions) = &req.input
        && let Some(rules) = rules(&turn, decisions)
    {
        turn.change(Change::Slot { key: ALLOWED_SLOT.into(), value: rules });
    }
    changes.into_iter().for_each(|kind| turn.emit(kind));
    let opened = if matches!(req.input, Input::Abort) { Opened::Aborted } else { Opened::Turn };
    Ok((turn, opened))
}

/// Takes up the open reply in a new epoch, and tells a reader who was not there so far what it is.
fn reopen(hold: &mut Hold, sink: &mut EventSink) {
    let Some(open) = hold.held.state.as_ref().and_then(|state| state.open.as_deref()) else { return };
    let (reply_id, epoch, next_seq) = (open.msg.id.clone(), open.epoch + 1, open.next_seq);
    let crashed = open.msg.finish.is_none();
    hold.change(Change::Reopen { reply_id: reply_id.clone(), epoch });
    sink.resume(reply_id, epoch, next_seq);
    if crashed && next_seq > 0 {
        let rewind = sink.stamp(EventKind::Rewind { to_seq: next_seq - 1 });
        hold.fold(&rewind);
        send(hold, sink, rewind);
    }
    let Some(open) = hold.held.state.as_ref().and_then(|state| state.open.as_deref()) else { return };
    let resumed = sink.stamp(EventKind::Resumed { msg: Arc::new(Msg::clone(&open.msg)), dropped: 0 });
    send(hold, sink, resumed);
}

fn send(hold: &Hold, sink: &EventSink, event: Event) {
    if let Some(open) = hold.held.state.as_ref().and_then(|state| state.open.as_deref()) {
        sink.send(event, &open.msg);
    }
}

/// Ends a reply that waits or was cut off, for a new one. Nobody reads its events any more.
fn close_previous(hold: &mut Hold) {
    let Held { state: Some(state), .. } = &*hold.held else { return };
    let Some(open) = state.open.as_deref() else { return };
    let (reply_id, epoch) = (open.msg.id.clone(), open.epoch + 1);
    let results = close_calls(state, CLOSED).into_iter().map(EventKind::ToolResult);
    let end = EventKind::ReplyEnd { finish: Finish::Interrupted, metadata: Box::default() };
    for (seq, kind) in (open.next_seq..).zip(results.chain([end]).collect::<Vec<_>>()) {
        hold.fold(&Event { reply_id: reply_id.clone(), epoch, seq, kind });
    }
}

/// A call is decided, or brought back, once.
fn each_once<'a>(ids: impl Iterator<Item = &'a CallId>) -> Result<()> {
    let mut seen = HashSet::new();
    for id in ids {
        if !seen.insert(id) {
            let message = format!("the request answers twice about call `{id}`: answer once");
            return Err(Error::new(ErrorKind::InvalidInput, message));
        }
    }
    Ok(())
}

/// What follows from decisions. A tool that is allowed for good is so at once: its other calls that ask need not be decided.
fn decided(open: &OpenReply, decisions: &[Decision]) -> Result<Vec<EventKind>> {
    each_once(decisions.iter().map(|decision| &decision.call_id))?;
    let each = decisions.iter().map(|decision| {
        if decision.reply_id.as_ref().is_some_and(|id| *id != open.msg.id) {
            let message =
                format!("the decision is about another reply than the one that waits, `{}`", open.msg.id);
            return Err(Error::new(ErrorKind::Conflict, message));
        }
        let call = waiting_call(open, &decision.call_id, &CallState::Asking)?;
        if let Some(input) = &decision.input
            && let Err(error) = ToolCall::new("", "", input.as_str()).arguments()
        {
            let message = format!("the edited arguments of call `{}` are no JSON object: {error}", call.id);
            return Err(Error::new(ErrorKind::InvalidInput, message));
        }
        Ok(match decision.verdict {
            Verdict::Allow => allowed(call, decision.input.clone()),
            Verdict::Deny => EventKind::ToolResult(denied(call, decision.note.as_deref())),
        })
    });
    let mut events: Vec<EventKind> = each.collect::<Result<_>>()?;
    let asking = open.msg.open_calls().filter(|call| call.state == CallState::Asking);
    let settled = asking.filter(|call| {
        let decided = decisions.iter().any(|decision| decision.call_id == call.id);
        !decided && allowed_for_good(decisions).any(|name| *name == call.name)
    });
    events.extend(settled.map(|call| allowed(call, None)));
    Ok(events)
}

fn allowed(call: &ToolCall, input: Option<String>) -> EventKind {
    EventKind::ToolCallState { id: call.id.clone(), state: CallState::Allowed, input }
}

fn denied(call: &ToolCall, note: Option<&str>) -> ToolResult {
    let why = note.map(|note| format!(": {note}")).unwrap_or_default();
    let output = vec![ContentBlock::text(format!("The user did not allow this tool call{why}"))];
    ToolResult::new(call.id.clone(), call.name.clone(), ToolState::Denied, output)
}

fn brought_back(open: &OpenReply, results: &[ToolResult]) -> Result<Vec<EventKind>> {
    each_once(results.iter().map(|result| &result.id))?;
    let each = results.iter().map(|result| {
        let call = waiting_call(open, &result.id, &CallState::Submitted)?;
        if result.state == ToolState::Running {
            let message = format!(
                "the result of call `{}` says that it still runs: bring it back when it ended",
                result.id
            );
            return Err(Error::new(ErrorKind::InvalidInput, message));
        }
        Ok(EventKind::ToolResult(ToolResult { name: call.name.clone(), ..result.clone() }))
    });
    each.collect()
}

fn waiting_call<'a>(open: &'a OpenReply, id: &str, state: &CallState) -> Result<&'a ToolCall> {
    let waiting = || open.msg.open_calls().filter(|call| call.state == *state);
    waiting().find(|call| call.id == *id).ok_or_else(|| {
        let ids: Vec<&str> = waiting().map(|call| call.id.as_str()).collect();
        let what = if *state == CallState::Asking { "a decision" } else { "a result from outside" };
        let message = if ids.is_empty() {
            format!("call `{id}` does not wait for {what}: no call does")
        } else {
            format!("call `{id}` does not wait for {what}; these do: {}", ids.join(", "))
        };
        Error::new(ErrorKind::InvalidInput, message)
    })
}

/// The tools that are allowed for good, those of the decisions included, if these allow any.
fn rules(turn: &Turn, decisions: &[Decision]) -> Option<Value> {
    let mut all = turn.state().slots.get(ALLOWED_SLOT).and_then(Value::as_array).cloned().unwrap_or_default();
    let before = all.len();
    for name in allowed_for_good(decisions) {
        if !all.iter().any(|known| *known == **name) {
            all.push(name.as_str().into());
        }
    }
    (all.len() > before).then_some(Value::Array(all))
}

fn allowed_for_good(decisions: &[Decision]) -> impl Iterator<Item = &Name> {
    decisions
        .iter()
        .filter(|decision| decision.verdict == Verdict::Allow)
        .flat_map(|decision| &decision.rules)
}
