//! Moving an agent: what has to be known of it to create it again elsewhere.

mod types;

pub use types::AgentTypes;

use crate::{
    agent::Agent,
    config::nearest,
    error::{Error, ErrorKind, Result},
    image::ImageModel,
    middleware::Middleware,
    model::{ChatModel, ModelCard},
    secret::Secret,
    state::{AgentState, StateStore},
    tool::{Tool, Toolset},
};
use futures_core::future::BoxFuture;
use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};
use std::{collections::BTreeMap, sync::Arc};

/// An agent that can be created elsewhere from its configuration and its state.
///
/// ```
/// use agentscope_core::{
///     Agent, AgentCard, AgentExt, AgentState, BoxFuture, Context, EventStream, FnAgent, Host, Msg, Place, ReplyRequest,
///     Result, agent_fn,
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
///     const TYPE: &'static str = "sayer";
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
/// let here = Sayer::create("hello".into(), AgentState::default(), Host::new()).await?;
/// let there = Sayer::create(here.config()?, here.snapshot().await?, Host::new()).await?;
/// assert_eq!(there.reply("hi").await?.text(), "hello");
/// # Ok(()) }
/// ```
pub trait Place: Agent + Sized {
    /// By which a host knows the type.
    const TYPE: &'static str;
    /// What it is made of: plain data. Models and tools are named, secrets are looked up where the agent runs.
    type Config: Serialize + DeserializeOwned + JsonSchema + Send + 'static;

    /// Its configuration.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] naming what has no name by which a host could find it.
    fn config(&self) -> Result<Self::Config>;

    /// Its state, when no reply runs.
    fn snapshot(&self) -> BoxFuture<'_, Result<AgentState>>;

    /// Creates it on `host`.
    fn create(config: Self::Config, state: AgentState, host: Host) -> BoxFuture<'static, Result<Self>>;
}

/// What a place has to offer to the agents that are created there, by name.
///
/// ```
/// use agentscope_core::{ChatModel, ErrorKind, Host, ModelCard, model_fn};
///
/// let host = Host::new().model(model_fn(ModelCard::new("parrot"), |_| async { Ok("hello") }));
/// assert_eq!(host.find_model("parrot")?.card().name, "parrot");
/// assert_eq!(host.find_model("crow").err().unwrap().kind(), ErrorKind::NotFound);
/// # Ok::<_, agentscope_core::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct Host(Arc<Offer>);

/// Gives the model that a spec names.
type Resolver<M> = Arc<dyn Fn(&str) -> Result<Arc<M>> + Send + Sync>;

#[derive(Clone, Default)]
struct Offer {
    models: BTreeMap<String, Arc<dyn ChatModel>>,
    model_specs: Option<Resolver<dyn ChatModel>>,
    image_models: BTreeMap<String, Arc<dyn ImageModel>>,
    image_model_specs: Option<Resolver<dyn ImageModel>>,
    tools: BTreeMap<String, Arc<dyn Tool>>,
    toolsets: BTreeMap<String, Arc<dyn Toolset>>,
    middleware: BTreeMap<String, Arc<dyn Middleware>>,
    secrets: BTreeMap<String, Secret>,
    store: Option<Arc<dyn StateStore>>,
}

impl Host {
    /// A place with nothing to offer.
    pub fn new() -> Self {
        Self::default()
    }

    /// Offers a model, by the name on its card, and by the spec if it has one.
    #[must_use]
    pub fn model(self, model: impl ChatModel) -> Self {
        let model: Arc<dyn ChatModel> = Arc::new(model);
        self.with(|offer| {
            for name in names_of(model.card()) {
                offer.models.insert(name, Arc::clone(&model));
            }
        })
    }

    /// Makes models of specs such as `openai:gpt-4o`, for names that no model was offered by.
    ///
    /// ```
    /// use agentscope_core::{ChatModel, Host, ModelCard, model_fn};
    /// use std::sync::Arc;
    ///
    /// let host = Host::new().model_specs(|spec| Ok(Arc::new(model_fn(ModelCard::new(spec), |_| async { Ok("hello") }))));
    /// assert_eq!(host.find_model("openai:gpt-4o")?.card().name, "openai:gpt-4o");
    /// # Ok::<_, agentscope_core::Error>(())
    /// ```
    #[must_use]
    pub fn model_specs(
        self,
        resolve: impl Fn(&str) -> Result<Arc<dyn ChatModel>> + Send + Sync + 'static,
    ) -> Self {
        self.with(|offer| offer.model_specs = Some(Arc::new(resolve)))
    }

    /// Offers a model that draws, by the name on its card, and by the spec if it has one.
    #[must_use]
    pub fn image_model(self, model: impl ImageModel) -> Self {
        let model: Arc<dyn ImageModel> = Arc::new(model);
        self.with(|offer| {
            for name in names_of(model.card()) {
                offer.image_models.insert(name, Arc::clone(&model));
            }
        })
    }

