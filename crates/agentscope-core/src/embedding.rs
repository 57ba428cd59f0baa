//! Embedders: what turns texts and pictures into vectors that lie close where the meaning does.

mod vectors;

pub use vectors::Embeddings;

use crate::{
    context::Context,
    error::Result,
    id::Name,
    message::{ContentBlock, Extra, Map},
    model::Price,
};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Something that turns texts and media into vectors: a provider, a local model, a rule.
///
/// ```
/// use agentscope_core::{Context, EmbedRequest, Embedder, EmbedderCard, embedder_fn};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let lengths = embedder_fn(EmbedderCard::new("lengths", 1), |text| vec![text.len() as f32]);
/// let vectors = lengths.embed(EmbedRequest::new(["tea", "coffee"]), Context::new()).await?;
/// assert_eq!((vectors.row(0), vectors.row(1)), (Some(&[3.0][..]), Some(&[6.0][..])));
/// # Ok(()) }
/// ```
#[async_trait]
pub trait Embedder: Send + Sync + 'static {
    /// What it is and what it takes.
    fn card(&self) -> &EmbedderCard;

    /// One vector for each input, in the order of the inputs; none where there is no input. Any number of inputs is taken: what
    /// a provider takes at once is the embedder's to see to. Dropping the future stops the work.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidInput`] for an input that it does not take, and those of its provider. It is all or nothing:
    /// where one input fails, there is no vector at all.
    async fn embed(&self, req: EmbedRequest, cx: Context) -> Result<Embeddings>;
}

/// What an embedder is and takes. What is `0` is not known.
///
/// ```
/// let card = agentscope_core::EmbedderCard::new("text-embedding-3-small", 1536).max_batch(2048);
/// assert_eq!((card.dimensions, card.max_batch), (1536, 2048));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct EmbedderCard {
    /// What the provider calls it.
    pub name: Name,
    /// The line of configuration that gives this embedder, such as `openai:text-embedding-3-small`; empty where there is none.
    pub spec: String,
    /// Numbers in each vector.
    pub dimensions: usize,
    /// Media types that it takes beside text, such as `image/*`.
    pub input_types: Vec<String>,
    /// Most inputs in one call of its provider. [`Embedder::embed`] takes more, and divides them.
    pub max_batch: usize,
    /// Most tokens of one input.
    pub max_input_tokens: u64,
    /// What a million tokens cost. Only those that are read do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<Price>,
    /// Further fields.
    #[serde(flatten)]
    pub extra: Extra,
}

impl EmbedderCard {
    /// An embedder of texts into vectors of so many numbers, `0` where that is not known before the first one.
    pub fn new(name: impl Into<Name>, dimensions: usize) -> Self {
        Self { name: name.into(), dimensions, ..Self::default() }
    }

    /// Its provider takes so many inputs at once.
    #[must_use]
    pub fn max_batch(mut self, inputs: usize) -> Self {
        self.max_batch = inputs;
        self
    }

    /// An input may have so many tokens.
    #[must_use]
    pub fn max_input_tokens(mut self, tokens: u64) -> Self {
        self.max_input_tokens = tokens;
        self
    }

    /// The media types that it takes beside text, such as `image/*`.
    #[must_use]
    pub fn input_types(mut self, types: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.input_types = types.into_iter().map(Into::into).collect();
        self
    }

    /// A million tokens cost so much, in the provider's currency.
    #[must_use]
    pub fn price(mut self, input: f64) -> Self {
        self.price = Some(Price::new(input, 0.0));
        self
    }
}

/// What an embedder is asked.
///
/// ```
/// use agentscope_core::{ContentBlock, EmbedPurpose, EmbedRequest};
///
/// let question = EmbedRequest::new(["Where does Alice live?"]).purpose(EmbedPurpose::Query);
/// let mixed = EmbedRequest::new([ContentBlock::text("a cat"), ContentBlock::url("https://example.org/cat.png")]);
/// assert_eq!((question.inputs.len(), mixed.inputs.len()), (1, 2));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct EmbedRequest {
    /// Words, pictures and films, each of which becomes a vector.
    pub inputs: Vec<ContentBlock>,
    /// What the vectors are for, where the model makes a difference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purpose: Option<EmbedPurpose>,
    /// Fields for this provider alone, put into each request body as they are.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub extra: Map,
}

impl EmbedRequest {
    /// Asks for a vector for each of `inputs`.
    pub fn new(inputs: impl IntoIterator<Item = impl Into<ContentBlock>>) -> Self {
        Self { inputs: inputs.into_iter().map(Into::into).collect(), ..Self::default() }
    }

    /// What the vectors are for. Models that are made for search place a question near its answers, and not near questions that
    /// are worded alike.
    #[must_use]
    pub fn purpose(mut self, purpose: EmbedPurpose) -> Self {
        self.purpose = Some(purpose);
        self
    }

    /// A field for this provider alone.
    #[must_use]
    pub fn extra(mut self, field: impl Into<String>, value: impl Into<serde_json::Value>) -> Self {
        self.extra.insert(field.into(), value.into());
        self
    }
}

/// What vectors are for.
///
/// ```
/// use agentscope_core::EmbedPurpose;
/// assert_eq!(serde_json::to_string(&EmbedPurpose::Query)?, r#""query""#);
/// # Ok::<_, serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EmbedPurpose {
    /// To search with.
    Query,
    /// To be found.
    Document,
}

/// Your own embedder of texts, for rules and tests: a function from a text to its vector. Media are refused.
///
/// ```
/// use agentscope_core::{Embedder, EmbedderCard, embedder_fn};
///
/// let vowels = embedder_fn(EmbedderCard::new("vowels", 5), |text| {
///     "aeiou".chars().map(|vowel| text.matches(vowel).count() as f32).collect()
/// });
/// assert_eq!(vowels.card().dimensions, 5);
/// ```
pub fn embedder_fn<F>(card: EmbedderCard, vector: F) -> impl Embedder + Clone
where
    F: Fn(&str) -> Vec<f32> + Send + Sync + 'static,
{
    FnEmbedder { card: Arc::new(card), vector: Arc::new(vector) }
}

#[derive(Clone)]
struct FnEmbedder {
    card: Arc<EmbedderCard>,
    vector: Arc<dyn Fn(&str) -> Vec<f32> + Send + Sync>,
}

#[async_trait]
impl Embedder for FnEmbedder {
    fn card(&self) -> &EmbedderCard {
        &self.card
    }

    async fn embed(&self, req: EmbedRequest, _: Context) -> Result<Embeddings> {
        let rows = req.inputs.iter().map(|input| match input {
            ContentBlock::Text { text, .. } => Ok((self.vector)(text)),
            _ => Err(crate::Error::new(
                crate::ErrorKind::InvalidInput,
                format!("`{}` embeds texts only: give it words", self.card.name),
            )),
        });
        Embeddings::from_rows(rows.collect::<Result<Vec<_>>>()?)
    }
}

#[async_trait]
impl<T: Embedder + ?Sized> Embedder for Arc<T> {
    fn card(&self) -> &EmbedderCard {
        (**self).card()
    }

    async fn embed(&self, req: EmbedRequest, cx: Context) -> Result<Embeddings> {
        (**self).embed(req, cx).await
    }
}
