//! A request that may be sent more than once.

use agentscope_core::{ChatModel, Context, ModelRequest, ModelStream};
use std::sync::Arc;

/// What is asked of whom.
#[derive(Clone)]
pub(super) struct Ask {
    model: Arc<dyn ChatModel>,
    req: ModelRequest,
    cx: Context,
}

impl Ask {
    pub(super) fn new(model: Arc<dyn ChatModel>, req: ModelRequest, cx: Context) -> Self {
        Self { model, req, cx }
    }

    /// Asks, and may do so again.
    pub(super) fn again(&self) -> ModelStream {
        self.model.call(self.req.clone(), self.cx.clone())
    }

    /// Asks this other model.
    pub(super) fn other(&self, model: &dyn ChatModel) -> ModelStream {
        model.call(self.req.clone(), self.cx.clone())
    }
}
