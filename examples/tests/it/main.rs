//! The demos as programs: each runs to its end with its rules, from a pipe, whatever comes out of the pipe.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by a panic")]

mod demos;
mod rubbish;
mod run;
