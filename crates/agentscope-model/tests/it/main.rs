//! What the models say and understand, spoken to over a wire.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by a panic"
)]

mod aimock;
mod bad_input;
mod cards;
mod chat;
mod configs;
mod conformance;
#[cfg(feature = "embedding")]
mod embedding;
#[cfg(feature = "embedding")]
mod embedding_cache;
mod formats;
mod gemini_and_ollama;
#[cfg(feature = "image")]
mod image;
mod images_shown;
mod interleaved;
mod needs_aimock;
mod needs_aimock_formats;
#[cfg(all(feature = "embedding", feature = "image"))]
mod needs_aimock_media;
mod needs_llama;
mod needs_openai_python;
mod needs_sdks_python;
mod resilience;
mod runs;
mod said;
mod sdk;
#[path = "../server/server.rs"]
mod server;
mod server_formats;
mod server_refusals;
mod server_tests;
#[cfg(feature = "tiktoken")]
mod tokens;
mod usage;
