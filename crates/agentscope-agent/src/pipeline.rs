//! Pipelines: agents that are made of agents.

mod branch;
mod debate;
mod fanout;
mod group_chat;
mod handoff;
mod mixture;
mod repeat;
mod sequential;
mod speaker;

pub use branch::{IfElse, Switch, if_else, switch};
pub use debate::{Debate, Judgment, debate};
pub use fanout::{Fanout, fanout};
pub use group_chat::{GroupChat, group_chat};
pub use handoff::{Handoff, handoff, transfer_to};
pub use mixture::{MixtureOfAgents, mixture_of_agents};
pub use repeat::{ForLoop, WhileLoop, for_loop, while_loop};
pub use sequential::{Sequential, sequential};
pub use speaker::SpeakerPolicy;

use crate::errand::Errand;
use agentscope_core::{
    Agent, AgentCard, BoxFuture, CallId, Context, Error, ErrorKind, EventKind, EventSink, EventStream,
    Finish, Input, Item, Mailbox, Msg, Name, Opened, Queued, ReplyRequest, Result, SAID_AS,
};
use futures_util::future::join_all;
use serde_json::Value;
use std::{
    collections::VecDeque,
    future::{Future, poll_fn},
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// How long the agents of a pipeline that was interrupted may take to end. Each has a shorter grace of its own.
const GRACE: Duration = Duration::from_secs(10);

/// What a pipeline does with a request. Everything else, being an agent, is the same for all, see [`pipeline_agent`].
pub(crate) trait Flow: Clone + Send + Sync + 'static {
    fn frame(&self) -> &Frame;

    /// The agents that hear what the pipeline hears.
    fn parts(&self) -> Vec<Arc<dyn Agent>>;

    fn run(self, asked: Asked, stage: Stage) -> impl Future<Output = Result<Arc<Msg>>> + Send;
}

/// Who a pipeline is, as an agent.
#[derive(Clone)]
pub(crate) struct Frame {
    pub(crate) card: Arc<AgentCard>,
    pub(crate) mailbox: Mailbox,
    pub(crate) deadline: Option<Duration>,
    /// What it heard since its last reply, the newest last: its agents have heard it themselves, conditions look at it.
    heard: Arc<Mutex<VecDeque<Arc<Msg>>>>,
}

/// How much of what a pipeline hears its conditions can look at.
const HEARD: usize = 64;

impl Frame {
    /// A pipeline that has the name of who speaks for it.
    pub(crate) fn new(name: impl Into<Name>) -> Self {
        Self {
            card: Arc::new(AgentCard::new(name)),
            mailbox: Mailbox::new(),
            deadline: None,
            heard: Arc::default(),
        }
    }

    pub(crate) fn of(agent: Option<&Arc<dyn Agent>>, otherwise: &str) -> Self {
        Self::new(agent.map_or_else(|| otherwise.into(), |agent| agent.card().name.clone()))
    }

    pub(crate) fn card(&mut self) -> &mut AgentCard {
        Arc::make_mut(&mut self.card)
    }

    fn heard(&self) -> MutexGuard<'_, VecDeque<Arc<Msg>>> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hear(&self, msgs: &[Arc<Msg>]) {
        let mut heard = self.heard();
        heard.extend(msgs.iter().cloned());
        let too_many = heard.len().saturating_sub(HEARD);
        heard.drain(..too_many);
    }
}

/// What a pipeline is asked: messages, which may be none, and the schema of the output that is wanted of who speaks last.
#[derive(Clone, Default)]
pub(crate) struct Asked {
    pub(crate) msgs: Vec<Arc<Msg>>,
    pub(crate) schema: Option<Arc<Value>>,
    /// What the pipeline, and so each of its agents, has heard before.
    pub(crate) heard: Vec<Arc<Msg>>,
}

impl Asked {
    /// These messages and nothing else.
    pub(crate) fn only(msgs: Vec<Arc<Msg>>, schema: Option<Arc<Value>>) -> Self {
        Self { msgs, schema, heard: Vec::new() }
    }

