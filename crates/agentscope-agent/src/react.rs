//! The agent that reasons and acts: a model, tools, and the loop between them.

mod act;
mod check;
mod drive;
mod equip;
mod output;
mod place;
mod reason;
mod run;

pub use place::ReActConfig;
pub(crate) use place::millis;

use crate::{
    AgentTool,
    answer::MODEL_TIMEOUT,
    identity::{Identity, conversation},
    onion::{self, Layers},
    schema::Validators,
};
use agentscope_core::{
    Agent, AgentCard, Audience, BoxFuture, ChatModel, Context, EventStream, Mailbox, Middleware,
    ModelOptions, Msg, Name, ReplyRequest, Result, Tool, Toolset,
};
use equip::Equipment;
use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

/// How often the model is asked for one reply, before it has to sum up.
const MAX_ITERS: u32 = 20;

/// How long a tool that was told to stop may go on, to end by itself.
const GRACE: Duration = Duration::from_secs(2);

/// How long a tool may run that says nothing of it.
const TOOL_TIMEOUT: Duration = Duration::from_secs(600);

/// An agent that reasons and acts (ReAct): it asks a model, runs the tools that the model calls, and asks again with their
/// results, until the model has said what it has to say.
///
/// What it needs is in `new`, the rest has defaults. A clone is the same agent; [`session`](Self::session) is the same agent in
/// another conversation. An agent that was never asked costs a few hundred bytes.
///
/// ```
/// use agentscope_agent::ReActAgent;
/// use agentscope_core::{AgentExt, ScriptedModel, testing::{call, say}, tool};
/// use serde_json::json;
///
/// /// Get the current weather of a city.
/// #[tool(read_only)]
/// async fn weather(
///     /// City name, in English.
///     city: String,
/// ) -> String {
///     format!("{city}: sunny")
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let model = ScriptedModel::new([call("c1", "weather", json!({"city": "Oslo"})), say("It is sunny in Oslo.")]);
/// let friday = ReActAgent::new("Friday", model).prompt("You're a helpful assistant named Friday.").tool(weather);
/// assert_eq!(friday.reply("How is the weather in Oslo?").await?.text(), "It is sunny in Oslo.");
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct ReActAgent {
    pub(crate) config: Arc<Config>,
    pub(crate) mailbox: Mailbox,
}

/// What all conversations of an agent share.
#[derive(Clone)]
pub(crate) struct Config {
    pub(crate) identity: Identity,
    pub(crate) prompt: String,
    pub(crate) model: Arc<dyn ChatModel>,
    pub(crate) options: ModelOptions,
    tools: Vec<Arc<dyn Tool>>,
    toolsets: Vec<Arc<dyn Toolset>>,
    pub(crate) layers: Layers,
    allowed: Vec<Name>,
    max_iters: u32,
    grace: Duration,
    tool_timeout: Duration,
    pub(crate) model_timeout: Duration,
    /// Whether it remembers what was said before it was asked.
    pub(crate) use_memory: bool,
    validators: Arc<Validators>,
    /// Made once where nothing changes it: no toolset, no middleware.
    fixed: OnceLock<Arc<Equipment>>,
}

impl ReActAgent {
    /// An agent called `name` that thinks with `model`.
    pub fn new(name: impl Into<Name>, model: impl ChatModel) -> Self {
        let config = Config {
            identity: Identity::new(name),
            prompt: String::new(),
            model: Arc::new(model),
            options: ModelOptions::default(),
            tools: Vec::new(),
            toolsets: Vec::new(),
            layers: Arc::new([]),
            allowed: Vec::new(),
            max_iters: MAX_ITERS,
            grace: GRACE,
            tool_timeout: TOOL_TIMEOUT,
            model_timeout: MODEL_TIMEOUT,
            use_memory: true,
            validators: Arc::default(),
            fixed: OnceLock::new(),
        };
        Self { config: Arc::new(config), mailbox: Mailbox::new() }
    }

