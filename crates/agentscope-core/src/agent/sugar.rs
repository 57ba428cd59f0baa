use super::{Agent, Input, Lease, ReplyRef, ReplyRequest};
use crate::{
    context::Context,
    error::{Error, ErrorKind, Result},
    interrupt::Interrupt,
    message::Msg,
    stream::EventStream,
};
use futures_core::future::BoxFuture;
use futures_util::FutureExt;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::{future::IntoFuture, marker::PhantomData, sync::Arc, time::Duration};

/// How every agent is asked, `dyn` ones included.
///
/// ```
/// use agentscope_core::{Agent, AgentExt, Msg, agent_fn};
/// use std::sync::Arc;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let echo: Arc<dyn Agent> =
///     Arc::new(agent_fn("Echo", |msgs, _| async move { Ok(Msg::assistant("Echo", msgs[0].text())) }));
/// let draft = echo.reply("hi").start();          // returns at once
/// let verdict = echo.reply(&draft).await?;       // takes the draft when it is there
/// assert_eq!(verdict.text(), "hi");
/// # Ok(()) }
/// ```
pub trait AgentExt: Agent {
    /// Asks. Await it for the message, [`stream`](Reply::stream) it for the events, [`start`](Reply::start) it to let it run.
    fn reply(&self, input: impl Into<Input>) -> Reply<'_, Self, Msg> {
        Reply {
            agent: self,
            req: ReplyRequest::from(input.into()),
            cx: Context::current(),
            stop: None,
            deadline: None,
            detached: false,
            output: PhantomData,
        }
    }
}

impl<A: Agent + ?Sized> AgentExt for A {}

/// A request that is being made.
///
/// ```
/// use agentscope_core::{AgentExt, Interrupt, Msg, agent_fn};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let echo = agent_fn("Echo", |msgs, _| async move { Ok(Msg::assistant("Echo", msgs[0].text())) });
/// let stop = Interrupt::new();
/// let reply = echo.reply("hi").interrupt(&stop).deadline(Duration::from_secs(60));
/// assert_eq!(reply.await?.text(), "hi");
/// # Ok(()) }
/// ```
#[must_use = "a reply does nothing until it is awaited, streamed or started"]
pub struct Reply<'a, A: ?Sized, T> {
    agent: &'a A,
    req: ReplyRequest,
    cx: Context,
    stop: Option<Interrupt>,
    deadline: Option<Duration>,
    detached: bool,
    output: PhantomData<fn() -> T>,
}

/// Marks a [`Reply`] that gives a `T` when awaited.
///
/// ```
/// use agentscope_core::{AgentExt, Msg, agent_fn};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let adder = agent_fn("Adder", |msgs, _| async move {
///     let mut msg = Msg::assistant("Adder", "done");
///     msg.output = Some(msgs[0].text().split('+').filter_map(|it| it.parse::<u32>().ok()).sum::<u32>().into());
///     Ok(msg)
/// });
/// assert_eq!(adder.reply("17+23").typed::<u32>().await?, 40);
/// # Ok(()) }
/// ```
pub struct Typed<T>(PhantomData<T>);

impl<'a, A: Agent + ?Sized, T> Reply<'a, A, T> {
    /// The events, as they happen.
    pub fn stream(self) -> EventStream {
        let mut cx = self.cx;
        if let Some(stop) = self.stop {
            let both = cx.interrupt().joined(&stop);
            cx = cx.with_interrupt(both);
        }
        if let Some(time) = self.deadline {
            cx = cx.with_deadline(time);
        }
        let stream = self.agent.call(self.req, cx);
        if self.detached { stream.detach() } else { stream }
    }

    /// Lets it run, and gives a handle that can be passed on. Must be called in a tokio runtime.
    pub fn start(self) -> RunningReply {
        RunningReply::new(self.stream())
    }

    /// Stopped by `interrupt` too.
    pub fn interrupt(mut self, interrupt: &Interrupt) -> Self {
        self.stop = Some(match self.stop {
            Some(stop) => stop.joined(interrupt),
            None => interrupt.clone(),
        });
        self
    }

    /// Fails with [`ErrorKind::Timeout`] if it is not over in `time`.
    pub fn deadline(mut self, time: Duration) -> Self {
        self.deadline = Some(self.deadline.map_or(time, |earlier| earlier.min(time)));
        self
    }

