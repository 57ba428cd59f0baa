//! Answers that are given again without asking.

mod directory;
mod flight;
mod key;
mod record;
mod store;

pub use directory::DirectoryAnswers;
pub use store::{AnswerStore, MemoryAnswers};

use super::{
    flow::{Flow, may_leave},
    passes_on,
};
use agentscope_core::{
    BoxFuture, ChatModel, Context, Error, ErrorKind, ModelDelta, ModelRequest, ModelStream, Result, Stream,
    Usage,
};
use flight::{Flights, Landed, Lead, Part};
use record::{Record, decode};
use std::{
    fmt,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context as Task, Poll, ready},
    time::Duration,
    vec,
};
use tokio::time::timeout;

/// Longest time for which a store is waited for (2 s); one that takes longer has nothing.
const STORE_LIMIT: Duration = Duration::from_secs(2);

/// Answers that were given before, for models that are [`cached`](crate::ChatModelExt::cached). Clones are the same cache.
///
/// ```
/// use agentscope_core::{ModelCard, model_fn};
/// use agentscope_model::{AnswerCache, ChatModelExt, MemoryAnswers};
///
/// let cache = AnswerCache::new(MemoryAnswers::new()).namespace("temperature 0");
/// let model = model_fn(ModelCard::new("yes"), |_| async { Ok("Yes.") }).cached(cache.clone());
/// assert_eq!(cache.hits(), 0);
/// ```
#[derive(Clone)]
pub struct AnswerCache {
    store: Arc<dyn AnswerStore>,
    namespace: Arc<str>,
    max_answer: usize,
    wait: Duration,
    flights: Arc<Flights>,
    hits: Arc<AtomicU64>,
    misses: Arc<AtomicU64>,
}

impl AnswerCache {
    /// What is in `store`, and what will be.
    pub fn new(store: impl AnswerStore) -> Self {
        Self {
            store: Arc::new(store),
            namespace: "".into(),
            max_answer: 1 << 20,
            wait: Duration::from_secs(30),
            flights: Arc::default(),
            hits: Arc::default(),
            misses: Arc::default(),
        }
    }

    /// Keeps the answers apart from those of other namespaces in the same store. Needed where models differ in what neither the
    /// request nor the name and the spec of their card say: their address, or fields that are set on the model.
    #[must_use]
    pub fn namespace(mut self, namespace: impl Into<Arc<str>>) -> Self {
        self.namespace = namespace.into();
        self
    }

    /// Largest answer that is kept, in bytes (1 MiB).
    #[must_use]
    pub fn max_answer(mut self, bytes: usize) -> Self {
        self.max_answer = bytes;
        self
    }

    /// How long a request waits for an equal one that was sent before and is being answered (30 s); then it is sent too. Its answer
    /// comes as a whole. Zero to send each.
    #[must_use]
    pub fn wait_for_equal(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// How many requests were answered without asking the model.
    pub fn hits(&self) -> u64 {
        self.hits.load(Relaxed)
    }

    /// How many were not.
    pub fn misses(&self) -> u64 {
        self.misses.load(Relaxed)
    }

    /// What the store has; a store that fails has nothing.
    async fn load(&self, key: &str) -> Option<Found> {
        let bytes = timeout(STORE_LIMIT, self.store.load(key)).await.ok()?.ok()??;
        Some(Found { deltas: decode(&bytes)?, bytes })
    }

    async fn enter(self, model: Arc<dyn ChatModel>, req: ModelRequest, cx: Context) -> Entered {
        let key = key::key(&req, model.card(), &self.namespace).unwrap_or_default();
        let Some(key) = key else {
            self.misses.fetch_add(1, Relaxed);
            return Entered::Asks(Flow::new(model.call(req, cx)));
        };
        let lead = loop {
            if self.wait.is_zero() {
                break None;
            }
            match self.flights.join(&key) {
                Part::Leads(lead) => break Some(lead),
                Part::Follows(follow) => match timeout(self.wait_within(&cx), follow.landed()).await {
                    Ok(Landed::Answer(bytes)) => match decode(&bytes) {
                        Some(deltas) => return self.found(deltas),
                        None => break None,
                    },
                    Ok(Landed::Dropped) => continue,
                    Err(_) if cx.time_left().is_some_and(|left| left.is_zero()) => {
                        let message = "the deadline passed while a request waited for the answer to an equal one: allow more time";
                        return Entered::Fails(Error::new(ErrorKind::Timeout, message));
                    }
                    Ok(Landed::Failed) | Err(_) => break None,
                },
            }
        };
        if let Some(found) = self.load(&key).await {
            lead.inspect(|lead| lead.answer(found.bytes));
            return self.found(found.deltas);
        }
        self.misses.fetch_add(1, Relaxed);
        let flow = Flow::new(model.call(req, cx));
        let max_answer = self.max_answer;
        let to = Box::new(Place { cache: self, key, lead });
        let keeper = Keeper { record: Record::default(), max_answer, to };
        Entered::Asks(flow.kept(keeper))
    }

    fn wait_within(&self, cx: &Context) -> Duration {
        cx.time_left().map_or(self.wait, |left| left.min(self.wait))
    }

    fn found(&self, deltas: Vec<ModelDelta>) -> Entered {
        self.hits.fetch_add(1, Relaxed);
        Entered::Has(deltas)
    }
}

impl<S: AnswerStore> From<S> for AnswerCache {
    fn from(store: S) -> Self {
        Self::new(store)
    }
}

impl fmt::Debug for AnswerCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnswerCache")
            .field("namespace", &self.namespace)
            .field("hits", &self.hits)
            .field("misses", &self.misses)
            .finish_non_exhaustive()
    }
}