    /// The same wish about another message.
    pub(crate) fn about(&self, msg: &Arc<Msg>) -> Self {
        Self::only(vec![said(msg)], self.schema.clone())
    }

    /// The same messages without the wish.
    pub(crate) fn plain(&self) -> Self {
        Self::only(self.msgs.clone(), None)
    }

    /// What this is about: what was asked, or else what was heard before.
    pub(crate) fn topic(&self) -> &[Arc<Msg>] {
        if self.msgs.is_empty() { &self.heard } else { &self.msgs }
    }

    /// What a condition looks at: the last message, asked or heard; an empty one if there is none.
    pub(crate) fn last(&self) -> Arc<Msg> {
        self.topic().last().cloned().unwrap_or_else(|| Arc::new(Msg::user("")))
    }

    /// What a function form is asked.
    pub(crate) async fn of(input: Input) -> Result<Self> {
        match ReplyRequest::from(input).resolve().await?.input {
            Input::Continue => Ok(Self::default()),
            Input::Messages(items) => {
                let msgs = items.into_iter().filter_map(|item| match item {
                    Item::Msg(msg) => Some(msg),
                    _ => None,
                });
                Ok(Self::only(msgs.collect(), None))
            }
            _ => {
                let message =
                    "a pipeline takes messages: give decisions and results to the agent that waits for them";
                Err(Error::new(ErrorKind::InvalidInput, message))
            }
        }
    }
}

/// The names of agents that others call by name.
///
/// # Errors
/// [`ErrorKind::InvalidInput`] where two have the same.
pub(crate) fn names_of(agents: &[Arc<dyn Agent>]) -> Result<Vec<Name>> {
    let mut names: Vec<Name> = Vec::with_capacity(agents.len());
    for agent in agents {
        let name = &agent.card().name;
        if names.contains(name) {
            let message = format!(
                "two agents are called `{name}`, and nobody could tell them apart: give each its own name"
            );
            return Err(Error::new(ErrorKind::InvalidInput, message));
        }
        names.push(name.clone());
    }
    Ok(names)
}

/// What leaves an agent for the next one.
pub(crate) fn said(msg: &Arc<Msg>) -> Arc<Msg> {
    Arc::new(msg.spoken())
}

/// Where the agents of a pipeline do their work: in its context, seen by who watches it.
#[derive(Clone)]
pub(crate) struct Stage {
    pub(crate) cx: Context,
    /// What happened and was not shown yet; `None` where nobody watches.
    shown: Option<Arc<Mutex<Vec<EventKind>>>>,
}

impl Stage {
    /// Where nobody watches: the function forms.
    pub(crate) fn unseen(frame: &Frame) -> Self {
        let cx = Context::current();
        let cx = if let Some(time) = frame.deadline { cx.with_deadline(time) } else { cx };
        Self { cx, shown: None }
    }

    /// The same, stopped by `cx` instead.
    pub(crate) fn within(&self, cx: Context) -> Self {
        Self { cx, shown: self.shown.clone() }
    }

    /// Asks an agent, and waits for its reply.
    ///
    /// # Errors
    /// Why the agent failed, naming it; anything if the pipeline is interrupted, because then it goes no further.
    pub(crate) async fn ask(&self, agent: &Arc<dyn Agent>, asked: Asked) -> Result<Arc<Msg>> {
        self.go_on()?;
        // Not `Input::Continue`, even where there is nothing: that would take up a reply which waits for its user.
        let input = Input::Messages(asked.msgs.into_iter().map(Item::Msg).collect());
        let mut req = ReplyRequest::from(input);
        req.output_schema = asked.schema;
        let name = &agent.card().name;
        let failed = |error: Error| error.context(format_args!("`{name}`"));
        let mut errand = Errand::new(Arc::clone(agent), req, self.cx.clone());
        while let Some(event) = errand.next().await {
            self.show(agent, event.map_err(failed)?);
        }
        self.go_on()?;
        let missing = || failed(Error::new(ErrorKind::Protocol, "the stream ended before the reply did"));
        errand.into_msg().map(Arc::new).ok_or_else(missing)
    }

