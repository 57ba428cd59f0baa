//! What comes next: a pure function of the state. No input, no output, no clock, no `async`.

use crate::{
    message::{CallState, ContentBlock, Finish, Msg, ToolCall},
    state::AgentState,
};

/// What comes next in a reply.
///
/// ```
/// use agentscope_core::{AgentState, Finish, Step};
/// assert_eq!(Step::of(&AgentState::default()), Step::End(Finish::Completed), "nothing was asked");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Ask the model.
    Reason,
    /// Ask whether these calls may run.
    Check(Vec<ToolCall>),
    /// Run these calls.
    Act(Vec<ToolCall>),
    /// These calls were running when the process died: run them again, or close them.
    Recover(Vec<ToolCall>),
    /// Somebody outside has to answer about these calls.
    Wait(Vec<ToolCall>),
    /// The reply is over.
    End(Finish),
}

impl Step {
    /// What comes next, by all that matters: the open reply, the state of each of its calls, the rounds that are used up, the
    /// output that was asked for.
    pub fn of(state: &AgentState) -> Self {
        let Some(open) = &state.open else { return Self::End(Finish::Completed) };
        if open.msg.open_calls().next().is_some() {
            let steps: [(CallState, fn(Vec<ToolCall>) -> Step); 3] = [
                (CallState::Started, Self::Recover),
                (CallState::Pending, Self::Check),
                (CallState::Allowed, Self::Act),
            ];
            for (wanted, step) in steps {
                let found: Vec<ToolCall> =
                    open.msg.open_calls().filter(|call| call.state == wanted).cloned().collect();
                if !found.is_empty() {
                    return step(found);
                }
            }
            return Self::Wait(open.msg.open_calls().cloned().collect());
        }
        let wants_output = open.output_schema.is_some() && open.msg.output.is_none();
        if !wants_output && (open.output_schema.is_some() || has_spoken(&open.msg)) {
            let summarized = open.max_iters > 0 && open.iters > open.max_iters;
            return Self::End(if summarized { Finish::ExceedMaxIters } else { Finish::Completed });
        }
        if open.max_iters > 0 && open.iters > open.max_iters {
            return Self::End(Finish::ExceedMaxIters);
        }
        Self::Reason
    }
}

/// Whether the reply's last word is the agent's own. A thought after it changes nothing: some models send its signature last.
fn has_spoken(msg: &Msg) -> bool {
    match msg.content.iter().rfind(|block| !matches!(block, ContentBlock::Thinking { .. })) {
        Some(ContentBlock::ToolResult(_) | ContentBlock::Hint { .. } | ContentBlock::Heard(_)) | None => {
            false
        }
        Some(_) => true,
    }
}

#[cfg(test)]
mod tests;
