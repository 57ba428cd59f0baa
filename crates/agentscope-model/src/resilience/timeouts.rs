use super::{
    flow::{Flow, may_leave},
    passes_on, tried,
};
use agentscope_core::{
    ChatModel, Context, Error, ErrorKind, ModelDelta, ModelRequest, ModelStream, Result, Stream,
};
use std::{
    fmt::Display,
    pin::Pin,
    sync::Arc,
    task::{Context as Task, Poll, Waker},
    time::Duration,
};
use tokio::time::{Instant, Sleep, sleep_until};

/// How often a silence is looked at before it has lasted too long.
const LOOKS: u32 = 16;

/// The shortest time between two looks (1 ms), as fine as timers are.
const SOON: Duration = Duration::from_millis(1);

/// How long an answer may take: until its first piece, between two pieces, and in all.
///
/// How long a connection may take to be made is up to the model, which has the connection: the models of this crate allow 10 s.
///
/// ```
/// use agentscope_model::TimeLimits;
/// use std::time::Duration;
///
/// let impatient = TimeLimits::default().first_byte(Duration::from_secs(20)).total(Duration::from_secs(120));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeLimits {
    first_byte: Duration,
    gap: Duration,
    total: Duration,
}

impl Default for TimeLimits {
    fn default() -> Self {
        Self {
            first_byte: Duration::from_secs(300),
            gap: Duration::from_secs(120),
            total: Duration::from_secs(1800),
        }
    }
}

impl TimeLimits {
    /// Longest wait for the first piece of an answer (5 min); models that think before they speak need minutes.
    #[must_use]
    pub fn first_byte(mut self, limit: Duration) -> Self {
        self.first_byte = limit;
        self
    }

    /// Longest silence between two pieces (2 min). It is looked at sixteen times in that time, so that a silence is told of when it
    /// has lasted so long, or up to a sixteenth longer: the clock is not read for each piece.
    #[must_use]
    pub fn gap(mut self, limit: Duration) -> Self {
        self.gap = limit;
        self
    }

    /// Longest time for the whole answer (30 min).
    #[must_use]
    pub fn total(mut self, limit: Duration) -> Self {
        self.total = limit;
        self
    }
}

/// A model whose answers take no longer than their [`TimeLimits`] say. An answer that takes longer fails with
/// [`ErrorKind::Timeout`], which names the limit, and its request is stopped.
///
/// The time in which a reader does not ask for the next piece does not count as a silence of the model. The deadline of the context
/// is a limit like the others.
///
/// ```
/// use agentscope_core::{ChatModel, Context, ErrorKind, ModelRequest, ScriptedModel, testing::say};
/// use agentscope_model::{ChatModelExt, TimeLimits};
/// use futures_util::StreamExt;
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let slow = ScriptedModel::new([say("I am not in a hurry.").every(Duration::from_secs(60))]);
/// let model = slow.timeouts(TimeLimits::default().first_byte(Duration::from_millis(5)));
/// let first = model.call(ModelRequest::default(), Context::new()).next().await.unwrap();
/// assert_eq!(first.unwrap_err().kind(), ErrorKind::Timeout);
/// # }
/// ```
pub struct Timeouts<M> {
    model: Arc<M>,
    limits: TimeLimits,
}

impl<M: ChatModel> Timeouts<M> {
    /// `model`, with these limits.
    pub fn new(model: M, limits: TimeLimits) -> Self {
        Self { model: Arc::new(model), limits }
    }
}

impl<M> Clone for Timeouts<M> {
    fn clone(&self) -> Self {
        Self { model: Arc::clone(&self.model), limits: self.limits }
    }
}

impl<M: ChatModel> ChatModel for Timeouts<M> {
    passes_on!();

    fn call(&self, req: ModelRequest, cx: Context) -> ModelStream {
        let stream = self.model.call(req, cx.clone());
        let model = Arc::clone(&self.model) as Arc<dyn ChatModel>;
        Box::pin(Timed(Flow::new(stream).timed(Timer::new(model, cx, self.limits))))
    }
}

struct Timed(Flow);

impl Stream for Timed {
    type Item = Result<ModelDelta>;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Option<Self::Item>> {
        let may_leave = may_leave(&*self);
        let piece = self.0.poll(task);
        self.0.leave(may_leave, &piece);
        piece
    }
}

