//! What the system tells a talk.

#[cfg(unix)]
use super::ending::Listening;
use agentscope_core::{BoxFuture, Result};

/// What was told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// The program shall end, or its terminal is gone.
    Terminate,
}

/// Gives waits for the next signal. Listening begins here, so that none ends the program from now on, until the guards are
/// dropped. `end`: a terminal has to be put right before the program ends, so its end is listened for too.
#[cfg(unix)]
pub(super) fn signals(end: bool) -> Result<(impl Fn() -> BoxFuture<'static, Signal>, Vec<Listening>)> {
    use super::{ending, io_error};
    use tokio::signal::unix::{SignalKind, signal};
    let kinds = [
        (SignalKind::interrupt(), &ending::INTERRUPT),
        (SignalKind::terminate(), &ending::TERMINATE),
        (SignalKind::hangup(), &ending::HANGUP),
    ];
    let (mut listened, mut guards) = (Vec::new(), Vec::new());
    for (kind, ending) in kinds.into_iter().take(if end { 3 } else { 1 }) {
        guards.push(ending.listen().map_err(io_error)?);
        drop(signal(kind).map_err(io_error)?);
        listened.push(kind);
    }
    let wait = move || -> BoxFuture<'static, Signal> {
        let mut waits: Vec<_> =
            listened.iter().filter_map(|kind| Some((*kind, signal(*kind).ok()?))).collect();
        Box::pin(async move {
            let told = waits.iter_mut().map(|(kind, wait)| {
                Box::pin(async move {
                    wait.recv().await;
                    if *kind == SignalKind::interrupt() { Signal::Interrupt } else { Signal::Terminate }
                })
            });
            let told: Vec<_> = told.collect();
            if told.is_empty() {
                return std::future::pending().await; // they were there a moment ago
            }
            futures_util::future::select_all(told).await.0
        })
    };
    Ok((wait, guards))
}

/// Gives waits for the next Ctrl-C.
#[cfg(not(unix))]
pub(super) fn signals(_end: bool) -> Result<(impl Fn() -> BoxFuture<'static, Signal>, ())> {
    let wait = || -> BoxFuture<'static, Signal> {
        Box::pin(async {
            drop(tokio::signal::ctrl_c().await);
            Signal::Interrupt
        })
    };
    Ok((wait, ()))
}
