use super::{Asked, Flow, Frame, Stage, names_of, pipeline_agent, repeat::exceeded, run_unseen, said};
use agentscope_core::{
    Agent, Agents, BoxFuture, Context, Error, ErrorKind, Input, Msg, Result, Tool, ToolChunk, ToolRequest,
    ToolSpec, ToolState, ToolStream,
};
use futures_util::stream;
use serde_json::{Value, json};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// The tool by which an agent hands a conversation on.
const TOOL: &str = "transfer_to";

/// How often a request is handed on at most, if nothing else is said.
const MAX_HANDOFFS: u32 = 10;

/// Agents that hand a conversation on to each other: the first one is asked, and who calls the tool of [`transfer_to`] gives it
/// to another, with what was said. Who has the conversation is asked the next time, too.
///
/// After the [most handoffs](Self::max_handoffs) of one request the last reply is the result, with
/// [`Finish::ExceedMaxIters`](agentscope_core::Finish::ExceedMaxIters).
///
/// ```
/// use agentscope_agent::{Handoff, ReActAgent, transfer_to};
/// use agentscope_core::{AgentExt, ScriptedModel, testing::{call, say}};
/// use serde_json::json;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let refunds = ReActAgent::new("Refunds", ScriptedModel::new([say("You get it back."), say("Tomorrow.")]));
/// let to_refunds = call("c1", "transfer_to", json!({"agent": "Refunds", "brief": "wants 5 euro back"}));
/// let front = ReActAgent::new("Front", ScriptedModel::new([to_refunds, say("I pass you on.")])).tool(transfer_to(&refunds));
///
/// let desk = Handoff::new((&front, &refunds));
/// assert_eq!(desk.reply("I want my money back!").await?.text(), "You get it back.");
/// assert_eq!(desk.reply("When?").await?.text(), "Tomorrow.", "the conversation is with Refunds now");
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Handoff {
    frame: Frame,
    agents: Arc<[Arc<dyn Agent>]>,
    /// Who has the conversation.
    current: Arc<AtomicUsize>,
    max_handoffs: u32,
}

pipeline_agent!(Handoff);

impl Handoff {
    /// These agents, of which the first one begins and gives the pipeline its name.
    pub fn new(agents: impl Agents) -> Self {
        let agents: Arc<[_]> = agents.agents().into();
        let frame = Frame::of(agents.first(), "Handoff");
        Self { frame, agents, current: Arc::default(), max_handoffs: MAX_HANDOFFS }
    }

    /// How often one request is handed on at most (10).
    #[must_use]
    pub fn max_handoffs(mut self, max_handoffs: u32) -> Self {
        self.max_handoffs = max_handoffs;
        self
    }

    /// Who has the conversation; `None` where there are no agents.
    pub fn current(&self) -> Option<&Arc<dyn Agent>> {
        self.agents.get(self.current.load(Ordering::Relaxed))
    }
}

impl Flow for Handoff {
    fn frame(&self) -> &Frame {
        &self.frame
    }

    fn parts(&self) -> Vec<Arc<dyn Agent>> {
        self.agents.to_vec()
    }

    async fn run(self, asked: Asked, stage: Stage) -> Result<Arc<Msg>> {
        names_of(&self.agents)?;
        let request = asked.clone();
        let mut asked = asked;
        for handed in 0.. {
            let agent = self.current().ok_or_else(|| {
                let message = "a handoff without agents cannot reply: give it at least one";
                Error::new(ErrorKind::InvalidInput, message)
            })?;
            let reply = stage.ask(agent, asked).await?;
            let Some(transfer) = transfer(&reply) else { return Ok(reply) };
            let to = self.agents.iter().position(|agent| *agent.card().name == *transfer.agent);
            let to = to.ok_or_else(|| {
                let names: Vec<&str> = self.agents.iter().map(|agent| agent.card().name.as_str()).collect();
                let (from, to) = (&agent.card().name, &transfer.agent);
                let message = format!("`{from}` hands on to `{to}`, who is not among {}", names.join(", "));
                Error::new(ErrorKind::NotFound, message)
            })?;
            self.current.store(to, Ordering::Relaxed);
            if handed >= self.max_handoffs {
                return Ok(exceeded(reply));
            }
            let brief = Msg::user(transfer.brief).named(agent.card().name.clone());
            let mut msgs = request.msgs.clone();
            msgs.extend(Some(said(&reply)).filter(|said| !said.content.is_empty()));
            msgs.extend(Some(Arc::new(brief)).filter(|brief| !brief.text().is_empty()));
            asked = Asked::only(msgs, request.schema.clone());
        }
        Err(Error::new(ErrorKind::Internal, "more handoffs than can be counted"))
    }
}

