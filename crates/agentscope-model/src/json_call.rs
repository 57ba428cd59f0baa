//! Sends a request and gets a whole answer: what embedders, image models and counters of tokens have in common.
//!
//! A request that the server does not take for now, or that did not arrive, is sent again; each refusal becomes an error that says
//! what to do; no secret gets into what is told.

mod fault;
#[cfg(any(feature = "embedding", feature = "image"))]
mod openai;
#[cfg_attr(not(feature = "embedding"), allow(dead_code, reason = "models that draw have fewer providers"))]
mod service;

use service::Auth;
pub(crate) use service::{DASHSCOPE, OPENAI, Service};
#[cfg(feature = "embedding")]
pub(crate) use service::{GEMINI, OLLAMA, OTHER, VLLM};

use agentscope_core::{Context, Error, ErrorKind, Name, Result, Secret};
use agentscope_net::{
    Url, client,
    reqwest::{
        Request, Response,
        header::{
            AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION,
            RETRY_AFTER,
        },
    },
    shown, trouble,
};
use bytes::Bytes;
use fault::{Refusal, Server, retry_after};
use serde::de::DeserializeOwned;
use std::{
    borrow::Cow,
    sync::OnceLock,
    time::{Duration, SystemTime},
};
use tokio::time::{sleep, timeout};

/// Most times that a request is sent again (2).
const RETRIES: u32 = 2;

/// Longest `Retry-After` that is waited for (1 min); for a longer one the caller decides.
const RETRY_AFTER_LIMIT: Duration = Duration::from_secs(60);

/// The first wait before a request is sent again is at most this long (0.5 s), each further one twice as long as the one before.
const BACKOFF: Duration = Duration::from_millis(500);

/// Longest wait between two requests (8 s), where the server does not say how long.
const BACKOFF_LIMIT: Duration = Duration::from_secs(8);

/// Most that is read of an error's body (64 KiB).
const ERROR_LIMIT: usize = 64 << 10;

/// How long an error's body is waited for (2 s). The status says the most of it.
const ERROR_TIMEOUT: Duration = Duration::from_secs(2);

/// Fewest bytes of a secret that is looked for in what is told (4): shorter ones are in any text.
const SECRET_LENGTH: usize = 4;

/// What the name of a secret parameter of an address has in it.
const SECRET: [&str; 6] = ["auth", "key", "pass", "secret", "sig", "token"];

/// Where requests of one model go, and by which rules.
#[derive(Clone)]
pub(crate) struct Endpoint {
    pub(crate) service: &'static Service,
    pub(crate) model: Name,
    base_url: String,
    key: Option<Secret>,
    /// The key is that of the provider's own address, found in the environment.
    found_key: bool,
    /// The address was given in the program, so that a key of the environment is not for it.
    own_address: bool,
    headers: Vec<(String, Secret)>,
    pub(crate) retries: u32,
    /// Longest time for one answer.
    pub(crate) timeout: Duration,
    /// Largest answer in bytes.
    pub(crate) limit: usize,
    /// Whether an answer that broke off may be asked for again: not where the work is paid for each time.
    pub(crate) again: bool,
    ready: OnceLock<Result<Ready>>,
}

/// An endpoint that was checked.
#[derive(Clone)]
struct Ready {
    url: Url,
    headers: HeaderMap,
    /// Who is asked, as it is told: neither path nor query, which may hold a key.
    peer: Name,
}

/// What failed, and whether the same request may be sent again.
pub(crate) struct Failure {
    error: Error,
    again: bool,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        // What took its time would take it again.
        Self { again: error.is_retryable() && error.kind() != ErrorKind::Timeout, error }
    }
}

impl Endpoint {
    /// Key and address are found in the variables of the service.
    pub(crate) fn new(
        service: &'static Service,
        model: impl Into<Name>,
        timeout: Duration,
        limit: usize,
    ) -> Self {
        let key = service.keys.iter().find_map(|name| variable(name));
        let base_url = variable(service.base_url_variable).unwrap_or_else(|| service.base_url.to_owned());
        Self {
            service,
            model: model.into(),
            base_url: service.own_base(&base_url),
            found_key: key.is_some(),
            key: key.map(Secret::from),
            own_address: false,
            headers: Vec::new(),
            retries: RETRIES,
            timeout,
            limit,
            again: true,
            ready: OnceLock::new(),
        }
    }

    pub(crate) fn change(&mut self, change: impl FnOnce(&mut Self)) {
        change(self);
        self.ready = OnceLock::new();
    }

    pub(crate) fn set_key(&mut self, key: Secret) {
        self.change(|it| (it.key, it.found_key) = (Some(key), false));
    }

    /// A key that was found in the environment is not sent there: it is that of the provider.
    pub(crate) fn set_base_url(&mut self, url: &str) {
        self.change(|it| {
            it.base_url = it.service.own_base(url);
            it.own_address = true;
            if std::mem::take(&mut it.found_key) {
                it.key = None;
            }
        });
    }

    /// As [`set_base_url`](Self::set_base_url), for a key that was found for whatever address there is.
    #[cfg(feature = "embedding")]
    pub(crate) fn set_address(&mut self, url: &str) {
        self.change(|it| it.base_url = url.to_owned());
    }

