//! Chat by the API of OpenAI, which most servers speak.

mod answer;
mod decode;
mod encode;
mod endpoint;
mod fault;
mod messages;
mod part;
mod provider;
mod sound;
mod strict;
mod surrogates;
mod transcript;
mod wire;

pub(crate) use messages::is_own;
pub use provider::Provider;

use agentscope_core::{
    ChatModel, Context, Error, ErrorKind, Map, ModelCard, ModelRequest, ModelStream, Price, Result, Secret,
};
use agentscope_net::{
    reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
    shown,
};
use answer::Answer;
use endpoint::Endpoint;
use serde_json::Value;
use std::{
    borrow::Cow,
    fmt,
    sync::{Arc, OnceLock, atomic::AtomicBool},
    time::Duration,
};

/// Most times that a request is sent again (2).
const RETRIES: u32 = 2;

/// Longest wait for the first byte of an answer (5 min): a model may think long before it says anything.
const FIRST_BYTE_TIMEOUT: Duration = Duration::from_secs(300);

/// Longest silence within an answer (2 min).
const CHUNK_TIMEOUT: Duration = Duration::from_secs(120);

/// Fewest bytes of a secret that is looked for in what is told (4): shorter ones are in any text.
const SECRET_LENGTH: usize = 4;

/// A chat model behind an API that is compatible with OpenAI's: OpenAI itself, DashScope, DeepSeek, Moonshot, Ollama, vLLM,
/// llama.cpp and many others.
///
/// It sends a request again, twice by default, where the server says that it takes no more for now (429, with its `Retry-After`
/// up to a minute) or fails (5xx), or the connection does not come about, as long as nothing of the answer was given away. The
/// waits between are random, up to 0.5 s, 1 s, ..
///
/// Cloning it is cheap and gives the same model. Errors: [`ErrorKind::Unauthorized`] for a missing or wrong key,
/// [`ErrorKind::RateLimited`], [`ErrorKind::Exhausted`] for a quota or credit that is used up, [`ErrorKind::ContextOverflow`],
/// [`ErrorKind::NotFound`] for an unknown model or address, [`ErrorKind::InvalidInput`] for a request that the server does not
/// accept, [`ErrorKind::Refused`] by a content filter, [`ErrorKind::Timeout`], [`ErrorKind::Unavailable`] where the server
/// fails or its answer breaks off, [`ErrorKind::Protocol`] for an answer that is none.
///
/// ```
/// use agentscope_core::ChatModel;
/// use agentscope_model::{OpenAIChatModel, Provider};
///
/// let model = OpenAIChatModel::new("gpt-4o").api_key("sk-..").temperature(0.2);
/// assert_eq!(model.card().name, "gpt-4o");
///
/// let local = OpenAIChatModel::of(Provider::Vllm, "Qwen/Qwen3-8B").base_url("http://gpu-1:8000/v1").context_size(32_768);
/// assert_eq!(local.card().context_size, 32_768);
/// ```
#[derive(Clone)]
pub struct OpenAIChatModel(Arc<Settings>);

#[derive(Clone)]
struct Settings {
    provider: Provider,
    card: Arc<ModelCard>,
    base_url: String,
    key: Option<Secret>,
    /// The key is that of the provider's own address, found in the environment.
    found_key: bool,
    /// The address was given in the program, so that a key of the environment is not for it.
    own_address: bool,
    headers: Vec<(String, Secret)>,
    extra: Map,
    temperature: Option<f64>,
    stream: bool,
    retries: u32,
    first_byte_timeout: Duration,
    chunk_timeout: Duration,
    /// Whether the server was seen to refuse being told which tool to call.
    free_choice: Arc<AtomicBool>,
    endpoint: OnceLock<Result<Endpoint>>,
}

impl OpenAIChatModel {
    /// A model of OpenAI, such as `gpt-4o`. The key is that of OPENAI_API_KEY, the address that of OPENAI_BASE_URL or
    /// `https://api.openai.com/v1`.
    pub fn new(model: impl Into<String>) -> Self {
        Self::of(Provider::OpenAi, model)
    }

