//! A server of a peer's on a port of its own.

use std::{
    fs::File,
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use super::guard::Guarded;
use crate::Result;

/// How long a server may take until it answers.
const LIMIT: Duration = Duration::from_secs(120);
/// How long one question may take, and how long to wait before the next.
const GLANCE: Duration = Duration::from_millis(200);

/// A server that answers, for as long as this is kept.
#[derive(Debug)]
pub(crate) struct Server {
    _program: Guarded,
}

impl Server {
    /// Starts a command on a free port of this machine and waits until it answers a GET of `path` by 200. Returns its
    /// address, such as `http://127.0.0.1:4010`.
    pub(super) fn start(
        command: impl FnOnce(u16) -> Command,
        path: &str,
        log: &Path,
    ) -> Result<(Self, String)> {
        let failed = |error| format!("could not start a server: {error}");
        let port = free_port().map_err(failed)?;
        let file = File::create(log).map_err(failed)?;
        let mut program = Guarded::spawn(&command(port), &file).map_err(failed)?;
        let until = Instant::now() + LIMIT;
        while !answers(port, path) {
            if program.wait(Some(Instant::now() + GLANCE)).map_err(failed)?.is_some() {
                return Err(format!("its server ended before it answered: see {}", log.display()));
            }
            if until <= Instant::now() {
                return Err(format!("its server does not answer: see {}", log.display()));
            }
        }
        Ok((Self { _program: program }, format!("http://127.0.0.1:{port}")))
    }
}

/// A port that nobody listens on. Somebody else may take it before it is used, which the server then says.
fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

fn answers(port: u16, path: &str) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), GLANCE)?;
        stream.set_read_timeout(Some(GLANCE))?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n")?;
        let mut status = [0; 12];
        stream.read_exact(&mut status)?;
        Ok(status == *b"HTTP/1.1 200")
    };
    ask().unwrap_or(false)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_ends_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let fail = |_| {
            let mut command = Command::new("sh");
            command.args(["-c", "exit 1"]);
            command
        };
        let error = Server::start(fail, "/", &folder.path().join("log")).unwrap_err();
        assert!(error.starts_with("its server ended before it answered"), "{error}");
    }

    #[test]
    fn only_200_counts_as_an_answer() {
        for (status, ready) in [("200 OK", true), ("503 Service Unavailable", false)] {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let port = listener.local_addr().unwrap().port();
            let server = std::thread::spawn(move || {
                let mut stream = listener.accept().unwrap().0;
                // What is closed before the request was read is reset, with the answer in it.
                let mut asked = Vec::new();
                while !asked.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    stream.read_exact(&mut byte).unwrap();
                    asked.extend(byte);
                }
                // In one piece: who asks leaves when they have seen the status.
                stream.write_all(format!("HTTP/1.1 {status}\r\n\r\n").as_bytes()).unwrap();
            });
            assert_eq!(answers(port, "/"), ready, "{status}");
            server.join().unwrap();
        }
    }
}
