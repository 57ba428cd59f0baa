//! Tools around tools: each changes one thing and passes the rest through.

mod output_limit;
mod post;
mod preset;
mod rename;
mod time_limit;

pub use output_limit::OutputLimit;
pub(crate) use output_limit::limited;
pub(crate) use rename::renamed;

use agentscope_core::{ContentBlock, Name, Result, Tool, ToolRequest};
use serde_json::Value;
use std::{sync::Arc, time::Duration};

/// What can be changed of any [`Tool`] without touching it.
///
/// ```
/// use agentscope_core::Tool;
/// use agentscope_tool::{ToolExt, execute_shell_command};
/// use std::time::Duration;
///
/// let shell = execute_shell_command().rename("sh").preset("timeout", 5).limit_time(Duration::from_secs(8));
/// assert_eq!(shell.spec().name, "sh");
/// assert!(shell.spec().input_schema["properties"].get("timeout").is_none());
/// ```
pub trait ToolExt: Tool + Sized {
    /// Sets an argument that the model can neither see nor change, such as on whose behalf the tool runs.
    ///
    /// The argument leaves the schema. It is put in last, and a model that passes it gets an error. So does every call where
    /// the tool has no such argument: a misspelled preset must not leave the real one open. Whoever runs an external tool puts
    /// the argument in.
    fn preset(self, argument: impl Into<Name>, value: impl Into<Value>) -> Arc<dyn Tool> {
        preset::preset(Arc::new(self), argument.into(), value.into())
    }

    /// Gives it another name. The tool itself is called by its own.
    fn rename(self, name: impl Into<Name>) -> Arc<dyn Tool> {
        renamed(Arc::new(self), name.into())
    }

    /// Tells the model something else about it.
    fn describe(self, description: impl Into<String>) -> Arc<dyn Tool> {
        rename::described(Arc::new(self), description.into())
    }

    /// Changes its whole output when it has succeeded; what was streamed is held back until then. The output of a run that
    /// fails is not shown, because `post` may be there to take something out of it.
    fn post(
        self,
        post: impl Fn(ToolRequest, Vec<ContentBlock>) -> Result<Vec<ContentBlock>> + Send + Sync + 'static,
    ) -> Arc<dyn Tool> {
        post::post(Arc::new(self), Arc::new(post))
    }

    /// Stops it after `limit`, which is then its error: its interrupt is triggered, it has a grace of 2 s to end by itself,
    /// then it is dropped. A shorter limit of its own stays.
    fn limit_time(self, limit: Duration) -> Arc<dyn Tool> {
        time_limit::limit_time(Arc::new(self), limit)
    }

    /// Bounds the text that it puts into the conversation, see [`OutputLimit`].
    fn limit_output(self, limit: impl Into<OutputLimit>) -> Arc<dyn Tool> {
        limited(Arc::new(self), limit.into())
    }
}

impl<T: Tool> ToolExt for T {}
