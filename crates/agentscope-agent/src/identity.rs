//! Who an agent is and where its conversations are kept: what all agents of this crate share.

use agentscope_core::{
    AgentCard, AgentState, Host, Limits, Mailbox, ModelCard, Msg, Name, Result, Role, SessionKey, StateStore,
};
use std::sync::Arc;

/// Who an agent is and where its conversations are kept.
#[derive(Clone)]
pub(crate) struct Identity {
    pub(crate) card: AgentCard,
    pub(crate) limits: Limits,
    pub(crate) store: Option<Arc<dyn StateStore>>,
}

impl Identity {
    pub(crate) fn new(name: impl Into<Name>) -> Self {
        Self { card: AgentCard::new(name), limits: Limits::default(), store: None }
    }

    /// The conversation `key`, which is this agent's own where the key names none.
    pub(crate) fn session(&self, mut key: SessionKey) -> Mailbox {
        if key.agent.is_empty() {
            key.agent = self.card.name.clone();
        }
        Mailbox::open_session(key, self.store.clone()).limits(self.limits)
    }

    /// The conversation `state` in memory.
    pub(crate) fn resumed(&self, state: AgentState) -> Mailbox {
        Mailbox::resumed(state).limits(self.limits)
    }

    /// The conversation `state` of an agent that is created on `host`: kept in its store if there is one and the conversation is new or
    /// known to it, and in memory otherwise.
    pub(crate) async fn taken_up(&mut self, state: AgentState, host: &Host) -> Result<Mailbox> {
        let Some(store) = host.find_store() else { return Ok(self.resumed(state)) };
        self.store = Some(Arc::clone(&store));
        let is_new = AgentState::new(state.key.clone()) == state;
        let mut key = state.key.clone();
        if key.agent.is_empty() {
            key.agent = self.card.name.clone();
        }
        let is_known = is_new || store.load(&key).await?.is_some();
        Ok(if is_known { self.session(key) } else { self.resumed(state) })
    }
}

/// The name by which a host finds a model: its line of configuration, or its name where it has none.
pub(crate) fn found_by(card: &ModelCard) -> String {
    if card.spec.is_empty() { card.name.to_string() } else { card.spec.clone() }
}

/// Whether the agent `name` said this in reply, before its open one.
pub(crate) fn is_own_reply(msg: &Msg, name: &Name) -> bool {
    msg.role == Role::Assistant && msg.name == *name && msg.finish.is_some()
}

/// The fields that the configurations of all agents have, with those of one type. All but the required ones may be left out.
macro_rules! agent_config {
    (
        $(#[$meta:meta])*
        $config:ident {
            required: { $($(#[$required_meta:meta])* $required:ident: $required_type:ty,)* }
            optional: { $($(#[$optional_meta:meta])* $optional:ident: $optional_type:ty,)* }
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        #[serde(deny_unknown_fields)]
        #[non_exhaustive]
        pub struct $config {
            /// What it is called.
            pub name: String,
            /// Its id; a new one if none is given.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub id: Option<String>,
            /// What it is for, in a sentence: for other agents.
            #[serde(default, skip_serializing_if = "String::is_empty")]
            pub description: String,
            /// How much each conversation may hold.
            #[serde(default, skip_serializing_if = "crate::identity::is_default")]
            pub limits: agentscope_core::Limits,
            $($(#[$required_meta])* pub $required: $required_type,)*
            $(
                $(#[$optional_meta])*
                #[serde(default, skip_serializing_if = "crate::identity::is_default")]
                pub $optional: $optional_type,
            )*
        }

        impl $config {
            /// Who is configured by it.
            fn identity(&self) -> crate::identity::Identity {
                let mut card = agentscope_core::AgentCard::new(self.name.as_str()).describe(self.description.as_str());
                if let Some(id) = &self.id {
                    card = card.id(id.as_str());
                }
                crate::identity::Identity { card, limits: self.limits, store: None }
            }
        }
    };
}
pub(crate) use agent_config;

/// Whether a field may be left out.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// The options of an agent with a `config` whose `identity` is an [`Identity`], and a `mailbox`. `$they` is what it is called in
/// the documentation.
macro_rules! conversation {
    ($agent:ident, $they:literal) => {
        impl $agent {
            #[doc = concat!("What the ", $they, " is for, in a sentence: for other agents.")]
            #[must_use]
            pub fn describe(self, description: impl Into<String>) -> Self {
                self.with(|config| config.identity.card.description = description.into())
            }

            /// The id, the same after a restart and on every node; a new one by default.
            #[must_use]
            pub fn id(self, id: impl Into<agentscope_core::AgentId>) -> Self {
                self.with(|config| config.identity.card.id = id.into())
            }

            /// How much each conversation may hold, and how long it waits for its store.
            #[must_use]
            pub fn limits(mut self, limits: agentscope_core::Limits) -> Self {
                self.mailbox = self.mailbox.limits(limits);
                self.with(|config| config.identity.limits = limits)
            }

            /// Keeps conversations in `store`: each step is saved before the next one, and after a crash
            /// [`agentscope_core::Input::Continue`] goes on where it was.
            #[must_use]
            pub fn store(self, store: impl agentscope_core::StateStore) -> Self {
                let key = self.mailbox.key().clone();
                self.with(|config| config.identity.store = Some(std::sync::Arc::new(store))).session(key)
            }

            #[doc = concat!("The same ", $they, " in the conversation `key`, which is kept in the store if there is one. The key's agent is")]
            /// this one's name where it is empty.
            ///
            /// Keep what it gives for as long as the conversation is in use: without a store, a second call with the same key begins
            /// another conversation; with one, two that work at the same time meet as [`agentscope_core::ErrorKind::Conflict`].
            #[must_use]
            pub fn session(&self, key: impl Into<agentscope_core::SessionKey>) -> Self {
                self.in_mailbox(self.config.identity.session(key.into()))
            }

            #[doc = concat!("The same ", $they, ", going on from `state` in memory.")]
            #[must_use]
            pub fn resumed(&self, state: agentscope_core::AgentState) -> Self {
                self.in_mailbox(self.config.identity.resumed(state))
            }

            /// The state when no reply runs: what is needed to go on elsewhere, with [`resumed`](Self::resumed).
            ///
            /// # Errors
            /// Where the store cannot be read.
            pub async fn snapshot(&self) -> agentscope_core::Result<agentscope_core::AgentState> {
                self.mailbox.snapshot().await
            }

            /// The conversation.
            pub fn mailbox(&self) -> &agentscope_core::Mailbox {
                &self.mailbox
            }
        }

        impl std::fmt::Debug for $agent {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($agent))
                    .field("card", &self.config.identity.card)
                    .field("mailbox", &self.mailbox)
                    .finish_non_exhaustive()
            }
        }
    };
}
pub(crate) use conversation;
