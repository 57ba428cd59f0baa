use super::{Config, ReActAgent};
use crate::{
    identity::{agent_config, found_by},
    onion,
};
use agentscope_core::{AgentState, BoxFuture, Host, ModelOptions, Name, Place, Result};
use std::time::Duration;

agent_config! {
    /// What a [`ReActAgent`] is made of, as data. Models, tools, toolsets and middleware are named, and found on the host.
    ///
    /// ```
    /// use agentscope_agent::{ReActAgent, ReActConfig};
    /// use agentscope_core::{AgentExt, AgentState, Host, Place, ScriptedModel, testing::say};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
    /// let config: ReActConfig = serde_json::from_str(r#"{"name": "Friday", "model": "scripted", "prompt": "Be brief."}"#)?;
    /// let host = Host::new().model(ScriptedModel::new([say("Hello.")]));
    /// let friday = ReActAgent::create(config.clone(), AgentState::default(), host).await?;
    /// assert_eq!(friday.reply("hi").await?.text(), "Hello.");
    /// assert_eq!(friday.config()?.prompt, config.prompt);
    /// # Ok(()) }
    /// ```
    ReActConfig {
        required: {
            /// The model with which it thinks, by name or spec.
            #[serde(alias = "model_config_name")]
            model: String,
        }
        optional: {
            /// The system prompt.
            #[serde(alias = "sys_prompt")]
            prompt: String,
            /// How the model shall answer.
            #[schemars(with = "agentscope_core::Map")]
            options: ModelOptions,
            /// Its tools.
            tools: Vec<String>,
            /// Its toolsets.
            toolsets: Vec<String>,
            /// The middleware around its work, the outermost first.
            middleware: Vec<String>,
            /// The tools that run without asking.
            allowed: Vec<String>,
            /// How often the model is asked for one reply.
            max_iters: Option<u32>,
            /// Milliseconds that a tool has to end by itself when it was told to stop.
            grace_ms: Option<u64>,
            /// Milliseconds that a tool may run whose spec says nothing of it.
            tool_timeout_ms: Option<u64>,
            /// Milliseconds that the model may say nothing.
            model_timeout_ms: Option<u64>,
        }
    }
}

impl Place for ReActAgent {
    const TYPE: &'static str = "ReActAgent";
    type Config = ReActConfig;

    fn config(&self) -> Result<ReActConfig> {
        Ok(self.config.data())
    }

    fn snapshot(&self) -> BoxFuture<'_, Result<AgentState>> {
        Box::pin(self.mailbox.snapshot())
    }

    fn create(config: ReActConfig, state: AgentState, host: Host) -> BoxFuture<'static, Result<Self>> {
        Box::pin(async move {
            let mut identity = config.identity();
            let mailbox = identity.taken_up(state, &host).await?;
            let layers = onion::found(&host, &config.middleware)?;
            let mut agent = Self::new(config.name, host.find_model(&config.model)?);
            for name in &config.tools {
                agent = agent.tool(host.find_tool(name)?);
            }
            for name in &config.toolsets {
                agent = agent.toolset(host.find_toolset(name)?);
            }
            let agent = agent.with(|it| {
                it.identity = identity;
                it.layers = layers;
                it.prompt = config.prompt;
                it.options = config.options;
                it.allowed = config.allowed.into_iter().map(Name::from).collect();
                it.max_iters = config.max_iters.map_or(it.max_iters, |count| count.max(1));
                it.grace = config.grace_ms.map_or(it.grace, Duration::from_millis);
                it.tool_timeout = config.tool_timeout_ms.map_or(it.tool_timeout, Duration::from_millis);
                it.model_timeout = config.model_timeout_ms.map_or(it.model_timeout, Duration::from_millis);
            });
            Ok(agent.in_mailbox(mailbox))
        })
    }
}

impl Config {
    pub(crate) fn data(&self) -> ReActConfig {
        let card = &self.identity.card;
        ReActConfig {
            name: card.name.to_string(),
            id: Some(card.id.to_string()),
            description: card.description.clone(),
            limits: self.identity.limits,
            model: found_by(self.model.card()),
            prompt: self.prompt.clone(),
            options: self.options.clone(),
            tools: self.tools.iter().map(|tool| tool.spec().name.to_string()).collect(),
            toolsets: self.toolsets.iter().map(|toolset| toolset.name().to_owned()).collect(),
            middleware: self.layers.iter().map(|layer| layer.name().to_owned()).collect(),
            allowed: self.allowed.iter().map(ToString::to_string).collect(),
            max_iters: Some(self.max_iters),
            grace_ms: Some(millis(self.grace)),
            tool_timeout_ms: Some(millis(self.tool_timeout)),
            model_timeout_ms: Some(millis(self.model_timeout)),
        }
    }
}

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
