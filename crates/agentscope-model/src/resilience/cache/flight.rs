//! Equal requests at the same time: one is sent, the others wait for its answer.

use bytes::Bytes;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::watch;

/// The requests that are being answered, by their keys.
#[derive(Debug, Default)]
pub(super) struct Flights(Mutex<HashMap<String, watch::Receiver<Told>>>);

/// What is known of the answer that others wait for.
#[derive(Clone, Debug)]
enum Told {
    Nothing,
    Answer(Bytes),
    /// There is none to be had from this request.
    None,
}

/// What a request does beside equal ones.
pub(super) enum Part {
    Leads(Lead),
    Follows(Follow),
}

/// The request that is sent. Dropped with nothing told, it lets another one lead.
pub(super) struct Lead {
    flights: Arc<Flights>,
    key: String,
    others: watch::Sender<Told>,
}

pub(super) struct Follow(watch::Receiver<Told>);

/// What became of the request that was waited for.
pub(super) enum Landed {
    Answer(Bytes),
    /// It has no answer to share.
    Failed,
    /// It was given up.
    Dropped,
}

impl Flights {
    pub(super) fn join(self: &Arc<Self>, key: &str) -> Part {
        let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(first) = flights.get(key) {
            return Part::Follows(Follow(first.clone()));
        }
        let (others, first) = watch::channel(Told::Nothing);
        flights.insert(key.to_owned(), first);
        Part::Leads(Lead { flights: Arc::clone(self), key: key.to_owned(), others })
    }
}

impl Lead {
    pub(super) fn answer(&self, answer: Bytes) {
        self.others.send_replace(Told::Answer(answer));
    }

    pub(super) fn fail(&self) {
        self.others.send_if_modified(|told| {
            let open = matches!(told, Told::Nothing);
            if open {
                *told = Told::None;
            }
            open
        });
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        self.flights.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

impl Follow {
    pub(super) async fn landed(mut self) -> Landed {
        match self.0.wait_for(|told| !matches!(told, Told::Nothing)).await.as_deref() {
            Ok(Told::Answer(answer)) => Landed::Answer(answer.clone()),
            Ok(_) => Landed::Failed,
            Err(_) => Landed::Dropped,
        }
    }
}
