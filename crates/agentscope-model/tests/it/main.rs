//! What the models say and understand, spoken to over a wire.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by a panic")]

mod chat;
#[path = "../server/server.rs"]
mod server;
mod server_tests;