    /// A model of a provider. Key and address are found in the provider's variables, see [`Provider`].
    pub fn of(provider: Provider, model: impl Into<String>) -> Self {
        let (ways, model) = (provider.ways(), model.into());
        let variable = |name: &str| std::env::var(name).ok().filter(|it| !it.trim().is_empty());
        let mut card = ModelCard::new(model.as_str());
        card.output_schema = ways.output_schema;
        card.spec = format!("{provider}:{model}");
        let is_one = |names: &[&str]| names.iter().any(|it| model.starts_with(it));
        let sees = is_one(&["gpt-4o", "gpt-4.1", "gpt-5", "o1", "o3", "o4"])
            && !is_one(&["o1-mini", "o1-preview", "o3-mini", "gpt-4o-audio", "gpt-4o-mini-audio"]);
        if sees && provider == Provider::OpenAi {
            card.input_types = vec!["image/*".to_owned()];
        }
        let key = variable(ways.key).map(|key| Secret::from(key.trim()));
        Self(Arc::new(Settings {
            provider,
            card: Arc::new(card),
            base_url: variable(ways.base_url_variable).unwrap_or_else(|| ways.base_url.to_owned()),
            found_key: key.is_some(),
            own_address: false,
            key,
            headers: Vec::new(),
            extra: Map::new(),
            temperature: None,
            stream: true,
            retries: RETRIES,
            first_byte_timeout: FIRST_BYTE_TIMEOUT,
            chunk_timeout: CHUNK_TIMEOUT,
            free_choice: Arc::default(),
            endpoint: OnceLock::new(),
        }))
    }

    fn change(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        let settings = Arc::make_mut(&mut self.0);
        change(settings);
        settings.endpoint = OnceLock::new();
        settings.free_choice = Arc::default();
        self
    }

    fn describe(self, change: impl FnOnce(&mut ModelCard)) -> Self {
        self.change(|settings| change(Arc::make_mut(&mut settings.card)))
    }

    /// The key, instead of that of the environment.
    #[must_use]
    pub fn api_key(self, key: impl Into<Secret>) -> Self {
        self.change(|settings| (settings.key, settings.found_key) = (Some(key.into()), false))
    }

    /// The address of the API, which mostly ends with `/v1`. A key that was found in the environment is not sent there: it is
    /// that of the provider. Give one by [`api_key`](Self::api_key) where it is needed.
    #[must_use]
    pub fn base_url(self, url: impl Into<String>) -> Self {
        self.change(|settings| {
            settings.base_url = url.into();
            settings.own_address = true;
            if std::mem::take(&mut settings.found_key) {
                settings.key = None;
            }
        })
    }

    /// A further header of each request, such as `OpenAI-Organization`. Its value is treated as a secret.
    #[must_use]
    pub fn header(self, name: impl Into<String>, value: impl Into<Secret>) -> Self {
        self.change(|settings| settings.headers.push((name.into(), value.into())))
    }

    /// A further field of each request's body, such as `enable_thinking`. It replaces one that would be there, and `null` takes
    /// it out. Those of [`ModelOptions::extra`](agentscope_core::ModelOptions) come before it.
    #[must_use]
    pub fn body(self, field: impl Into<String>, value: impl Into<Value>) -> Self {
        self.change(|settings| drop(settings.extra.insert(field.into(), value.into())))
    }

    /// From 0, always the likeliest, upwards; a request's own comes first.
    #[must_use]
    pub fn temperature(self, temperature: f64) -> Self {
        self.change(|settings| settings.temperature = Some(temperature))
    }

    /// Whether the answer is asked for piece by piece (the default) or as a whole.
    #[must_use]
    pub fn stream(self, stream: bool) -> Self {
        self.change(|settings| settings.stream = stream)
    }

    /// How often a request is sent again that may succeed later (2).
    #[must_use]
    pub fn retries(self, retries: u32) -> Self {
        self.change(|settings| settings.retries = retries)
    }

