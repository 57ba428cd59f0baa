use super::{Held, Inner, Safe, hear::overhear};
use crate::{
    context::Context,
    error::{Error, ErrorKind, Result},
    event::{Event, EventKind},
    id::CallId,
    interrupt::Reason,
    message::{CallState, ContentBlock, Finish, Map, Msg, ToolCall, ToolResult, ToolState},
    state::{AgentState, Change, OpenReply},
    stream::EventSink,
};
use std::sync::{Arc, LazyLock, atomic::Ordering};
use tokio::sync::OwnedMutexGuard;

/// The turn of one reply: the state is its own until it [ends](Turn::end).
///
/// To emit an event is to fold it into the state, to put it down for the store and to let it be seen, as one act.
///
/// An agent with a conversation of its own:
///
/// ```
/// use agentscope_core::{
///     Agent, AgentCard, AgentExt, BoxFuture, Context, EventKind, EventSink, EventStream, Finish, Mailbox, Msg, Opened,
///     ReplyRequest, Result,
/// };
/// use std::sync::Arc;
///
/// /// Counts the messages of its conversation.
/// #[derive(Clone)]
/// struct Counter { card: Arc<AgentCard>, mailbox: Mailbox }
///
/// impl Counter {
///     async fn drive(self, req: ReplyRequest, cx: Context, sink: EventSink) -> Result<()> {
///         let mut turn = match self.mailbox.open(&self.card.name, req, 0, &cx, sink).await? {
///             Opened::Turn(turn) => turn,
///             Opened::Aborted(turn) => return turn.end(Finish::Interrupted, None).await,
///             Opened::Left => return Ok(()),
///         };
///         let text = format!("{} so far", turn.state().messages().count());
///         turn.emit(EventKind::Block { block: text.into() });
///         let (finish, error) = turn.finish_of(&cx, Finish::Completed);
///         turn.end(finish, error).await
///     }
/// }
///
/// impl Agent for Counter {
///     fn card(&self) -> &AgentCard {
///         &self.card
///     }
///     fn call(&self, req: ReplyRequest, cx: Context) -> EventStream {
///         match cx.enter(&self.card.id, &self.mailbox.session()) {
///             Err(error) => EventStream::fail(error), // it asks itself
///             Ok(cx) => {
///                 let this = self.clone();
///                 EventStream::spawn(cx, move |sink, cx| this.drive(req, cx, sink))
///             }
///         }
///     }
///     fn observe(&self, msgs: Vec<Arc<Msg>>) -> BoxFuture<'static, Result<()>> {
///         self.mailbox.observe(msgs)
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let counter = Counter { card: AgentCard::new("Counter").into(), mailbox: Mailbox::new() };
/// assert_eq!(counter.reply("one").await?.text(), "1 so far");
/// assert_eq!(counter.reply("two").await?.text(), "3 so far");
/// # Ok(()) }
/// ```
pub struct Turn {
    hold: Hold,
    place: Place,
    sink: EventSink,
    /// Where in the context begins what was said since the last reply.
    heard_from: usize,
    metadata: Map,
    /// Nothing of the conversation is kept after the end.
    forgets: bool,
}

/// The state, held by one reply.
pub(super) struct Hold {
    pub(super) inner: Arc<Inner>,
    pub(super) held: OwnedMutexGuard<Held>,
    /// Something was changed, and the reply has not ended as it should.
    torn: bool,
}

impl Hold {
    pub(super) fn new(inner: Arc<Inner>, held: OwnedMutexGuard<Held>) -> Self {
        Self { inner, held, torn: false }
    }

    pub(super) fn change(&mut self, change: Change) {
        self.torn = true;
        if let Some(state) = &mut self.held.state {
            state.apply(&change);
        }
        self.put_down(change);
    }

    pub(super) fn fold(&mut self, event: &Event) {
        self.torn = true;
        if let Some(state) = &mut self.held.state {
            state.apply_event(event);
        }
        let skipped =
            matches!(event.kind, EventKind::Custom { .. } | EventKind::Inner { .. } | EventKind::Other(_));
        if self.inner.store.is_some() && !skipped {
            self.put_down(Change::Event { event: event.clone() });
        }
    }

    fn put_down(&mut self, change: Change) {
        if self.inner.store.is_none() {
            return;
        }
        let change = match self.held.unsaved.last_mut() {
            Some(newest) => newest.join(change),
            None => Err(change),
        };
        self.held.unsaved.extend(change.err());
    }
}

