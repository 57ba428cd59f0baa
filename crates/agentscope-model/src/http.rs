//! What all models over HTTP have in common: settings, one request and its answer, and what is told when it fails. What differs
//! is a [`Format`].

mod answer;
mod count;
mod endpoint;
mod fault;
mod format;
mod lines;
mod media;
mod model;
mod reader;
mod service;
mod sse;
#[cfg(test)]
pub(crate) mod testing;

pub(crate) use endpoint::with_path;
pub(crate) use fault::Peer;
pub(crate) use format::{Ask, Counting, Decode, Format, Framing, written};
pub(crate) use media::{Inlined, image_type};
pub(crate) use model::{HttpChatModel, http_chat_model};
pub(crate) use service::{Auth, Service};

use crate::resilience::{RetryPolicy, retry::retrying};
use agentscope_core::{
    Context, Error, Map, ModelCard, ModelDelta, ModelRequest, ModelStream, Name, Result, Secret,
};
use agentscope_net::shown;
use answer::Answer;
use endpoint::Endpoint;
use reader::Reader;
use std::{
    borrow::Cow,
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

/// Fewest bytes of a secret that is looked for in what is told (4): shorter ones are in any text.
const SECRET_LENGTH: usize = 4;

/// What a model over HTTP is made of.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) format: Arc<dyn Format>,
    pub(crate) card: Arc<ModelCard>,
    pub(crate) base_url: String,
    pub(crate) key: Option<Secret>,
    /// The variable of the environment in which the key was found: it is that of the provider's own address.
    pub(crate) found_key: Option<&'static str>,
    /// The address was given in the program, so that a key of the environment is not for it.
    pub(crate) own_address: bool,
    pub(crate) headers: Vec<(String, Secret)>,
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
    /// A model of the provider that the format names. Key and address are found in the provider's variables.
    pub(crate) fn new(format: Arc<dyn Format>, model: String) -> Self {
        let service = format.service();
        let mut card = ModelCard::new(model.as_str());
        card.spec = format!("{}:{model}", service.name);
        let key = service.keys.iter().find_map(|name| Some((*name, variable(name)?)));
        Self {
            card: Arc::new(card),
            base_url: variable(service.base_url_variable).unwrap_or_else(|| service.base_url.to_owned()),
            found_key: key.as_ref().map(|(name, _)| *name),
            own_address: false,
            key: key.map(|(_, key)| Secret::from(key.trim())),
            headers: Vec::new(),
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
        }
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
            at_home: self.is_at_home(),
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
        self.base_url = url;
        self.own_address = true;
        if self.found_key.take().is_some() {
            self.key = None;
        }
    }

    /// Whether a request can be sent at all.
    pub(crate) fn check(&self) -> Result<()> {
        self.format.check()?;
        self.endpoint().map(drop)
    }

    /// Whether requests go to the provider's own address, and not to that of someone who speaks alike.
    pub(crate) fn is_at_home(&self) -> bool {
        let home = self.format.service().base_url;
        !home.is_empty() && self.base_url == home
    }

    /// The error without what is secret: servers repeat what they were sent.
    fn without_secrets(&self, error: Error) -> Error {
        let secrets = self.key.iter().chain(self.headers.iter().map(|(_, value)| value));
        let secrets = secrets.map(|secret| Cow::Borrowed(secret.expose()));
        let told = secrets
            .chain(self.endpoint().into_iter().flat_map(Endpoint::secrets))
            .filter(|secret| secret.len() >= SECRET_LENGTH)
            .fold(error.message().to_owned(), |told, secret| told.replace(&*secret, "***"));
        if told == error.message() {
            return error;
        }
        // Its causes may repeat them too, so they are left out.
        let clean = Error::new(error.kind(), told);
        match error.retry_after() {
            Some(wait) => clean.with_retry_after(wait),
            None => clean,
        }
    }

    /// Where requests go, made once.
    fn endpoint(&self) -> Result<&Endpoint> {
        self.endpoint.get_or_init(|| Endpoint::of(self)).as_ref().map_err(Error::clone)
    }
}

fn variable(name: &str) -> Option<String> {
    if name.is_empty() { None } else { std::env::var(name).ok().filter(|it| !it.trim().is_empty()) }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { format, card, base_url, stream, .. } = self;
        f.debug_struct("Model")
            .field("format", format)
            .field("model", &card.name)
            .field("base_url", &shown(base_url))
            .field("stream", stream)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
