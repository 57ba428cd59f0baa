use super::{Asked, Flow, Frame, Stage, pipeline_agent, run_unseen};
use agentscope_core::{Agent, BoxFuture, Error, ErrorKind, Input, Msg, Result};
use std::sync::Arc;

type Condition = Arc<dyn Fn(&Msg) -> bool + Send + Sync>;
type Key = Arc<dyn Fn(&Msg) -> String + Send + Sync>;

/// One of two agents, by a condition on the last message that comes in (an empty one if none does).
///
/// ```
/// use agentscope_agent::IfElse;
/// use agentscope_core::{AgentExt, Msg, agent_fn};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let guide = agent_fn("Guide", |_, _| async { Ok(Msg::assistant("Guide", "It is a question.")) });
/// let clerk = agent_fn("Clerk", |_, _| async { Ok(Msg::assistant("Clerk", "Noted.")) });
/// let desk = IfElse::new(|msg: &Msg| msg.text().ends_with('?'), &guide, &clerk);
/// assert_eq!(desk.reply("Where am I?").await?.text(), "It is a question.");
/// assert_eq!(desk.reply("I am here.").await?.text(), "Noted.");
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct IfElse {
    frame: Frame,
    condition: Condition,
    yes: Arc<dyn Agent>,
    no: Arc<dyn Agent>,
}

pipeline_agent!(IfElse);

impl IfElse {
    /// `yes` where the condition holds, `no` otherwise.
    pub fn new(
        condition: impl Fn(&Msg) -> bool + Send + Sync + 'static,
        yes: &(impl Agent + Clone),
        no: &(impl Agent + Clone),
    ) -> Self {
        Self {
            frame: Frame::new("IfElse"),
            condition: Arc::new(condition),
            yes: Arc::new(yes.clone()),
            no: Arc::new(no.clone()),
        }
    }
}

impl Flow for IfElse {
    fn frame(&self) -> &Frame {
        &self.frame
    }

    fn parts(&self) -> Vec<Arc<dyn Agent>> {
        vec![Arc::clone(&self.yes), Arc::clone(&self.no)]
    }

    async fn run(self, asked: Asked, stage: Stage) -> Result<Arc<Msg>> {
        let agent = if (self.condition)(&asked.last()) { &self.yes } else { &self.no };
        stage.ask(agent, asked).await
    }
}

/// Asks one of two agents, as [`IfElse`] does.
///
/// # Errors
/// Why it failed, naming it.
///
/// ```
/// use agentscope_agent::if_else;
/// use agentscope_core::{Msg, agent_fn};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let guide = agent_fn("Guide", |_, _| async { Ok(Msg::assistant("Guide", "It is a question.")) });
/// let clerk = agent_fn("Clerk", |_, _| async { Ok(Msg::assistant("Clerk", "Noted.")) });
/// let said = if_else(|msg: &Msg| msg.text().ends_with('?'), &guide, &clerk, "I am here.").await?;
/// assert_eq!(said.name.as_str(), "Clerk");
/// # Ok(()) }
/// ```
pub fn if_else(
    condition: impl Fn(&Msg) -> bool + Send + Sync + 'static,
    yes: &(impl Agent + Clone),
    no: &(impl Agent + Clone),
    input: impl Into<Input>,
) -> BoxFuture<'static, Result<Msg>> {
    run_unseen(IfElse::new(condition, yes, no), input.into())
}

/// One of many agents, by a key that is read from the last message that comes in (an empty one if none does).
///
/// ```
/// use agentscope_agent::Switch;
/// use agentscope_core::{AgentExt, Msg, agent_fn};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let sum = agent_fn("Sum", |_, _| async { Ok(Msg::assistant("Sum", "I add.")) });
/// let help = agent_fn("Help", |_, _| async { Ok(Msg::assistant("Help", "Say add or mul.")) });
/// let first_word = |msg: &Msg| msg.text().split(' ').next().unwrap_or_default().to_owned();
/// let desk = Switch::new(first_word).case("add", &sum).default(&help);
/// assert_eq!(desk.reply("add 1 2").await?.text(), "I add.");
/// assert_eq!(desk.reply("div 1 2").await?.text(), "Say add or mul.");
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Switch {
    frame: Frame,
    key: Key,
    cases: Vec<(String, Arc<dyn Agent>)>,
    default: Option<Arc<dyn Agent>>,
}

pipeline_agent!(Switch);

impl Switch {
    /// By this key; [`case`](Self::case) and [`default`](Self::default) say what is asked then.
    pub fn new(key: impl Fn(&Msg) -> String + Send + Sync + 'static) -> Self {
        Self { frame: Frame::new("Switch"), key: Arc::new(key), cases: Vec::new(), default: None }
    }

    /// `agent`, where the key is `key`. Of two cases with one key the first one counts.
    #[must_use]
    pub fn case(mut self, key: impl Into<String>, agent: &(impl Agent + Clone)) -> Self {
        self.cases.push((key.into(), Arc::new(agent.clone())));
        self
    }

    /// `agent`, where no case fits. Without one such a request fails with [`ErrorKind::NotFound`].
    #[must_use]
    pub fn default(mut self, agent: &(impl Agent + Clone)) -> Self {
        self.default = Some(Arc::new(agent.clone()));
        self
    }

    /// Whom to ask.
    fn choose(&self, key: &str) -> Result<&Arc<dyn Agent>> {
        let case = self.cases.iter().find(|(known, _)| known == key).map(|(_, agent)| agent);
        case.or(self.default.as_ref()).ok_or_else(|| {
            let keys: Vec<&str> = self.cases.iter().map(|(key, _)| key.as_str()).collect();
            let there = if keys.is_empty() { "none".to_owned() } else { keys.join(", ") };
            let message = format!("no case for `{key}`: there is {there}; add it, or give a default");
            Error::new(ErrorKind::NotFound, message)
        })
    }
}

impl Flow for Switch {
    fn frame(&self) -> &Frame {
        &self.frame
    }

    fn parts(&self) -> Vec<Arc<dyn Agent>> {
        self.cases.iter().map(|(_, agent)| agent).chain(&self.default).cloned().collect()
    }

    async fn run(self, asked: Asked, stage: Stage) -> Result<Arc<Msg>> {
        let agent = self.choose(&(self.key)(&asked.last()))?;
        stage.ask(agent, asked).await
    }
}

/// Asks one of many agents, as [`Switch`] does.
///
/// # Errors
/// [`ErrorKind::NotFound`] where no case fits and there is no default; why the agent failed, naming it.
///
/// ```
/// use agentscope_agent::{Switch, switch};
/// use agentscope_core::{Msg, agent_fn};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let yes = agent_fn("Yes", |_, _| async { Ok(Msg::assistant("Yes", "Yes!")) });
/// let no = agent_fn("No", |_, _| async { Ok(Msg::assistant("No", "No!")) });
/// let said = switch(Msg::text, [("yes", &yes), ("no", &no)], "no").await?;
/// assert_eq!(said.text(), "No!");
/// # Ok(()) }
/// ```
pub fn switch<'a, A: Agent + Clone>(
    key: impl Fn(&Msg) -> String + Send + Sync + 'static,
    cases: impl IntoIterator<Item = (&'a str, &'a A)>,
    input: impl Into<Input>,
) -> BoxFuture<'static, Result<Msg>> {
    let flow = cases.into_iter().fold(Switch::new(key), |flow, (key, agent)| flow.case(key, agent));
    run_unseen(flow, input.into())
}
