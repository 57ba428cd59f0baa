//! What is sent back: a response, and what goes wrong with it on its way.

use super::{Chat, Refused, Request, format};
use bytes::{Bytes, BytesMut};
use serde_json::Value;
use std::{sync::Arc, time::Duration};

/// An answer to one request.
#[derive(Clone)]
pub(crate) struct Answer {
    source: Source,
    /// Further headers, after the status.
    headers: Vec<(String, String)>,
    /// How it is framed, whatever its format would do.
    framing: Option<Framing>,
    /// Bytes of the body in whose place others are sent.
    swap: Option<(&'static [u8], &'static [u8])>,
    cut: Option<At>,
    cuts: Cuts,
    /// How long nothing is sent at first.
    pub(super) delay: Duration,
    /// How long nothing is sent between two pieces.
    pub(super) pace: Duration,
    pub(super) then: Then,
}

#[derive(Clone)]
enum Source {
    /// As the request wants it, streamed or not, in its format.
    Chat(Box<Chat>),
    /// In the form that the request's format has for errors.
    Refused(Refused),
    /// An answer of the request's format that answers nothing.
    Hollow,
    Response(Response),
    /// As it is, head and all, in these pieces.
    Bytes(Arc<[Bytes]>),
}

#[derive(Clone)]
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) content_type: &'static str,
    pub(super) framing: Framing,
    pub(super) body: Vec<Bytes>,
}

/// How the client learns where the body ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// A content-length.
    Length,
    /// A content-length that says so much more than there is.
    LengthAnd(usize),
    /// A chunk of HTTP for each piece.
    Chunked,
    /// The end of the connection.
    Close,
}

/// A place in the bytes of an answer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum At {
    /// After so many bytes.
    Byte(usize),
    /// After so many bytes behind the head.
    Body(usize),
    /// So many bytes before the end.
    End(usize),
    /// After so many hundredths of what is behind the head.
    Percent(usize),
}

/// What follows the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// The next request on this connection.
    Listen,
    /// The end of the connection.
    Close,
    /// A reset.
    Reset,
    /// Nothing, until the client leaves.
    Silence,
}

/// How the bytes are cut into writes.
#[derive(Clone)]
enum Cuts {
    /// The head and each event by itself.
    Natural,
    Each(usize),
    At(Vec<usize>),
}

