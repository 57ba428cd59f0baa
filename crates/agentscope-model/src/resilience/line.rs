//! Waiting in line, within limits.

use super::tried;
use agentscope_core::{Context, Error, ErrorKind, Result};
use std::{
    future::Future,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};
use tokio::time::timeout;

/// How many wait, and how many and how long they may.
#[derive(Debug)]
pub(super) struct Line {
    waiting: AtomicUsize,
}

/// The limits of a line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// Most that wait.
    pub(super) queue: usize,
    /// Longest wait.
    pub(super) wait: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { queue: 1024, wait: Duration::from_secs(600) }
    }
}

/// A place in the line, given back when it is dropped.
struct Place<'a>(&'a AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Line {
    pub(super) const fn new() -> Self {
        Self { waiting: AtomicUsize::new(0) }
    }

    /// Waits for `turn`, unless too many wait already; `what` says for what.
    pub(super) async fn wait<T>(
        &self,
        limits: Patience,
        cx: &Context,
        what: &str,
        turn: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let place = Place(&self.waiting);
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= limits.queue {
            let message = format!(
                "as many requests wait for {what} as may ({}): ask less at a time, or let more wait by `.queue(..)`",
                limits.queue
            );
            return Err(Error::new(ErrorKind::Exhausted, message));
        }
        let left = cx.time_left();
        let limit = left.map_or(limits.wait, |left| left.min(limits.wait));
        let done = timeout(limit, turn).await;
        drop(place);
        done.unwrap_or_else(|_| {
            Err(match left {
                Some(left) if left <= limits.wait => {
                    let message = format!("the deadline passed while a request waited for {what}: allow more time");
                    tried::out_of_time(message)
                }
                _ => {
                    let message = format!(
                        "a request waited {} s for {what}: ask less at a time, or allow more by `.max_wait(..)`",
                        limits.wait.as_secs_f64()
                    );
                    Error::new(ErrorKind::Exhausted, message)
                }
            })
        })
    }
}
