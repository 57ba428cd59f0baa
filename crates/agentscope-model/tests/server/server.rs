//! A server that speaks the wire of every kind of model, on one port, by script and with faults.
//!
//! HTTP is written here by hand, because tests need every byte: a body that is cut, a line that comes a byte at a time, a
//! connection that is reset before the answer. It is shared by the tests, the example `test_server` and the bench of the
//! facade, each by `#[path = ..] mod server`.
//!
//! The path of a request names its format: `format/` has a file for each, which writes answers, and `check/` has one that
//! refuses what the provider would. A script says what is answered, once for all of them:
//!
//! * `Server::start(scenario)`: as the user's last words ask, such as `hello`, `think`, `compare`, `schema`, `look` or the name of a
//!   fault; `scenario.rs` has them all;
//! * `Server::start(vec![Chat::new().reasoning("Hm.").call("c1", "weather", "{}").into(), Answer::text("Sunny.")])`: one after
//!   the other;
//! * `Server::start(|request: &Request| ..)`: a function, to which `request.heard()` says what was asked, the same in all formats;
//! * `Server::start(fault("rate-limited").unwrap())`: what goes wrong; `fault.rs` has 42 of them.
//!
//! Base URLs: `server.url()` (`/v1`) for OpenAI's chat and responses, `server.at("")` for Anthropic, Gemini, Ollama and Azure,
//! `server.at("/api/v1")` for DashScope, `server.at("/generate")` for a service of one's own.

#![allow(dead_code, unused_imports, reason = "each of its users needs another part")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by a panic")]

mod answer;
mod chat;
mod check;
mod fault;
mod format;
mod frame;
mod heard;
mod request;
mod scenario;
mod schema;
mod wire;

pub(crate) use answer::{Answer, At, Then};
pub(crate) use chat::{Chat, Count, Style};
pub(crate) use fault::{FAULTS, fault};
pub(crate) use format::Refused;
pub(crate) use heard::{Bit, Heard, Turn};
pub(crate) use request::Request;
pub(crate) use scenario::{polite, scenario};
pub(crate) use schema::instance;

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};
use tokio::{
    net::TcpListener,
    sync::{oneshot, watch},
    task::JoinSet,
};

/// Most bytes of requests that are remembered (8 MiB); the oldest are forgotten first.
const REMEMBERED: usize = 8 << 20;

/// A server on 127.0.0.1 at a free port, on a thread of its own, that ends with this value.
///
/// The thread has its own clock, so that a test with paused time may use it.
pub(crate) struct Server {
    address: SocketAddr,
    seen: Arc<Seen>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Server {
    /// Answers the requests of all formats by `script` once they pass the checks of a strict server; lists models and counts
    /// tokens by itself; gives 401 without a key, 400 for a wrong request and 404 for other paths, each in the format's own
    /// form, none of which uses up the script.
    pub(crate) fn start(script: impl Script) -> Self {
        Self::start_at(0, script)
    }

    /// The same at a `port`; `0` is a free one.
    pub(crate) fn start_at(port: u16, script: impl Script) -> Self {
        let script = script.into_script();
        Self::listen(
            port,
            Box::new(move |request| check::refusal(request).unwrap_or_else(|| script(request))),
        )
    }

    /// Answers every request by `script`, whatever it is.
    pub(crate) fn raw(script: impl Script) -> Self {
        Self::listen(0, script.into_script())
    }

    fn listen(port: u16, script: BoxScript) -> Self {
        let listener = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Seen::new(script));
        let (stop, stopped) = oneshot::channel();
        let serving = serve(listener, Arc::clone(&seen), stopped);
        let thread = thread::Builder::new().name("test-server".to_owned()).spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(serving);
        });
        Self { address, seen, stop: Some(stop), thread: Some(thread.unwrap()) }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The base URL for a client of OpenAI's chat, such as `http://127.0.0.1:4711/v1`.
    pub(crate) fn url(&self) -> String {
        self.at("/v1")
    }

    /// The URL of a path, such as `http://127.0.0.1:4711/api/v1`; without one, `http://127.0.0.1:4711`.
    pub(crate) fn at(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The latest requests, oldest first; see [`Self::count`] for how many there were.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.seen.latest.lock().unwrap().requests.iter().cloned().collect()
    }

    /// How many requests came.
    pub(crate) fn count(&self) -> usize {
        self.seen.counts.borrow().requests
    }

    /// Waits until the counts are as `wanted`.
    pub(crate) async fn wait(&self, wanted: impl FnMut(&Counts) -> bool) -> Counts {
        *self.seen.counts.subscribe().wait_for(wanted).await.unwrap()
    }
}

