//! Plain functions, which run where they may block.

use crate::{error, start, text};
use agentscope_core::{Context, PathEntry, Tool, ToolRequest, limit_blocking_tools, tool};
use futures_util::{StreamExt, future::join_all};
use serde_json::json;
use std::{
    sync::{
        Barrier, OnceLock,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread::ThreadId,
};

static RAN_ON: OnceLock<ThreadId> = OnceLock::new();

/// Adds.
#[tool(read_only)]
fn add(
    /// One.
    a: i64,
    /// Another.
    b: i64,
) -> Result<i64, String> {
    let _ = RAN_ON.set(std::thread::current().id());
    a.checked_add(b).ok_or_else(|| "too large".into())
}

#[tokio::test]
async fn a_plain_function_runs_on_the_pool() {
    assert_eq!(text(add, json!({"a": 1, "b": 2})).await.unwrap(), "3");
    assert_ne!(*RAN_ON.get().unwrap(), std::thread::current().id());
    assert_eq!(error(add, json!({"a": i64::MAX, "b": 2})).await.to_string(), "too large");
}

#[test]
fn the_function_itself_is_run() {
    assert_eq!(add::run(1, 2), Ok(3));
}

/// Panics.
#[tool]
#[expect(clippy::panic, reason = "it is what is tested")]
fn panics() {
    panic!("on the pool")
}

#[tokio::test]
async fn a_panic_on_the_pool_is_an_error() {
    assert_eq!(error(panics, json!({})).await.to_string(), "the tool panicked: on the pool");
}

/// Tells how deep it is, by its context and by the current one.
#[tool]
fn depth(cx: &Context) -> String {
    format!("{} {}", cx.path().len(), Context::current().path().len())
}

#[tokio::test]
async fn the_context_is_entered_on_the_pool() {
    let entry = PathEntry { agent: "a".into(), session: "".into() };
    let cx = Context::new().with_path(vec![entry]);
    let mut output = depth.call(ToolRequest::new("1", "depth", json!({})), cx);
    assert_eq!(output.next().await.unwrap().unwrap(), agentscope_core::ToolChunk::text("1 1"));
}

static RUNNING: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);
static ALL_HERE: Barrier = Barrier::new(64);

/// Waits for sixty-three others.
#[tool]
fn counted() {
    MOST.fetch_max(RUNNING.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
    ALL_HERE.wait();
    RUNNING.fetch_sub(1, Ordering::SeqCst);
}

#[tokio::test]
async fn sixty_four_run_at_once_and_no_more() {
    join_all((0..256).map(|_| text(counted, json!({})))).await;
    assert_eq!(MOST.load(Ordering::SeqCst), 64);
    assert!(limit_blocking_tools(1).is_err(), "the limit is set before the first one runs");
}

/// Sends a word.
#[tool]
#[expect(clippy::unwrap_used, reason = "a test")]
fn telling() {
    TOLD.get().unwrap().send(()).unwrap();
}

static TOLD: OnceLock<mpsc::Sender<()>> = OnceLock::new();

#[tokio::test]
async fn nothing_happens_before_the_first_poll() {
    let (sender, told) = mpsc::channel();
    TOLD.set(sender).unwrap();
    drop(start(telling, json!({})));
    let unpolled = start(telling, json!({}));
    assert!(told.try_recv().is_err());
    unpolled.collect::<Vec<_>>().await;
    assert!(told.try_recv().is_ok());
}
