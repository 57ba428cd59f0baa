use super::tried;
use agentscope_core::{Error, ErrorKind};
use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// In how many parts the time is divided over which failures are counted.
const PARTS: u32 = 10;

/// How long a caller is told to wait who is refused while another one tries whether the model is back (1 s).
const TRYING: Duration = Duration::from_secs(1);

/// Whether a model is asked at all. When it fails again and again, the circuit opens, and requests fail at once instead of waiting for
/// a model that is not there; after a while one request goes through, and if it is answered, the circuit closes.
///
/// It opens after five failures in a row, or when half of twenty requests or more within 30 s have failed, and for 30 s. By default those errors
/// count which say that the model is not there or not in order: [`Unavailable`](ErrorKind::Unavailable),
/// [`Timeout`](ErrorKind::Timeout), [`Protocol`](ErrorKind::Protocol) and [`Internal`](ErrorKind::Internal). A request that was
/// dropped counts for nothing.
///
/// Clones are the same circuit: hand one to all models behind one address.
///
/// ```
/// use agentscope_core::{ModelCard, model_fn};
/// use agentscope_model::{ChatModelExt, Circuit};
/// use std::time::Duration;
///
/// let server = Circuit::default().failures_in_a_row(3).open_for(Duration::from_secs(10));
/// let model = model_fn(ModelCard::new("yes"), |_| async { Ok("Yes.") }).circuit_breaker(server.clone());
/// assert!(!server.is_open());
/// ```
#[derive(Clone)]
pub struct Circuit {
    in_a_row: u32,
    share: f64,
    least: u32,
    window: Duration,
    open_for: Duration,
    counts: Arc<dyn Fn(&Error) -> bool + Send + Sync>,
    state: Arc<Mutex<State>>,
}

impl Default for Circuit {
    fn default() -> Self {
        Self {
            in_a_row: 5,
            share: 0.5,
            least: 20,
            window: Duration::from_secs(30),
            open_for: Duration::from_secs(30),
            counts: Arc::new(is_its_fault),
            state: Arc::default(),
        }
    }
}

fn is_its_fault(error: &Error) -> bool {
    use ErrorKind::{Internal, Protocol, Timeout, Unavailable};
    matches!(error.kind(), Internal | Protocol | Timeout | Unavailable)
}

#[derive(Default)]
struct State {
    /// What happened to requests of an earlier period, before it opened or closed, counts no more.
    period: u64,
    in_a_row: u32,
    parts: VecDeque<Part>,
    /// Since when it is open; None when it is closed.
    open_since: Option<Instant>,
    /// When a request went through to try.
    trying_since: Option<Instant>,
    why: Option<Error>,
}

struct Part {
    from: Instant,
    failed: u32,
    all: u32,
}

impl Circuit {
    /// It opens after so many failures in a row (5); 0 for never.
    #[must_use]
    pub fn failures_in_a_row(mut self, failures: u32) -> Self {
        self.in_a_row = failures;
        self
    }

    /// It opens when this share of the requests (0.5) within `window` (30 s) have failed, if there were at least so many (20).
    #[must_use]
    pub fn failure_share(mut self, share: f64, least: u32, window: Duration) -> Self {
        (self.share, self.least, self.window) = (share, least.max(1), window);
        self
    }

    /// How long it stays open before one request is let through (30 s).
    #[must_use]
    pub fn open_for(mut self, time: Duration) -> Self {
        self.open_for = time;
        self
    }

    /// Which errors count as failures of the model, in place of the default.
    #[must_use]
    pub fn counts(mut self, is_its_fault: impl Fn(&Error) -> bool + Send + Sync + 'static) -> Self {
        self.counts = Arc::new(is_its_fault);
        self
    }

