//! A link to an agent that is, as far as anyone can tell, somewhere else: what crosses it is JSON, and it can be cut.

mod frame;
mod host;
mod peer;
mod reply;
mod window;
mod wire;

pub use peer::LinkedAgent;
pub use wire::LinkConnection;

use crate::agent::Agent;
use host::Host;
use std::sync::Arc;
use wire::Wire;

/// A link to an agent, in this process, for tests of what has to hold over a network: everything that crosses it is JSON, it can
/// be [cut](Self::cut) at any frame and [mended](Self::mend).
///
/// Cutting loses what is under way in both directions. The reply goes on; the peer connects again and sees each event once. A
/// reply whose peer stays away for longer than its lease is interrupted.
///
/// Clones are the same link. When the last one and all that uses it are dropped, replies that still run are interrupted.
///
/// ```
/// use agentscope_core::{AgentExt, Msg, agent_fn, testing::Link};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let echo = agent_fn("Echo", |msgs, _| async move { Ok(Msg::assistant("Echo", msgs[0].text())) });
/// let link = Link::serve(echo);
/// let far = link.agent().lease(Duration::from_secs(5));
/// link.cut_after(1);
/// let reply = far.reply("hi").start();
/// while !link.is_cut() {
///     tokio::time::sleep(Duration::from_millis(1)).await;
/// }
/// link.mend();
/// assert_eq!(reply.await?.text(), "hi");
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Link(Arc<Inner>);

struct Inner {
    wire: Arc<Wire>,
    host: Host,
}

impl Link {
    /// Serves `agent`, as a node would.
    pub fn serve(agent: impl Agent) -> Self {
        Self(Arc::new(Inner { wire: Arc::default(), host: Host::new(Arc::new(agent)) }))
    }

    /// The agent as it is seen from the other side.
    pub fn agent(&self) -> LinkedAgent {
        LinkedAgent::new(self.clone(), self.0.host.agent().card().clone())
    }

    /// Loses what is under way, in both directions; nothing passes until [`mend`](Self::mend).
    pub fn cut(&self) {
        self.0.wire.cut();
    }

    /// Lets new connections be made, and forgets what was to be cut or broken.
    pub fn mend(&self) {
        self.0.wire.mend();
    }

    /// Cuts instead of passing on the frame to the peer that follows the next `frames`.
    pub fn cut_after(&self, frames: u64) {
        self.0.wire.cut_after(frames);
    }

    /// Passes on half of the frame to the peer that follows the next `frames`.
    pub fn garble_after(&self, frames: u64) {
        self.0.wire.garble_after(frames);
    }

    /// Whether it is cut.
    pub fn is_cut(&self) -> bool {
        self.0.wire.is_cut()
    }

    /// How many frames went from the peer to the host.
    pub fn frames_up(&self) -> u64 {
        self.0.wire.passed().0
    }

    /// How many frames went from the host to the peer.
    pub fn frames_down(&self) -> u64 {
        self.0.wire.passed().1
    }

    /// A connection to send and receive frames by hand; none while the link is cut. Must be called in a tokio runtime.
    pub fn connect(&self) -> Option<LinkConnection> {
        let (peer, host) = self.0.wire.connect()?;
        self.0.host.accept(host);
        Some(peer)
    }
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link")
            .field("agent", self.0.host.agent().card())
            .field("cut", &self.is_cut())
            .finish()
    }
}
