use agentscope_core::{BoxFuture, Result};
use bytes::Bytes;
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

/// Where answers are kept. A store may forget what it likes; it must not give what was not saved under the key.
///
/// ```
/// use agentscope_core::{BoxFuture, Result};
/// use agentscope_model::AnswerStore;
/// use bytes::Bytes;
///
/// /// Keeps nothing.
/// struct Sieve;
/// impl AnswerStore for Sieve {
///     fn load<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Option<Bytes>>> { Box::pin(async { Ok(None) }) }
///     fn save<'a>(&'a self, _: &'a str, _: Bytes) -> BoxFuture<'a, Result<()>> { Box::pin(async { Ok(()) }) }
/// }
/// ```
pub trait AnswerStore: Send + Sync + 'static {
    /// What was saved under `key`, 64 hexadecimal digits.
    fn load<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Bytes>>>;

    /// Keeps an answer, in place of an older one.
    fn save<'a>(&'a self, key: &'a str, answer: Bytes) -> BoxFuture<'a, Result<()>>;
}

impl<S: AnswerStore + ?Sized> AnswerStore for Arc<S> {
    fn load<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Bytes>>> {
        (**self).load(key)
    }
    fn save<'a>(&'a self, key: &'a str, answer: Bytes) -> BoxFuture<'a, Result<()>> {
        (**self).save(key, answer)
    }
}

/// Answers in the memory of this process: 1,000 of them, and 64 MiB at most. When there are more, those go that were not asked for
/// the longest. Clones are the same memory.
///
/// ```
/// use agentscope_core::{ModelCard, model_fn};
/// use agentscope_model::{ChatModelExt, MemoryAnswers};
///
/// let model = model_fn(ModelCard::new("yes"), |_| async { Ok("Yes.") }).cached(MemoryAnswers::new().max_entries(100));
/// ```
#[derive(Clone, Debug)]
pub struct MemoryAnswers {
    max_entries: usize,
    max_bytes: usize,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Debug, Default)]
struct Kept {
    answers: HashMap<String, (Bytes, u64)>,
    /// The keys by when they were asked for.
    used: BTreeMap<u64, String>,
    bytes: usize,
    clock: u64,
}

impl MemoryAnswers {
    /// Nothing is kept yet.
    pub fn new() -> Self {
        Self { max_entries: 1000, max_bytes: 64 << 20, kept: Arc::default() }
    }

    /// So many answers at most (1,000).
    #[must_use]
    pub fn max_entries(mut self, answers: usize) -> Self {
        self.max_entries = answers;
        self
    }

    /// So many bytes at most (64 MiB), keys included.
    #[must_use]
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// How many answers there are.
    pub fn len(&self) -> usize {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).answers.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Default for MemoryAnswers {
    fn default() -> Self {
        Self::new()
    }
}

impl Kept {
    fn load(&mut self, key: &str) -> Option<Bytes> {
        let (answer, used) = self.answers.get_mut(key)?;
        if let Some(key) = self.used.remove(used) {
            self.clock += 1;
            *used = self.clock;
            self.used.insert(self.clock, key);
        }
        Some(answer.clone())
    }

    fn remove(&mut self, key: &str) {
        if let Some((answer, used)) = self.answers.remove(key) {
            self.used.remove(&used);
            self.bytes -= key.len() + answer.len();
        }
    }

    fn save(&mut self, key: &str, answer: Bytes, max_entries: usize, max_bytes: usize) {
        self.remove(key);
        let size = key.len() + answer.len();
        if size > max_bytes || max_entries == 0 {
            return;
        }
        while self.answers.len() >= max_entries || self.bytes + size > max_bytes {
            let Some((_, oldest)) = self.used.pop_first() else { break };
            self.remove(&oldest);
        }
        self.clock += 1;
        self.bytes += size;
        self.used.insert(self.clock, key.to_owned());
        self.answers.insert(key.to_owned(), (answer, self.clock));
    }
}

impl AnswerStore for MemoryAnswers {
    fn load<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Bytes>>> {
        let found = self.kept.lock().unwrap_or_else(PoisonError::into_inner).load(key);
        Box::pin(std::future::ready(Ok(found)))
    }

    fn save<'a>(&'a self, key: &'a str, answer: Bytes) -> BoxFuture<'a, Result<()>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.save(key, answer, self.max_entries, self.max_bytes);
        Box::pin(std::future::ready(Ok(())))
    }
}
