//! Where the requests of a chat model go, with what is the same in each of them.

use super::{Settings, access::Place, format::Counting};
use agentscope_core::{Name, Result};
use agentscope_net::{
    Url,
    reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
};

/// Where requests go, with what is the same in each of them.
#[derive(Clone)]
pub(super) struct Endpoint {
    pub(super) url: Url,
    /// How the tokens of a request are counted, where they are.
    pub(super) counting: Option<Counting>,
    pub(super) headers: HeaderMap,
    /// Who is asked, as it is told: neither path nor query, which may hold a key.
    pub(super) peer: Name,
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
        Ok(Self { url: format.address(url, model, settings.stream), counting, headers, peer })
    }
}

/// Puts the path of a method behind a base URL, unless it is there already.
pub(crate) fn with_path(mut base: Url, method: &str) -> Url {
    let path = base.path().trim_end_matches('/');
    let path = format!("{}{method}", path.strip_suffix(method).unwrap_or(path));
    base.set_path(&path);
    base
}
