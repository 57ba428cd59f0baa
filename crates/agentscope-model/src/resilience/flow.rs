//! An answer as a layer sees it: first what can still be taken back, then what was given away.
//!
//! Most layers have nothing to do between the first visible piece and the end. So that a long answer does not pass through eight of
//! them piece by piece, such a layer leaves: with its first visible piece it gives the layer that polls it what it reads from, and what
//! it still has to see of the end ([`Stays`]). What some layers do with each piece is done by the flow itself for all of them: it counts
//! bytes for a meter, looks at the timer of time limits, and lets a keeper take the answer down for a cache. So a layer that leaves
//! costs nothing for a piece, however cold the memory is in which it was.

use super::{cache::Keeper, timeouts::Timer};
use agentscope_core::{
    BoxFuture, Error, ErrorKind, FinishReason, ModelDelta, ModelStream, Name, Result, Stream, Usage,
};
use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    pin::Pin,
    task::{Context as Task, Poll, ready},
};

/// What a poll of an answer gives.
type Piece = Poll<Option<Result<ModelDelta>>>;

/// Most pieces that are held back because nobody would see them (64). A model that goes on like this has begun to answer.
const HELD_LIMIT: usize = 64;

thread_local! {
    /// Where the stream is that may leave, because the layer that polls it at this moment will take what it leaves. Zero is no place.
    static MAY_LEAVE: Cell<usize> = const { Cell::new(0) };
    /// What it has left.
    static LEFT: RefCell<Option<Flow>> = const { RefCell::new(None) };
}

/// Whether a piece, once given away, keeps the request from being asked again: words, thoughts, calls, media, and the end. Usage
/// and empty words are held back until one of these comes.
pub(super) fn is_visible(delta: &ModelDelta) -> bool {
    match delta {
        ModelDelta::Usage(_) => false,
        ModelDelta::Text { delta, .. } | ModelDelta::Thinking { delta, .. } => !delta.is_empty(),
        _ => true,
    }
}

/// The error of an answer that ended without saying so. The connection was lost, so that it may be asked again.
pub(super) fn broke_off(model: &str) -> Error {
    let message = format!(
        "the answer of `{model}` broke off: it ended without `ModelDelta::Finish`, so ask again, it is not known to be whole"
    );
    Error::new(ErrorKind::Unavailable, message)
}

/// What a layer still has to see of an answer that it has begun to give away.
pub(crate) trait Stays: Send {
    /// The first visible piece goes by.
    fn begin(&mut self) {}

    /// Usage or the finish goes by.
    fn see(&mut self, delta: &mut ModelDelta);

    /// The answer ends, with an error or without; usage may be told before. `written` are the bytes of words, thoughts and calls that
    /// were given away.
    fn end(&mut self, error: &mut Option<Error>, usage: &mut Option<Usage>, written: u64);

    /// The answer is dropped before its end.
    fn dropped(&mut self, _written: u64) {}
}

/// An answer that is given away as it comes. It is small, because thousands of them take turns in the processor's cache.
pub(crate) struct Flow {
    /// None when it is over. It is dropped before what stays.
    stream: Option<ModelStream>,
    /// A piece is nothing but passed on, unless it is usage or the end.
    plain: bool,
    /// Bytes of words, thoughts and calls that were given away.
    written: u64,
    /// Of the time limits that hold for it.
    timer: Option<Timer>,
    /// Of the cache that takes it down.
    keeper: Option<Box<Keeper>>,
    rest: Box<Rest>,
}

#[derive(Default)]
struct Rest {
    /// What comes first.
    queue: VecDeque<ModelDelta>,
    /// Of the layers that have left and of the one that reads, innermost first.
    stays: Vec<Box<dyn Stays>>,
    error: Option<Error>,
    /// A layer within may leave.
    asks: bool,
    /// How many of those that stay are within the time limits, and within the cache.
    timer_at: usize,
    keeper_at: usize,
    /// The cache is within the time limits.
    timed_keeper: bool,
    saving: Option<Saving>,
}

