//! The words after `cargo xtask TASK`.

use crate::Result;

/// Arguments that a task takes apart: options first, then [`Args::names`] for what is left.
pub(crate) struct Args {
    words: Vec<String>,
    rest: Vec<String>,
}

impl Args {
    pub(crate) fn new(mut words: Vec<String>) -> Self {
        let border = words.iter().position(|word| word == "--").unwrap_or(words.len());
        let rest = words.split_off(border).into_iter().skip(1).collect();
        Self { words, rest }
    }

    pub(crate) fn ask_help(&self) -> bool {
        self.words.iter().any(|word| word == "--help" || word == "-h")
    }

    pub(crate) fn flag(&mut self, name: &str) -> bool {
        let before = self.words.len();
        self.words.retain(|word| word != name);
        self.words.len() < before
    }

    /// The value of `--name VALUE` or `--name=VALUE`; the last one counts.
    pub(crate) fn value(&mut self, name: &str) -> Result<Option<String>> {
        let mut found = None;
        let mut left = Vec::new();
        let mut words = std::mem::take(&mut self.words).into_iter();
        while let Some(word) = words.next() {
            if word == name {
                found = Some(words.next().ok_or_else(|| format!("{name} needs a value after it"))?);
            } else if let Some(value) = word.strip_prefix(name).and_then(|value| value.strip_prefix('=')) {
                found = Some(value.to_owned());
            } else {
                left.push(word);
            }
        }
        self.words = left;
        Ok(found)
    }

    /// What follows `--`, for the program that the task runs.
    pub(crate) fn rest(&mut self) -> Vec<String> {
        std::mem::take(&mut self.rest)
    }

    /// The names that are left, at most `most`, once all options are taken.
    pub(crate) fn names(self, most: usize) -> Result<Vec<String>> {
        if let Some(option) = self.words.iter().find(|word| word.starts_with('-')) {
            return Err(format!("unknown option `{option}`: add `--help` to see which there are"));
        }
        if let Some(surplus) = self.words.get(most) {
            return Err(format!("`{surplus}` is one name too many: add `--help` to see the usage"));
        }
        if !self.rest.is_empty() {
            return Err("nothing is expected after `--`: add `--help` to see the usage".to_owned());
        }
        Ok(self.words)
    }

    /// The one name that is left, if any.
    pub(crate) fn name(self) -> Result<Option<String>> {
        Ok(self.names(1)?.pop())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &str) -> Args {
        Args::new(line.split_whitespace().map(str::to_owned).collect())
    }

    #[test]
    fn options_are_taken_wherever_they_stand() {
        let mut args = args("--list friday --model openai:gpt-4o -- --model mine -x");
        assert!(args.flag("--list"));
        assert!(!args.flag("--list"));
        assert_eq!(args.value("--model").unwrap().as_deref(), Some("openai:gpt-4o"));
        assert_eq!(args.rest(), ["--model", "mine", "-x"]);
        assert_eq!(args.name().unwrap().as_deref(), Some("friday"));
    }

    #[test]
    fn a_value_may_follow_an_equals_sign() {
        assert_eq!(args("--n=5").value("--n").unwrap().as_deref(), Some("5"));
        assert!(args("--n").value("--n").unwrap_err().contains("--n needs a value"));
    }

    #[test]
    fn what_no_task_takes_is_refused() {
        assert!(args("a b").name().unwrap_err().contains("`b`"));
        assert!(args("--lst").name().unwrap_err().contains("`--lst`"));
        assert!(args("a -- b").name().unwrap_err().contains("after `--`"));
    }
}
