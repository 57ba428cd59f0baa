//! What was emitted and not yet read: bounded, and never waited for.

use super::ended_early;
use crate::{
    error::Result,
    event::{Event, EventKind},
    message::Msg,
};
use futures_util::task::AtomicWaker;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

/// Most events that wait for their reader; one more and they become one `Resumed`.
const UNREAD_LIMIT: usize = 1024;

/// Between the task of a reply and its reader.
#[derive(Default)]
pub(super) struct Shared {
    queue: Mutex<Queue>,
    waker: AtomicWaker,
}

#[derive(Default)]
struct Queue {
    unread: VecDeque<Event>,
    /// Nobody reads single events: the reader left, or waits for the end alone.
    quiet: bool,
    msg: Option<Arc<Msg>>,
    /// Set when the task is over.
    closed: Option<Result<()>>,
    /// The reader was given the error.
    told: bool,
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `fold` is the message with the event folded in.
    pub(super) fn push(&self, event: Event, fold: &Arc<Msg>) {
        let mut queue = self.queue();
        if queue.quiet {
            return;
        }
        let event = match queue.unread.back_mut() {
            Some(newest) => match newest.join(event) {
                Ok(()) => return, // the reader was woken for the event that it joined
                Err(event) => event,
            },
            None => event,
        };
        queue.make_room();
        queue.unread.push_back(event);
        if queue.unread.len() > UNREAD_LIMIT {
            queue.collapse(fold);
        }
        drop(queue);
        self.waker.wake();
    }

    pub(super) fn push_end(&self, event: Event, msg: Arc<Msg>) {
        let mut queue = self.queue();
        queue.msg = Some(msg);
        if !queue.quiet {
            queue.unread.push_back(event);
        }
        drop(queue);
        self.waker.wake();
    }

    /// The task is over. Only the first call counts.
    pub(super) fn close(&self, result: Result<()>) {
        self.queue().closed.get_or_insert(result);
        self.waker.wake();
    }

    pub(super) fn stop_queueing(&self) {
        let mut queue = self.queue();
        queue.quiet = true;
        queue.unread = VecDeque::new();
    }

    pub(super) fn poll_next(&self, task: &mut Context<'_>) -> Poll<Option<Result<Event>>> {
        self.waker.register(task.waker());
        let mut queue = self.queue();
        if let Some(event) = queue.unread.pop_front() {
            return Poll::Ready(Some(Ok(event)));
        }
        match queue.closed.clone() {
            None => Poll::Pending,
            Some(Err(error)) if !std::mem::replace(&mut queue.told, true) => Poll::Ready(Some(Err(error))),
            Some(_) => Poll::Ready(None),
        }
    }

    pub(super) fn poll_end(&self, task: &mut Context<'_>) -> Poll<Result<Arc<Msg>>> {
        self.waker.register(task.waker());
        let mut queue = self.queue();
        match &queue.closed {
            None => Poll::Pending,
            Some(Err(error)) => Poll::Ready(Err(error.clone())),
            Some(Ok(())) => Poll::Ready(queue.msg.take().ok_or_else(ended_early)),
        }
    }
}

impl Queue {
    /// A reply that nobody reads yet has its start and the start of a model in the queue, and there may be many such replies.
    fn make_room(&mut self) {
        if self.unread.capacity() == 0 {
            self.unread.reserve_exact(2);
        }
    }

    /// Makes all that is unread one `Resumed`, but for decisions that are asked for, which are an order to the reader.
    fn collapse(&mut self, fold: &Arc<Msg>) {
        let mut left_out = 0;
        let mut last = None;
        let mut kept = VecDeque::new();
        for event in self.unread.drain(..) {
            if matches!(event.kind, EventKind::RequireConfirm { .. } | EventKind::RequireExternal { .. }) {
                kept.push_back(event);
                continue;
            }
            last = Some((event.reply_id, event.epoch, event.seq));
            match &event.kind {
                EventKind::Custom { .. } | EventKind::Inner { .. } => left_out += 1,
                EventKind::Resumed { dropped, .. } => left_out += dropped,
                _ => {}
            }
        }
        if let Some((reply_id, epoch, seq)) = last {
            let kind = EventKind::Resumed { msg: Arc::clone(fold), dropped: left_out };
            let at = kept.partition_point(|event| (event.epoch, event.seq) < (epoch, seq));
            kept.insert(at, Event { reply_id, epoch, seq, kind });
        }
        self.unread = kept;
    }
}
