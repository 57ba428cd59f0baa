//! What all embedders of providers have in common, and what can be set.

use super::batches::{Batches, in_order};
use crate::{http::Service, json_call::Endpoint};
use agentscope_core::{
    ContentBlock, Context, EmbedRequest, EmbedderCard, Embeddings, Error, ErrorKind, Map, Result, Usage,
};
use futures_core::future::BoxFuture;
use std::{sync::Arc, time::Duration};

/// Most requests at a time (4).
const CONCURRENCY: usize = 4;

/// Longest time for one answer (1 min).
const TIMEOUT: Duration = Duration::from_secs(60);

/// Largest answer (64 MiB): 2048 vectors of 3072 numbers, 10 bytes each.
const ANSWER_LIMIT: usize = 64 << 20;

/// What is known of a model that everyone uses.
pub(super) struct Known {
    /// How its name begins.
    pub(super) name: &'static str,
    pub(super) dimensions: usize,
    pub(super) max_batch: usize,
    pub(super) max_input_tokens: u64,
}

/// What an embedder was told.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) endpoint: Endpoint,
    pub(super) card: Arc<EmbedderCard>,
    /// The dimensions that are asked for, where it is not left to the model.
    pub(super) dimensions: Option<usize>,
    pub(super) concurrency: usize,
    /// Most tokens in all inputs of a request, by estimate; 0 for any number.
    pub(super) batch_tokens: u64,
    pub(super) extra: Map,
}

/// One request's worth of vectors, each with the number of its input in that request.
pub(super) struct Answer {
    pub(super) vectors: Vec<(usize, Vec<f32>)>,
    pub(super) usage: Usage,
}

/// The vectors of a part in the order of its inputs, and what they cost.
type Part = (Vec<Vec<f32>>, Usage);

/// How a provider is asked for the vectors of a part.
pub(super) type Ask = for<'a> fn(
    &'a Settings,
    &'a EmbedRequest,
    &'a [ContentBlock],
    &'a Context,
) -> BoxFuture<'a, Result<Answer>>;

impl Settings {
    pub(super) fn new(service: &'static Service, model: String, known: &[Known], max_batch: usize) -> Self {
        let mut card = EmbedderCard::new(model.as_str(), 0).max_batch(max_batch);
        card.spec = format!("{}:{model}", service.name);
        if let Some(known) = known.iter().find(|known| model.starts_with(known.name)) {
            (card.dimensions, card.max_batch) = (known.dimensions, known.max_batch);
            card.max_input_tokens = known.max_input_tokens;
        }
        Self {
            endpoint: Endpoint::new(service, model, "an input", TIMEOUT, ANSWER_LIMIT),
            card: Arc::new(card),
            dimensions: None,
            concurrency: CONCURRENCY,
            batch_tokens: 0,
            extra: Map::new(),
        }
    }

    pub(super) fn set_dimensions(&mut self, dimensions: usize) {
        self.dimensions = Some(dimensions);
        Arc::make_mut(&mut self.card).dimensions = dimensions;
    }

    /// Divides the inputs, asks for each part by `ask`, and puts the vectors together.
    pub(super) async fn embed(&self, req: &EmbedRequest, cx: &Context, ask: Ask) -> Result<Embeddings> {
        if cx.time_left().is_some_and(|left| left.is_zero()) {
            return Err(Error::new(ErrorKind::Timeout, "the deadline passed before anything was embedded"));
        }
        self.check(&req.inputs)?;
        let batches = Batches { inputs: &req.inputs, most: self.card.max_batch, tokens: self.batch_tokens };
        let batches: Vec<&[ContentBlock]> = batches.collect();
        let count = batches.len();
        let mut asked: Vec<BoxFuture<'_, Result<Part>>> = Vec::with_capacity(count);
        for (number, batch) in batches.into_iter().enumerate() {
            asked.push(Box::pin(async move {
                let answer =
                    ask(self, req, batch, cx).await.and_then(|answer| self.whole(answer, batch.len()));
                answer.map_err(|error| match count {
                    1 => error,
                    _ => error.context(format!("part {} of {count}", number + 1)),
                })
            }));
        }
        let parts = in_order(asked, self.concurrency).await?;
        self.together(parts)
    }

