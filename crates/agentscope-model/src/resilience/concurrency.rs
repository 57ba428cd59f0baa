use super::{
    gate::{AsyncEnter, Pass, gated},
    line::{Line, Patience},
    passes_on,
};
use agentscope_core::{ChatModel, Context, Error, ErrorKind, ModelRequest, ModelStream, Result};
use std::{sync::Arc, time::Duration};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many requests may run at the same time, and how many more may wait for it. Who waits longest comes first.
///
/// Clones are the same limiter: hand one to several models, and they share its places.
///
/// ```
/// use agentscope_core::{ModelCard, model_fn};
/// use agentscope_model::{ChatModelExt, ConcurrencyLimiter};
///
/// let gpu = ConcurrencyLimiter::new(8).queue(100);
/// let small = model_fn(ModelCard::new("qwen3:4b"), |_| async { Ok("ok") }).concurrency_limit(gpu.clone());
/// let large = model_fn(ModelCard::new("qwen3:32b"), |_| async { Ok("ok") }).concurrency_limit(gpu);
/// ```
#[derive(Clone, Debug)]
pub struct ConcurrencyLimiter {
    at_once: usize,
    patience: Patience,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    places: Arc<Semaphore>,
    line: Line,
}

impl ConcurrencyLimiter {
    /// So many at the same time, one at least.
    pub fn new(at_once: usize) -> Self {
        let at_once = at_once.clamp(1, Semaphore::MAX_PERMITS);
        let shared = Shared { places: Arc::new(Semaphore::new(at_once)), line: Line::new() };
        Self { at_once, patience: Patience::default(), shared: Arc::new(shared) }
    }

    /// So many more may wait (1024). Beyond that a request fails with [`ErrorKind::Exhausted`].
    #[must_use]
    pub fn queue(mut self, requests: usize) -> Self {
        self.patience.queue = requests;
        self
    }

    /// Longest wait (10 min). A request that waits longer fails with [`ErrorKind::Exhausted`]; one whose deadline comes first, with
    /// [`ErrorKind::Timeout`].
    #[must_use]
    pub fn max_wait(mut self, wait: Duration) -> Self {
        self.patience.wait = wait;
        self
    }
}

/// 64 at the same time.
impl Default for ConcurrencyLimiter {
    fn default() -> Self {
        Self::new(64)
    }
}

impl From<usize> for ConcurrencyLimiter {
    fn from(at_once: usize) -> Self {
        Self::new(at_once)
    }
}

/// A model of which no more is asked at the same time than its [`ConcurrencyLimiter`] allows. An answer has its place until it ends,
/// fails or is dropped.
///
/// ```
/// use agentscope_core::{ModelCard, model_fn};
/// use agentscope_model::ChatModelExt;
///
/// let model = model_fn(ModelCard::new("yes"), |_| async { Ok("Yes.") }).concurrency_limit(4);
/// ```
pub struct ConcurrencyLimit<M> {
    model: Arc<M>,
    limiter: ConcurrencyLimiter,
}

impl<M: ChatModel> ConcurrencyLimit<M> {
    /// `model`, with the places of `limiter`.
    pub fn new(model: M, limiter: impl Into<ConcurrencyLimiter>) -> Self {
        Self { model: Arc::new(model), limiter: limiter.into() }
    }
}

impl<M> Clone for ConcurrencyLimit<M> {
    fn clone(&self) -> Self {
        Self { model: Arc::clone(&self.model), limiter: self.limiter.clone() }
    }
}

impl<M: ChatModel> ChatModel for ConcurrencyLimit<M> {
    passes_on!();

    fn call(&self, req: ModelRequest, cx: Context) -> ModelStream {
        gated(Arc::clone(&self.model), req, cx, self.limiter.clone())
    }
}

impl AsyncEnter<OwnedSemaphorePermit> for ConcurrencyLimiter {
    async fn enter(&self, _: &ModelRequest, cx: &Context) -> Result<OwnedSemaphorePermit> {
        let places = &self.shared.places;
        // Who is waiting has been given what became free, so that this overtakes nobody.
        if let Ok(place) = Arc::clone(places).try_acquire_owned() {
            return Ok(place);
        }
        let what = match self.at_once {
            1 => "the only place".to_owned(),
            places => format!("one of {places} places"),
        };
        let closed = |_| Error::new(ErrorKind::Internal, "the places of a concurrency limiter are gone");
        let turn = async { Arc::clone(places).acquire_owned().await.map_err(closed) };
        self.shared.line.wait(self.patience, cx, &what, turn).await
    }
}

impl Pass for OwnedSemaphorePermit {}
