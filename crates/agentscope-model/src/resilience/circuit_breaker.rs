use super::{
    circuit::{Circuit, Through},
    flow::broke_off,
    gate::{AsyncEnter, Pass, gated},
    passes_on,
};
use agentscope_core::{ChatModel, Context, Error, ModelDelta, ModelRequest, ModelStream, Name, Result};
use std::sync::Arc;

/// A model that is not asked while its [`Circuit`] is open. Then a request fails at once with
/// [`Unavailable`](agentscope_core::ErrorKind::Unavailable), which says when the model is asked again ([`Error::retry_after`]); a
/// [`Retry`](crate::Retry) around it does not wait for that, a [`Fallback`](crate::Fallback) asks the next model.
///
/// ```
/// use agentscope_core::{ChatModel, Context, Error, ErrorKind, ModelRequest, ScriptedModel, testing::fail};
/// use agentscope_model::{ChatModelExt, Circuit};
/// use futures_util::StreamExt;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let away = ScriptedModel::new([fail(Error::new(ErrorKind::Unavailable, "connection refused"))]);
/// let model = away.circuit_breaker(Circuit::default().failures_in_a_row(1));
/// for _ in 0..3 {
///     let error = model.call(ModelRequest::default(), Context::new()).next().await.unwrap().unwrap_err();
///     assert_eq!(error.kind(), ErrorKind::Unavailable, "it is asked the first time only");
/// }
/// # }
/// ```
pub struct CircuitBreaker<M> {
    model: Arc<M>,
    circuit: Circuit,
}

impl<M: ChatModel> CircuitBreaker<M> {
    /// `model`, behind `circuit`.
    pub fn new(model: M, circuit: Circuit) -> Self {
        Self { model: Arc::new(model), circuit }
    }
}

impl<M> Clone for CircuitBreaker<M> {
    fn clone(&self) -> Self {
        Self { model: Arc::clone(&self.model), circuit: self.circuit.clone() }
    }
}

impl<M: ChatModel> ChatModel for CircuitBreaker<M> {
    passes_on!();

    fn call(&self, req: ModelRequest, cx: Context) -> ModelStream {
        let model = Arc::clone(&self.model);
        let enter = Enter { circuit: self.circuit.clone(), model: Arc::clone(&model) };
        gated(model, req, cx, enter)
    }
}

struct Enter<M> {
    circuit: Circuit,
    model: Arc<M>,
}

impl<M: ChatModel> AsyncEnter<Watch> for Enter<M> {
    async fn enter(&self, _: &ModelRequest, _: &Context) -> Result<Watch> {
        let through = self.circuit.enter(&self.model.card().name)?;
        let name = self.model.card().name.clone();
        Ok(Watch { through, name, finished: false })
    }
}

/// Watches how an answer ends.
struct Watch {
    through: Through,
    name: Name,
    finished: bool,
}

impl Pass for Watch {
    fn begin(&mut self) {
        self.through.answers();
    }

    fn see(&mut self, delta: &ModelDelta) {
        if matches!(delta, ModelDelta::Finish { .. }) {
            self.finished = true;
            self.through.succeeded();
        }
    }

    fn failed(&mut self, error: &Error) {
        if !self.finished {
            self.through.failed(error);
        }
    }

    fn ended(&mut self) {
        if !self.finished {
            self.through.failed(&broke_off(&self.name));
        }
    }
}
