//! How long the next bytes of an answer are waited for.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::{Instant, Sleep, sleep_until};

/// What is never waited to its end (30 years), where a limit is more than the clock can tell.
const FOR_EVER: Duration = Duration::from_secs(30 * 365 * 86_400);

/// Bounds each wait for what comes piece by piece.
///
/// A timer is set for the first wait, and not again for each: where it goes off too early, because something has come since, it is
/// set for the rest. It is not even set until those had their turn who may have the next piece ready.
#[derive(Default)]
pub(super) struct Patience {
    /// When this wait began.
    since: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Patience {
    /// What was waited for has come.
    pub(super) fn renew(&mut self) {
        self.since = None;
    }

    /// Ready when it was waited for longer than `limit`.
    pub(super) fn poll(&mut self, limit: Duration, task: &mut Context<'_>) -> Poll<()> {
        let has_begun = self.since.is_some();
        let since = *self.since.get_or_insert_with(Instant::now);
        let until = since.checked_add(limit).unwrap_or(since + FOR_EVER);
        let is_set = self.timer.as_ref().is_some_and(|timer| timer.deadline() <= until);
        if !is_set && !has_begun {
            task.waker().wake_by_ref();
            return Poll::Pending;
        }
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(until)));
        if !is_set {
            timer.as_mut().reset(until);
        }
        loop {
            ready!(timer.as_mut().poll(task));
            if timer.deadline() >= until {
                return Poll::Ready(());
            }
            timer.as_mut().reset(until);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;

    async fn wait(patience: &mut Patience, limit: u64) -> Duration {
        let start = Instant::now();
        poll_fn(|task| patience.poll(Duration::from_secs(limit), task)).await;
        start.elapsed().max(Duration::from_secs(limit)) - Duration::from_secs(limit)
    }

    #[tokio::test(start_paused = true)]
    async fn each_wait_has_its_whole_limit_whatever_was_waited_for_before() {
        let late = Duration::from_millis(2); // how exact the clock of the runtime is
        let mut patience = Patience::default();
        assert!(wait(&mut patience, 300).await < late);
        for limit in [120, 300, 2, 2, 120] {
            patience.renew();
            let start = Instant::now();
            assert!(wait(&mut patience, limit).await < late);
            assert!(start.elapsed() >= Duration::from_secs(limit));
            // Something comes in the middle of a wait.
            for _ in 0..3 {
                patience.renew();
                let half = Duration::from_secs(limit) / 2;
                let waiting = poll_fn(|task| patience.poll(Duration::from_secs(limit), task));
                assert!(tokio::time::timeout(half, waiting).await.is_err());
            }
        }
        patience.renew();
        let waiting = poll_fn(|task| patience.poll(Duration::MAX, task));
        assert!(tokio::time::timeout(Duration::from_secs(86_400), waiting).await.is_err());
    }
}
