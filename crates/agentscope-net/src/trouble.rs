//! What went wrong with a connection, told so that one can do something about it.

use agentscope_core::{Error, ErrorKind};
use std::{error::Error as StdError, io};

/// What a failure of the client means; `peer` is who was asked, such as `api.openai.com`.
///
/// The URL is left out of what is told, because it may carry a key.
pub fn trouble(error: reqwest::Error, peer: &str) -> Error {
    let error = error.without_url();
    if let Some(ours) = find::<Error>(&error) {
        return ours.clone(); // what the guard has said
    }
    let (kind, message) = describe(&error, peer);
    Error::new(kind, message).with_source(error)
}

fn describe(error: &reqwest::Error, peer: &str) -> (ErrorKind, String) {
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
    if error.is_dns() {
        let message =
            format!("the name {peer} cannot be resolved: check its spelling and this machine's network");
        return (ErrorKind::Unavailable, message);
    }
    if error.is_timeout() {
        return if error.is_connect() {
            (
                ErrorKind::Timeout,
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
            format!(
                "{peer} cannot be reached: check its address, the network, and HTTPS_PROXY where there is a proxy"
            )
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
