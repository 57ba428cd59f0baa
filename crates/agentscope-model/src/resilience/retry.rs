use super::{
    ask::Ask,
    flow::{Flow, Opening, broke_off, may_leave},
    passes_on,
    retry_budget::RetryBudget,
    tried,
};
use agentscope_core::{
    ChatModel, Context, Error, ErrorKind, ModelDelta, ModelRequest, ModelStream, Name, Result, Stream, Usage,
};
use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context as Task, Poll, ready},
    time::Duration,
};
use tokio::time::{Sleep, sleep};

/// How often, when, and after which errors a request is sent again.
///
/// The waits grow: up to 0.5 s, then 1 s, 2 s and so on up to 8 s, each a random share of that, so that those who failed together do
/// not come back together ("full jitter"). Where the server says how long (`Retry-After`), it is obeyed up to a minute; if it
/// asks for longer, the error is given to the caller, who knows from [`Error::retry_after`] how long it takes.
///
/// ```
/// use agentscope_core::ErrorKind;
/// use agentscope_model::RetryPolicy;
/// use std::time::Duration;
///
/// let patient = RetryPolicy::default()
///     .retries(5)
///     .backoff(Duration::from_secs(1), Duration::from_secs(30))
///     .retry_if(|error| error.is_retryable() || error.kind() == ErrorKind::Protocol);
/// ```
#[derive(Clone)]
pub struct RetryPolicy {
    retries: u32,
    backoff: Duration,
    backoff_limit: Duration,
    retry_after_limit: Duration,
    budget: Option<RetryBudget>,
    retry_if: Arc<dyn Fn(&Error) -> bool + Send + Sync>,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            retries: 2,
            backoff: Duration::from_millis(500),
            backoff_limit: Duration::from_secs(8),
            retry_after_limit: Duration::from_secs(60),
            budget: Some(RetryBudget::default()),
            retry_if: Arc::new(may_help),
        }
    }
}

/// What may go better the next time. A request that timed out is not sent again: the model may be at work, and be paid twice. Nor is
/// one that an open circuit refused: it is there so that nobody waits.
fn may_help(error: &Error) -> bool {
    error.is_retryable() && error.kind() != ErrorKind::Timeout && !tried::is_open(error)
}

impl RetryPolicy {
    /// How often a request is sent again (2). Where the model, or a layer within, has sent it several times already, those count.
    #[must_use]
    pub fn retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }

    /// The longest first wait (0.5 s), which doubles each time, and the longest of all (8 s).
    #[must_use]
    pub fn backoff(mut self, first: Duration, limit: Duration) -> Self {
        (self.backoff, self.backoff_limit) = (first, limit);
        self
    }

    /// The longest wait that a server may ask for (1 min). Asked for a longer one, the request fails at once.
    #[must_use]
    pub fn retry_after_limit(mut self, limit: Duration) -> Self {
        self.retry_after_limit = limit;
        self
    }

    /// How many requests may be sent again, of all that share the budget (a fifth of the calls, and a reserve of ten).
    #[must_use]
    pub fn budget(mut self, budget: RetryBudget) -> Self {
        self.budget = Some(budget);
        self
    }

    /// As many as [`retries`](Self::retries) allows, however many calls fail.
    #[must_use]
    pub fn no_budget(mut self) -> Self {
        self.budget = None;
        self
    }

    /// After which errors a request is sent again, in place of the default: those that are
    /// [`is_retryable`](Error::is_retryable), but for timeouts (the model may be at work, and be paid twice) and open circuits.
    #[must_use]
    pub fn retry_if(mut self, may_help: impl Fn(&Error) -> bool + Send + Sync + 'static) -> Self {
        self.retry_if = Arc::new(may_help);
        self
    }
}

impl fmt::Debug for RetryPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetryPolicy")
            .field("retries", &self.retries)
            .field("backoff", &self.backoff)
            .field("backoff_limit", &self.backoff_limit)
            .field("retry_after_limit", &self.retry_after_limit)
            .field("budget", &self.budget)
            .finish_non_exhaustive()
    }
}

