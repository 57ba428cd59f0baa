//! The stream of a reply's events, and how a reply runs: in a task of its own, which nobody's silence or departure stops.

mod queue;

use crate::{
    context::Context,
    error::{Error, ErrorKind, Result, panic_text},
    event::{Event, EventKind},
    id::ReplyId,
    interrupt::{Interrupt, Reason},
    message::{Msg, Role},
};
use futures_core::{Stream, future::BoxFuture};
use futures_util::FutureExt;
use queue::Shared;
use std::{
    any::Any,
    future::{Future, IntoFuture, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{self, Poll, ready},
};

/// A reply: a `Stream` of its events and, when awaited, the whole message, also if events were taken before.
///
/// It starts when it is first polled, or by [`start`](Self::start). From then on it runs in a task of its own. Dropping the stream
/// interrupts the reply; it never aborts it: what is open is closed and saved.
///
/// A slow reader holds nobody up: unread deltas of a block join, and past 1,024 unread events they become one
/// [`EventKind::Resumed`]. A reply that fails yields [`EventKind::ReplyEnd`] and then one error.
///
/// ```
/// use agentscope_core::{AgentExt, Msg, agent_fn};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let echo = agent_fn("Echo", |msgs, _| async move { Ok(Msg::assistant("Echo", msgs[0].text())) });
/// let reply = echo.reply("hi").stream();
/// assert_eq!(reply.await?.text(), "hi");
/// # Ok(()) }
/// ```
#[must_use = "a reply does nothing until it is polled, awaited or started"]
pub struct EventStream {
    source: Source,
    /// Triggered when the stream is dropped before its end.
    guard: Option<Interrupt>,
    reply_id: ReplyId,
}

enum Source {
    Task { start: Option<Box<dyn FnOnce() + Send>>, shared: Arc<Shared> },
    Other(Box<Wrapped>),
}

struct Wrapped {
    stream: Pin<Box<dyn Stream<Item = Result<Event>> + Send>>,
    fold: Msg,
    failed: Option<Error>,
    over: bool,
}

impl EventStream {
    /// Runs a reply. `run` gets a sink for its events and a context whose interrupt is a child of `cx`'s. It is called when the
    /// reply starts, and its future runs in the task: what it does before it gives the future is done in the order of starting.
    ///
    /// A deadline in `cx` triggers that interrupt with [`Reason::Deadline`] when it passes. When the interrupt is triggered, the
    /// future is polled: it can look for that, and need not wait for it.
    pub fn spawn<F, Fut>(cx: Context, run: F) -> Self
    where
        F: FnOnce(EventSink, Context) -> Fut + Send + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        let shared = Arc::new(Shared::default());
        let reply_id = ReplyId::random();
        let stop = cx.interrupt().child();
        let mut cx = cx.with_interrupt(stop.clone());
        let probe = cx.take_probe();
        let sink = EventSink { shared: Arc::clone(&shared), reply_id: reply_id.clone(), epoch: 0, seq: 0 };
        let finisher = Finisher(Some(Arc::clone(&shared)));
        let start = move || {
            // Called here and not in the task, so that replies take their places in the order in which they are started.
            let mut reply = Box::pin(cx.scope(run(sink, cx.clone())));
            let task = async move {
                let mut deadline = pin!(cx.deadline().map(tokio::time::sleep_until));
                let mut stopped = pin!(cx.interrupt().triggered());
                let mut is_awaited = false;
                let result = poll_fn(|task| {
                    // Once is enough: a task has the same waker all its life.
                    if !std::mem::replace(&mut is_awaited, true) {
                        let _ = stopped.as_mut().poll(task);
                    }
                    if let Some(probe) = &probe {
                        probe.polled(cx.interrupt());
                    }
                    if let Some(mut sleep) = deadline.as_mut().as_pin_mut() {
                        // The clock of the runtime may be late by a millisecond; what has passed has passed.
                        let passed = sleep.deadline() <= tokio::time::Instant::now();
                        if sleep.as_mut().poll(task).is_ready() || passed {
                            cx.interrupt().trigger(Reason::Deadline);
                            deadline.set(None);
                        }
                    }
                    match catch_unwind(AssertUnwindSafe(|| reply.as_mut().poll(task))) {
                        Ok(polled) => polled,
                        Err(panic) => Poll::Ready(Err(panicked(&*panic))),
                    }
                })
                .await;
                drop(reply); // lets go of the conversation before anybody hears of the end
                finisher.finish(result);
            };
            match tokio::runtime::Handle::try_current() {
                Ok(runtime) => drop(runtime.spawn(task)), // its owner is the stream: the finisher tells it of the end
                Err(_) => drop(task),
            }
        };
        let source = Source::Task { start: Some(Box::new(start)), shared };
        Self { source, guard: Some(stop), reply_id }
    }

    /// A reply whose events come from elsewhere: over a wire, or through a middleware. Dropping it drops `stream`.
    pub fn wrap(stream: impl Stream<Item = Result<Event>> + Send + 'static) -> Self {
        let fold = Msg::new("", Role::Assistant, Vec::new());
        let reply_id = fold.id.clone();
        let wrapped = Wrapped { stream: Box::pin(stream), fold, failed: None, over: false };
        Self { source: Source::Other(Box::new(wrapped)), guard: None, reply_id }
    }

    /// A reply that failed before it began.
    pub fn fail(error: Error) -> Self {
        Self::wrap(futures_util::stream::iter([Err(error)]))
    }

    /// Starts the reply now, not when it is first polled. Must be called in a tokio runtime.
    pub fn start(mut self) -> Self {
        self.ensure_started();
        self
    }

    /// The id of the reply, if it is a new one; a reply that is taken up again keeps its own.
    pub fn reply_id(&self) -> &ReplyId {
        &self.reply_id
    }

    /// The next event; `None` after the end. The same as `StreamExt::next`, for those who do not import that.
    pub async fn next(&mut self) -> Option<Result<Event>> {
        poll_fn(|task| Pin::new(&mut *self).poll_next(task)).await
    }

    /// Lets the reply go on when the stream is dropped.
    pub fn detach(mut self) -> Self {
        self.guard = None;
        self
    }

    fn ensure_started(&mut self) {
        if let Source::Task { start, .. } = &mut self.source
            && let Some(start) = start.take()
        {
            start();
        }
    }

    async fn message(mut self) -> Result<Msg> {
        self.ensure_started();
        if let Source::Task { shared, .. } = &self.source {
            shared.stop_queueing();
            let end = poll_fn(|task| shared.poll_end(task)).await;
            self.guard = None;
            return end.map(Arc::unwrap_or_clone);
        }
        while self.next().await.is_some() {}
        match &mut self.source {
            Source::Other(wrapped) => match wrapped.failed.take() {
                Some(error) => Err(error),
                None if wrapped.fold.finish.is_none() => Err(ended_early()),
                None => Ok(std::mem::replace(&mut wrapped.fold, Msg::new("", Role::Assistant, Vec::new()))),
            },
            Source::Task { .. } => Err(ended_early()),
        }
    }
}