/// Ends the server's thread, and with it every connection.
impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        let ended = self.thread.take().map(thread::JoinHandle::join);
        if let Some(Err(panic)) = ended
            && !thread::panicking()
        {
            std::panic::resume_unwind(panic);
        }
    }
}

/// What has happened to the server so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Requests that came in whole.
    pub(crate) requests: usize,
    /// Connections that were accepted.
    pub(crate) connections: usize,
    /// Clients that left before their answer was at its end.
    pub(crate) left: usize,
}

/// What answers requests: a list, or a function of the request.
pub(crate) trait Script {
    /// As a function.
    fn into_script(self) -> BoxScript;
}

pub(crate) type BoxScript = Box<dyn Fn(&Request) -> Answer + Send + Sync>;

impl<F: Fn(&Request) -> Answer + Send + Sync + 'static> Script for F {
    fn into_script(self) -> BoxScript {
        Box::new(self)
    }
}

/// One after the other. Whoever asks once too often gets a 400, which nobody tries again.
impl Script for Vec<Answer> {
    fn into_script(self) -> BoxScript {
        let next = AtomicUsize::new(0);
        Box::new(move |_: &Request| match self.get(next.fetch_add(1, Ordering::SeqCst)) {
            Some(answer) => answer.clone(),
            None => {
                let message = format!("the script has {} answers and no more", self.len());
                Refused::new(400, "script_at_its_end", message).into()
            }
        })
    }
}

/// The same answer to all.
impl Script for Answer {
    fn into_script(self) -> BoxScript {
        Box::new(move |_: &Request| self.clone())
    }
}

/// What all connections share.
struct Seen {
    script: BoxScript,
    latest: Mutex<Latest>,
    counts: watch::Sender<Counts>,
}

#[derive(Default)]
struct Latest {
    requests: VecDeque<Request>,
    bytes: usize,
}

impl Seen {
    fn new(script: BoxScript) -> Self {
        Self { script, latest: Mutex::default(), counts: watch::Sender::default() }
    }

    fn answer(&self, request: &Request) -> Answer {
        {
            let mut latest = self.latest.lock().unwrap();
            latest.bytes += request.body.len();
            latest.requests.push_back(request.clone());
            while latest.bytes > REMEMBERED {
                latest.bytes -= latest.requests.pop_front().map_or(0, |oldest| oldest.body.len());
            }
        }
        self.counts.send_modify(|counts| counts.requests += 1);
        (self.script)(request)
    }
}

async fn serve(listener: std::net::TcpListener, seen: Arc<Seen>, mut stopped: oneshot::Receiver<()>) {
    let listener = TcpListener::from_std(listener).unwrap();
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = &mut stopped => return,
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                seen.counts.send_modify(|counts| counts.connections += 1);
                let seen = Arc::clone(&seen);
                connections.spawn(async move {
                    // A client that leaves is what tests are about: it is counted, and otherwise nothing.
                    if wire::converse(stream, |request| seen.answer(request)).await.is_err() {
                        seen.counts.send_modify(|counts| counts.left += 1);
                    }
                });
            }
            Some(ended) = connections.join_next() => ended.unwrap(),
        }
    }
}
