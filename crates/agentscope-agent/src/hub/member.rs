//! One who takes part in a hub, and what it is behind with.

use super::{FaultLog, HubFault};
use agentscope_core::{Agent, Audience, BoxFuture, Error, ErrorKind, Msg, Name, Result};
use futures_util::FutureExt;
use std::{
    collections::VecDeque,
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};
use tokio::sync::Notify;

/// How many messages somebody may be behind with.
const MOST_BEHIND: usize = 1024;

/// One who takes part. Clones are the same.
#[derive(Clone)]
pub(super) struct Member(Arc<Seat>);

struct Seat {
    agent: Arc<dyn Agent>,
    audience: Audience,
    backlog: Mutex<Backlog>,
    caught_up: Notify,
}

#[derive(Default)]
struct Backlog {
    /// What comes after the message that it hears just now.
    next: VecDeque<Late>,
    /// Somebody sees to it that all of this is heard.
    running: bool,
    /// It takes part no longer.
    left: bool,
}

struct Late {
    msg: Arc<Msg>,
    /// Where it began to hear.
    hearing: Option<BoxFuture<'static, Result<()>>>,
}

/// What became of a message.
pub(super) enum Heard {
    Now,
    /// It is behind, and this comes after what it is behind with.
    Later,
    Not(Error),
    Slowly(Hearing),
}

/// A message that takes its time to be heard.
pub(super) struct Hearing {
    member: Member,
    late: Late,
}

impl Member {
    pub(super) fn new(agent: Arc<dyn Agent>, audience: Audience) -> Self {
        Self(Arc::new(Seat { agent, audience, backlog: Mutex::default(), caught_up: Notify::new() }))
    }

    pub(super) fn agent(&self) -> &Arc<dyn Agent> {
        &self.0.agent
    }

    pub(super) fn audience(&self) -> &Audience {
        &self.0.audience
    }

    pub(super) fn name(&self) -> &Name {
        &self.0.agent.card().name
    }

    /// Tells it. Most hear at once.
    pub(super) async fn hear(&self, msg: &Arc<Msg>) -> Heard {
        {
            let mut backlog = self.backlog();
            if backlog.left {
                return Heard::Later;
            }
            if backlog.running {
                if backlog.next.len() >= MOST_BEHIND {
                    let message = format!("it is {MOST_BEHIND} messages behind: remove it, or tell less");
                    return Heard::Not(Error::new(ErrorKind::Exhausted, message));
                }
                backlog.next.push_back(Late { msg: Arc::clone(msg), hearing: None });
                return Heard::Later;
            }
        }
        let begin = || self.0.agent.observe(vec![Arc::clone(msg)]);
        let begun = poll_fn(|task| {
            // Polled here and not in a future around it, because there is one for each who hears.
            Poll::Ready(catch_unwind(AssertUnwindSafe(|| {
                let mut hearing = begin();
                match hearing.as_mut().poll(task) {
                    Poll::Ready(heard) => Ok(heard),
                    Poll::Pending => Err(hearing),
                }
            })))
        });
        match begun.await {
            Ok(Ok(Ok(()))) => Heard::Now,
            Ok(Ok(Err(error))) => Heard::Not(error),
            Err(_) => Heard::Not(panicked()),
            Ok(Err(hearing)) => {
                let late = Late { msg: Arc::clone(msg), hearing: Some(unharmed(hearing)) };
                Heard::Slowly(Hearing { member: self.clone(), late })
            }
        }
    }

    pub(super) fn fault(&self, msg: &Msg, error: Error) -> HubFault {
        HubFault { participant: self.name().clone(), msg: msg.id.clone(), error }
    }

    /// Waits until it is not behind.
    pub(super) async fn caught_up(&self) {
        loop {
            let woken = self.0.caught_up.notified();
            if !self.backlog().running {
                return;
            }
            woken.await;
        }
    }

    fn backlog(&self) -> MutexGuard<'_, Backlog> {
        self.0.backlog.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hears nothing more from now on, but for what it is just hearing.
    pub(super) fn leave(&self) {
        let unheard = {
            let mut backlog = self.backlog();
            backlog.left = true;
            std::mem::take(&mut backlog.next)
        };
        drop(unheard); // what is dropped here is foreign code
    }

    /// Hears what it is behind with, in order, each in `limit`.
    async fn catch_up(mut running: Running, limit: Duration, log: Arc<FaultLog>) {
        let this = running.member.clone();
        while let Some(Late { msg, hearing }) = this.next() {
            let begin = || unharmed(async { this.0.agent.observe(vec![Arc::clone(&msg)]).await });
            let heard = tokio::time::timeout(limit, hearing.unwrap_or_else(begin)).await;
            let heard = heard.unwrap_or_else(|_| {
                let message = format!(
                    "it did not hear in {} s: give it more time by `late_limit`, or remove it",
                    limit.as_secs_f64()
                );
                Err(Error::new(ErrorKind::Timeout, message))
            });
            if let Err(error) = heard {
                log.note(this.fault(&msg, error));
            }
        }
        running.over = true;
    }

    /// What it is to hear next; if there is nothing, it is not behind any more.
    fn next(&self) -> Option<Late> {
        let mut backlog = self.backlog();
        let next = backlog.next.pop_front();
        backlog.running = next.is_some();
        next
    }
}

/// Hears what it is behind with. When this is dropped before its end, with its runtime, nobody waits for it any more.
struct Running {
    member: Member,
    over: bool,
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.over {
            let mut backlog = self.member.backlog();
            backlog.running = false;
            backlog.next.clear();
        }
        self.member.0.caught_up.notify_waiters();
    }
}

/// A panic of who hears is no panic of who speaks.
fn unharmed<'a>(hearing: impl Future<Output = Result<()>> + Send + 'a) -> BoxFuture<'a, Result<()>> {
    AssertUnwindSafe(hearing).catch_unwind().map(|heard| heard.unwrap_or_else(|_| Err(panicked()))).boxed()
}

fn panicked() -> Error {
    Error::new(ErrorKind::Internal, "it panicked while it heard: mend its `observe`")
}

impl Hearing {
    /// Goes on without the speaker.
    pub(super) fn fall_behind(self, limit: Duration, log: &Arc<FaultLog>) {
        let Self { member, late } = self;
        let mut backlog = member.backlog();
        if backlog.left {
            return;
        }
        backlog.next.push_back(late);
        if std::mem::replace(&mut backlog.running, true) {
            return;
        }
        drop(backlog); // a runtime that ends drops the task at once, which takes the lock
        let running = Running { member, over: false };
        // Its owner is the hub's `settled`; it ends by itself, because each message has its limit.
        drop(tokio::spawn(Member::catch_up(running, limit, Arc::clone(log))));
    }
}

impl Future for Hearing {
    /// What was not heard.
    type Output = Option<HubFault>;

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(hearing) = &mut self.late.hearing else { return Poll::Ready(None) };
        let heard = std::task::ready!(hearing.as_mut().poll(task));
        Poll::Ready(heard.err().map(|error| self.member.fault(&self.late.msg, error)))
    }
}
