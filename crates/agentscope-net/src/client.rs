//! The clients, one of a kind for each runtime.

use crate::{guard::Guard, trouble::trouble};
use agentscope_core::{Error, ErrorKind, Result};
use reqwest::{Client, ClientBuilder, redirect};
use std::{
    net::IpAddr,
    sync::{Arc, Mutex, Once, PoisonError},
    time::Duration,
};
use tokio::runtime::{Handle, Id};
use url::{Host, Url};

/// Longest wait for a connection (10 s): a server that does not even accept is not there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a connection is kept that nobody uses (30 s); many servers close theirs after a minute.
const IDLE: Duration = Duration::from_secs(30);

/// Most redirects that are followed for a guarded address.
const REDIRECTS: usize = 5;

/// Most clients that are kept (32): five kinds, and a program has few runtimes. A test has many, which end.
const KEPT: usize = 32;

/// Who this is, as servers see it in their logs.
const USER_AGENT: &str = concat!("agentscope-rs/", env!("CARGO_PKG_VERSION"));

static CLIENTS: Mutex<Vec<(Id, Kind, Client)>> = Mutex::new(Vec::new());

/// What kind of addresses a client is for.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// This machine: no proxy and no certificates.
    Loopback,
    /// This machine with TLS: no proxy.
    LoopbackTls,
    /// Without TLS: no certificates are loaded, which some machines lack and which takes its time.
    Plain,
    Tls,
    /// For an address that someone else named.
    Guarded(Guard),
}

/// The client for an address that the user named, such as the base URL of a model.
///
/// Connections are shared by all who ask for the same kind of address on the same runtime. No redirect is followed: the caller
/// sees its status.
///
/// # Errors
/// [`ErrorKind::InvalidInput`] if the scheme is neither `http` nor `https`, or outside of a tokio runtime;
/// [`ErrorKind::Unavailable`] if the machine has no certificates to trust.
pub fn client(url: &Url) -> Result<Client> {
    let kind = match url.scheme() {
        "http" if is_loopback(url) => Kind::Loopback,
        "https" if is_loopback(url) => Kind::LoopbackTls,
        "http" => Kind::Plain,
        "https" => Kind::Tls,
        other => {
            let message = format!(
                "`{other}` is no scheme of a web address: give one that begins with http:// or https://"
            );
            return Err(Error::new(ErrorKind::InvalidInput, message));
        }
    };
    shared(kind)
}

/// The client for an address that someone else named: a model, a page, a message. It reaches what `guard` allows, and follows
/// up to five redirects to what it allows.
///
/// # Errors
/// As [`client`]. The address itself is checked by [`Guard::check`].
pub fn guarded_client(guard: Guard) -> Result<Client> {
    shared(Kind::Guarded(guard))
}

fn shared(kind: Kind) -> Result<Client> {
    // The connections of a client end with the runtime that drives them.
    let Ok(runtime) = Handle::try_current().map(|handle| handle.id()) else {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            "a request needs a tokio runtime: call it within `#[tokio::main]`",
        ));
    };
    let mut clients = CLIENTS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, _, client)) = clients.iter().find(|(id, known, _)| *id == runtime && *known == kind) {
        return Ok(client.clone());
    }
    let client = build(kind)?;
    if clients.len() >= KEPT {
        clients.remove(0);
    }
    clients.push((runtime, kind, client.clone()));
    Ok(client)
}

fn build(kind: Kind) -> Result<Client> {
    let builder = builder().connect_timeout(CONNECT_TIMEOUT).pool_idle_timeout(IDLE).user_agent(USER_AGENT);
    // Where a redirect came from is nobody's business: its query may be a signature.
    let builder = builder.referer(false);
    let builder = match kind {
        Kind::Loopback | Kind::LoopbackTls => builder.no_proxy(),
        Kind::Guarded(guard) => builder.no_proxy().dns_resolver(Arc::new(guard)),
        Kind::Plain | Kind::Tls => builder,
    };
    let builder = match kind {
        Kind::Plain | Kind::Loopback => builder.tls_certs_only([]),
        _ => builder,
    };
    let builder = match kind {
        Kind::Guarded(guard) => builder.redirect(redirect::Policy::custom(move |attempt| {
            if attempt.previous().len() > REDIRECTS {
                return attempt.error("too many redirects");
            }
            match guard.check(attempt.url()) {
                Ok(()) => attempt.follow(),
                Err(error) => attempt.error(error),
            }
        })),
        _ => builder.redirect(redirect::Policy::none()),
    };
    builder.build().map_err(|error| trouble(error, "the HTTP client"))
}