    pub(crate) fn add_header(&mut self, name: String, value: Secret) {
        self.change(|it| it.headers.push((name, value)));
    }

    /// The address, without what may be secret in it.
    pub(crate) fn shown(&self) -> String {
        shown(&self.base_url)
    }

    /// Whether requests go to the provider itself, and not to someone who is compatible with it.
    #[cfg(feature = "embedding")]
    pub(crate) fn is_own(&self) -> bool {
        self.base_url.trim_end_matches('/') == self.service.base_url
    }

    /// Whether a request can be sent at all.
    #[cfg(feature = "embedding")]
    pub(crate) fn check(&self) -> Result<()> {
        self.ready().map(drop)
    }

    /// Who is asked, as it is told.
    pub(crate) fn peer(&self) -> &str {
        self.ready().map_or("the server", |ready| &ready.peer)
    }

    /// Sends `body` to a path below the base URL, with further headers, and reads what comes back.
    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        cx: &Context,
        path: &str,
        headers: &[(&'static str, &'static str)],
        body: Vec<u8>,
    ) -> Result<T> {
        let body = Bytes::from(body);
        let answer = self.retrying(cx, || async {
            let (client, url, mut all) = self.target(path)?;
            all.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            for (name, value) in headers {
                all.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
            }
            let request = client.post(url).headers(all).body(body.clone()).build();
            self.exchange(cx, &client, request.map_err(|error| trouble(error, self.peer()))?).await
        });
        self.read(&answer.await?)
    }

    /// Asks for what is at a path below the base URL.
    #[cfg(feature = "image")]
    pub(crate) async fn get<T: DeserializeOwned>(&self, cx: &Context, path: &str) -> Result<T> {
        let answer = self.retrying(cx, || async {
            let (client, url, headers) = self.target(path)?;
            let request = client.get(url).headers(headers).build();
            self.exchange(cx, &client, request.map_err(|error| trouble(error, self.peer()))?).await
        });
        self.read(&answer.await?)
    }

    /// An answer as what it should be.
    pub(crate) fn read<T: DeserializeOwned>(&self, answer: &[u8]) -> Result<T> {
        serde_json::from_slice(answer)
            .map_err(|error| self.without_secrets(self.server(self.peer()).no_answer(answer, &error)))
    }

    /// An answer that cannot be true.
    pub(crate) fn nonsense(&self, why: impl std::fmt::Display) -> Error {
        let message = format!(
            "{} answered for `{}` with {why}: check the address and the model",
            self.peer(),
            self.model
        );
        Error::new(ErrorKind::Protocol, message)
    }

    /// Tries until it succeeds, or nothing more is to be hoped for.
    pub(crate) async fn retrying<T, F: Future<Output = Result<T, Failure>>>(
        &self,
        cx: &Context,
        attempt: impl Fn() -> F,
    ) -> Result<T> {
        for tries in 0.. {
            let Failure { error, again } = match attempt().await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            let wait = match error.retry_after() {
                Some(wait) => wait,
                None => {
                    let most = BACKOFF.saturating_mul(1 << tries.min(8)).min(BACKOFF_LIMIT);
                    most.mul_f64(fastrand::f64())
                }
            };
            let in_time = wait <= RETRY_AFTER_LIMIT && cx.time_left().is_none_or(|left| wait < left);
            if !again || tries >= self.retries || !in_time {
                let error = self.without_secrets(error);
                return Err(if tries == 0 {
                    error
                } else {
                    error.context(format!("asked {} times", tries + 1))
                });
            }
            sleep(wait).await;
        }
        Err(Error::new(ErrorKind::Internal, "a request was sent again without an end"))
    }

    /// Sends one request, and takes in its whole answer.
    async fn exchange(
        &self,
        cx: &Context,
        client: &agentscope_net::reqwest::Client,
        request: Request,
    ) -> Result<Bytes, Failure> {
        let peer = self.peer();
        let limit = cx.time_left().map_or(self.timeout, |left| left.min(self.timeout));
        let answer = async {
            let response = client.execute(request).await.map_err(|error| trouble(error, peer))?;
            if !response.status().is_success() {
                return Err(self.refused(peer, response).await.into());
            }
            let answer = self.whole(peer, response).await;
            answer.map_err(|error| Failure { again: self.again && error.is_retryable(), error })
        };
        timeout(limit, answer).await.unwrap_or_else(|_| {
            let more = if limit < self.timeout {
                "the deadline was reached"
            } else {
                "allow more by `.timeout(..)`"
            };
            let message =
                format!("{peer} had no answer for `{}` after {} s: {more}", self.model, limit.as_secs_f64());
            // The model may be at work: asked again, it would do the work twice.
            Err(Failure { error: Error::new(ErrorKind::Timeout, message), again: false })
        })
    }

    async fn whole(&self, peer: &str, mut response: Response) -> Result<Bytes> {
        let coding = response.headers().get(CONTENT_ENCODING).and_then(|it| it.to_str().ok());
        if let Some(coding) = coding.filter(|it| !it.is_empty() && *it != "identity") {
            let message = format!(
                "{peer} compresses its answers ({}), though it was not asked to: turn that off there or in a proxy before it",
                fault::clean(coding)
            );
            return Err(Error::new(ErrorKind::Protocol, message));
        }
        let mut whole = Vec::with_capacity(response.content_length().unwrap_or(0).min(1 << 20) as usize);
        while let Some(chunk) = response.chunk().await.map_err(|error| {
            trouble(error, peer).context(format!("the answer of `{}` broke off", self.model))
        })? {
            if whole.len() + chunk.len() > self.limit {
                let message =
                    format!("the answer of {peer} has more than {} bytes: ask for less at once", self.limit);
                return Err(Error::new(ErrorKind::Protocol, message));
            }
            whole.extend_from_slice(&chunk);
        }
        Ok(whole.into())
    }

    async fn refused(&self, peer: &str, mut response: Response) -> Error {
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        let wait = header(RETRY_AFTER).and_then(|value| retry_after(value, SystemTime::now()));
        let location = header(LOCATION).map(str::to_owned);
        let status = response.status().as_u16();
        let mut body = Vec::new();
        let read = async {
            while let Ok(Some(chunk)) = response.chunk().await {
                body.extend_from_slice(&chunk);
                if body.len() > ERROR_LIMIT {
                    break;
                }
            }
        };
        drop(timeout(ERROR_TIMEOUT, read).await);
        self.server(peer).refused(&Refusal {
            status,
            retry_after: wait,
            location: location.as_deref(),
            body: &body,
        })
    }

    fn server<'a>(&'a self, address: &'a str) -> Server<'a> {
        let key = match &self.key {
            Some(_) => fault::Key::Sent,
            None if self.own_address => fault::Key::OfTheProgram,
            None => fault::Key::Missing,
        };
        Server { service: self.service, model: &self.model, address, key }
    }

    fn target(&self, path: &str) -> Result<(agentscope_net::reqwest::Client, Url, HeaderMap)> {
        let Ready { url, headers, .. } = self.ready()?;
        let mut url = url.clone();
        let below = format!("{}/{}", url.path().trim_end_matches('/'), path.trim_start_matches('/'));
        url.set_path(&below);
        Ok((client(&url)?, url, headers.clone()))
    }

    /// Checked before any request is sent.
    fn ready(&self) -> Result<&Ready> {
        self.ready.get_or_init(|| self.make_ready()).as_ref().map_err(Error::clone)
    }

    fn make_ready(&self) -> Result<Ready> {
        let invalid = |why: String| {
            let message = format!(
                "`{}` is no base URL of an API ({why}): give one such as {}",
                self.shown(),
                if self.service.base_url.is_empty() {
                    "http://localhost:8000/v1"
                } else {
                    self.service.base_url
                }
            );
            Error::new(ErrorKind::InvalidInput, message)
        };
        let url: Url = self.base_url.parse().map_err(|error| invalid(format!("{error}")))?;
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return Err(invalid("it does not begin with http:// or https:// and a host".to_owned()));
        }
        let host = url.host_str().unwrap_or_default();
        let peer = match url.port() {
            Some(port) => format!("{host}:{port}").into(),
            None => host.into(),
        };
        Ok(Ready { headers: self.head()?, peer, url })
    }

    fn head(&self) -> Result<HeaderMap> {
        let mut headers = HeaderMap::new();
        let service = self.service;
        let variable = service.key_variable();
        match &self.key {
            Some(key) => {
                let what = if self.found_key { variable } else { "the API key" };
                match service.auth {
                    Auth::Bearer => {
                        let value = secret_value(&format!("Bearer {}", key.expose()), what)?;
                        headers.insert(AUTHORIZATION, value);
                    }
                    Auth::Header(name) => {
                        headers.insert(HeaderName::from_static(name), secret_value(key.expose(), what)?);
                    }
                }
            }
            None if service.needs_key && self.base_url == service.base_url => {
                let message =
                    format!("model `{}` needs {variable}: set it or pass `.api_key(..)`", self.model);
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

    /// The error without what is secret: servers repeat what they were sent.
    fn without_secrets(&self, error: Error) -> Error {
        let own = self.key.iter().chain(self.headers.iter().map(|(_, value)| value));
        let own = own.map(|secret| Cow::Borrowed(secret.expose()));
        let url = self.ready().ok().map(|ready| &ready.url);
        let password = url.and_then(|url| url.password()).map(Cow::Borrowed);
        let is_secret = |name: &str| SECRET.iter().any(|it| name.to_lowercase().contains(it));
        let queries = url.into_iter().flat_map(|url| url.query_pairs());
        let queries = queries.filter(|(name, _)| is_secret(name)).map(|(_, value)| value);
        let told = own
            .chain(password)
            .chain(queries)
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
}

/// A variable of the environment that is set and not blank.
fn variable(name: &str) -> Option<String> {
    let value = std::env::var(name).ok()?;
    Some(value.trim()).filter(|value| !value.is_empty()).map(str::to_owned)
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

#[cfg(test)]
mod tests;
