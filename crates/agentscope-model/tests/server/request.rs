//! A request as it came in, and reading one from a connection.

use super::{Heard, format};
use bytes::{Buf, Bytes, BytesMut};
use serde_json::Value;
use std::io;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Most bytes of a request (64 MiB).
const LIMIT: usize = 64 << 20;

/// A request as it came in.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// With the query.
    pub(crate) path: String,
    /// Names in lower case, in their order.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
}

impl Request {
    /// The first header of this name, in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON, null where it is none.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The value of a field of the query, as it is written there.
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        let (_, query) = self.path.split_once('?')?;
        query
            .split('&')
            .filter_map(|field| field.split_once('='))
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value)
    }

    /// The key of `authorization: Bearer KEY`, empty where there is none.
    pub(super) fn bearer(&self) -> &str {
        self.header("authorization").and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default()
    }

    /// What it says, in words that are the same for all formats.
    pub(crate) fn heard(&self) -> Heard {
        format::of(self).heard(self, &self.json())
    }

    /// The texts of the conversation, `role: words` each, with a line for each result of a tool.
    pub(crate) fn transcript(&self) -> Vec<String> {
        self.heard().turns.iter().map(|turn| format!("{}: {}", turn.role, turn.text())).collect()
    }
}

/// The next request, none where the client has closed the connection. What came too early stays in `buffer`.
pub(super) async fn read(stream: &mut TcpStream, buffer: &mut BytesMut) -> io::Result<Option<Request>> {
    let head = loop {
        if let Some(end) = find(buffer, b"\r\n\r\n") {
            break buffer.split_to(end + 4);
        }
        if fill(stream, buffer).await? == 0 {
            return if buffer.is_empty() { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
        }
        if buffer.first().is_some_and(|byte| !byte.is_ascii_uppercase()) {
            // Such as the beginning of TLS, to which nginx and others say this.
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n").await?;
            return Err(io::ErrorKind::InvalidData.into());
        }
    };
    let head = String::from_utf8_lossy(&head);
    let mut lines = head.lines();
    let mut first = lines.next().unwrap_or_default().split(' ').map(str::to_owned);
    let mut request = Request {
        method: first.next().unwrap_or_default(),
        path: first.next().unwrap_or_default(),
        headers: lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect(),
        body: Bytes::new(),
    };
    if request.header("expect").is_some() {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
    }
    let length = request.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    request.body = if request.header("transfer-encoding").is_some_and(|coding| coding == "chunked") {
        chunks(stream, buffer).await?
    } else {
        until(stream, buffer, length).await?;
        buffer.split_to(length).freeze()
    };
    Ok(Some(request))
}

async fn chunks(stream: &mut TcpStream, buffer: &mut BytesMut) -> io::Result<Bytes> {
    let mut body = BytesMut::new();
    loop {
        let end = loop {
            match find(buffer, b"\r\n") {
                Some(end) => break end,
                None if fill(stream, buffer).await? == 0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                None => {}
            }
        };
        let line = buffer.split_to(end + 2);
        let size = std::str::from_utf8(&line).ok().and_then(|line| line.trim().split(';').next());
        let size =
            size.and_then(|size| usize::from_str_radix(size, 16).ok()).ok_or(io::ErrorKind::InvalidData)?;
        until(stream, buffer, size + 2).await?;
        body.extend_from_slice(&buffer.split_to(size));
        buffer.advance(2);
        if size == 0 {
            return Ok(body.freeze());
        }
    }
}

/// Reads until the buffer has so many bytes.
async fn until(stream: &mut TcpStream, buffer: &mut BytesMut, length: usize) -> io::Result<()> {
    if length > LIMIT {
        return Err(io::ErrorKind::InvalidData.into());
    }
    buffer.reserve(length.saturating_sub(buffer.len()));
    while buffer.len() < length {
        if fill(stream, buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(())
}

async fn fill(stream: &mut TcpStream, buffer: &mut BytesMut) -> io::Result<usize> {
    if buffer.len() > LIMIT {
        return Err(io::ErrorKind::InvalidData.into());
    }
    buffer.reserve(16 << 10);
    stream.read_buf(buffer).await
}

fn find(buffer: &[u8], what: &[u8]) -> Option<usize> {
    buffer.windows(what.len()).position(|window| window == what)
}
