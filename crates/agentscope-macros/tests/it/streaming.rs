//! Functions that return a stream.

use crate::{chunks, error, start};
use agentscope_core::{Context, Result, Stream, ToolChunk, tool};
use futures_util::{FutureExt, StreamExt, stream};
use serde::Serialize;
use serde_json::json;

/// Counts.
#[tool]
fn count(
    /// How far.
    to: u32,
    cx: &Context,
    /// Before each number.
    prefix: &str,
) -> impl Stream<Item = String> {
    stream::iter(0..to).map(move |it| format!("{prefix}{it}{}", cx.path().len()))
}

#[tokio::test]
async fn each_item_is_a_chunk_and_may_borrow_the_parameters() {
    let given = chunks(count, json!({"to": 3, "prefix": "-"})).await.unwrap();
    assert_eq!(given, ["-00", "-10", "-20"].map(ToolChunk::text));
}

/// Says one word, and no more.
#[tool]
async fn stuck() -> Result<impl Stream<Item = &'static str>> {
    Ok(stream::iter(["one"]).chain(stream::pending()))
}

#[test]
fn a_chunk_comes_at_once() {
    let mut output = start(stuck, json!({}));
    assert_eq!(output.next().now_or_never().unwrap().unwrap().unwrap(), ToolChunk::text("one"));
    assert!(output.next().now_or_never().is_none());
}

/// Sets a slot.
#[tool(slots("plan"))]
fn planning() -> impl Stream<Item = ToolChunk> + Send {
    stream::iter([ToolChunk::text("a"), ToolChunk::Slot { key: "plan".into(), value: json!([1]) }])
}

#[tokio::test]
async fn chunks_pass_as_they_are() {
    let slot = ToolChunk::Slot { key: "plan".into(), value: json!([1]) };
    assert_eq!(chunks(planning, json!({})).await.unwrap(), [ToolChunk::text("a"), slot]);
}

#[derive(Serialize)]
struct Row {
    id: u32,
}

/// Gives rows, of which the last is bad.
#[tool]
fn rows(
    /// How many are good.
    good: u32,
) -> impl Stream<Item = Result<Row, String>> {
    stream::iter((0..good).map(|id| Ok(Row { id })).chain([Err("bad row".into()), Ok(Row { id: 99 })]))
}

#[tokio::test]
async fn json_items_are_lines_and_the_first_error_is_the_end() {
    let output: Vec<_> = start(rows, json!({"good": 2})).collect().await;
    let [Ok(first), Ok(second), Err(error)] = output.as_slice() else { panic!("{output:?}") };
    assert_eq!([first, second], [&ToolChunk::text("{\"id\":0}\n"), &ToolChunk::text("{\"id\":1}\n")]);
    assert_eq!(error.to_string(), "bad row");
}

/// Fails before it streams, or panics while it does.
#[tool]
#[expect(clippy::panic, reason = "it is what is tested")]
async fn failing(
    /// Whether it panics.
    panic: bool,
) -> Result<impl Stream<Item = u32>, String> {
    if panic { Ok(stream::iter([1]).map(|_| panic!("in the stream"))) } else { Err("no stream".into()) }
}

#[tokio::test]
async fn failure_and_panic_are_errors() {
    assert_eq!(error(failing, json!({"panic": false})).await.to_string(), "no stream");
    assert_eq!(error(failing, json!({"panic": true})).await.to_string(), "the tool panicked: in the stream");
    assert!(error(failing, json!({"panic": 1})).await.to_string().contains("at `panic`"));
}
