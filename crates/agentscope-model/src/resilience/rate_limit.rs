use super::{
    gate::{AsyncEnter, Pass, gated},
    line::{Line, Patience},
    passes_on,
    window::Window,
};
use agentscope_core::{
    ChatModel, Context, Error, ErrorKind, ModelDelta, ModelRequest, ModelStream, Result, Usage,
};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{Notify, Semaphore},
    time::{Instant, sleep},
};

/// The longest time for which a server's `Retry-After` holds everyone back (1 min).
const CLOSED_LIMIT: Duration = Duration::from_secs(60);

/// How many requests and how many tokens a minute may be sent. What is too much waits; who waits longest comes first.
///
/// The tokens of a request are [estimated](ChatModel::estimate_tokens) before it is sent, and corrected by its usage when it is
/// answered. In no minute, wherever it begins, more is sent than the limits, as far as the estimates hold. When the server says that it
/// was too much all the same, and for how long, nobody is sent until then (up to a minute).
///
/// Clones are the same limiter: hand one to all models that one account pays for.
///
/// ```
/// use agentscope_core::{ModelCard, model_fn};
/// use agentscope_model::{ChatModelExt, RateLimiter};
///
/// let account = RateLimiter::requests(500).tokens(200_000);
/// let model = model_fn(ModelCard::new("yes"), |_| async { Ok("Yes.") }).rate_limit(account.clone());
/// ```
#[derive(Clone, Debug)]
pub struct RateLimiter {
    patience: Patience,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    window: Mutex<Window>,
    line: Line,
    /// Whose turn it is to look at the window.
    turn: Semaphore,
    /// Fewer tokens were used than was thought.
    freed: Notify,
}

impl RateLimiter {
    /// So many requests a minute, one at least.
    pub fn requests(a_minute: u64) -> Self {
        Self::new(Window::new(Some(a_minute), None))
    }

    /// So many tokens a minute, read and written, and any number of requests.
    pub fn only_tokens(a_minute: u64) -> Self {
        Self::new(Window::new(None, Some(a_minute)))
    }

    fn new(window: Window) -> Self {
        let shared = Shared {
            window: Mutex::new(window),
            line: Line::new(),
            turn: Semaphore::new(1),
            freed: Notify::new(),
        };
        Self { patience: Patience::default(), shared: Arc::new(shared) }
    }

    /// And so many tokens a minute, read and written. A request that is larger than that goes when no other has gone for a minute.
    #[must_use]
    pub fn tokens(self, a_minute: u64) -> Self {
        self.shared.window().tokens = Some(a_minute);
        self
    }

    /// So many may wait (1024). Beyond that a request fails with [`ErrorKind::Exhausted`].
    #[must_use]
    pub fn queue(mut self, requests: usize) -> Self {
        self.patience.queue = requests;
        self
    }

    /// Longest wait (10 min). A request that waits longer fails with [`ErrorKind::Exhausted`]. So does one that would have to wait past
    /// its deadline, as soon as that is known, with how long it takes ([`Error::retry_after`]); else it fails at the deadline, with
    /// [`ErrorKind::Timeout`].
    #[must_use]
    pub fn max_wait(mut self, wait: Duration) -> Self {
        self.patience.wait = wait;
        self
    }
}

impl Shared {
    fn window(&self) -> MutexGuard<'_, Window> {
        self.window.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until there is room; it is this one's turn.
    async fn room(&self, tokens: u64, cx: &Context) -> Result<Instant> {
        loop {
            let freed = self.freed.notified();
            let entered = self.window().enter(tokens, Instant::now());
            let wait = match entered {
                Ok(from) => return Ok(from),
                Err(wait) => wait,
            };
            if cx.time_left().is_some_and(|left| left <= wait) {
                let message = format!(
                    "the limit of requests or tokens a minute would let this request wait {:.1} s, which is past its deadline: ask \
                     less, or allow more time",
                    wait.as_secs_f64()
                );
                return Err(Error::new(ErrorKind::Exhausted, message).with_retry_after(wait));
            }
            tokio::select! {
                () = sleep(wait) => {}
                () = freed => {}
            }
        }
    }
}

