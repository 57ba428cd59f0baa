//! Middleware: one onion around replies, model calls, tool calls and permissions.

use crate::{
    agent::ReplyRequest,
    context::Context,
    error::Result,
    id::MsgId,
    message::ToolCall,
    model::{ModelRequest, ModelStream},
    state::View,
    stream::EventStream,
    tool::{Tool, ToolRequest, ToolSpec, ToolStream},
};
use futures_core::future::BoxFuture;
use std::sync::Arc;

/// What runs around an agent's work. Override what you need; the rest passes through. The first one added is the outermost.
///
/// Content is changed in [`on_model`](Self::on_model) and [`on_tool`](Self::on_tool). [`on_reply`](Self::on_reply) may change the
/// request, refuse it or ask several times, but passes the events on as they are, so that what is seen stays what is saved.
///
/// ```
/// use agentscope_core::{Context, Middleware, ModelRequest, ModelStream, Next};
///
/// /// Asks each model to be cold.
/// struct Cold;
/// impl Middleware for Cold {
///     fn name(&self) -> &str { "cold" }
///     fn on_model(&self, mut req: ModelRequest, cx: Context, next: Next<ModelRequest, ModelStream>) -> ModelStream {
///         req.options.temperature = Some(0.0);
///         next.run(req, cx)
///     }
/// }
/// ```
pub trait Middleware: Send + Sync + 'static {
    /// What it is called, for configurations and errors.
    fn name(&self) -> &str;

    /// Around a reply. Whoever asks again does so with [`crate::Input::Continue`]: the messages are in the conversation already.
    fn on_reply(&self, req: ReplyRequest, cx: Context, next: Next<ReplyRequest, EventStream>) -> EventStream {
        next.run(req, cx)
    }

    /// Around a call of the model.
    fn on_model(&self, req: ModelRequest, cx: Context, next: Next<ModelRequest, ModelStream>) -> ModelStream {
        next.run(req, cx)
    }

    /// Around a run of a tool. A retry of a tool that is neither read-only nor idempotent does its work twice.
    fn on_tool(&self, req: ToolRequest, cx: Context, next: Next<ToolRequest, ToolStream>) -> ToolStream {
        next.run(req, cx)
    }

    /// Around the decision whether a call may run. At the core, what is read-only or allowed by name may, the rest asks.
    fn on_permission(
        &self,
        req: PermissionRequest,
        cx: Context,
        next: Next<PermissionRequest, BoxFuture<'static, Result<Permission>>>,
    ) -> BoxFuture<'static, Result<Permission>> {
        next.run(req, cx)
    }

    /// Around making a conversation shorter, when it does not fit the model any more. At the core, nothing is done.
    fn on_compact(
        &self,
        req: CompactRequest,
        cx: Context,
        next: Next<CompactRequest, BoxFuture<'static, Result<Option<Compaction>>>>,
    ) -> BoxFuture<'static, Result<Option<Compaction>>> {
        next.run(req, cx)
    }

    /// Changes the system prompt, before each thought.
    fn system_prompt(&self, view: &View, prompt: String) -> String {
        let _ = view;
        prompt
    }

    /// Adds tools, before each thought.
    fn tools(&self, view: &View) -> Vec<Arc<dyn Tool>> {
        let _ = view;
        Vec::new()
    }
}

/// Asks whether a call may run.
///
/// ```
/// use agentscope_core::{PermissionRequest, ToolCall, ToolSpec};
///
/// let spec = ToolSpec::new("remove", "Removes a file.", serde_json::json!({"type": "object"}));
/// let req = PermissionRequest::new(ToolCall::new("c1", "remove", r#"{"path":"old.log"}"#), spec.into());
/// assert_eq!((req.call.arguments()?["path"].as_str(), req.spec.read_only), (Some("old.log"), false));
/// # Ok::<_, agentscope_core::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PermissionRequest {
    /// The call.
    pub call: ToolCall,
    /// The tool.
    pub spec: Arc<ToolSpec>,
}

impl PermissionRequest {
    /// Whether `call` of the tool `spec` may run.
    pub fn new(call: ToolCall, spec: Arc<ToolSpec>) -> Self {
        Self { call, spec }
    }
}

/// Whether a call may run.
///
/// ```
/// use agentscope_core::{BoxFuture, Context, Middleware, Next, Permission, PermissionRequest, Result, ToolCall, ToolSpec};
///
/// /// Nobody removes anything.
/// struct Keep;
///
/// impl Middleware for Keep {
///     fn name(&self) -> &str { "keep" }
///     fn on_permission(
///         &self,
///         req: PermissionRequest,
///         cx: Context,
///         next: Next<PermissionRequest, BoxFuture<'static, Result<Permission>>>,
///     ) -> BoxFuture<'static, Result<Permission>> {
///         match req.call.name.as_str() {
///             "remove" => Box::pin(async { Ok(Permission::Deny("nothing is removed here".into())) }),
///             _ => next.run(req, cx),
///         }
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let spec = ToolSpec::new("remove", "Removes a file.", serde_json::json!({"type": "object"}));
/// let req = PermissionRequest::new(ToolCall::new("c1", "remove", "{}"), spec.into());
/// let core = |_, _| -> BoxFuture<'static, _> { Box::pin(async { Ok(Permission::Ask) }) };
/// let rest = Next::new([], |layer, req, cx, next| layer.on_permission(req, cx, next), core);
/// let answer = Keep.on_permission(req, Context::new(), rest).await?;
/// assert_eq!(answer, Permission::Deny("nothing is removed here".into()));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Permission {
    /// It may.
    Allow,
    /// Somebody has to decide.
    Ask,
    /// It may not; the model is told why.
    Deny(String),
}

