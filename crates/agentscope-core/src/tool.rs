//! Tools: what an agent can do.

mod arguments;
mod description;
mod output;
mod probe;
mod run;
mod typed;

pub use output::{IntoToolOutput, Plain, Serialized};
pub use run::limit_blocking_tools;
pub use typed::{TypedTool, schema_of};

/// For the code that `#[tool]` writes.
pub(crate) mod written {
    pub use super::{
        arguments::arguments,
        description::description,
        probe::{Fallible, Kind, probe},
        run::{blocking, external, next, streaming, waiting},
    };
}

use crate::{
    context::Context,
    error::Result,
    event::Event,
    id::{AgentId, CallId, Name},
    message::{ContentBlock, Extra},
    state::View,
};
use async_trait::async_trait;
use futures_core::Stream;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{collections::BTreeMap, pin::Pin, sync::Arc, time::Duration};

/// Something that an agent can do: a function, a server's offer, another agent.
///
/// Most tools are written with `#[tool]`; this trait is for those whose schema is known only at run time.
///
/// ```
/// use agentscope_core::{Context, Tool, ToolChunk, ToolRequest, ToolSpec, ToolStream};
/// use futures_util::{StreamExt, stream};
/// use std::sync::Arc;
///
/// /// A tool as a server describes it.
/// struct Offered(Arc<ToolSpec>);
///
/// impl Tool for Offered {
///     fn spec(&self) -> Arc<ToolSpec> { Arc::clone(&self.0) }
///     fn call(&self, req: ToolRequest, _: Context) -> ToolStream {
///         Box::pin(stream::iter(["asked for ".to_owned(), req.input.to_string()]).map(|text| Ok(ToolChunk::text(text))))
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let schema = serde_json::json!({"type": "object", "properties": {"id": {"type": "integer"}}});
/// let tool = Offered(Arc::new(ToolSpec::new("lookup", "Looks something up.", schema).read_only()));
/// let req = ToolRequest::new("c1", "lookup", serde_json::json!({"id": 7}));
/// let chunks: Vec<_> = tool.call(req, Context::new()).collect().await;
/// assert_eq!(chunks[1].as_ref().unwrap(), &ToolChunk::text(r#"{"id":7}"#));
/// # Ok(()) }
/// ```
pub trait Tool: Send + Sync + 'static {
    /// What the model is told, and how the tool may be run.
    fn spec(&self) -> Arc<ToolSpec>;

    /// Runs it. Nothing happens before the stream is polled. The end of the stream is success, an error is failure.
    ///
    /// When `cx.interrupt()` is triggered, the tool has a short grace to end by itself, then its stream is dropped.
    fn call(&self, req: ToolRequest, cx: Context) -> ToolStream;
}

/// What a model is told about a tool, and how the tool may be run.
///
/// ```
/// use agentscope_core::ToolSpec;
/// use serde_json::json;
///
/// let spec = ToolSpec::new("now", "Tells the time.", json!({"type": "object", "properties": {}})).read_only();
/// assert!(spec.read_only && spec.runs_beside_others());
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ToolSpec {
    /// By which the model calls it: letters, digits, `_` and `-`, at most 64.
    pub name: Name,
    /// What it does, for the model.
    pub description: String,
    /// The JSON schema of its arguments, an object.
    pub input_schema: Arc<Value>,
    /// It changes nothing: it needs no approval, runs beside others and may be run again.
    #[serde(default)]
    pub read_only: bool,
    /// Running it twice is as good as running it once: after a crash it may be run again.
    #[serde(default)]
    pub idempotent: bool,
    /// Whether it may run at the same time as other calls of the same round; by default if it is read-only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parallel: Option<bool>,
    /// It is not run here: whoever reads the events does it and brings the result back.
    #[serde(default)]
    pub external: bool,
    /// Longest run, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// The slots of the agent's state that it reads and may set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub slots: Vec<Name>,
    /// Further fields.
    #[serde(flatten)]
    pub extra: Extra,
}

impl ToolSpec {
    /// A tool that asks before it runs, alone in its round.
    pub fn new(
        name: impl Into<Name>,
        description: impl Into<String>,
        input_schema: impl Into<Arc<Value>>,
    ) -> Self {
        Self {
            name: name.into(),
            description: description.into(),
            input_schema: input_schema.into(),
            read_only: false,
            idempotent: false,
            parallel: None,
            external: false,
            timeout_ms: None,
            slots: Vec::new(),
            extra: Extra::default(),
        }
    }

    /// It changes nothing.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    /// Running it twice is as good as running it once.
    #[must_use]
    pub fn idempotent(mut self) -> Self {
        self.idempotent = true;
        self
    }

    /// Whether it may run at the same time as other calls of the same round.
    #[must_use]
    pub fn parallel(mut self, parallel: bool) -> Self {
        self.parallel = Some(parallel);
        self
    }

    /// Whoever reads the events does it.
    #[must_use]
    pub fn external(mut self) -> Self {
        self.external = true;
        self
    }

