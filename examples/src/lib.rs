//! What the demos share: the model that they think with, and how they show who says what.

pub mod guess;
mod keyboard;
pub mod options;
mod policy;
pub mod rules;
mod screen;

use agentscope::prelude::*;
pub use keyboard::exit_at_end;
use options::Options;
pub use policy::{Policy, werewolf::werewolf};
pub use rules::Rules;
pub use screen::{print, watch};
use std::sync::Arc;

/// The model that a demo thinks with: the one of `--model SPEC` on the command line, such as `ollama:qwen3` or
/// `http://localhost:8000/v1#NAME`, else a small policy.
///
/// # Errors
/// [`ErrorKind::InvalidInput`] if the command line or the SPEC is wrong; [`ErrorKind::Unauthorized`] if its key is missing.
pub fn model() -> Result<Arc<dyn ChatModel>> {
    Options::read(&[])?.model(Policy::new(), "examples/src/policy.rs")
}

/// The model of `--model SPEC`, else these rules.
///
/// # Errors
/// As [`model()`].
pub fn model_or(rules: Rules) -> Result<Arc<dyn ChatModel>> {
    let file = rules.file();
    Options::read(&[])?.model(rules, file)
}
