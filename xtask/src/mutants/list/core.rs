//! Of `agentscope-core`.

mod conversation;
mod events;
mod requests;

pub(super) use conversation::MUTANTS as CONVERSATION;
pub(super) use events::MUTANTS as EVENTS;
pub(super) use requests::MUTANTS as REQUESTS;
