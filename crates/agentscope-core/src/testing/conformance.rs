//! Suites that every implementation of a verb or of a store has to pass, a user's own too. Each is a function that runs one and
//! panics with a sentence which names the law that is broken.

mod agent;
mod environment;
mod model;
mod store;
mod tool;

pub use agent::{Subject, agent};
pub use environment::environment;
pub use model::chat_model;
pub use store::state_store;
pub use tool::tool;

use std::{future::Future, time::Duration};

/// Longest time for one step of a suite (60 s); what takes longer hangs.
const STEP_LIMIT: Duration = Duration::from_secs(60);

/// Fails the suite with the law that is broken and what was found.
#[expect(clippy::panic, reason = "a suite fails the test that runs it")]
#[track_caller]
fn broken(law: &str, found: impl std::fmt::Display) -> ! {
    panic!("{law}; but {found}")
}

/// Fails the suite if a law does not hold.
#[track_caller]
fn require(holds: bool, law: &str, found: impl FnOnce() -> String) {
    if !holds {
        broken(law, found());
    }
}

async fn in_time<T>(law: &str, step: impl Future<Output = T>) -> T {
    match tokio::time::timeout(STEP_LIMIT, step).await {
        Ok(done) => done,
        Err(_) => broken(law, format_args!("nothing came in {} s", STEP_LIMIT.as_secs())),
    }
}
