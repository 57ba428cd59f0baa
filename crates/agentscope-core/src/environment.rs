//! Environments: what agents share, read and act on, such as a room, a map or a market.

mod listener;
mod parts;
mod world;

pub use listener::{Heard, Listener, Listeners, Listening};
pub use parts::{Item, Map2D, Near, Note, Point2D, Timeline, item, map, timeline, variable};
pub use world::World;

use crate::{
    context::Context,
    error::{Error, ErrorKind, Result},
    id::Name,
    timestamp::Timestamp,
    tool::ToolSpec,
};
use futures_core::future::BoxFuture;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::{future::Future, sync::Arc};

/// Longest chain of actions of which each was done by a listener of the one before (16); one more is refused, because a
/// listener that acts on what it causes itself would go on for ever.
const MOST_DEEP: u32 = 16;

/// Something that agents share, read and act on. Most are a [`World`]; this trait is for those that live elsewhere.
///
/// Actions of one environment happen one after the other. Who listens is told afterwards and holds no action up. What goes in
/// and out is data, so that an environment can live in another process. [`crate::testing::conformance::environment`] is
/// what each implementation has to pass.
///
/// ```
/// use agentscope_core::{BoxFuture, Context, Environment, EnvironmentExt, Error, ErrorKind, Name, Result, ToolSpec};
/// use agentscope_core::environment::{Action, Happened, Listener, Listeners, Listening};
/// use serde_json::{Value, json};
/// use std::sync::{Arc, atomic::{AtomicU64, Ordering}};
///
/// /// Counts; clones are one counter.
/// #[derive(Clone, Default)]
/// struct Counter { name: Name, count: Arc<AtomicU64>, listeners: Listeners }
///
/// impl Environment for Counter {
///     fn name(&self) -> &Name { &self.name }
///     fn actions(&self) -> Vec<Arc<ToolSpec>> {
///         let schema = json!({"type": "object", "properties": {}});
///         vec![Arc::new(ToolSpec::new("count", "Counts one more.", schema))]
///     }
///     fn act(&self, action: Action, _: Context) -> BoxFuture<'static, Result<Value>> {
///         let this = self.clone();
///         Box::pin(async move {
///             if action.name != "count" {
///                 return Err(Error::new(ErrorKind::NotFound, "there is one action: `count`"));
///             }
///             let count = this.count.fetch_add(1, Ordering::Relaxed) + 1;
///             let happened = Happened::new(this.name.clone(), count, action, count.into());
///             this.listeners.tell(&(Arc::new(this.clone()) as _), happened);
///             Ok(count.into())
///         })
///     }
///     fn listen(&self, listener: Listener) -> Listening { self.listeners.add(listener) }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
/// let counter = Counter { name: "counter".into(), ..Counter::default() };
/// assert_eq!(counter.perform::<u64>("count", ()).await?, 1);
/// # Ok(()) }
/// ```
pub trait Environment: Send + Sync + 'static {
    /// What it is called, by the environment around it and in the names of tools.
    fn name(&self) -> &Name;

    /// What can be done here; those that are `read_only` change nothing. A proxy answers with what it last knew.
    fn actions(&self) -> Vec<Arc<ToolSpec>>;

    /// The environments in this one.
    fn children(&self) -> Vec<Arc<dyn Environment>> {
        Vec::new()
    }

    /// Acts. Nothing happens before the future is polled; if it is dropped, the action happened wholly or not at all.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is no such action, [`ErrorKind::InvalidInput`] if its arguments do not fit,
    /// [`ErrorKind::Conflict`] if it was caused by too many listeners one after the other, and what the action says.
    fn act(&self, action: Action, cx: Context) -> BoxFuture<'static, Result<Value>>;

    /// Has `listener` called after each action that may have changed something, until the [`Listening`] is dropped.
    fn listen(&self, listener: Listener) -> Listening;
}

/// How programs use an environment, `dyn` ones included.
///
/// ```
/// use agentscope_core::{EnvironmentExt, environment::{World, variable}};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let house = World::new("house", ()).child(World::new("kitchen", ()).child(variable("light", false)));
/// let light = house.find("kitchen/light")?;
/// let listening = light.on("set", |_, happened| async move {
///     println!("{} said {}", happened.by.unwrap_or_default(), happened.arguments);
///     Ok(())
/// });
/// light.perform_by::<()>("Alice", "set", serde_json::json!({"value": true})).await?;
/// assert!(light.perform::<bool>("get", ()).await?);
///
/// listening.settled().await;
/// assert_eq!(listening.heard().heard, 1);
/// # Ok(()) }
/// ```
pub trait EnvironmentExt: Environment {
    /// Acts, as nobody.
    ///
    /// # Errors
    /// As [`Environment::act`]; [`ErrorKind::Protocol`] if the result is no `R`.
    fn perform<R: DeserializeOwned + 'static>(
        &self,
        action: &str,
        arguments: impl Serialize,
    ) -> BoxFuture<'static, Result<R>> {
        perform(self, action, arguments, None)
    }

    /// Acts, as `by`.
    ///
    /// # Errors
    /// As [`Self::perform`].
    fn perform_by<R: DeserializeOwned + 'static>(
        &self,
        by: impl Into<Name>,
        action: &str,
        arguments: impl Serialize,
    ) -> BoxFuture<'static, Result<R>> {
        perform(self, action, arguments, Some(by.into()))
    }

    /// Listens to one action; [`Environment::listen`] to all.
    fn on<F, Fut>(&self, action: impl Into<Name>, hear: F) -> Listening
    where
        F: Fn(Arc<dyn Environment>, Happened) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        self.listen(Listener::new(hear).only(action))
    }

    /// The environment at the end of `path`, whose parts are names with `/` between them.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], with the names that there are.
    fn find(&self, path: &str) -> Result<Arc<dyn Environment>> {
        let mut names = path.split('/');
        let first = names.next().unwrap_or_default();
        let mut found = child(self, first)?;
        for name in names {
            found = child(&*found, name)?;
        }
        Ok(found)
    }
}

