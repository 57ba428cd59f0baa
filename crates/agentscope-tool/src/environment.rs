use agentscope_core::{
    Context, Environment, Error, ErrorKind, Name, Result, Tool, ToolChunk, ToolRequest, ToolSpec, ToolStream,
    Toolset, View, environment::Action,
};
use async_trait::async_trait;
use futures_util::stream;
use serde_json::Value;
use std::{collections::HashSet, sync::Arc};

/// How deep environments may lie in each other: what contains itself has no end.
const MOST_DEEP: usize = 8;

/// Most tools of one environment and those in it (128): models do not take more.
const MOST_TOOLS: usize = 128;

/// Longest name of a tool that all providers take.
const NAME_LIMIT: usize = 64;

/// What an agent reads and does in an environment, and in those that lie in it: a tool for each action.
///
/// A tool is called as the way to its action is: `house_kitchen_boil`. Agents act under their id, or under a name that you give
/// them by [`by`](Self::by); a model cannot say that it is another. What only reads runs without asking; the rest
/// asks like any tool, unless the agent is allowed it by its name.
///
/// ```
/// use agentscope_core::{AgentState, Environment, EnvironmentExt, Toolset, environment::variable};
/// use agentscope_tool::EnvironmentTools;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let light = variable("light", false);
/// let tools = EnvironmentTools::new(light.clone()).by("Alice");
/// let names: Vec<_> = tools.tools(&AgentState::default().view()).await?.iter().map(|tool| tool.spec().name.clone()).collect();
/// assert_eq!(names, ["light_get", "light_set"]);
/// // ReActAgent::new("Alice", model).toolset(tools).allow("light_set")
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct EnvironmentTools {
    environment: Arc<dyn Environment>,
    by: Option<Name>,
}

impl EnvironmentTools {
    /// The tools of `environment` and of all that is in it.
    pub fn new(environment: impl Environment) -> Self {
        Self { environment: Arc::new(environment), by: None }
    }

    /// Whoever has these tools acts under this name.
    #[must_use]
    pub fn by(mut self, name: impl Into<Name>) -> Self {
        self.by = Some(name.into());
        self
    }

    fn collect(
        &self,
        environment: &Arc<dyn Environment>,
        path: &[Name],
        found: &mut Vec<Arc<dyn Tool>>,
        names: &mut HashSet<String>,
    ) -> Result<()> {
        let path: Vec<Name> = path.iter().cloned().chain([environment.name().clone()]).collect();
        if path.len() > MOST_DEEP {
            let message = format!(
                "`{}` has environments in each other more than {MOST_DEEP} deep: let none contain itself",
                self.environment.name()
            );
            return Err(Error::new(ErrorKind::InvalidInput, message));
        }
        for action in environment.actions() {
            if found.len() == MOST_TOOLS {
                let message = format!(
                    "`{}` and what is in it have more than {MOST_TOOLS} actions: give the agent the tools of a part of it",
                    self.environment.name()
                );
                return Err(Error::new(ErrorKind::Exhausted, message));
            }
            let name = unique(&path, &action.name, names);
            let mut spec = ToolSpec::clone(&action);
            spec.name = name.into();
            let (environment, action, by) = (Arc::clone(environment), action.name.clone(), self.by.clone());
            found.push(Arc::new(ActionTool { spec: Arc::new(spec), environment, action, by }));
        }
        for child in environment.children() {
            self.collect(&child, &path, found, names)?;
        }
        Ok(())
    }
}

/// A name that providers take and no other tool has.
fn unique(path: &[Name], action: &Name, names: &mut HashSet<String>) -> String {
    let parts: Vec<&str> = path.iter().map(Name::as_str).chain([action.as_str()]).collect();
    let fits = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
    let whole: String = parts.join("_").chars().map(|it| if fits(it) { it } else { '_' }).collect();
    let mut name: String = whole.chars().take(NAME_LIMIT).collect();
    let mut number = 2;
    while !names.insert(name.clone()) {
        let ending = format!("_{number}");
        name = whole.chars().take(NAME_LIMIT - ending.len()).chain(ending.chars()).collect();
        number += 1;
    }
    name
}

#[async_trait]
impl Toolset for EnvironmentTools {
    fn name(&self) -> &str {
        self.environment.name()
    }

    async fn tools(&self, _: &View) -> Result<Vec<Arc<dyn Tool>>> {
        let mut found = Vec::new();
        self.collect(&self.environment, &[], &mut found, &mut HashSet::new())?;
        Ok(found)
    }
}

impl std::fmt::Debug for EnvironmentTools {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "EnvironmentTools({}, by {:?})", self.environment.name(), self.by)
    }
}

/// One action of an environment.
struct ActionTool {
    spec: Arc<ToolSpec>,
    environment: Arc<dyn Environment>,
    action: Name,
    by: Option<Name>,
}

impl Tool for ActionTool {
    fn spec(&self) -> Arc<ToolSpec> {
        Arc::clone(&self.spec)
    }

    fn call(&self, req: ToolRequest, cx: Context) -> ToolStream {
        let caller = || cx.path().last().map(|entry| Name::from(entry.agent.as_str()));
        let mut action = Action::new(self.action.clone(), req.input);
        action.by = self.by.clone().or_else(caller);
        let acting = self.environment.act(action, cx);
        Box::pin(stream::once(async move {
            let words = match acting.await? {
                Value::Null => "Done.".to_owned(),
                Value::String(text) => text,
                other => other.to_string(),
            };
            Ok(ToolChunk::text(words))
        }))
    }
}