    /// Makes models that draw of specs such as `openai:gpt-image-2`, for names that none was offered by.
    #[must_use]
    pub fn image_model_specs(
        self,
        resolve: impl Fn(&str) -> Result<Arc<dyn ImageModel>> + Send + Sync + 'static,
    ) -> Self {
        self.with(|offer| offer.image_model_specs = Some(Arc::new(resolve)))
    }

    /// Offers a tool, by its name.
    #[must_use]
    pub fn tool(self, tool: impl Tool) -> Self {
        let name = tool.spec().name.to_string();
        self.with(|offer| drop(offer.tools.insert(name, Arc::new(tool))))
    }

    /// Offers a toolset, by its name.
    #[must_use]
    pub fn toolset(self, toolset: impl Toolset) -> Self {
        let name = toolset.name().to_owned();
        self.with(|offer| drop(offer.toolsets.insert(name, Arc::new(toolset))))
    }

    /// Offers a middleware, by its name.
    #[must_use]
    pub fn middleware(self, middleware: impl Middleware) -> Self {
        let name = middleware.name().to_owned();
        self.with(|offer| drop(offer.middleware.insert(name, Arc::new(middleware))))
    }

    /// Offers a secret.
    #[must_use]
    pub fn secret(self, name: impl Into<String>, secret: impl Into<Secret>) -> Self {
        self.with(|offer| drop(offer.secrets.insert(name.into(), secret.into())))
    }

    /// Keeps the conversations of the agents that are created here.
    #[must_use]
    pub fn store(self, store: impl StateStore) -> Self {
        self.with(|offer| offer.store = Some(Arc::new(store)))
    }

    /// The model of this name, or of this spec.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], naming what there is; those of [`model_specs`](Self::model_specs).
    pub fn find_model(&self, name: &str) -> Result<Arc<dyn ChatModel>> {
        find_or_make("model", &self.0.models, self.0.model_specs.as_ref(), name)
    }

    /// The model that draws of this name, or of this spec.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], naming what there is; those of [`image_model_specs`](Self::image_model_specs).
    pub fn find_image_model(&self, name: &str) -> Result<Arc<dyn ImageModel>> {
        find_or_make("image_model", &self.0.image_models, self.0.image_model_specs.as_ref(), name)
    }

    /// The tool of this name.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], naming what there is.
    pub fn find_tool(&self, name: &str) -> Result<Arc<dyn Tool>> {
        find("tool", &self.0.tools, name)
    }

    /// The toolset of this name.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], naming what there is.
    pub fn find_toolset(&self, name: &str) -> Result<Arc<dyn Toolset>> {
        find("toolset", &self.0.toolsets, name)
    }

    /// The middleware of this name.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], naming what there is.
    pub fn find_middleware(&self, name: &str) -> Result<Arc<dyn Middleware>> {
        find("middleware", &self.0.middleware, name)
    }

    /// The secret of this name.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], naming what there is.
    pub fn find_secret(&self, name: &str) -> Result<Secret> {
        find("secret", &self.0.secrets, name)
    }

    /// Where conversations are kept, if anywhere.
    pub fn find_store(&self) -> Option<Arc<dyn StateStore>> {
        self.0.store.clone()
    }

    fn with(mut self, change: impl FnOnce(&mut Offer)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }
}

fn names_of(card: &ModelCard) -> impl Iterator<Item = String> + use<> {
    let spec = (!card.spec.is_empty() && *card.spec != *card.name).then(|| card.spec.clone());
    [card.name.to_string()].into_iter().chain(spec)
}

fn find_or_make<M: ?Sized>(
    what: &str,
    offered: &BTreeMap<String, Arc<M>>,
    resolve: Option<&Resolver<M>>,
    name: &str,
) -> Result<Arc<M>> {
    match (offered.get(name), resolve) {
        (Some(model), _) => Ok(Arc::clone(model)),
        (None, Some(resolve)) => resolve(name),
        (None, None) => find(what, offered, name),
    }
}

fn find<T: Clone>(what: &str, offered: &BTreeMap<String, T>, name: &str) -> Result<T> {
    offered.get(name).cloned().ok_or_else(|| {
        let names: Vec<&str> = offered.keys().map(String::as_str).collect();
        let there = if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
        let hint = meant(name, names);
        let message = format!(
            "there is no {what} `{name}` on this host{hint}, which has {there}: register it with `.{what}(..)`"
        );
        Error::new(ErrorKind::NotFound, message)
    })
}

/// ` (do you mean `..`?)`, where a name is nearly one of `names`.
fn meant<'a>(name: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    nearest(name, names).map(|it| format!(" (do you mean `{it}`?)")).unwrap_or_default()
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host")
            .field("models", &self.0.models.keys())
            .field("image_models", &self.0.image_models.keys())
            .field("tools", &self.0.tools.keys())
            .field("toolsets", &self.0.toolsets.keys())
            .field("middleware", &self.0.middleware.keys())
            .finish_non_exhaustive()
    }
}
