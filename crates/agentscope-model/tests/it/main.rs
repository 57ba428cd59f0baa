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
mod chat;
mod gemini_and_ollama;
mod needs_aimock;
mod needs_llama;
mod needs_openai_python;
mod said;
#[path = "../server/server.rs"]
mod server;
mod server_tests;