fn ended_early() -> Error {
    Error::new(ErrorKind::Protocol, "the stream ended before the reply did")
}

impl Stream for EventStream {
    type Item = Result<Event>;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<Option<Self::Item>> {
        self.ensure_started();
        let item = match &mut self.source {
            Source::Task { shared, .. } => ready!(shared.poll_next(task)),
            Source::Other(wrapped) => ready!(wrapped.poll_next(task)),
        };
        if item.is_none() {
            self.guard = None;
        }
        Poll::Ready(item)
    }
}

impl Wrapped {
    fn poll_next(&mut self, task: &mut task::Context<'_>) -> Poll<Option<Result<Event>>> {
        if self.over {
            return Poll::Ready(None);
        }
        let item = ready!(self.stream.as_mut().poll_next(task));
        match &item {
            Some(Ok(event)) => self.fold.apply(event),
            Some(Err(error)) => self.failed = Some(error.clone()),
            None => self.over = true,
        }
        Poll::Ready(item)
    }
}

impl IntoFuture for EventStream {
    type Output = Result<Msg>;
    type IntoFuture = BoxFuture<'static, Result<Msg>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.message())
    }
}

impl Drop for EventStream {
    fn drop(&mut self) {
        if let Source::Task { shared, .. } = &self.source {
            shared.stop_queueing();
        }
        if let Some(guard) = self.guard.take() {
            guard.trigger(Reason::Dropped);
        }
    }
}

impl std::fmt::Debug for EventStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventStream").field("reply_id", &self.reply_id).finish_non_exhaustive()
    }
}

