//! Stopping what runs: cooperative, from parent to child, with the reason.

use serde::{Deserialize, Serialize};
use std::sync::{Arc, OnceLock};
use tokio_util::sync::CancellationToken;

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
pub struct Interrupt {
    token: CancellationToken,
    own: Arc<Own>,
}

#[derive(Default)]
struct Own {
    reason: OnceLock<Reason>,
    parent: Option<Interrupt>,
    /// A second parent, see [`Interrupt::joined`].
    also: Option<Interrupt>,
}

impl Interrupt {
    /// A switch without a parent.
    pub fn new() -> Self {
        Self::default()
    }

    /// Stops. The first reason stays.
    pub fn trigger(&self, reason: Reason) {
        if !self.is_triggered() {
            let _ = self.own.reason.set(reason);
        }
        self.token.cancel();
    }

    /// Waits until it is triggered, for ever if need be.
    pub async fn triggered(&self) {
        match &self.own.also {
            None => self.token.cancelled().await,
            Some(also) => tokio::select! {
                () = self.token.cancelled() => {}
                () = Box::pin(also.triggered()) => {}
            },
        }
    }

    /// Whether it was triggered.
    pub fn is_triggered(&self) -> bool {
        self.token.is_cancelled() || self.own.also.as_ref().is_some_and(Self::is_triggered)
    }

    /// Why it was triggered; `None` while it was not.
    pub fn reason(&self) -> Option<Reason> {
        if !self.is_triggered() {
            return None;
        }
        let inherited = [&self.own.parent, &self.own.also];
        let reason = self.own.reason.get().cloned();
        reason.or_else(|| inherited.into_iter().flatten().find_map(Self::reason)).or(Some(Reason::Dropped))
    }

    /// A switch that is triggered with this one, never the other way round.
    #[must_use]
    pub fn child(&self) -> Self {
        let own = Own { reason: OnceLock::new(), parent: Some(self.clone()), also: self.own.also.clone() };
        Self { token: self.token.child_token(), own: Arc::new(own) }
    }

    /// A switch that is triggered with this one and with `other`, whichever comes first.
    #[must_use]
    pub fn joined(&self, other: &Self) -> Self {
        let also = match &self.own.also {
            None => other.clone(),
            Some(also) => also.joined(other),
        };
        let own = Own { reason: OnceLock::new(), parent: Some(self.clone()), also: Some(also) };
        Self { token: self.token.child_token(), own: Arc::new(own) }
    }
}

impl std::fmt::Debug for Interrupt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Interrupt").field(&self.reason()).finish()
    }
}
