use super::{Action, Environment, Happened, Listener, Listeners, Listening};
use crate::{
    context::Context,
    error::{Error, ErrorKind, Result, panic_text},
    id::Name,
    tool::{ToolSpec, schema_of, written::arguments},
};
use futures_core::future::BoxFuture;
use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::{
    cell::Cell,
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Your own environment, in a few lines: a state, and functions on it that are its actions. Clones are the same environment.
///
/// An action is a plain function that has the state for itself and cannot wait, so that actions happen one after the other and
/// none waits for another for ever. What takes long is done before, by whoever acts, or afterwards, by a listener.
///
/// ```
/// use agentscope_core::{EnvironmentExt, World};
///
/// #[derive(Default)]
/// struct Room { lines: Vec<String> }
///
/// #[derive(serde::Deserialize, schemars::JsonSchema)]
/// struct Say {
///     /// What to say to all in the room.
///     text: String,
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let room = World::new("room", Room::default())
///     .action("say", "Says something to all in the room.", |room, say: Say, by| {
///         room.lines.push(format!("{}: {}", by.map_or("somebody", |by| by.as_str()), say.text));
///         Ok(room.lines.len())
///     })
///     .reading("listen", "What was said so far.", |room| room.lines.clone());
///
/// let count: usize = room.perform_by("Alice", "say", serde_json::json!({"text": "Hello!"})).await?;
/// assert_eq!(count, 1);
/// assert_eq!(room.perform::<Vec<String>>("listen", ()).await?, ["Alice: Hello!"]);
/// assert_eq!(room.with(|room| room.lines.len()), 1);
/// # Ok(()) }
/// ```
pub struct World<S> {
    shared: Arc<Shared<S>>,
    offers: Arc<Vec<Offer<S>>>,
}

struct Shared<S> {
    name: Name,
    held: Mutex<Held<S>>,
    children: Mutex<BTreeMap<Name, Arc<dyn Environment>>>,
    listeners: Listeners,
}

struct Held<S> {
    state: S,
    /// How many actions there were.
    seq: u64,
}

type Run<S> = dyn Fn(&mut S, &ToolSpec, &Action) -> Result<Value> + Send + Sync;

struct Offer<S> {
    spec: Arc<ToolSpec>,
    run: Arc<Run<S>>,
}

impl<S: Send + 'static> World<S> {
    /// An environment with this state and no actions.
    pub fn new(name: impl Into<Name>, state: S) -> Self {
        let shared = Shared {
            name: name.into(),
            held: Mutex::new(Held { state, seq: 0 }),
            children: Mutex::default(),
            listeners: Listeners::default(),
        };
        Self { shared: Arc::new(shared), offers: Arc::default() }
    }

    /// With this action: a function of the state, the arguments, and who acts. `A` is an object, or `()` for none. It takes the
    /// place of an action of the same name; clones that were made before do without it.
    ///
    /// Where it fails, it should have changed nothing, as nobody is told of it. In it, do not touch this or another environment:
    /// it has the state for itself. An action within an action is refused; [`Self::with`] in it would wait for ever.
    #[must_use]
    pub fn action<A, R>(
        self,
        name: impl Into<Name>,
        description: impl Into<String>,
        run: impl Fn(&mut S, A, Option<&Name>) -> Result<R> + Send + Sync + 'static,
    ) -> Self
    where
        A: DeserializeOwned + JsonSchema,
        R: Serialize,
    {
        self.offer(ToolSpec::new(name, description, object_of::<A>()), move |state, spec, action| {
            let (arguments, by) = (read::<A>(spec, &action.arguments)?, action.by.as_ref());
            Ok(serde_json::to_value(run(state, arguments, by)?)?)
        })
    }

    /// With an action without arguments that changes nothing, of which listeners are not told.
    #[must_use]
    pub fn reading<R: Serialize>(
        self,
        name: impl Into<Name>,
        description: impl Into<String>,
        read: impl Fn(&S) -> R + Send + Sync + 'static,
    ) -> Self {
        self.reading_with(name, description, move |state, (), _| Ok(read(state)))
    }

    /// With an action that changes nothing, as [`Self::reading`], and takes arguments, as [`Self::action`].
    #[must_use]
    pub fn reading_with<A, R>(
        self,
        name: impl Into<Name>,
        description: impl Into<String>,
        run: impl Fn(&S, A, Option<&Name>) -> Result<R> + Send + Sync + 'static,
    ) -> Self
    where
        A: DeserializeOwned + JsonSchema,
        R: Serialize,
    {
        let spec = ToolSpec::new(name, description, object_of::<A>()).read_only();
        self.offer(spec, move |state, spec, action| {
            let (arguments, by) = (read::<A>(spec, &action.arguments)?, action.by.as_ref());
            Ok(serde_json::to_value(run(state, arguments, by)?)?)
        })
    }

    fn offer(
        mut self,
        spec: ToolSpec,
        run: impl Fn(&mut S, &ToolSpec, &Action) -> Result<Value> + Send + Sync + 'static,
    ) -> Self {
        let offers = Arc::make_mut(&mut self.offers);
        offers.retain(|offer| offer.spec.name != spec.name);
        offers.push(Offer { spec: Arc::new(spec), run: Arc::new(run) });
        self
    }

    /// With `child` in it, in the place of one of the same name.
    #[must_use]
    pub fn child(self, child: impl Environment) -> Self {
        self.add_child(child);
        self
    }

    /// Puts `child` in it, and gives the one of the same name that was there.
    pub fn add_child(&self, child: impl Environment) -> Option<Arc<dyn Environment>> {
        let child: Arc<dyn Environment> = Arc::new(child);
        lock(&self.shared.children).insert(child.name().clone(), child)
    }

    /// Takes the child of this name out.
    pub fn remove_child(&self, name: &str) -> Option<Arc<dyn Environment>> {
        lock(&self.shared.children).remove(name)
    }

    /// The state, for the program: nobody is told. `work` should be short, and must not touch this environment otherwise.
    pub fn with<R>(&self, work: impl FnOnce(&mut S) -> R) -> R {
        let _inside = Inside::enter();
        work(&mut lock(&self.shared.held).state)
    }

    /// Waits until all who listen have heard all that happened.
    pub async fn settled(&self) {
        self.shared.listeners.settled().await;
    }

    fn run(&self, action: Action) -> Result<Value> {
        let Some(offer) = self.offers.iter().find(|offer| offer.spec.name == action.name) else {
            let names: Vec<&str> = self.offers.iter().map(|offer| offer.spec.name.as_str()).collect();
            let there = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            let message =
                format!("`{}` has no action `{}`; there is: {there}", self.shared.name, action.name);
            return Err(Error::new(ErrorKind::NotFound, message));
        };
        let Some(_inside) = Inside::enter() else {
            let message = format!(
                "`{}` of `{}` was done within an action, which has its state for itself: do it afterwards, or in a listener",
                action.name, self.shared.name
            );
            return Err(Error::new(ErrorKind::Conflict, message));
        };
        let mut held = lock(&self.shared.held);
        let Held { state, seq } = &mut *held;
        let run = || (offer.run)(state, &offer.spec, &action);
        let result = catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
            let message = format!(
                "`{}` of `{}` panicked, and may have left half a change: {}",
                action.name,
                self.shared.name,
                panic_text(&*panic)
            );
            Err(Error::new(ErrorKind::Internal, message))
        })?;
        if !offer.spec.read_only {
            *seq += 1;
            let happened = Happened::new(self.shared.name.clone(), *seq, action, result.clone());
            // Under the lock, so that events are heard in the order of the actions. It runs nothing of a listener's.
            self.shared.listeners.tell(&(Arc::new(self.clone()) as _), happened);
        }
        Ok(result)
    }
}