/// A model that is asked again where that may help, as its [`RetryPolicy`] says: before anything of the answer was given away, and
/// never past the deadline of the context. What tries that failed have cost is added to the usage of the answer.
///
/// ```
/// use agentscope_core::{ChatModel, Context, Error, ErrorKind, ModelRequest, Msg, ScriptedModel, testing::{fail, say}};
/// use agentscope_model::{ChatModelExt, RetryPolicy};
/// use futures_util::TryStreamExt;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let busy = Error::new(ErrorKind::RateLimited, "too many requests").with_retry_after(std::time::Duration::ZERO);
/// let model = ScriptedModel::new([fail(busy), say("Hello.")]).retry(RetryPolicy::default());
/// let answer: Vec<_> = model.call(ModelRequest::new([Msg::user("hi")]), Context::new()).try_collect().await?;
/// assert_eq!(answer[0], agentscope_core::ModelDelta::text("Hello."));
/// # Ok(()) }
/// ```
pub struct Retry<M> {
    model: Arc<M>,
    policy: RetryPolicy,
}

impl<M: ChatModel> Retry<M> {
    /// `model`, asked again as `policy` says.
    pub fn new(model: M, policy: RetryPolicy) -> Self {
        Self { model: Arc::new(model), policy }
    }
}

impl<M> Clone for Retry<M> {
    fn clone(&self) -> Self {
        Self { model: Arc::clone(&self.model), policy: self.policy.clone() }
    }
}

impl<M: ChatModel> ChatModel for Retry<M> {
    passes_on!();

    fn call(&self, req: ModelRequest, cx: Context) -> ModelStream {
        let name = self.card().name.clone();
        let ask = Ask::new(Arc::clone(&self.model) as _, req, cx.clone());
        retrying(self.policy.clone(), name, cx, move || ask.again())
    }
}

/// An answer for which `attempt` is made, and made again as `policy` says. `model` is the name that errors tell.
pub(crate) fn retrying(
    policy: RetryPolicy,
    model: Name,
    cx: Context,
    attempt: impl FnMut() -> ModelStream + Send + Unpin + 'static,
) -> ModelStream {
    Box::pin(Retrying {
        tries: Tries::new(policy, cx),
        model,
        attempt: Some(attempt),
        spent: Usage::default(),
        phase: Phase::Start,
    })
}

struct Retrying<F> {
    tries: Tries,
    model: Name,
    /// None when something was given away. It holds the request, which is then no longer needed, and which who asked may want to
    /// change without a copy.
    attempt: Option<F>,
    /// What the tries that failed have cost.
    spent: Usage,
    phase: Phase,
}

enum Phase {
    Start,
    Open(Opening),
    Wait(Pin<Box<Sleep>>),
    Flow(Flow),
}

impl<F: FnMut() -> ModelStream + Send + Unpin> Stream for Retrying<F> {
    type Item = Result<ModelDelta>;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Option<Self::Item>> {
        let may_leave = may_leave(&*self);
        let this = &mut *self;
        loop {
            this.phase = match &mut this.phase {
                Phase::Flow(flow) => {
                    let piece = flow.poll(task);
                    flow.leave(may_leave, &piece);
                    return piece;
                }
                Phase::Start => {
                    this.tries.begin();
                    this.ask()
                }
                Phase::Open(opening) => match ready!(opening.poll(task, &this.model)) {
                    Err(error) => {
                        this.spent += opening.usage();
                        this.after(error)
                    }
                    Ok(()) => match std::mem::replace(&mut this.phase, Phase::Start) {
                        Phase::Open(opening) => {
                            this.attempt = None;
                            Phase::Flow(opening.flow(this.spent, this.model.clone()))
                        }
                        other => other,
                    },
                },
                Phase::Wait(wait) => {
                    ready!(wait.as_mut().poll(task));
                    this.ask()
                }
            };
        }
    }
}

