//! A person or a program whose words come line by line, as through a pipe.

use super::{
    io_error,
    person::{Ask, Person, Said, Typed},
};
use crate::lines::{Lines, is_too_long};
use agentscope_core::{BoxFuture, Result};

/// Who talks through a pipe.
pub(super) struct Piped(Lines);

impl Piped {
    pub(super) fn stdin() -> Result<Self> {
        Lines::stdin().map(Self).map_err(io_error)
    }
}

impl Person for Piped {
    fn prompts(&self) -> bool {
        false
    }

    fn say<'a>(&'a mut self, _: Ask<'a>) -> BoxFuture<'a, Result<Said>> {
        Box::pin(async {
            match self.0.next().await {
                Ok(line) => Ok(line.map_or(Said::End, Said::Line)),
                Err(error) if is_too_long(&error) => Ok(Said::Refused(error.to_string())),
                Err(error) => Err(io_error(error)),
            }
        })
    }

    /// A line that comes early is the next message, not one to an agent that works: a script must not depend on who is faster.
    fn typed(&mut self) -> BoxFuture<'_, Typed> {
        Box::pin(std::future::pending())
    }
}
