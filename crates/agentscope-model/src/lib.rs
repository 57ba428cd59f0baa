#![doc = include_str!("../README.md")]

#[cfg(feature = "embedding")]
mod embedding;
#[cfg(feature = "image")]
mod image;
#[cfg(any(feature = "embedding", feature = "image"))]
mod json_call;
mod media;
mod openai;
#[cfg(any(feature = "embedding", feature = "image"))]
mod picture;
mod spec;
mod sse;
pub mod tokens;

#[cfg(feature = "embedding")]
pub use embedding::{
    CachedEmbedder, DashScopeMultiModalEmbedding, DashScopeTextEmbedding, GeminiTextEmbedding,
    OllamaTextEmbedding, OpenAITextEmbedding, VectorCache, embedder_from_spec,
};

#[cfg(feature = "image")]
pub use image::{DashScopeImageModel, OpenAIImageModel, fetch_image, save_image};
pub use openai::{OpenAIChatModel, Provider};
pub use spec::{from_env, from_spec};
