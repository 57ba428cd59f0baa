//! Where requests go, with what is the same in each of them.

use super::{
    Settings,
    format::Counting,
    service::{Auth, Service},
};
use agentscope_core::{Error, ErrorKind, Name, Result, Secret};
use agentscope_net::{
    Url,
    reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
    shown,
};
use std::borrow::Cow;

/// What the name of a secret parameter of an address has in it.
const SECRET: [&str; 6] = ["auth", "key", "pass", "secret", "sig", "token"];

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
        let service = settings.format.service();
        if settings.base_url.is_empty() && !settings.own_address {
            let message = format!(
                "model `{}` needs the address of its server: set {} or pass `.base_url(..)`",
                settings.card.name, service.base_url_variable
            );
            return Err(Error::new(ErrorKind::InvalidInput, message));
        }
        let found = !settings.own_address && !service.base_url_variable.is_empty();
        let url = address(&settings.base_url, service)
            .map_err(|error| if found { error.context(service.base_url_variable) } else { error })?;
        let counting = settings.format.counting(url.clone(), &settings.card.name);
        let url = settings.format.address(url, &settings.card.name, settings.stream);
        let host = url.host_str().unwrap_or_default();
        let peer = match url.port() {
            Some(port) => format!("{host}:{port}").into(),
            None => host.into(),
        };
        Ok(Self { headers: head(settings, service)?, peer, url, counting })
    }

    /// What is secret in the address.
    pub(super) fn secrets(&self) -> impl Iterator<Item = Cow<'_, str>> {
        let is_secret = |name: &str| SECRET.iter().any(|it| name.to_lowercase().contains(it));
        let parameters = self.url.query_pairs().filter(move |(name, _)| is_secret(name));
        self.url.password().map(Cow::Borrowed).into_iter().chain(parameters.map(|(_, value)| value))
    }
}

/// A base URL, without a slash at its end.
fn address(base_url: &str, service: &Service) -> Result<Url> {
    let base = base_url.trim_end_matches('/');
    let invalid = |why: String| {
        let message = format!(
            "`{}` is no base URL of an API ({why}): give one such as {}",
            shown(base),
            service.example
        );
        Error::new(ErrorKind::InvalidInput, message)
    };
    let mut url: Url = base.parse().map_err(|error| invalid(format!("{error}")))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(invalid("it does not begin with http:// or https:// and a host".to_owned()));
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(url)
}

/// Puts the path of a method behind a base URL, unless it is there already.
pub(crate) fn with_path(mut base: Url, method: &str) -> Url {
    let path = base.path().trim_end_matches('/');
    let path = format!("{}{method}", path.strip_suffix(method).unwrap_or(path));
    base.set_path(&path);
    base
}

fn head(settings: &Settings, service: &Service) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, value) in settings.format.headers(settings.stream) {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    match &settings.key {
        Some(key) => {
            let what = settings.found_key.unwrap_or("the API key");
            match service.auth {
                Auth::Bearer => {
                    headers.insert(AUTHORIZATION, secret_value(&format!("Bearer {}", key.expose()), what)?)
                }
                Auth::Header(name) => {
                    headers.insert(HeaderName::from_static(name), secret_value(key.expose(), what)?)
                }
            };
        }
        None if service.needs_key && settings.is_at_home() => {
            let message = format!(
                "model `{}` needs {}: set it or pass `.api_key(..)`",
                settings.card.name,
                service.key_names()
            );
            return Err(Error::new(ErrorKind::Unauthorized, message));
        }
        None => {}
    }
    for (name, value) in &settings.headers {
        put(&mut headers, name, value)?;
    }
    Ok(headers)
}

fn put(headers: &mut HeaderMap, name: &str, value: &Secret) -> Result<()> {
    let known: HeaderName = name.parse().map_err(|_| {
        Error::new(ErrorKind::InvalidInput, format!("`{name}` is no name of an HTTP header: correct it"))
    })?;
    headers.insert(known, secret_value(value.expose(), name)?);
    Ok(())
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
