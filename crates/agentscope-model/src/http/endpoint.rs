//! Where the requests of a chat model go, with what is the same in each of them.

use super::{Settings, access::Place, format::Counting};
use agentscope_core::{Name, Result};
use agentscope_net::{
    Url, client,
    reqwest::{
        self, Client, Method, Request, RequestBuilder, Response,
        header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
    },
    trouble,
};
use bytes::Bytes;
use std::{future::Future, sync::OnceLock};

/// Where requests go, with what is the same in each of them.
#[derive(Clone)]
pub(super) struct Endpoint {
    pub(super) url: Url,
    /// How the tokens of a request are counted, where they are.
    pub(super) counting: Option<Counting>,
    pub(super) headers: HeaderMap,
    /// Who is asked, as it is told: neither path nor query, which may hold a key.
    pub(super) peer: Name,
    /// Address and headers as they go over the wire, made of these once: a user and a password in the address become a header.
    wire: OnceLock<(Url, HeaderMap)>,
}

impl Endpoint {
    /// Checked before any request is sent.
    pub(super) fn of(settings: &Settings) -> Result<Self> {
        let (format, model) = (&settings.format, settings.card.name.as_str());
        let Place { url, headers: own, peer } = settings.access.place(model)?;
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in format.headers(settings.stream) {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        headers.extend(own);
        let counting = format.counting(url.clone(), model);
        Ok(Self {
            url: format.address(url, model, settings.stream),
            counting,
            headers,
            peer,
            wire: OnceLock::new(),
        })
    }

    /// Sends a request.
    pub(super) fn send(
        &self,
        body: Bytes,
    ) -> Result<impl Future<Output = Result<Response, reqwest::Error>> + use<>> {
        let client = client(&self.url)?;
        let (url, headers) = match self.wire.get() {
            Some(wire) => wire,
            None => {
                let made = self.made_by(&client)?;
                self.wire.get_or_init(|| made)
            }
        };
        let mut request = Request::new(Method::POST, url.clone());
        *request.headers_mut() = headers.clone();
        *request.body_mut() = Some(body.into());
        Ok(RequestBuilder::from_parts(client, request).send())
    }

    #[cold]
    fn made_by(&self, client: &Client) -> Result<(Url, HeaderMap)> {
        let request = client.post(self.url.clone()).headers(self.headers.clone()).build();
        let request = request.map_err(|error| trouble(error, &self.peer))?;
        Ok((request.url().clone(), request.headers().clone()))
    }
}

/// Puts the path of a method behind a base URL, unless it is there already.
pub(crate) fn with_path(mut base: Url, method: &str) -> Url {
    let path = base.path().trim_end_matches('/');
    let path = format!("{}{method}", path.strip_suffix(method).unwrap_or(path));
    base.set_path(&path);
    base
}
