//! Keys that are pressed while the agent works, and the state of the terminal meanwhile.

use crate::console::{io_error, person::Typed};
use agentscope_core::Result;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::Signal,
    stdio::{stdin, stdout},
    termios::{
        InputModes, LocalModes, OptionalActions, QueueSelector, SpecialCodeIndex, Termios, tcflush,
        tcgetattr, tcsetattr,
    },
};
use std::time::Duration;
use tokio::signal::unix::SignalKind;

/// Most bytes of a paste that is not yet whole (1 MiB); what is longer is forgotten.
const PASTE_LIMIT: usize = 1 << 20;

/// How often to look for keys. A look costs a microsecond, is not called off in the middle as a read would be, and works for
/// the terminals of all systems; a person does not notice the delay.
const GLANCE: Duration = Duration::from_millis(40);

const PASTE: &[u8] = b"\x1b[200~";
const PASTE_END: &[u8] = b"\x1b[201~";

/// A terminal that passes each key on at once and shows none, until this is dropped. Ctrl-C stays a signal, and Enter stays
/// what it is: the line editor, which may read it later, takes a line feed for Ctrl-J.
pub(super) struct Quiet(Termios);

impl Quiet {
    pub(super) fn begin() -> Result<Self> {
        let quiet = Self(tcgetattr(stdin()).map_err(|error| io_error(error.into()))?);
        quiet.again()?;
        Ok(quiet)
    }

    /// The same again, in case somebody changed it.
    pub(super) fn again(&self) -> Result<()> {
        let mut modes = self.0.clone();
        modes.local_modes -= LocalModes::ICANON | LocalModes::ECHO;
        modes.input_modes -= InputModes::ICRNL;
        set(modes)
    }

    /// As the line editor has it, which does not notice that the program was stopped and a shell changed it meanwhile.
    pub(super) fn edit(&self) -> Result<()> {
        let mut modes = self.0.clone();
        modes.local_modes -= LocalModes::ICANON | LocalModes::ECHO | LocalModes::IEXTEN | LocalModes::ISIG;
        modes.input_modes -= InputModes::BRKINT
            | InputModes::ICRNL
            | InputModes::INPCK
            | InputModes::ISTRIP
            | InputModes::IXON;
        set(modes)
    }
}

fn set(mut modes: Termios) -> Result<()> {
    modes.special_codes[SpecialCodeIndex::VMIN] = 1;
    modes.special_codes[SpecialCodeIndex::VTIME] = 0;
    paste(true);
    tcsetattr(stdin(), OptionalActions::Now, &modes).map_err(|error| io_error(error.into()))
}

/// That the program goes on after it was stopped, as by Ctrl-Z and then `fg`.
pub(super) struct Resumed(tokio::signal::unix::Signal);

impl Resumed {
    pub(super) fn listen() -> Result<Self> {
        let kind = SignalKind::from_raw(Signal::CONT.as_raw());
        Ok(Self(tokio::signal::unix::signal(kind).map_err(io_error)?))
    }

    pub(super) async fn wait(&mut self) {
        if self.0.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // The line editor may still be reading, and does not come to put this right.
        paste(false);
        let _ = tcsetattr(stdin(), OptionalActions::Now, &self.0);
    }
}

/// Has the terminal mark what is pasted, or no more.
fn paste(marked: bool) {
    let _ = rustix::io::write(stdout(), if marked { b"\x1b[?2004h" } else { b"\x1b[?2004l" });
}

/// The keys of the standard input, read only when nobody else reads it.
#[derive(Default)]
pub(super) struct Keys {
    unread: Vec<u8>,
    /// What cannot be read any more is not asked again and again.
    over: bool,
}

impl Keys {
    /// Waits until something is typed that begins a line.
    pub(super) async fn next(&mut self) -> Typed {
        loop {
            if let Some(typed) = take(&mut self.unread) {
                return typed;
            }
            while self.over || !is_there() {
                tokio::time::sleep(GLANCE).await;
            }
            let mut bytes = [0; 4096];
            match rustix::io::read(stdin(), &mut bytes) {
                Ok(0) | Err(_) => self.over = true,
                Ok(count) => self.unread.extend(bytes.get(..count).unwrap_or_default()),
            }
        }
    }

