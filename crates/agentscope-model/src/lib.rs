#![doc = include_str!("../README.md")]

mod anthropic;
mod cards;
mod configs;
mod conversation;
mod dashscope;
#[cfg(feature = "embedding")]
mod embedding;
mod gemini;
mod http;
#[cfg(feature = "image")]
mod image;
#[cfg(any(feature = "embedding", feature = "image"))]
mod json_call;
mod keys;
mod nearest;
mod ollama;
mod openai;
#[cfg(any(feature = "embedding", feature = "image"))]
mod picture;
mod post_api;
mod resilience;
mod responses;
mod run;
mod spec;
pub mod tokens;
mod usage;
mod wire;

pub use anthropic::AnthropicChatModel;
pub use cards::{ModelCards, cards};
pub use configs::{Api, Configs, Details, ModelConfig, Purpose};
pub use dashscope::DashScopeChatModel;
#[cfg(feature = "embedding")]
pub use embedding::{
    CachedEmbedder, DashScopeMultiModalEmbedding, DashScopeTextEmbedding, GeminiTextEmbedding,
    OllamaTextEmbedding, OpenAITextEmbedding, VectorCache, embedder_from_spec,
};

pub use gemini::GeminiChatModel;
#[cfg(feature = "image")]
pub use image::{DashScopeImageModel, OpenAIImageModel, fetch_image, save_image};
pub use ollama::OllamaChatModel;
pub use openai::{OpenAIChatModel, Provider};
pub use post_api::PostApiChatModel;
pub use resilience::{
    ANSWERED_BY, AnswerCache, AnswerStore, Cached, ChatModelExt, Circuit, CircuitBreaker, ConcurrencyLimit,
    ConcurrencyLimiter, DirectoryAnswers, Fallback, Hedge, MemoryAnswers, RateLimit, RateLimiter, Resilient,
    Retry, RetryBudget, RetryPolicy, TimeLimits, Timeouts,
};
pub use responses::OpenAIResponseModel;
pub use run::{Logged, RunDir, RunSummary};
pub use spec::{from_env, from_spec};
pub use usage::{Budget, BudgetState, Metered, Money, Monitor, Tally, UsageReport};
