//! Agents: anything that turns messages into a stream of events.

mod audience;
mod function;
mod request;
mod several;
mod sugar;

pub use audience::{Audience, Room, Told};
pub use function::{FnAgent, agent_fn};
pub use request::{Decision, Input, Item, Lease, ReplyRef, ReplyRequest, Verdict};
pub use several::Agents;
pub use sugar::{AgentExt, Reply, RunningReply, Typed};

use crate::{
    context::Context,
    error::Result,
    id::{AgentId, Name},
    message::Msg,
    stream::EventStream,
};
use futures_core::future::BoxFuture;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Anything that turns messages into a stream of events: a loop around a model, a pipeline, a person, a far machine.
///
/// Ask it with [`AgentExt::reply`]; write one with [`agent_fn`], or with a [`crate::Mailbox`] if it has a conversation.
/// [`crate::testing::conformance::agent`] is what each implementation has to pass.
///
/// ```
/// use agentscope_core::{Agent, AgentCard, AgentExt, BoxFuture, Context, EventStream, Msg, ReplyRequest, Result, agent_fn};
/// use std::sync::Arc;
///
/// /// Another agent under a name of its own.
/// struct Alias { card: AgentCard, agent: Arc<dyn Agent> }
///
/// impl Agent for Alias {
///     fn card(&self) -> &AgentCard { &self.card }
///     fn call(&self, req: ReplyRequest, cx: Context) -> EventStream { self.agent.call(req, cx) }
///     fn observe(&self, msgs: Vec<Arc<Msg>>) -> BoxFuture<'static, Result<()>> { self.agent.observe(msgs) }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let echo = agent_fn("Echo", |msgs, _| async move { Ok(Msg::assistant("Echo", msgs[0].text())) });
/// let alias = Alias { card: AgentCard::new("Parrot"), agent: Arc::new(echo) };
/// assert_eq!((alias.card().name.as_str(), alias.reply("hi").await?.text().as_str()), ("Parrot", "hi"));
/// # Ok(()) }
/// ```
pub trait Agent: Send + Sync + 'static {
    /// Who it is.
    fn card(&self) -> &AgentCard;

    /// Replies. Nothing happens before the stream is polled or started. Replies of one conversation queue.
    fn call(&self, req: ReplyRequest, cx: Context) -> EventStream;

    /// Hears without replying. It never waits for a reply that runs: what is heard enters it before its next thought.
    ///
    /// # Errors
    /// Where the messages could not be kept.
    fn observe(&self, msgs: Vec<Arc<Msg>>) -> BoxFuture<'static, Result<()>>;

    /// Whether it takes [`Item::Pending`] as it is, as a proxy does; others resolve it before they begin.
    fn takes_pending(&self) -> bool {
        false
    }

    /// Who hears what it says; [`crate::Mailbox::audience`] for an agent with a mailbox. Without one it can be told things, and
    /// nobody hears it by itself.
    fn audience(&self) -> Option<Audience> {
        None
    }
}

/// Who an agent is.
///
/// ```
/// let card = agentscope_core::AgentCard::new("Friday").describe("Answers questions about the weather.");
/// assert_ne!(card.id, agentscope_core::AgentCard::new("Friday").id, "two agents may have one name");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AgentCard {
    /// Tells it from all others.
    pub id: AgentId,
    /// What it is called, by people and other agents.
    pub name: Name,
    /// What it is for, in a sentence.
    #[serde(default)]
    pub description: String,
}

impl AgentCard {
    /// An agent of this name with a new id.
    pub fn new(name: impl Into<Name>) -> Self {
        Self { id: AgentId::random(), name: name.into(), description: String::new() }
    }

    /// With this id, the same after a restart and on every node.
    #[must_use]
    pub fn id(mut self, id: impl Into<AgentId>) -> Self {
        self.id = id.into();
        self
    }

    /// For this purpose.
    #[must_use]
    pub fn describe(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }
}

impl<A: Agent + ?Sized> Agent for Arc<A> {
    fn card(&self) -> &AgentCard {
        (**self).card()
    }
    fn call(&self, req: ReplyRequest, cx: Context) -> EventStream {
        (**self).call(req, cx)
    }
    fn observe(&self, msgs: Vec<Arc<Msg>>) -> BoxFuture<'static, Result<()>> {
        (**self).observe(msgs)
    }
    fn takes_pending(&self) -> bool {
        (**self).takes_pending()
    }
    fn audience(&self) -> Option<Audience> {
        (**self).audience()
    }
}
