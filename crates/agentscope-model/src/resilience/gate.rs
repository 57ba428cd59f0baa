//! An answer that is let in first, and holds what let it in until it ends.

use super::flow::{Flow, Stays, may_leave};
use agentscope_core::{
    BoxFuture, ChatModel, Context, Error, ModelDelta, ModelRequest, ModelStream, Result, Stream, Usage,
};
use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context as Task, Poll, ready},
};

/// What a request holds while it is answered. It is dropped when the answer ends, fails, or is dropped itself.
pub(super) trait Pass: Send + Unpin + 'static {
    /// The answer begins: this is the first visible piece.
    fn begin(&mut self) {}

    /// Usage or the finish goes by.
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
        let mut flow = Flow::new(model.call(req, cx));
        flow.stay(Passes(pass));
        Ok(flow)
    };
    Box::pin(Gated::Enter(Box::pin(entering)))
}

/// What lets a request in, when its time has come.
pub(super) trait AsyncEnter<P>: Send + Sync + 'static {
    fn enter(&self, req: &ModelRequest, cx: &Context) -> impl Future<Output = Result<P>> + Send;
}

enum Gated {
    Enter(BoxFuture<'static, Result<Flow>>),
    Flow(Flow),
}

impl Stream for Gated {
    type Item = Result<ModelDelta>;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Option<Self::Item>> {
        let may_leave = may_leave(&*self);
        let this = &mut *self;
        loop {
            *this = match this {
                Self::Flow(flow) => {
                    let piece = flow.poll(task);
                    flow.leave(may_leave, &piece);
                    return piece;
                }
                Self::Enter(entering) => match ready!(entering.as_mut().poll(task)) {
                    Ok(flow) => Self::Flow(flow),
                    Err(error) => Self::Flow(Flow::failed(error, Usage::default())),
                },
            };
        }
    }
}

struct Passes<P>(P);

impl<P: Pass> Stays for Passes<P> {
    fn begin(&mut self) {
        self.0.begin();
    }

    fn see(&mut self, delta: &mut ModelDelta) {
        self.0.see(delta);
    }

    fn end(&mut self, error: &mut Option<Error>, _: &mut Option<Usage>, _: u64) {
        match error {
            Some(error) => self.0.failed(error),
            None => self.0.ended(),
        }
    }
}
