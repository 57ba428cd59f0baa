//! That a signal ends the program as before, once nobody here listens to it any more.
//!
//! Who listens to a signal by tokio takes its default away for the rest of the process. A program that waits at its end for a
//! tool that never ends would then only end by `kill -9`.

use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    flag::register_conditional_shutdown,
};
use std::{
    io,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

/// Ctrl-C.
pub(crate) static INTERRUPT: Ending = Ending::new(SIGINT);
/// The program shall end.
pub(super) static TERMINATE: Ending = Ending::new(SIGTERM);
/// Its terminal is gone.
pub(super) static HANGUP: Ending = Ending::new(SIGHUP);

/// What a process is told of itself, where the system has that.
const STATUS: &str = "/proc/self/status";

/// A signal that ends the program while nobody listens to it here.
pub(crate) struct Ending {
    signal: i32,
    listeners: Mutex<Listeners>,
    unheard: AtomicBool,
}

struct Listeners {
    count: usize,
    /// Whether it was decided what the signal does when nobody listens, which is once a process.
    decided: bool,
}

impl Ending {
    const fn new(signal: i32) -> Self {
        let listeners = Mutex::new(Listeners { count: 0, decided: false });
        Self { signal, listeners, unheard: AtomicBool::new(false) }
    }

    /// From now on it does not end the program, until all who listen are gone; then it does, with status 128 + its number.
    /// Before the first who listens by tokio: what the program does with the signal by then is left as it is.
    pub(super) fn listen(&'static self) -> io::Result<Listening> {
        self.listen_unless(|| is_taken(&std::fs::read_to_string(STATUS).unwrap_or_default(), self.signal))
    }

    fn listen_unless(&'static self, is_taken: impl FnOnce() -> bool) -> io::Result<Listening> {
        let mut listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        if !listeners.decided {
            if !is_taken() {
                register_conditional_shutdown(self.signal, 128 + self.signal, &self.unheard)?;
            }
            listeners.decided = true;
        }
        listeners.count += 1;
        self.unheard.store(false, Ordering::SeqCst);
        Ok(Listening(self))
    }

    /// The same for who listens of their own accord, and needs no end of the program afterwards.
    pub(crate) fn hold(&'static self) -> Listening {
        let mut listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        listeners.count += 1;
        self.unheard.store(false, Ordering::SeqCst);
        Listening(self)
    }
}

/// That somebody listens to a signal, until this is dropped.
pub(crate) struct Listening(&'static Ending);

impl Drop for Listening {
    fn drop(&mut self) {
        let mut listeners = self.0.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        listeners.count -= 1;
        self.0.unheard.store(listeners.count == 0, Ordering::SeqCst);
    }
}

/// Whether the program has a handler of its own for a signal or ignores it, by the text of [`STATUS`].
fn is_taken(status: &str, signal: i32) -> bool {
    let sets = status.lines().filter_map(|it| it.strip_prefix("SigIgn:").or(it.strip_prefix("SigCgt:")));
    let mut sets = sets.filter_map(|set| u64::from_str_radix(set.trim(), 16).ok());
    sets.any(|set| set & (1 << (signal - 1)) != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_ends_the_program_when_the_last_who_listened_is_gone() {
        static ENDING: Ending = Ending::new(signal_hook::consts::SIGUSR1);
        let unheard = || ENDING.unheard.load(Ordering::SeqCst);
        let one = ENDING.listen_unless(|| false).unwrap();
        let other = ENDING.listen_unless(|| panic!("decided once")).unwrap();
        drop(one);
        assert!(!unheard());
        let third = ENDING.hold();
        drop(other);
        assert!(!unheard());
        drop(third);
        assert!(unheard());
        let again = ENDING.hold();
        assert!(!unheard());
        drop(again);
        assert!(unheard());
    }

    #[test]
    fn a_signal_is_taken_if_it_is_caught_or_ignored() {
        let status = "SigBlk:\tffffffffffffffff\nSigIgn:\t0000000000000001\nSigCgt:\t0000000000000002\n";
        assert_eq!([SIGHUP, SIGINT, SIGTERM].map(|it| is_taken(status, it)), [true, true, false]);
        assert!(!is_taken("", SIGINT));
    }
}
