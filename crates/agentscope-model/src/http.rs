//! What all models over HTTP have in common: settings, one request and its answer, and what is told when it fails. What differs
//! is a [`Format`].

mod access;
mod answer;
mod count;
mod endpoint;
#[cfg(test)]
mod evidence;
mod fault;
mod format;
mod lines;
mod media;
mod model;
mod patience;
mod reader;
mod service;
mod sse;
#[cfg(test)]
pub(crate) mod testing;

pub(crate) use access::Access;
#[cfg(any(feature = "embedding", feature = "image"))]
pub(crate) use access::Place;
pub(crate) use endpoint::with_path;
pub(crate) use fault::Peer;
#[cfg(any(feature = "embedding", feature = "image"))]
pub(crate) use fault::compressed;
pub(crate) use format::{Ask, Counting, Decode, Format, Framing, not_written, written};
pub(crate) use media::Inlined;
#[cfg(any(feature = "embedding", feature = "image"))]
pub(crate) use media::{FILE_LIMIT, Inline, read_file};
pub(crate) use model::{HttpChatModel, http_chat_model};
pub(crate) use service::{Auth, Service};

use crate::{
    cards,
    resilience::{RetryPolicy, retry::retrying},
};
use agentscope_core::{Context, Error, Map, ModelCard, ModelDelta, ModelRequest, ModelStream, Name, Result};
use agentscope_net::shown;
use answer::Answer;
use endpoint::Endpoint;
use reader::Reader;
use std::{
    collections::VecDeque,
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

/// Longest wait for the first byte of an answer (5 min): a model may think long before it says anything.
const FIRST_BYTE_TIMEOUT: Duration = Duration::from_secs(300);

/// Longest silence within an answer (2 min).
const CHUNK_TIMEOUT: Duration = Duration::from_secs(120);

/// What a model over HTTP is made of.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) format: Arc<dyn Format>,
    pub(crate) card: Arc<ModelCard>,
    /// The price on the card comes with this version: it is that of the provider's own address.
    pub(crate) found_price: bool,
    pub(crate) access: Access,
    pub(crate) extra: Map,
    pub(crate) temperature: Option<f64>,
    pub(crate) max_tokens: Option<u64>,
    pub(crate) stream: bool,
    pub(crate) retry: RetryPolicy,
    pub(crate) first_byte_timeout: Duration,
    pub(crate) chunk_timeout: Duration,
    /// Whether the server was seen to refuse being told which tool to call.
    free_choice: Arc<AtomicBool>,
    /// Whether the server was seen to refuse thoughts that others have sealed, and to answer without them.
    without_thoughts: Arc<AtomicBool>,
    endpoint: OnceLock<Result<Endpoint>>,
}

impl Settings {
    /// A model of the provider that the format names. Key and address are found in the provider's variables. What nobody knows
    /// of the model is as `assume` has it.
    pub(crate) fn new(format: Arc<dyn Format>, model: String, assume: impl FnOnce(&mut ModelCard)) -> Self {
        let service = format.service();
        let mut card = ModelCard::new(model.as_str());
        card.spec = format!("{}:{model}", service.name);
        assume(&mut card);
        let known_as = if service.name.is_empty() { "other" } else { service.name };
        cards::describe(&mut card, known_as);
        let mut settings = Self {
            found_price: cards::has_builtin_price(&card, known_as),
            card: Arc::new(card),
            access: Access::of(service),
            extra: Map::new(),
            temperature: None,
            max_tokens: None,
            stream: true,
            retry: RetryPolicy::default(),
            first_byte_timeout: FIRST_BYTE_TIMEOUT,
            chunk_timeout: CHUNK_TIMEOUT,
            free_choice: Arc::default(),
            without_thoughts: Arc::default(),
            endpoint: OnceLock::new(),
            format,
        };
        settings.forget_price();
        settings
    }

