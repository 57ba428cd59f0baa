//! Who listens: each has a queue of its own, so that nobody waits for it, and a task only while there is something in it.

use super::{Environment, Happened};
use crate::{
    context::Context,
    error::{Error, ErrorKind, Result, panic_text},
    id::Name,
};
use futures_core::future::BoxFuture;
use futures_util::FutureExt;
use std::{
    collections::VecDeque,
    future::Future,
    panic::AssertUnwindSafe,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};
use tokio::{runtime::Handle, sync::Notify, task::coop::consume_budget};

/// How long a listener may take for one event.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// How many events may wait for a listener.
const QUEUE_LIMIT: usize = 1024;

type Hear = dyn Fn(Arc<dyn Environment>, Happened) -> BoxFuture<'static, Result<()>> + Send + Sync;

tokio::task_local! {
    /// The depth of the actions that are made in a listener.
    static DEPTH: u32;
}

pub(super) fn depth() -> u32 {
    DEPTH.try_with(|depth| *depth).unwrap_or_default()
}

/// What is called after an action, with the environment and what happened.
///
/// It hears one event after the other, in the order in which they happened, and later than the action returns. It may act on
/// the environment itself. Where it fails or panics, or takes too long, [`Listening::heard`] tells it, and the next event comes.
///
/// ```
/// use agentscope_core::{Environment, EnvironmentExt, environment::{Listener, variable}};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let light = variable("light", false);
/// let moth = Listener::new(|_, happened| async move { Ok(println!("{}!", happened.arguments)) })
///     .only("set")
///     .time_limit(Duration::from_secs(1));
/// let listening = light.listen(moth);
/// light.perform::<()>("set", serde_json::json!({"value": true})).await?;
/// listening.settled().await;
/// assert_eq!(listening.heard().heard, 1);
/// # Ok(()) }
/// ```
pub struct Listener {
    hear: Box<Hear>,
    /// None is all.
    only: Vec<Name>,
    time_limit: Duration,
    queue_limit: usize,
}

impl Listener {
    /// Hears of all actions that may have changed something.
    pub fn new<F, Fut>(hear: F) -> Self
    where
        F: Fn(Arc<dyn Environment>, Happened) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        let hear = Box::new(move |environment, happened| hear(environment, happened).boxed());
        Self { hear, only: Vec::new(), time_limit: TIME_LIMIT, queue_limit: QUEUE_LIMIT }
    }

    /// Hears of this action, and of those that were named so before.
    #[must_use]
    pub fn only(mut self, action: impl Into<Name>) -> Self {
        self.only.push(action.into());
        self
    }

    /// May take this long for one event (30 s by default); then it is dropped, which is told as a failure.
    #[must_use]
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    /// Has at most so many events waiting (1,024 by default, 1 at least); what comes then is missed, and counted.
    #[must_use]
    pub fn queue_limit(mut self, events: usize) -> Self {
        self.queue_limit = events.max(1);
        self
    }
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listener").field("only", &self.only).finish_non_exhaustive()
    }
}

/// What became of the events for a listener.
///
/// ```
/// # use agentscope_core::{Environment, environment::{Listener, variable}};
/// let listening = variable("light", false).listen(Listener::new(|_, _| async { Ok(()) }));
/// assert_eq!((listening.heard().heard, listening.heard().failed, listening.heard().missed), (0, 0, 0));
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Heard {
    /// How many it has heard, those included at which it failed.
    pub heard: u64,
    /// At how many it failed, panicked, or took too long.
    pub failed: u64,
    /// How many it did not hear, because too many waited.
    pub missed: u64,
    /// Why it failed or missed something last.
    pub last_error: Option<Error>,
}

/// That somebody listens; dropping it ends that, in the middle of an event if need be.
///
/// ```
/// use agentscope_core::{EnvironmentExt, environment::variable};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let light = variable("light", false);
/// let listening = light.on("set", |_, _| async { panic!("a moth in the lamp") });
/// light.perform::<()>("set", serde_json::json!({"value": true})).await?; // is not troubled by that
/// listening.settled().await;
/// assert!(listening.heard().last_error.unwrap().message().contains("a moth in the lamp"));
/// # Ok(()) }
/// ```
#[must_use = "dropping it ends the listening: keep it, or let it stay by `.keep()`"]
#[derive(Debug)]
pub struct Listening {
    ear: Arc<Ear>,
    all: Option<Weak<Mutex<Vec<Arc<Ear>>>>>,
}

impl Listening {
    /// What became of the events so far.
    pub fn heard(&self) -> Heard {
        self.ear.queue().report.clone()
    }

    /// Waits until nothing waits to be heard.
    pub async fn settled(&self) {
        self.ear.settled().await;
    }

    /// Goes on as long as the environment lives.
    pub fn keep(mut self) {
        self.all = None;
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let Some(all) = self.all.take() else { return };
        if let Some(all) = all.upgrade() {
            lock(&all).retain(|ear| !Arc::ptr_eq(ear, &self.ear));
        }
        self.ear.close();
    }
}

/// Those who listen to an environment. For those who write one of their own; clones are the same.
///
/// See [`Environment`] for an example.
///
/// ```
/// use agentscope_core::environment::{Listener, Listeners};
/// let listeners = Listeners::default();
/// let listening = listeners.add(Listener::new(|_, _| async { Ok(()) }));
/// assert_eq!(listeners.count(), 1);
/// drop(listening);
/// assert_eq!(listeners.count(), 0);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Listeners(Arc<Mutex<Vec<Arc<Ear>>>>);

