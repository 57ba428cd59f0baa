//! The laws of the core, seen from outside.

mod conformance;
mod link;
mod place;
mod planted;
mod planted_environments;
