//! Middleware around replies and around models, as all agents of this crate have it.

use agentscope_core::{
    ChatModel, Context, EventStream, Host, Middleware, ModelRequest, ModelStream, Next, ReplyRequest, Result,
};
use std::sync::Arc;

/// Middleware, the outermost first.
pub(crate) type Layers = Arc<[Arc<dyn Middleware>]>;

/// The middleware that a host has by these names.
pub(crate) fn found(host: &Host, names: &[String]) -> Result<Layers> {
    names.iter().map(|name| host.find_middleware(name)).collect()
}

/// Replies, through all layers.
pub(crate) fn reply(
    layers: &Layers,
    req: ReplyRequest,
    cx: Context,
    spawn: impl Fn(ReplyRequest, Context) -> EventStream + Send + Sync + 'static,
) -> EventStream {
    if layers.is_empty() {
        return spawn(req, cx);
    }
    Next::new(Arc::clone(layers), |layer, req, cx, next| layer.on_reply(req, cx, next), spawn).run(req, cx)
}

/// Asks the model, through all layers.
pub(crate) fn ask(
    layers: &Layers,
    model: &Arc<dyn ChatModel>,
    req: ModelRequest,
    cx: Context,
) -> ModelStream {
    if layers.is_empty() {
        return model.call(req, cx);
    }
    let model = Arc::clone(model);
    let ask = move |req, cx| model.call(req, cx);
    Next::new(Arc::clone(layers), |layer, req, cx, next| layer.on_model(req, cx, next), ask).run(req, cx)
}
