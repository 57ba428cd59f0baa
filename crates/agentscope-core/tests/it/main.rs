//! The laws of the core, seen from outside.

mod conformance;
mod planted;