impl<E: Environment + ?Sized> EnvironmentExt for E {}

fn perform<E: Environment + ?Sized, R: DeserializeOwned + 'static>(
    environment: &E,
    action: &str,
    arguments: impl Serialize,
    by: Option<Name>,
) -> BoxFuture<'static, Result<R>> {
    let arguments = serde_json::to_value(arguments);
    let name = format!("`{}` of `{}`", action, environment.name());
    let acting = arguments.map(|arguments| {
        let action = Action { by, ..Action::new(action, arguments) };
        environment.act(action, Context::current())
    });
    Box::pin(async move {
        let result = acting?.await?;
        serde_json::from_value(result).map_err(|error| {
            let message = format!("the result of {name} does not fit the type: {error}");
            Error::new(ErrorKind::Protocol, message).with_source(error)
        })
    })
}

fn child<E: Environment + ?Sized>(parent: &E, name: &str) -> Result<Arc<dyn Environment>> {
    let children = parent.children();
    children.iter().find(|child| *child.name() == *name).cloned().ok_or_else(|| {
        let names: Vec<&str> = children.iter().map(|child| child.name().as_str()).collect();
        let there = if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
        let message = format!("there is no `{name}` in `{}`; there is: {there}", parent.name());
        Error::new(ErrorKind::NotFound, message)
    })
}

/// What is to be done in an environment, and by whom.
///
/// ```
/// use agentscope_core::environment::Action;
/// let action = Action::new("say", serde_json::json!({"text": "hello"})).by("Alice");
/// assert_eq!(serde_json::from_str::<Action>(&serde_json::to_string(&action)?)?, action);
/// # Ok::<_, serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Action {
    /// Which one.
    pub name: Name,
    /// Its arguments, an object; null is the empty one.
    #[serde(default)]
    pub arguments: Value,
    /// Who acts; nobody where the program does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Name>,
    /// How many listeners led to it, each by acting on what it heard. [`Action::new`] knows where it is made.
    #[serde(default)]
    pub depth: u32,
}

impl Action {
    /// An action of nobody.
    pub fn new(name: impl Into<Name>, arguments: impl Into<Value>) -> Self {
        Self { name: name.into(), arguments: arguments.into(), by: None, depth: listener::depth() }
    }

    /// Done by this one.
    #[must_use]
    pub fn by(mut self, by: impl Into<Name>) -> Self {
        self.by = Some(by.into());
        self
    }

    /// Refuses what too many listeners led to, and what nobody waits for any more. For environments, before they act.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`], [`ErrorKind::Unavailable`] and [`ErrorKind::Timeout`].
    pub fn check(&self, cx: &Context) -> Result<()> {
        let name = &self.name;
        if self.depth > MOST_DEEP {
            let message = format!(
                "`{name}` was done by a listener that heard of an action of a listener, and so on, {MOST_DEEP} times: let \
                 no listener act on what it causes itself"
            );
            return Err(Error::new(ErrorKind::Conflict, message));
        }
        if cx.interrupt().is_triggered() {
            return Err(Error::new(
                ErrorKind::Unavailable,
                format!("`{name}` was interrupted before it began"),
            ));
        }
        if cx.time_left().is_some_and(|left| left.is_zero()) {
            return Err(Error::new(ErrorKind::Timeout, format!("the deadline passed before `{name}` began")));
        }
        Ok(())
    }
}

/// What was done in an environment, as its listeners are told.
///
/// ```
/// use agentscope_core::environment::{Action, Happened};
/// let action = Action::new("say", serde_json::json!({"text": "hello"})).by("Alice");
/// let happened = Happened::new("room".into(), 1, action, serde_json::Value::Null);
/// assert_eq!(happened.by.as_deref(), Some("Alice"));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Happened {
    /// Where.
    pub environment: Name,
    /// Its place among the actions of the environment, from 1.
    pub seq: u64,
    /// What.
    pub action: Name,
    /// With which arguments.
    pub arguments: Value,
    /// What came of it.
    pub result: Value,
    /// Who did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Name>,
    /// How many listeners led to it.
    #[serde(default)]
    pub depth: u32,
    /// When.
    pub timestamp: Timestamp,
}

impl Happened {
    /// That `action` was done just now, as number `seq` of `environment`.
    pub fn new(environment: Name, seq: u64, action: Action, result: Value) -> Self {
        let Action { name, arguments, by, depth } = action;
        Self { environment, seq, action: name, arguments, result, by, depth, timestamp: Timestamp::now() }
    }
}

impl<E: Environment + ?Sized> Environment for Arc<E> {
    fn name(&self) -> &Name {
        (**self).name()
    }
    fn actions(&self) -> Vec<Arc<ToolSpec>> {
        (**self).actions()
    }
    fn children(&self) -> Vec<Arc<dyn Environment>> {
        (**self).children()
    }
    fn act(&self, action: Action, cx: Context) -> BoxFuture<'static, Result<Value>> {
        (**self).act(action, cx)
    }
    fn listen(&self, listener: Listener) -> Listening {
        (**self).listen(listener)
    }
}

#[cfg(test)]
mod tests;
