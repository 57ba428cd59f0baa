//! Writing to a store that may be slow, away, or in another's hands.

use super::{Held, Inner, Limits};
use crate::{
    error::{Error, ErrorKind, Result},
    state::StateStore,
};
use std::{
    future::Future,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

/// How long to wait before the second try; twice as long before each further one.
const STORE_BACKOFF: Duration = Duration::from_millis(50);

impl Limits {
    /// Asks a store, again if it cannot be reached.
    pub(super) async fn ask<T, Fut>(&self, ask: impl Fn() -> Fut) -> Result<T>
    where
        Fut: Future<Output = Result<T>>,
    {
        let mut wait = STORE_BACKOFF;
        let mut tries = 1;
        loop {
            let result = tokio::time::timeout(self.store_timeout, ask()).await.unwrap_or_else(|_| {
                let message = format!("the store did not answer in {} s", self.store_timeout.as_secs_f64());
                Err(Error::new(ErrorKind::Timeout, message))
            });
            match result {
                Err(error) if error.is_retryable() && tries < self.store_tries => {
                    tokio::time::sleep(error.retry_after().unwrap_or(wait).min(self.store_timeout)).await;
                    wait *= 2;
                    tries += 1;
                }
                Err(error) if error.is_retryable() => {
                    let message =
                        format!("the conversation could not be saved or loaded in {tries} tries: {error}");
                    return Err(Error::new(ErrorKind::Unavailable, message).with_source(error));
                }
                done => return done,
            }
        }
    }
}

impl Inner {
    /// Commits what is unsaved. Whoever finds that another works on the conversation drops what it holds.
    pub(super) async fn commit(&self, held: &mut Held) -> Result<()> {
        match &self.store {
            // Boxed, so that a reply does not carry a store's work while it waits for other things.
            Some(store) if !held.unsaved.is_empty() => Box::pin(self.save(&**store, held)).await,
            _ => Ok(()),
        }
    }

    async fn save(&self, store: &dyn StateStore, held: &mut Held) -> Result<()> {
        let tries = AtomicU32::new(0);
        let commit = || {
            tries.fetch_add(1, Ordering::Relaxed);
            store.commit(&self.key, held.version, &held.unsaved)
        };
        match self.limits.ask(commit).await {
            Ok(version) => {
                held.version = version;
                held.unsaved.clear();
                Ok(())
            }
            Err(error)
                if error.kind() == ErrorKind::Conflict
                    && tries.into_inner() > 1
                    && Box::pin(self.was_saved(store, held)).await =>
            {
                held.version.0 += 1;
                held.unsaved.clear();
                Ok(())
            }
            Err(error) => {
                if error.kind() == ErrorKind::Conflict {
                    held.stale = true;
                }
                Err(error)
            }
        }
    }

    /// Whether a commit that seemed to fail was done, and only the answer got lost: what is in the store is what is here.
    async fn was_saved(&self, store: &dyn StateStore, held: &Held) -> bool {
        let Ok(Some(stored)) = self.limits.ask(|| store.load(&self.key)).await else { return false };
        stored.version.0 == held.version.0 + 1 && held.state.as_deref() == Some(&stored.state)
    }
}
