//! What the demos share: the model that they think with.

mod policy;

use agentscope::prelude::*;
pub use policy::{Policy, werewolf::werewolf};
use std::{io::Write, sync::Arc};

/// The options of demos, each with an example of its value. A demo that has no use for one leaves it.
const OPTIONS: [(&str, &str); 3] = [("--model", "ollama:qwen3"), ("--seed", "7"), ("--log", "game.jsonl")];

/// The model that a demo thinks with: the one of `--model SPEC` on the command line, such as `ollama:qwen3` or
/// `http://localhost:8000/v1#NAME`, else a small policy.
///
/// # Errors
/// [`ErrorKind::InvalidInput`] if the command line or the SPEC is wrong; [`ErrorKind::Unauthorized`] if its key is missing.
pub fn model() -> Result<Arc<dyn ChatModel>> {
    match spec()? {
        None => {
            // That nothing can be shown is told by the demo, whose words matter more than this note.
            let note = "(model: a few rules in examples/src/policy.rs, no language model)";
            let _ = writeln!(std::io::stdout(), "{note}");
            Ok(Arc::new(Policy::new()))
        }
        Some(spec) => model::from_spec(&spec),
    }
}

/// The SPEC of `--model SPEC`; `None` where a demo shall think with its policy.
///
/// # Errors
/// As [`option`].
pub fn spec() -> Result<Option<String>> {
    Ok(option("--model")?.filter(|spec| spec != "policy"))
}

/// The number of `--seed N`, by which chance can be had again; another one each time without it.
///
/// # Errors
/// As [`option`]; [`ErrorKind::InvalidInput`] if it is no number.
pub fn seed() -> Result<u64> {
    let Some(seed) = option("--seed")? else { return Ok(fastrand::u64(..10_000)) };
    let wrong =
        |_| Error::new(ErrorKind::InvalidInput, format!("--seed is a whole number from 0, not `{seed}`"));
    seed.parse().map_err(wrong)
}

/// The value of an option of the command line, such as `--seed 7`; the last one counts.
///
/// # Errors
/// [`ErrorKind::InvalidInput`] if the command line is wrong.
pub fn option(name: &str) -> Result<Option<String>> {
    find(name, std::env::args().skip(1))
}

fn find(wanted: &str, mut args: impl Iterator<Item = String>) -> Result<Option<String>> {
    let mut found = None;
    while let Some(arg) = args.next() {
        let (name, value) = match arg.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (arg.as_str(), None),
        };
        let Some((_, example)) = OPTIONS.iter().find(|(known, _)| *known == name) else {
            let known: Vec<_> = OPTIONS.iter().map(|(known, _)| *known).collect();
            let message = format!("`{arg}` is no option of a demo: there are {}", known.join(", "));
            return Err(Error::new(ErrorKind::InvalidInput, message));
        };
        let Some(value) = value.or_else(|| args.next()) else {
            let message = format!("{name} needs a value, such as `{name} {example}`");
            return Err(Error::new(ErrorKind::InvalidInput, message));
        };
        if name == wanted {
            found = Some(value);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(name: &str, line: &str) -> Result<Option<String>> {
        find(name, line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn options_are_found_and_others_are_refused() {
        assert_eq!(found("--seed", "--seed 7 --model=ollama:qwen3").unwrap().as_deref(), Some("7"));
        assert_eq!(
            found("--model", "--seed 7 --model=ollama:qwen3").unwrap().as_deref(),
            Some("ollama:qwen3")
        );
        assert_eq!(found("--log", "--seed 7 --seed 8").unwrap(), None);
        assert!(
            found("--seed", "--sed 7").unwrap_err().to_string().contains("there are --model, --seed, --log")
        );
        assert!(found("--model", "--seed").unwrap_err().to_string().contains("`--seed 7`"));
    }
}
