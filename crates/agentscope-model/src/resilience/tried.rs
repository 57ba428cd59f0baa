//! What layers tell each other of an error, beside its kind: how often it was asked for, and that nobody was asked at all.

use agentscope_core::{Error, ErrorKind};
use std::{error::Error as StdError, fmt, iter::successors};

/// A request was asked several times, by whatever asked it again: a layer around a layer does not multiply the tries.
#[derive(Debug)]
struct Tried {
    times: u32,
    /// As it was the last time.
    error: Error,
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl StdError for Tried {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.error.source()
    }
}

/// The error, telling that it was asked so many times: a retry around it counts them as its own.
pub(crate) fn tell(error: Error, times: u32) -> Error {
    if times < 2 {
        return error;
    }
    let told = error.clone().context(format_args!("asked {times} times"));
    told.with_source(Tried { times, error })
}

/// The error as it was the last time, and how often it was asked.
pub(super) fn untold(error: Error) -> (Error, u32) {
    let tried = StdError::source(&error).and_then(|source| source.downcast_ref::<Tried>());
    match tried.map(|tried| (tried.error.clone(), tried.times)) {
        Some(untold) => untold,
        None => (error, 1),
    }
}

/// Nobody was asked, because the circuit is open.
#[derive(Debug)]
pub(super) struct Open;

impl fmt::Display for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the circuit is open")
    }
}

impl StdError for Open {}

/// Whether it was refused by an open circuit.
pub(super) fn is_open(error: &Error) -> bool {
    successors(StdError::source(error), |&error| error.source()).any(|cause| cause.is::<Open>())
}

/// The time of the one who asked was over: that says nothing about the model.
#[derive(Debug)]
struct CallersTime;

impl fmt::Display for CallersTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the time of the one who asked was over")
    }
}

impl StdError for CallersTime {}

/// The error of a request whose own deadline has passed.
pub(super) fn out_of_time(message: String) -> Error {
    Error::new(ErrorKind::Timeout, message).with_source(CallersTime)
}

/// Whether the deadline of the request itself has passed.
pub(super) fn is_out_of_time(error: &Error) -> bool {
    successors(StdError::source(error), |&error| error.source()).any(|cause| cause.is::<CallersTime>())
}
