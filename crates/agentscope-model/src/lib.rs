#![doc = include_str!("../README.md")]

// Chat models: the types, what they speak over HTTP, and what a conversation becomes.
mod anthropic;
mod conversation;
mod dashscope;
mod gemini;
mod http;
mod ollama;
mod openai;
mod post_api;
mod responses;
mod wire;

// Models by a line or a file, and what is known of them.
mod cards;
mod configs;
mod keys;
mod nearest {
    pub(crate) use agentscope_core::config::nearest;
}
mod spec;

// Around models: layers, what they cost, what they said.
mod resilience;
mod run;
mod usage;

// Embedders and models that draw: one request, one whole answer.
#[cfg(feature = "embedding")]
mod embedding;
#[cfg(feature = "image")]
mod image;
#[cfg(any(feature = "embedding", feature = "image"))]
mod json_call;
#[cfg(any(feature = "embedding", feature = "image"))]
mod picture;

pub mod tokens;

pub use anthropic::AnthropicChatModel;
pub use dashscope::DashScopeChatModel;
pub use gemini::GeminiChatModel;
pub use ollama::OllamaChatModel;
pub use openai::{OpenAIChatModel, Provider};
pub use post_api::PostApiChatModel;
pub use responses::OpenAIResponseModel;

pub use cards::{ModelCards, cards};
pub use configs::{Api, Configs, Details, ModelConfig, Purpose};
pub use spec::{from_env, from_spec};

pub use resilience::{
    ANSWERED_BY, AnswerCache, AnswerStore, Cached, ChatModelExt, Circuit, CircuitBreaker, ConcurrencyLimit,
    ConcurrencyLimiter, DirectoryAnswers, Fallback, Hedge, MemoryAnswers, RateLimit, RateLimiter, Resilient,
    Retry, RetryBudget, RetryPolicy, TimeLimits, Timeouts,
};

pub use run::{Logged, RunDir, RunSummary};
pub use usage::{Budget, BudgetState, Metered, Money, Monitor, Tally, UsageReport};

#[cfg(feature = "embedding")]
pub use embedding::{
    CachedEmbedder, DashScopeMultiModalEmbedding, DashScopeTextEmbedding, GeminiTextEmbedding,
    OllamaTextEmbedding, OpenAITextEmbedding, VectorCache, embedder_from_spec,
};

#[cfg(feature = "image")]
pub use image::{DashScopeImageModel, OpenAIImageModel, fetch_image, image_model_from_spec, save_image};
