//! One run of a tool: bounded in time and output, stopped with a grace, safe from its panics.

use agentscope_core::{
    CallState, ContentBlock, Context, Error, ErrorKind, Reason, Result, Source, ToolCall, ToolChunk,
    ToolSpec, ToolStream,
};
use futures_util::{FutureExt, StreamExt};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{self, Poll},
    time::Duration,
};
use tokio::time::{Instant, Sleep, sleep};

/// Most bytes of words and media that a tool may put out in one run (16 MiB). A tool that is wrapped by a toolkit has a much lower limit,
/// beyond which its output goes to a file; this one keeps a tool that does not end from filling the memory.
const OUTPUT_LIMIT: usize = 16 << 20;

/// Most chunks that are taken at once.
const CHUNKS_AT_ONCE: usize = 64;

pub(super) struct Run {
    pub(super) call: ToolCall,
    spec: Arc<ToolSpec>,
    stream: ToolStream,
    cx: Context,
    limit: Duration,
    grace: Duration,
    began: Instant,
    /// Until it is told to stop, and then until it is dropped. Made for a tool that does not end at once.
    clock: Option<Pin<Box<Sleep>>>,
    stopping: Option<Stopping>,
    /// How it ended, where that is yet to be told.
    ended: Option<Ended>,
    /// What it put out so far.
    pub(super) output: Vec<ContentBlock>,
    output_bytes: usize,
}

#[derive(Clone, Copy, PartialEq)]
enum Stopping {
    Interrupted,
    TimedOut,
}

pub(super) enum Progress {
    Chunks(Vec<ToolChunk>),
    Ended(Ended),
}

pub(super) enum Ended {
    Done,
    Failed(Error),
    Panicked,
    TimedOut(Duration),
    Interrupted,
}

impl Run {
    pub(super) fn new(
        mut call: ToolCall,
        spec: Arc<ToolSpec>,
        stream: ToolStream,
        cx: Context,
        limit: Duration,
        grace: Duration,
    ) -> Self {
        call.state = CallState::Started;
        Self {
            call,
            spec,
            stream,
            cx,
            limit,
            grace,
            began: Instant::now(),
            clock: None,
            stopping: None,
            ended: None,
            output: Vec::new(),
            output_bytes: 0,
        }
    }

    /// The reply was interrupted, and the tool sees it: from now on it has a grace.
    pub(super) fn interrupt(&mut self) {
        if self.stopping.is_none() {
            self.stop(Stopping::Interrupted);
        }
    }

    fn stop(&mut self, why: Stopping) {
        self.stopping = Some(why);
        self.clock = Some(Box::pin(sleep(self.grace)));
    }

    pub(super) fn poll(&mut self, task: &mut task::Context<'_>) -> Poll<Progress> {
        if let Some(ended) = self.ended.take() {
            return Poll::Ready(Progress::Ended(ended));
        }
        let mut chunks = Vec::new();
        while chunks.len() < CHUNKS_AT_ONCE {
            match self.poll_stream(task) {
                Poll::Pending => break,
                Poll::Ready(Ok(Some(chunk))) => match self.admit(chunk) {
                    Ok(chunk) => chunks.push(chunk),
                    Err(error) => return self.end(chunks, Ended::Failed(error)),
                },
                Poll::Ready(Ok(None)) => return self.end(chunks, Ended::Done),
                Poll::Ready(Err(Failure::Error(error))) => {
                    let ended = self.stopped().unwrap_or(Ended::Failed(error));
                    return self.end(chunks, ended);
                }
                Poll::Ready(Err(Failure::Panic)) => return self.end(chunks, Ended::Panicked),
            }
        }
        // Also of a tool that always has more.
        let left = || self.limit.saturating_sub(self.began.elapsed());
        if self.clock.get_or_insert_with(|| Box::pin(sleep(left()))).poll_unpin(task).is_ready() {
            if let Some(ended) = self.stopped() {
                return self.end(chunks, ended);
            }
            self.cx.interrupt().trigger(Reason::Deadline);
            self.stop(Stopping::TimedOut);
            task.waker().wake_by_ref();
        }
        if !chunks.is_empty() {
            task.waker().wake_by_ref(); // the stream may have more
            return Poll::Ready(Progress::Chunks(chunks));
        }
        Poll::Pending
    }

    /// Words that came with the end need no event of their own; the rest does, and the end is told after it.
    fn end(&mut self, mut chunks: Vec<ToolChunk>, ended: Ended) -> Poll<Progress> {
        chunks.retain(|chunk| !matches!(chunk, ToolChunk::Output { .. }));
        if chunks.is_empty() {
            return Poll::Ready(Progress::Ended(ended));
        }
        self.ended = Some(ended);
        Poll::Ready(Progress::Chunks(chunks))
    }

    fn stopped(&self) -> Option<Ended> {
        self.stopping.map(|why| match why {
            Stopping::Interrupted => Ended::Interrupted,
            Stopping::TimedOut => Ended::TimedOut(self.limit),
        })
    }

    fn poll_stream(&mut self, task: &mut task::Context<'_>) -> Poll<Result<Option<ToolChunk>, Failure>> {
        let Self { stream, cx, .. } = self;
        match catch_unwind(AssertUnwindSafe(|| cx.sync_scope(|| stream.poll_next_unpin(task)))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(chunk)) => Poll::Ready(chunk.transpose().map_err(Failure::Error)),
            Err(_) => Poll::Ready(Err(Failure::Panic)),
        }
    }

    /// Keeps a chunk's words for the result, and refuses what the tool did not announce.
    fn admit(&mut self, chunk: ToolChunk) -> Result<ToolChunk> {
        match &chunk {
            ToolChunk::Output { content } => {
                for block in content {
                    self.output_bytes += size(block);
                    ContentBlock::append(&mut self.output, block);
                }
                if self.output_bytes > OUTPUT_LIMIT {
                    self.output = Vec::new();
                    let message =
                        format!("the tool put out more than {} MiB and was stopped", OUTPUT_LIMIT >> 20);
                    return Err(Error::new(ErrorKind::Exhausted, message));
                }
            }
            ToolChunk::Slot { key, .. } if !self.spec.slots.contains(key) => {
                let message = format!(
                    "the tool set the slot `{key}`, which its spec does not name: add `.slot(\"{key}\")` to it"
                );
                return Err(Error::new(ErrorKind::Tool, message));
            }
            _ => {}
        }
        Ok(chunk)
    }
}

enum Failure {
    Error(Error),
    Panic,
}

/// The bytes of a block, roughly.
fn size(block: &ContentBlock) -> usize {
    match block {
        ContentBlock::Text { text, .. } => text.len(),
        block => match block.media().map(|media| &media.source) {
            Some(Source::Base64 { data, .. }) => data.len(),
            _ => size_of::<ContentBlock>(),
        },
    }
}
