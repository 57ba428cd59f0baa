//! Tools whose arguments have a Rust type; what `#[tool]` writes.

use super::{Tool, ToolChunk, ToolRequest, ToolSpec, ToolStream};
use crate::{
    context::Context,
    error::{Error, ErrorKind, Result},
    message::ContentBlock,
    stream::later,
};
use schemars::{JsonSchema, generate::SchemaSettings};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::{fmt, future::Future, sync::Arc};

/// A tool whose arguments are a Rust type. `#[tool]` writes this; by hand it is for tools that hold something.
///
/// ```
/// use agentscope_core::{Context, Result, Tool, ToolSpec, TypedTool, schema_of};
/// use std::sync::Arc;
///
/// #[derive(Clone)]
/// struct Greeter { greeting: String }
///
/// #[derive(serde::Deserialize, schemars::JsonSchema)]
/// struct Args { /** Whom to greet. */ name: String }
///
/// impl TypedTool for Greeter {
///     type Args = Args;
///     type Output = Result<String>;
///     fn spec(&self) -> Arc<ToolSpec> {
///         Arc::new(ToolSpec::new("greet", "Greets somebody.", schema_of::<Args>()).read_only())
///     }
///     async fn run(&self, args: Args, _: Context) -> Result<String> {
///         Ok(format!("{}, {}!", self.greeting, args.name))
///     }
/// }
/// let tool: Arc<dyn Tool> = Arc::new(Greeter { greeting: "Hello".into() });
/// assert_eq!(tool.spec().input_schema["required"][0], "name");
/// ```
pub trait TypedTool: Clone + Send + Sync + 'static {
    /// The arguments.
    type Args: DeserializeOwned + JsonSchema + Send;
    /// What it gives.
    type Output: IntoToolOutput;

    /// What the model is told, and how the tool may be run. Make it once and clone the `Arc`.
    fn spec(&self) -> Arc<ToolSpec>;

    /// Runs it.
    fn run(&self, args: Self::Args, cx: Context) -> impl Future<Output = Self::Output> + Send;
}

impl<T: TypedTool> Tool for T {
    fn spec(&self) -> Arc<ToolSpec> {
        TypedTool::spec(self)
    }
    fn call(&self, req: ToolRequest, cx: Context) -> ToolStream {
        let tool = self.clone();
        Box::pin(later(async move {
            let name = req.name.clone();
            let content = match arguments(&name, req.input) {
                Ok(args) => tool.run(args, cx).await.into_tool_output(),
                Err(error) => Err(error),
            };
            vec![content.map(ToolChunk::from)]
        }))
    }
}

/// Reads a tool's arguments.
fn arguments<T: DeserializeOwned>(tool: &str, input: Value) -> Result<T> {
    serde_json::from_value(input).map_err(|error| {
        Error::new(ErrorKind::InvalidInput, format!("the arguments of `{tool}` do not fit: {error}"))
            .with_source(error)
    })
}

/// The JSON schema of a tool's arguments, as models want it: an object with its definitions, without titles and
/// without the name of a dialect.
pub fn schema_of<T: JsonSchema>() -> Value {
    let mut schema = Value::from(SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>());
    if let Some(object) = schema.as_object_mut() {
        object.remove("$schema");
        object.remove("title");
        object.entry("type").or_insert_with(|| "object".into());
        if object.get("type").is_some_and(|it| it == "object") {
            object.entry("properties").or_insert_with(|| Value::Object(Default::default()));
        }
    }
    schema
}

/// What a tool may return: words, blocks, anything that serializes or displays (see `#[tool]`), or a `Result` of these.
pub trait IntoToolOutput: Send {
    /// The blocks for the model.
    ///
    /// # Errors
    /// What the tool says went wrong.
    fn into_tool_output(self) -> Result<Vec<ContentBlock>>;
}

impl IntoToolOutput for () {
    fn into_tool_output(self) -> Result<Vec<ContentBlock>> {
        Ok(vec![ContentBlock::text("done")])
    }
}

impl IntoToolOutput for String {
    fn into_tool_output(self) -> Result<Vec<ContentBlock>> {
        Ok(vec![ContentBlock::text(self)])
    }
}

impl IntoToolOutput for &str {
    fn into_tool_output(self) -> Result<Vec<ContentBlock>> {
        Ok(vec![ContentBlock::text(self)])
    }
}

impl IntoToolOutput for ContentBlock {
    fn into_tool_output(self) -> Result<Vec<ContentBlock>> {
        Ok(vec![self])
    }
}

impl IntoToolOutput for Vec<ContentBlock> {
    fn into_tool_output(self) -> Result<Vec<ContentBlock>> {
        Ok(self)
    }
}

impl<T: IntoToolOutput, E: fmt::Display + Send> IntoToolOutput for std::result::Result<T, E> {
    fn into_tool_output(self) -> Result<Vec<ContentBlock>> {
        self.map_err(|error| Error::new(ErrorKind::Tool, error.to_string()))?.into_tool_output()
    }
}

/// Output that displays, as its text.
///
/// ```
/// use agentscope_core::{IntoToolOutput, Plain};
/// assert_eq!(Plain(17 * 23).into_tool_output().unwrap(), vec!["391".into()]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Plain<T>(pub T);

impl<T: fmt::Display + Send> IntoToolOutput for Plain<T> {
    fn into_tool_output(self) -> Result<Vec<ContentBlock>> {
        Ok(vec![ContentBlock::text(self.0.to_string())])
    }
}

/// Output that serializes, as JSON.
///
/// ```
/// use agentscope_core::{IntoToolOutput, Serialized};
/// assert_eq!(Serialized(vec![1, 2]).into_tool_output().unwrap(), vec!["[1,2]".into()]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Serialized<T>(pub T);

impl<T: Serialize + Send> IntoToolOutput for Serialized<T> {
    fn into_tool_output(self) -> Result<Vec<ContentBlock>> {
        let text = serde_json::to_string(&self.0)
            .map_err(|error| Error::new(ErrorKind::Tool, format!("the output is no JSON: {error}")))?;
        Ok(vec![ContentBlock::text(text)])
    }
}
