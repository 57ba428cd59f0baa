//! Taking in what a model says, piece by piece.

use agentscope_core::{
    CallId, Context, Error, ErrorKind, EventKind, FinishReason, ModelDelta, ModelStream, Name, Result, Turn,
    Usage,
};
use std::{
    future::{Future, poll_fn},
    pin::Pin,
    task::{self, Poll, ready},
    time::Duration,
};
use tokio::{
    task::coop::consume_budget,
    time::{Instant, Sleep, sleep_until},
};

/// How long a model may say nothing, if it is not said otherwise (10 min).
pub(crate) const MODEL_TIMEOUT: Duration = Duration::from_secs(600);

/// Most calls of one identifier that are told apart by a number (8); further ones get another identifier.
const MOST_ALIKE: usize = 8;

/// Who was asked.
pub(crate) struct Asked<'a> {
    pub(crate) model: &'a Name,
    /// How long it may say nothing, before or within its answer.
    pub(crate) limit: Duration,
    pub(crate) silence: &'a mut Silence,
}

/// Goes off when a model says nothing for too long. One timer serves all calls of a reply: where it goes off too early, it is set
/// for the rest.
#[derive(Default)]
pub(crate) struct Silence(Option<Pin<Box<Sleep>>>);

impl Silence {
    fn poll(&mut self, since: Instant, limit: Duration, task: &mut task::Context<'_>) -> Poll<()> {
        let Some(until) = since.checked_add(limit) else { return Poll::Pending }; // later than the clock can tell
        let timer = self.0.get_or_insert_with(|| Box::pin(sleep_until(until)));
        loop {
            ready!(timer.as_mut().poll(task));
            if timer.deadline() >= until {
                return Poll::Ready(());
            }
            timer.as_mut().reset(until);
        }
    }
}

impl Asked<'_> {
    /// Why the answer ended; `None` if it was interrupted. Each piece is given to `put`.
    pub(crate) async fn take_in(
        &mut self,
        mut answer: ModelStream,
        turn: &mut Turn,
        cx: &Context,
        mut put: impl FnMut(&mut Turn, ModelDelta),
    ) -> Result<Option<FinishReason>> {
        let stop = cx.interrupt();
        let mut usage: Option<Usage> = None;
        let mut finish_reason = None;
        loop {
            consume_budget().await; // a model that is never pending must not keep the others of this thread waiting
            let mut waiting_since = None;
            let (silence, limit) = (&mut *self.silence, self.limit);
            let next = poll_fn(|task| {
                // To be interrupted wakes this task.
                if stop.is_triggered() {
                    return Poll::Ready(Ok(None));
                }
                match answer.as_mut().poll_next(task) {
                    Poll::Ready(delta) => Poll::Ready(Ok(Some(delta))),
                    Poll::Pending if stop.is_triggered() => Poll::Ready(Ok(None)),
                    Poll::Pending => {
                        let since = *waiting_since.get_or_insert_with(Instant::now);
                        silence.poll(since, limit, task).map(Err)
                    }
                }
            });
            let delta = match next.await {
                Ok(Some(Some(delta))) => Some(delta?),
                Ok(Some(None)) => break,
                Ok(None) => None,
                Err(()) => return Err(self.silent()),
            };
            match delta {
                None => {
                    turn.emit(EventKind::ModelEnd { usage, finish_reason: FinishReason::Interrupted });
                    return Ok(None);
                }
                Some(ModelDelta::Usage(spent)) => usage = Some(spent),
                Some(ModelDelta::Finish { reason }) => finish_reason = Some(reason),
                Some(delta) => put(turn, delta),
            }
        }
        let Some(finish_reason) = finish_reason else {
            let message = format!(
                "the answer of the model `{}` broke off: it ended without `ModelDelta::Finish`, so it is not known to be whole",
                self.model
            );
            return Err(Error::new(ErrorKind::Protocol, message));
        };
        turn.emit(EventKind::ModelEnd { usage, finish_reason: finish_reason.clone() });
        Ok(Some(finish_reason))
    }

    fn silent(&self) -> Error {
        let message = format!(
            "the model `{}` said nothing for {} s: try again, or allow more by `.model_timeout(..)`",
            self.model,
            self.limit.as_secs_f64()
        );
        Error::new(ErrorKind::Timeout, message)
    }
}

