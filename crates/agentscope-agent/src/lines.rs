//! The lines that a person types, read by a thread of its own.

use std::{
    io::{self, BufRead, Read},
    sync::{Mutex, PoisonError, mpsc},
};
use tokio::sync::oneshot;

/// Longest line (16 MiB, more than any model takes). What is longer is an error, and nothing of it is a line: the half of a
/// message says something else than the whole.
const LINE_LIMIT: usize = 16 << 20;

/// The reader of the standard input, of which a process has one: a read of a terminal cannot be called off, so that a second
/// reader would take the lines which the first one was asked for.
static STDIN: Mutex<Option<Lines>> = Mutex::new(None);

/// The lines of a person or a pipe. Clones read the same lines, each line once.
///
/// A line is read when somebody asks for one, so that what nobody asks for stays for others. A line that comes when who asked
/// for it is gone is for the next one who asks.
#[derive(Clone)]
pub(crate) struct Lines(mpsc::Sender<Asker>);

/// Who waits for a line; `None` is the end of the input.
type Asker = oneshot::Sender<io::Result<Option<String>>>;

impl Lines {
    /// The lines of the standard input.
    pub(crate) fn stdin() -> io::Result<Self> {
        let mut stdin = STDIN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lines) = &*stdin {
            return Ok(lines.clone());
        }
        // Locked for a line at a time: others may read in between.
        let lines = Self::spawn(|| read_line(&mut io::stdin().lock()))?;
        Ok(stdin.insert(lines).clone())
    }

    /// The lines of `input`.
    pub(crate) fn of(mut input: impl BufRead + Send + 'static) -> io::Result<Self> {
        Self::spawn(move || read_line(&mut input))
    }

    /// The thread ends when nobody is left who could ask, and after its last read: it must not keep the program from leaving.
    fn spawn(mut read: impl FnMut() -> io::Result<Option<String>> + Send + 'static) -> io::Result<Self> {
        let (ask, askers) = mpsc::channel::<Asker>();
        let serve = move || {
            while let Ok(mut asker) = askers.recv() {
                if asker.is_closed() {
                    continue; // it did not wait for its turn
                }
                let mut line = read();
                while let Err(kept) = asker.send(line) {
                    line = kept;
                    match askers.recv() {
                        Ok(next) => asker = next,
                        Err(_) => return,
                    }
                }
            }
        };
        std::thread::Builder::new().name("user-input".into()).spawn(serve)?;
        Ok(Self(ask))
    }

    /// The next line without its end; `None` at the end of the input. One that [is too long](is_too_long) is an error, and the
    /// line after it is the next.
    pub(crate) async fn next(&self) -> io::Result<Option<String>> {
        let (asker, line) = oneshot::channel();
        let gone = || io::Error::other("the thread that reads it has ended");
        self.0.send(asker).map_err(|_| gone())?;
        line.await.map_err(|_| gone())?
    }
}

fn read_line(input: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    let mut read =
        |line: &mut Vec<u8>| Read::take(&mut *input, LINE_LIMIT as u64 + 1).read_until(b'\n', line);
    if read(&mut line)? == 0 {
        return Ok(None);
    }
    if line.len() > LINE_LIMIT && !line.ends_with(b"\n") {
        while !line.ends_with(b"\n") {
            line.clear();
            if read(&mut line)? == 0 {
                break;
            }
        }
        let message = "a line of more than 16 MiB was not taken: put it in a file and say where that is";
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    Ok(Some(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned()))
}

/// Whether a line was longer than is taken.
pub(crate) fn is_too_long(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::FileTooLarge
}

#[cfg(test)]
mod tests;
