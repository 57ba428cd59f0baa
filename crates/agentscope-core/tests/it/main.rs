//! The laws of the core, seen from outside.

mod conformance;
mod link;
mod planted;
