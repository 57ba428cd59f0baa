//! What the agent can do and is told, before each thought.

use super::{Config, ReActAgent, drive::Work};
use agentscope_core::{
    ALLOWED_SLOT, Error, ErrorKind, EventKind, FINISH_TOOL, Msg, Result, Tool, ToolSpec, View,
};
use serde_json::json;
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::time::timeout;

/// How long a toolset may take to tell its tools; then the agent goes on without them.
const TOOLSET_TIMEOUT: Duration = Duration::from_secs(30);

/// The tools and the system prompt of one thought.
#[derive(Default)]
pub(super) struct Equipment {
    pub(super) specs: Arc<[Arc<ToolSpec>]>,
    tools: HashMap<Box<str>, (Arc<dyn Tool>, Arc<ToolSpec>)>,
    pub(super) prompt: Option<Arc<Msg>>,
    /// Toolsets that could not be asked.
    failed: Vec<(String, Error)>,
}

impl Equipment {
    pub(super) fn find(&self, name: &str) -> Option<&(Arc<dyn Tool>, Arc<ToolSpec>)> {
        self.tools.get(name)
    }

    pub(super) fn names(&self) -> Vec<&str> {
        self.specs.iter().map(|spec| spec.name.as_str()).collect()
    }
}

impl ReActAgent {
    /// What its model may call in its next thought, when no reply runs.
    ///
    /// ```
    /// use agentscope_agent::ReActAgent;
    /// use agentscope_core::{ScriptedModel, tool};
    ///
    /// /// Tells the time.
    /// #[tool(read_only)]
    /// fn clock() -> String {
    ///     "noon".into()
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
    /// let friday = ReActAgent::new("Friday", ScriptedModel::new([])).tool(clock);
    /// assert_eq!(friday.tools().await?[0].name, "clock");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Where its store cannot be read, or two tools have one name.
    pub async fn tools(&self) -> Result<Vec<Arc<ToolSpec>>> {
        let view = self.snapshot().await?.view();
        Ok(self.config.equip(&view).await?.specs.to_vec())
    }

    /// What its model costs, where the card of the model says so.
    #[cfg(feature = "console")]
    pub(crate) fn price(&self) -> Option<agentscope_core::Price> {
        self.config.model.card().price
    }
}

impl Work {
    /// The tools as of the last thought; in a reply that was taken up, as of now.
    pub(super) async fn equip(&mut self) -> Result<Arc<Equipment>> {
        match &self.equipment {
            Some(equipment) => Ok(Arc::clone(equipment)),
            None => self.equip_anew().await,
        }
    }

    /// The tools as of now.
    pub(super) async fn equip_anew(&mut self) -> Result<Arc<Equipment>> {
        let equipment = match self.config.fixed.get() {
            Some(fixed) => Arc::clone(fixed),
            None => Box::pin(self.list()).await?,
        };
        self.checked.clear();
        Ok(Arc::clone(self.equipment.insert(equipment)))
    }

    async fn list(&mut self) -> Result<Arc<Equipment>> {
        let stop = self.cx.interrupt().clone();
        let view = self.turn.state().view();
        let equipment = tokio::select! {
            biased;
            equipment = self.config.equip(&view) => Arc::new(equipment?),
            () = stop.triggered() => return Err(Error::new(ErrorKind::Unavailable, "interrupted while its tools were listed")),
        };
        for (name, error) in &equipment.failed {
            let value = json!({"toolset": name, "error": error});
            self.turn.emit(EventKind::Custom { name: "toolset_failed".into(), value });
        }
        if self.config.toolsets.is_empty() && self.config.layers.is_empty() {
            let _ = self.config.fixed.set(Arc::clone(&equipment));
        }
        Ok(equipment)
    }
}

impl Config {
    async fn equip(&self, view: &View) -> Result<Equipment> {
        let mut tools = self.tools.clone();
        let mut failed = Vec::new();
        let mut prompt = self.prompt.clone();
        for toolset in &self.toolsets {
            let asked = timeout(TOOLSET_TIMEOUT, toolset.tools(view)).await;
            let asked = asked.unwrap_or_else(|_| {
                let message = format!("it did not tell its tools in {} s", TOOLSET_TIMEOUT.as_secs());
                Err(Error::new(ErrorKind::Timeout, message))
            });
            match asked {
                Ok(more) => tools.extend(more),
                // The program put it together wrongly: no model can make up for that.
                Err(error) if error.kind() == ErrorKind::InvalidInput => {
                    return Err(error.context(format_args!("toolset `{}`", toolset.name())));
                }
                Err(error) => failed.push((toolset.name().to_owned(), error)),
            }
            if let Some(more) = toolset.prompt(view) {
                prompt = if prompt.is_empty() { more } else { format!("{prompt}\n\n{more}") };
            }
        }
        for layer in self.layers.iter() {
            tools.extend(layer.tools(view));
            prompt = layer.system_prompt(view, prompt);
        }
        let mut found = HashMap::with_capacity(tools.len());
        let mut specs = Vec::with_capacity(tools.len());
        for tool in tools {
            let spec = tool.spec();
            if spec.name == FINISH_TOOL {
                let message = format!(
                    "agent `{}` has a tool called `{FINISH_TOOL}`, which is the name of the tool by which a model gives structured \
                     output: rename it",
                    self.identity.card.name
                );
                return Err(Error::new(ErrorKind::InvalidInput, message));
            }
            if spec.slots.iter().any(|slot| *slot == *ALLOWED_SLOT) {
                let message = format!(
                    "the tool `{}` asks for the slot `{ALLOWED_SLOT}`, by which it could approve itself: only decisions write it",
                    spec.name
                );
                return Err(Error::new(ErrorKind::InvalidInput, message));
            }
            specs.push(Arc::clone(&spec));
            if found.insert(Box::from(spec.name.as_str()), (tool, Arc::clone(&spec))).is_some() {
                let message = format!(
                    "agent `{}` has two tools called `{}`: rename one, or give the agent only one of them",
                    self.identity.card.name, spec.name
                );
                return Err(Error::new(ErrorKind::InvalidInput, message));
            }
        }
        let prompt = (!prompt.is_empty()).then(|| Arc::new(Msg::system(prompt)));
        Ok(Equipment { specs: specs.into(), tools: found, prompt, failed })
    }
}
