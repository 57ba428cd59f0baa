use super::passes_on;
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

    /// Longest silence between two pieces (2 min).
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
        Box::pin(Timed {
            stream: Some(stream),
            model,
            cx,
            limits: self.limits,
            moved: true,
            began: false,
            finished: false,
            clock: None,
        })
    }
}

struct Timed {
    /// None when it is over.
    stream: Option<ModelStream>,
    model: Arc<dyn ChatModel>,
    cx: Context,
    limits: TimeLimits,
    /// It was asked, or gave something, since the time was last looked at. The clock is read where there is a wait, and only then.
    moved: bool,
    began: bool,
    finished: bool,
    clock: Option<Clock>,
}

struct Clock {
    /// When the whole answer has to be there; None where the clock does not reach that far.
    end: Option<Instant>,
    /// When it is too late; None where the clock does not reach that far.
    due: Option<Instant>,
    alarm: Pin<Box<Sleep>>,
    /// Whom the alarm wakes.
    waker: Waker,
}

impl Stream for Timed {
    type Item = Result<ModelDelta>;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let Some(stream) = &mut this.stream else { return Poll::Ready(None) };
        match stream.as_mut().poll_next(task) {
            Poll::Ready(Some(Ok(delta))) => {
                this.moved = true;
                this.began = true;
                this.finished |= matches!(delta, ModelDelta::Finish { .. });
                Poll::Ready(Some(Ok(delta)))
            }
            Poll::Ready(end) => {
                this.stream = None;
                Poll::Ready(end)
            }
            Poll::Pending if this.is_late(task) => {
                this.stream = None;
                // The model has said that it is done: its end need not be waited for.
                Poll::Ready((!this.finished).then(|| Err(this.late())))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

impl Timed {
    /// Whether it has taken too long; if not, the task is woken when it has.
    fn is_late(&mut self, task: &mut Task<'_>) -> bool {
        let limit = if self.began { self.limits.gap } else { self.limits.first_byte };
        if std::mem::take(&mut self.moved) || self.clock.is_none() {
            let now = Instant::now();
            let end = match &self.clock {
                Some(clock) => clock.end,
                None => now.checked_add(
                    self.cx.time_left().map_or(self.limits.total, |left| left.min(self.limits.total)),
                ),
            };
            let due = [now.checked_add(limit), end].into_iter().flatten().min();
            match &mut self.clock {
                Some(clock) => clock.due = due,
                None => {
                    let Some(due) = due else { return false };
                    let alarm = Box::pin(sleep_until(due));
                    let waker = task.waker().clone();
                    let clock = self.clock.insert(Clock { end, due: Some(due), alarm, waker });
                    return clock.alarm.as_mut().poll(task).is_ready();
                }
            }
        }
        let Some(Clock { due: Some(due), alarm, waker, .. }) = &mut self.clock else { return false };
        // Mostly the alarm is set for an earlier time than is due by now: then it is left to ring, and set anew when it does.
        if *due < alarm.deadline() || alarm.is_elapsed() {
            if *due <= Instant::now() {
                return true;
            }
            alarm.as_mut().reset(*due);
        } else if waker.will_wake(task.waker()) {
            return false;
        }
        waker.clone_from(task.waker());
        while alarm.as_mut().poll(task).is_ready() {
            if *due <= Instant::now() {
                return true;
            }
            alarm.as_mut().reset(*due);
        }
        false
    }

    fn late(&self) -> Error {
        let name = &self.model.card().name;
        let limits = &self.limits;
        if self.cx.time_left().is_some_and(|left| left.is_zero()) {
            let message = format!("the deadline passed before `{name}` was done: allow more time");
            return Error::new(ErrorKind::Timeout, message);
        }
        let total = self.clock.as_ref().is_some_and(|clock| clock.due.is_some() && clock.due == clock.end);
        let message = match (total, self.began) {
            (true, _) => told(name, "was not done", "in", limits.total, "total"),
            (false, true) => told(name, "said nothing more", "for", limits.gap, "gap"),
            (false, false) => told(name, "did not begin to answer", "for", limits.first_byte, "first_byte"),
        };
        Error::new(ErrorKind::Timeout, message)
    }
}

fn told(name: &str, what: &str, word: &str, limit: Duration, method: impl Display) -> String {
    let seconds = limit.as_secs_f64();
    format!("`{name}` {what} {word} {seconds} s: try again, or allow more by `TimeLimits::{method}(..)`")
}
