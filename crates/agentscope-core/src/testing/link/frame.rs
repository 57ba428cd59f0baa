//! What crosses a link: JSON, made of the types that any transport would use.

use crate::{
    agent::ReplyRequest,
    context::PathEntry,
    error::{Error, ErrorKind, Result},
    event::Event,
    id::{CallId, ReplyId},
    interrupt::Reason,
    message::Msg,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// From the peer to the host. The first frame of a connection is `Call`, `Attach` or `Observe`.
///
/// `call_id` is the id that the peer's [`crate::EventStream`] shows, so that it is known before the reply begins; a reply that is
/// taken up again has another one in its events.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Up {
    /// Asks. Sent again after a loss, it attaches to the reply that it began.
    Call {
        call_id: ReplyId,
        request: ReplyRequest,
        #[serde(default)]
        path: Vec<PathEntry>,
        #[serde(default)]
        time_left_ms: Option<u64>,
        #[serde(default)]
        trace_parent: Option<String>,
        lease_ms: u64,
    },
    /// Goes on after the event `after`.
    Attach { call_id: ReplyId, after: Option<Place> },
    /// Stops the reply.
    Interrupt { call_id: ReplyId, reason: Reason },
    /// All events up to `upto` were seen; with `end`, the end as well.
    Ack {
        call_id: ReplyId,
        upto: Option<Place>,
        #[serde(default)]
        end: bool,
    },
    /// Tells messages. Sent again after a loss, with the same `observe_id`, it is not heard again.
    Observe { observe_id: CallId, msgs: Vec<Arc<Msg>> },
}

/// From the host to the peer.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Down {
    /// Something happened in the reply.
    Event { event: Event },
    /// The reply failed; `End` follows. Or an observation did.
    Error { error: Error },
    /// Nothing more comes.
    End,
    /// The messages were heard.
    Observed,
    /// What was asked for cannot be had on this connection.
    Refused { error: Error },
}

/// The place of an event in its reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Place {
    pub(super) epoch: u64,
    pub(super) seq: u64,
}

impl From<&Event> for Place {
    fn from(event: &Event) -> Self {
        Self { epoch: event.epoch, seq: event.seq }
    }
}

/// What is sent in place of a frame that is no JSON, such as an unknown event that is no object.
const UNWRITABLE: &str =
    r#"{"error":{"error":{"kind":"internal","message":"an event of the reply cannot be written as JSON"}}}"#;

impl Up {
    pub(super) fn encode(&self) -> Result<String> {
        Ok(serde_json::to_string(self)?)
    }

    pub(super) fn decode(frame: &str) -> Result<Self> {
        serde_json::from_str(frame).map_err(not_understood)
    }
}

impl Down {
    pub(super) fn encode(&self) -> String {
        serde_json::to_string(self).unwrap_or_else(|_| UNWRITABLE.to_owned())
    }

    pub(super) fn decode(frame: &str) -> Result<Self> {
        serde_json::from_str(frame).map_err(not_understood)
    }
}

fn not_understood(error: serde_json::Error) -> Error {
    let message = format!("a frame of the link cannot be read: {error}; both sides need the same version");
    Error::new(ErrorKind::Protocol, message).with_source(error)
}

/// A frame that is understood and out of place.
pub(super) fn out_of_place(what: &str) -> Error {
    Error::new(ErrorKind::Protocol, format!("a frame of the link came where it has no meaning: {what}"))
}
