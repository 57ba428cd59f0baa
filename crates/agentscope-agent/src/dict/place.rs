use super::DictDialogAgent;
use crate::{
    ParserConfig,
    identity::{agent_config, found_by},
    onion,
    react::millis,
};
use agentscope_core::{AgentState, BoxFuture, Error, ErrorKind, Host, ModelOptions, Place, Result};
use std::time::Duration;

agent_config! {
    /// What a [`DictDialogAgent`] is made of, as data.
    ///
    /// ```
    /// use agentscope_agent::DictDialogConfig;
    ///
    /// let config: DictDialogConfig = serde_json::from_str(
    ///     r#"{"name": "Bob", "model": "ollama:qwen3", "parser": {"type": "markdown_json_dict", "keys_to_content": "speak"}}"#,
    /// )?;
    /// assert_eq!(config.max_retries, None);
    /// # Ok::<_, serde_json::Error>(())
    /// ```
    DictDialogConfig {
        required: {
            /// The model that answers, by name or spec.
            #[serde(alias = "model_config_name")]
            model: String,
        }
        optional: {
            /// The system prompt.
            #[serde(alias = "sys_prompt")]
            prompt: String,
            /// In which form it answers; a JSON object if it is not said.
            parser: ParserConfig,
            /// How often the model is told what is wrong with its answer.
            max_retries: Option<u32>,
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

impl Place for DictDialogAgent {
    const TYPE: &'static str = "DictDialogAgent";
    type Config = DictDialogConfig;

    fn config(&self) -> Result<DictDialogConfig> {
        let config = &*self.config;
        let card = &config.identity.card;
        let unnamed = |what: &str, advice: &str| {
            let message = format!(
                "the {what} of `{}` is a function, which has no name by which another place could find it: {advice}",
                card.name
            );
            Error::new(ErrorKind::InvalidInput, message)
        };
        let Some(parser) = config.parser.config() else {
            return Err(unnamed("parser", "use one of the parsers that are data, or give yours a `config`"));
        };
        if config.fault_handler.is_some() {
            return Err(unnamed("fault handler", "leave it out, and handle the error of the reply"));
        }
        Ok(DictDialogConfig {
            name: card.name.to_string(),
            id: Some(card.id.to_string()),
            description: card.description.clone(),
            limits: config.identity.limits,
            model: found_by(config.model.card()),
            prompt: config.prompt.clone(),
            parser,
            max_retries: Some(config.max_retries),
            use_memory: Some(config.use_memory),
            options: config.options.clone(),
            middleware: config.layers.iter().map(|layer| layer.name().to_owned()).collect(),
            model_timeout_ms: Some(millis(config.model_timeout)),
        })
    }

    fn snapshot(&self) -> BoxFuture<'_, Result<AgentState>> {
        Box::pin(self.mailbox.snapshot())
    }

    fn create(config: DictDialogConfig, state: AgentState, host: Host) -> BoxFuture<'static, Result<Self>> {
        Box::pin(async move {
            let mut identity = config.identity();
            let mailbox = identity.taken_up(state, &host).await?;
            let layers = onion::found(&host, &config.middleware)?;
            let agent = Self::new(config.name, host.find_model(&config.model)?);
            let agent = agent.with(|it| {
                it.identity = identity;
                it.layers = layers;
                it.prompt = config.prompt;
                it.parser = config.parser.parser();
                it.max_retries = config.max_retries.unwrap_or(it.max_retries);
                it.use_memory = config.use_memory.unwrap_or(it.use_memory);
                it.options = config.options;
                it.model_timeout = config.model_timeout_ms.map_or(it.model_timeout, Duration::from_millis);
            });
            Ok(agent.in_mailbox(mailbox))
        })
    }
}
