//! The agent that reasons and acts: a model, tools, and the loop between them.

mod act;
mod check;
mod drive;
mod equip;
mod output;
mod reason;
mod repair;
mod run;

use crate::{AgentTool, schema::Validators};
use agentscope_core::{
    Agent, AgentCard, AgentId, AgentState, Audience, BoxFuture, ChatModel, Context, EventStream, Limits,
    Mailbox, Middleware, ModelOptions, Msg, Name, Next, ReplyRequest, Result, SessionKey, StateStore, Tool,
    Toolset,
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

/// How long a model may say nothing.
const MODEL_TIMEOUT: Duration = Duration::from_secs(600);

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
    config: Arc<Config>,
    mailbox: Mailbox,
}

/// What all conversations of an agent share.
#[derive(Clone)]
struct Config {
    card: AgentCard,
    prompt: String,
    model: Arc<dyn ChatModel>,
    options: ModelOptions,
    tools: Vec<Arc<dyn Tool>>,
    toolsets: Vec<Arc<dyn Toolset>>,
    layers: Arc<[Arc<dyn Middleware>]>,
    allowed: Vec<Name>,
    max_iters: u32,
    grace: Duration,
    tool_timeout: Duration,
    model_timeout: Duration,
    limits: Limits,
    store: Option<Arc<dyn StateStore>>,
    validators: Arc<Validators>,
    /// Made once where nothing changes it: no toolset, no middleware.
    fixed: OnceLock<Arc<Equipment>>,
}

impl ReActAgent {
    /// An agent called `name` that thinks with `model`.
    pub fn new(name: impl Into<Name>, model: impl ChatModel) -> Self {
        let config = Config {
            card: AgentCard::new(name),
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
            limits: Limits::default(),
            store: None,
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

    /// What it is for, in a sentence: for other agents.
    #[must_use]
    pub fn describe(self, description: impl Into<String>) -> Self {
        self.with(|config| config.card.description = description.into())
    }

    /// Its id, the same after a restart and on every node; a new one by default.
    #[must_use]
    pub fn id(self, id: impl Into<AgentId>) -> Self {
        self.with(|config| config.card.id = id.into())
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

    /// How much each of its conversations may hold, and how long it waits for its store.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.mailbox = self.mailbox.limits(limits);
        self.with(|config| config.limits = limits)
    }

    /// Keeps its conversations in `store`: each step is saved before the next one, and after a crash
    /// [`agentscope_core::Input::Continue`] goes on where it was.
    #[must_use]
    pub fn store(self, store: impl StateStore) -> Self {
        let key = self.mailbox.key().clone();
        self.with(|config| config.store = Some(Arc::new(store))).session(key)
    }

    /// The same agent in the conversation `key`, which is kept in its store if it has one. The key's agent is this one's name
    /// where it is empty.
    ///
    /// Keep what it gives for as long as the conversation is in use: without a store, a second call with the same key begins
    /// another conversation; with one, two that work at the same time meet as [`agentscope_core::ErrorKind::Conflict`].
    #[must_use]
    pub fn session(&self, key: impl Into<SessionKey>) -> Self {
        let mut key = key.into();
        if key.agent.is_empty() {
            key.agent = self.config.card.name.clone();
        }
        let mailbox = Mailbox::open_session(key, self.config.store.clone()).limits(self.config.limits);
        Self { config: Arc::clone(&self.config), mailbox }
    }

    /// The same agent, going on from `state` in memory.
    #[must_use]
    pub fn resumed(&self, state: AgentState) -> Self {
        Self { config: Arc::clone(&self.config), mailbox: Mailbox::resumed(state).limits(self.config.limits) }
    }

    /// Its state when no reply runs: what it needs to go on elsewhere, with [`resumed`](Self::resumed).
    ///
    /// # Errors
    /// Where its store cannot be read.
    pub async fn snapshot(&self) -> Result<AgentState> {
        self.mailbox.snapshot().await
    }

    /// Its conversation.
    pub fn mailbox(&self) -> &Mailbox {
        &self.mailbox
    }

    fn with(mut self, change: impl FnOnce(&mut Config)) -> Self {
        let config = Arc::make_mut(&mut self.config);
        config.fixed = OnceLock::new();
        change(config);
        self
    }

    fn spawn(&self, req: ReplyRequest, cx: Context) -> EventStream {
        let this = self.clone();
        EventStream::spawn(cx, move |sink, cx| {
            let queued = this.mailbox.queue(req);
            this.drive(queued, cx, sink)
        })
    }
}

impl Agent for ReActAgent {
    fn card(&self) -> &AgentCard {
        &self.config.card
    }

    fn call(&self, req: ReplyRequest, cx: Context) -> EventStream {
        let cx = match cx.enter(&self.config.card.id, &self.mailbox.session()) {
            Ok(cx) => cx,
            Err(error) => return EventStream::fail(error),
        };
        if self.config.layers.is_empty() {
            return self.spawn(req, cx);
        }
        let this = self.clone();
        let onion = Next::new(
            Arc::clone(&self.config.layers),
            |layer, req, cx, next| layer.on_reply(req, cx, next),
            move |req, cx| this.spawn(req, cx),
        );
        onion.run(req, cx)
    }

    fn observe(&self, msgs: Vec<Arc<Msg>>) -> BoxFuture<'static, Result<()>> {
        self.mailbox.observe(msgs)
    }

    fn audience(&self) -> Option<Audience> {
        Some(self.mailbox.audience())
    }
}

impl std::fmt::Debug for ReActAgent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReActAgent")
            .field("card", &self.config.card)
            .field("mailbox", &self.mailbox)
            .finish_non_exhaustive()
    }
}