impl Answer {
    /// Says `text` and stops.
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Chat::new().text(text).into()
    }

    /// A response with a body of a length.
    pub(crate) fn new(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self::framed(status, content_type, Framing::Length, vec![body.into()])
    }

    /// A response whose body comes in pieces.
    pub(crate) fn framed(
        status: u16,
        content_type: &'static str,
        framing: Framing,
        body: Vec<Bytes>,
    ) -> Self {
        let then = if framing == Framing::Close { Then::Close } else { Then::Listen };
        Self::of(Source::Response(Response { status, content_type, framing, body }), then)
    }

    /// A response of JSON.
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::new(status, "application/json", body.to_string())
    }

    /// A stream of events, written as it is.
    pub(crate) fn events(text: impl Into<Bytes>) -> Self {
        Self::framed(200, "text/event-stream", Framing::Chunked, vec![text.into()])
    }

    /// An answer that answers nothing: no choice, no candidate, no block, no end.
    pub(crate) fn hollow() -> Self {
        Self::of(Source::Hollow, Then::Listen)
    }

    /// What a real server once sent, status line and all. The connection ends after it unless it says where it ends.
    pub(crate) fn recorded(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let head = bytes.get(..head_length(&bytes)).map(|head| head.to_ascii_lowercase());
        let head = String::from_utf8(head.unwrap_or_default()).unwrap_or_default();
        let framed = head.contains("\r\ncontent-length:") || head.contains("\r\ntransfer-encoding: chunked");
        let closes = head.contains("\r\nconnection: close");
        let then = if framed && !closes { Then::Listen } else { Then::Close };
        Self::of(Source::Bytes(Arc::new([bytes])), then)
    }

    fn of(source: Source, then: Then) -> Self {
        Self {
            source,
            headers: Vec::new(),
            framing: None,
            swap: None,
            cut: None,
            cuts: Cuts::Natural,
            delay: Duration::ZERO,
            pace: Duration::ZERO,
            then,
        }
    }

    /// One more header.
    pub(crate) fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Frames the body in this way.
    pub(super) fn framing(mut self, framing: Framing) -> Self {
        self.framing = Some(framing);
        if framing == Framing::Close { self.then(Then::Close) } else { self }
    }

    /// Sends other bytes in the place of these.
    pub(crate) fn swap(mut self, from: &'static [u8], to: &'static [u8]) -> Self {
        self.swap = Some((from, to));
        self
    }

    /// Ends at a place, and how.
    pub(crate) fn cut(mut self, at: At, then: Then) -> Self {
        self.cut = Some(at);
        self.then = then;
        self
    }

    /// What follows the last byte.
    pub(crate) fn then(mut self, then: Then) -> Self {
        self.then = then;
        self
    }

    /// Writes so many bytes at once.
    pub(crate) fn by(mut self, bytes: usize) -> Self {
        self.cuts = Cuts::Each(bytes.max(1));
        self
    }

    /// Writes up to each of these positions, in rising order, counted from the first byte of the head.
    pub(crate) fn split(mut self, positions: impl Into<Vec<usize>>) -> Self {
        self.cuts = Cuts::At(positions.into());
        self
    }

    /// Waits before the first byte.
    pub(crate) fn after(mut self, time: Duration) -> Self {
        self.delay = time;
        self
    }

    /// Waits between two writes.
    pub(crate) fn paced(mut self, time: Duration) -> Self {
        self.pace = time;
        self
    }

    /// The same for every request, made ready once: for a bench, whose server shall cost little.
    pub(crate) fn ready(self, streams: bool) -> Self {
        let body = format!("{{\"stream\":{streams},\"stream_options\":{{\"include_usage\":true}}}}");
        let request = Request {
            method: "POST".to_owned(),
            path: "/v1/chat/completions".to_owned(),
            headers: Vec::new(),
            body: body.into(),
        };
        let pieces = self.pieces(&request);
        Self { delay: self.delay, pace: self.pace, ..Self::of(Source::Bytes(pieces), self.then) }
    }

    /// In the request's format, none where it is bytes.
    fn response(&self, request: &Request) -> Option<Response> {
        let json = |status, body: &Value| {
            let body = vec![body.to_string().into()];
            Response { status, content_type: "application/json", framing: Framing::Length, body }
        };
        Some(match &self.source {
            Source::Bytes(_) => return None,
            Source::Response(response) => response.clone(),
            Source::Chat(chat) => chat.response(request),
            Source::Hollow => json(200, &format::of(request).hollow()),
            Source::Refused(refused) => {
                let (status, body) = format::of(request).refused(refused);
                json(status, &body)
            }
        })
    }

    fn written(&self, mut response: Response, request: &Request) -> Vec<Bytes> {
        response.framing = self.framing.unwrap_or(response.framing);
        if let Some((from, to)) = self.swap {
            response.body.iter_mut().for_each(|piece| *piece = swapped(piece, from, to));
        }
        let mut headers = self.headers.clone();
        if let Source::Refused(Refused { wait: Some(seconds), .. }) = &self.source
            && format::of(request).waits_in_the_head()
        {
            headers.push(("retry-after".to_owned(), seconds.to_string()));
        }
        response.pieces(&headers)
    }

    /// What is written, one write each.
    pub(super) fn pieces(&self, request: &Request) -> Arc<[Bytes]> {
        let mut pieces = match &self.source {
            Source::Bytes(pieces) if self.cut.is_none() && matches!(self.cuts, Cuts::Natural) => {
                return Arc::clone(pieces);
            }
            Source::Bytes(pieces) => pieces.to_vec(),
            _ => self.response(request).map(|response| self.written(response, request)).unwrap_or_default(),
        };
        if let Some(cut) = self.cut {
            let length = match cut {
                At::Byte(at) => at,
                At::Body(at) => head_length(&pieces.concat()) + at,
                At::Percent(share) => {
                    let head = head_length(&pieces.concat());
                    head + (pieces.iter().map(Bytes::len).sum::<usize>() - head) * share / 100
                }
                At::End(before) => pieces.iter().map(Bytes::len).sum::<usize>().saturating_sub(before),
            };
            truncate(&mut pieces, length);
        }
        match &self.cuts {
            Cuts::Natural => pieces.into(),
            Cuts::Each(size) => {
                let whole = Bytes::from(pieces.concat());
                (0..whole.len())
                    .step_by(*size)
                    .map(|at| whole.slice(at..whole.len().min(at + size)))
                    .collect()
            }
            Cuts::At(positions) => {
                let mut rest = Bytes::from(pieces.concat());
                let length = rest.len();
                let mut pieces: Vec<_> = positions
                    .iter()
                    .filter(|&&at| at < length)
                    .map(|at| rest.split_to((at + rest.len()).saturating_sub(length)))
                    .collect();
                pieces.push(rest);
                pieces.into()
            }
        }
    }
}

