//! Embedders of providers: texts and pictures become vectors.

mod batches;
mod cache;
mod dashscope;
mod gemini;
mod ollama;
mod openai;
mod settings;
mod spec;
mod wire;

pub use cache::{CachedEmbedder, VectorCache};
pub use dashscope::{DashScopeMultiModalEmbedding, DashScopeTextEmbedding};
pub use gemini::GeminiTextEmbedding;
pub use ollama::OllamaTextEmbedding;
pub use openai::OpenAITextEmbedding;
pub use spec::embedder_from_spec;
