//! An answer as a layer sees it: first what can still be taken back, then what was given away.

use agentscope_core::{Error, ErrorKind, ModelDelta, ModelStream, Name, Result, Usage};
use std::{
    collections::VecDeque,
    task::{Context as Task, Poll, ready},
};

/// Most pieces that are held back because nobody would see them (64). A model that goes on like this has begun to answer.
const HELD_LIMIT: usize = 64;

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

/// An answer of which nothing was given away yet: it can be dropped and nobody has seen it.
pub(super) struct Opening {
    stream: ModelStream,
    held: VecDeque<ModelDelta>,
    pieces: usize,
    /// What it has cost so far.
    usage: Usage,
}

impl Opening {
    pub(super) fn new(stream: ModelStream) -> Self {
        Self { stream, held: VecDeque::new(), pieces: 0, usage: Usage::default() }
    }

    pub(super) fn usage(&self) -> Usage {
        self.usage
    }

    /// Ready when something visible has come, which is then held too, or with the error that came instead.
    pub(super) fn poll(&mut self, task: &mut Task<'_>, model: &str) -> Poll<Result<()>> {
        loop {
            match ready!(self.stream.as_mut().poll_next(task)) {
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

    /// The answer as it is given away; `spent` is what was paid for others that failed.
    pub(super) fn flow(self, spent: Usage, model: Name) -> Flow {
        Flow { queue: self.held, stream: Some(self.stream), ..Flow::new(spent, model) }
    }
}

/// An answer that is given away as it comes. It ends with one finish or one error, and tells of what was spent on tries that
/// failed before.
pub(super) struct Flow {
    queue: VecDeque<ModelDelta>,
    stream: Option<ModelStream>,
    error: Option<Error>,
    model: Name,
    spent: Usage,
    /// What was spent has to be told by the end.
    untold: bool,
    finished: bool,
}

impl Flow {
    fn new(spent: Usage, model: Name) -> Self {
        Self {
            queue: VecDeque::new(),
            stream: None,
            error: None,
            model,
            spent,
            untold: spent != Usage::default(),
            finished: false,
        }
    }

    /// No answer: what was spent, and the error.
    pub(super) fn failed(error: Error, spent: Usage, model: Name) -> Self {
        Self { error: Some(error), ..Self::new(spent, model) }
    }

    pub(super) fn poll(&mut self, task: &mut Task<'_>) -> Poll<Option<Result<ModelDelta>>> {
        if let Some(mut delta) = self.queue.pop_front() {
            self.note(&mut delta);
            return Poll::Ready(Some(Ok(delta)));
        }
        let Some(stream) = &mut self.stream else { return Poll::Ready(self.end()) };
        let mut piece = ready!(stream.as_mut().poll_next(task));
        if let Some(Ok(delta)) = &mut piece {
            self.note(delta);
            return Poll::Ready(piece);
        }
        self.stream = None;
        // The model has said that it is done: what goes wrong afterwards is no part of its answer.
        if !self.finished {
            self.error = Some(piece.and_then(Result::err).unwrap_or_else(|| broke_off(&self.model)));
        }
        Poll::Ready(self.end())
    }

    fn note(&mut self, delta: &mut ModelDelta) {
        match delta {
            ModelDelta::Usage(usage) => {
                *usage += self.spent;
                self.untold = false;
            }
            ModelDelta::Finish { .. } => self.finished = true,
            _ => {}
        }
    }

    fn end(&mut self) -> Option<Result<ModelDelta>> {
        if std::mem::take(&mut self.untold) {
            return Some(Ok(ModelDelta::Usage(self.spent)));
        }
        self.error.take().map(Err)
    }
}
