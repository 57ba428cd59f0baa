//! One agent at work for another, or for a pipeline.

use agentscope_core::{
    Agent, CallState, ContentBlock, Context, Decision, Event, EventStream, Finish, Input, Msg, ReplyRequest,
    Result, ToolResult, ToolState,
};
use std::sync::Arc;

/// How often calls of the agent that ask are refused, before its reply is closed.
const REFUSALS: u32 = 8;

/// What an agent does for another one. Nothing is spawned: dropping this drops the agent's stream.
///
/// Where a tool of it asks for approval, nobody is there to answer, and the call is denied with that reason.
pub(crate) struct Errand {
    agent: Arc<dyn Agent>,
    cx: Context,
    refusals: u32,
    /// `None` when it is over.
    events: Option<EventStream>,
    msg: Option<Msg>,
}

impl Errand {
    pub(crate) fn new(agent: Arc<dyn Agent>, req: ReplyRequest, cx: Context) -> Self {
        let events = Some(agent.call(req, cx.clone()));
        Self { agent, cx, refusals: 0, events, msg: None }
    }

    pub(crate) fn agent(&self) -> &Arc<dyn Agent> {
        &self.agent
    }

    /// The next event; `None` when the [message](Self::into_msg) is there.
    ///
    /// # Errors
    /// Why the agent failed; it is over then.
    pub(crate) async fn next(&mut self) -> Option<Result<Event>> {
        loop {
            match self.events.as_mut()?.next().await {
                Some(Ok(event)) => return Some(Ok(event)),
                Some(Err(error)) => {
                    self.events = None;
                    return Some(Err(error));
                }
                None => match self.events.take()?.await {
                    Err(error) => return Some(Err(error)),
                    Ok(msg) if msg.finish == Some(Finish::Waiting) => {
                        let input = self.refuse(&msg);
                        self.events = Some(self.agent.call(input.into(), self.cx.clone()));
                    }
                    Ok(msg) => self.msg = Some(msg),
                },
            }
        }
    }

    /// What came of it, when there are no more events.
    pub(crate) fn into_msg(self) -> Option<Msg> {
        self.msg
    }

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
            let why = vec![ContentBlock::text(WHY)];
            ToolResult::new(call.id.clone(), call.name.clone(), ToolState::Error, why)
        });
        Input::Results(outside.collect())
    }
}