    /// What no provider takes is refused before anything is sent.
    fn check(&self, inputs: &[ContentBlock]) -> Result<()> {
        let wrong = |at: usize, why: &str| {
            let message = format!("input {at} of {} {why}", inputs.len());
            Err(Error::new(ErrorKind::InvalidInput, message))
        };
        for (at, input) in inputs.iter().enumerate() {
            let (name, media) = match input {
                ContentBlock::Text { text, .. } if text.is_empty() => {
                    return wrong(at + 1, "is an empty text, which has no meaning: leave it out");
                }
                ContentBlock::Text { .. } => continue,
                ContentBlock::Image(media) => ("an image", media),
                ContentBlock::Audio(media) => ("a sound", media),
                ContentBlock::Video(media) => ("a film", media),
                ContentBlock::File(media) => ("a file", media),
                _ => return wrong(at + 1, "is neither words nor media: give what it says as text"),
            };
            let media_type = media.media_type();
            let taken = self.card.input_types.iter().any(|it| match it.strip_suffix("/*") {
                Some(group) => media_type.split('/').next() == Some(group) || name_of(group) == name,
                None => it == media_type,
            });
            if !taken {
                let takes = if self.card.input_types.is_empty() {
                    "texts only".to_owned()
                } else {
                    format!("text and {}", self.card.input_types.join(", "))
                };
                let why = format!("is {name} ({media_type}), and `{}` takes {takes}", self.card.name);
                return wrong(at + 1, &why);
            }
        }
        Ok(())
    }

    /// An answer in the order of its inputs, if it is one.
    fn whole(&self, answer: Answer, inputs: usize) -> Result<Part> {
        let Answer { vectors, usage } = answer;
        let nonsense = |why: String| Err(self.endpoint.nonsense(why));
        if vectors.len() != inputs {
            return nonsense(format!("{} vectors for {inputs} inputs", vectors.len()));
        }
        let mut rows: Vec<Vec<f32>> = vec![Vec::new(); inputs];
        for (at, vector) in vectors {
            if vector.is_empty() {
                return nonsense(format!("an empty vector for input {at}"));
            }
            if let Some(odd) = vector.iter().find(|number| !number.is_finite()) {
                return nonsense(format!("the number {odd} in the vector of input {at}"));
            }
            match rows.get_mut(at) {
                Some(row) if row.is_empty() => *row = vector,
                Some(_) => return nonsense(format!("two vectors for input {at}")),
                None => return nonsense(format!("a vector for input {at} of {inputs}, counted from 0")),
            }
        }
        Ok((rows, usage))
    }

    fn together(&self, parts: Vec<Part>) -> Result<Embeddings> {
        let mut usage = Usage::default();
        let mut dimensions = self.card.dimensions;
        let count: usize = parts.iter().map(|(rows, _)| rows.len()).sum();
        let mut values = Vec::new();
        for (rows, cost) in parts {
            usage += cost;
            for row in rows {
                if dimensions == 0 {
                    dimensions = row.len();
                }
                if row.len() != dimensions {
                    let why = format!(
                        "a vector of {} numbers in place of {dimensions}: set `.dimensions(..)` to what the model gives;",
                        row.len()
                    );
                    return Err(self.endpoint.nonsense(why));
                }
                values.reserve_exact(if values.is_empty() { count * dimensions } else { 0 });
                values.extend_from_slice(&row);
            }
        }
        let dimensions = if values.is_empty() { 0 } else { dimensions };
        Ok(Embeddings::new(dimensions, values)?.with_usage(usage))
    }
}

/// A group of media types as a block has it, whose own type may be unknown.
fn name_of(group: &str) -> &'static str {
    match group {
        "image" => "an image",
        "audio" => "a sound",
        "video" => "a film",
        _ => "",
    }
}