/// The answer is whole and is being kept; then its end is told. Whoever has the end may go.
struct Saving {
    work: BoxFuture<'static, ()>,
    finish: ModelDelta,
}

impl Flow {
    pub(crate) fn new(stream: ModelStream) -> Self {
        let mut flow = Self::over();
        flow.stream = Some(stream);
        flow.rest.asks = true;
        flow
    }

    fn over() -> Self {
        Self { stream: None, plain: false, written: 0, timer: None, keeper: None, rest: Box::default() }
    }

    /// No answer: what was spent, and the error.
    pub(crate) fn failed(error: Error, spent: Usage) -> Self {
        let mut flow = Self::over();
        let usage = Some(ModelDelta::Usage(spent)).filter(|_| spent != Usage::default());
        flow.rest.queue.extend(usage);
        flow.rest.error = Some(error);
        flow
    }

    pub(super) fn timed(mut self, timer: Timer) -> Self {
        self.timer = Some(timer);
        self
    }

    pub(super) fn kept(mut self, keeper: Keeper) -> Self {
        self.keeper = Some(Box::new(keeper));
        self
    }

    pub(crate) fn stay(&mut self, stays: impl Stays + 'static) {
        self.rest.stays.push(Box::new(stays));
    }

    pub(crate) fn poll(&mut self, task: &mut Task<'_>) -> Piece {
        if self.plain {
            return self.pass_on(task);
        }
        if let Some(saving) = self.rest.saving.take() {
            return self.save(saving, task);
        }
        if let Some(delta) = self.rest.queue.pop_front() {
            return Poll::Ready(Some(Ok(delta)));
        }
        if self.rest.asks {
            return self.poll_asking(task);
        }
        self.plain = self.stream.is_some();
        self.pass_on(task)
    }

    #[inline]
    fn pass_on(&mut self, task: &mut Task<'_>) -> Piece {
        let Some(stream) = &mut self.stream else { return Poll::Ready(self.rest.error.take().map(Err)) };
        // It is given on as it lies there: a piece is large to be moved about.
        let mut polled = stream.as_mut().poll_next(task);
        match &mut polled {
            Poll::Pending => {
                if let Some(timer) = &mut self.timer
                    && timer.is_late(task)
                {
                    return self.too_late();
                }
            }
            Poll::Ready(Some(Ok(delta))) => {
                if let Some(timer) = &mut self.timer {
                    timer.moved();
                }
                match delta {
                    ModelDelta::Text { delta, .. }
                    | ModelDelta::Thinking { delta, .. }
                    | ModelDelta::ToolCall { delta, .. } => self.written += delta.len() as u64,
                    ModelDelta::Usage(_) => self.rest.stays.iter_mut().for_each(|layer| layer.see(delta)),
                    ModelDelta::Finish { reason } => {
                        let reason = reason.clone();
                        return self.finish(reason, task);
                    }
                    _ => {}
                }
                if let Some(keeper) = &mut self.keeper
                    && !keeper.takes(delta)
                {
                    self.keeper = None;
                }
            }
            Poll::Ready(Some(Err(error))) => {
                let error = error.clone();
                polled = Poll::Ready(self.end(Some(error)));
            }
            Poll::Ready(None) => polled = Poll::Ready(self.end(None)),
        }
        polled
    }

    /// The model has said that it is done. Layers around a cache see that when the answer is kept.
    fn finish(&mut self, reason: FinishReason, task: &mut Task<'_>) -> Piece {
        let mut finish = ModelDelta::Finish { reason };
        let Some(keeper) = self.keeper.take() else { return self.tell(finish, 0) };
        let within = self.rest.keeper_at;
        self.rest.stays.iter_mut().take(within).for_each(|layer| layer.see(&mut finish));
        match finish {
            ModelDelta::Finish { reason: FinishReason::Stop } => {
                self.plain = false;
                self.save(Saving { work: Box::pin(keeper.keep()), finish }, task)
            }
            _ => {
                keeper.fail();
                self.tell(finish, within)
            }
        }
    }

