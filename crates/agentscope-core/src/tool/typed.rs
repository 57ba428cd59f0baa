//! Tools whose arguments have a Rust type.

use super::{
    Tool, ToolRequest, ToolSpec, ToolStream, arguments::arguments, output::IntoToolOutput, run::waiting,
};
use crate::context::Context;
use schemars::{JsonSchema, generate::SchemaSettings};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::{future::Future, sync::Arc};

/// A tool whose arguments are a Rust type, for tools that hold something. One that is a mere function is written with
/// `#[tool]`.
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
        waiting(async move {
            let args = arguments(&req.name, &req.input)?;
            Ok(vec![tool.run(args, cx).await.into_tool_output()?.into()])
        })
    }
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
