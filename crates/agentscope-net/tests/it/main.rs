//! Fetching, seen by the servers that are asked.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by a panic")]

use agentscope_core::{Error, ErrorKind};
use agentscope_net::{Fetched, Guard, client, fetch, trouble};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinSet,
};

/// A server that answers each request with these bytes, for as long as it is kept.
struct Server {
    port: u16,
    asked: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

async fn serve(answer: impl Fn(u16) -> String) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (answer, asked) = (answer(port), Arc::new(AtomicUsize::new(0)));
    let mut tasks = JoinSet::new();
    let count = Arc::clone(&asked);
    tasks.spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                request.push(stream.read_u8().await.unwrap());
            }
            count.fetch_add(1, SeqCst);
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    Server { port, asked, _tasks: tasks }
}

fn ok(body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: Image/PNG; q=1\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
}

fn to(location: &str) -> String {
    format!("HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
}

async fn any(url: String) -> Result<Fetched, Error> {
    fetch(&url, Guard::any(), 10).await
}

#[tokio::test]
async fn a_file_comes_with_its_type() {
    let server = serve(|_| ok("hello")).await;
    let fetched = any(format!("http://127.0.0.1:{}/a", server.port)).await.unwrap();
    assert_eq!((fetched.media_type.as_str(), &fetched.bytes[..]), ("image/png", &b"hello"[..]));
}

#[tokio::test]
async fn a_file_that_is_too_large_is_not_taken() {
    let endless = format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{}", "x".repeat(100));
    for answer in [ok("12345678901"), endless] {
        let server = serve(|_| answer.clone()).await;
        let error = any(format!("http://127.0.0.1:{}/a?key=secret", server.port)).await.unwrap_err();
        let url = format!("http://127.0.0.1:{}/a", server.port);
        assert_eq!(
            error.message(),
            format!("`{url}` could not be fetched: it is larger than 10 bytes: give a smaller one")
        );
    }
}

#[tokio::test]
async fn a_status_is_told() {
    for (status, kind) in
        [(404, ErrorKind::NotFound), (403, ErrorKind::Unauthorized), (503, ErrorKind::Unavailable)]
    {
        let server =
            serve(|_| format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")).await;
        assert_eq!(any(format!("http://127.0.0.1:{}/", server.port)).await.unwrap_err().kind(), kind);
    }
}

#[tokio::test]
async fn redirects_are_followed_to_an_end() {
    let target = serve(|_| ok("there")).await;
    let server = serve(|_| to(&format!("http://127.0.0.1:{}/", target.port))).await;
    assert_eq!(&any(format!("http://127.0.0.1:{}/", server.port)).await.unwrap().bytes[..], b"there");
    let circle = serve(|port| to(&format!("http://127.0.0.1:{port}/"))).await;
    let error = any(format!("http://127.0.0.1:{}/", circle.port)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    assert_eq!(circle.asked.load(SeqCst), 6);
}

#[tokio::test]
async fn a_guarded_address_is_not_even_asked() {
    let server = serve(|_| ok("secret")).await;
    let port = server.port;
    for host in ["127.0.0.1", "2130706433", "[::ffff:127.0.0.1]", "localhost", "0.0.0.0"] {
        let error = fetch(&format!("http://{host}:{port}/"), Guard::public(), 10).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused, "{host}: {error:?}");
        assert!(error.message().contains("not a public address"), "{host}: {error}");
    }
    assert_eq!(server.asked.load(SeqCst), 0);
}

#[tokio::test]
async fn a_redirect_leads_to_no_other_scheme() {
    for target in ["file:///etc/passwd", "gopher://127.0.0.1/"] {
        let server = serve(|_| to(target)).await;
        let error = any(format!("http://127.0.0.1:{}/", server.port)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused, "{error:?}");
    }
}

#[tokio::test]
async fn a_key_is_not_carried_along_a_redirect() {
    let target = serve(|_| ok("there")).await;
    let server = serve(|_| to(&format!("http://127.0.0.1:{}/", target.port))).await;
    let url: agentscope_net::Url = format!("http://127.0.0.1:{}/", server.port).parse().unwrap();
    let response = client(&url).unwrap().get(url).header("authorization", "Bearer k").send().await.unwrap();
    assert_eq!(response.status(), 302);
    assert_eq!(target.asked.load(SeqCst), 0);
}

#[tokio::test]
async fn nonsense_is_no_address() {
    for url in ["", "here", "http://", "file:///etc/passwd", "data:,x"] {
        let error = any(url.to_owned()).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Refused), "{url}: {error}");
    }
}

/// The requests that came, as they were written.
async fn remember(answer: String) -> (u16, Arc<std::sync::Mutex<String>>, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (port, seen) = (listener.local_addr().unwrap().port(), Arc::<std::sync::Mutex<String>>::default());
    let (mut tasks, kept) = (JoinSet::new(), Arc::clone(&seen));
    tasks.spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                request.push(stream.read_u8().await.unwrap());
            }
            kept.lock().unwrap().push_str(&String::from_utf8(request).unwrap());
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (port, seen, tasks)
}