/// The builders of an embedder that has its settings in an `Arc`, and what it shows of itself.
macro_rules! embedder {
    ($name:ident, $ask:path) => {
        impl $name {
            fn change(mut self, change: impl FnOnce(&mut $crate::embedding::settings::Settings)) -> Self {
                change(::std::sync::Arc::make_mut(&mut self.0));
                self
            }

            fn describe(self, change: impl FnOnce(&mut ::agentscope_core::EmbedderCard)) -> Self {
                self.change(|settings| change(::std::sync::Arc::make_mut(&mut settings.card)))
            }

            /// What vectors depend on is in the card, so that a cache tells them apart.
            fn noted(self, field: &str, value: impl Into<::serde_json::Value>) -> Self {
                self.describe(|card| card.extra.set(field, value))
            }

            /// As an embedder that can be asked at all.
            pub(crate) fn checked(
                self,
            ) -> ::agentscope_core::Result<::std::sync::Arc<dyn ::agentscope_core::Embedder>> {
                self.0.endpoint.check()?;
                Ok(::std::sync::Arc::new(self))
            }

            /// With what a configuration says of the connection, its address and further fields of each request.
            pub(crate) fn configured(
                self,
                connect: impl FnOnce(&mut $crate::json_call::Endpoint),
                url: Option<&str>,
                fields: &::agentscope_core::Map,
            ) -> ::agentscope_core::Result<::std::sync::Arc<dyn ::agentscope_core::Embedder>> {
                let mut embedder = self.change(|settings| connect(&mut settings.endpoint));
                if let Some(url) = url {
                    embedder = embedder.noted("base_url", ::agentscope_net::shown(url));
                }
                for (field, value) in fields {
                    let dimensions = value.as_u64().and_then(|it| usize::try_from(it).ok());
                    embedder = match dimensions.filter(|_| field == "dimensions") {
                        Some(dimensions) => embedder.dimensions(dimensions),
                        None => embedder.body(field, value.clone()),
                    };
                }
                embedder.checked()
            }

            /// The key, instead of that of the environment.
            #[must_use]
            pub fn api_key(self, key: impl Into<::agentscope_core::Secret>) -> Self {
                self.change(|settings| settings.endpoint.set_key(key.into()))
            }

            /// The address of the API. A key that was found in the environment is not sent there: it is that of the provider.
            #[must_use]
            pub fn base_url(self, url: impl AsRef<str>) -> Self {
                let url = url.as_ref();
                self.change(|settings| settings.endpoint.set_base_url(url))
                    .noted("base_url", ::agentscope_net::shown(url))
            }

            /// A further header of each request. Its value is treated as a secret.
            #[must_use]
            pub fn header(
                self,
                name: impl Into<String>,
                value: impl Into<::agentscope_core::Secret>,
            ) -> Self {
                self.change(|settings| settings.endpoint.add_header(name.into(), value.into()))
            }

            /// A further field of each request, where the provider has its options. It replaces one that would be there, and
            /// `null` takes it out. [`EmbedRequest::extra`](agentscope_core::EmbedRequest) comes before it.
            #[must_use]
            pub fn body(self, field: impl Into<String>, value: impl Into<::serde_json::Value>) -> Self {
                let (field, value) = (field.into(), value.into());
                self.noted(&field, value.clone()).change(|settings| drop(settings.extra.insert(field, value)))
            }

            /// Numbers in each vector, where the model lets one choose. A vector of another length is an error in any case.
            #[must_use]
            pub fn dimensions(self, dimensions: usize) -> Self {
                self.change(|settings| settings.set_dimensions(dimensions))
            }

            /// Most inputs in one request, instead of what the provider is known to take.
            #[must_use]
            pub fn max_batch(self, inputs: usize) -> Self {
                self.describe(|card| card.max_batch = inputs.max(1))
            }

            /// Most requests at a time (4).
            #[must_use]
            pub fn concurrency(self, requests: usize) -> Self {
                self.change(|settings| settings.concurrency = requests.max(1))
            }

            /// How often a request is sent again that may succeed later (2).
            #[must_use]
            pub fn retries(self, retries: u32) -> Self {
                self.change(|settings| {
                    settings.endpoint.retry = settings.endpoint.retry.clone().retries(retries);
                })
            }

            /// How often, when, and after which errors a request is sent again.
            #[must_use]
            pub fn retry(self, policy: $crate::RetryPolicy) -> Self {
                self.change(|settings| settings.endpoint.retry = policy)
            }

            /// Longest time for one answer (1 min).
            #[must_use]
            pub fn timeout(self, timeout: ::std::time::Duration) -> Self {
                self.change(|settings| settings.endpoint.timeout = timeout)
            }

            /// A million tokens cost so much, in the provider's currency.
            #[must_use]
            pub fn price(self, input: f64) -> Self {
                self.describe(|card| *card = std::mem::take(card).price(input))
            }
        }

        #[::async_trait::async_trait]
        impl ::agentscope_core::Embedder for $name {
            fn card(&self) -> &::agentscope_core::EmbedderCard {
                &self.0.card
            }

            async fn embed(
                &self,
                req: ::agentscope_core::EmbedRequest,
                cx: ::agentscope_core::Context,
            ) -> ::agentscope_core::Result<::agentscope_core::Embeddings> {
                self.0
                    .embed(&req, &cx, |settings, req, batch, cx| Box::pin($ask(settings, req, batch, cx)))
                    .await
            }
        }

        impl ::std::fmt::Debug for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.debug_struct(stringify!($name))
                    .field("model", &self.0.card.name)
                    .field("base_url", &self.0.endpoint.shown())
                    .field("dimensions", &self.0.card.dimensions)
                    .finish_non_exhaustive()
            }
        }
    };
}
pub(super) use embedder;
