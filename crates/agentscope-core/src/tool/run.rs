//! How the functions run that `#[tool]` made tools: on the task, as a stream, or on the pool for work that blocks.

use super::{ToolChunk, ToolStream};
use crate::{
    context::Context,
    error::{Error, ErrorKind, Result, panic_text},
    stream::later,
};
use futures_core::Stream;
use futures_util::{FutureExt, StreamExt, stream};
use std::{
    any::Any,
    future::{Future, poll_fn},
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    task::Poll,
};
use tokio::sync::Semaphore;

/// Most plain functions that run as tools at once, where nobody set another limit.
const BLOCKING_TOOLS: usize = 64;

static BLOCKING: OnceLock<Semaphore> = OnceLock::new();

/// Sets how many plain (not `async`) functions may run as tools at the same time in this process; 64 by default. Further
/// calls wait, and may be interrupted while they do.
///
/// A function that blocks cannot be stopped from outside: if it is interrupted, it keeps its place until it returns.
///
/// # Errors
/// [`ErrorKind::Conflict`] if it was set before, or such a tool already ran: set it at the start of the program.
/// [`ErrorKind::InvalidInput`] if it is zero.
///
/// ```
/// agentscope_core::limit_blocking_tools(8)?;
/// assert!(agentscope_core::limit_blocking_tools(9).is_err());
/// # Ok::<_, agentscope_core::Error>(())
/// ```
pub fn limit_blocking_tools(limit: usize) -> Result<()> {
    if limit == 0 {
        let message = "with no blocking tool at once none could ever run: allow at least one";
        return Err(Error::new(ErrorKind::InvalidInput, message));
    }
    BLOCKING.set(Semaphore::new(limit.min(Semaphore::MAX_PERMITS))).map_err(|_| {
        Error::new(
            ErrorKind::Conflict,
            "the limit of blocking tools was set before, or such a tool already ran: set it once, at the start",
        )
    })
}

/// Runs an `async` function.
pub fn waiting(work: impl Future<Output = Result<Vec<ToolChunk>>> + Send + 'static) -> ToolStream {
    Box::pin(later(async move {
        match AssertUnwindSafe(work).catch_unwind().await {
            Ok(Ok(chunks)) => chunks.into_iter().map(Ok).collect(),
            Ok(Err(error)) => vec![Err(error)],
            Err(panic) => vec![Err(panicked(&*panic))],
        }
    }))
}

/// Runs a plain function on the pool for work that blocks, in its context.
pub fn blocking(
    cx: Context,
    work: impl FnOnce(Context) -> Result<Vec<ToolChunk>> + Send + 'static,
) -> ToolStream {
    waiting(async move {
        let limit = BLOCKING.get_or_init(|| Semaphore::new(BLOCKING_TOOLS));
        let place = limit.acquire().await;
        let running = tokio::task::spawn_blocking(move || {
            let _place = place;
            let inner = cx.clone();
            cx.sync_scope(|| work(inner))
        });
        match running.await.map_err(tokio::task::JoinError::try_into_panic) {
            Ok(output) => output,
            Err(Ok(panic)) => Err(panicked(&*panic)),
            Err(Err(_)) => Err(Error::new(
                ErrorKind::Unavailable,
                "the tokio runtime was shut down before the tool ended",
            )),
        }
    })
}

/// Runs a function that gives a stream. `work` takes its items one after the other and may borrow what it owns.
pub fn streaming<F>(work: impl FnOnce(Chunks) -> F + Send + 'static) -> ToolStream
where
    F: Future<Output = Result<()>> + Send + 'static,
{
    let chunks = Chunks::default();
    let given = chunks.clone();
    let work = AssertUnwindSafe(async move { work(given).await }).catch_unwind();
    let mut work = Some(Box::pin(work));
    Box::pin(stream::poll_fn(move |task| {
        let Some(running) = &mut work else { return Poll::Ready(None) };
        let end = running.as_mut().poll(task);
        if let Some(chunk) = chunks.slot().take() {
            return Poll::Ready(Some(Ok(chunk))); // `work` waits in `send`
        }
        end.map(|end| {
            work = None;
            match end {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(Err(error)),
                Err(panic) => Some(Err(panicked(&*panic))),
            }
        })
    }))
}

/// Where the function that streams puts its chunks.
#[derive(Clone, Default)]
pub struct Chunks(Arc<Mutex<Option<ToolChunk>>>);

impl Chunks {
    /// Gives them one after the other; returns when the reader asks for what comes after them.
    pub async fn send(&self, chunks: Vec<ToolChunk>) {
        for chunk in chunks {
            *self.slot() = Some(chunk);
            // The reader takes it as soon as this is pending, and polls again when it wants more.
            poll_fn(|_| if self.slot().is_some() { Poll::Pending } else { Poll::Ready(()) }).await;
        }
    }

    fn slot(&self) -> MutexGuard<'_, Option<ToolChunk>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The next item of a stream.
pub async fn next<S: Stream>(stream: &mut Pin<&mut S>) -> Option<S::Item> {
    stream.next().await
}

/// A tool that is not run here.
pub fn external(name: &'static str) -> ToolStream {
    waiting(async move {
        let message = format!(
            "`{name}` is run by whoever reads the events, who brings its result: it cannot be called"
        );
        Err(Error::new(ErrorKind::Tool, message))
    })
}

fn panicked(panic: &(dyn Any + Send)) -> Error {
    Error::new(ErrorKind::Tool, format!("the tool panicked: {}", panic_text(panic)))
}
