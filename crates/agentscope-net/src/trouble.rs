//! What went wrong with a connection, told so that one can do something about it.

use crate::client::is_loopback;
use agentscope_core::{Error, ErrorKind};
use std::{error::Error as StdError, io};
use url::Url;

/// What a failure of the client means; `peer` is who was asked, such as `api.openai.com`.
///
/// The URL is left out of what is told, because it may carry a key.
pub fn trouble(error: reqwest::Error, peer: &str) -> Error {
    let proxy = error.url().and_then(proxy_for);
    let error = error.without_url();
    if let Some(ours) = find::<Error>(&error) {
        return ours.clone(); // what the guard has said
    }
    let (kind, message) = describe(&error, peer, proxy);
    Error::new(kind, message).with_source(error)
}

/// An address as it can be told: without what may be secret in it, which is a user, a password, a query and a fragment. It need
/// not be a valid one.
pub fn shown(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or(url);
    let start = url.find("://").map_or(0, |at| at + 3);
    let (scheme, rest) = url.split_at(start);
    let (authority, path) = rest.split_at(rest.find(['/', '\\']).unwrap_or(rest.len()));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}{host}{path}")
}

/// The proxy of the environment for an address, and the variable that names it, unless NO_PROXY excepts it.
fn proxy_for(url: &Url) -> Option<(&'static str, String)> {
    let variables = match url.scheme() {
        _ if is_loopback(url) => return None,
        "https" => ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"],
        _ => ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"],
    };
    let mut named = variables.into_iter().filter_map(|it| Some((it, std::env::var(it).ok()?)));
    named.find(|(_, proxy)| !proxy.is_empty()).map(|(variable, proxy)| (variable, shown(&proxy)))
}

fn describe(error: &reqwest::Error, peer: &str, proxy: Option<(&str, String)>) -> (ErrorKind, String) {
    if let Some(tls) = find::<rustls::Error>(error) {
        return describe_tls(tls, peer);
    }
    if error.is_builder() {
        return if all(error).any(|cause| cause.to_string().contains("No CA certificates")) {
            let message = "this machine has no certificates to trust: install the package `ca-certificates`, or let SSL_CERT_FILE \
                           name a file with them";
            (ErrorKind::Unavailable, message.to_owned())
        } else {
            (
                ErrorKind::InvalidInput,
                format!("the request to {peer} cannot be built: check its address and headers"),
            )
        };
    }
    if let Some((variable, proxy)) = proxy.filter(|_| error.is_connect()) {
        let message = format!(
            "{peer} cannot be reached: check its address and the network, and the proxy {proxy} that {variable} names, or name {peer} \
             in NO_PROXY"
        );
        return (ErrorKind::Unavailable, message);
    }
    if error.is_dns() {
        let message =
            format!("the name {peer} cannot be resolved: check its spelling and this machine's network");
        return (ErrorKind::Unavailable, message);
    }
    if error.is_timeout() {
        return if error.is_connect() {
            (
                ErrorKind::Unavailable,
                format!("{peer} did not accept a connection in time: check its address and the network"),
            )
        } else {
            (ErrorKind::Timeout, format!("{peer} did not answer in time: try again later"))
        };
    }
    if error.is_connect() {
        let refused =
            find::<io::Error>(error).is_some_and(|it| it.kind() == io::ErrorKind::ConnectionRefused);
        // A proxy that is not there is told by the system in the same way; there is none to this machine.
        let here = ["localhost", "127.", "[::1]"].iter().any(|it| peer.starts_with(it));
        let message = if refused && here {
            format!("nothing listens at {peer}: start the server, or correct the address")
        } else if refused {
            format!(
                "nothing listens at {peer}, or at its proxy where there is one: start the server, or correct the address"
            )
        } else {
            format!("{peer} cannot be reached: check its address and the network")
        };
        return (ErrorKind::Unavailable, message);
    }
    if error.is_redirect() {
        return (ErrorKind::Refused, format!("{peer} redirects without an end"));
    }
    (ErrorKind::Unavailable, format!("the connection to {peer} broke off: try again"))
}

fn describe_tls(error: &rustls::Error, peer: &str) -> (ErrorKind, String) {
    match error {
        rustls::Error::InvalidCertificate(why) => {
            let message = format!(
                "the certificate of {peer} is not trusted ({why}): correct the address, or add its authority by SSL_CERT_FILE"
            );
            (ErrorKind::Unauthorized, message)
        }
        rustls::Error::InvalidMessage(_) => (
            ErrorKind::Protocol,
            format!("{peer} does not speak TLS: use an address that begins with http://"),
        ),
        other => (ErrorKind::Protocol, format!("no secure connection to {peer} came about: {other}")),
    }
}

fn all<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn StdError + 'static)| {
        let error = *error;
        // An I/O error hides what it wraps from its sources.
        match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner as &(dyn StdError + 'static)),
            None => error.source(),
        }
    })
}

fn find<'a, E: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a E> {
    all(error).find_map(|cause| cause.downcast_ref())
}
