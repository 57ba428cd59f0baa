//! The tools from outside.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod adapt;
mod conform;
mod environment;
mod files;
mod process;
mod toolkit;
mod workspace;

use agentscope_core::{ContentBlock, Context, Error, Result, Tool, ToolChunk, ToolRequest};
use futures_util::StreamExt;
use serde_json::Value;

/// Runs a tool to its end: what it said, and its error if it failed.
async fn run_in(tool: &dyn Tool, input: Value, cx: Context) -> (Vec<ToolChunk>, Result<()>) {
    let mut stream = tool.call(ToolRequest::new("call-1", tool.spec().name.clone(), input), cx);
    let mut chunks = Vec::new();
    while let Some(chunk) = stream.next().await {
        match chunk {
            Ok(chunk) => chunks.push(chunk),
            Err(error) => return (chunks, Err(error)),
        }
    }
    (chunks, Ok(()))
}

fn words(chunks: &[ToolChunk]) -> String {
    let blocks = chunks.iter().flat_map(|chunk| match chunk {
        ToolChunk::Output { content } => content.as_slice(),
        _ => &[],
    });
    let words = blocks.filter_map(|block| match block {
        ContentBlock::Text { text, .. } => Some(text.as_str()),
        _ => None,
    });
    words.collect()
}

async fn ok(tool: &dyn Tool, input: Value) -> String {
    let (chunks, end) = run_in(tool, input, Context::new()).await;
    end.unwrap();
    words(&chunks)
}

async fn fails(tool: &dyn Tool, input: Value) -> Error {
    run_in(tool, input, Context::new()).await.1.unwrap_err()
}