    pub(crate) fn change(mut self: Arc<Self>, change: impl FnOnce(&mut Self)) -> Arc<Self> {
        let settings = Arc::make_mut(&mut self);
        change(settings);
        // What was seen of the server before may be wrong now.
        settings.endpoint = OnceLock::new();
        settings.free_choice = Arc::default();
        settings.without_thoughts = Arc::default();
        self
    }

    /// Answers a request.
    pub(crate) fn call(self: &Arc<Self>, mut req: ModelRequest, cx: Context) -> ModelStream {
        self.complete(&mut req);
        let (settings, req) = (Arc::clone(self), Arc::new(req));
        let attempt = move || Answer::stream(Arc::clone(&settings), Arc::clone(&req));
        retrying(self.retry.clone(), self.card.name.clone(), cx, attempt)
    }

    /// Puts in what the request leaves to the model.
    fn complete(&self, req: &mut ModelRequest) {
        req.options.temperature = req.options.temperature.or(self.temperature);
        req.options.max_tokens = req.options.max_tokens.or(self.max_tokens);
    }

    /// What is asked, for those who write it down.
    fn ask<'a>(&'a self, req: &'a ModelRequest, media: &'a Inlined, free_choice: bool) -> Ask<'a> {
        Ask {
            req,
            card: &self.card,
            manners: self.format.manners(),
            extra: &self.extra,
            media,
            stream: self.stream,
            at_home: self.access.is_at_home(),
            free_choice,
            without_thoughts: self.without_thoughts.load(Relaxed),
        }
    }

    /// Reads the answer.
    fn reader(&self, address: Name, ask: &Ask<'_>) -> Reader {
        let peer = Peer { address, service: self.format.service() };
        Reader::new(self.format.decoder(peer, ask), self.format.framing(), self.stream)
    }

    /// The body of a request.
    pub(crate) async fn request_body(&self, req: &ModelRequest) -> Result<Vec<u8>> {
        let mut req = req.clone();
        self.complete(&mut req);
        let media = Inlined::of(&req, self.format.manners()).await?;
        self.format.encode(&self.ask(&req, &media, false))
    }

    /// What an answer says.
    pub(crate) fn read_answer(&self, body: &[u8]) -> Result<Vec<ModelDelta>> {
        let (req, media) = (ModelRequest::default(), Inlined::default());
        let mut reader = self.reader("the server".into(), &self.ask(&req, &media, false));
        let mut out = VecDeque::new();
        reader.feed(body, &mut out)?;
        reader.end(&mut out)?;
        Ok(out.into())
    }

    /// Another address. A key that was found in the environment is not sent there: it is that of the provider.
    pub(crate) fn set_base_url(&mut self, url: String) {
        self.access.set_base_url(url);
        self.forget_price();
    }

    /// As [`set_base_url`](Self::set_base_url), for a key that was found for whatever address there is.
    pub(crate) fn set_address(&mut self, url: String) {
        self.access.base_url = url;
        self.forget_price();
    }

    /// Elsewhere than at the provider's own address, nobody knows what its models cost.
    pub(crate) fn forget_price(&mut self) {
        if self.found_price && !self.access.is_at_home() {
            self.found_price = false;
            Arc::make_mut(&mut self.card).price = None;
        }
    }

    /// Whether a request can be sent at all.
    pub(crate) fn check(&self) -> Result<()> {
        self.format.check()?;
        self.endpoint().map(drop)
    }

    /// The error without what is secret: servers repeat what they were sent.
    fn without_secrets(&self, error: Error) -> Error {
        self.access.without_secrets(error, self.endpoint().ok().map(|endpoint| &endpoint.url))
    }

    /// Where requests go, made once.
    fn endpoint(&self) -> Result<&Endpoint> {
        self.endpoint.get_or_init(|| Endpoint::of(self)).as_ref().map_err(Error::clone)
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { format, card, access, stream, .. } = self;
        f.debug_struct("Model")
            .field("format", format)
            .field("model", &card.name)
            .field("base_url", &shown(&access.base_url))
            .field("stream", stream)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
