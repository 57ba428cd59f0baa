//! What was handed to a link and not yet acknowledged: kept as it was sent.

use super::frame::{Down, Place};
use crate::{
    error::{Error, ErrorKind, Result},
    event::Event,
};
use std::collections::VecDeque;

/// Most events that wait for their acknowledgement. While so many do, the reply's stream is not read: it joins what is unread, and
/// the reply goes on.
const WINDOW_EVENTS: usize = 256;

/// Most bytes of frames that wait for their acknowledgement (4 MiB), but for one event that is larger by itself.
const WINDOW_BYTES: usize = 4 << 20;

/// The frames of one reply that the peer has not acknowledged, in order.
#[derive(Default)]
pub(super) struct Window {
    kept: VecDeque<Kept>,
    /// How many of them were sent on the present connection.
    sent: usize,
    bytes: usize,
    /// The last event that the peer has acknowledged.
    acknowledged: Option<Place>,
    ended: bool,
}

struct Kept {
    /// `None` for what comes after the last event.
    place: Option<Place>,
    frame: String,
}

impl Window {
    pub(super) fn has_room(&self) -> bool {
        !self.ended && self.kept.len() < WINDOW_EVENTS && self.bytes < WINDOW_BYTES
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Takes the next item of the reply's stream.
    pub(super) fn push(&mut self, item: Option<Result<Event>>) {
        let (place, frame) = match item {
            Some(Ok(event)) => (Some(Place::from(&event)), Down::Event { event }),
            Some(Err(error)) => (None, Down::Error { error }),
            None => {
                self.ended = true;
                (None, Down::End)
            }
        };
        let frame = frame.encode();
        self.bytes += frame.len();
        self.kept.push_back(Kept { place, frame });
    }

    /// The first frame that was not sent on the present connection.
    pub(super) fn unsent(&self) -> Option<&str> {
        self.kept.get(self.sent).map(|kept| kept.frame.as_str())
    }

    pub(super) fn was_sent(&mut self) {
        self.sent += 1;
    }

    /// Forgets what the peer has seen.
    pub(super) fn acknowledge(&mut self, upto: Option<Place>) {
        let Some(upto) = upto else { return };
        while let Some(kept) = self.kept.pop_front_if(|kept| kept.place.is_some_and(|place| place <= upto)) {
            self.bytes -= kept.frame.len();
            self.sent = self.sent.saturating_sub(1);
        }
        self.acknowledged = self.acknowledged.max(Some(upto));
    }

    /// A new connection, whose peer has seen what comes up to `after`.
    pub(super) fn attach(&mut self, after: Option<Place>) -> Result<()> {
        if after < self.acknowledged {
            let message = "the events that were asked for were acknowledged before and are no longer kept";
            return Err(Error::new(ErrorKind::NotFound, message));
        }
        self.acknowledge(after);
        self.sent = 0;
        Ok(())
    }
}
