//! Who is asked, where, and as whom: what models, embedders and models that draw have in common.

use super::{
    fault::{Key, Refusal, Server, wait_in},
    service::{Auth, Service},
};
use crate::keys::{Environment, key_hint};
use agentscope_core::{Error, ErrorKind, Name, Result, Secret};
use agentscope_net::{
    Url,
    reqwest::{
        Response,
        header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, LOCATION},
    },
    shown,
};
use std::{
    borrow::Cow,
    time::{Duration, SystemTime},
};
use tokio::time::timeout;

/// Fewest bytes of a secret that is looked for in what is told (4): shorter ones are in any text.
const SECRET_LENGTH: usize = 4;

/// Most that is read of an error's body (64 KiB).
const ERROR_LIMIT: usize = 64 << 10;

/// How long an error's body is waited for (2 s). The status says the most of it.
const ERROR_TIMEOUT: Duration = Duration::from_secs(2);

/// What the name of a secret parameter of an address has in it.
const SECRET: [&str; 6] = ["auth", "key", "pass", "secret", "sig", "token"];

/// Who is asked, where, and as whom.
#[derive(Clone)]
pub(crate) struct Access {
    pub(crate) service: &'static Service,
    pub(crate) base_url: String,
    pub(crate) key: Option<Secret>,
    /// The variable of the environment in which the key was found: it is that of the provider's own address.
    pub(crate) found_key: Option<&'static str>,
    /// The address was given in the program, so that a key of the environment is not for it.
    pub(crate) own_address: bool,
    pub(crate) headers: Vec<(String, Secret)>,
}

/// An address that was checked, with what each request to it has.
#[derive(Clone)]
pub(crate) struct Place {
    /// A base URL, whose path ends without a slash.
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    /// Who is asked, as it is told: neither path nor query, which may hold a key.
    pub(crate) peer: Name,
}

impl Access {
    /// Key and address are found in the variables of the service.
    pub(crate) fn of(service: &'static Service) -> Self {
        let key = service.keys.iter().find_map(|name| Some((*name, variable(name)?)));
        Self {
            service,
            base_url: variable(service.base_url_variable).unwrap_or_else(|| service.base_url.to_owned()),
            found_key: key.as_ref().map(|(name, _)| *name),
            key: key.map(|(_, key)| Secret::from(key.trim())),
            own_address: false,
            headers: Vec::new(),
        }
    }

    pub(crate) fn set_key(&mut self, key: Secret) {
        (self.key, self.found_key) = (Some(key), None);
    }

    /// Another address. A key that was found in the environment is not sent there: it is that of the provider.
    pub(crate) fn set_base_url(&mut self, url: String) {
        self.base_url = url;
        self.own_address = true;
        if self.found_key.take().is_some() {
            self.key = None;
        }
    }

    /// Whether requests go to the provider's own address, and not to that of someone who speaks alike.
    pub(crate) fn is_at_home(&self) -> bool {
        let home = self.service.base_url;
        !home.is_empty() && self.base_url.trim_end_matches('/') == home
    }

    /// Where requests for this model go. It is checked before any is sent.
    pub(crate) fn place(&self, model: &str) -> Result<Place> {
        let service = self.service;
        if self.base_url.is_empty() && !self.own_address {
            let message = format!(
                "model `{model}` needs the address of its server: set {} or pass `.base_url(..)`",
                service.base_url_variable
            );
            return Err(Error::new(ErrorKind::InvalidInput, message));
        }
        let found = !self.own_address && !service.base_url_variable.is_empty();
        let url = address(&self.base_url, service)
            .map_err(|error| if found { error.context(service.base_url_variable) } else { error })?;
        let host = url.host_str().unwrap_or_default();
        let peer = match url.port() {
            Some(port) => format!("{host}:{port}").into(),
            None => host.into(),
        };
        Ok(Place { headers: self.head(model)?, peer, url })
    }

    fn head(&self, model: &str) -> Result<HeaderMap> {
        let mut headers = HeaderMap::new();
        let service = self.service;
        match &self.key {
            Some(key) => {
                let what = self.found_key.unwrap_or("the API key");
                match service.auth {
                    Auth::Bearer => {
                        let value = secret_value(&format!("Bearer {}", key.expose()), what)?;
                        headers.insert(AUTHORIZATION, value)
                    }
                    Auth::Header(name) => {
                        headers.insert(HeaderName::from_static(name), secret_value(key.expose(), what)?)
                    }
                };
            }
            None if service.needs_key && self.is_at_home() => {
                let first = service.keys.first().copied().unwrap_or_default();
                let hint = key_hint(first, &Environment::of_process());
                let message = format!(
                    "model `{model}` needs {}: set it or pass `.api_key(..)`{}",
                    service.key_names(),
                    hint.map(|hint| format!(" ({hint})")).unwrap_or_default()
                );
                return Err(Error::new(ErrorKind::Unauthorized, message));
            }
            None => {}
        }
        for (name, value) in &self.headers {
            let known: HeaderName = name.parse().map_err(|_| {
                let message = format!("`{name}` is no name of an HTTP header: correct it");
                Error::new(ErrorKind::InvalidInput, message)
            })?;
            headers.insert(known, secret_value(value.expose(), name)?);
        }
        Ok(headers)
    }

    /// The error without what is secret, also in the address: servers repeat what they were sent.
    pub(crate) fn without_secrets(&self, error: Error, url: Option<&Url>) -> Error {
        let secrets = self.key.iter().chain(self.headers.iter().map(|(_, value)| value));
        let secrets = secrets.map(|secret| Cow::Borrowed(secret.expose()));
        let told = secrets
            .chain(url.into_iter().flat_map(secrets_of))
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

    /// Reads why a server has refused a request for this model: the error, the status and the body. `asked` is what it was to
    /// read, for sentences about it.
    pub(crate) async fn refused(
        &self,
        asked: &'static str,
        model: &str,
        peer: &str,
        mut response: Response,
    ) -> (Error, u16, Vec<u8>) {
        let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
        let retry_after = wait_in(header, SystemTime::now());
        let location = header(LOCATION.as_str()).map(str::to_owned);
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
        let key = match &self.key {
            Some(_) => Key::Sent,
            None if self.own_address => Key::OfTheProgram,
            None => Key::Missing,
        };
        let server = Server { service: self.service, asked, model, address: peer, key };
        let refusal = Refusal { status, retry_after, location: location.as_deref(), body: &body };
        (server.refused(&refusal), status, body)
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

/// What is secret in an address.
fn secrets_of(url: &Url) -> impl Iterator<Item = Cow<'_, str>> {
    let is_secret = |name: &str| SECRET.iter().any(|it| name.to_lowercase().contains(it));
    let parameters = url.query_pairs().filter(move |(name, _)| is_secret(name));
    url.password().map(Cow::Borrowed).into_iter().chain(parameters.map(|(_, value)| value))
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

fn variable(name: &str) -> Option<String> {
    if name.is_empty() { None } else { std::env::var(name).ok().filter(|it| !it.trim().is_empty()) }
}
