//! How the events of a stream are written: as server-sent events, or as lines of JSON.

use super::Style;
use bytes::{Bytes, BytesMut};

/// How a format separates what it streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lines {
    /// `data: {..}`.
    Events,
    /// `event: NAME` and `data: {..}`.
    NamedEvents,
    /// `id:1`, `event:result`, `:HTTP_STATUS/200`, `data:{..}`.
    DashScope,
    /// A JSON value a line.
    Json,
    /// One JSON array, an element at a time.
    Array,
}

/// The pieces of a stream, one write each.
pub(super) struct Events {
    lines: Lines,
    style: Style,
    pieces: Vec<Bytes>,
    count: usize,
}

impl Events {
    pub(super) fn new(lines: Lines, style: Style) -> Self {
        Self { lines, style, pieces: Vec::new(), count: 0 }
    }

    pub(super) fn content_type(&self) -> &'static str {
        match self.lines {
            Lines::Json => "application/x-ndjson",
            Lines::Array => "application/json; charset=UTF-8",
            Lines::DashScope => "text/event-stream;charset=UTF-8",
            Lines::Events | Lines::NamedEvents => "text/event-stream; charset=utf-8",
        }
    }

    /// An event; `name` is written where the format names them.
    pub(super) fn send(&mut self, name: &str, data: impl AsRef<[u8]>) {
        self.event(name, 200, data.as_ref());
    }

    /// An event that says that all is over; `status` is written where the format has it.
    pub(super) fn fail(&mut self, status: u16, data: impl AsRef<[u8]>) {
        self.event("error", status, data.as_ref());
    }

    fn event(&mut self, name: &str, status: u16, data: &[u8]) {
        let Style { line_end, space, comments, .. } = self.style;
        let space = if space { " " } else { "" };
        let mut piece = BytesMut::new();
        self.count += 1;
        if comments && !matches!(self.lines, Lines::Json | Lines::Array) {
            piece.extend_from_slice(format!(": keep-alive{line_end}{line_end}").as_bytes());
        }
        let head = match self.lines {
            Lines::Events => format!("data:{space}"),
            Lines::NamedEvents => format!("event:{space}{name}{line_end}data:{space}"),
            Lines::DashScope => {
                format!(
                    "id:{}{line_end}event:{name}{line_end}:HTTP_STATUS/{status}{line_end}data:",
                    self.count
                )
            }
            Lines::Json => String::new(),
            Lines::Array => if self.count == 1 { "[" } else { ",\r\n" }.to_owned(),
        };
        piece.extend_from_slice(head.as_bytes());
        piece.extend_from_slice(data);
        let end = match self.lines {
            // A carriage return alone ends no line here.
            Lines::Json => line_end.trim_end_matches('\n').to_owned() + "\n",
            Lines::Array => String::new(),
            _ => format!("{line_end}{line_end}"),
        };
        piece.extend_from_slice(end.as_bytes());
        self.pieces.push(piece.freeze());
    }

    /// Bytes as they are.
    pub(super) fn raw(&mut self, bytes: &Bytes) {
        self.pieces.push(bytes.clone());
    }

    pub(super) fn pieces(mut self) -> Vec<Bytes> {
        if self.lines == Lines::Array {
            self.pieces.push(Bytes::from_static(if self.count == 0 { b"[]" } else { b"]" }));
        }
        self.pieces
    }
}