thread_local! {
    /// An action runs on this thread, or [`World::with`].
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// While it lives, an action runs on this thread.
struct Inside;

impl Inside {
    /// `None` if one runs already.
    fn enter() -> Option<Self> {
        (!INSIDE.replace(true)).then_some(Self)
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        INSIDE.set(false);
    }
}

/// The schema of arguments; `()` is the empty object.
fn object_of<A: JsonSchema>() -> Value {
    let schema = schema_of::<A>();
    let is_object = schema.get("type").is_some_and(|it| it == "object");
    if is_object { schema } else { json!({"type": "object", "properties": {}}) }
}

/// Reads arguments. `()` is read from null, where models write an object, and in it what nobody asked for.
fn read<A: DeserializeOwned>(spec: &ToolSpec, input: &Value) -> Result<A> {
    let is_unit = size_of::<A>() == 0 && (input.is_null() || input.is_object());
    match A::deserialize(Value::Null) {
        Ok(nothing) if is_unit => Ok(nothing),
        _ => arguments(&spec.name, input),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<S: Send + 'static> Environment for World<S> {
    fn name(&self) -> &Name {
        &self.shared.name
    }

    fn actions(&self) -> Vec<Arc<ToolSpec>> {
        self.offers.iter().map(|offer| Arc::clone(&offer.spec)).collect()
    }

    fn children(&self) -> Vec<Arc<dyn Environment>> {
        lock(&self.shared.children).values().cloned().collect()
    }

    fn act(&self, action: Action, cx: Context) -> BoxFuture<'static, Result<Value>> {
        let this = self.clone();
        Box::pin(async move {
            action.check(&cx)?;
            this.run(action)
        })
    }

    fn listen(&self, listener: Listener) -> Listening {
        self.shared.listeners.add(listener)
    }
}

impl<S> Clone for World<S> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), offers: Arc::clone(&self.offers) }
    }
}

impl<S> Clone for Offer<S> {
    fn clone(&self) -> Self {
        Self { spec: Arc::clone(&self.spec), run: Arc::clone(&self.run) }
    }
}

impl<S> std::fmt::Debug for World<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = self.offers.iter().map(|offer| offer.spec.name.as_str()).collect();
        f.debug_struct("World")
            .field("name", &self.shared.name)
            .field("actions", &names)
            .finish_non_exhaustive()
    }
}
