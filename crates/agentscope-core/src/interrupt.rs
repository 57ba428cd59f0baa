//! Stopping what runs: cooperative, from parent to child, with the reason.

use serde::{Deserialize, Serialize};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use tokio::sync::Notify;

/// Why something was stopped.
///
/// ```
/// use agentscope_core::Reason;
/// let asked = Reason::User(Some("wrong city".into()));
/// assert_eq!(serde_json::to_string(&asked)?, r#"{"user":"wrong city"}"#);
/// # Ok::<_, serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reason {
    /// Whoever listened let go of the stream.
    Dropped,
    /// A person asked for it. The note, if there is one, is shown to the model when it goes on.
    User(Option<String>),
    /// The program ends.
    Shutdown,
    /// The time was over.
    Deadline,
    /// A reason that this version does not know.
    #[serde(untagged)]
    Other(serde_json::Value),
}

/// A switch that stops what was given it, and all that this started in turn. Clones are the same switch.
///
/// ```
/// use agentscope_core::{Interrupt, Reason};
///
/// let (all, one) = { let all = Interrupt::new(); let one = all.child(); (all, one) };
/// one.trigger(Reason::User(Some("wrong city".into())));
/// assert!(!all.is_triggered(), "a child does not stop its parent");
///
/// let other = all.child();
/// all.trigger(Reason::Shutdown);
/// assert_eq!(other.reason(), Some(Reason::Shutdown));
/// assert_eq!(one.reason(), Some(Reason::User(Some("wrong city".into()))), "the first reason stays");
/// ```
#[derive(Clone, Default)]
pub struct Interrupt(Arc<Switch>);

#[derive(Default)]
struct Switch {
    /// Set when it is triggered.
    reason: OnceLock<Reason>,
    triggered: Notify,
    /// What is triggered with this one. They go when this one is triggered, or when there is no room for a new one.
    children: Mutex<Vec<Weak<Switch>>>,
    /// One, or two where it was [joined](Interrupt::joined). They are kept: what triggers their parents comes through them.
    parents: [Option<Interrupt>; 2],
}

impl Interrupt {
    /// A switch without a parent.
    pub fn new() -> Self {
        Self::default()
    }

    /// Stops. The first reason stays.
    pub fn trigger(&self, reason: Reason) {
        let mut next = vec![Arc::clone(&self.0)];
        while let Some(switch) = next.pop() {
            if switch.reason.set(reason.clone()).is_err() {
                continue; // and so were its children
            }
            next.extend(switch.children().drain(..).filter_map(|child| child.upgrade()));
            switch.triggered.notify_waiters();
        }
    }

    /// Waits until it is triggered, for ever if need be.
    pub async fn triggered(&self) {
        let triggered = self.0.triggered.notified(); // made first, so that nothing is missed in between
        if !self.is_triggered() {
            triggered.await;
        }
    }

    /// Whether it was triggered.
    pub fn is_triggered(&self) -> bool {
        self.0.reason.get().is_some()
    }

    /// Why it was triggered; `None` while it was not.
    pub fn reason(&self) -> Option<Reason> {
        self.0.reason.get().cloned()
    }

    /// A switch that is triggered with this one, never the other way round.
    #[must_use]
    pub fn child(&self) -> Self {
        Self::below([Some(self.clone()), None])
    }

    /// A switch that is triggered with this one and with `other`, whichever comes first.
    #[must_use]
    pub fn joined(&self, other: &Self) -> Self {
        Self::below([Some(self.clone()), Some(other.clone())])
    }

    fn below(parents: [Option<Self>; 2]) -> Self {
        let child = Self(Arc::new(Switch { parents, ..Switch::default() }));
        for parent in child.0.parents.iter().flatten() {
            parent.0.adopt(&child);
        }
        child
    }
}

impl Switch {
    fn children(&self) -> MutexGuard<'_, Vec<Weak<Switch>>> {
        self.children.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn adopt(&self, child: &Interrupt) {
        let mut children = self.children();
        if let Some(reason) = self.reason.get() {
            drop(children);
            return child.trigger(reason.clone());
        }
        if children.len() == children.capacity() {
            children.retain(|child| child.strong_count() > 0);
            // So that the next look at all of them is far away, and what a busy time has left is given back.
            let alive = children.len();
            children.shrink_to(2 * alive + 4);
            children.reserve_exact(alive + 4);
        }
        children.push(Arc::downgrade(&child.0));
    }
}

impl std::fmt::Debug for Interrupt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Interrupt").field(&self.reason()).finish()
    }
}

#[cfg(test)]
mod tests;
