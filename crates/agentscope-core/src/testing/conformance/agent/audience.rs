//! That an agent with an audience tells it each reply once, what is spoken of it, before the reply is seen to end.

use super::{Seen, broken, see, see_each};
use crate::{
    agent::{Agent, Room, Told},
    event::EventKind,
    message::{Finish, Msg},
    stream::EventStream,
};
use futures_core::future::BoxFuture;
use std::sync::{Arc, Mutex, PoisonError};

/// Who listens to an agent; nobody if it has no audience.
pub(super) struct Listener(Option<Arc<Minutes>>);

/// What was told.
#[derive(Default)]
struct Minutes(Mutex<Vec<Arc<Msg>>>);

impl Minutes {
    fn told(&self) -> Vec<Arc<Msg>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Room for Minutes {
    fn tell(&self, msg: &Arc<Msg>, _: &mut Told) -> BoxFuture<'static, ()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(msg));
        Box::pin(async {})
    }
}

impl Listener {
    pub(super) fn of(agent: &dyn Agent) -> Self {
        let minutes = Arc::new(Minutes::default());
        Self(agent.audience().map(|audience| {
            audience.join(&minutes);
            minutes
        }))
    }

    /// Sees a reply, and whether it is told as it should be.
    pub(super) async fn see(&self, stream: EventStream, place: &str) -> Seen {
        let Some(minutes) = &self.0 else { return see(stream).await };
        let mut at_end = None;
        let seen = see_each(stream, |event| {
            if matches!(event.kind, EventKind::ReplyEnd { .. }) {
                at_end = Some(minutes.told().len());
            }
        })
        .await;
        let told = minutes.told();
        let spoken = seen.fold.spoken();
        let is_heard = !matches!(seen.fold.finish, None | Some(Finish::Failed(_) | Finish::Waiting))
            && (!spoken.content.is_empty() || spoken.output.is_some());
        match told.as_slice() {
            [] if !is_heard => {}
            [] => broken(format_args!(
                "an audience is told each reply: {place}, `{}` was not told",
                spoken.text()
            )),
            [msg] if is_heard => {
                if msg.id != spoken.id || msg.content != spoken.content || msg.output != spoken.output {
                    broken(format_args!(
                        "an audience is told what is spoken and no more: {place}, {msg:?} instead of {spoken:?}"
                    ));
                }
                if at_end == Some(0) {
                    broken(format_args!("an audience is told before the reply is seen to end: {place}"));
                }
            }
            [msg] => broken(format_args!(
                "an audience is not told of a reply that failed, waits or says nothing: {place}, {msg:?}"
            )),
            more => broken(format_args!("an audience is told each reply once: {place}, {more:?}")),
        }
        seen
    }
}