    /// Forgets what was typed and not yet read.
    pub(super) fn forget(&mut self) {
        self.unread.clear();
        let _ = tcflush(stdin(), QueueSelector::IFlush);
    }
}

/// Whether a read would give something at once.
fn is_there() -> bool {
    let input = stdin();
    let mut there = [PollFd::new(&input, PollFlags::IN)];
    poll(&mut there, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|count| count > 0)
}

/// Takes the first words out of what was typed; what is no words, such as the arrow keys, is dropped. `None` if there are
/// none, or a paste is not yet whole.
fn take(unread: &mut Vec<u8>) -> Option<Typed> {
    while let Some(first) = unread.first().copied() {
        if unread.starts_with(PASTE) {
            let Some(end) = unread.windows(PASTE_END.len()).position(|it| it == PASTE_END) else {
                if unread.len() > PASTE_LIMIT {
                    unread.clear();
                }
                return None;
            };
            let text = unread.get(PASTE.len()..end).unwrap_or_default();
            let text = String::from_utf8_lossy(text).replace("\r\n", "\n").replace('\r', "\n");
            unread.drain(..end + PASTE_END.len());
            return Some(Typed { text, entered: false });
        }
        if first == 0x1b {
            if PASTE.starts_with(unread) && unread.len() > 2 {
                return None; // the rest of the mark is on its way
            }
            let length = escape(unread);
            unread.drain(..length);
        } else if first.is_ascii_control() {
            unread.drain(..1);
        } else {
            return words(unread);
        }
    }
    None
}

/// How long the escape sequence is with which `bytes` begin.
fn escape(bytes: &[u8]) -> usize {
    let rest = match bytes.get(1) {
        Some(b'[') => bytes.iter().skip(2).position(|it| (0x40..=0x7e).contains(it)).map(|at| at + 3),
        Some(b'O') => Some(3),
        _ => Some(2),
    };
    rest.unwrap_or(bytes.len()).min(bytes.len())
}

fn words(unread: &mut Vec<u8>) -> Option<Typed> {
    let end = unread.iter().position(u8::is_ascii_control).unwrap_or(unread.len());
    let bytes = unread.get(..end).unwrap_or_default();
    let text = match std::str::from_utf8(bytes) {
        // The rest of a character is on its way.
        Err(error) if error.error_len().is_none() && end == unread.len() && error.valid_up_to() == 0 => {
            return None;
        }
        Err(error) if error.error_len().is_none() && end == unread.len() => {
            let whole = error.valid_up_to();
            let text = String::from_utf8_lossy(bytes.get(..whole).unwrap_or_default()).into_owned();
            unread.drain(..whole);
            return Some(Typed { text, entered: false });
        }
        _ => String::from_utf8_lossy(bytes).into_owned(),
    };
    let entered = matches!(unread.get(end), Some(b'\r' | b'\n'));
    unread.drain(..end + usize::from(entered));
    Some(Typed { text, entered })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8]) -> (Vec<(String, bool)>, Vec<u8>) {
        let mut unread = bytes.to_vec();
        let mut typed = Vec::new();
        while let Some(Typed { text, entered }) = take(&mut unread) {
            typed.push((text, entered));
        }
        (typed, unread)
    }

    #[test]
    fn words_are_found_among_keys() {
        let one = |text: &str, entered| vec![(text.to_owned(), entered)];
        assert_eq!(all(b"h"), (one("h", false), vec![]));
        assert_eq!(all(b"\x1b[A\x1bOB\x1b[1;5C\r\t\x7fhi\r"), (one("hi", true), vec![]));
        assert_eq!(all("快一点\r".as_bytes()), (one("快一点", true), vec![]));
        assert_eq!(all(b"\x1b"), (vec![], vec![]));
    }

    #[test]
    fn what_is_not_whole_is_waited_for() {
        let word = "快".as_bytes();
        assert_eq!(all(&word[..2]), (vec![], word[..2].to_vec()));
        assert_eq!(all(b"\x1b[200~one\rtwo"), (vec![], b"\x1b[200~one\rtwo".to_vec()));
        let pasted = vec![("one\ntwo".to_owned(), false)];
        assert_eq!(all(b"\x1b[200~one\rtwo\x1b[201~"), (pasted, vec![]));
    }
}
