//! An agent as a tool of another.

use crate::errand::Errand;
use agentscope_core::{
    Agent, ContentBlock, Context, Error, ErrorKind, Finish, Input, Msg, Result, Tool, ToolChunk, ToolRequest,
    ToolSpec, ToolStream,
};
use futures_util::stream;
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

/// Longest work of an agent for another (1 h).
const TIMEOUT: Duration = Duration::from_secs(3600);

/// An agent that another one asks as a tool. What it does is told as [`ToolChunk::Inner`], what it says is the result.
///
/// Where one of its own tools asks for approval, nobody is there to answer, and the call is denied with that reason: allow
/// the tool by `.allow(..)` on the inner agent.
///
/// ```
/// use agentscope_agent::{AgentTool, ReActAgent};
/// use agentscope_core::{ScriptedModel, Tool};
///
/// let poet = ReActAgent::new("poet", ScriptedModel::new([])).describe("Writes a poem about what it is told.");
/// assert_eq!(AgentTool::new(poet).spec().name, "poet");
/// ```
pub struct AgentTool {
    agent: Arc<dyn Agent>,
    spec: Arc<ToolSpec>,
}

impl AgentTool {
    /// `agent` as a tool of its name, in which everything but letters, digits, `_` and `-` becomes `_`.
    pub fn new(agent: impl Agent) -> Self {
        let card = agent.card();
        let fits = |it: char| if it.is_ascii_alphanumeric() || it == '-' { it } else { '_' };
        let name: String = card.name.chars().map(fits).take(64).collect();
        let description = if card.description.is_empty() {
            format!("Asks the agent {} to do something.", card.name)
        } else {
            card.description.clone()
        };
        let schema = json!({
            "type": "object",
            "properties": {"task": {"type": "string", "description": "What to do, with all that has to be known for it."}},
            "required": ["task"],
            "additionalProperties": false,
        });
        let spec = ToolSpec::new(name, description, schema).parallel(true).timeout(TIMEOUT);
        Self { agent: Arc::new(agent), spec: Arc::new(spec) }
    }
}

impl Tool for AgentTool {
    fn spec(&self) -> Arc<ToolSpec> {
        Arc::clone(&self.spec)
    }

    fn call(&self, req: ToolRequest, cx: Context) -> ToolStream {
        let task = req.input.get("task").and_then(Value::as_str).unwrap_or_default();
        let errand = Errand::new(Arc::clone(&self.agent), Input::from(Msg::user(task)).into(), cx);
        Box::pin(stream::unfold(Some(errand), |errand| async move {
            let mut errand = errand?;
            let event = match errand.next().await {
                None => return Some((said(&errand.into_msg()?), None)),
                Some(Err(error)) => return Some((Err(error), None)),
                Some(Ok(event)) => event,
            };
            let card = errand.agent().card();
            let (agent, name) = (card.id.clone(), card.name.clone());
            Some((Ok(ToolChunk::Inner { agent, name, event: Box::new(event) }), Some(errand)))
        }))
    }
}

fn said(msg: &Msg) -> Result<ToolChunk> {
    if msg.finish == Some(Finish::Interrupted) {
        return Err(Error::new(ErrorKind::Tool, format!("`{}` was interrupted", msg.name)));
    }
    let spoken = msg.spoken();
    let mut content = spoken.content;
    if let Some(output) = spoken.output {
        content.push(ContentBlock::text(output.to_string()));
    }
    Ok(ToolChunk::from(content))
}
