use super::io_error;
use agentscope_core::Result;
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

    /// The next line without its end; `None` when there are no more.
    pub(super) async fn next(&mut self) -> Option<String> {
        self.0.recv().await
    }
}
