use super::{Asked, Flow, Frame, Stage, patience, pipeline_agent};
use agentscope_core::{Agent, Agents, BoxFuture, Error, ErrorKind, Input, Msg, Name, Reason, Result, Role};
use futures_util::{StreamExt, stream};
use std::{pin::pin, sync::Arc};

type Join = Arc<dyn Fn(Vec<Result<Msg>>) -> Result<Msg> + Send + Sync>;

/// Several agents, each asked the same, at the same time.
///
/// The first failure stops the others, waits for their ends, and is the result; or failures are
/// [collected](Self::collect_failures). As an agent it says what all said, after the name of each, or what
/// [`join`](Self::join) makes of it; [`all`](Self::all) gives all replies.
///
/// ```
/// use agentscope_agent::Fanout;
/// use agentscope_core::{AgentExt, Msg, agent_fn};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let oslo = agent_fn("Oslo", |_, _| async { Ok(Msg::assistant("Oslo", "sunny")) });
/// let bergen = agent_fn("Bergen", |_, _| async { Ok(Msg::assistant("Bergen", "rain")) });
/// let weather = Fanout::new((&oslo, &bergen));
/// assert_eq!(weather.reply("How is it?").await?.text(), "Oslo: sunny\nBergen: rain");
///
/// let worst = weather.join(|replies| replies.into_iter().last().unwrap());
/// assert_eq!(worst.reply("How is it?").await?.text(), "rain");
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Fanout {
    frame: Frame,
    agents: Arc<[Arc<dyn Agent>]>,
    limit: usize,
    collect: bool,
    join: Join,
}

pipeline_agent!(Fanout);

impl Fanout {
    /// These agents. A fan-out to none fails when it is asked, with [`ErrorKind::InvalidInput`].
    pub fn new(agents: impl Agents) -> Self {
        let agents: Arc<[_]> = agents.agents().into();
        let names: Vec<_> = agents.iter().map(|agent| agent.card().name.clone()).collect();
        Self {
            frame: Frame::new("Fanout"),
            limit: agents.len(),
            agents,
            collect: false,
            join: Arc::new(move |replies| in_turn(&names, replies)),
        }
    }

    /// At most so many at the same time (all); at least one.
    #[must_use]
    pub fn concurrency(mut self, limit: usize) -> Self {
        self.limit = limit.max(1);
        self
    }

    /// One after the other.
    #[must_use]
    pub fn one_by_one(self) -> Self {
        self.concurrency(1)
    }

    /// Lets the others go on where one fails: its failure stands in its place.
    #[must_use]
    pub fn collect_failures(mut self) -> Self {
        self.collect = true;
        self
    }

    /// Says, as an agent, what this makes of the replies, which are in the order of the agents. There are failures among them
    /// only where they are [collected](Self::collect_failures).
    #[must_use]
    pub fn join(mut self, join: impl Fn(Vec<Result<Msg>>) -> Result<Msg> + Send + Sync + 'static) -> Self {
        self.join = Arc::new(join);
        self
    }

    /// All replies, in the order of the agents.
    ///
    /// # Errors
    /// The first failure, unless failures are [collected](Self::collect_failures); [`ErrorKind::InvalidInput`] without agents.
    pub fn all(&self, input: impl Into<Input>) -> BoxFuture<'static, Result<Vec<Result<Msg>>>> {
        let (this, input) = (self.clone(), input.into());
        Box::pin(async move {
            let stage = Stage::unseen(&this.frame);
            let asked = stage.wait(Asked::of(input)).await??;
            this.replies(asked, stage).await
        })
    }

    pub(super) async fn replies(self, asked: Asked, stage: Stage) -> Result<Vec<Result<Msg>>> {
        if self.agents.is_empty() {
            let message = "a fan-out without agents cannot reply: give it at least one";
            return Err(Error::new(ErrorKind::InvalidInput, message));
        }
        let stop = stage.cx.interrupt().child();
        let stopped = stage.cx.clone().with_interrupt(stop.clone());
        let inner = stage.within(stopped.clone());
        let mut each = Vec::with_capacity(self.agents.len());
        for (at, agent) in self.agents.iter().cloned().enumerate() {
            let (inner, asked) = (inner.clone(), asked.clone());
            each.push(async move { (at, inner.ask(&agent, asked).await.map(Arc::unwrap_or_clone)) });
        }
        let mut running = stream::iter(each).buffer_unordered(self.limit);
        let mut patience = pin!(patience(&stopped));
        let (mut replies, mut failed) = (Vec::with_capacity(self.agents.len()), None);
        loop {
            let next = tokio::select! {
                biased;
                next = running.next() => next,
                () = &mut patience => None,
            };
            let Some((at, reply)) = next else { break };
            if let (Err(error), None, false) = (&reply, &failed, self.collect) {
                failed = Some(error.clone());
                stop.trigger(Reason::Other("another agent of the fan-out failed".into()));
            }
            replies.push((at, reply));
        }
        stage.go_on()?;
        if let Some(error) = failed {
            return Err(error);
        }
        replies.sort_by_key(|(at, _)| *at);
        Ok(replies.into_iter().map(|(_, reply)| reply).collect())
    }
}

impl Flow for Fanout {
    fn frame(&self) -> &Frame {
        &self.frame
    }

    fn parts(&self) -> Vec<Arc<dyn Agent>> {
        self.agents.to_vec()
    }

    async fn run(self, asked: Asked, stage: Stage) -> Result<Arc<Msg>> {
        let join = Arc::clone(&self.join);
        let replies = self.replies(asked, stage).await?;
        join(replies).map(Arc::new)
    }
}

/// What each said, after its name; an error if all failed.
fn in_turn(names: &[Name], replies: Vec<Result<Msg>>) -> Result<Msg> {
    if replies.iter().all(Result::is_err)
        && let Some(Err(error)) = replies.first()
    {
        return Err(error.clone());
    }
    let mut all = Msg::new("Fanout", Role::Assistant, Vec::new());
    for (name, reply) in names.iter().zip(replies) {
        match reply {
            Err(error) => all = all.with(format!("{name} failed: {error}")),
            Ok(msg) => {
                let spoken = msg.spoken();
                all = all.with(format!("{name}: {}", spoken.text()));
                all.content.extend(spoken.content.into_iter().filter(|block| block.media().is_some()));
            }
        }
    }
    Ok(all)
}

/// Asks several agents the same at the same time, as [`Fanout`] does, and gives all replies, in the order of the agents.
///
/// # Errors
/// The first failure, naming the agent; the others are stopped, and have ended then.
///
/// ```
/// use agentscope_agent::fanout;
/// use agentscope_core::{Msg, agent_fn};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let oslo = agent_fn("Oslo", |_, _| async { Ok(Msg::assistant("Oslo", "sunny")) });
/// let bergen = agent_fn("Bergen", |_, _| async { Ok(Msg::assistant("Bergen", "rain")) });
/// let replies = fanout((&oslo, &bergen), "How is it?").await?;
/// assert_eq!(replies[1].text(), "rain");
/// # Ok(()) }
/// ```
pub fn fanout(agents: impl Agents, input: impl Into<Input>) -> BoxFuture<'static, Result<Vec<Msg>>> {
    let replies = Fanout::new(agents).all(input);
    Box::pin(async move { replies.await?.into_iter().collect() })
}
