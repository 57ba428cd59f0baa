//! Laws of the loop, each with a test that can fail.

mod conform;
mod guards;
mod laws;
mod process;
mod react;
mod support;