impl<F: FnMut() -> ModelStream> Retrying<F> {
    fn ask(&mut self) -> Phase {
        match &mut self.attempt {
            Some(attempt) => Phase::Open(Opening::new(attempt())),
            None => Phase::Flow(Flow::failed(broke_off(&self.model), self.spent)),
        }
    }

    /// What follows from a try that failed: a wait, or the end.
    fn after(&mut self, error: Error) -> Phase {
        match self.tries.wait_after(error) {
            Ok(wait) => Phase::Wait(Box::pin(sleep(wait))),
            Err(error) => Phase::Flow(Flow::failed(error, self.spent)),
        }
    }
}

/// The tries of one request, as a policy has them.
struct Tries {
    policy: RetryPolicy,
    cx: Context,
    /// How often the server was asked.
    asked: u32,
    waits: u32,
}

impl Tries {
    fn new(policy: RetryPolicy, cx: Context) -> Self {
        Self { policy, cx, asked: 0, waits: 0 }
    }

    /// The first try is made.
    fn begin(&self) {
        if let Some(budget) = &self.policy.budget {
            budget.deposit();
        }
    }

    /// How long to wait before the next try, or the error, with how often it was asked for.
    fn wait_after(&mut self, error: Error) -> Result<Duration> {
        let policy = &self.policy;
        let (error, times) = tried::untold(error);
        // An open circuit asks nobody.
        self.asked = self.asked.saturating_add(if tried::is_open(&error) { 0 } else { times });
        let asked = self.asked;
        if !(policy.retry_if)(&error) || asked > policy.retries {
            return Err(tried::tell(error, asked));
        }
        let wait = match error.retry_after() {
            Some(wait) if wait > policy.retry_after_limit => return Err(tried::tell(error, asked)),
            Some(wait) => wait,
            None => {
                let doubled = 1_u32.checked_shl(self.waits).unwrap_or(u32::MAX);
                policy.backoff.saturating_mul(doubled).min(policy.backoff_limit).mul_f64(fastrand::f64())
            }
        };
        if self.cx.interrupt().is_triggered() || self.cx.time_left().is_some_and(|left| left <= wait) {
            return Err(tried::tell(error, asked));
        }
        if policy.budget.as_ref().is_some_and(|budget| !budget.withdraw()) {
            let error = error.context("not asked again, because too many requests fail at this time");
            return Err(tried::tell(error, asked));
        }
        self.waits += 1;
        Ok(wait)
    }

    /// The error of a request that is not sent again.
    #[cfg(any(feature = "embedding", feature = "image"))]
    fn last(&mut self, error: Error) -> Error {
        self.asked = self.asked.saturating_add(1);
        tried::tell(error, self.asked)
    }
}

/// What a try ends with that failed, and whether the same may be asked again at all.
#[cfg(any(feature = "embedding", feature = "image"))]
pub(crate) struct Failure {
    pub(crate) error: Error,
    pub(crate) may_repeat: bool,
}

#[cfg(any(feature = "embedding", feature = "image"))]
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { error, may_repeat: true }
    }
}

/// A whole answer for which `attempt` is made, and made again as `policy` says.
#[cfg(any(feature = "embedding", feature = "image"))]
pub(crate) async fn retrying_whole<T, F: Future<Output = Result<T, Failure>>>(
    policy: &RetryPolicy,
    cx: &Context,
    attempt: impl Fn() -> F,
) -> Result<T> {
    let mut tries = Tries::new(policy.clone(), cx.clone());
    tries.begin();
    loop {
        match attempt().await {
            Ok(answer) => return Ok(answer),
            Err(Failure { error, may_repeat: false }) => return Err(tries.last(error)),
            Err(Failure { error, .. }) => sleep(tries.wait_after(error)?).await,
        }
    }
}
