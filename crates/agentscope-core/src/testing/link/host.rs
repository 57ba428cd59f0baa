//! The side on which the agent is: it takes connections, and keeps the replies that run.

use super::{
    frame::{Down, Up, out_of_place},
    reply::{Attachment, Running},
    wire::LinkConnection,
};
use crate::{
    agent::Agent,
    context::Context,
    error::{Error, ErrorKind, Result},
    id::{CallId, MsgId, ReplyId},
    interrupt::Interrupt,
    message::Msg,
};
use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{sync::mpsc, task::JoinSet};

/// Most replies and connections that are served at a time; one more is refused with [`ErrorKind::Unavailable`].
const TASKS_LIMIT: usize = 1024;

/// How long a peer should wait that was refused for that.
const BUSY_RETRY: Duration = Duration::from_secs(1);

/// How long a new connection may take to say what it is for.
const FIRST_FRAME: Duration = Duration::from_secs(10);

/// Most replies that are over, and observations that were heard, of which the host still knows that.
const REMEMBERED: usize = 1024;

/// Serves one agent.
pub(super) struct Host {
    desk: Arc<Desk>,
    /// The connections and the replies; they are stopped when the last handle of the link is dropped.
    tasks: Mutex<JoinSet<()>>,
}

/// What the tasks of a host share.
pub(super) struct Desk {
    agent: Arc<dyn Agent>,
    calls: Mutex<Calls>,
    heard: tokio::sync::Mutex<Recent<CallId>>,
}

#[derive(Default)]
struct Calls {
    running: HashMap<ReplyId, mpsc::Sender<Attachment>>,
    over: Recent<MsgId>,
}

/// The last [`REMEMBERED`] of something.
struct Recent<T>(VecDeque<T>);

impl Host {
    pub(super) fn new(agent: Arc<dyn Agent>) -> Self {
        let desk = Desk { agent, calls: Mutex::default(), heard: tokio::sync::Mutex::default() };
        Self { desk: Arc::new(desk), tasks: Mutex::default() }
    }

    pub(super) fn agent(&self) -> &Arc<dyn Agent> {
        &self.desk.agent
    }

    /// Serves a connection. Must be called in a tokio runtime.
    pub(super) fn accept(&self, connection: LinkConnection) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        if tasks.len() >= TASKS_LIMIT {
            let message = format!("the host serves {TASKS_LIMIT} requests already: ask again later");
            refuse(&connection, Error::new(ErrorKind::Unavailable, message).with_retry_after(BUSY_RETRY));
            return;
        }
        tasks.spawn(Arc::clone(&self.desk).serve(connection));
    }
}

pub(super) fn refuse(connection: &LinkConnection, error: Error) {
    connection.outlet.try_send(&Down::Refused { error }.encode());
}

impl Desk {
    async fn serve(self: Arc<Self>, mut connection: LinkConnection) {
        let Ok(Some(frame)) = tokio::time::timeout(FIRST_FRAME, connection.recv()).await else { return };
        match Up::decode(&frame) {
            Err(error) => refuse(&connection, error),
            Ok(Up::Interrupt { .. } | Up::Ack { .. }) => {
                refuse(&connection, out_of_place("a connection begins with `call`, `attach` or `observe`"));
            }
            Ok(Up::Observe { observe_id, msgs }) => {
                let answer = match self.hear(observe_id, msgs).await {
                    Ok(()) => Down::Observed,
                    Err(error) => Down::Error { error },
                };
                let _ = connection.outlet.send(&answer.encode()).await; // lost: the peer asks again
            }
            Ok(Up::Attach { call_id, after }) => {
                let running = self.calls().running.get(&call_id).cloned();
                self.attach(running, &call_id, Attachment { connection, after }).await;
            }
            Ok(Up::Call { call_id, request, path, time_left_ms, trace_parent, lease_ms }) => {
                let attached = match self.enlist(&call_id) {
                    Enlisted::New(attached) => attached,
                    Enlisted::Running(running) => {
                        return self
                            .attach(Some(running), &call_id, Attachment { connection, after: None })
                            .await;
                    }
                    Enlisted::Over => return refuse(&connection, gone(&call_id)),
                };
                let _listed = Listed { desk: &self, call_id: &call_id };
                let interrupt = Interrupt::new();
                let mut cx = Context::new().with_interrupt(interrupt.clone()).with_path(path);
                if let Some(time_left) = time_left_ms {
                    cx = cx.with_deadline(Duration::from_millis(time_left));
                }
                if let Some(trace_parent) = trace_parent {
                    cx = cx.with_trace_parent(trace_parent);
                }
                let stream = self.agent.call(request, cx).start();
                let lease = Duration::from_millis(lease_ms);
                Running::new(call_id.clone(), stream, interrupt, connection, attached, lease).run().await;
            }
        }
    }

    /// Gives a connection to the reply that it is for.
    async fn attach(
        &self,
        running: Option<mpsc::Sender<Attachment>>,
        call_id: &ReplyId,
        attachment: Attachment,
    ) {
        let attachment = match running {
            Some(running) => running.send(attachment).await.map_err(|over| over.0),
            None => Err(attachment),
        };
        if let Err(Attachment { connection, .. }) = attachment {
            let over = self.calls().over.contains(call_id);
            refuse(&connection, if over { gone(call_id) } else { unknown(call_id) });
        }
    }

    fn enlist(&self, call_id: &ReplyId) -> Enlisted {
        let mut calls = self.calls();
        if let Some(running) = calls.running.get(call_id) {
            return Enlisted::Running(running.clone());
        }
        if calls.over.contains(call_id) {
            return Enlisted::Over;
        }
        let (sender, attached) = mpsc::channel(1);
        calls.running.insert(call_id.clone(), sender);
        Enlisted::New(attached)
    }

    /// Tells the agent what is observed, once.
    async fn hear(&self, observe_id: CallId, msgs: Vec<Arc<Msg>>) -> Result<()> {
        let mut heard = self.heard.lock().await; // it is the queue: one is heard after the other, and a second try after the first
        if !heard.contains(&observe_id) {
            self.agent.observe(msgs).await?;
            heard.push(observe_id);
        }
        Ok(())
    }

    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Enlisted {
    New(mpsc::Receiver<Attachment>),
    Running(mpsc::Sender<Attachment>),
    Over,
}

/// Takes a reply off the list when it is over, also if the agent panicked.
struct Listed<'a> {
    desk: &'a Desk,
    call_id: &'a ReplyId,
}

impl Drop for Listed<'_> {
    fn drop(&mut self) {
        let mut calls = self.desk.calls();
        calls.running.remove(self.call_id);
        calls.over.push(self.call_id.clone());
    }
}

fn gone(call_id: &ReplyId) -> Error {
    let message = format!(
        "reply `{call_id}` is over and no longer kept: its end was acknowledged, or the connection was lost for longer \
         than its lease and it was interrupted; ask again, or ask with a longer lease"
    );
    Error::new(ErrorKind::NotFound, message)
}

fn unknown(call_id: &ReplyId) -> Error {
    Error::new(ErrorKind::NotFound, format!("the host knows of no reply `{call_id}`: ask again"))
}

impl<T: PartialEq> Recent<T> {
    fn contains(&self, id: &T) -> bool {
        self.0.contains(id)
    }

    fn push(&mut self, id: T) {
        if self.0.len() == REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back(id);
    }
}

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}
