//! Asking the model, and taking in its answer piece by piece.

use super::{
    drive::Work,
    equip::Equipment,
    output::{Way, ask_for_words, finish_tool, native_schema},
};
use crate::{
    answer::{Asked, Blocks},
    identity::is_own_reply,
    onion,
};
use agentscope_core::{
    CallState, ContentBlock, Error, ErrorKind, EventKind, FINISH_TOOL, FinishReason, Map, ModelRequest, Msg,
    Result, ToolCall, ToolChoice, ToolResult, ToolState, Turn,
};
use serde_json::Value;
use std::sync::Arc;

/// What the model is told whose rounds are used up.
const SUM_UP: &str = "<system-hint>You have failed to generate response within the maximum iterations. Now respond directly by \
                      summarizing the current situation.</system-hint>";

/// What the model is told whose answer was empty.
const EMPTY: &str = "<system-hint>Your answer was empty. Answer the user, or call a tool.</system-hint>";

impl Work {
    /// One call of the model. An interrupt ends it early and is no error.
    pub(super) async fn reason(&mut self) -> Result<()> {
        self.turn.hear();
        let equipment = self.equip_anew().await?;
        let Some(open) = self.turn.open() else { return Ok(()) };
        let sum_up = open.max_iters > 0 && open.iters >= open.max_iters;
        let schema = self.output_schema();

        let state = self.turn.state();
        let mut messages: Vec<Arc<Msg>> = Vec::with_capacity(state.context.len() + 4);
        messages.extend(equipment.prompt.clone());
        if !state.summary.is_empty() {
            let text = format!(
                "<system-info>Here is a summary of your previous work\n{}</system-info>",
                state.summary
            );
            messages.push(Arc::new(Msg::user(text)));
        }
        let name = &self.config.identity.card.name;
        let remembers = |msg: &&Arc<Msg>| self.config.use_memory || !is_own_reply(msg, name);
        messages.extend(state.said().filter(remembers).cloned());
        if sum_up {
            messages.push(Arc::new(Msg::user(SUM_UP)));
        }
        if let (Some(schema), Way::Words) = (&schema, self.output_way()) {
            messages.push(Arc::new(Msg::user(ask_for_words(schema))));
        }
        let mut request = ModelRequest::new(messages);
        request.speaker = self.config.identity.card.name.clone();
        request.options = self.config.options.clone();
        self.choose_tools(&mut request, &equipment, schema.as_ref(), sum_up);

        self.turn.emit(EventKind::ModelStart { model: self.config.model.card().name.clone() });
        let answer = onion::ask(&self.config.layers, &self.config.model, request, self.cx.clone());
        let mut blocks = Blocks::after(&self.turn);
        let put = |turn: &mut Turn, delta| blocks.put(turn, delta);
        let (model, limit) = (&self.config.model.card().name, self.config.model_timeout);
        let mut asked = Asked { model, limit, silence: &mut self.silence };
        let finish_reason = match asked.take_in(answer, &mut self.turn, &self.cx, put).await? {
            Some(finish_reason) => finish_reason,
            None => return Ok(()), // interrupted
        };
        self.settle(finish_reason, schema.as_ref(), sum_up)
    }

    fn choose_tools(
        &self,
        request: &mut ModelRequest,
        equipment: &Equipment,
        schema: Option<&Arc<Value>>,
        sum_up: bool,
    ) {
        request.tools = Arc::clone(&equipment.specs);
        match schema {
            None if sum_up => request.tool_choice = ToolChoice::None,
            None => {}
            Some(schema) if self.output_way() != Way::Tool => {
                if self.output_way() == Way::Native {
                    request.output_schema = Some(native_schema(schema));
                }
                if sum_up {
                    request.tool_choice = ToolChoice::None;
                }
            }
            Some(schema) => {
                let finish = Arc::new(finish_tool(schema));
                request.tools = equipment.specs.iter().cloned().chain([finish]).collect();
                request.tool_choice =
                    if sum_up { ToolChoice::Tool(FINISH_TOOL.into()) } else { ToolChoice::Required };
            }
        }
    }

    /// What follows from an answer that ended.
    fn settle(
        &mut self,
        finish_reason: FinishReason,
        schema: Option<&Arc<Value>>,
        sum_up: bool,
    ) -> Result<()> {
        let Some(open) = self.turn.open() else { return Ok(()) };
        let content = &open.msg.content;
        // Thoughts alone are no answer.
        let last = content.iter().rfind(|block| !matches!(block, ContentBlock::Thinking { .. }));
        let said_nothing = matches!(
            last,
            Some(ContentBlock::ToolResult(_) | ContentBlock::Hint { .. } | ContentBlock::Heard(_)) | None
        );
        if said_nothing {
            let asked_before = matches!(last, Some(ContentBlock::Hint { text, .. }) if text == EMPTY);
            if finish_reason == FinishReason::ContentFilter {
                return Err(Error::new(
                    ErrorKind::Refused,
                    "the provider's content filter held the answer back",
                ));
            }
            if asked_before || sum_up {
                let message =
                    format!("the model `{}` gave an empty answer twice", self.config.model.card().name);
                return Err(Error::new(ErrorKind::Protocol, message));
            }
            self.turn.emit(EventKind::Hint { text: EMPTY.to_owned() });
            return Ok(());
        }
        if finish_reason == FinishReason::Stop && !sum_up && schema.is_none() {
            return Ok(());
        }
        let pending = open.msg.open_calls().filter(|call| call.state == CallState::Pending);
        let calls: Vec<ToolCall> = pending.cloned().collect();
        if finish_reason != FinishReason::Stop {
            let reason = serde_json::to_value(&finish_reason)?;
            self.turn.set_metadata(Map::from_iter([("finish_reason".to_owned(), reason)]));
        }
        if let (FinishReason::Length, Some(cut)) = (&finish_reason, calls.last())
            && cut.arguments().is_err()
        {
            let text = "Error: the arguments were cut by the limit of tokens, so the tool was not run. Use shorter arguments, or \
                        several calls.";
            self.refuse(cut, text);
        }
        if sum_up {
            for call in calls.iter().filter(|call| schema.is_none() || call.name != FINISH_TOOL) {
                self.refuse(
                    call,
                    "Error: the tool was not run, because the rounds of this reply are used up.",
                );
            }
        }
        if let (Some(schema), true) = (schema, calls.is_empty()) {
            self.settle_output(schema);
        }
        Ok(())
    }

    /// Closes a call that is not run, with what the model is told of it.
    pub(super) fn refuse(&mut self, call: &ToolCall, text: impl Into<String>) {
        let output = vec![ContentBlock::text(text)];
        let result = ToolResult::new(call.id.clone(), call.name.clone(), ToolState::Error, output);
        self.turn.emit(EventKind::ToolResult(result));
    }
}
