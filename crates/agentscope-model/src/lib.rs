#![doc = include_str!("../README.md")]

mod media;
mod openai;
mod resilience;
mod spec;
mod sse;

pub use openai::{OpenAIChatModel, Provider};
pub use resilience::{
    ANSWERED_BY, AnswerCache, AnswerStore, Cached, ChatModelExt, Circuit, CircuitBreaker, ConcurrencyLimit,
    ConcurrencyLimiter, DirectoryAnswers, Fallback, Hedge, MemoryAnswers, RateLimit, RateLimiter, Resilient,
    Retry, RetryBudget, RetryPolicy, TimeLimits, Timeouts,
};
pub use spec::{from_env, from_spec};