/// To whom a conversation goes.
struct Transfer {
    agent: String,
    brief: String,
}

/// The last transfer in a reply that succeeded.
fn transfer(reply: &Msg) -> Option<Transfer> {
    let succeeded = |id| reply.results().any(|it| it.id == id && it.state == ToolState::Success);
    let call = reply.calls().filter(|call| call.name == TOOL && succeeded(call.id.clone())).last()?;
    let input: Value = serde_json::from_str(&call.input).ok()?;
    let text = |field: &str| input.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    Some(Transfer { agent: text("agent"), brief: text("brief") })
}

/// The tool `transfer_to`, by which an agent in a [`Handoff`] gives the conversation to one of these. The model is told their
/// descriptions.
///
/// ```
/// use agentscope_agent::transfer_to;
/// use agentscope_core::{Msg, Tool, agent_fn};
///
/// let sales = agent_fn("Sales", |_, _| async { Ok(Msg::assistant("Sales", "hi")) }).describe("Sells things.");
/// assert!(transfer_to(&sales).spec().description.contains("Sales: Sells things."));
/// ```
pub fn transfer_to(agents: impl Agents) -> impl Tool {
    let agents = agents.agents();
    let names: Vec<&str> = agents.iter().map(|agent| agent.card().name.as_str()).collect();
    let schema = json!({
        "type": "object",
        "properties": {
            "agent": {"type": "string", "enum": names, "description": "Who takes over."},
            "brief": {"type": "string", "description": "What they have to know."},
        },
        "required": ["agent", "brief"],
        "additionalProperties": false,
    });
    let mut description = "Hands the conversation on to somebody who can do more about it. Afterwards, say in a sentence to whom you \
                           pass it on, and no more. There are:"
        .to_owned();
    for agent in &agents {
        let card = agent.card();
        let what = if card.description.is_empty() { "" } else { ": " };
        description.push_str(&format!("\n- {}{what}{}", card.name, card.description));
    }
    TransferTo(Arc::new(ToolSpec::new(TOOL, description, schema).read_only()))
}

struct TransferTo(Arc<ToolSpec>);

impl Tool for TransferTo {
    fn spec(&self) -> Arc<ToolSpec> {
        Arc::clone(&self.0)
    }

    fn call(&self, req: ToolRequest, _: Context) -> ToolStream {
        let agent = req.input.get("agent").and_then(Value::as_str).unwrap_or_default();
        let told = format!("{agent} goes on with the conversation.");
        Box::pin(stream::iter([Ok(ToolChunk::from(vec![told.into()]))]))
    }
}

/// Asks agents that hand the request on to each other, as [`Handoff`] does, beginning with the first one.
///
/// # Errors
/// Why one of them failed, naming it; [`ErrorKind::NotFound`] where one hands on to somebody who is not among them.
///
/// ```
/// use agentscope_agent::{ReActAgent, handoff, transfer_to};
/// use agentscope_core::{Msg, ScriptedModel, agent_fn, testing::{call, say}};
/// use serde_json::json;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let sales = agent_fn("Sales", |_, _| async { Ok(Msg::assistant("Sales", "A dozen for you.")) });
/// let script = [call("c1", "transfer_to", json!({"agent": "Sales", "brief": "eggs"})), say("Sales will help.")];
/// let front = ReActAgent::new("Front", ScriptedModel::new(script)).tool(transfer_to(&sales));
/// assert_eq!(handoff((&front, &sales), "Eggs, please.").await?.name.as_str(), "Sales");
/// # Ok(()) }
/// ```
pub fn handoff(agents: impl Agents, input: impl Into<Input>) -> BoxFuture<'static, Result<Msg>> {
    run_unseen(Handoff::new(agents), input.into())
}
