//! What the system tells a talk.

use agentscope_core::{BoxFuture, Result};

/// What was told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// The program shall end, or its terminal is gone.
    Terminate,
}

/// Gives waits for the next signal. Listening begins here, so that none ends the program from now on. `end`: a terminal has to
/// be put right before the program ends, so its end is listened for too.
#[cfg(unix)]
pub(super) fn signals(end: bool) -> Result<impl Fn() -> BoxFuture<'static, Signal>> {
    use super::io_error;
    use tokio::signal::unix::{SignalKind, signal};
    let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    let kinds: Vec<SignalKind> = kinds.into_iter().take(if end { 3 } else { 1 }).collect();
    for kind in &kinds {
        drop(signal(*kind).map_err(io_error)?);
    }
    Ok(move || -> BoxFuture<'static, Signal> {
        let mut waits: Vec<_> = kinds.iter().filter_map(|kind| Some((*kind, signal(*kind).ok()?))).collect();
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
    })
}

/// Gives waits for the next Ctrl-C.
#[cfg(not(unix))]
pub(super) fn signals(_end: bool) -> Result<impl Fn() -> BoxFuture<'static, Signal>> {
    Ok(|| -> BoxFuture<'static, Signal> {
        Box::pin(async {
            drop(tokio::signal::ctrl_c().await);
            Signal::Interrupt
        })
    })
}
