//! Laws of the loop, each with a test that can fail.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by a panic")]

mod bad_input;
mod configured;
mod conform;
#[cfg(all(unix, feature = "console"))]
mod console;
mod dialog;
mod dict;
mod edges;
mod guards;
mod hub;
mod laws;
mod output;
mod parse;
mod pipelines;
mod process;
mod react;
mod stdio;
mod support;
mod sweep;
mod user;