/// Where the blocks of an answer stand in the reply.
pub(crate) struct Blocks {
    next: u32,
    known: Vec<Known>,
}

/// A block of an answer. A number that another kind of block has is a new block, because a model written by hand may number
/// words and calls apart.
struct Known {
    kind: Kind,
    /// Its number in the answer.
    number: u32,
    /// Its place in the reply.
    place: u32,
    /// The id, if it is a call.
    id: CallId,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Text,
    Thinking,
    Media,
    Call,
}

impl Blocks {
    /// The blocks of an answer that follows what the open reply has.
    pub(crate) fn after(turn: &Turn) -> Self {
        let content_len = turn.open().map_or(0, |open| open.msg.content.len());
        Self { next: u32::try_from(content_len).unwrap_or(u32::MAX), known: Vec::new() }
    }

    /// Puts a piece of the answer into the reply.
    pub(crate) fn put(&mut self, turn: &mut Turn, delta: ModelDelta) {
        // Some providers count their calls anew in each answer.
        let is_taken =
            |id: &str| turn.open().is_some_and(|open| open.msg.calls().any(|call| *call.id == *id));
        if let Some(event) = self.place(delta, is_taken) {
            turn.emit(event);
        }
    }

    fn place(&mut self, delta: ModelDelta, is_taken: impl Fn(&str) -> bool) -> Option<EventKind> {
        Some(match delta {
            ModelDelta::Text { delta, .. } | ModelDelta::Thinking { delta, .. } if delta.is_empty() => {
                return None;
            }
            ModelDelta::Text { block, delta } => {
                EventKind::TextDelta { block: self.at(Kind::Text, block), delta }
            }
            ModelDelta::Thinking { block, delta } => {
                EventKind::ThinkingDelta { block: self.at(Kind::Thinking, block), delta }
            }
            ModelDelta::Media { block, media_type, delta } => {
                EventKind::MediaDelta { block: self.at(Kind::Media, block), media_type, delta }
            }
            ModelDelta::Extra { block, key, value } => {
                let known = self.known.iter().rfind(|known| known.number == block)?;
                EventKind::Extra { block: known.place, key, value }
            }
            ModelDelta::ToolCall { block, id, name, delta } => {
                let (block, id) = self.call_at(block, id, is_taken);
                EventKind::ToolCallDelta { block, id, name, delta }
            }
            _ => return None,
        })
    }

    fn at(&mut self, kind: Kind, block: u32) -> u32 {
        self.enter(kind, block, CallId::default).0
    }

    fn call_at(&mut self, block: u32, id: CallId, is_taken: impl Fn(&str) -> bool) -> (u32, CallId) {
        self.enter(Kind::Call, block, || {
            if id.is_empty() {
                return CallId::random();
            }
            let mut unique = id.clone();
            let mut count = 2;
            while is_taken(&unique) {
                if count > MOST_ALIKE {
                    return CallId::random();
                }
                unique = CallId::from(format!("{id}_{count}"));
                count += 1;
            }
            unique
        })
    }

    /// Blocks mostly come one after the other: the last one is looked at first.
    fn enter(&mut self, kind: Kind, number: u32, id: impl FnOnce() -> CallId) -> (u32, CallId) {
        let is_it = |known: &&Known| (known.kind, known.number) == (kind, number);
        if let Some(known) = self.known.iter().rfind(is_it) {
            return (known.place, known.id.clone());
        }
        let (place, id) = (self.next, id());
        self.next += 1;
        self.known.push(Known { kind, number, place, id: id.clone() });
        (place, id)
    }
}
