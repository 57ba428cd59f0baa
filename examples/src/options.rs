//! The options of a demo that has more than a model.

use agentscope::prelude::*;
use std::{io::Write, str::FromStr, sync::Arc};

/// What was written on the command line: `--name value` or `--name=value`.
pub struct Options(Vec<(String, String)>);

impl Options {
    /// Reads the command line of a demo that has these options beside `--model`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if there is another option, or one without its value.
    pub fn read(known: &[&str]) -> Result<Self> {
        Self::of(known, std::env::args().skip(1))
    }

    fn of(known: &[&str], mut args: impl Iterator<Item = String>) -> Result<Self> {
        let mut options = Vec::new();
        while let Some(arg) = args.next() {
            let (name, value) = match arg.split_once('=') {
                Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
                None => (arg, None),
            };
            if name != "--model" && !known.contains(&name.as_str()) {
                let known: Vec<&str> = ["--model"].into_iter().chain(known.iter().copied()).collect();
                let message = format!("`{name}` is no option of this demo, which has {}", known.join(", "));
                return Err(Error::new(ErrorKind::InvalidInput, message));
            }
            let Some(value) = value.or_else(|| args.next()) else {
                return Err(Error::new(
                    ErrorKind::InvalidInput,
                    format!("{name} needs a value, such as `{name} 7`"),
                ));
            };
            options.push((name, value));
        }
        Ok(Self(options))
    }

    /// The value of an option, or `default` where it was not written.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if it is no `T`.
    pub fn value<T: FromStr>(&self, name: &str, default: T) -> Result<T> {
        let Some((_, value)) = self.0.iter().rfind(|(known, _)| known == name) else { return Ok(default) };
        value.parse().map_err(|_| {
            Error::new(
                ErrorKind::InvalidInput,
                format!("`{value}` does not fit {name}: give it another value"),
            )
        })
    }

    /// The model of `--model`; `None` where the demo thinks with its policy.
    ///
    /// # Errors
    /// Those of [`model::from_spec`].
    pub fn real_model(&self) -> Result<Option<Arc<dyn ChatModel>>> {
        let spec = self.value("--model", "policy".to_owned())?;
        (spec != "policy").then(|| model::from_spec(&spec)).transpose()
    }

    /// The model of `--model`, else `policy`, which is said to be in `place`.
    ///
    /// # Errors
    /// Those of [`model::from_spec`].
    pub fn model(&self, policy: impl ChatModel, place: &str) -> Result<Arc<dyn ChatModel>> {
        if let Some(model) = self.real_model()? {
            return Ok(model);
        }
        // That nothing can be shown is told by the demo, whose words matter more than this note.
        let _ = writeln!(std::io::stdout(), "(model: a few rules in {place}, no language model)");
        Ok(Arc::new(policy))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(args: &[&str]) -> Result<Options> {
        Options::of(&["--agents", "--seed"], args.iter().map(|it| (*it).to_owned()))
    }

    #[test]
    fn options_are_read_in_both_forms_and_the_last_one_counts() {
        let options = of(&["--agents", "5", "--seed=7", "--agents=6"]).unwrap();
        assert_eq!((options.value("--agents", 1).unwrap(), options.value("--seed", 1).unwrap()), (6, 7));
        assert_eq!(options.value("--rounds", 3).unwrap(), 3);
    }

    #[test]
    fn what_is_wrong_with_an_option_is_said() {
        let message = |args: &[&str]| of(args).err().unwrap().message().to_owned();
        assert_eq!(
            message(&["--agent", "5"]),
            "`--agent` is no option of this demo, which has --model, --agents, --seed"
        );
        assert_eq!(message(&["--agents"]), "--agents needs a value, such as `--agents 7`");
        let value = of(&["--agents", "few"]).unwrap().value("--agents", 1).unwrap_err();
        assert_eq!(value.message(), "`few` does not fit --agents: give it another value");
    }
}
