#![doc = include_str!("../README.md")]

mod anthropic;
mod cards;
mod configs;
mod conversation;
mod dashscope;
mod gemini;
mod http;
mod keys;
mod nearest;
mod openai;
mod post_api;
mod resilience;
mod run;
mod spec;
mod usage;
mod wire;

pub use anthropic::AnthropicChatModel;
pub use cards::{ModelCards, cards};
pub use configs::{Api, Configs, Details, ModelConfig, Purpose};
pub use dashscope::DashScopeChatModel;
pub use gemini::GeminiChatModel;
pub use openai::{OpenAIChatModel, Provider};
pub use post_api::PostApiChatModel;
pub use resilience::{
    ANSWERED_BY, AnswerCache, AnswerStore, Cached, ChatModelExt, Circuit, CircuitBreaker, ConcurrencyLimit,
    ConcurrencyLimiter, DirectoryAnswers, Fallback, Hedge, MemoryAnswers, RateLimit, RateLimiter, Resilient,
    Retry, RetryBudget, RetryPolicy, TimeLimits, Timeouts,
};
pub use run::{Logged, RunDir, RunSummary};
pub use spec::{from_env, from_spec};
pub use usage::{Budget, BudgetState, Metered, Money, Monitor, Tally, UsageReport};
