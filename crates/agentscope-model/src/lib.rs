#![doc = include_str!("../README.md")]

mod cards;
mod media;
mod openai;
mod run;
mod spec;
mod sse;
mod usage;

pub use cards::{ModelCards, cards};
pub use openai::{OpenAIChatModel, Provider};
pub use run::{Logged, RunDir, RunSummary};
pub use spec::{from_env, from_spec};
pub use usage::{Budget, BudgetState, Metered, Money, Monitor, Tally, UsageReport};