/// Where a reply puts its events. Putting one never waits.
///
/// Agents with a conversation use a [`crate::Turn`], which folds each event into the state as well.
///
/// ```
/// use agentscope_core::{Context, EventKind, EventStream, Finish, Msg, Role};
/// use std::sync::Arc;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let reply = EventStream::spawn(Context::new(), |mut sink, _cx| async move {
///     let mut msg = Arc::new(Msg::new("Timer", Role::Assistant, vec![]));
///     sink.emit(&mut msg, EventKind::Block { block: "It is ".into() });
///     sink.emit(&mut msg, EventKind::TextDelta { block: 0, delta: "noon.".into() });
///     sink.end(msg, EventKind::ReplyEnd { finish: Finish::Completed, metadata: Default::default() });
///     Ok(())
/// });
/// assert_eq!(reply.await?.text(), "It is noon.");
/// # Ok(()) }
/// ```
pub struct EventSink {
    shared: Arc<Shared>,
    reply_id: ReplyId,
    epoch: u64,
    seq: u64,
}

impl EventSink {
    /// The id of the reply.
    pub fn reply_id(&self) -> &ReplyId {
        &self.reply_id
    }

    /// Folds an event into `msg` and lets it be seen, as one act.
    pub fn emit(&mut self, msg: &mut Arc<Msg>, kind: EventKind) {
        let event = self.stamp(kind);
        Arc::make_mut(msg).apply(&event);
        self.send(event, msg);
    }

    /// Folds the end into `msg` and lets it be seen. After this, whoever awaits the reply has `msg`.
    pub fn end(mut self, mut msg: Arc<Msg>, end: EventKind) {
        let event = self.stamp(end);
        Arc::make_mut(&mut msg).apply(&event);
        self.send_end(event, msg);
    }

    /// Folds an event that happened elsewhere into `msg` and lets it be seen as it is, its reply and its place included. For
    /// transports: after the end, whoever awaits the reply has `msg`.
    pub fn forward(&mut self, msg: &mut Arc<Msg>, event: Event) {
        Arc::make_mut(msg).apply(&event);
        if matches!(event.kind, EventKind::ReplyEnd { .. }) {
            self.shared.push_end(event, Arc::clone(msg));
        } else {
            self.send(event, msg);
        }
    }

    /// Continues the reply `reply_id` at `seq` in `epoch`.
    pub(crate) fn resume(&mut self, reply_id: ReplyId, epoch: u64, seq: u64) {
        (self.reply_id, self.epoch, self.seq) = (reply_id, epoch, seq);
    }

    pub(crate) fn stamp(&mut self, kind: EventKind) -> Event {
        let event = Event { reply_id: self.reply_id.clone(), epoch: self.epoch, seq: self.seq, kind };
        self.seq += 1;
        event
    }

    pub(crate) fn send(&self, event: Event, fold: &Arc<Msg>) {
        self.shared.push(event, fold);
    }

    pub(crate) fn send_end(self, event: Event, msg: Arc<Msg>) {
        self.shared.push_end(event, msg);
    }
}

fn panicked(panic: &(dyn Any + Send)) -> Error {
    let text = panic_text(panic);
    Error::new(ErrorKind::Internal, format!("the agent, its model or a middleware panicked: {text}"))
}

/// Tells the reader of the end, also if the runtime was shut down.
struct Finisher(Option<Arc<Shared>>);

impl Finisher {
    fn finish(mut self, result: Result<()>) {
        if let Some(shared) = self.0.take() {
            shared.close(result);
        }
    }
}

impl Drop for Finisher {
    fn drop(&mut self) {
        let Some(shared) = self.0.take() else { return };
        let message = "the reply was stopped with its tokio runtime, or started outside of one";
        shared.close(Err(Error::new(ErrorKind::Internal, message)));
    }
}

/// Counts the polls of a reply's task and interrupts it at one of them.
#[derive(Debug, Default)]
pub(crate) struct Probe {
    pub(crate) polls: AtomicU64,
    /// The poll before which to interrupt, from 1; 0 for none.
    pub(crate) interrupt_at: u64,
}

impl Probe {
    fn polled(&self, interrupt: &Interrupt) {
        if self.polls.fetch_add(1, Ordering::Relaxed) + 1 == self.interrupt_at {
            interrupt.trigger(Reason::User(None));
        }
    }
}

/// A stream of the items that a future gives.
pub(crate) fn later<T: Send>(items: impl Future<Output = Vec<T>> + Send) -> impl Stream<Item = T> + Send {
    items.map(futures_util::stream::iter).flatten_stream()
}

#[cfg(test)]
mod tests;
