use agentscope_core::{Error, ErrorKind, Result};
use serde_json::{Value, json};
use std::{ffi::OsString, path::PathBuf, time::Duration};
use tokio::process::Command;

/// What the tools that run programs have in common.
#[derive(Clone)]
pub(crate) struct Options {
    pub(crate) cwd: Option<PathBuf>,
    pub(crate) env: Vec<(OsString, OsString)>,
    pub(crate) clear_env: bool,
    /// The timeout of a call that names none.
    pub(crate) timeout: Duration,
    /// The longest timeout that a call may name.
    pub(crate) max_timeout: Duration,
    /// Most bytes kept of each of the two streams.
    pub(crate) stream_limit: usize,
    /// How long the group may take to end after SIGTERM before SIGKILL, and its pipes to close after that.
    pub(crate) grace: Duration,
    /// How long the pipes may stay open after the program itself has ended: what it left in the background holds them.
    pub(crate) linger: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            cwd: None,
            env: Vec::new(),
            clear_env: false,
            timeout: Duration::from_secs(300),
            max_timeout: Duration::from_secs(600),
            stream_limit: 1 << 20,
            grace: Duration::from_millis(500),
            linger: Duration::from_secs(1),
        }
    }
}

impl Options {
    pub(super) fn apply(&self, command: &mut Command) {
        if self.clear_env {
            command.env_clear();
        }
        command.envs(self.env.iter().map(|(key, value)| (key, value)));
        if let Some(cwd) = &self.cwd {
            command.current_dir(cwd);
        }
    }

    /// The timeout for a call that asks for `seconds`.
    pub(crate) fn timeout_for(&self, seconds: Option<f64>) -> Result<Duration> {
        let Some(seconds) = seconds else { return Ok(self.timeout.min(self.max_timeout)) };
        if seconds.is_nan() || seconds <= 0.0 {
            let message = format!("`timeout` must be a number of seconds above 0, not {seconds}");
            return Err(Error::new(ErrorKind::InvalidInput, message));
        }
        Ok(Duration::try_from_secs_f64(seconds).map_or(self.max_timeout, |it| it.min(self.max_timeout)))
    }

    /// The schema of the argument `timeout`.
    pub(crate) fn timeout_schema(&self, what: &str) -> Value {
        let most = self.max_timeout.as_secs_f64();
        let default = self.timeout.min(self.max_timeout);
        let default = match default.subsec_nanos() {
            0 => json!(default.as_secs()),
            _ => json!(default.as_secs_f64()),
        };
        json!({
            "type": "number",
            "description": format!("The longest time in seconds that {what} may run, at most {most}."),
            "default": default
        })
    }
}

/// The options in the builders of both tools.
macro_rules! process_options {
    () => {
        /// The directory in which it runs; that of this program by default.
        #[must_use]
        pub fn cwd(mut self, dir: impl Into<std::path::PathBuf>) -> Self {
            self.options.cwd = Some(dir.into());
            self
        }

        /// Sets an environment variable.
        #[must_use]
        pub fn env(
            mut self,
            key: impl Into<std::ffi::OsString>,
            value: impl Into<std::ffi::OsString>,
        ) -> Self {
            self.options.env.push((key.into(), value.into()));
            self
        }

        /// Hides this program's environment, with all the keys in it; only what [`env`](Self::env) sets is seen.
        #[must_use]
        pub fn clear_env(mut self) -> Self {
            self.options.clear_env = true;
            self
        }

        /// The timeout of a call that names none (300 s).
        #[must_use]
        pub fn timeout(mut self, limit: std::time::Duration) -> Self {
            self.options.timeout = limit;
            self
        }

        /// The longest timeout that the model may name (10 min); a longer one is cut to it.
        #[must_use]
        pub fn max_timeout(mut self, limit: std::time::Duration) -> Self {
            self.options.max_timeout = limit;
            self
        }

        /// Most bytes kept of the standard output, and as many of the standard error (1 MiB). Of more, the head and the tail are
        /// kept and the rest is counted.
        #[must_use]
        pub fn stream_limit(mut self, bytes: usize) -> Self {
            self.options.stream_limit = bytes;
            self
        }

        /// How long the program may take to end after it was asked to (SIGTERM), at a timeout or an interrupt (500 ms). Then it is
        /// killed (SIGKILL).
        #[must_use]
        pub fn grace(mut self, grace: std::time::Duration) -> Self {
            self.options.grace = grace;
            self
        }

        /// How long what the program left in the background may go on writing (1 s). Then it is killed.
        #[must_use]
        pub fn linger(mut self, linger: std::time::Duration) -> Self {
            self.options.linger = linger;
            self
        }
    };
}
pub(crate) use process_options;
