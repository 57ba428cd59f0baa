//! By what an answer is found again.

use agentscope_core::{ContentBlock, Media, ModelCard, ModelRequest, Msg, Result};
use ring::digest::{Context as Hash, SHA256};
use serde_json::{Value, json, to_value};
use std::{collections::HashMap, fmt::Write as _, io};

/// Raised when the same request gives another key, so that no old answer is taken for it.
const VERSION: u32 = 1;

/// The SHA-256 of all in a request that an answer depends on, as 64 hexadecimal digits; None for a request that shows a local file,
/// which may be another one the next time.
pub(super) fn key(req: &ModelRequest, card: &ModelCard, namespace: &str) -> Result<Option<String>> {
    let mut calls = Calls::default();
    let Some(messages) =
        req.messages.iter().map(|msg| calls.message(msg)).collect::<Result<Option<Vec<_>>>>()?
    else {
        return Ok(None);
    };
    let mut options = to_value(&req.options)?;
    options.sort_all_objects();
    let tools = req.tools.iter().map(|tool| json!([tool.name, tool.description, tool.input_schema]));
    let tools: Vec<_> = tools.collect();
    let whole = json!([
        VERSION,
        namespace,
        card.name,
        card.spec,
        req.speaker,
        messages,
        tools,
        req.tool_choice,
        req.output_schema,
        options
    ]);
    let mut hash = Hashed(Hash::new(&SHA256));
    serde_json::to_writer(&mut hash, &whole)?;
    Ok(Some(hex(hash.0.finish().as_ref())))
}

pub(super) fn sha256(bytes: &[u8]) -> String {
    hex(ring::digest::digest(&SHA256, bytes).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

struct Hashed(Hash);

impl io::Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The calls of a conversation, numbered as they come: their ids are others each time.
#[derive(Default)]
struct Calls(HashMap<String, usize>);

impl Calls {
    fn number(&mut self, id: &str) -> usize {
        let next = self.0.len();
        *self.0.entry(id.to_owned()).or_insert(next)
    }

    fn message(&mut self, msg: &Msg) -> Result<Option<Value>> {
        let content = self.blocks(&msg.content)?;
        Ok(content.map(|content| json!([msg.role, msg.name, content])))
    }

    fn blocks(&mut self, blocks: &[ContentBlock]) -> Result<Option<Vec<Value>>> {
        blocks.iter().map(|block| self.block(block)).collect()
    }

    fn block(&mut self, block: &ContentBlock) -> Result<Option<Value>> {
        let is_local = |media: &Media| media.local_path().is_some();
        Ok(match block {
            ContentBlock::ToolCall(call) => {
                Some(json!(["call", self.number(&call.id), call.name, call.input, call.extra]))
            }
            ContentBlock::ToolResult(result) => {
                let number = self.number(&result.id);
                let output = self.blocks(&result.output)?;
                output
                    .map(|output| json!(["result", number, result.name, result.state, output, result.extra]))
            }
            ContentBlock::Heard(msg) => self.message(msg)?.map(|msg| json!(["heard", msg])),
            ContentBlock::Image(media)
            | ContentBlock::Audio(media)
            | ContentBlock::Video(media)
            | ContentBlock::File(media)
                if is_local(media) =>
            {
                None
            }
            other => Some(to_value(other)?),
        })
    }
}
