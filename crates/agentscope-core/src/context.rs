//! What travels beside a request: who may stop it, until when, through whom it came.

use crate::{
    error::{Error, ErrorKind, Result},
    id::{AgentId, Name},
    interrupt::Interrupt,
    state::View,
    stream::Probe,
};
use serde::{Deserialize, Serialize};
use std::{future::Future, sync::Arc, time::Duration};
use tokio::time::Instant;

/// Through how many agents a request may come (64). Each that asks another one, made for it alone, would go on for ever; and what
/// happens so deep inside is told within events of events, which JSON parsers read to a depth of 128.
const MOST_DEEP: usize = 64;

tokio::task_local! {
    static CURRENT: Context;
}

/// What travels beside a request. It is not serialized; a transport rebuilds it on the far side.
///
/// The current one is known to the task, so that a tool which calls `agent.reply(..)` passes interrupt, deadline and path on
/// without naming them.
///
/// ```
/// use agentscope_core::{Context, Interrupt, Reason};
///
/// let stop = Interrupt::new();
/// let cx = Context::new().with_interrupt(stop.child());
/// stop.trigger(Reason::User(None));
/// assert!(cx.interrupt().is_triggered());
/// ```
#[derive(Clone, Default)]
pub struct Context(Arc<Inner>);

#[derive(Clone, Default)]
struct Inner {
    interrupt: Interrupt,
    deadline: Option<Instant>,
    path: Arc<[PathEntry]>,
    trace_parent: Option<Arc<str>>,
    view: Option<View>,
    probe: Option<Arc<Probe>>,
}

/// One agent on the way from the outermost request to here, in one of its conversations.
///
/// ```
/// use agentscope_core::{Context, ErrorKind, PathEntry};
///
/// let cx = Context::new().enter(&"friday".into(), &"chat-1".into())?;
/// assert_eq!(cx.path(), [PathEntry { agent: "friday".into(), session: "chat-1".into() }]);
/// let again = cx.enter(&"friday".into(), &"chat-1".into());
/// assert_eq!(again.unwrap_err().kind(), ErrorKind::Conflict, "it would wait for itself");
/// # Ok::<_, agentscope_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathEntry {
    /// The agent.
    pub agent: AgentId,
    /// The conversation, empty where an agent has only one.
    pub session: Name,
}

impl Context {
    /// A context of nobody: never interrupted, no deadline, an empty path.
    pub fn new() -> Self {
        Self::default()
    }

    /// The context of the running task, or a new one outside of any reply.
    pub fn current() -> Self {
        CURRENT.try_with(Clone::clone).unwrap_or_default()
    }

    /// Runs `future` in this context. For tasks that you spawn yourself.
    ///
    /// ```
    /// # use agentscope_core::Context;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let cx = Context::current();
    /// let work = tokio::spawn(cx.scope(async { Context::current().path().len() }));
    /// assert_eq!(work.await.unwrap(), 0);
    /// # }
    /// ```
    pub fn scope<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        CURRENT.scope(self.clone(), future)
    }

    /// Runs `work` in this context. For threads and for the blocking pool.
    pub fn sync_scope<T>(&self, work: impl FnOnce() -> T) -> T {
        CURRENT.sync_scope(self.clone(), work)
    }

    /// Who may stop this.
    pub fn interrupt(&self) -> &Interrupt {
        &self.0.interrupt
    }

    /// The time that is left, if there is a limit; zero when it has passed.
    pub fn time_left(&self) -> Option<Duration> {
        self.0.deadline.map(|at| at.saturating_duration_since(Instant::now()))
    }

    /// The agents through which this came, outermost first.
    pub fn path(&self) -> &[PathEntry] {
        &self.0.path
    }

    /// The W3C `traceparent` of the span in which this happens.
    pub fn trace_parent(&self) -> Option<&str> {
        self.0.trace_parent.as_deref()
    }

    /// The conversation of the agent that calls a tool or a model, as it was before the call.
    pub fn view(&self) -> Option<&View> {
        self.0.view.as_ref()
    }

    /// The same, stopped by `interrupt`.
    #[must_use]
    pub fn with_interrupt(self, interrupt: Interrupt) -> Self {
        self.change(|inner| inner.interrupt = interrupt)
    }

    /// The same, over in `time` at the latest; an earlier limit stays. A time beyond what the clock can tell is no limit.
    #[must_use]
    pub fn with_deadline(self, time: Duration) -> Self {
        let Some(at) = Instant::now().checked_add(time) else { return self };
        self.change(|inner| inner.deadline = Some(inner.deadline.map_or(at, |old| old.min(at))))
    }

    /// The same, in the span of this W3C `traceparent`.
    #[must_use]
    pub fn with_trace_parent(self, trace_parent: impl Into<Arc<str>>) -> Self {
        self.change(|inner| inner.trace_parent = Some(trace_parent.into()))
    }

    /// The same, along this path. For transports.
    #[must_use]
    pub fn with_path(self, path: impl Into<Arc<[PathEntry]>>) -> Self {
        self.change(|inner| inner.path = path.into())
    }

    /// The same, showing the conversation `view`.
    #[must_use]
    pub fn with_view(self, view: View) -> Self {
        self.change(|inner| inner.view = Some(view))
    }

    /// The same, one agent further.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] if the agent is already on the path in the same conversation: it would wait for itself for
    /// ever. [`ErrorKind::Exhausted`] if the path is 64 agents long.
    pub fn enter(&self, agent: &AgentId, session: &Name) -> Result<Self> {
        let next = PathEntry { agent: agent.clone(), session: session.clone() };
        if self.path().contains(&next) {
            return Err(Error::new(
                ErrorKind::Conflict,
                format!(
                    "agent `{agent}` was asked while it answers, by itself or by an agent that it asked: give the inner call \
                     another session, or another agent"
                ),
            ));
        }
        if self.path().len() >= MOST_DEEP {
            let message = format!(
                "agent `{agent}` was asked through {MOST_DEEP} others: let one of them answer without asking another one, or                  nest them less"
            );
            return Err(Error::new(ErrorKind::Exhausted, message));
        }
        let path = self.path().iter().cloned().chain([next]).collect();
        Ok(self.clone().change(|inner| inner.path = path))
    }

    pub(crate) fn with_probe(self, probe: Arc<Probe>) -> Self {
        self.change(|inner| inner.probe = Some(probe))
    }

    pub(crate) fn take_probe(&mut self) -> Option<Arc<Probe>> {
        self.0.probe.as_ref()?;
        Arc::make_mut(&mut self.0).probe.take()
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.0.deadline
    }

    fn change(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context")
            .field("interrupt", &self.0.interrupt)
            .field("time_left", &self.time_left())
            .field("path", &self.0.path)
            .finish_non_exhaustive()
    }
}
