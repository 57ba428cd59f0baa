//! Layers around models: each is a [`ChatModel`] around a [`ChatModel`].

mod ask;
mod cache;
mod circuit;
mod circuit_breaker;
mod concurrency;
mod fallback;
pub(crate) mod flow;
mod gate;
mod hedge;
mod line;
mod rate_limit;
pub(crate) mod retry;
mod retry_budget;
mod timeouts;
pub(crate) mod tried;
mod window;

pub use cache::{AnswerCache, AnswerStore, Cached, DirectoryAnswers, MemoryAnswers};
pub use circuit::Circuit;
pub use circuit_breaker::CircuitBreaker;
pub use concurrency::{ConcurrencyLimit, ConcurrencyLimiter};
pub use fallback::{ANSWERED_BY, Fallback};
pub use hedge::Hedge;
pub use rate_limit::{RateLimit, RateLimiter};
pub use retry::{Retry, RetryPolicy};
pub use retry_budget::RetryBudget;
pub use timeouts::{TimeLimits, Timeouts};

use agentscope_core::ChatModel;
use std::time::Duration;

/// What a layer leaves to the model within.
macro_rules! passes_on {
    () => {
        fn card(&self) -> &agentscope_core::ModelCard {
            self.model.card()
        }
        fn estimate_tokens(&self, req: &agentscope_core::ModelRequest) -> u64 {
            self.model.estimate_tokens(req)
        }
        fn count_tokens<'a>(
            &'a self,
            req: &'a agentscope_core::ModelRequest,
        ) -> agentscope_core::BoxFuture<'a, agentscope_core::Result<u64>> {
            self.model.count_tokens(req)
        }
    };
}
use passes_on;

/// What [`ChatModelExt::resilient`] puts around a model, innermost last.
pub type Resilient<M> = Retry<CircuitBreaker<ConcurrencyLimit<Timeouts<M>>>>;

/// Layers around a model. What is called last is outermost; any order works, and this one is meant:
///
/// ```
/// use agentscope_core::{ModelCard, model_fn};
/// use agentscope_model::{ChatModelExt, Circuit, MemoryAnswers, RateLimiter, RetryPolicy, TimeLimits};
/// use std::time::Duration;
///
/// # let served = model_fn(ModelCard::new("served"), |_| async { Ok("ok") });
/// # let spare = model_fn(ModelCard::new("spare"), |_| async { Ok("ok") });
/// let model = served
///     .timeouts(TimeLimits::default())            // waiting in line is no silence of the model
///     .rate_limit(RateLimiter::requests(500))     // counts each request in the minute in which it is sent
///     .concurrency_limit(64)
///     .circuit_breaker(Circuit::default())        // an open circuit takes no place in line
///     .hedge(Duration::from_secs(5))
///     .retry(RetryPolicy::default())
///     .fallback(spare.resilient())                // when asking again did not help
///     .cached(MemoryAnswers::new());              // what it has, nobody is asked for
/// ```
pub trait ChatModelExt: ChatModel + Sized {
    /// Asked again where that may help, before anything of the answer was given away. See [`Retry`].
    fn retry(self, policy: RetryPolicy) -> Retry<Self> {
        Retry::new(self, policy)
    }

    /// No longer than this until the first piece, between two, and in all. See [`Timeouts`].
    fn timeouts(self, limits: TimeLimits) -> Timeouts<Self> {
        Timeouts::new(self, limits)
    }

    /// When it fails before anything of the answer was given away, `next` is asked. See [`Fallback`].
    fn fallback(self, next: impl ChatModel) -> Fallback {
        Fallback::new(self, next)
    }

    /// Asked a second time when it has given nothing for so long. See [`Hedge`].
    fn hedge(self, after: Duration) -> Hedge<Self> {
        Hedge::new(self, after)
    }

    /// No more requests and tokens a minute than this. See [`RateLimit`].
    fn rate_limit(self, limiter: RateLimiter) -> RateLimit<Self> {
        RateLimit::new(self, limiter)
    }

    /// No more requests at the same time than this, a number or a limiter that is shared. See [`ConcurrencyLimit`].
    fn concurrency_limit(self, limiter: impl Into<ConcurrencyLimiter>) -> ConcurrencyLimit<Self> {
        ConcurrencyLimit::new(self, limiter)
    }

    /// Not asked while it fails again and again. See [`CircuitBreaker`].
    fn circuit_breaker(self, circuit: Circuit) -> CircuitBreaker<Self> {
        CircuitBreaker::new(self, circuit)
    }

    /// Not asked again what it has answered before; takes a store or a cache that is shared. See [`Cached`].
    fn cached(self, cache: impl Into<AnswerCache>) -> Cached<Self> {
        Cached::new(self, cache)
    }

    /// The layers that are good for any model, as they are by default: time limits, 64 requests at the same time, a circuit
    /// breaker, and retries. No second model, no limit a minute and no cache, because only you know those.
    ///
    /// ```
    /// use agentscope_core::{ModelCard, model_fn};
    /// use agentscope_model::ChatModelExt;
    ///
    /// let model = model_fn(ModelCard::new("yes"), |_| async { Ok("Yes.") }).resilient();
    /// ```
    fn resilient(self) -> Resilient<Self> {
        self.timeouts(TimeLimits::default())
            .concurrency_limit(ConcurrencyLimiter::default())
            .circuit_breaker(Circuit::default())
            .retry(RetryPolicy::default())
    }
}

impl<M: ChatModel> ChatModelExt for M {}
