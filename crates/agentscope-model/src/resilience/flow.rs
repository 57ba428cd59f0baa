//! An answer as a layer sees it: first what can still be taken back, then what was given away.
//!
//! Most layers have nothing to do between the first visible piece and the end. So that a long answer does not pass through eight of
//! them piece by piece, such a layer leaves: with its first visible piece it gives the layer that polls it what it reads from, and what
//! it still has to see of the end ([`Stays`]).

use agentscope_core::{Error, ErrorKind, ModelDelta, ModelStream, Name, Result, Usage};
use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    task::{Context as Task, Poll, ready},
};

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
pub(super) trait Stays: Send {
    /// The first visible piece goes by.
    fn begin(&mut self) {}

    /// Usage or the finish goes by.
    fn see(&mut self, delta: &mut ModelDelta);

    /// The answer ends, with an error or without; usage may be told before.
    fn end(&mut self, error: &mut Option<Error>, usage: &mut Option<Usage>);
}

/// An answer that is given away as it comes. It is small, because thousands of them take turns in the processor's cache.
pub(super) struct Flow {
    /// None when it is over. It is dropped before what stays.
    stream: Option<ModelStream>,
    /// A piece is nothing but passed on, unless it is usage or the end.
    plain: bool,
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
}

impl Flow {
    pub(super) fn new(stream: ModelStream) -> Self {
        let rest = Rest { asks: true, ..Rest::default() };
        Self { stream: Some(stream), plain: false, rest: Box::new(rest) }
    }

    fn over() -> Self {
        Self { stream: None, plain: false, rest: Box::default() }
    }

    /// No answer: what was spent, and the error.
    pub(super) fn failed(error: Error, spent: Usage) -> Self {
        let usage = Some(ModelDelta::Usage(spent)).filter(|_| spent != Usage::default());
        let rest = Rest { queue: usage.into_iter().collect(), error: Some(error), ..Rest::default() };
        Self { rest: Box::new(rest), ..Self::over() }
    }

    pub(super) fn stay(&mut self, stays: impl Stays + 'static) {
        self.rest.stays.push(Box::new(stays));
    }

    pub(super) fn poll(&mut self, task: &mut Task<'_>) -> Poll<Option<Result<ModelDelta>>> {
        if self.plain {
            return self.pass_on(task);
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
    fn pass_on(&mut self, task: &mut Task<'_>) -> Poll<Option<Result<ModelDelta>>> {
        let Some(stream) = &mut self.stream else { return Poll::Ready(self.rest.error.take().map(Err)) };
        // It is given on as it lies there: a piece is large to be moved about.
        let mut polled = stream.as_mut().poll_next(task);
        match &mut polled {
            Poll::Ready(Some(Ok(delta @ (ModelDelta::Usage(_) | ModelDelta::Finish { .. })))) => {
                self.rest.stays.iter_mut().for_each(|layer| layer.see(delta));
            }
            Poll::Ready(Some(Ok(_))) | Poll::Pending => {}
            Poll::Ready(Some(Err(error))) => {
                let error = error.clone();
                polled = Poll::Ready(self.end(Some(error)));
            }
            Poll::Ready(None) => polled = Poll::Ready(self.end(None)),
        }
        polled
    }

    fn end(&mut self, mut error: Option<Error>) -> Option<Result<ModelDelta>> {
        (self.stream, self.plain) = (None, false);
        let mut usage = None;
        for mut layer in self.rest.stays.drain(..) {
            layer.end(&mut error, &mut usage);
        }
        let told = usage.map(|usage| Ok(ModelDelta::Usage(usage)));
        if told.is_some() {
            self.rest.error = error;
            return told;
        }
        error.map(Err)
    }

    /// Passes a piece on until something visible has come: a layer within may leave.
    fn poll_asking(&mut self, task: &mut Task<'_>) -> Poll<Option<Result<ModelDelta>>> {
        let stream = self.stream.as_ref().map_or(0, |stream| place(&**stream));
        let asking = Asking(MAY_LEAVE.replace(stream));
        let piece = self.pass_on(task);
        drop(asking);
        if matches!(&piece, Poll::Ready(Some(Ok(delta))) if is_visible(delta)) {
            self.rest.asks = false;
            self.rest.stays.iter_mut().for_each(|layer| layer.begin());
            if let Some(left) = LEFT.take() {
                let mut stays = left.rest.stays;
                stays.append(&mut self.rest.stays);
                (self.stream, self.rest.stays) = (left.stream, stays);
            }
        }
        piece
    }

    /// Leaves this answer to the layer that polls, with `piece` as the last that was given away here. `may` is what [`may_leave`] has
    /// said.
    pub(super) fn leave(&mut self, may: bool, piece: &Poll<Option<Result<ModelDelta>>>) {
        if may
            && self.rest.queue.is_empty()
            && matches!(piece, Poll::Ready(Some(Ok(delta))) if is_visible(delta))
        {
            LEFT.set(Some(std::mem::replace(self, Self::over())));
        }
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
pub(super) fn may_leave<T>(stream: &T) -> bool {
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

    fn end(&mut self, error: &mut Option<Error>, usage: &mut Option<Usage>) {
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