impl Listeners {
    /// Adds one.
    pub fn add(&self, listener: Listener) -> Listening {
        let ear =
            Arc::new(Ear { listener, queue: Mutex::default(), idle: Notify::new(), gone: Notify::new() });
        lock(&self.0).push(Arc::clone(&ear));
        Listening { ear, all: Some(Arc::downgrade(&self.0)) }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        lock(&self.0).len()
    }

    /// Lets all hear of it. It does not wait for them. Events are heard in the order of these calls, so make them in that of
    /// the actions, and in a tokio runtime.
    pub fn tell(&self, environment: &Arc<dyn Environment>, happened: Happened) {
        for ear in &*lock(&self.0) {
            ear.tell(environment, &happened);
        }
    }

    /// Waits until nothing waits to be heard.
    pub async fn settled(&self) {
        let all: Vec<_> = lock(&self.0).clone();
        for ear in all {
            ear.settled().await;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A listener and what it has not yet heard.
#[derive(Debug)]
struct Ear {
    listener: Listener,
    queue: Mutex<Queue>,
    idle: Notify,
    /// Nobody listens any more.
    gone: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Happened>,
    /// Runs while something waits or is being heard.
    runs: bool,
    closed: bool,
    report: Heard,
}

impl Ear {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        lock(&self.queue)
    }

    fn tell(self: &Arc<Self>, environment: &Arc<dyn Environment>, happened: &Happened) {
        if !self.listener.only.is_empty() && !self.listener.only.contains(&happened.action) {
            return;
        }
        let mut queue = self.queue();
        if queue.closed {
            return;
        }
        let limit = self.listener.queue_limit;
        if queue.waiting.len() >= limit {
            let message = format!(
                "`{}` of `{}` was not heard, because {limit} events wait: let the listener do less, or raise its queue_limit",
                happened.action, happened.environment
            );
            return queue.miss(Error::new(ErrorKind::Exhausted, message));
        }
        let runtime = match Handle::try_current() {
            Ok(runtime) => runtime,
            Err(_) if queue.runs => return queue.waiting.push_back(happened.clone()),
            Err(_) => {
                let message = "an action was done outside of a tokio runtime, where listeners cannot run";
                return queue.miss(Error::new(ErrorKind::Internal, message));
            }
        };
        queue.waiting.push_back(happened.clone());
        if std::mem::replace(&mut queue.runs, true) {
            return;
        }
        drop(queue); // a runtime that ends drops the task at once, which takes the lock
        // Its owner is the `Listening`, whose end stops it.
        let deliver = Deliver { ear: Arc::clone(self), over: false };
        drop(runtime.spawn(deliver.run(Arc::clone(environment))));
    }

    /// The next event, or the end of the task.
    fn next(&self) -> Option<Happened> {
        let mut queue = self.queue();
        let next = queue.waiting.pop_front();
        if next.is_none() {
            queue.runs = false;
            drop(queue);
            self.idle.notify_waiters();
        }
        next
    }

    async fn hear(&self, environment: Arc<dyn Environment>, happened: Happened) -> Result<()> {
        let limit = self.listener.time_limit;
        let depth = happened.depth.saturating_add(1);
        // Called in the future, so that a panic of either is caught.
        let heard = async { (self.listener.hear)(environment, happened).await };
        // Of nobody: whoever acted may go, and may be asked by the listener.
        let heard = DEPTH.scope(depth, Context::new().scope(AssertUnwindSafe(heard).catch_unwind()));
        match tokio::time::timeout(limit, heard).await {
            Ok(Ok(result)) => result,
            Ok(Err(panic)) => {
                let message = format!("the listener panicked: {}", panic_text(&*panic));
                Err(Error::new(ErrorKind::Internal, message))
            }
            Err(_) => {
                let message = format!(
                    "the listener took longer than {limit:?}: let it do less, or raise its time_limit"
                );
                Err(Error::new(ErrorKind::Timeout, message))
            }
        }
    }

    async fn settled(&self) {
        loop {
            let mut idle = pin!(self.idle.notified());
            idle.as_mut().enable(); // made first, so that nothing is missed in between
            if !self.queue().runs {
                return;
            }
            idle.await;
        }
    }

    fn close(&self) {
        let mut queue = self.queue();
        queue.closed = true;
        queue.waiting.clear();
        drop(queue);
        self.gone.notify_one();
    }
}

impl Queue {
    fn note(&mut self, result: Result<()>) {
        self.report.heard += 1;
        if let Err(error) = result {
            self.report.failed += 1;
            self.report.last_error = Some(error);
        }
    }

    fn miss(&mut self, why: Error) {
        self.report.missed += 1;
        self.report.last_error = Some(why);
    }
}

/// The task of a listener. If it ends with its runtime, the next event starts another one.
struct Deliver {
    ear: Arc<Ear>,
    /// Nothing more was found, which was noted.
    over: bool,
}

impl Deliver {
    async fn run(mut self, environment: Arc<dyn Environment>) {
        let ear = Arc::clone(&self.ear);
        let mut gone = pin!(ear.gone.notified());
        while let Some(happened) = ear.next() {
            let result = tokio::select! {
                biased;
                result = ear.hear(Arc::clone(&environment), happened) => result,
                () = &mut gone => return,
            };
            ear.queue().note(result);
            consume_budget().await; // a listener that never waits lets others run
        }
        self.over = true;
    }
}

impl Drop for Deliver {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        let mut queue = self.ear.queue();
        queue.runs = false;
        let lost = queue.waiting.drain(..).count() as u64;
        queue.report.missed += lost;
        drop(queue);
        self.ear.idle.notify_waiters();
    }
}
