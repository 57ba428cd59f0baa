//! A model whose calls are written down.

use super::{
    RunDir,
    folded::Folded,
    writer::{Outcome, Record},
};
use agentscope_core::{
    BoxFuture, ChatModel, Context, Error, ModelCard, ModelDelta, ModelRequest, ModelStream, PathEntry,
    Result, Timestamp,
};
use futures_core::Stream;
use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Poll, ready},
};
use tokio::time::Instant;

/// A model whose calls are written into `invoke/` of a [`RunDir`]: the layer that [`RunDir::log`] makes.
///
/// Each file has the request, the answer as a message, usage, error, times, agents and the model's card. It is written when the
/// answer ends, fails or is dropped; one that was never polled is no call. Until then the request is kept, so that an agent that
/// adds to its open reply meanwhile makes a copy of it.
///
/// ```
/// use agentscope_core::{ChatModel, ModelCard, model_fn};
///
/// # fn main() -> agentscope_core::Result<()> {
/// # let parent = tempfile::tempdir()?; let parent = parent.path();
/// let run = agentscope_model::RunDir::create(parent)?;
/// let model = run.log(model_fn(ModelCard::new("yes"), |_| async { Ok("Yes.") }));
/// assert_eq!(model.card().name, "yes");
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Logged<M> {
    model: M,
    run: RunDir,
}

impl<M> Logged<M> {
    pub(super) fn new(model: M, run: RunDir) -> Self {
        Self { model, run }
    }
}

impl<M: ChatModel> ChatModel for Logged<M> {
    fn card(&self) -> &ModelCard {
        self.model.card()
    }

    fn call(&self, req: ModelRequest, cx: Context) -> ModelStream {
        Box::pin(Answer {
            run: self.run.clone(),
            kept: Some(Kept {
                card: self.model.card().clone(),
                path: cx.path().into(),
                request: req.clone(),
                answer: Folded::default(),
            }),
            begun: None,
            first: None,
            answer: self.model.call(req, cx),
        })
    }

    fn estimate_tokens(&self, req: &ModelRequest) -> u64 {
        self.model.estimate_tokens(req)
    }

    fn count_tokens<'a>(&'a self, req: &'a ModelRequest) -> BoxFuture<'a, Result<u64>> {
        self.model.count_tokens(req)
    }
}

impl<M: ChatModel> fmt::Debug for Logged<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let model = &self.model.card().name;
        f.debug_struct("Logged").field("model", model).field("run", &self.run).finish()
    }
}

struct Answer {
    run: RunDir,
    /// What will be written; `None` when it was.
    kept: Option<Kept>,
    begun: Option<(Instant, Timestamp, u64)>,
    /// When the first piece came.
    first: Option<Instant>,
    answer: ModelStream,
}

struct Kept {
    card: ModelCard,
    path: Arc<[PathEntry]>,
    request: ModelRequest,
    answer: Folded,
}

impl Stream for Answer {
    type Item = Result<ModelDelta>;

    fn poll_next(self: Pin<&mut Self>, task: &mut std::task::Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if this.begun.is_none() {
            this.begun = Some((Instant::now(), Timestamp::now(), this.run.number()));
        }
        let next = ready!(this.answer.as_mut().poll_next(task));
        match (&next, &mut this.kept) {
            (Some(Ok(delta)), Some(kept)) => {
                kept.answer.add(delta);
                if this.first.is_none() {
                    this.first = Some(Instant::now());
                }
            }
            (Some(Err(error)), _) => this.end(Outcome::Failed, Some(error)),
            (None, _) => this.end(Outcome::Ended, None),
            (Some(Ok(_)), None) => {}
        }
        Poll::Ready(next)
    }
}

impl Answer {
    fn end(&mut self, outcome: Outcome, error: Option<&Error>) {
        let Some((begun, timestamp, number)) = self.begun.clone() else { return };
        let Some(Kept { card, path, request, answer }) = self.kept.take() else { return };
        // What was read to its finish was not cut off, though nobody waited for what comes after.
        let outcome = if error.is_none() && answer.finish.is_some() { Outcome::Ended } else { outcome };
        self.run.write(Record {
            number,
            timestamp,
            duration: begun.elapsed(),
            first: self.first.map(|first| first - begun),
            outcome,
            card,
            path,
            request,
            answer,
            error: error.cloned(),
        });
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.end(Outcome::Dropped, None);
    }
}
