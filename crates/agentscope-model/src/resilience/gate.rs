//! An answer that is let in first, and holds what let it in until it ends.

use agentscope_core::{
    BoxFuture, ChatModel, Context, Error, ModelDelta, ModelRequest, ModelStream, Result, Stream,
};
use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context as Task, Poll, ready},
};

/// What a request holds while it is answered. It is dropped when the answer ends, fails, or is dropped itself.
pub(super) trait Pass: Send + Unpin + 'static {
    /// A piece goes by.
    fn see(&mut self, _: &ModelDelta) {}

    /// The answer failed.
    fn failed(&mut self, _: &Error) {}

    /// The answer has come to its end.
    fn ended(&mut self) {}
}

/// The answer of `model`, which is asked when `enter` has let it in.
pub(super) fn gated<P: Pass>(
    model: Arc<impl ChatModel>,
    req: ModelRequest,
    cx: Context,
    enter: impl AsyncEnter<P>,
) -> ModelStream {
    let entering = async move {
        let pass = enter.enter(&req, &cx).await?;
        Ok((model.call(req, cx), pass))
    };
    Box::pin(Gated::Enter(Box::pin(entering)))
}

/// What lets a request in, when its time has come.
pub(super) trait AsyncEnter<P>: Send + Sync + 'static {
    fn enter(&self, req: &ModelRequest, cx: &Context) -> impl Future<Output = Result<P>> + Send;
}

enum Gated<P> {
    Enter(BoxFuture<'static, Result<(ModelStream, P)>>),
    /// The stream comes first: it is dropped before what let it in is given back.
    Flow(ModelStream, P),
    Over,
}

impl<P: Pass> Stream for Gated<P> {
    type Item = Result<ModelDelta>;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            match this {
                Self::Flow(stream, pass) => {
                    let piece = ready!(stream.as_mut().poll_next(task));
                    match &piece {
                        Some(Ok(delta)) => pass.see(delta),
                        Some(Err(error)) => {
                            pass.failed(error);
                            *this = Self::Over;
                        }
                        None => {
                            pass.ended();
                            *this = Self::Over;
                        }
                    }
                    return Poll::Ready(piece);
                }
                Self::Enter(entering) => match ready!(entering.as_mut().poll(task)) {
                    Ok((stream, pass)) => *this = Self::Flow(stream, pass),
                    Err(error) => {
                        *this = Self::Over;
                        return Poll::Ready(Some(Err(error)));
                    }
                },
                Self::Over => return Poll::Ready(None),
            }
        }
    }
}
