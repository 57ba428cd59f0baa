//! `#[tool]` as a user meets it: each tool is called as a `dyn Tool`.
#![deny(
    warnings,
    missing_docs,
    unreachable_pub,
    unused,
    non_local_definitions,
    clippy::all,
    clippy::unwrap_used,
    clippy::indexing_slicing
)]

mod blocking;
mod form;
mod output;
mod schema;
mod streaming;

use agentscope_core::{
    ContentBlock, Context, Error, Result, Tool, ToolChunk, ToolRequest, ToolSpec, ToolStream,
};
use futures_util::StreamExt;
use serde_json::Value;
use std::sync::Arc;

fn start(tool: impl Tool, input: Value) -> ToolStream {
    let tool: Arc<dyn Tool> = Arc::new(tool);
    tool.call(ToolRequest::new("call_1", tool.spec().name.clone(), input), Context::new())
}

/// All chunks that it gives.
async fn chunks(tool: impl Tool, input: Value) -> Result<Vec<ToolChunk>> {
    start(tool, input).collect::<Vec<_>>().await.into_iter().collect()
}

/// The one text that it gives.
#[expect(clippy::panic, reason = "a test")]
async fn text(tool: impl Tool, input: Value) -> Result<String> {
    let chunks = chunks(tool, input).await?;
    match chunks.as_slice() {
        [ToolChunk::Output { content }] => match content.as_slice() {
            [ContentBlock::Text { text, .. }] => Ok(text.clone()),
            other => panic!("{other:?} is not one text"),
        },
        other => panic!("{other:?} is not one chunk"),
    }
}

#[expect(clippy::expect_used, reason = "a test")]
async fn error(tool: impl Tool, input: Value) -> Error {
    chunks(tool, input).await.expect_err("it was to fail")
}

fn spec(tool: impl Tool) -> Arc<ToolSpec> {
    tool.spec()
}

#[test]
fn bad_tools_do_not_compile_and_are_told_why() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
