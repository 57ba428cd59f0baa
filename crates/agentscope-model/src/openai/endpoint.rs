//! Where requests go, with what is the same in each of them.

use super::Settings;
use agentscope_core::{Error, ErrorKind, Name, Result};
use agentscope_net::{Url, reqwest::header::HeaderMap, shown};
use std::borrow::Cow;

/// What the name of a secret parameter of an address has in it.
const SECRET: [&str; 6] = ["auth", "key", "pass", "secret", "sig", "token"];

/// Where requests go, with what is the same in each of them.
#[derive(Clone)]
pub(super) struct Endpoint {
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    /// Who is asked, as it is told: neither path nor query, which may hold a key.
    pub(super) peer: Name,
}

impl Endpoint {
    /// Checked before any request is sent.
    pub(super) fn of(settings: &Settings) -> Result<Self> {
        let ways = settings.provider.ways();
        let found = !settings.own_address && !ways.base_url_variable.is_empty();
        let url = address(&settings.base_url)
            .map_err(|error| if found { error.context(ways.base_url_variable) } else { error })?;
        let host = url.host_str().unwrap_or_default();
        let peer = match url.port() {
            Some(port) => format!("{host}:{port}").into(),
            None => host.into(),
        };
        Ok(Self { headers: settings.head()?, peer, url })
    }

    /// What is secret in the address.
    pub(super) fn secrets(&self) -> impl Iterator<Item = Cow<'_, str>> {
        let is_secret = |name: &str| SECRET.iter().any(|it| name.to_lowercase().contains(it));
        let parameters = self.url.query_pairs().filter(move |(name, _)| is_secret(name));
        self.url.password().map(Cow::Borrowed).into_iter().chain(parameters.map(|(_, value)| value))
    }
}

fn address(base_url: &str) -> Result<Url> {
    let base = base_url.trim_end_matches('/');
    let invalid = |why: String| {
        let message = format!(
            "`{}` is no base URL of an API ({why}): give one such as http://localhost:8000/v1",
            shown(base)
        );
        Error::new(ErrorKind::InvalidInput, message)
    };
    let url: Url = base.parse().map_err(|error| invalid(format!("{error}")))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(invalid("it does not begin with http:// or https:// and a host".to_owned()));
    }
    let mut url = url;
    let path = format!(
        "{}/chat/completions",
        url.path().trim_end_matches('/').trim_end_matches("/chat/completions")
    );
    url.set_path(&path);
    Ok(url)
}
