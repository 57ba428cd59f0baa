//! Fetching what a message points to.

use crate::{
    client::guarded_client,
    guard::Guard,
    trouble::{shown, trouble},
};
use agentscope_core::{Error, ErrorKind, Result};
use bytes::Bytes;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE};
use std::time::Duration;
use tokio::time::timeout;
use url::Url;

/// Longest time that a file may take (60 s).
const TIMEOUT: Duration = Duration::from_secs(60);

/// A file from the network.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Fetched {
    /// Its type as the server says, such as `image/png`, without parameters; empty where it says none.
    pub media_type: String,
    /// What is in it.
    pub bytes: Bytes,
}

/// Fetches a file of at most `limit` bytes.
///
/// # Errors
/// [`ErrorKind::Refused`] if `guard` does not allow the address; [`ErrorKind::InvalidInput`] if the file is too large;
/// [`ErrorKind::NotFound`] or [`ErrorKind::Unavailable`] if the server has no such file or fails; [`ErrorKind::Timeout`] after
/// 60 s; those of the connection.
pub async fn fetch(url: &str, guard: Guard, limit: usize) -> Result<Fetched> {
    let parsed: Url = url.parse().map_err(|error| {
        Error::new(ErrorKind::InvalidInput, format!("`{}` is no web address: {error}", named(url)))
    })?;
    let fetched = timeout(TIMEOUT, fetch_all(parsed, guard, limit)).await;
    fetched
        .unwrap_or_else(|_| {
            let message = format!("it was not there after {} s", TIMEOUT.as_secs());
            Err(Error::new(ErrorKind::Timeout, message))
        })
        .map_err(|error| error.context(format!("`{}` could not be fetched", named(url))))
}

async fn fetch_all(url: Url, guard: Guard, limit: usize) -> Result<Fetched> {
    guard.check(&url)?;
    let host = url.host_str().unwrap_or_default().to_owned();
    // Without its address, because no proxy stands between.
    let failed = |error: reqwest::Error| trouble(error.without_url(), &host);
    let mut response = guarded_client(guard)?.get(url).send().await.map_err(failed)?;
    let status = response.status();
    if !status.is_success() {
        let kind = match status.as_u16() {
            401 | 403 => ErrorKind::Unauthorized,
            404 | 410 => ErrorKind::NotFound,
            429 => ErrorKind::RateLimited,
            500.. => ErrorKind::Unavailable,
            _ => ErrorKind::Refused,
        };
        return Err(Error::new(kind, format!("the server answered with the status {status}")));
    }
    let header = |name| response.headers().get(name).and_then(|it| it.to_str().ok()).unwrap_or_default();
    if !matches!(header(CONTENT_ENCODING), "" | "identity") {
        let coding = header(CONTENT_ENCODING);
        let message = format!("the server compresses it ({coding}), though it was not asked to");
        return Err(Error::new(ErrorKind::Protocol, message));
    }
    let media_type = header(CONTENT_TYPE).split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let too_large = || {
        let message = format!("it is larger than {limit} bytes: give a smaller one");
        Error::new(ErrorKind::InvalidInput, message)
    };
    if response.content_length().is_some_and(|length| length > limit as u64) {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        if bytes.len() + chunk.len() > limit {
            return Err(too_large());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Fetched { media_type, bytes: bytes.into() })
}

/// The beginning of an address, without what may be secret in it.
fn named(url: &str) -> String {
    shown(url).chars().filter(|it| !it.is_control()).take(200).collect()
}