    fn save(&mut self, mut saving: Saving, task: &mut Task<'_>) -> Piece {
        if saving.work.as_mut().poll(task).is_ready() {
            return self.tell(saving.finish, self.rest.keeper_at);
        }
        self.rest.saving = Some(saving);
        if let Some(timer) = &mut self.timer
            && self.rest.timed_keeper
            && timer.is_late(task)
        {
            return self.too_late();
        }
        Poll::Pending
    }

    /// Tells the end to all but the first layers, which have seen it.
    fn tell(&mut self, mut finish: ModelDelta, seen: usize) -> Piece {
        self.rest.stays.iter_mut().skip(seen).for_each(|layer| layer.see(&mut finish));
        if let Some(timer) = &mut self.timer {
            timer.finished();
        }
        Poll::Ready(Some(Ok(finish)))
    }

    /// The answer is given up, which layers within the time limits are not told; for the others it ends.
    fn too_late(&mut self) -> Piece {
        let Some(timer) = self.timer.take() else { return Poll::Pending };
        self.stream = None;
        if self.rest.timed_keeper {
            self.keeper = None;
        }
        let within = self.rest.timer_at.min(self.rest.stays.len());
        self.rest.stays.drain(..within).for_each(|mut layer| layer.dropped(self.written));
        Poll::Ready(self.end(timer.error()))
    }

    fn end(&mut self, mut error: Option<Error>) -> Option<Result<ModelDelta>> {
        (self.stream, self.plain, self.timer, self.rest.saving) = (None, false, None, None);
        if let Some(keeper) = self.keeper.take() {
            keeper.fail();
        }
        let mut usage = None;
        for mut layer in self.rest.stays.drain(..) {
            layer.end(&mut error, &mut usage, self.written);
        }
        let told = usage.map(|usage| Ok(ModelDelta::Usage(usage)));
        if told.is_some() {
            self.rest.error = error;
            return told;
        }
        error.map(Err)
    }

    /// Passes a piece on until something visible has come: a layer within may leave.
    fn poll_asking(&mut self, task: &mut Task<'_>) -> Piece {
        let stream = self.stream.as_ref().map_or(0, |stream| place(&**stream));
        let asking = Asking(MAY_LEAVE.replace(stream));
        let piece = self.pass_on(task);
        drop(asking);
        let left = LEFT.take();
        // A layer leaves with a visible piece, also where that is held back here while it is kept.
        if left.is_some() || matches!(&piece, Poll::Ready(Some(Ok(delta))) if is_visible(delta)) {
            self.rest.asks = false;
            self.rest.stays.iter_mut().for_each(|layer| layer.begin());
        }
        if let Some(left) = left {
            self.take_over(left);
        }
        piece
    }

    /// Does what a layer within has left, and its own.
    fn take_over(&mut self, mut left: Self) {
        let both_timed = self.timer.is_some() && left.timer.is_some();
        if both_timed || self.keeper.is_some() && left.keeper.is_some() {
            // There is one place for each.
            self.stream = Some(Box::pin(left));
            return;
        }
        self.stream = left.stream.take();
        let mut stays = std::mem::take(&mut left.rest.stays);
        self.rest.timed_keeper |= left.rest.timed_keeper || self.timer.is_some() && left.keeper.is_some();
        match left.timer.take() {
            Some(timer) => (self.timer, self.rest.timer_at) = (Some(timer), left.rest.timer_at),
            None => self.rest.timer_at += stays.len(),
        }
        match left.keeper.take() {
            Some(keeper) => (self.keeper, self.rest.keeper_at) = (Some(keeper), left.rest.keeper_at),
            None => self.rest.keeper_at += stays.len(),
        }
        stays.append(&mut self.rest.stays);
        self.rest.stays = stays;
    }

    /// Leaves this answer to the layer that polls, with `piece` as the last that was given away here. `may` is what [`may_leave`] has
    /// said.
    pub(crate) fn leave(&mut self, may: bool, piece: &Piece) {
        if may
            && self.rest.queue.is_empty()
            && matches!(piece, Poll::Ready(Some(Ok(delta))) if is_visible(delta))
        {
            LEFT.set(Some(std::mem::replace(self, Self::over())));
        }
    }
}