    /// # Errors
    /// If the pipeline was interrupted.
    pub(crate) fn go_on(&self) -> Result<()> {
        match self.cx.interrupt().is_triggered() {
            true => Err(interrupted()),
            false => Ok(()),
        }
    }

    /// Waits for something that is no agent's work, as long as the pipeline may.
    ///
    /// # Errors
    /// If it was interrupted, or its time is over.
    pub(crate) async fn wait<T>(&self, work: impl Future<Output = T>) -> Result<T> {
        let over = async {
            match self.cx.time_left() {
                Some(time) => tokio::time::sleep(time).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            done = work => Ok(done),
            () = self.cx.interrupt().triggered() => self.go_on().and_then(|()| Err(interrupted())),
            () = over => Err(Error::new(ErrorKind::Timeout, "the deadline passed before the pipeline was done")),
        }
    }

    fn show(&self, agent: &Arc<dyn Agent>, event: agentscope_core::Event) {
        let Some(shown) = &self.shown else { return };
        let (agent, name) = (agent.card().id.clone(), agent.card().name.clone());
        let inner = EventKind::Inner { agent, name, call_id: CallId::default(), event: Box::new(event) };
        shown.lock().unwrap_or_else(PoisonError::into_inner).push(inner);
    }

    fn take_shown(&self) -> Vec<EventKind> {
        let shown = self.shown.as_ref();
        shown.map_or_else(Vec::new, |shown| {
            std::mem::take(&mut *shown.lock().unwrap_or_else(PoisonError::into_inner))
        })
    }
}

fn interrupted() -> Error {
    Error::new(ErrorKind::Refused, "the pipeline was interrupted")
}

/// Runs a flow as a function.
pub(crate) fn run_unseen<F: Flow>(flow: F, input: Input) -> BoxFuture<'static, Result<Msg>> {
    Box::pin(async move {
        let stage = Stage::unseen(flow.frame());
        let asked = stage.wait(Asked::of(input)).await??;
        flow.run(asked, stage).await.map(Arc::unwrap_or_clone)
    })
}

/// Runs a flow as the reply of an agent.
pub(crate) fn call<F: Flow>(flow: &F, req: ReplyRequest, mut cx: Context) -> EventStream {
    let frame = flow.frame();
    if let Some(time) = frame.deadline {
        cx = cx.with_deadline(time);
    }
    match cx.enter(&frame.card.id, &frame.mailbox.session()) {
        Err(error) => EventStream::fail(error),
        Ok(cx) => {
            let flow = flow.clone();
            EventStream::spawn(cx, move |sink, cx| {
                let queued = flow.frame().mailbox.queue(req);
                drive(flow, queued, cx, sink)
            })
        }
    }
}