struct Enter<M> {
    limiter: RateLimiter,
    model: Arc<M>,
}

impl<M: ChatModel> AsyncEnter<Sent> for Enter<M> {
    async fn enter(&self, req: &ModelRequest, cx: &Context) -> Result<Sent> {
        let shared = &self.limiter.shared;
        let counts_tokens = shared.window().tokens.is_some();
        let estimate = if counts_tokens { self.model.estimate_tokens(req).max(1) } else { 0 };
        let sent = |from| Sent { shared: Arc::clone(shared), from, estimate, usage: None };
        if let Ok(_turn) = shared.turn.try_acquire()
            && let Ok(from) = shared.window().enter(estimate, Instant::now())
        {
            return Ok(sent(from));
        }
        let turn = async {
            let turn = shared.turn.acquire().await;
            let entered = shared.room(estimate, cx).await;
            drop(turn);
            entered
        };
        let what = "the limit of requests or tokens a minute";
        Ok(sent(shared.line.wait(self.limiter.patience, cx, what, turn).await?))
    }
}

/// A request that went through.
struct Sent {
    shared: Arc<Shared>,
    from: Instant,
    estimate: u64,
    usage: Option<Usage>,
}

impl Pass for Sent {
    fn see(&mut self, delta: &ModelDelta) {
        if let ModelDelta::Usage(usage) = delta {
            self.usage = Some(*usage);
        }
    }

    fn failed(&mut self, error: &Error) {
        if let (ErrorKind::RateLimited, Some(wait)) = (error.kind(), error.retry_after()) {
            self.shared.window().close(Instant::now(), wait.min(CLOSED_LIMIT));
        }
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        let Some(usage) = self.usage.filter(|_| self.estimate > 0) else { return };
        let tokens = usage.input_tokens.saturating_add(usage.output_tokens);
        self.shared.window().correct(self.from, self.estimate, tokens);
        if tokens < self.estimate {
            self.shared.freed.notify_waiters();
        }
    }
}

/// A model of which no more is asked a minute than its [`RateLimiter`] allows. What is too much waits for its turn.
///
/// ```
/// use agentscope_core::{ChatModel, Context, ErrorKind, ModelCard, ModelRequest, model_fn};
/// use agentscope_model::{ChatModelExt, RateLimiter};
/// use futures_util::StreamExt;
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let model = model_fn(ModelCard::new("yes"), |_| async { Ok("Yes.") }).rate_limit(RateLimiter::requests(1));
/// let soon = Context::new().with_deadline(Duration::from_secs(5));
/// assert!(model.call(ModelRequest::default(), soon.clone()).next().await.unwrap().is_ok());
/// let refused = model.call(ModelRequest::default(), soon).next().await.unwrap().unwrap_err();
/// assert_eq!(refused.kind(), ErrorKind::Exhausted, "there is room in a minute, and the deadline is in 5 s");
/// # }
/// ```
pub struct RateLimit<M> {
    model: Arc<M>,
    limiter: RateLimiter,
}

impl<M: ChatModel> RateLimit<M> {
    /// `model`, as much as `limiter` allows.
    pub fn new(model: M, limiter: RateLimiter) -> Self {
        Self { model: Arc::new(model), limiter }
    }
}

impl<M> Clone for RateLimit<M> {
    fn clone(&self) -> Self {
        Self { model: Arc::clone(&self.model), limiter: self.limiter.clone() }
    }
}

impl<M: ChatModel> ChatModel for RateLimit<M> {
    passes_on!();

    fn call(&self, req: ModelRequest, cx: Context) -> ModelStream {
        let model = Arc::clone(&self.model);
        let enter = Enter { limiter: self.limiter.clone(), model: Arc::clone(&model) };
        gated(model, req, cx, enter)
    }
}