/// A reply that panicked, or was dropped with its runtime, leaves what was saved: the rest did not happen. Without a store,
/// that is what the last commit would have saved.
impl Drop for Hold {
    fn drop(&mut self) {
        if !self.torn {
            return;
        }
        if self.inner.store.is_some() {
            self.held.stale = true;
            return;
        }
        let Held { state: Some(state), safe, .. } = &mut *self.held else { return };
        let Some(open) = &mut state.open else { return };
        if safe.reply_id.as_ref() != Some(&open.msg.id) {
            return; // it had just begun
        }
        let mut heard = heard_in(&open.msg);
        Arc::make_mut(&mut open.msg).rewind(safe.next_seq.saturating_sub(1));
        (open.next_seq, open.iters) = (safe.next_seq, safe.iters);
        let lost = heard.split_off(heard_in(&open.msg).len());
        state.taken = self.inner.inbox().put_back(lost);
    }
}

fn heard_in(msg: &Msg) -> Vec<Arc<Msg>> {
    let heard = msg.content.iter().filter_map(|block| match block {
        ContentBlock::Heard(heard) => Some(Arc::clone(heard)),
        _ => None,
    });
    heard.collect()
}

/// A place in the queue of replies.
pub(super) struct Place(Arc<Inner>);

impl Place {
    pub(super) fn take(inner: &Arc<Inner>, limit: usize) -> Option<Self> {
        let place = Self(Arc::clone(inner));
        let before = inner.waiting.fetch_add(1, Ordering::Relaxed);
        (before < limit).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Turn {
    pub(super) fn new(hold: Hold, place: Place, sink: EventSink, heard_from: usize) -> Self {
        Self { hold, place, sink, heard_from, metadata: Map::new(), forgets: false }
    }

    /// The state.
    pub fn state(&self) -> &AgentState {
        static NONE: LazyLock<AgentState> = LazyLock::new(AgentState::default);
        self.hold.held.state.as_deref().unwrap_or_else(|| &NONE)
    }

    /// The open reply.
    pub fn open(&self) -> Option<&OpenReply> {
        self.state().open.as_deref()
    }

    /// The messages since the last reply: what was heard, then what was asked.
    pub fn heard(&self) -> Vec<Arc<Msg>> {
        self.state().messages().skip(self.heard_from).cloned().collect()
    }

    /// Emits an event of the reply. It never waits.
    pub fn emit(&mut self, kind: EventKind) {
        let event = self.sink.stamp(kind);
        self.hold.fold(&event);
        if let Some(open) = self.hold.held.state.as_ref().and_then(|state| state.open.as_ref()) {
            self.sink.send(event, &open.msg);
        }
    }

    /// Changes the state otherwise.
    pub fn change(&mut self, change: Change) {
        self.hold.change(change);
    }

    /// Joins the message's metadata when the reply ends.
    pub fn set_metadata(&mut self, metadata: Map) {
        self.metadata = metadata;
    }

    /// Takes what was heard since, into the reply. Call it before each thought.
    pub fn hear(&mut self) {
        if let Some((upto, msgs)) = overhear(&self.hold) {
            for msg in msgs {
                self.emit(EventKind::Heard { msg });
            }
            self.change(Change::Taken { upto });
        }
    }

    /// Forgets all messages but the open reply.
    pub fn forget(&mut self) {
        if let Some(last) = self.state().context.last() {
            let upto = last.msg.id.clone();
            self.change(Change::Compact { summary: String::new(), upto });
        }
    }

    /// Forgets all messages when the reply ends, its own included. For conversations without a store.
    pub(crate) fn forget_at_end(&mut self) {
        self.forgets = true;
    }

    /// Gives every call that is open its result: it was stopped, or never run.
    pub fn close_calls(&mut self) {
        self.close_because(INTERRUPTED);
    }

    fn close_because(&mut self, why: &str) {
        for result in close_calls(self.state(), why) {
            self.emit(EventKind::ToolResult(result));
        }
    }

    /// The same for one call.
    pub fn close_call(&mut self, id: &CallId) {
        if let Some(result) =
            close_calls(self.state(), INTERRUPTED).into_iter().find(|result| result.id == *id)
        {
            self.emit(EventKind::ToolResult(result));
        }
    }

    /// Saves what is not yet saved; at once where there is no store.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] if the store cannot be reached; the state is kept and saved before the next reply.
    /// [`ErrorKind::Conflict`] if another process works on the conversation; the state is loaded again before the next reply.
    pub async fn commit(&mut self) -> Result<()> {
        self.hold.inner.commit(&mut self.hold.held).await?;
        let Held { state, safe, .. } = &mut *self.hold.held;
        if let Some(open) = state.as_ref().and_then(|state| state.open.as_ref()) {
            *safe = Safe { reply_id: Some(open.msg.id.clone()), next_seq: open.next_seq, iters: open.iters };
        }
        Ok(())
    }

    /// How a reply ends that would end as `finish`, given who stopped it: an interrupt is no error, an elapsed deadline is one.
    pub fn finish_of(&self, cx: &Context, finish: Finish) -> (Finish, Option<Error>) {
        finish_of(cx, finish)
    }

    /// Ends the reply: closes what is open (unless it waits), folds the end, saves, tells who [hears](crate::Audience) it (unless
    /// it failed or waits), gives the turn to the next, and only then lets the end be seen.
    ///
    /// # Errors
    /// `error` itself, or why the end could not be saved; the stream tells it after the end.
    pub async fn end(mut self, finish: Finish, mut error: Option<Error>) -> Result<()> {
        let waits = finish == Finish::Waiting;
        match finish {
            Finish::Waiting => {}
            Finish::Interrupted => self.close_because(INTERRUPTED),
            Finish::Failed(_) => self.close_because(FAILED),
            _ => self.close_because(CLOSED),
        }
        let mut end = self
            .sink
            .stamp(EventKind::ReplyEnd { finish, metadata: Box::new(std::mem::take(&mut self.metadata)) });
        self.hold.fold(&end);
        if let Err(unsaved) = self.commit().await {
            let failed = Finish::Failed((&unsaved).into());
            if !waits {
                self.amend_end(&mut end, failed);
            } else if let (ErrorKind::Conflict, EventKind::ReplyEnd { finish, .. }) =
                (unsaved.kind(), &mut end.kind)
            {
                *finish = failed; // nothing waits here any more
            }
            error = Some(unsaved);
        }
        let state = self.state();
        let msg =
            if waits { state.open.as_ref().map(|open| &open.msg) } else { state.messages().next_back() };
        let Some(msg) = msg.cloned() else {
            return Err(Error::new(ErrorKind::Internal, "a reply ended that never began"));
        };
        let Self { mut hold, place, sink, forgets, .. } = self;
        hold.torn = false;
        // Before the next reply begins, so that replies are heard in the order in which they were given.
        if let Some(audience) = hold.inner.audience.get()
            && error.is_none()
            && !waits
        {
            Box::pin(audience.tell(&msg)).await;
        }
        if let Some(state) = hold.held.state.as_mut().filter(|_| forgets) {
            state.context.clear();
        }
        drop((hold, place)); // the next reply may begin before this end is seen, never the other way round
        sink.send_end(end, msg);
        error.map_or(Ok(()), Err)
    }

    /// The end that was folded could not be saved: it is another one.
    fn amend_end(&mut self, end: &mut Event, failed: Finish) {
        let Held { state, unsaved, .. } = &mut *self.hold.held;
        if let Some(entry) = state.as_mut().and_then(|state| state.context.last_mut()) {
            Arc::make_mut(&mut entry.msg).finish = Some(failed.clone());
        }
        if let EventKind::ReplyEnd { finish, .. } = &mut end.kind {
            *finish = failed;
        }
        if let Some(last @ Change::Event { event: Event { kind: EventKind::ReplyEnd { .. }, .. } }) =
            unsaved.last_mut()
        {
            *last = Change::Event { event: end.clone() };
        }
    }
}

/// See [`Turn::finish_of`].
pub(super) fn finish_of(cx: &Context, finish: Finish) -> (Finish, Option<Error>) {
    match cx.interrupt().reason() {
        None => (finish, None),
        Some(Reason::Deadline) => {
            let error = Error::new(ErrorKind::Timeout, "the deadline passed before the reply was complete");
            (Finish::Failed((&error).into()), Some(error))
        }
        Some(_) => (Finish::Interrupted, None),
    }
}

/// The results that end the calls which are open: law 6, every call gets exactly one.
pub(super) fn close_calls(state: &AgentState, why: &str) -> Vec<ToolResult> {
    let calls = state.open.iter().flat_map(|open| open.msg.open_calls());
    calls.map(|call| closed(call, why)).collect()
}

/// What the model is told of a call that was not run, because somebody stopped the reply; as AgentScope 1.x says it.
const INTERRUPTED: &str = "The tool call has been interrupted by the user. The tool was not run.";

/// .. because the reply failed.
const FAILED: &str = "The tool was not run: the reply failed before that.";

/// .. because a new request came, or because it was over otherwise.
pub(super) const CLOSED: &str = "The tool was not run: the reply was closed before that.";

fn closed(call: &ToolCall, why: &str) -> ToolResult {
    let text = if call.state == CallState::Started {
        "The tool was stopped before it ended; what it did until then is unknown."
    } else {
        why
    };
    let output = vec![ContentBlock::text(text)];
    ToolResult::new(call.id.clone(), call.name.clone(), ToolState::Interrupted, output)
}
