//! What tests of agents, models, tools and stores need: a model that says what its script says, suites that every
//! implementation has to pass, a store in a file, and a wire that can be cut.

#[cfg(test)]
pub(crate) mod arbitrary;
pub mod conformance;
mod file_store;
mod link;
mod script;

pub use file_store::FileStore;
pub use link::{Link, LinkConnection, LinkedAgent};
pub use script::{Line, ScriptedModel, call, fail, say};
