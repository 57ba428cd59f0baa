//! The layers around models, with a model that does what its script says, in time that stands still unless it is waited for.

mod breaker;
mod cache;
mod concurrency;
mod directory;
mod drop;
mod fallback;
mod hedge;
mod rate;
mod retry;
mod stack;
mod stage;
mod timeouts;
