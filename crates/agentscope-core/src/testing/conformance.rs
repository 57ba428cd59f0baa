//! Suites that every implementation has to pass, yours too. They panic with the law that is broken.

mod agent;

pub use agent::{Subject, agent};

#[expect(clippy::panic, reason = "a suite fails like a test")]
fn broken(law: impl std::fmt::Display) -> ! {
    panic!("broken law: {law}")
}