    /// Who it is and how it shall behave: the system prompt.
    #[must_use]
    pub fn prompt(self, prompt: impl Into<String>) -> Self {
        self.with(|config| config.prompt = prompt.into())
    }

    /// Gives it a tool. A tool that is not read-only asks before it runs, see [`allow`](Self::allow).
    #[must_use]
    pub fn tool(self, tool: impl Tool) -> Self {
        self.with(|config| config.tools.push(Arc::new(tool)))
    }

    /// Gives it tools that are known only at run time.
    #[must_use]
    pub fn toolset(self, toolset: impl Toolset) -> Self {
        self.with(|config| config.toolsets.push(Arc::new(toolset)))
    }

    /// Gives it another agent to ask, as a tool that needs no approval; what the other agent does is seen as
    /// [`agentscope_core::EventKind::Inner`].
    #[must_use]
    pub fn agent(self, agent: impl Agent) -> Self {
        let tool = AgentTool::new(agent);
        let name = tool.spec().name.clone();
        self.tool(tool).allow(name)
    }

    /// Lets it run the tool `name` without asking.
    #[must_use]
    pub fn allow(self, name: impl Into<Name>) -> Self {
        self.with(|config| config.allowed.push(name.into()))
    }

    /// Puts a middleware around its work, inside those that were added before.
    #[must_use]
    pub fn layer(self, layer: impl Middleware) -> Self {
        let layer: Arc<dyn Middleware> = Arc::new(layer);
        self.with(|config| config.layers = config.layers.iter().cloned().chain([layer]).collect())
    }

    /// How the model shall answer.
    #[must_use]
    pub fn options(self, options: ModelOptions) -> Self {
        self.with(|config| config.options = options)
    }

    /// How often the model is asked for one reply (20), before it has to sum up; at least once.
    #[must_use]
    pub fn max_iters(self, max_iters: u32) -> Self {
        self.with(|config| config.max_iters = max_iters.max(1))
    }

    /// How long a tool that was told to stop may go on, to end by itself (2 s).
    #[must_use]
    pub fn grace(self, grace: Duration) -> Self {
        self.with(|config| config.grace = grace)
    }

    /// How long a tool may run whose spec says nothing of it (10 min).
    #[must_use]
    pub fn tool_timeout(self, limit: Duration) -> Self {
        self.with(|config| config.tool_timeout = limit)
    }

    /// How long the model may say nothing, before or within an answer (10 min); then the reply fails with
    /// [`agentscope_core::ErrorKind::Timeout`].
    #[must_use]
    pub fn model_timeout(self, limit: Duration) -> Self {
        self.with(|config| config.model_timeout = limit)
    }

    pub(crate) fn with(mut self, change: impl FnOnce(&mut Config)) -> Self {
        let config = Arc::make_mut(&mut self.config);
        config.fixed = OnceLock::new();
        change(config);
        self
    }

    fn in_mailbox(&self, mailbox: Mailbox) -> Self {
        Self { config: Arc::clone(&self.config), mailbox }
    }

    fn spawn(&self, req: ReplyRequest, cx: Context) -> EventStream {
        let this = self.clone();
        EventStream::spawn(cx, move |sink, cx| {
            let queued = this.mailbox.queue(req);
            this.drive(queued, cx, sink)
        })
    }
}

conversation!(ReActAgent, "agent");

impl Agent for ReActAgent {
    fn card(&self) -> &AgentCard {
        &self.config.identity.card
    }

    fn call(&self, req: ReplyRequest, cx: Context) -> EventStream {
        let cx = match cx.enter(&self.config.identity.card.id, &self.mailbox.session()) {
            Ok(cx) => cx,
            Err(error) => return EventStream::fail(error),
        };
        let this = self.clone();
        onion::reply(&self.config.layers, req, cx, move |req, cx| this.spawn(req, cx))
    }

    fn observe(&self, msgs: Vec<Arc<Msg>>) -> BoxFuture<'static, Result<()>> {
        self.mailbox.observe(msgs)
    }

    fn audience(&self) -> Option<Audience> {
        Some(self.mailbox.audience())
    }
}
