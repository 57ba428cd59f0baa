//! A person or a program whose words come line by line, as through a pipe.

use super::{
    io_error,
    person::{Ask, Person, Said, Typed},
};
use agentscope_core::{BoxFuture, Result};
use std::io::BufRead;
use tokio::sync::mpsc;

/// Most lines that are read ahead.
const AHEAD: usize = 64;

/// Longest line (1 MiB); what is longer is several lines.
const LINE_LIMIT: u64 = 1 << 20;

/// The lines of a person or a pipe.
pub(super) struct Lines(mpsc::Receiver<String>);

impl Lines {
    /// The lines of the standard input, read by a thread of its own: a read of a terminal cannot be called off, and must not
    /// keep the program from leaving.
    pub(super) fn stdin() -> Result<Self> {
        let (lines, receiver) = mpsc::channel(AHEAD);
        let read = move || {
            let mut stdin = std::io::stdin().lock();
            let mut line = Vec::new();
            loop {
                line.clear();
                match std::io::Read::take(&mut stdin, LINE_LIMIT).read_until(b'\n', &mut line) {
                    Ok(0) | Err(_) => return,
                    Ok(_) => {}
                }
                let text = String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned();
                if lines.blocking_send(text).is_err() {
                    return;
                }
            }
        };
        std::thread::Builder::new().name("console-input".into()).spawn(read).map_err(io_error)?;
        Ok(Self(receiver))
    }

    #[cfg(test)]
    pub(super) fn of(lines: mpsc::Receiver<String>) -> Self {
        Self(lines)
    }
}

impl Person for Lines {
    fn prompts(&self) -> bool {
        false
    }

    fn say<'a>(&'a mut self, _: Ask<'a>) -> BoxFuture<'a, Result<Said>> {
        Box::pin(async { Ok(self.0.recv().await.map_or(Said::End, Said::Line)) })
    }

    /// A line that comes early is the next message, not one to an agent that works: a script must not depend on who is faster.
    fn typed(&mut self) -> BoxFuture<'_, Typed> {
        Box::pin(std::future::pending())
    }
}
