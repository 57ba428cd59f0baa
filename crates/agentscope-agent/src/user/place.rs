use super::{Config, UserAgent};
use crate::identity::agent_config;
use agentscope_core::{AgentState, BoxFuture, Error, ErrorKind, Host, Place, Result};

agent_config! {
    /// What a [`UserAgent`] at the terminal is made of, as data.
    ///
    /// ```
    /// use agentscope_agent::UserConfig;
    /// let config: UserConfig = serde_json::from_str(r#"{"name": "Bob"}"#)?;
    /// assert_eq!(config.name, "Bob");
    /// # Ok::<_, serde_json::Error>(())
    /// ```
    UserConfig {
        required: {}
        optional: {
            /// How often they are asked for structured output.
            tries: Option<u32>,
            /// Whether their answers may name files of this machine.
            local_files: bool,
        }
    }
}

/// Only people at the terminal can be created elsewhere: other inputs are functions and channels.
impl Place for UserAgent {
    const TYPE: &'static str = "UserAgent";
    type Config = UserConfig;

    fn config(&self) -> Result<UserConfig> {
        let Config { identity, tries, local_files, is_terminal, .. } = &*self.config;
        let card = &identity.card;
        if !is_terminal {
            let message = format!(
                "the input of `{}` is no terminal, and has no name by which another place could find it: leave them where they are, \
                 and call them from there",
                card.name
            );
            return Err(Error::new(ErrorKind::InvalidInput, message));
        }
        Ok(UserConfig {
            name: card.name.to_string(),
            id: Some(card.id.to_string()),
            description: card.description.clone(),
            limits: identity.limits,
            tries: Some(*tries),
            local_files: *local_files,
        })
    }

    fn snapshot(&self) -> BoxFuture<'_, Result<AgentState>> {
        Box::pin(self.mailbox.snapshot())
    }

    fn create(config: UserConfig, state: AgentState, host: Host) -> BoxFuture<'static, Result<Self>> {
        Box::pin(async move {
            let mut identity = config.identity();
            let mailbox = identity.taken_up(state, &host).await?;
            let user = Self::terminal(config.name).with(|it| {
                it.identity = identity;
                it.local_files = config.local_files;
                it.tries = config.tries.map_or(it.tries, |tries| tries.max(1));
            });
            Ok(user.in_mailbox(mailbox))
        })
    }
}