/// An answer that is dropped before its end.
impl Drop for Flow {
    fn drop(&mut self) {
        self.stream = None;
        self.rest.stays.iter_mut().for_each(|layer| layer.dropped(self.written));
    }
}

/// Of a layer that could not leave.
impl Stream for Flow {
    type Item = Result<ModelDelta>;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Piece {
        self.poll(task)
    }
}

/// Puts back what was asked before, also when a poll panics.
struct Asking(usize);

impl Drop for Asking {
    fn drop(&mut self) {
        MAY_LEAVE.set(self.0);
    }
}

fn place<T: ?Sized>(stream: &T) -> usize {
    std::ptr::from_ref(stream).cast::<()>().addr()
}

/// Whether the layer that polls `stream` takes what it leaves. Another stream that polls it, whoever has written that, is in
/// another place, and gets all pieces.
pub(crate) fn may_leave<T>(stream: &T) -> bool {
    MAY_LEAVE.get() == place(stream)
}

/// An answer of which nothing was given away yet: it can be dropped and nobody has seen it.
pub(super) struct Opening {
    flow: Flow,
    held: VecDeque<ModelDelta>,
    pieces: usize,
    /// What it has cost so far.
    usage: Usage,
}

impl Opening {
    pub(super) fn new(stream: ModelStream) -> Self {
        Self { flow: Flow::new(stream), held: VecDeque::new(), pieces: 0, usage: Usage::default() }
    }

    pub(super) fn usage(&self) -> Usage {
        self.usage
    }

    /// Ready when something visible has come, which is then held too, or with the error that came instead.
    pub(super) fn poll(&mut self, task: &mut Task<'_>, model: &str) -> Poll<Result<()>> {
        loop {
            match ready!(self.flow.poll(task)) {
                Some(Ok(delta)) => {
                    if let ModelDelta::Usage(usage) = &delta {
                        self.usage = *usage;
                    }
                    self.pieces += 1;
                    let visible = is_visible(&delta) || self.pieces >= HELD_LIMIT;
                    match self.held.back_mut() {
                        Some(ModelDelta::Usage(older)) if let ModelDelta::Usage(usage) = delta => {
                            *older = usage
                        }
                        _ => self.held.push_back(delta),
                    }
                    if visible {
                        return Poll::Ready(Ok(()));
                    }
                }
                Some(Err(error)) => return Poll::Ready(Err(error)),
                None => return Poll::Ready(Err(broke_off(model))),
            }
        }
    }

    /// The answer as it is given away; `spent` is what was paid for others that failed. It ends with one finish or one error.
    pub(super) fn flow(self, spent: Usage, model: Name) -> Flow {
        let Self { mut flow, mut held, .. } = self;
        let mut whole = Whole { model, spent, untold: spent != Usage::default(), finished: false };
        held.iter_mut().for_each(|delta| whole.see(delta));
        flow.rest.queue = held;
        flow.plain = false;
        flow.stay(whole);
        flow
    }
}

/// Sees to it that an answer has one end, and tells of what was spent on tries that failed before.
struct Whole {
    model: Name,
    spent: Usage,
    /// What was spent has to be told by the end.
    untold: bool,
    finished: bool,
}

impl Stays for Whole {
    fn see(&mut self, delta: &mut ModelDelta) {
        match delta {
            ModelDelta::Usage(usage) => {
                *usage += self.spent;
                self.untold = false;
            }
            ModelDelta::Finish { .. } => self.finished = true,
            _ => {}
        }
    }

    fn end(&mut self, error: &mut Option<Error>, usage: &mut Option<Usage>, _: u64) {
        if self.finished {
            // The model has said that it is done: what goes wrong afterwards is no part of its answer.
            *error = None;
        } else if error.is_none() {
            *error = Some(broke_off(&self.model));
        }
        match usage {
            Some(usage) => *usage += self.spent,
            None if self.untold => *usage = Some(self.spent),
            None => {}
        }
    }
}