#[tokio::test]
async fn a_redirect_does_not_tell_where_it_came_from() {
    let (port, seen, _tasks) = remember(ok("there")).await;
    let server = serve(|_| to(&format!("http://127.0.0.1:{port}/there"))).await;
    any(format!("http://user:pass@127.0.0.1:{}/signed?key=secret", server.port)).await.unwrap();
    let seen = seen.lock().unwrap().to_lowercase();
    assert!(
        seen.starts_with("get /there") && !seen.contains("secret") && !seen.contains("authorization"),
        "{seen}"
    );
}

#[tokio::test]
async fn an_error_tells_no_secret_of_the_address() {
    let server =
        serve(|_| "HTTP/1.1 404 x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_owned()).await;
    for url in [
        format!("http://user:secret@127.0.0.1:{}/a?key=secret#secret", server.port),
        "http://user:secret@127.0.0.1:1/".to_owned(),
        "http://user:secret@:1/".to_owned(),
        "ftp://user:secret@host/".to_owned(),
        "user:secret@host".to_owned(),
    ] {
        let error = any(url.clone()).await.unwrap_err();
        assert!(!format!("{error} {error:?}").contains("secret"), "{url}: {error:?}");
    }
}

#[tokio::test]
async fn a_file_that_is_compressed_is_not_taken_for_what_is_in_it() {
    let server =
        serve(|_| ok("\u{1f}gzip").replace("connection", "content-encoding: gzip\r\nconnection")).await;
    let error = any(format!("http://127.0.0.1:{}/a", server.port)).await.unwrap_err();
    assert!(
        error.message().ends_with("the server compresses it (gzip), though it was not asked to"),
        "{error}"
    );
}

#[tokio::test]
async fn addresses_in_disguise_are_refused() {
    for url in [
        "http://0177.0.0.1/",
        "http://0x7f000001/",
        "http://127.0.0.1./",
        "http://①②⑦.0.0.1/",
        "http://127。0。0。1/",
        "http://%31%32%37.0.0.1/",
        "http://example.com@127.0.0.1/",
        "http://127.0.0.1:80\\@example.com/",
        "http://[::ffff:10.0.0.1]/",
        "http://[::]/",
        "http://[::127.0.0.1]/",
        "http://[fe80::1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://255.255.255.255/",
        "http://0/",
        "http://localhost/",
        "http://LOCALHOST/",
        "http:127.0.0.1/",
        "http:/\\127.0.0.1/",
        " http://127.0.0.1/ ",
        "ht\ntp://127.0.0.1/",
    ] {
        let error = fetch(url, Guard::public(), 10).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused, "{url}: {error:?}");
    }
    for url in [
        "http://[fe80::1%25eth0]/",
        "http://127.0.0.1:99999/",
        "http://127.0.0.1%00.example.com/",
        "http://300.0.0.1/",
        "http://1.2.3.4.5/",
    ] {
        let error = fetch(url, Guard::public(), 10).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{url}: {error:?}");
    }
}

/// A proxy is set by the environment of a process, so this is run once more in one that has it.
#[tokio::test]
async fn a_dead_proxy_is_named_and_not_in_the_way_to_this_machine() {
    if std::env::var("HTTP_PROXY").ok().as_deref() != Some("http://user:secret@127.0.0.1:9") {
        let mut again = std::process::Command::new(std::env::current_exe().unwrap());
        for variable in ["http_proxy", "https_proxy", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"] {
            again.env_remove(variable);
        }
        for variable in ["HTTP_PROXY", "HTTPS_PROXY"] {
            again.env(variable, "http://user:secret@127.0.0.1:9");
        }
        again.args(["--exact", "a_dead_proxy_is_named_and_not_in_the_way_to_this_machine"]);
        let output = again.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        return;
    }
    let server = serve(|_| ok("here")).await;
    for host in ["127.0.0.1", "localhost", "0.0.0.0", "[::ffff:127.0.0.1]"] {
        let url: agentscope_net::Url = format!("http://{host}:{}/", server.port).parse().unwrap();
        assert_eq!(client(&url).unwrap().get(url).send().await.unwrap().status(), 200, "{host}");
    }
    for (url, variable) in [("http://192.0.2.1/", "HTTP_PROXY"), ("https://example.com/", "HTTPS_PROXY")] {
        let url: agentscope_net::Url = url.parse().unwrap();
        let error = client(&url).unwrap().get(url).send().await.unwrap_err();
        let error = trouble(error, "PEER");
        assert_eq!(
            error.message(),
            format!(
                "PEER cannot be reached: check its address and the network, and the proxy http://127.0.0.1:9 that {variable} names, or name PEER in NO_PROXY"
            )
        );
        assert!(!format!("{error:?}").contains("secret"), "{error:?}");
    }
}