#[expect(clippy::disallowed_methods, reason = "the one place that sees to the TLS provider first")]
fn builder() -> ClientBuilder {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        // An error says that the program has installed one of its own, which is as good.
        drop(rustls::crypto::ring::default_provider().install_default());
    });
    Client::builder()
}

/// Whether an address is one of this machine. The unspecified address is: servers print it, and users copy it.
pub(crate) fn is_loopback(url: &Url) -> bool {
    let is_own = |address: IpAddr| address.is_loopback() || address.is_unspecified();
    match url.host() {
        Some(Host::Ipv4(address)) => is_own(address.into()),
        Some(Host::Ipv6(address)) => is_own(address.to_canonical()),
        Some(Host::Domain(name)) => {
            let name = name.strip_suffix('.').unwrap_or(name);
            name == "localhost" || name.ends_with(".localhost")
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn there_is_one_client_for_each_kind_of_address() {
        let kinds = || CLIENTS.lock().unwrap().iter().filter(|it| it.0 == Handle::current().id()).count();
        for url in [
            "http://localhost:1/a",
            "http://127.0.0.1:2",
            "http://[::1]:3",
            "http://a.localhost",
            "http://localhost.:4",
            "http://0.0.0.0:5",
            "http://[::]:6",
            "http://[::ffff:127.0.0.1]:7",
        ] {
            client(&url.parse().unwrap()).unwrap();
        }
        assert_eq!(kinds(), 1);
        client(&"https://localhost:1".parse().unwrap()).unwrap();
        assert_eq!(kinds(), 2);
        client(&"http://192.0.2.1".parse().unwrap()).unwrap();
        client(&"http://example.com".parse().unwrap()).unwrap();
        assert_eq!(kinds(), 3);
    }

    #[test]
    fn without_a_runtime_the_error_says_so() {
        let error = client(&"http://localhost".parse().unwrap()).unwrap_err();
        assert_eq!(error.message(), "a request needs a tokio runtime: call it within `#[tokio::main]`");
    }

    #[tokio::test]
    async fn a_redirect_leads_to_no_guarded_address() {
        let listen = || tokio::net::TcpListener::bind("127.0.0.1:0");
        let (open, guarded) = (listen().await.unwrap(), listen().await.unwrap());
        let (at, to) = (open.local_addr().unwrap(), guarded.local_addr().unwrap());
        let redirect = async {
            let (mut stream, _) = open.accept().await.unwrap();
            let asked = stream.read(&mut [0; 4096]).await.unwrap();
            assert!(asked > 0);
            let head = format!("HTTP/1.1 302 Found\r\nlocation: http://{to}/\r\ncontent-length: 0\r\n\r\n");
            stream.write_all(head.as_bytes()).await.unwrap();
            guarded.accept().await.unwrap();
        };
        let mut guard = Guard::public();
        guard.open_port = Some(at.port());
        let asked = guarded_client(guard).unwrap().get(format!("http://{at}/")).send();
        tokio::select! {
            answer = asked => {
                let error = trouble(answer.unwrap_err(), "it");
                assert_eq!(error.message(), "127.0.0.1 is not a public address, so it is not fetched");
            }
            () = redirect => panic!("the guarded address was reached"),
        }
    }

    #[tokio::test]
    async fn another_scheme_is_refused() {
        let error = client(&"ftp://example.com".parse().unwrap()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.message().contains("`ftp`"), "{error}");
    }
}
