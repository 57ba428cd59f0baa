use super::{Asked, Flow, Frame, Stage, pipeline_agent, run_unseen};
use agentscope_core::{Agent, Agents, BoxFuture, Error, ErrorKind, Input, Msg, Result};
use std::sync::Arc;

/// One agent after the other: the first one is asked, each next one is told what the one before it said, the last one speaks
/// for all and gives the pipeline its name.
///
/// ```
/// use agentscope_agent::Sequential;
/// use agentscope_core::{AgentExt, Msg, agent_fn};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let double = agent_fn("Double", |msgs, _| async move { Ok(Msg::assistant("Double", msgs[0].text().repeat(2))) });
/// let shout = agent_fn("Shout", |msgs, _| async move { Ok(Msg::assistant("Shout", msgs[0].text().to_uppercase())) });
/// let both = Sequential::new((&double, &shout));
/// assert_eq!(both.reply("ha").await?.text(), "HAHA");
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Sequential {
    frame: Frame,
    agents: Arc<[Arc<dyn Agent>]>,
}

pipeline_agent!(Sequential);

impl Sequential {
    /// These agents, in this order. A pipeline of none fails when it is asked, with [`ErrorKind::InvalidInput`].
    pub fn new(agents: impl Agents) -> Self {
        let agents = agents.agents();
        Self { frame: Frame::of(agents.last(), "Sequential"), agents: agents.into() }
    }
}

impl Flow for Sequential {
    fn frame(&self) -> &Frame {
        &self.frame
    }

    fn parts(&self) -> Vec<Arc<dyn Agent>> {
        self.agents.to_vec()
    }

    async fn run(self, mut asked: Asked, stage: Stage) -> Result<Arc<Msg>> {
        let Some((last, before)) = self.agents.split_last() else {
            let message = "a sequential pipeline without agents cannot reply: give it at least one";
            return Err(Error::new(ErrorKind::InvalidInput, message));
        };
        for agent in before {
            let reply = stage.ask(agent, asked.plain()).await?;
            asked = asked.about(&reply);
        }
        stage.ask(last, asked).await
    }
}

/// Asks one agent after the other, as [`Sequential`] does, and gives the reply of the last one.
///
/// # Errors
/// Why one of them failed, naming it; the next ones are not asked then.
///
/// ```
/// use agentscope_agent::sequential;
/// use agentscope_core::{Msg, agent_fn};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let double = agent_fn("Double", |msgs, _| async move { Ok(Msg::assistant("Double", msgs[0].text().repeat(2))) });
/// let shout = agent_fn("Shout", |msgs, _| async move { Ok(Msg::assistant("Shout", msgs[0].text().to_uppercase())) });
/// let said = sequential((&double, &shout), "ha").await?;
/// assert_eq!((said.name.as_str(), said.text().as_str()), ("Shout", "HAHA"));
/// # Ok(()) }
/// ```
pub fn sequential(agents: impl Agents, input: impl Into<Input>) -> BoxFuture<'static, Result<Msg>> {
    run_unseen(Sequential::new(agents), input.into())
}
