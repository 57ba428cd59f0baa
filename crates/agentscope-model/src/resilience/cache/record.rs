//! An answer as it is kept.

use agentscope_core::{FinishReason, ModelDelta, Result, Usage};
use bytes::Bytes;

/// The room that is made for more of a block (1 KiB).
const ROOM: usize = 1 << 10;

/// The pieces of an answer, joined where they belong to one block.
#[derive(Default)]
pub(super) struct Record {
    /// The one that may grow.
    last: Option<ModelDelta>,
    deltas: Vec<ModelDelta>,
    bytes: usize,
}

impl Record {
    /// Takes in a piece; gives how large the answer is by now.
    pub(super) fn add(&mut self, delta: &ModelDelta) -> usize {
        use ModelDelta::{Extra, Finish, Media, Text, Thinking, ToolCall, Usage};
        let len = match delta {
            Usage(_) | Finish { .. } => return self.bytes,
            Text { delta, .. } | Thinking { delta, .. } | ToolCall { delta, .. } | Media { delta, .. } => {
                delta.len()
            }
            Extra { value, .. } => value.to_string().len(),
            _ => 0,
        };
        self.bytes += len;
        match (&mut self.last, delta) {
            (Some(Text { block: last, delta: text }), Text { block, delta })
            | (Some(Thinking { block: last, delta: text }), Thinking { block, delta })
                if last == block =>
            {
                join(text, delta);
            }
            (Some(ToolCall { block: last, delta: text, .. }), ToolCall { block, delta, .. })
                if last == block =>
            {
                join(text, delta);
            }
            (
                Some(Media { block: last, media_type: kind, delta: text }),
                Media { block, media_type, delta },
            ) if (&*last, &*kind) == (block, media_type) => {
                join(text, delta);
            }
            _ => {
                // What a piece weighs beside its text, roughly.
                self.bytes += 64;
                self.deltas.extend(self.last.replace(delta.clone()));
            }
        }
        self.bytes
    }

    pub(super) fn encode(mut self) -> Result<Bytes> {
        self.deltas.extend(self.last.take());
        Ok(Bytes::from(serde_json::to_vec(&self.deltas)?))
    }
}

/// Makes room for many pieces at once: an answer has hundreds of a few bytes.
fn join(text: &mut String, delta: &str) {
    if text.capacity() - text.len() < delta.len() {
        text.reserve(delta.len().max(ROOM));
    }
    text.push_str(delta);
}

/// The pieces of an answer that was kept, with its end. It costs nothing: its usage is zero.
pub(super) fn decode(bytes: &[u8]) -> Option<Vec<ModelDelta>> {
    let mut deltas: Vec<ModelDelta> = serde_json::from_slice(bytes).ok()?;
    let has_end = |delta: &ModelDelta| matches!(delta, ModelDelta::Usage(_) | ModelDelta::Finish { .. });
    if deltas.iter().any(has_end) {
        return None;
    }
    deltas.push(ModelDelta::Usage(Usage::default()));
    deltas.push(ModelDelta::Finish { reason: FinishReason::Stop });
    Some(deltas)
}
