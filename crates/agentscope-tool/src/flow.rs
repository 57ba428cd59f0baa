//! Tool streams written as one async block.

use agentscope_core::{ContentBlock, Error, ErrorKind, Result, Stream, ToolChunk, ToolRequest, ToolStream};
use serde::de::DeserializeOwned;
use std::{
    collections::VecDeque,
    future::{Future, poll_fn},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

/// What the block has sent and nobody has taken yet.
#[derive(Clone, Default)]
pub(crate) struct Emit(Arc<Mutex<VecDeque<ToolChunk>>>);

impl Emit {
    /// Sends a chunk and gives way, so that the reader takes it before more comes: a fast tool queues nothing.
    pub(crate) async fn send(&self, chunk: ToolChunk) {
        self.queue().push_back(chunk);
        let mut gave_way = false;
        poll_fn(|_| match std::mem::replace(&mut gave_way, true) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        })
        .await;
    }

    /// Sends blocks, if there are any.
    pub(crate) async fn blocks(&self, content: Vec<ContentBlock>) {
        if !content.is_empty() {
            self.send(content.into()).await;
        }
    }

    fn queue(&self) -> MutexGuard<'_, VecDeque<ToolChunk>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Flow {
    run: Option<Pin<Box<dyn Future<Output = Result<()>> + Send>>>,
    emit: Emit,
}

impl Stream for Flow {
    type Item = Result<ToolChunk>;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut failed = None;
        let mut waits = false;
        loop {
            let sent = self.emit.queue().pop_front();
            if let Some(chunk) = sent {
                if let Some(error) = failed {
                    self.run = Some(Box::pin(async { Err(error) }));
                }
                return Poll::Ready(Some(Ok(chunk)));
            }
            if let Some(error) = failed {
                return Poll::Ready(Some(Err(error)));
            }
            if waits {
                return Poll::Pending;
            }
            let Some(run) = &mut self.run else { return Poll::Ready(None) };
            match run.as_mut().poll(task) {
                Poll::Pending => waits = true,
                Poll::Ready(end) => {
                    self.run = None;
                    failed = end.err();
                }
            }
        }
    }
}

/// The stream of what `run` emits; its error is the stream's last item. It starts when the stream is first polled.
pub(crate) fn flow<F>(run: impl FnOnce(Emit) -> F) -> ToolStream
where
    F: Future<Output = Result<()>> + Send + 'static,
{
    let emit = Emit::default();
    Box::pin(Flow { run: Some(Box::pin(run(emit.clone()))), emit })
}

/// Reads a tool's arguments.
pub(crate) fn arguments<T: DeserializeOwned>(req: ToolRequest) -> Result<T> {
    serde_json::from_value(req.input).map_err(|error| {
        let message = format!("the arguments of `{}` do not fit: {error}", req.name);
        Error::new(ErrorKind::InvalidInput, message).with_source(error)
    })
}

/// Joins words to the words before them, as a reader of the stream does.
pub(crate) fn join(content: &mut Vec<ContentBlock>, more: Vec<ContentBlock>) {
    for block in more {
        match (content.last_mut(), block) {
            (Some(ContentBlock::Text { text, extra }), ContentBlock::Text { text: more, extra: with })
                if extra.is_empty() && with.is_empty() =>
            {
                text.push_str(&more);
            }
            (_, block) => content.push(block),
        }
    }
}
