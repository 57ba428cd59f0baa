//! The body of an answer, taken in piece by piece: what it is, its frames, what they say.

use super::{
    format::{Decode, Framing},
    lines::Lines,
    sse::Frames,
};
use agentscope_core::{Error, ErrorKind, ModelDelta, Result};
use std::collections::VecDeque;

/// Largest answer that is not streamed (64 MiB).
const BODY_LIMIT: usize = 64 << 20;

/// Takes in the body of an answer.
pub(crate) struct Reader {
    decoder: Box<dyn Decode>,
    framing: Framing,
    /// Whether a stream was asked for.
    stream: bool,
    body: Body,
}

/// What a body is. Its first bytes tell, and nothing else does: some servers stream though they were not asked to, some do not
/// though they were, and some refuse by JSON under the content type of a stream.
enum Body {
    /// Nothing but white space has come, by which some keep a connection alive.
    Unknown,
    Events(Frames),
    Lines(Lines),
    Whole(Vec<u8>),
}

impl Reader {
    pub(crate) fn new(decoder: Box<dyn Decode>, framing: Framing, stream: bool) -> Self {
        Self { decoder, framing, stream, body: Body::Unknown }
    }

    /// More bytes. What they say goes to `out`.
    ///
    /// # Errors
    /// Those of [`Decode`]; [`ErrorKind::Protocol`] for a body of more than 64 MiB.
    pub(crate) fn feed(&mut self, bytes: &[u8], out: &mut VecDeque<ModelDelta>) -> Result<()> {
        if let Body::Unknown = self.body {
            let begun = bytes.trim_ascii_start();
            if begun.is_empty() {
                return Ok(());
            }
            self.body = match self.framing {
                Framing::Events if Frames::may_begin_with(begun) => Body::Events(Frames::default()),
                Framing::Lines if self.stream => Body::Lines(Lines::default()),
                _ => Body::Whole(Vec::new()),
            };
        }
        let decoder = &mut self.decoder;
        match &mut self.body {
            Body::Events(frames) => frames.feed(bytes, |event, data| decoder.frame(event, data, out)),
            Body::Lines(lines) => lines.feed(bytes, |line| decoder.frame(b"", line, out)),
            Body::Whole(whole) if whole.len() + bytes.len() > BODY_LIMIT => {
                let message = format!("the answer has more than {BODY_LIMIT} bytes: is it that of a model?");
                Err(Error::new(ErrorKind::Protocol, message))
            }
            Body::Whole(whole) => {
                whole.extend_from_slice(bytes);
                Ok(())
            }
            Body::Unknown => Ok(()),
        }
    }

    /// The bytes have ended.
    ///
    /// # Errors
    /// Those of [`Decode`].
    pub(crate) fn end(&mut self, out: &mut VecDeque<ModelDelta>) -> Result<()> {
        let decoder = &mut self.decoder;
        match &mut self.body {
            Body::Whole(whole) => return decoder.whole(whole, out),
            Body::Events(frames) => frames.end(|event, data| decoder.frame(event, data, out))?,
            Body::Lines(lines) => lines.end(|line| decoder.frame(b"", line, out))?,
            Body::Unknown => {}
        }
        decoder.end(out)
    }

    /// Whether the model has said why it stopped; only the usage may still come.
    pub(crate) fn is_finished(&self) -> bool {
        self.decoder.is_finished()
    }

    /// Whether the answer is complete: what may follow is of no interest.
    pub(crate) fn is_ended(&self) -> bool {
        self.decoder.is_ended()
    }
}
