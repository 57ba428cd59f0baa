//! Vectors that were paid for once.

mod entry;
mod store;

pub use store::VectorCache;

use agentscope_core::{
    ContentBlock, Context, EmbedRequest, Embedder, EmbedderCard, Embeddings, Error, ErrorKind, Result, Source,
};
use async_trait::async_trait;
use entry::{Key, Keys};
use std::collections::HashMap;

/// Most inputs of which the vectors may be lost when one of them fails (1024): so many are asked for before they are kept.
const PART: usize = 1024;

/// An embedder that asks another one only for what is not in its cache.
///
/// Each input is kept by itself, under the model, its dimensions and options, and the purpose of the request: one new text among a
/// thousand costs one text. The same input twice is asked for once. A local file is known by its bytes. What lies on the web is asked
/// for each time, because it may change.
///
/// Where the cache cannot be written, vectors come all the same; [`VectorCache::faults`] counts it.
///
/// ```
/// use agentscope_core::{Context, EmbedRequest, Embedder, EmbedderCard, embedder_fn};
/// use agentscope_model::{CachedEmbedder, VectorCache};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// let cache = VectorCache::new(folder.path()).max_bytes(1 << 30);
/// let lengths = embedder_fn(EmbedderCard::new("lengths", 1), |text| vec![text.len() as f32]);
/// let embedder = CachedEmbedder::new(lengths, cache.clone());
/// embedder.embed(EmbedRequest::new(["tea", "coffee"]), Context::new()).await?;
/// let again = embedder.embed(EmbedRequest::new(["coffee", "milk"]), Context::new()).await?;
/// assert_eq!((again.row(0), cache.hits(), cache.misses()), (Some(&[6.0][..]), 1, 3));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct CachedEmbedder<E> {
    embedder: E,
    cache: VectorCache,
    namespace: String,
}

impl<E: Embedder> CachedEmbedder<E> {
    /// Asks `embedder` for what is not in `cache`. Any number of embedders may share a cache.
    pub fn new(embedder: E, cache: VectorCache) -> Self {
        Self { embedder, cache, namespace: String::new() }
    }

    /// Keeps its vectors apart from those of embedders whose cards are alike, such as two servers that give different models the
    /// same name.
    #[must_use]
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = namespace.into();
        self
    }

    /// The vectors of the inputs that are not found, by their numbers.
    async fn ask(
        &self,
        req: &EmbedRequest,
        missing: &[(usize, Option<Key>)],
        cx: &Context,
        found: &mut [Option<Vec<f32>>],
        usage: &mut agentscope_core::Usage,
    ) -> Result<()> {
        for part in missing.chunks(PART) {
            let mut asked = req.clone();
            asked.inputs = part.iter().filter_map(|(at, _)| req.inputs.get(*at).cloned()).collect();
            let vectors = self.embedder.embed(asked, cx.clone()).await?;
            if vectors.len() != part.len() {
                let message = format!(
                    "`{}` gave {} vectors for {} inputs",
                    self.card().name,
                    vectors.len(),
                    part.len()
                );
                return Err(Error::new(ErrorKind::Protocol, message));
            }
            *usage += vectors.usage;
            let mut kept = Vec::new();
            for ((at, key), row) in part.iter().zip(vectors.rows()) {
                if let Some(slot) = found.get_mut(*at) {
                    *slot = Some(row.to_vec());
                }
                kept.extend(key.map(|key| (key, row.to_vec())));
            }
            self.cache.keep(kept).await;
        }
        Ok(())
    }
}

#[async_trait]
impl<E: Embedder> Embedder for CachedEmbedder<E> {
    fn card(&self) -> &EmbedderCard {
        self.embedder.card()
    }

    async fn embed(&self, req: EmbedRequest, cx: Context) -> Result<Embeddings> {
        if req.inputs.is_empty() {
            return Ok(Embeddings::default());
        }
        let keys = Keys::new(self.card(), &self.namespace, &req)?;
        let keys = self.cache.keys(keys, &req.inputs).await?;
        let mut found = self.cache.find(keys.clone()).await;
        // What another model of that name has left is of no use.
        let known = self.card().dimensions;
        let first = found.iter().flatten().next().map_or(0, Vec::len);
        let differ = found.iter().flatten().any(|row| row.len() != first);
        let is_old = |row: &mut Vec<f32>| differ || known != 0 && row.len() != known;
        found.iter_mut().for_each(|it| drop(it.take_if(is_old)));
        let mut usage = agentscope_core::Usage::default();
        for _ in 0..2 {
            let missing = missing(&keys, &found);
            self.cache.count(req.inputs.len() - missing.len(), missing.len());
            self.ask(&req, &missing, &cx, &mut found, &mut usage).await?;
            repeat(&keys, &mut found);
            let newest = missing.first().and_then(|(at, _)| found.get(*at)?.as_ref()).map(Vec::len);
            let Some(dimensions) = newest else { break };
            // Those of the cache are from before the model changed: they are asked for again.
            let is_old = |it: &Option<Vec<f32>>| it.as_ref().is_some_and(|row| row.len() != dimensions);
            if !found.iter().any(is_old) {
                break;
            }
            found.iter_mut().for_each(|it| drop(it.take_if(|row| row.len() != dimensions)));
        }
        let rows: Option<Vec<Vec<f32>>> = found.into_iter().collect();
        let rows = rows.ok_or_else(|| Error::new(ErrorKind::Internal, "an input has no vector"))?;
        Ok(Embeddings::from_rows(rows)?.with_usage(usage))
    }
}

/// The numbers of the inputs to ask for, each input once.
fn missing(keys: &[Option<Key>], found: &[Option<Vec<f32>>]) -> Vec<(usize, Option<Key>)> {
    let mut seen = std::collections::HashSet::new();
    let missing = keys.iter().zip(found).enumerate().filter(|(_, (_, found))| found.is_none());
    missing
        .filter(|(_, (key, _))| key.is_none_or(|key| seen.insert(key)))
        .map(|(at, (key, _))| (at, *key))
        .collect()
}

/// Gives inputs that are the same the vector that one of them has.
fn repeat(keys: &[Option<Key>], found: &mut [Option<Vec<f32>>]) {
    let mut known: HashMap<Key, usize> = HashMap::new();
    for (at, key) in keys.iter().enumerate() {
        let Some(key) = key else { continue };
        if found.get(at).is_some_and(Option::is_some) {
            known.insert(*key, at);
        }
    }
    for (at, key) in keys.iter().enumerate() {
        let from = key.and_then(|key| known.get(&key).copied());
        if let Some(from) = from.filter(|_| found.get(at).is_some_and(Option::is_none)) {
            let row = found.get(from).cloned().flatten();
            if let Some(slot) = found.get_mut(at) {
                *slot = row;
            }
        }
    }
}

/// Whether the same block means the same thing tomorrow.
fn is_lasting(input: &ContentBlock) -> bool {
    match input.media().map(|media| (&media.source, media.local_path())) {
        None | Some((Source::Base64 { .. }, _)) | Some((_, Some(_))) => true,
        Some((Source::Url { url, .. }, None)) => url.starts_with("data:"),
        Some(_) => false,
    }
}
