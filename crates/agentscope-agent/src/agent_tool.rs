//! An agent as a tool of another.

use agentscope_core::{
    Agent, AgentExt, CallState, ContentBlock, Context, Decision, Error, ErrorKind, EventStream, Finish,
    Input, Msg, Result, Role, Tool, ToolChunk, ToolRequest, ToolResult, ToolSpec, ToolState, ToolStream,
};
use futures_util::stream;
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

/// Longest work of an agent for another (1 h).
const TIMEOUT: Duration = Duration::from_secs(3600);

/// How often calls of the other agent that ask are refused, before its reply is closed.
const REFUSALS: u32 = 8;

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
        let work = Work { agent: Arc::clone(&self.agent), cx, refusals: 0 };
        let first = Phase::Ask(Input::from(Msg::user(task)));
        Box::pin(stream::unfold((work, first), |(mut work, phase)| async move {
            let (chunk, phase) = work.next(phase).await?;
            Some((chunk, (work, phase)))
        }))
    }
}

/// The work of one agent for another.
struct Work {
    agent: Arc<dyn Agent>,
    cx: Context,
    refusals: u32,
}

enum Phase {
    Ask(Input),
    Hear { events: EventStream, fold: Box<Msg> },
    Over,
}

impl Work {
    /// The next chunk, and what comes then. Nothing is spawned: dropping the tool's stream drops the other agent's.
    async fn next(&mut self, mut phase: Phase) -> Option<(Result<ToolChunk>, Phase)> {
        loop {
            let (mut events, mut fold) = match phase {
                Phase::Over => return None,
                Phase::Ask(input) => {
                    let events = self.agent.reply(input).within(&self.cx).stream();
                    (events, Box::new(Msg::new("", Role::Assistant, Vec::new())))
                }
                Phase::Hear { events, fold } => (events, fold),
            };
            match events.next().await {
                Some(Ok(event)) => {
                    fold.apply(&event);
                    let card = self.agent.card();
                    let (agent, name) = (card.id.clone(), card.name.clone());
                    let chunk = ToolChunk::Inner { agent, name, event: Box::new(event) };
                    return Some((Ok(chunk), Phase::Hear { events, fold }));
                }
                Some(Err(error)) => return Some((Err(error), Phase::Over)),
                None if fold.finish == Some(Finish::Waiting) => phase = Phase::Ask(self.refuse(&fold)),
                None => return Some((said(&fold), Phase::Over)),
            }
        }
    }

    /// What to answer an agent that waits: nobody is there who could decide.
    fn refuse(&mut self, waiting: &Msg) -> Input {
        const WHY: &str = "nobody can approve a tool call of an agent that works for another one";
        self.refusals += 1;
        if self.refusals > REFUSALS {
            return Input::Abort;
        }
        let asking = waiting.open_calls().filter(|call| call.state == CallState::Asking);
        let decisions: Vec<_> = asking.map(|call| Decision::deny(call.id.clone()).note(WHY)).collect();
        if !decisions.is_empty() {
            return Input::Decisions(decisions);
        }
        let outside = waiting.open_calls().map(|call| {
            ToolResult::new(
                call.id.clone(),
                call.name.clone(),
                ToolState::Error,
                vec![ContentBlock::text(WHY)],
            )
        });
        Input::Results(outside.collect())
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
