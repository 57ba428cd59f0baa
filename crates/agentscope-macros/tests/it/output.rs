//! What comes of a function's output.

use crate::{chunks, error, text};
use agentscope_core::{ContentBlock, ErrorKind, IntoToolOutput, Media, Msg, Result, ToolChunk, tool};
use serde::Serialize;
use serde_json::json;
use std::{borrow::Cow, error::Error as StdError, fmt, io, rc::Rc};

#[derive(Serialize)]
struct Point {
    x: i32,
    y: i32,
}

struct Name(&'static str);

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", self.0)
    }
}

struct Loud(&'static str);

impl IntoToolOutput for Loud {
    fn into_tool_output(self) -> Result<Vec<ContentBlock>> {
        Ok(vec![self.0.to_uppercase().into()])
    }
}

/// Gives what its name says.
#[tool]
async fn number() -> u64 {
    391
}

/// Gives what its name says.
#[tool]
async fn owned() -> String {
    "owned".into()
}

/// Gives what its name says.
#[tool]
async fn fixed() -> &'static str {
    "fixed"
}

/// Gives what its name says.
#[tool]
async fn cow() -> Cow<'static, str> {
    "cow".into()
}

/// Gives what its name says.
#[tool]
async fn point() -> Point {
    Point { x: 1, y: 2 }
}

/// Gives what its name says.
#[tool]
async fn maybe_points() -> Result<Option<Vec<Point>>> {
    Ok(Some(vec![Point { x: 1, y: 2 }]))
}

/// Gives what its name says.
#[tool]
async fn hidden() -> impl Serialize {
    vec![1, 2]
}

/// Gives what its name says.
#[tool]
async fn display() -> std::result::Result<Name, fmt::Error> {
    Ok(Name("n"))
}

/// Gives what its name says.
#[tool]
async fn value() -> serde_json::Value {
    json!({"a": 1})
}

/// Gives what its name says.
#[tool]
async fn own() -> Loud {
    Loud("loud")
}

#[tokio::test]
async fn what_displays_is_text_and_what_serializes_is_json() {
    let none = || json!({});
    assert_eq!(text(number, none()).await.unwrap(), "391");
    assert_eq!(text(owned, none()).await.unwrap(), "owned");
    assert_eq!(text(fixed, none()).await.unwrap(), "fixed");
    assert_eq!(text(cow, none()).await.unwrap(), "cow");
    assert_eq!(text(point, none()).await.unwrap(), r#"{"x":1,"y":2}"#);
    assert_eq!(text(maybe_points, none()).await.unwrap(), r#"[{"x":1,"y":2}]"#);
    assert_eq!(text(hidden, none()).await.unwrap(), "[1,2]");
    assert_eq!(text(display, none()).await.unwrap(), "<n>");
    assert_eq!(text(value, none()).await.unwrap(), r#"{"a":1}"#);
    assert_eq!(text(own, none()).await.unwrap(), "LOUD");
}

/// Gives what its name says.
#[tool]
async fn block() -> ContentBlock {
    ContentBlock::text("block")
}

/// Gives what its name says.
#[tool]
async fn blocks() -> Result<Vec<ContentBlock>> {
    Ok(vec!["a".into(), ContentBlock::url("b.png")])
}

/// Gives what its name says.
#[tool]
async fn media() -> Media {
    Media::url("b.png")
}

/// Gives what its name says.
#[tool]
async fn answer() -> Result<Msg> {
    let mut msg = Msg::assistant("Bob", "spoken");
    msg.content.insert(0, ContentBlock::thinking("secret"));
    Ok(msg)
}

/// Gives what its name says.
#[tool(slots("plan"))]
async fn chunk_list() -> Vec<ToolChunk> {
    vec![ToolChunk::text("set"), ToolChunk::Slot { key: "plan".into(), value: json!(1) }]
}

#[tokio::test]
async fn blocks_media_and_chunks_pass_as_they_are() {
    let output = |content: Vec<ContentBlock>| vec![ToolChunk::Output { content }];
    let picture = || ContentBlock::url("b.png");
    assert_eq!(chunks(block, json!({})).await.unwrap(), output(vec!["block".into()]));
    assert_eq!(chunks(blocks, json!({})).await.unwrap(), output(vec!["a".into(), picture()]));
    assert_eq!(chunks(media, json!({})).await.unwrap(), output(vec![picture()]));
    assert_eq!(chunks(answer, json!({})).await.unwrap(), output(vec!["spoken".into()]));
    assert_eq!(chunks(chunk_list, json!({})).await.unwrap(), chunk_list::run().await);
}

#[derive(Debug)]
struct Failed(io::Error);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the disk failed")
    }
}

impl StdError for Failed {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.0)
    }
}

fn failed() -> Failed {
    Failed(io::Error::other("it is full"))
}

/// Fails as its name says.
#[tool]
async fn fails_typed() -> Result<Point, Failed> {
    Err(failed())
}

/// Fails as its name says.
#[tool]
async fn fails_boxed() -> Result<u32, Box<dyn StdError + Send + Sync>> {
    Err(failed().into())
}

/// Fails as its name says.
#[tool]
async fn fails_local() -> Result<Vec<u32>, Box<dyn StdError>> {
    Err(failed().into())
}

/// Fails as its name says.
#[tool]
async fn fails_displayed() -> Result<(), Name> {
    Err(Name("no"))
}

/// Fails as its name says.
#[tool]
async fn fails_in_words() -> Result<(), String> {
    Err("no such city".into())
}

/// Fails as its name says.
#[tool]
async fn fails_not_send() -> Result<Rc<str>, Rc<str>> {
    Err("rc".into())
}

/// Fails as its name says.
#[tool]
async fn fails_with_ours() -> Result<()> {
    Err(agentscope_core::Error::new(ErrorKind::RateLimited, "too many").with_source(failed()))
}

#[tokio::test]
async fn errors_tell_their_causes() {
    let told = async |error: agentscope_core::Error| (error.kind(), error.to_string());
    let disk = || (ErrorKind::Tool, "the disk failed: it is full".to_owned());
    assert_eq!(told(error(fails_typed, json!({})).await).await, disk());
    assert_eq!(told(error(fails_boxed, json!({})).await).await, disk());
    assert_eq!(told(error(fails_local, json!({})).await).await, disk());
    assert_eq!(told(error(fails_displayed, json!({})).await).await, (ErrorKind::Tool, "<no>".into()));
    assert_eq!(told(error(fails_in_words, json!({})).await).await, (ErrorKind::Tool, "no such city".into()));
    assert_eq!(told(error(fails_not_send, json!({})).await).await, (ErrorKind::Tool, "rc".into()));
    let ours = (ErrorKind::RateLimited, "too many: the disk failed: it is full".to_owned());
    assert_eq!(told(error(fails_with_ours, json!({})).await).await, ours);
}

/// Panics.
#[tool]
#[expect(clippy::panic, reason = "it is what is tested")]
async fn panics(
    /// How.
    word: String,
) {
    panic!("oh {word}")
}

#[tokio::test]
async fn a_panic_is_an_error() {
    assert_eq!(error(panics, json!({"word": "no"})).await.to_string(), "the tool panicked: oh no");
}
