//! Laws of the loop, each with a test that can fail.

mod conform;
mod react;
mod support;