/// Says when an answer takes too long. What is looked at for each piece comes first and is small.
pub(super) struct Timer {
    /// It gave something since the clock was read.
    moved: bool,
    began: bool,
    /// From when it is first waited for: what rings, and whom that wakes.
    alarm: Option<(Pin<Box<Sleep>>, Waker)>,
    clock: Box<Clock>,
}

struct Clock {
    model: Arc<dyn ChatModel>,
    cx: Context,
    limits: TimeLimits,
    /// When the whole answer has to be there; None where the clock does not reach that far.
    end: Option<Instant>,
    /// Since when it is silent, as far as is known; None before it is waited for.
    silent: Option<Instant>,
    finished: bool,
}

impl Timer {
    fn new(model: Arc<dyn ChatModel>, cx: Context, limits: TimeLimits) -> Self {
        let clock = Clock { model, cx, limits, end: None, silent: None, finished: false };
        Self { moved: false, began: false, alarm: None, clock: Box::new(clock) }
    }

    /// Something has come.
    pub(super) fn moved(&mut self) {
        self.moved = true;
    }

    /// The model has said that it is done.
    pub(super) fn finished(&mut self) {
        self.clock.finished = true;
    }

    /// Whether it has taken too long; if not, the task is woken when that is to be looked at again.
    pub(super) fn is_late(&mut self, task: &mut Task<'_>) -> bool {
        let starts = self.moved && !self.began;
        // It is left to ring, if it wakes the one who waits.
        match &self.alarm {
            Some((alarm, waker)) if !starts && waker.will_wake(task.waker()) && !alarm.is_elapsed() => false,
            _ => self.look(task),
        }
    }

    fn look(&mut self, task: &mut Task<'_>) -> bool {
        let Clock { cx, limits, end, silent, .. } = &mut *self.clock;
        loop {
            let now = Instant::now();
            if silent.is_none() {
                *end = now.checked_add(cx.time_left().map_or(limits.total, |left| left.min(limits.total)));
            }
            self.began |= self.moved;
            if std::mem::take(&mut self.moved) {
                *silent = Some(now);
            }
            let limit = if self.began { limits.gap } else { limits.first_byte };
            let silent_until = silent.get_or_insert(now).checked_add(limit);
            if [*end, silent_until].into_iter().flatten().any(|due| due <= now) {
                return true;
            }
            // Before the first piece there is nothing that would come in between.
            let look = if self.began { now.checked_add((limit / LOOKS).max(SOON)) } else { silent_until };
            let Some(next) = [*end, silent_until, look].into_iter().flatten().min() else {
                return false;
            };
            let (alarm, waker) =
                self.alarm.get_or_insert_with(|| (Box::pin(sleep_until(next)), task.waker().clone()));
            alarm.as_mut().reset(next);
            waker.clone_from(task.waker());
            if alarm.as_mut().poll(task).is_pending() {
                return false;
            }
        }
    }

    /// What is to be said when it is late: nothing of an answer that is done, whose end need not be waited for.
    pub(super) fn error(&self) -> Option<Error> {
        let Clock { model, cx, limits, end, finished, .. } = &*self.clock;
        if *finished {
            return None;
        }
        let name = &model.card().name;
        if cx.time_left().is_some_and(|left| left.is_zero()) {
            let message = format!("the deadline passed before `{name}` was done: allow more time");
            return Some(tried::out_of_time(message));
        }
        let total = end.is_some_and(|end| end <= Instant::now());
        let message = match (total, self.began) {
            (true, _) => told(name, "was not done", "in", limits.total, "total"),
            (false, true) => told(name, "said nothing more", "for", limits.gap, "gap"),
            (false, false) => told(name, "did not begin to answer", "for", limits.first_byte, "first_byte"),
        };
        Some(Error::new(ErrorKind::Timeout, message))
    }
}

fn told(name: &str, what: &str, word: &str, limit: Duration, method: impl Display) -> String {
    let seconds = limit.as_secs_f64();
    format!("`{name}` {what} {word} {seconds} s: try again, or allow more by `TimeLimits::{method}(..)`")
}