    /// Whether requests are refused at this time.
    pub fn is_open(&self) -> bool {
        self.state().open_since.is_some_and(|since| since.elapsed() < self.open_for)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a request through, or refuses it.
    pub(super) fn enter(&self, model: &str) -> Result<Through, Error> {
        let now = Instant::now();
        let mut state = self.state();
        let mut tries = false;
        if let Some(since) = state.open_since {
            // Whoever tries and is not heard of for as long as that, tries no more.
            let [since_open, since_try] = [Some(since), state.trying_since]
                .map(|since| since.map(|since| now.saturating_duration_since(since)));
            let left = match (since_open, since_try) {
                (_, Some(trying)) if trying < self.open_for => Some(TRYING.min(self.open_for)),
                (Some(open), _) if open < self.open_for => Some(self.open_for.saturating_sub(open)),
                _ => None,
            };
            if let Some(left) = left {
                return Err(refused(model, left, state.why.as_ref()));
            }
            state.trying_since = Some(now);
            tries = true;
        }
        Ok(Through { circuit: self.clone(), period: state.period, since: now, tries, told: false })
    }
}

fn refused(model: &str, left: Duration, why: Option<&Error>) -> Error {
    let seconds = left.as_secs_f64();
    let why = why.map(|why| format!(" (the last failure: {why})")).unwrap_or_default();
    let message = format!(
        "`{model}` failed too often and is not asked for {seconds:.1} s: try again then, or use another model{why}"
    );
    Error::new(ErrorKind::Unavailable, message).with_retry_after(left).with_source(tried::Open)
}

impl fmt::Debug for Circuit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Circuit").field("is_open", &self.is_open()).finish_non_exhaustive()
    }
}

/// A request that went through a circuit. Dropped with nothing told, it was given up, which says nothing of the model.
pub(super) struct Through {
    circuit: Circuit,
    period: u64,
    since: Instant,
    /// It tries whether the model is back.
    tries: bool,
    told: bool,
}

impl Through {
    /// The model has begun to answer.
    pub(super) fn answers(&mut self) {
        if self.tries {
            self.tries = false;
            let mut state = self.circuit.state();
            if state.period == self.period {
                *state = State { period: state.period + 1, ..State::default() };
                self.period = state.period;
            }
        }
    }

    pub(super) fn succeeded(&mut self) {
        self.count(None);
    }

    pub(super) fn failed(&mut self, error: &Error) {
        match error.kind() {
            // It never got to the model, or was given too little time.
            _ if tried::is_open(error) || tried::is_out_of_time(error) => {}
            _ if (self.circuit.counts)(error) => self.count(Some(error)),
            ErrorKind::Exhausted => {}
            // The model has answered, though not as one would like.
            _ => {
                self.answers();
                self.count(None);
            }
        }
    }

    fn count(&mut self, failure: Option<&Error>) {
        if std::mem::replace(&mut self.told, true) {
            return;
        }
        let now = Instant::now();
        let circuit = &self.circuit;
        let mut state = circuit.state();
        if state.period != self.period {
            return;
        }
        let part = circuit.window / PARTS;
        while state
            .parts
            .front()
            .is_some_and(|first| now.saturating_duration_since(first.from) >= circuit.window)
        {
            state.parts.pop_front();
        }
        if state.parts.back().is_none_or(|last| now.saturating_duration_since(last.from) >= part) {
            state.parts.push_back(Part { from: now, failed: 0, all: 0 });
        }
        let fails = u32::from(failure.is_some());
        if let Some(last) = state.parts.back_mut() {
            last.failed = last.failed.saturating_add(fails);
            last.all = last.all.saturating_add(1);
        }
        let Some(error) = failure else {
            state.in_a_row = 0;
            return;
        };
        state.in_a_row = state.in_a_row.saturating_add(1);
        let (failed, all) = state.parts.iter().fold((0.0, 0.0), |(failed, all), part| {
            (failed + f64::from(part.failed), all + f64::from(part.all))
        });
        let in_a_row = circuit.in_a_row > 0 && state.in_a_row >= circuit.in_a_row;
        let share = all >= f64::from(circuit.least) && failed >= circuit.share * all;
        if self.tries || in_a_row || share {
            let period = state.period + 1;
            *state = State { period, open_since: Some(now), why: Some(error.clone()), ..State::default() };
        }
    }
}

impl Drop for Through {
    fn drop(&mut self) {
        if self.tries && !self.told {
            let mut state = self.circuit.state();
            if state.period == self.period && state.trying_since == Some(self.since) {
                state.trying_since = None;
            }
        }
    }
}