    /// Longest wait for the first byte of an answer (5 min).
    #[must_use]
    pub fn first_byte_timeout(self, timeout: Duration) -> Self {
        self.change(|settings| settings.first_byte_timeout = timeout)
    }

    /// Longest silence within an answer (2 min).
    #[must_use]
    pub fn chunk_timeout(self, timeout: Duration) -> Self {
        self.change(|settings| settings.chunk_timeout = timeout)
    }

    /// So many tokens fit into a request and its answer.
    #[must_use]
    pub fn context_size(self, tokens: u64) -> Self {
        self.describe(|card| card.context_size = tokens)
    }

    /// What a million tokens cost.
    #[must_use]
    pub fn price(self, price: Price) -> Self {
        self.describe(|card| card.price = Some(price))
    }

    /// The media types that it takes beside text, such as `image/*`. What is in a message is sent in any case; the images of a
    /// tool's result are shown to a model that is known to take them.
    #[must_use]
    pub fn input_types(self, types: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.describe(|card| card.input_types = types.into_iter().map(Into::into).collect())
    }

    /// Whether the server can hold the model to a JSON schema. Where it cannot, structured output goes by a tool.
    #[must_use]
    pub fn native_output_schema(self, native: bool) -> Self {
        self.describe(|card| card.output_schema = native)
    }

    /// As [`base_url`](Self::base_url), for a key that was found for whatever address there is.
    pub(crate) fn at(self, url: &str) -> Self {
        self.change(|settings| settings.base_url = url.to_owned())
    }

    /// Whether a request can be sent at all.
    pub(crate) fn check(&self) -> Result<()> {
        self.0.endpoint().map(drop)
    }

    pub(crate) fn spec(self, spec: &str) -> Self {
        self.describe(|card| card.spec = spec.to_owned())
    }
}

impl Settings {
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

    /// The providers themselves take the name of a tool beside its result, which is no part of the API; who else is behind an
    /// address may refuse it.
    fn names_tools(&self) -> bool {
        let ways = self.provider.ways();
        ways.names_tools && self.base_url == ways.base_url
    }

    fn head(&self) -> Result<HeaderMap> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let ways = self.provider.ways();
        match &self.key {
            Some(key) => {
                let what = if self.found_key { ways.key } else { "the API key" };
                let value = secret_value(&format!("Bearer {}", key.expose()), what)?;
                headers.insert(AUTHORIZATION, value);
            }
            None if ways.needs_key && self.base_url == ways.base_url => {
                let message =
                    format!("model `{}` needs {}: set it or pass `.api_key(..)`", self.card.name, ways.key);
                return Err(Error::new(ErrorKind::Unauthorized, message));
            }
            None => {}
        }
        for (name, value) in &self.headers {
            let known: HeaderName = name.parse().map_err(|_| {
                Error::new(
                    ErrorKind::InvalidInput,
                    format!("`{name}` is no name of an HTTP header: correct it"),
                )
            })?;
            headers.insert(known, secret_value(value.expose(), name)?);
        }
        Ok(headers)
    }
}

fn secret_value(value: &str, what: &str) -> Result<HeaderValue> {
    let mut value = HeaderValue::from_str(value).map_err(|_| {
        let message =
            format!("{what} has characters that no HTTP header can have, such as a line break: correct it");
        Error::new(ErrorKind::InvalidInput, message)
    })?;
    value.set_sensitive(true);
    Ok(value)
}

impl ChatModel for OpenAIChatModel {
    fn card(&self) -> &ModelCard {
        &self.0.card
    }

    fn call(&self, mut req: ModelRequest, cx: Context) -> ModelStream {
        req.options.temperature = req.options.temperature.or(self.0.temperature);
        Answer::stream(Arc::clone(&self.0), req, cx)
    }
}

impl fmt::Debug for OpenAIChatModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Settings { provider, card, base_url, stream, .. } = &*self.0;
        f.debug_struct("OpenAIChatModel")
            .field("provider", provider)
            .field("model", &card.name)
            .field("base_url", &shown(base_url))
            .field("stream", stream)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
