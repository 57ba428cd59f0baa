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
mod needs_aimock;
mod needs_llama;
mod needs_openai_python;
mod needs_sdks_python;
mod said;
mod sdk;
#[path = "../server/server.rs"]
mod server;
mod server_formats;
mod server_refusals;
mod server_tests;
