use super::{Asked, Flow, Frame, Stage, pipeline_agent, run_unseen};
use agentscope_core::{Agent, BoxFuture, Error, ErrorKind, Finish, Input, Msg, Result};
use std::sync::Arc;

/// How often a loop goes round at most, if nothing else is said.
const MAX_ROUNDS: u32 = 100;

type Until = Arc<dyn Fn(&Msg) -> bool + Send + Sync>;
type While = Arc<dyn Fn(u32, &Msg) -> bool + Send + Sync>;

/// An agent that is told what it said, a number of times, or until it has said what is waited for.
///
/// ```
/// use agentscope_agent::ForLoop;
/// use agentscope_core::{AgentExt, Msg, agent_fn};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let double = agent_fn("Double", |msgs, _| async move { Ok(Msg::assistant("Double", msgs[0].text().repeat(2))) });
/// assert_eq!(ForLoop::new(&double, 3).reply("ha").await?.text(), "hahahahahahahaha");
/// assert_eq!(ForLoop::new(&double, 3).until(|msg| msg.text().len() > 4).reply("ha").await?.text(), "hahahaha");
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct ForLoop {
    frame: Frame,
    body: Arc<dyn Agent>,
    rounds: u32,
    until: Option<Until>,
}

pipeline_agent!(ForLoop);

impl ForLoop {
    /// `body`, `rounds` times; what came in is what comes out of 0 rounds.
    pub fn new(body: &(impl Agent + Clone), rounds: u32) -> Self {
        let body: Arc<dyn Agent> = Arc::new(body.clone());
        Self { frame: Frame::of(Some(&body), "ForLoop"), body, rounds, until: None }
    }

    /// Only until this holds of what was said.
    #[must_use]
    pub fn until(mut self, done: impl Fn(&Msg) -> bool + Send + Sync + 'static) -> Self {
        self.until = Some(Arc::new(done));
        self
    }
}

impl Flow for ForLoop {
    fn frame(&self) -> &Frame {
        &self.frame
    }

    fn parts(&self) -> Vec<Arc<dyn Agent>> {
        vec![Arc::clone(&self.body)]
    }

    async fn run(self, mut asked: Asked, stage: Stage) -> Result<Arc<Msg>> {
        let mut last = asked.msgs.last().cloned();
        for _ in 0..self.rounds {
            let reply = stage.ask(&self.body, asked.clone()).await?;
            asked = asked.about(&reply);
            if self.until.as_ref().is_some_and(|until| until(&reply)) {
                return Ok(reply);
            }
            last = Some(reply);
        }
        last.ok_or_else(nothing)
    }
}

/// Asks an agent about what it said, as [`ForLoop`] does.
///
/// # Errors
/// Why the agent failed, naming it.
///
/// ```
/// use agentscope_agent::for_loop;
/// use agentscope_core::{Msg, agent_fn};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let double = agent_fn("Double", |msgs, _| async move { Ok(Msg::assistant("Double", msgs[0].text().repeat(2))) });
/// assert_eq!(for_loop(&double, 2, "ha").await?.text(), "hahahaha");
/// # Ok(()) }
/// ```
pub fn for_loop(
    body: &(impl Agent + Clone),
    rounds: u32,
    input: impl Into<Input>,
) -> BoxFuture<'static, Result<Msg>> {
    run_unseen(ForLoop::new(body, rounds), input.into())
}

/// An agent that is told what it said as long as a condition holds of the number of rounds that are done and of the last
/// message (at first the one that came in, an empty one if none did).
///
/// Where the condition still holds after the [most rounds](Self::max_rounds), the last message is the result, with
/// [`Finish::ExceedMaxIters`].
///
/// ```
/// use agentscope_agent::WhileLoop;
/// use agentscope_core::{AgentExt, Finish, Msg, agent_fn};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let double = agent_fn("Double", |msgs, _| async move { Ok(Msg::assistant("Double", msgs[0].text().repeat(2))) });
/// let short = WhileLoop::new(|_round, msg: &Msg| msg.text().len() < 10, &double);
/// assert_eq!(short.reply("ha").await?.text(), "hahahahahahahaha");
/// let endless = WhileLoop::new(|_, _: &Msg| true, &double).max_rounds(2);
/// assert_eq!(endless.reply("ha").await?.finish, Some(Finish::ExceedMaxIters));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct WhileLoop {
    frame: Frame,
    condition: While,
    body: Arc<dyn Agent>,
    max_rounds: u32,
}

pipeline_agent!(WhileLoop);

impl WhileLoop {
    /// `body`, as long as the condition holds.
    pub fn new(
        condition: impl Fn(u32, &Msg) -> bool + Send + Sync + 'static,
        body: &(impl Agent + Clone),
    ) -> Self {
        let body: Arc<dyn Agent> = Arc::new(body.clone());
        let frame = Frame::of(Some(&body), "WhileLoop");
        Self { frame, condition: Arc::new(condition), body, max_rounds: MAX_ROUNDS }
    }

    /// At most so often (100).
    #[must_use]
    pub fn max_rounds(mut self, max_rounds: u32) -> Self {
        self.max_rounds = max_rounds;
        self
    }
}

impl Flow for WhileLoop {
    fn frame(&self) -> &Frame {
        &self.frame
    }

    fn parts(&self) -> Vec<Arc<dyn Agent>> {
        vec![Arc::clone(&self.body)]
    }

    async fn run(self, mut asked: Asked, stage: Stage) -> Result<Arc<Msg>> {
        let mut last = asked.msgs.last().cloned();
        for round in 0.. {
            if !(self.condition)(round, &asked.last()) {
                break;
            }
            if round >= self.max_rounds {
                return last.map(exceeded).ok_or_else(nothing);
            }
            let reply = stage.ask(&self.body, asked.clone()).await?;
            asked = asked.about(&reply);
            last = Some(reply);
        }
        last.ok_or_else(nothing)
    }
}

/// Asks an agent about what it said as long as a condition holds, as [`WhileLoop`] does, at most 100 times.
///
/// # Errors
/// Why the agent failed, naming it.
///
/// ```
/// use agentscope_agent::while_loop;
/// use agentscope_core::{Msg, agent_fn};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let double = agent_fn("Double", |msgs, _| async move { Ok(Msg::assistant("Double", msgs[0].text().repeat(2))) });
/// assert_eq!(while_loop(|_, msg: &Msg| msg.text().len() < 4, &double, "ha").await?.text(), "haha");
/// # Ok(()) }
/// ```
pub fn while_loop(
    condition: impl Fn(u32, &Msg) -> bool + Send + Sync + 'static,
    body: &(impl Agent + Clone),
    input: impl Into<Input>,
) -> BoxFuture<'static, Result<Msg>> {
    run_unseen(WhileLoop::new(condition, body), input.into())
}

/// The rounds are used up.
pub(super) fn exceeded(mut msg: Arc<Msg>) -> Arc<Msg> {
    Arc::make_mut(&mut msg).finish = Some(Finish::ExceedMaxIters);
    msg
}

fn nothing() -> Error {
    let message = "the loop went no round and was told nothing, so it has nothing to say: give it a message, or a round";
    Error::new(ErrorKind::InvalidInput, message)
}
