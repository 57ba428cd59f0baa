use super::{Host, Place, meant};
use crate::{
    agent::Agent,
    error::{Error, ErrorKind, Result},
    state::AgentState,
};
use futures_core::future::BoxFuture;
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc};

/// The types of agents that a program can create by name: from a configuration file, or because another machine asks for it.
///
/// ```
/// use agentscope_core::{
///     Agent, AgentCard, AgentExt, AgentState, AgentTypes, BoxFuture, Context, EventStream, FnAgent, Host, Msg, Place,
///     ReplyRequest, Result, agent_fn,
/// };
/// use std::sync::Arc;
///
/// /// Says what it was made to say.
/// struct Sayer { agent: FnAgent, words: String }
///
/// impl Agent for Sayer {
///     fn card(&self) -> &AgentCard { self.agent.card() }
///     fn call(&self, req: ReplyRequest, cx: Context) -> EventStream { self.agent.call(req, cx) }
///     fn observe(&self, msgs: Vec<Arc<Msg>>) -> BoxFuture<'static, Result<()>> { self.agent.observe(msgs) }
/// }
///
/// impl Place for Sayer {
///     const TYPE: &'static str = "Sayer";
///     type Config = String;
///
///     fn config(&self) -> Result<String> { Ok(self.words.clone()) }
///     fn snapshot(&self) -> BoxFuture<'_, Result<AgentState>> { Box::pin(async { Ok(AgentState::default()) }) }
///     fn create(words: String, _: AgentState, _: Host) -> BoxFuture<'static, Result<Self>> {
///         let said = words.clone();
///         let agent = agent_fn("Sayer", move |_, _| { let msg = Msg::assistant("Sayer", &*said); async { Ok(msg) } });
///         Box::pin(async { Ok(Self { agent, words }) })
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let types = AgentTypes::new().register::<Sayer>();
/// let sayer = types.create("Sayer", "hello".into(), AgentState::default(), Host::new()).await?;
/// assert_eq!(sayer.reply("hi").await?.text(), "hello");
///
/// let error = types.create("Sayr", "hello".into(), AgentState::default(), Host::new()).await.err().unwrap();
/// assert_eq!(error.message(), "no type of agent is called `Sayr` (do you mean `Sayer`?): there is Sayer");
/// # Ok(()) }
/// ```
#[derive(Clone, Default)]
pub struct AgentTypes(BTreeMap<&'static str, Type>);

#[derive(Clone, Copy)]
struct Type {
    create: fn(Value, AgentState, Host) -> BoxFuture<'static, Result<Arc<dyn Agent>>>,
    schema: fn() -> Value,
}

impl AgentTypes {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// With a further type, by its [`Place::TYPE`]. One of the same name is replaced.
    #[must_use]
    pub fn register<A: Place>(mut self) -> Self {
        let create = |config: Value, state, host| -> BoxFuture<'static, Result<Arc<dyn Agent>>> {
            Box::pin(async move {
                let config = serde_json::from_value(config).map_err(|error| {
                    let message =
                        format!("the configuration of a `{}` is not as it has to be: {error}", A::TYPE);
                    Error::new(ErrorKind::InvalidInput, message).with_source(error)
                })?;
                Ok(Arc::new(A::create(config, state, host).await?) as Arc<dyn Agent>)
            })
        };
        let schema = || schemars::schema_for!(A::Config).into();
        self.0.insert(A::TYPE, Type { create, schema });
        self
    }

    /// The names, in alphabetical order.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &'static str> + '_ {
        self.0.keys().copied()
    }

    /// The JSON schema of the configuration of a type.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is no such type, with what was meant and what there is.
    pub fn schema(&self, name: &str) -> Result<Value> {
        Ok((self.find(name)?.schema)())
    }

    /// Creates an agent of the type `name` on `host`, which goes on from `state`.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is no such type, with what was meant and what there is;
    /// [`ErrorKind::InvalidInput`] if `config` is not what the type is made of; those of [`Place::create`].
    pub fn create(
        &self,
        name: &str,
        config: Value,
        state: AgentState,
        host: Host,
    ) -> BoxFuture<'static, Result<Arc<dyn Agent>>> {
        match self.find(name) {
            Ok(found) => (found.create)(config, state, host),
            Err(error) => Box::pin(async { Err(error) }),
        }
    }

    fn find(&self, name: &str) -> Result<Type> {
        self.0.get(name).copied().ok_or_else(|| {
            let names: Vec<&str> = self.names().collect();
            let there = if names.is_empty() {
                "none yet, `.register::<T>()` adds one".to_owned()
            } else {
                names.join(", ")
            };
            let hint = meant(name, names);
            Error::new(
                ErrorKind::NotFound,
                format!("no type of agent is called `{name}`{hint}: there is {there}"),
            )
        })
    }
}

impl std::fmt::Debug for AgentTypes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}
