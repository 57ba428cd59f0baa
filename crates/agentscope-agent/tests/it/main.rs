//! Laws of the loop, each with a test that can fail.

mod react;
mod support;
