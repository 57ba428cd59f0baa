//! A reply on the host, and the connection on which its peer hears of it.

use super::{
    frame::{Place, Up, out_of_place},
    host::refuse,
    window::Window,
    wire::{LinkConnection, Lost},
};
use crate::{error::Result, event::Event, id::ReplyId, interrupt::Interrupt, stream::EventStream};
use std::time::Duration;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

/// Longest lease that a host grants (24 hours).
const LEASE_LIMIT: Duration = Duration::from_secs(24 * 60 * 60);

/// A new connection for a reply, whose peer has seen what comes up to `after`.
pub(super) struct Attachment {
    pub(super) connection: LinkConnection,
    pub(super) after: Option<Place>,
}

/// A reply that runs, or of which the peer has not acknowledged the end.
pub(super) struct Running {
    call_id: ReplyId,
    stream: EventStream,
    interrupt: Interrupt,
    window: Window,
    connection: Option<LinkConnection>,
    attached: mpsc::Receiver<Attachment>,
    lease: Duration,
    /// When the lease runs out; counts while there is no connection.
    expires: Instant,
}

enum Next {
    Attached(Attachment),
    Frame(Option<String>),
    Sent(Result<(), Lost>),
    Item(Option<Result<Event>>),
    Expired,
}

impl Running {
    pub(super) fn new(
        call_id: ReplyId,
        stream: EventStream,
        interrupt: Interrupt,
        connection: LinkConnection,
        attached: mpsc::Receiver<Attachment>,
        lease: Duration,
    ) -> Self {
        let lease = lease.min(LEASE_LIMIT);
        let window = Window::default();
        let expires = Instant::now() + lease;
        Self { call_id, stream, interrupt, window, connection: Some(connection), attached, lease, expires }
    }

    /// Ends when the peer has acknowledged the end, or when the lease has run out: the stream is dropped with this, which
    /// interrupts a reply that is not over.
    pub(super) async fn run(mut self) {
        loop {
            match self.next().await {
                Next::Expired => return,
                Next::Item(item) => self.window.push(item),
                Next::Sent(Ok(())) => self.window.was_sent(),
                Next::Sent(Err(Lost)) | Next::Frame(None) => self.lose(),
                Next::Frame(Some(frame)) => match self.obey(&frame) {
                    Ok(true) => return,
                    Ok(false) => {}
                    Err(error) => {
                        if let Some(connection) = &self.connection {
                            refuse(connection, error);
                        }
                        self.lose();
                    }
                },
                Next::Attached(Attachment { connection, after }) => match self.window.attach(after) {
                    Ok(()) => self.connection = Some(connection),
                    Err(error) => refuse(&connection, error),
                },
            }
        }
    }

    async fn next(&mut self) -> Next {
        let lost = self.connection.is_none();
        let (inlet, outlet) = match &mut self.connection {
            Some(connection) => (Some(&mut connection.inlet), Some(&connection.outlet)),
            None => (None, None),
        };
        let frame = async {
            match inlet {
                Some(inlet) => inlet.recv().await,
                None => std::future::pending().await,
            }
        };
        let sent = async {
            match (outlet, self.window.unsent()) {
                (Some(outlet), Some(frame)) => outlet.send(frame).await,
                _ => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            Some(attachment) = self.attached.recv() => Next::Attached(attachment),
            frame = frame => Next::Frame(frame),
            sent = sent => Next::Sent(sent),
            item = self.stream.next(), if self.window.has_room() => Next::Item(item),
            () = sleep_until(self.expires), if lost => Next::Expired,
        }
    }

    /// Does what the peer says; whether that was its last word.
    fn obey(&mut self, frame: &str) -> Result<bool> {
        match Up::decode(frame)? {
            Up::Interrupt { call_id, reason } if call_id == self.call_id => {
                self.interrupt.trigger(reason);
                Ok(false)
            }
            Up::Ack { call_id, upto, end } if call_id == self.call_id => {
                self.window.acknowledge(upto);
                if end && !self.window.has_ended() {
                    return Err(out_of_place("the end of a reply was acknowledged before it was sent"));
                }
                Ok(end)
            }
            _ => Err(out_of_place("a connection is for one reply")),
        }
    }

    /// A lost connection is no interrupt: the peer has its lease to come back.
    fn lose(&mut self) {
        self.connection = None;
        self.expires = Instant::now() + self.lease;
    }
}
