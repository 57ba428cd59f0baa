//! Asking the model, and taking in its answer piece by piece.

use super::{
    drive::Work,
    equip::Equipment,
    output::{Way, ask_for_words, finish_tool, native_schema},
};
use agentscope_core::{
    CallId, CallState, ContentBlock, Context, Error, ErrorKind, EventKind, FINISH_TOOL, FinishReason, Map,
    ModelDelta, ModelRequest, ModelStream, Msg, Next, Result, ToolCall, ToolChoice, ToolResult, ToolState,
    Usage,
};
use serde_json::Value;
use std::{
    future::{Future, poll_fn},
    pin::Pin,
    sync::Arc,
    task::{self, Poll, ready},
    time::Duration,
};
use tokio::{
    task::coop::consume_budget,
    time::{Instant, Sleep, sleep_until},
};

/// What the model is told whose rounds are used up.
const SUM_UP: &str = "<system-hint>You have failed to generate response within the maximum iterations. Now respond directly by \
                      summarizing the current situation.</system-hint>";

/// What the model is told whose answer was empty.
const EMPTY: &str = "<system-hint>Your answer was empty. Answer the user, or call a tool.</system-hint>";

/// Most calls of one identifier that are told apart by a number (8); further ones get another identifier.
const MOST_ALIKE: usize = 8;

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
        messages.extend(state.said().cloned());
        if sum_up {
            messages.push(Arc::new(Msg::user(SUM_UP)));
        }
        if let (Some(schema), Way::Words) = (&schema, self.output_way()) {
            messages.push(Arc::new(Msg::user(ask_for_words(schema))));
        }
        let mut request = ModelRequest::new(messages);
        request.speaker = self.config.card.name.clone();
        request.options = self.config.options.clone();
        self.choose_tools(&mut request, &equipment, schema.as_ref(), sum_up);

        self.turn.emit(EventKind::ModelStart { model: self.config.model.card().name.clone() });
        let answer = self.ask_model(request);
        let finish_reason = match self.take_in(answer).await? {
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

    fn ask_model(&self, request: ModelRequest) -> ModelStream {
        if self.config.layers.is_empty() {
            return self.config.model.call(request, self.cx.clone());
        }
        let model = Arc::clone(&self.config.model);
        let onion = Next::new(
            Arc::clone(&self.config.layers),
            |layer, req, cx, next| layer.on_model(req, cx, next),
            move |req, cx: Context| model.call(req, cx),
        );
        onion.run(request, self.cx.clone())
    }

    /// Why the answer ended; `None` if it was interrupted.
    async fn take_in(&mut self, mut answer: ModelStream) -> Result<Option<FinishReason>> {
        let stop = self.cx.interrupt().clone();
        let mut blocks = Blocks::new(self.turn.open().map_or(0, |open| open.msg.content.len()));
        let mut usage: Option<Usage> = None;
        let mut finish_reason = None;
        let limit = self.config.model_timeout;
        loop {
            consume_budget().await; // a model that is never pending must not keep the others of this thread waiting
            let mut waiting_since = None;
            let silence = &mut self.silence;
            let next = poll_fn(|task| {
                // To be interrupted wakes this task.
                if stop.is_triggered() {
                    return Poll::Ready(Ok(None));
                }
                match answer.as_mut().poll_next(task) {
                    Poll::Ready(delta) => Poll::Ready(Ok(Some(delta))),
                    Poll::Pending if stop.is_triggered() => Poll::Ready(Ok(None)),
                    Poll::Pending => {
                        let since = *waiting_since.get_or_insert_with(Instant::now);
                        silence.poll(since, limit, task).map(Err)
                    }
                }
            });
            let delta = match next.await {
                Ok(Some(Some(delta))) => Some(delta?),
                Ok(Some(None)) => break,
                Ok(None) => None,
                Err(()) => return Err(self.silent(limit)),
            };
            match delta {
                None => {
                    let end = EventKind::ModelEnd { usage, finish_reason: FinishReason::Interrupted };
                    self.turn.emit(end);
                    return Ok(None);
                }
                Some(ModelDelta::Usage(spent)) => usage = Some(spent),
                Some(ModelDelta::Finish { reason }) => finish_reason = Some(reason),
                Some(delta) => {
                    if let Some(event) = blocks.place(delta, |id| self.is_taken(id)) {
                        self.turn.emit(event);
                    }
                }
            }
        }
        let Some(finish_reason) = finish_reason else {
            let message = format!(
                "the answer of the model `{}` broke off: it ended without `ModelDelta::Finish`, so it is not known to be whole",
                self.config.model.card().name
            );
            return Err(Error::new(ErrorKind::Protocol, message));
        };
        self.turn.emit(EventKind::ModelEnd { usage, finish_reason: finish_reason.clone() });
        Ok(Some(finish_reason))
    }

    fn silent(&self, limit: Duration) -> Error {
        let name = &self.config.model.card().name;
        let message = format!(
            "the model `{name}` said nothing for {} s: try again, or allow more by `.model_timeout(..)`",
            limit.as_secs_f64()
        );
        Error::new(ErrorKind::Timeout, message)
    }

    /// Whether a call of this reply has this id already: some providers count anew in each answer.
    fn is_taken(&self, id: &str) -> bool {
        self.turn.open().is_some_and(|open| open.msg.calls().any(|call| *call.id == *id))
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

/// Goes off when a model says nothing for too long. One timer serves all calls of a reply: where it goes off too early, it is set
/// for the rest.
#[derive(Default)]
pub(super) struct Silence(Option<Pin<Box<Sleep>>>);

impl Silence {
    fn poll(&mut self, since: Instant, limit: Duration, task: &mut task::Context<'_>) -> Poll<()> {
        let Some(until) = since.checked_add(limit) else { return Poll::Pending }; // later than the clock can tell
        let timer = self.0.get_or_insert_with(|| Box::pin(sleep_until(until)));
        loop {
            ready!(timer.as_mut().poll(task));
            if timer.deadline() >= until {
                return Poll::Ready(());
            }
            timer.as_mut().reset(until);
        }
    }
}

/// Where the blocks of an answer stand in the reply.
struct Blocks {
    next: u32,
    known: Vec<Known>,
}

/// A block of an answer. A number that another kind of block has is a new block, because a model written by hand may number
/// words and calls apart.
struct Known {
    kind: Kind,
    /// Its number in the answer.
    number: u32,
    /// Its place in the reply.
    place: u32,
    /// The id, if it is a call.
    id: CallId,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Text,
    Thinking,
    Media,
    Call,
}

impl Blocks {
    fn new(content_len: usize) -> Self {
        Self { next: u32::try_from(content_len).unwrap_or(u32::MAX), known: Vec::new() }
    }

    fn place(&mut self, delta: ModelDelta, is_taken: impl Fn(&str) -> bool) -> Option<EventKind> {
        Some(match delta {
            ModelDelta::Text { delta, .. } | ModelDelta::Thinking { delta, .. } if delta.is_empty() => {
                return None;
            }
            ModelDelta::Text { block, delta } => {
                EventKind::TextDelta { block: self.at(Kind::Text, block), delta }
            }
            ModelDelta::Thinking { block, delta } => {
                EventKind::ThinkingDelta { block: self.at(Kind::Thinking, block), delta }
            }
            ModelDelta::Media { block, media_type, delta } => {
                EventKind::MediaDelta { block: self.at(Kind::Media, block), media_type, delta }
            }
            ModelDelta::Extra { block, key, value } => {
                let known = self.known.iter().rfind(|known| known.number == block)?;
                EventKind::Extra { block: known.place, key, value }
            }
            ModelDelta::ToolCall { block, id, name, delta } => {
                let (block, id) = self.call_at(block, id, is_taken);
                EventKind::ToolCallDelta { block, id, name, delta }
            }
            _ => return None,
        })
    }

    fn at(&mut self, kind: Kind, block: u32) -> u32 {
        self.enter(kind, block, CallId::default).0
    }

    fn call_at(&mut self, block: u32, id: CallId, is_taken: impl Fn(&str) -> bool) -> (u32, CallId) {
        self.enter(Kind::Call, block, || {
            if id.is_empty() {
                return CallId::random();
            }
            let mut unique = id.clone();
            let mut count = 2;
            while is_taken(&unique) {
                if count > MOST_ALIKE {
                    return CallId::random();
                }
                unique = CallId::from(format!("{id}_{count}"));
                count += 1;
            }
            unique
        })
    }

    /// Blocks mostly come one after the other: the last one is looked at first.
    fn enter(&mut self, kind: Kind, number: u32, id: impl FnOnce() -> CallId) -> (u32, CallId) {
        let is_it = |known: &&Known| (known.kind, known.number) == (kind, number);
        if let Some(known) = self.known.iter().rfind(is_it) {
            return (known.place, known.id.clone());
        }
        let (place, id) = (self.next, id());
        self.next += 1;
        self.known.push(Known { kind, number, place, id: id.clone() });
        (place, id)
    }
}