/// Asks for a conversation to be made shorter.
///
/// ```
/// use agentscope_core::{AgentState, CompactRequest};
///
/// let req = CompactRequest::new(AgentState::default().view(), true);
/// assert!(req.overflow && req.view.messages().is_empty());
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CompactRequest {
    /// The conversation.
    pub view: View,
    /// Whether the model refused it as too long, so that it has to be done now.
    pub overflow: bool,
}

impl CompactRequest {
    /// Asks for the conversation `view` to be made shorter.
    pub fn new(view: View, overflow: bool) -> Self {
        Self { view, overflow }
    }
}

/// How a conversation was made shorter.
///
/// ```
/// use agentscope_core::{AgentState, Change, Compaction, Msg};
///
/// let mut state = AgentState::default();
/// for text in ["My name is Alice.", "I live in Oslo.", "How is the weather?"] {
///     state.apply(&Change::message(Msg::user(text)));
/// }
/// let upto = state.context[1].msg.id.clone();
/// let Compaction { summary, upto } = Compaction { summary: "Alice lives in Oslo.".into(), upto };
/// state.apply(&Change::Compact { summary, upto });
/// assert_eq!((state.summary.as_str(), state.context.len()), ("Alice lives in Oslo.", 1));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compaction {
    /// What replaces the older messages and the former summary.
    pub summary: String,
    /// The last message that the summary covers.
    pub upto: MsgId,
}

type Hook<Req, Res> = fn(&dyn Middleware, Req, Context, Next<Req, Res>) -> Res;

/// The rest of the onion. Run it zero, one or many times: refuse, pass, retry.
///
/// ```
/// use agentscope_core::{Context, ErrorKind, Middleware, Next, Result, Tool, ToolChunk, ToolRequest, ToolStream};
/// use futures_util::{StreamExt, stream};
///
/// /// Runs a tool again that was away. Only for tools that may be run twice.
/// struct Retry;
///
/// impl Middleware for Retry {
///     fn name(&self) -> &str { "retry" }
///     fn on_tool(&self, req: ToolRequest, cx: Context, next: Next<ToolRequest, ToolStream>) -> ToolStream {
///         let first = next.run(req.clone(), cx.clone());
///         let runs = first.flat_map(move |chunk| match chunk {
///             Err(error) if error.kind() == ErrorKind::Unavailable => next.run(req.clone(), cx.clone()),
///             chunk => stream::iter([chunk]).boxed(),
///         });
///         Box::pin(runs)
///     }
/// }
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # use std::sync::{Arc, atomic::{AtomicU32, Ordering}};
/// let runs = Arc::new(AtomicU32::new(0));
/// # let counted = Arc::clone(&runs);
/// let tool = move |_: ToolRequest, _: Context| -> ToolStream {
///     let first = runs.fetch_add(1, Ordering::SeqCst) == 0;
///     let away = agentscope_core::Error::new(ErrorKind::Unavailable, "try again");
///     Box::pin(stream::iter([if first { Err(away) } else { Ok(ToolChunk::text("here")) }]))
/// };
/// let layers = [Arc::new(Retry) as Arc<dyn Middleware>];
/// let next = Next::new(layers, |layer, req, cx, next| layer.on_tool(req, cx, next), tool);
/// let chunks: Vec<Result<ToolChunk>> = next.run(ToolRequest::default(), Context::new()).collect().await;
/// assert_eq!(chunks.len(), 1);
/// # assert_eq!(counted.load(Ordering::SeqCst), 2);
/// # }
/// ```
pub struct Next<Req, Res>(Arc<Onion<Req, Res>>, usize);

struct Onion<Req, Res> {
    layers: Arc<[Arc<dyn Middleware>]>,
    hook: Hook<Req, Res>,
    core: Box<dyn Fn(Req, Context) -> Res + Send + Sync>,
}

impl<Req, Res> Next<Req, Res> {
    /// An onion of `layers`, each entered by `hook`, around `core`.
    ///
    /// ```
    /// use agentscope_core::{ChatModel, Context, Middleware, ModelRequest, ModelStream, Next, ScriptedModel, testing::say};
    ///
    /// let model = ScriptedModel::new([say("hi")]).may_leave_lines();
    /// let layers: Vec<std::sync::Arc<dyn Middleware>> = vec![];
    /// let next = Next::new(layers, |layer, req, cx, next| layer.on_model(req, cx, next), move |req, cx| model.call(req, cx));
    /// let answer: ModelStream = next.run(ModelRequest::default(), Context::new());
    /// # drop(answer);
    /// ```
    pub fn new(
        layers: impl Into<Arc<[Arc<dyn Middleware>]>>,
        hook: Hook<Req, Res>,
        core: impl Fn(Req, Context) -> Res + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(Onion { layers: layers.into(), hook, core: Box::new(core) }), 0)
    }

    /// Goes on inwards.
    pub fn run(&self, req: Req, cx: Context) -> Res {
        let Self(onion, depth) = self;
        match onion.layers.get(*depth) {
            Some(layer) => (onion.hook)(&**layer, req, cx, Self(Arc::clone(onion), depth + 1)),
            None => (onion.core)(req, cx),
        }
    }
}

impl<Req, Res> Clone for Next<Req, Res> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0), self.1)
    }
}

impl<Req, Res> std::fmt::Debug for Next<Req, Res> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Next({} layers left)", self.0.layers.len().saturating_sub(self.1))
    }
}
