//! The agent that talks: a model and a prompt, and no tools.

use crate::{
    ReActAgent,
    identity::{agent_config, conversation, found_by},
    onion, react,
};
use agentscope_core::{
    Agent, AgentCard, AgentState, Audience, BoxFuture, ChatModel, Context, EventStream, Host, Mailbox,
    Middleware, ModelOptions, Msg, Name, Place, ReplyRequest, Result,
};
use std::{sync::Arc, time::Duration};

/// An agent that talks, as AgentScope 0.x has it: a name, a model and a prompt, and no tools. It is a [`ReActAgent`] whose one
/// thought is its reply.
///
/// ```
/// use agentscope_agent::DialogAgent;
/// use agentscope_core::{AgentExt, ScriptedModel, testing::say};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let model = ScriptedModel::new([say("Hello, Alice."), say("You are Alice.")]);
/// let friday = DialogAgent::new("Friday", model).prompt("You're a helpful assistant named Friday.");
/// friday.reply("I am Alice.").await?;
/// assert_eq!(friday.reply("Who am I?").await?.text(), "You are Alice.");
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct DialogAgent {
    config: Arc<react::Config>,
    mailbox: Mailbox,
}

impl DialogAgent {
    /// An agent called `name` that talks with the words of `model`.
    pub fn new(name: impl Into<Name>, model: impl ChatModel) -> Self {
        Self::of(ReActAgent::new(name, model))
    }

    /// Who it is and how it shall behave: the system prompt.
    #[must_use]
    pub fn prompt(self, prompt: impl Into<String>) -> Self {
        self.with(|config| config.prompt = prompt.into())
    }

    /// How the model shall answer.
    #[must_use]
    pub fn options(self, options: ModelOptions) -> Self {
        self.with(|config| config.options = options)
    }

    /// Whether it remembers what was said before (it does). One that does not answers only what it heard since its last reply.
    #[must_use]
    pub fn use_memory(self, use_memory: bool) -> Self {
        self.with(|config| config.use_memory = use_memory)
    }

    /// How long the model may say nothing, before or within an answer (10 min); then the reply fails with
    /// [`agentscope_core::ErrorKind::Timeout`].
    #[must_use]
    pub fn model_timeout(self, limit: Duration) -> Self {
        self.with(|config| config.model_timeout = limit)
    }

    /// Puts a middleware around its work, inside those that were added before.
    #[must_use]
    pub fn layer(self, layer: impl Middleware) -> Self {
        Self::of(self.into_react().layer(layer))
    }

    fn of(ReActAgent { config, mailbox }: ReActAgent) -> Self {
        Self { config, mailbox }
    }

    fn into_react(self) -> ReActAgent {
        ReActAgent { config: self.config, mailbox: self.mailbox }
    }

    fn with(self, change: impl FnOnce(&mut react::Config)) -> Self {
        Self::of(self.into_react().with(change))
    }

    fn in_mailbox(&self, mailbox: Mailbox) -> Self {
        Self { config: Arc::clone(&self.config), mailbox }
    }
}

conversation!(DialogAgent, "agent");

impl Agent for DialogAgent {
    fn card(&self) -> &AgentCard {
        &self.config.identity.card
    }

    fn call(&self, req: ReplyRequest, cx: Context) -> EventStream {
        self.clone().into_react().call(req, cx)
    }

    fn observe(&self, msgs: Vec<Arc<Msg>>) -> BoxFuture<'static, Result<()>> {
        self.mailbox.observe(msgs)
    }

    fn audience(&self) -> Option<Audience> {
        Some(self.mailbox.audience())
    }
}

agent_config! {
    /// What a [`DialogAgent`] is made of, as data.
    ///
    /// ```
    /// use agentscope_agent::DialogConfig;
    ///
    /// let config: DialogConfig = serde_json::from_str(r#"{"name": "Friday", "sys_prompt": "Be brief.", "model": "ollama:qwen3"}"#)?;
    /// assert_eq!((config.prompt.as_str(), config.use_memory), ("Be brief.", None));
    /// # Ok::<_, serde_json::Error>(())
    /// ```
    DialogConfig {
        required: {
            /// The model with whose words it talks, by name or spec.
            #[serde(alias = "model_config_name")]
            model: String,
        }
        optional: {
            /// The system prompt.
            #[serde(alias = "sys_prompt")]
            prompt: String,
            /// Whether it remembers what was said before (it does).
            use_memory: Option<bool>,
            /// How the model shall answer.
            #[schemars(with = "agentscope_core::Map")]
            options: ModelOptions,
            /// The middleware around its work, the outermost first.
            middleware: Vec<String>,
            /// Milliseconds that the model may say nothing.
            model_timeout_ms: Option<u64>,
        }
    }
}

impl Place for DialogAgent {
    const TYPE: &'static str = "DialogAgent";
    type Config = DialogConfig;

    fn config(&self) -> Result<DialogConfig> {
        let data = self.config.data();
        Ok(DialogConfig {
            name: data.name,
            id: data.id,
            description: data.description,
            limits: data.limits,
            model: found_by(self.config.model.card()),
            prompt: data.prompt,
            use_memory: Some(self.config.use_memory),
            options: data.options,
            middleware: data.middleware,
            model_timeout_ms: data.model_timeout_ms,
        })
    }

    fn snapshot(&self) -> BoxFuture<'_, Result<AgentState>> {
        Box::pin(self.mailbox.snapshot())
    }

    fn create(config: DialogConfig, state: AgentState, host: Host) -> BoxFuture<'static, Result<Self>> {
        Box::pin(async move {
            let mut identity = config.identity();
            let mailbox = identity.taken_up(state, &host).await?;
            let layers = onion::found(&host, &config.middleware)?;
            let agent = Self::new(config.name, host.find_model(&config.model)?);
            let agent = agent.with(|it| {
                it.identity = identity;
                it.layers = layers;
                it.prompt = config.prompt;
                it.options = config.options;
                it.use_memory = config.use_memory.unwrap_or(it.use_memory);
                it.model_timeout = config.model_timeout_ms.map_or(it.model_timeout, Duration::from_millis);
            });
            Ok(agent.in_mailbox(mailbox))
        })
    }
}
