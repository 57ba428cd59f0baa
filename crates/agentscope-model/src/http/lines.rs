//! A stream of lines, each of them one JSON text: bytes in, lines out, whatever the bytes are cut at.

use agentscope_core::{Error, ErrorKind, Result};

/// Longest line (16 MiB); an image as base64 fits.
const LINE_LIMIT: usize = 16 << 20;

/// Finds the lines in a stream of bytes. Each byte is looked at once.
#[derive(Default)]
pub(crate) struct Lines {
    /// A line whose end has not come.
    open: Vec<u8>,
}

impl Lines {
    /// Takes in more bytes; `line` is given each line that is complete with them, unless it is empty.
    ///
    /// # Errors
    /// Those of `line`; [`ErrorKind::Protocol`] for a line of more than 16 MiB.
    pub(crate) fn feed(&mut self, bytes: &[u8], mut line: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let mut rest = bytes;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let (head, tail) = rest.split_at(end);
            rest = tail.get(1..).unwrap_or_default();
            if self.open.is_empty() {
                give(head, &mut line)?;
            } else {
                self.open.extend_from_slice(head);
                let whole = std::mem::take(&mut self.open);
                give(&whole, &mut line)?;
            }
        }
        self.open.extend_from_slice(rest);
        if self.open.len() <= LINE_LIMIT {
            return Ok(());
        }
        let message =
            format!("the server sent a line of more than {LINE_LIMIT} bytes: is it the server of a model?");
        Err(Error::new(ErrorKind::Protocol, message))
    }

    /// The bytes have ended; the last line needs no end.
    ///
    /// # Errors
    /// Those of `line`.
    pub(crate) fn end(&mut self, mut line: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let last = std::mem::take(&mut self.open);
        give(&last, &mut line)
    }
}

fn give(line: &[u8], to: &mut impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let line = line.trim_ascii();
    if line.is_empty() { Ok(()) } else { to(line) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_the_same_whatever_they_are_cut_at() {
        let bytes = b"{\"a\":1}\n\r\n{\"b\":2}\r\n{\"c\":3}";
        for size in 1..=bytes.len() {
            let (mut lines, mut seen) = (Lines::default(), Vec::new());
            for piece in bytes.chunks(size) {
                lines
                    .feed(piece, |line| {
                        seen.push(line.to_vec());
                        Ok(())
                    })
                    .unwrap();
            }
            lines
                .end(|line| {
                    seen.push(line.to_vec());
                    Ok(())
                })
                .unwrap();
            assert_eq!(seen, [b"{\"a\":1}", b"{\"b\":2}", b"{\"c\":3}"], "{size}");
        }
    }

    #[test]
    fn a_line_without_end_is_refused_before_it_fills_the_memory() {
        let mut lines = Lines::default();
        let piece = vec![b'x'; 1 << 20];
        let failed = (0..32).find_map(|_| lines.feed(&piece, |_| Ok(())).err());
        assert_eq!(failed.unwrap().kind(), ErrorKind::Protocol);
    }
}
