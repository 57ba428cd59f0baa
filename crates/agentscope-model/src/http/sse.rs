//! Server-sent events, as in the HTML standard, section 9.2.6: bytes in, frames out, whatever the bytes are cut at.

use agentscope_core::{Error, ErrorKind, Result};
use memchr::memchr2;
use serde::de::IgnoredAny;

/// Largest frame (16 MiB); an image as base64 fits.
const FRAME_LIMIT: usize = 16 << 20;

/// Finds the frames in a stream of bytes. Each byte is looked at once.
#[derive(Default)]
pub(crate) struct Frames {
    /// A line whose end has not come.
    line: Vec<u8>,
    /// The data of the frame so far, its lines joined.
    data: Vec<u8>,
    event: Vec<u8>,
    has_data: bool,
    /// The last byte was a carriage return: a line feed that follows belongs to it.
    after_return: bool,
    begun: bool,
}

impl Frames {
    /// Whether a stream of frames may begin with these bytes, however few they are. Bytes without any known field are none.
    pub(crate) fn may_begin_with(bytes: &[u8]) -> bool {
        let starts: [&[u8]; 9] =
            [b":", b"data", b"event", b"error", b"id", b"retry", b"\n", b"\r", b"\xef\xbb\xbf"];
        starts.iter().any(|start| bytes.iter().zip(*start).all(|(one, other)| one == other))
    }

    /// Takes in more bytes; `frame` is given the name and the data of each frame that is complete with them.
    ///
    /// # Errors
    /// Those of `frame`; [`ErrorKind::Protocol`] for a frame of more than 16 MiB.
    pub(crate) fn feed(
        &mut self,
        bytes: &[u8],
        mut frame: impl FnMut(&[u8], &[u8]) -> Result<()>,
    ) -> Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            if std::mem::take(&mut self.after_return)
                && let Some((b'\n', after)) = rest.split_first()
            {
                rest = after;
                continue;
            }
            let Some(end) = memchr2(b'\n', b'\r', rest) else {
                self.line.extend_from_slice(rest);
                return self.check();
            };
            let (line, tail) = rest.split_at(end);
            if let Some((ending, after)) = tail.split_first() {
                self.after_return = *ending == b'\r';
                rest = after;
            }
            if self.line.is_empty() {
                self.take_line(line, &mut frame)?;
            } else {
                let mut whole = std::mem::take(&mut self.line);
                whole.extend_from_slice(line);
                self.take_line(&whole, &mut frame)?;
                whole.clear();
                self.line = whole;
            }
        }
        Ok(())
    }

    /// The bytes have ended. A frame whose last line is complete counts, though the standard wants an empty line behind it: some
    /// servers leave it out behind their last word. Where even the line has no end, its data tells whether it is whole.
    ///
    /// # Errors
    /// Those of `frame`.
    pub(crate) fn end(&mut self, mut frame: impl FnMut(&[u8], &[u8]) -> Result<()>) -> Result<()> {
        let line = std::mem::take(&mut self.line);
        if !line.is_empty() {
            self.take_line(&line, &mut frame)?;
            if !is_whole(&self.data) {
                return Ok(());
            }
        }
        self.dispatch(&mut frame)
    }

    fn take_line(&mut self, line: &[u8], frame: &mut impl FnMut(&[u8], &[u8]) -> Result<()>) -> Result<()> {
        let line = match std::mem::replace(&mut self.begun, true) {
            false => line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line),
            true => line,
        };
        if line.is_empty() {
            return self.dispatch(frame);
        }
        let (field, value) = match memchr::memchr(b':', line) {
            Some(at) => line.split_at(at),
            None => line.split_at(line.len()),
        };
        let value = value.strip_prefix(b":").unwrap_or(value);
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"data" => {
                if self.has_data {
                    self.data.push(b'\n');
                }
                self.has_data = true;
                self.data.extend_from_slice(value);
            }
            b"event" => {
                self.event.clear();
                self.event.extend_from_slice(value);
            }
            // No field of the standard: llama.cpp before late 2025 says so what went wrong.
            b"error" => {
                self.event = b"error".to_vec();
                self.data = value.to_vec();
                self.has_data = true;
            }
            _ => {} // comments that keep the connection alive, ids and waits
        }
        self.check()
    }

    fn dispatch(&mut self, frame: &mut impl FnMut(&[u8], &[u8]) -> Result<()>) -> Result<()> {
        let result = if self.has_data { frame(&self.event, &self.data) } else { Ok(()) };
        self.has_data = false;
        self.data.clear();
        self.event.clear();
        result
    }

    fn check(&self) -> Result<()> {
        if self.line.len() + self.data.len() <= FRAME_LIMIT {
            return Ok(());
        }
        let message = format!(
            "the server sent an event of more than {FRAME_LIMIT} bytes: is it the server of a model?"
        );
        Err(Error::new(ErrorKind::Protocol, message))
    }
}

/// Whether data cannot be the beginning of something longer.
fn is_whole(data: &[u8]) -> bool {
    data == b"[DONE]" || (data.starts_with(b"{") && serde_json::from_slice::<IgnoredAny>(data).is_ok())
}

#[cfg(test)]
mod tests;