impl From<Chat> for Answer {
    fn from(chat: Chat) -> Self {
        Self::of(Source::Chat(Box::new(chat)), Then::Listen)
    }
}

/// In the form that the request's format has for errors.
impl From<Refused> for Answer {
    fn from(refused: Refused) -> Self {
        Self::of(Source::Refused(refused), Then::Listen)
    }
}

impl Response {
    fn pieces(&self, headers: &[(String, String)]) -> Vec<Bytes> {
        let length = self.body.iter().map(Bytes::len).sum::<usize>();
        let framing = match self.framing {
            Framing::Length => format!("content-length: {length}\r\n"),
            Framing::LengthAnd(more) => format!("content-length: {}\r\n", length + more),
            Framing::Chunked => "transfer-encoding: chunked\r\n".to_owned(),
            Framing::Close => "connection: close\r\n".to_owned(),
        };
        let headers = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect::<String>();
        let head = format!(
            "HTTP/1.1 {} {}\r\ncontent-type: {}\r\n{framing}{headers}\r\n",
            self.status,
            reason(self.status),
            self.content_type
        );
        let mut pieces = vec![Bytes::from(head)];
        let chunked = self.framing == Framing::Chunked;
        let body = self.body.iter().filter(|piece| !piece.is_empty());
        pieces.extend(body.map(|piece| if chunked { chunk(piece) } else { piece.clone() }));
        if chunked {
            pieces.push(Bytes::from_static(b"0\r\n\r\n"));
        }
        pieces
    }
}

fn chunk(piece: &[u8]) -> Bytes {
    let mut chunk = BytesMut::from(format!("{:x}\r\n", piece.len()).as_bytes());
    chunk.extend_from_slice(piece);
    chunk.extend_from_slice(b"\r\n");
    chunk.freeze()
}

fn swapped(piece: &Bytes, from: &[u8], to: &[u8]) -> Bytes {
    let Some(at) = piece.windows(from.len()).position(|window| window == from) else { return piece.clone() };
    let (head, tail) = (&piece[..at], swapped(&piece.slice(at + from.len()..), from, to));
    [head, to, &tail].concat().into()
}

fn truncate(pieces: &mut Vec<Bytes>, mut length: usize) {
    for piece in pieces.iter_mut() {
        piece.truncate(length);
        length -= piece.len();
    }
    pieces.retain(|piece| !piece.is_empty());
}

/// How long the head is, the empty line included.
fn head_length(bytes: &[u8]) -> usize {
    bytes.windows(4).position(|window| window == b"\r\n\r\n").map_or(bytes.len(), |at| at + 4)
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        301 => "Moved Permanently",
        307 => "Temporary Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        529 => "Site Overloaded",
        _ => "Status",
    }
}