async fn drive<F: Flow>(flow: F, queued: Queued, cx: Context, sink: EventSink) -> Result<()> {
    let schema = queued.request().output_schema.clone();
    let mut turn = match queued.open(&flow.frame().card.name, 0, &cx, sink).await? {
        Opened::Turn(turn) => turn,
        Opened::Aborted(turn) => return turn.end(Finish::Interrupted, None).await,
        Opened::Left => return Ok(()),
    };
    let heard = flow.frame().heard().drain(..).collect();
    let asked = Asked { msgs: turn.heard(), schema, heard };
    let stage = Stage { cx: cx.clone(), shown: Some(Arc::default()) };
    let result = {
        let mut running = pin!(flow.run(asked, stage.clone()));
        let shown = poll_fn(|task| {
            let polled = running.as_mut().poll(task);
            stage.take_shown().into_iter().for_each(|kind| turn.emit(kind));
            polled
        });
        tokio::select! {
            biased;
            result = shown => Some(result),
            () = patience(&cx) => None,
        }
    };
    turn.forget();
    let finish = match result {
        Some(Ok(msg)) => {
            let spoken = msg.spoken();
            spoken.content.into_iter().for_each(|block| turn.emit(EventKind::Block { block }));
            if let Some(value) = spoken.output {
                turn.emit(EventKind::Output { value });
            }
            let mut metadata = spoken.metadata;
            // Who has heard it of the agent that said it need not hear it again.
            if !metadata.contains_key(SAID_AS) {
                metadata.insert(SAID_AS.to_owned(), spoken.id.to_string().into());
            }
            turn.set_metadata(metadata);
            match spoken.finish {
                Some(Finish::ExceedMaxIters) => Finish::ExceedMaxIters,
                _ => Finish::Completed,
            }
        }
        Some(Err(error)) if !cx.interrupt().is_triggered() => {
            return turn.end(Finish::Failed((&error).into()), Some(error)).await;
        }
        Some(Err(_)) | None => Finish::Interrupted,
    };
    let (finish, error) = turn.finish_of(&cx, finish);
    turn.end(finish, error).await
}

/// Ends when those who were interrupted have had their time to end.
pub(crate) async fn patience(cx: &Context) {
    cx.interrupt().triggered().await;
    tokio::time::sleep(GRACE).await;
}

/// Lets all agents of a pipeline hear. Who fails to keeps nothing from the others.
pub(crate) fn observe<F: Flow>(flow: &F, msgs: Vec<Arc<Msg>>) -> BoxFuture<'static, Result<()>> {
    let (agents, frame) = (flow.parts(), flow.frame().clone());
    Box::pin(async move {
        frame.hear(&msgs);
        let heard = join_all(agents.iter().map(|agent| agent.observe(msgs.clone()))).await;
        for (agent, heard) in agents.iter().zip(heard) {
            heard.map_err(|error| error.context(format_args!("`{}`", agent.card().name)))?;
        }
        Ok(())
    })
}

/// Makes a [`Flow`] an agent, with the options that all have.
macro_rules! pipeline_agent {
    ($flow:ident) => {
        impl $flow {
            /// Called this, by people and other agents.
            #[must_use]
            pub fn named(mut self, name: impl Into<agentscope_core::Name>) -> Self {
                self.frame.card().name = name.into();
                self
            }

            /// What it is for, in a sentence: for other agents.
            #[must_use]
            pub fn describe(mut self, description: impl Into<String>) -> Self {
                self.frame.card().description = description.into();
                self
            }

            /// Its id, the same after a restart and on every node; a new one by default.
            #[must_use]
            pub fn id(mut self, id: impl Into<agentscope_core::AgentId>) -> Self {
                self.frame.card().id = id.into();
                self
            }

            /// Fails with [`ErrorKind::Timeout`](agentscope_core::ErrorKind::Timeout) where a reply takes longer than this.
            #[must_use]
            pub fn deadline(mut self, time: std::time::Duration) -> Self {
                self.frame.deadline = Some(time);
                self
            }
        }

        impl agentscope_core::Agent for $flow {
            fn card(&self) -> &agentscope_core::AgentCard {
                &self.frame.card
            }

            fn call(
                &self,
                req: agentscope_core::ReplyRequest,
                cx: agentscope_core::Context,
            ) -> agentscope_core::EventStream {
                crate::pipeline::call(self, req, cx)
            }

            fn observe(
                &self,
                msgs: Vec<std::sync::Arc<agentscope_core::Msg>>,
            ) -> agentscope_core::BoxFuture<'static, agentscope_core::Result<()>> {
                crate::pipeline::observe(self, msgs)
            }

            fn audience(&self) -> Option<agentscope_core::Audience> {
                Some(self.frame.mailbox.audience())
            }
        }

        impl std::fmt::Debug for $flow {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($flow)).field("card", &self.frame.card).finish_non_exhaustive()
            }
        }
    };
}

pub(crate) use pipeline_agent;