struct Found {
    bytes: bytes::Bytes,
    deltas: Vec<ModelDelta>,
}

enum Entered {
    Has(Vec<ModelDelta>),
    Asks(Flow),
    Fails(Error),
}

/// Takes down an answer, to be kept when it is whole.
pub(super) struct Keeper {
    record: Record,
    max_answer: usize,
    to: Box<Place>,
}

/// Where an answer is kept.
struct Place {
    cache: AnswerCache,
    key: String,
    lead: Option<Lead>,
}

/// A model that is not asked again what it has answered before. Answers that came to their end ([`FinishReason::Stop`](agentscope_core::FinishReason::Stop)) are kept, with
/// their calls and thoughts; errors, and answers that were cut, never are. An answer that is given again costs nothing, so its usage is
/// zero, and comes in as few pieces as it has blocks.
///
/// What is the same request: the same messages (names, roles and contents; ids and times do not count, and the ids of calls by their order
/// alone), speaker, tools, schema, options, and the same name and spec of the model. A request that shows a local file is always sent,
/// because the file may have changed.
///
/// Equal requests at the same time are sent once; the others wait for the answer. A store that fails, or takes longer than 2 s,
/// has nothing: the model is asked.
///
/// ```
/// use agentscope_core::{ChatModel, Context, ModelDelta, ModelRequest, Msg, ScriptedModel, testing::say};
/// use agentscope_model::{ChatModelExt, MemoryAnswers};
/// use futures_util::TryStreamExt;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let model = ScriptedModel::new([say("Hello.")]).cached(MemoryAnswers::new());
/// for _ in 0..2 {
///     let answer: Vec<_> = model.call(ModelRequest::new([Msg::user("hi")]), Context::new()).try_collect().await?;
///     assert_eq!(answer[0], ModelDelta::text("Hello."));
/// }
/// # Ok(()) }
/// ```
pub struct Cached<M> {
    model: Arc<M>,
    cache: AnswerCache,
}

impl<M: ChatModel> Cached<M> {
    /// `model`, with what is in `cache`.
    pub fn new(model: M, cache: impl Into<AnswerCache>) -> Self {
        Self { model: Arc::new(model), cache: cache.into() }
    }
}

impl<M> Clone for Cached<M> {
    fn clone(&self) -> Self {
        Self { model: Arc::clone(&self.model), cache: self.cache.clone() }
    }
}

impl<M: ChatModel> ChatModel for Cached<M> {
    passes_on!();

    fn call(&self, req: ModelRequest, cx: Context) -> ModelStream {
        let model = Arc::clone(&self.model) as Arc<dyn ChatModel>;
        Box::pin(Answer::Enter(Box::pin(self.cache.clone().enter(model, req, cx))))
    }
}

enum Answer {
    Enter(BoxFuture<'static, Entered>),
    Replay(vec::IntoIter<ModelDelta>),
    Flow(Flow),
}

impl Stream for Answer {
    type Item = Result<ModelDelta>;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Option<Self::Item>> {
        let may_leave = may_leave(&*self);
        let this = &mut *self;
        loop {
            *this = match this {
                Self::Flow(flow) => {
                    let piece = flow.poll(task);
                    flow.leave(may_leave, &piece);
                    return piece;
                }
                Self::Replay(deltas) => return Poll::Ready(deltas.next().map(Ok)),
                Self::Enter(entering) => match ready!(entering.as_mut().poll(task)) {
                    Entered::Has(deltas) => Self::Replay(deltas.into_iter()),
                    Entered::Asks(flow) => Self::Flow(flow),
                    Entered::Fails(error) => Self::Flow(Flow::failed(error, Usage::default())),
                },
            };
        }
    }
}

impl Keeper {
    /// Takes down a piece. False, when the answer is too large to be kept.
    pub(super) fn takes(&mut self, delta: &ModelDelta) -> bool {
        let fits = self.record.add(delta) <= self.max_answer;
        if !fits {
            self.fail();
        }
        fits
    }

    /// There is no answer to be kept.
    pub(super) fn fail(&self) {
        if let Some(lead) = &self.to.lead {
            lead.fail();
        }
    }

    /// Keeps the answer, which is whole.
    pub(super) async fn keep(self: Box<Self>) {
        let Self { record, to, .. } = *self;
        match (record.encode(), &to.lead) {
            (Ok(answer), lead) => {
                if let Some(lead) = lead {
                    lead.answer(answer.clone());
                }
                // A store that fails has nothing the next time: the answer itself is whole.
                drop(timeout(STORE_LIMIT, to.cache.store.save(&to.key, answer)).await);
            }
            (Err(_), Some(lead)) => lead.fail(),
            (Err(_), None) => {}
        }
    }
}
