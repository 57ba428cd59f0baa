//! The wire: connections that carry text both ways, and everything that can go wrong with them.

use crate::interrupt::{Interrupt, Reason};
use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};
use tokio::sync::mpsc;

/// Most frames that are under way in one direction of a connection; the next one waits.
const UNDER_WAY: usize = 64;

/// What all connections of a link share.
#[derive(Default)]
pub(super) struct Wire {
    state: Mutex<State>,
    up: AtomicU64,
    down: AtomicU64,
}

#[derive(Default)]
struct State {
    cut: bool,
    /// Frames that still pass down before the wire is cut.
    cut_after: Option<u64>,
    /// Frames that still pass down before one is broken in two.
    garble_after: Option<u64>,
    /// Triggered when the wire is cut; the connections made after that have another one.
    broken: Interrupt,
}

/// The connection is gone, and what was under way on it.
#[derive(Debug)]
pub(super) struct Lost;

impl Wire {
    /// The two ends of a new connection, the peer's first; none while the wire is cut.
    pub(super) fn connect(self: &Arc<Self>) -> Option<(LinkConnection, LinkConnection)> {
        let state = self.state();
        if state.cut {
            return None;
        }
        let (up_in, up_out) = mpsc::channel(UNDER_WAY);
        let (down_in, down_out) = mpsc::channel(UNDER_WAY);
        let end = |frames_in, frames_out, downwards| LinkConnection {
            outlet: Outlet {
                frames: frames_in,
                broken: state.broken.clone(),
                wire: Arc::clone(self),
                downwards,
            },
            inlet: Inlet { frames: frames_out, broken: state.broken.clone() },
        };
        Some((end(up_in, down_out, false), end(down_in, up_out, true)))
    }

    pub(super) fn cut(&self) {
        self.state().cut();
    }

    pub(super) fn mend(&self) {
        let mut state = self.state();
        (state.cut_after, state.garble_after) = (None, None);
        if std::mem::take(&mut state.cut) {
            state.broken = Interrupt::new();
        }
    }

    pub(super) fn cut_after(&self, frames: u64) {
        self.state().cut_after = Some(frames);
    }

    pub(super) fn garble_after(&self, frames: u64) {
        self.state().garble_after = Some(frames);
    }

    pub(super) fn is_cut(&self) -> bool {
        self.state().cut
    }

    /// How many frames passed up and down.
    pub(super) fn passed(&self) -> (u64, u64) {
        (self.up.load(Ordering::Relaxed), self.down.load(Ordering::Relaxed))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The frame as it arrives.
    fn pass(&self, frame: &str, downwards: bool) -> Result<String, Lost> {
        if !downwards {
            self.up.fetch_add(1, Ordering::Relaxed);
            return Ok(frame.to_owned());
        }
        let mut state = self.state();
        if count_down(&mut state.cut_after) {
            state.cut();
            return Err(Lost);
        }
        self.down.fetch_add(1, Ordering::Relaxed);
        let kept = if count_down(&mut state.garble_after) { frame.len() / 2 } else { frame.len() };
        Ok(frame.chars().take(kept).collect())
    }
}

impl State {
    fn cut(&mut self) {
        self.cut = true;
        self.broken.trigger(Reason::Dropped);
    }
}

/// Whether it is time; if not, it is one nearer.
fn count_down(left: &mut Option<u64>) -> bool {
    match left {
        Some(0) => {
            *left = None;
            true
        }
        Some(more) => {
            *more -= 1;
            false
        }
        None => false,
    }
}

/// One end of a connection, to send and receive frames by hand: what a fuzzer, or a test of bad frames, holds.
///
/// ```
/// use agentscope_core::{Msg, agent_fn, testing::Link};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let link = Link::serve(agent_fn("Echo", |_, _| async { Ok(Msg::assistant("Echo", "hi")) }));
/// let mut connection = link.connect().unwrap();
/// assert!(connection.send("rubbish").await);
/// assert!(connection.recv().await.unwrap().contains("protocol"));
/// # }
/// ```
pub struct LinkConnection {
    pub(super) outlet: Outlet,
    pub(super) inlet: Inlet,
}

pub(super) struct Outlet {
    frames: mpsc::Sender<String>,
    broken: Interrupt,
    wire: Arc<Wire>,
    downwards: bool,
}

pub(super) struct Inlet {
    frames: mpsc::Receiver<String>,
    broken: Interrupt,
}

impl LinkConnection {
    /// Sends a frame, whatever it is; `false` if the connection is lost.
    pub async fn send(&self, frame: &str) -> bool {
        self.outlet.send(frame).await.is_ok()
    }

    /// The next frame; `None` if the connection is lost or the other side closed it.
    pub async fn recv(&mut self) -> Option<String> {
        self.inlet.recv().await
    }
}

impl Outlet {
    /// Sends a frame, or nothing if this is dropped before it is done.
    pub(super) async fn send(&self, frame: &str) -> Result<(), Lost> {
        let place = tokio::select! {
            biased;
            () = self.broken.triggered() => return Err(Lost),
            place = self.frames.reserve() => place.map_err(|_| Lost)?,
        };
        place.send(self.wire.pass(frame, self.downwards)?);
        Ok(())
    }

    /// Sends a last word, if there is room for it.
    pub(super) fn try_send(&self, frame: &str) {
        if !self.broken.is_triggered()
            && let Ok(place) = self.frames.try_reserve()
            && let Ok(frame) = self.wire.pass(frame, self.downwards)
        {
            place.send(frame);
        }
    }
}

impl Inlet {
    pub(super) async fn recv(&mut self) -> Option<String> {
        tokio::select! {
            biased;
            () = self.broken.triggered() => None,
            frame = self.frames.recv() => frame,
        }
    }
}

impl std::fmt::Debug for LinkConnection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LinkConnection").field("lost", &self.inlet.broken.is_triggered()).finish()
    }
}
