//! What the demos share: the model that they think with, and how they show who says what.

pub mod guess;
mod keyboard;
pub mod options;
mod policy;
pub mod rules;
mod screen;

use agentscope::prelude::*;
pub use keyboard::exit_at_end;
pub use policy::Policy;
pub use rules::Rules;
pub use screen::{print, watch};
use std::{io::Write, sync::Arc};

/// The model that a demo thinks with: the one of `--model SPEC` on the command line, such as `ollama:qwen3` or
/// `http://localhost:8000/v1#NAME`, else a small policy.
///
/// # Errors
/// [`ErrorKind::InvalidInput`] if the command line or the SPEC is wrong; [`ErrorKind::Unauthorized`] if its key is missing.
pub fn model() -> Result<Arc<dyn ChatModel>> {
    chosen("examples/src/policy.rs", Policy::new)
}

/// The model of `--model SPEC`, else these rules.
///
/// # Errors
/// As [`model`].
pub fn model_or(rules: Rules) -> Result<Arc<dyn ChatModel>> {
    chosen(rules.file(), || rules)
}

fn chosen<M: ChatModel>(file: &str, policy: impl FnOnce() -> M) -> Result<Arc<dyn ChatModel>> {
    match spec(std::env::args().skip(1))?.as_deref() {
        None | Some("policy") => {
            // That nothing can be shown is told by the demo, whose words matter more than this note.
            let _ = writeln!(std::io::stdout(), "(model: a few rules in {file}, no language model)");
            Ok(Arc::new(policy()))
        }
        Some(spec) => model::from_spec(spec),
    }
}

fn spec(mut args: impl Iterator<Item = String>) -> Result<Option<String>> {
    let mut spec = None;
    while let Some(arg) = args.next() {
        let (name, value) = match arg.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (arg.as_str(), None),
        };
        if name != "--model" {
            let message = format!("`{arg}` is no option of a demo: there is --model SPEC");
            return Err(Error::new(ErrorKind::InvalidInput, message));
        }
        let Some(value) = value.or_else(|| args.next()) else {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "--model needs a SPEC, such as `--model ollama:qwen3`",
            ));
        };
        spec = Some(value);
    }
    Ok(spec)
}