    /// In this context instead of the current one.
    pub fn within(mut self, cx: &Context) -> Self {
        self.cx = cx.clone();
        self
    }

    /// Independent of the reply in which it is made, and not interrupted when it is dropped.
    pub fn detached(mut self) -> Self {
        self.cx = Context::new();
        self.detached = true;
        self
    }

    /// Asks for structured output that fits this JSON schema, which may be made at run time: the names of those who are still
    /// in the game. It is in [`Msg::output`] of what comes.
    ///
    /// ```
    /// use agentscope_core::{Agent, AgentExt, Msg, agent_fn};
    /// use serde_json::json;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
    /// let voter = agent_fn("Voter", |_, _| async {
    ///     let mut msg = Msg::assistant("Voter", "Bob, I think.");
    ///     msg.output = Some(json!({"vote": "Bob"}));
    ///     Ok(msg)
    /// });
    /// let schema = json!({"type": "object", "properties": {"vote": {"enum": ["Alice", "Bob"]}}, "required": ["vote"]});
    /// assert_eq!(voter.reply("Who was it?").schema(schema).await?.output.unwrap()["vote"], "Bob");
    /// # Ok(()) }
    /// ```
    pub fn schema(mut self, schema: impl Into<Arc<Value>>) -> Self {
        self.req.output_schema = Some(schema.into());
        self
    }

    /// Asks for a `U`, of which the agent is told the JSON schema.
    ///
    /// # Errors
    /// When awaited: [`ErrorKind::Refused`] if the agent gave none.
    pub fn typed<U: DeserializeOwned + JsonSchema>(mut self) -> Reply<'a, A, Typed<U>> {
        self.req.output_schema = Some(Arc::new(schemars::schema_for!(U).into()));
        Reply {
            agent: self.agent,
            req: self.req,
            cx: self.cx,
            stop: self.stop,
            deadline: self.deadline,
            detached: self.detached,
            output: PhantomData,
        }
    }
}

impl<A: Agent + ?Sized> IntoFuture for Reply<'_, A, Msg> {
    type Output = Result<Msg>;
    type IntoFuture = BoxFuture<'static, Result<Msg>>;

    fn into_future(self) -> Self::IntoFuture {
        self.stream().into_future()
    }
}

impl<A: Agent + ?Sized, T: DeserializeOwned + Send + 'static> IntoFuture for Reply<'_, A, Typed<T>> {
    type Output = Result<T>;
    type IntoFuture = BoxFuture<'static, Result<T>>;

    fn into_future(self) -> Self::IntoFuture {
        let (name, msg) = (self.agent.card().name.clone(), self.stream().into_future());
        Box::pin(async move {
            let mut msg = msg.await?;
            msg.name = name; // an error names who was asked
            msg.output_as()
        })
    }
}

/// A reply that runs, and can be passed on before it is there. Clones are the same reply; when the last one is dropped, the
/// reply is interrupted.
///
/// ```
/// use agentscope_core::{AgentExt, Msg, agent_fn};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let echo = agent_fn("Echo", |msgs, _| async move { Ok(Msg::assistant("Echo", msgs[0].text())) });
/// let running = echo.reply("hi").start();
/// let again = running.clone();
/// assert_eq!(running.await?.id, again.await?.id, "one reply, awaited twice");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct RunningReply {
    reference: ReplyRef,
}

impl RunningReply {
    fn new(stream: EventStream) -> Self {
        let stream = stream.unread().start();
        let reply_id = stream.reply_id().clone();
        let message = stream.shared_message().boxed().shared();
        Self { reference: ReplyRef { node: None, reply_id, lease: Some(Lease(message)) } }
    }

    /// What is passed on in its place.
    pub fn reference(&self) -> ReplyRef {
        self.reference.clone()
    }

    async fn message(self) -> Result<Arc<Msg>> {
        match &self.reference.lease {
            Some(lease) => lease.message().await,
            None => Err(Error::new(ErrorKind::Internal, "a running reply without its lease")),
        }
    }
}

impl IntoFuture for RunningReply {
    type Output = Result<Arc<Msg>>;
    type IntoFuture = BoxFuture<'static, Result<Arc<Msg>>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.message())
    }
}

impl IntoFuture for &RunningReply {
    type Output = Result<Arc<Msg>>;
    type IntoFuture = BoxFuture<'static, Result<Arc<Msg>>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.clone().message())
    }
}