    /// It is stopped after `limit`, which is then its error.
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout_ms = Some(u64::try_from(limit.as_millis()).unwrap_or(u64::MAX));
        self
    }

    /// It reads the slot `name` of the agent's state and may set it.
    #[must_use]
    pub fn slot(mut self, name: impl Into<Name>) -> Self {
        self.slots.push(name.into());
        self
    }

    /// Whether it may run at the same time as other calls of its round.
    pub fn runs_beside_others(&self) -> bool {
        self.parallel.unwrap_or(self.read_only)
    }
}

impl Default for ToolSpec {
    fn default() -> Self {
        Self::new("", "", json!({"type": "object", "properties": {}}))
    }
}

/// One run of a tool.
///
/// ```
/// let req = agentscope_core::ToolRequest::new("c1", "weather", serde_json::json!({"city": "Oslo"}));
/// assert_eq!((req.input["city"].as_str(), req.slots.len()), (Some("Oslo"), 0));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ToolRequest {
    /// The call.
    pub call_id: CallId,
    /// The name by which it was called.
    pub name: Name,
    /// The arguments, an object that obeys the tool's schema.
    pub input: Value,
    /// The values of the slots that the tool named, as far as they are set.
    #[serde(default)]
    pub slots: BTreeMap<Name, Value>,
}

impl ToolRequest {
    /// The call `call_id` of the tool `name` with `input`.
    pub fn new(call_id: impl Into<CallId>, name: impl Into<Name>, input: Value) -> Self {
        Self { call_id: call_id.into(), name: name.into(), input, slots: BTreeMap::new() }
    }
}

/// A piece of a tool's output.
///
/// ```
/// use agentscope_core::ToolChunk;
///
/// let plan = ToolChunk::Slot { key: "plan".into(), value: serde_json::json!({"steps": []}) };
/// assert_eq!(serde_json::from_str::<ToolChunk>(&serde_json::to_string(&plan)?)?, plan);
/// # Ok::<_, serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum ToolChunk {
    /// More output; words join the words before them.
    Output {
        /// What is added.
        content: Vec<ContentBlock>,
    },
    /// Sets a slot that the tool named in its spec; it takes effect when the call succeeds.
    Slot {
        /// The slot.
        key: Name,
        /// Its new value.
        value: Value,
    },
    /// What another agent does for this call.
    Inner {
        /// The agent.
        agent: AgentId,
        /// Its name.
        name: Name,
        /// What happened.
        event: Box<Event>,
    },
}

impl ToolChunk {
    /// More words.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Output { content: vec![ContentBlock::text(text)] }
    }
}

impl From<Vec<ContentBlock>> for ToolChunk {
    fn from(content: Vec<ContentBlock>) -> Self {
        Self::Output { content }
    }
}

/// A tool's output, as it comes.
pub type ToolStream = Pin<Box<dyn Stream<Item = Result<ToolChunk>> + Send>>;

impl<T: Tool + ?Sized> Tool for Arc<T> {
    fn spec(&self) -> Arc<ToolSpec> {
        (**self).spec()
    }
    fn call(&self, req: ToolRequest, cx: Context) -> ToolStream {
        (**self).call(req, cx)
    }
}

/// Tools that are known only at run time: of an MCP server, a folder of skills, a sandbox.
///
/// ```
/// use agentscope_core::{AgentState, Result, Tool, Toolset, View, tool};
/// use std::sync::Arc;
///
/// /// Looks into the archive.
/// #[tool(read_only)]
/// async fn archive(
///     /// What to look for.
///     query: String,
/// ) -> String {
///     format!("nothing about {query}")
/// }
///
/// /// The archive, once the conversation has begun.
/// struct Library;
///
/// #[async_trait::async_trait]
/// impl Toolset for Library {
///     fn name(&self) -> &str { "library" }
///     async fn tools(&self, view: &View) -> Result<Vec<Arc<dyn Tool>>> {
///         Ok(if view.messages().is_empty() { vec![] } else { vec![Arc::new(archive)] })
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// assert!(Library.tools(&AgentState::default().view()).await?.is_empty());
/// # Ok(()) }
/// ```
#[async_trait]
pub trait Toolset: Send + Sync + 'static {
    /// What it is called, for errors and configurations.
    fn name(&self) -> &str;

    /// The tools that the agent has now, given its conversation. Asked once before each thought.
    ///
    /// # Errors
    /// Where the tools cannot be told; the agent goes on without them and reports it.
    async fn tools(&self, view: &View) -> Result<Vec<Arc<dyn Tool>>>;

    /// Words for the system prompt, such as what the active groups want the agent to know.
    fn prompt(&self, view: &View) -> Option<String> {
        let _ = view;
        None
    }
}

#[async_trait]
impl<T: Toolset + ?Sized> Toolset for Arc<T> {
    fn name(&self) -> &str {
        (**self).name()
    }
    async fn tools(&self, view: &View) -> Result<Vec<Arc<dyn Tool>>> {
        (**self).tools(view).await
    }
    fn prompt(&self, view: &View) -> Option<String> {
        (**self).prompt(view)
    }
}
