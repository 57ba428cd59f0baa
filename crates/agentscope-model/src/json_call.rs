//! Sends a request and gets a whole answer: what embedders and models that draw have in common.
//!
//! A request that the server does not take for now, or that did not arrive, is sent again; each refusal becomes an error that says
//! what to do; no secret gets into what is told.

mod openai;

use crate::{
    http::{Access, Peer, Place, Service, compressed},
    resilience::{
        RetryPolicy,
        retry::{Failure, retrying_whole},
    },
};
use agentscope_core::{Context, Error, ErrorKind, Name, Result, Secret};
use agentscope_net::{
    Url, client,
    reqwest::{
        Client, Request, Response,
        header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
    },
    shown, trouble,
};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::{sync::OnceLock, time::Duration};
use tokio::time::timeout;

/// Where requests of one model go, and by which rules.
#[derive(Clone)]
pub(crate) struct Endpoint {
    pub(crate) access: Access,
    pub(crate) model: Name,
    /// What is asked, for sentences: `an input`.
    asked: &'static str,
    pub(crate) retry: RetryPolicy,
    /// Longest time for one answer.
    pub(crate) timeout: Duration,
    /// Largest answer in bytes.
    limit: usize,
    /// Whether an answer that broke off may be asked for again: not where the work is paid for each time.
    pub(crate) again: bool,
    place: OnceLock<Result<Place>>,
}

impl Endpoint {
    /// Key and address are found in the variables of the service.
    pub(crate) fn new(
        service: &'static Service,
        model: impl Into<Name>,
        asked: &'static str,
        timeout: Duration,
        limit: usize,
    ) -> Self {
        let mut access = Access::of(service);
        access.base_url = own_base(service, &access.base_url);
        Self {
            access,
            model: model.into(),
            asked,
            retry: RetryPolicy::default(),
            timeout,
            limit,
            again: true,
            place: OnceLock::new(),
        }
    }

    pub(crate) fn change(&mut self, change: impl FnOnce(&mut Access)) {
        change(&mut self.access);
        self.access.base_url = own_base(self.access.service, &self.access.base_url);
        self.place = OnceLock::new();
    }

    pub(crate) fn set_key(&mut self, key: Secret) {
        self.change(|it| it.set_key(key));
    }

    /// A key that was found in the environment is not sent there: it is that of the provider.
    pub(crate) fn set_base_url(&mut self, url: &str) {
        self.change(|it| it.set_base_url(url.to_owned()));
    }

    /// As [`set_base_url`](Self::set_base_url), for a key that was found for whatever address there is.
    pub(crate) fn set_address(&mut self, url: &str) {
        self.change(|it| it.base_url = url.to_owned());
    }

    pub(crate) fn add_header(&mut self, name: String, value: Secret) {
        self.change(|it| it.headers.push((name, value)));
    }

    /// The address, without what may be secret in it.
    pub(crate) fn shown(&self) -> String {
        shown(&self.access.base_url)
    }

    /// Whether a request can be sent at all.
    pub(crate) fn check(&self) -> Result<()> {
        self.place().map(drop)
    }

    /// Who is asked, as it is told.
    pub(crate) fn peer(&self) -> &str {
        self.place().map_or("the server", |place| &place.peer)
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
        let answer = retrying_whole(&self.retry, cx, || async {
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
        let answer = retrying_whole(&self.retry, cx, || async {
            let (client, url, headers) = self.target(path)?;
            let request = client.get(url).headers(headers).build();
            self.exchange(cx, &client, request.map_err(|error| trouble(error, self.peer()))?).await
        });
        self.read(&answer.await?)
    }

    /// An answer as what it should be.
    pub(crate) fn read<T: DeserializeOwned>(&self, answer: &[u8]) -> Result<T> {
        serde_json::from_slice(answer).map_err(|error| {
            let peer = Peer { address: self.peer().into(), service: self.access.service };
            let report: Option<Value> = serde_json::from_slice(answer).ok();
            let report = report.filter(|it| ["error", "code"].iter().any(|key| it.get(*key).is_some()));
            self.without_secrets(match report {
                Some(report) => peer.reported(&report),
                None => peer.no_chunk(answer, &error),
            })
        })
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

    /// Sends one request, and takes in its whole answer.
    async fn exchange(&self, cx: &Context, client: &Client, request: Request) -> Result<Bytes, Failure> {
        let peer = self.peer();
        let limit = cx.time_left().map_or(self.timeout, |left| left.min(self.timeout));
        let answer = async {
            let response = client.execute(request).await.map_err(|error| {
                // Once a request may be at work, it is not sent again where that would be paid for twice.
                let may_repeat = self.again || error.is_connect();
                let failure = Failure::from(trouble(error, peer));
                Failure { may_repeat: failure.may_repeat && may_repeat, ..failure }
            })?;
            if !response.status().is_success() {
                let (error, status, _) = self.access.refused(self.asked, &self.model, peer, response).await;
                let failure = Failure::from(error);
                let may_repeat = self.again || matches!(status, 429 | 503);
                return Err(Failure { may_repeat: failure.may_repeat && may_repeat, ..failure });
            }
            let answer = self.whole(peer, response).await;
            answer.map_err(|error| Failure { error, may_repeat: self.again })
        };
        let answer = timeout(limit, answer).await.unwrap_or_else(|_| {
            let more = if limit < self.timeout {
                "the deadline was reached"
            } else {
                "allow more by `.timeout(..)`"
            };
            let message =
                format!("{peer} had no answer for `{}` after {} s: {more}", self.model, limit.as_secs_f64());
            // The model may be at work: asked again, it would do the work twice.
            Err(Failure { error: Error::new(ErrorKind::Timeout, message), may_repeat: false })
        });
        answer.map_err(|failure| Failure { error: self.without_secrets(failure.error), ..failure })
    }

    async fn whole(&self, peer: &str, mut response: Response) -> Result<Bytes> {
        let coding = response.headers().get(CONTENT_ENCODING).and_then(|it| it.to_str().ok());
        if let Some(coding) = coding.filter(|it| !it.is_empty() && *it != "identity") {
            return Err(compressed(peer, coding));
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

    fn target(&self, path: &str) -> Result<(Client, Url, HeaderMap)> {
        let Place { url, headers, .. } = self.place()?;
        let mut url = url.clone();
        let below = format!("{}/{}", url.path().trim_end_matches('/'), path.trim_start_matches('/'));
        url.set_path(&below);
        Ok((client(&url)?, url, headers.clone()))
    }

    /// Checked before any request is sent.
    fn place(&self) -> Result<&Place> {
        self.place.get_or_init(|| self.access.place(&self.model)).as_ref().map_err(Error::clone)
    }

    /// The error without what is secret: servers repeat what they were sent.
    fn without_secrets(&self, error: Error) -> Error {
        self.access.without_secrets(error, self.place().ok().map(|place| &place.url))
    }
}

/// The base URL of the provider's own API, where `url` is that of its API compatible with OpenAI's: users have one variable for
/// both.
fn own_base(service: &Service, url: &str) -> String {
    let url = url.trim_end_matches('/');
    let own = match service.name {
        "ollama" => url.strip_suffix("/v1").map(str::to_owned),
        "dashscope" => url.strip_suffix("/compatible-mode/v1").map(|host| format!("{host}/api/v1")),
        "gemini" => url.strip_suffix("/openai").map(str::to_owned),
        _ => None,
    };
    own.unwrap_or_else(|| url.to_owned())
}
