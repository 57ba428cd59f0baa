use std::sync::{Arc, Mutex, PoisonError};
use tokio::time::Instant;

/// Within how many seconds the reserve of a budget is there again (10 s).
const REFILL: f64 = 10.0;

/// For how many calls a budget saves up at most (500), so that an hour of quiet does not pay for a storm.
const SAVED_CALLS: f64 = 500.0;

/// How many requests may be sent beside those that were asked for: a share of the calls, and a few more. When a provider is down, all
/// calls fail, and without a budget each would be sent three times; with one, the load grows by the share and no more.
///
/// Clones are the same budget: hand one to several models that stand before the same provider.
///
/// ```
/// use agentscope_model::{RetryBudget, RetryPolicy};
///
/// let budget = RetryBudget::new(0.1).reserve(5);
/// let policy = RetryPolicy::default().budget(budget.clone());
/// ```
#[derive(Clone, Debug)]
pub struct RetryBudget {
    share: f64,
    reserve: u32,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// Requests that are saved up of the calls.
    saved: f64,
    /// Requests of the reserve that were taken and are not back.
    taken: f64,
    seen: Option<Instant>,
}

impl RetryBudget {
    /// At most this share of the calls (0.2 is a fifth), and the reserve.
    pub fn new(share: f64) -> Self {
        Self { share: share.max(0.0), reserve: 10, state: Arc::default() }
    }

    /// So many in any case (10); those that were taken come back within 10 s.
    #[must_use]
    pub fn reserve(mut self, requests: u32) -> Self {
        self.reserve = requests;
        self
    }

    /// A call was made.
    pub(super) fn deposit(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.saved = (state.saved + self.share).min(SAVED_CALLS * self.share);
    }

    /// Whether one more request may be sent; then it is taken.
    pub(super) fn withdraw(&self) -> bool {
        let now = Instant::now();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let reserve = f64::from(self.reserve);
        let since = state.seen.map_or(0.0, |seen| now.saturating_duration_since(seen).as_secs_f64());
        state.taken = (state.taken - since * reserve / REFILL).max(0.0);
        state.seen = Some(now);
        if state.saved >= 1.0 {
            state.saved -= 1.0;
        } else if state.taken + 1.0 <= reserve {
            state.taken += 1.0;
        } else {
            return false;
        }
        true
    }
}

/// A fifth of the calls, and a reserve of ten.
impl Default for RetryBudget {
    fn default() -> Self {
        Self::new(0.2)
    }
}
