//! One reply: ask, read, tell what is wrong, and say what was read.

use super::{Config, DictDialogAgent};
use crate::{
    ParseError, ParseFault,
    answer::{Asked, Blocks, Silence},
    identity::is_own_reply,
    onion,
};
use agentscope_core::{
    ContentBlock, Context, Error, ErrorKind, EventKind, EventSink, Extra, Finish, FinishReason, ModelDelta,
    ModelRequest, Msg, Opened, Queued, Result, Turn, View,
};
use serde_json::{Value, json};
use std::sync::Arc;

/// One reply at work.
struct Work {
    config: Arc<Config>,
    cx: Context,
    turn: Turn,
    /// Answers that could not be read, each with what the model is told of it. They end with the reply.
    failed: Vec<Arc<Msg>>,
    silence: Silence,
}

pub(super) async fn drive(config: Arc<Config>, queued: Queued, cx: Context, sink: EventSink) -> Result<()> {
    if let Some(schema) = &queued.request().output_schema {
        let wrong = |wrong| Error::new(ErrorKind::InvalidInput, format!("structured output: {wrong}"));
        config.validators.ready(schema).map_err(wrong)?;
    }
    let turn = match queued.open(&config.identity.card.name, 0, &cx, sink).await? {
        Opened::Turn(turn) => turn,
        Opened::Aborted(turn) => return turn.end(Finish::Interrupted, None).await,
        Opened::Left => return Ok(()),
    };
    let mut work = Work { config, cx, turn, failed: Vec::new(), silence: Silence::default() };
    let outcome = work.answer().await;
    let Work { config, cx, mut turn, .. } = work;
    let failed = match outcome {
        Ok(Some(answer)) => {
            say(&config, &mut turn, &answer);
            None
        }
        Ok(None) => None,
        Err(error) => Some(error).filter(|_| !cx.interrupt().is_triggered()),
    };
    if !config.use_memory {
        turn.forget();
    }
    let (finish, error) = match failed {
        Some(error) => (Finish::Failed((&error).into()), Some(error)),
        None => turn.finish_of(&cx, Finish::Completed),
    };
    turn.end(finish, error).await
}

impl Work {
    /// What the model answers, read; `None` if it was interrupted.
    async fn answer(&mut self) -> Result<Option<Value>> {
        let mut attempt = 1;
        loop {
            let Some((answer, finish_reason)) = self.ask(attempt).await? else { return Ok(None) };
            if finish_reason == FinishReason::ContentFilter {
                let message = "the provider's content filter held the answer back";
                return Err(Error::new(ErrorKind::Refused, message));
            }
            let error = match self.read(&answer, &finish_reason) {
                Ok(value) => return Ok(Some(value)),
                Err(error) => error,
            };
            let value = json!({"attempt": attempt, "error": error.to_string()});
            self.turn.emit(EventKind::Custom { name: "parse_failed".into(), value });
            if attempt > self.config.max_retries {
                return self.give_up(&answer, error, attempt).map(Some);
            }
            let told = format!(
                "<system-hint>Your answer could not be read: {error}. Answer again, in the form that is asked for.</system-hint>"
            );
            let name = self.config.identity.card.name.clone();
            self.failed.extend([Arc::new(Msg::assistant(name, answer)), Arc::new(Msg::user(told))]);
            self.turn.commit().await?; // what it cost
            attempt += 1;
        }
    }

    /// One answer of the model, in words.
    async fn ask(&mut self, attempt: u32) -> Result<Option<(String, FinishReason)>> {
        self.turn.hear();
        let request = self.request();
        let Config { model, layers, model_timeout, .. } = &*self.config;
        let model_name = &model.card().name;
        self.turn.emit(EventKind::ModelStart { model: model_name.clone() });
        let stream = onion::ask(layers, model, request, self.cx.clone());
        let mut thoughts = Blocks::after(&self.turn);
        let mut answer = String::new();
        let mut last_block = None;
        let put = |turn: &mut Turn, delta| match delta {
            ModelDelta::Text { block, delta } => {
                if last_block.replace(block).is_some_and(|last| last != block) {
                    answer.push('\n');
                }
                answer.push_str(&delta);
                let value = json!({"attempt": attempt, "delta": delta});
                turn.emit(EventKind::Custom { name: "draft".into(), value });
            }
            ModelDelta::Thinking { .. } | ModelDelta::Extra { .. } => thoughts.put(turn, delta),
            _ => {} // it has no tools, and says nothing but words
        };
        let mut asked = Asked { model: model_name, limit: *model_timeout, silence: &mut self.silence };
        let finish_reason = asked.take_in(stream, &mut self.turn, &self.cx, put).await?;
        Ok(finish_reason.map(|reason| (answer, reason)))
    }

    fn request(&self) -> ModelRequest {
        let Config { identity, prompt, layers, parser, use_memory, .. } = &*self.config;
        let name = &identity.card.name;
        let state = self.turn.state();
        let mut messages = Vec::with_capacity(state.context.len() + self.failed.len() + 4);
        let mut prompt = prompt.clone();
        if !layers.is_empty() {
            let view: View = state.view();
            prompt = layers.iter().fold(prompt, |prompt, layer| layer.system_prompt(&view, prompt));
        }
        if !prompt.is_empty() {
            messages.push(Arc::new(Msg::system(prompt)));
        }
        if !state.summary.is_empty() {
            let text = format!(
                "<system-info>Here is a summary of your previous work\n{}</system-info>",
                state.summary
            );
            messages.push(Arc::new(Msg::user(text)));
        }
        for msg in state.said() {
            if !is_own_reply(msg, name) {
                messages.push(Arc::clone(msg));
            } else if *use_memory {
                messages.extend(remembered(msg));
            }
        }
        messages.extend(self.failed.iter().cloned());
        messages.push(Arc::new(Msg::system(parser.format_instruction())));
        let mut request = ModelRequest::new(messages);
        request.speaker = name.clone();
        request.options = self.config.options.clone();
        request
    }

    fn read(&self, answer: &str, finish_reason: &FinishReason) -> Result<Value, ParseError> {
        if *finish_reason == FinishReason::Length {
            // What was cut may still be readable, and mean something else.
            let message = "it was cut by the limit of tokens: write less".to_owned();
            return Err(ParseError::of(ParseFault::Cut, message, answer));
        }
        let value = self.config.parser.parse(answer)?;
        if let Some(schema) = self.turn.open().and_then(|open| open.output_schema.as_ref()) {
            let wrong = |wrong| {
                ParseError::of(
                    ParseFault::Schema,
                    format!("it does not fit the schema that was asked for: {wrong}"),
                    answer,
                )
            };
            self.config.validators.check(schema, &asked_for(&value, schema)).map_err(wrong)?;
        }
        Ok(value)
    }

    /// Nobody could make the model answer as it has to.
    fn give_up(&self, answer: &str, error: ParseError, attempts: u32) -> Result<Value> {
        if let Some(decide) = &self.config.fault_handler {
            return decide(answer, &error);
        }
        let message = format!(
            "`{}` gave no answer that can be read, and was asked {attempts} times: the last time, {error}; allow more tries by              `.max_retries(..)`, or decide by `.fault_handler(..)`",
            self.config.identity.card.name
        );
        Err(Error::new(ErrorKind::Refused, message).with_source(error))
    }
}

/// An own message as its agent remembers it, if it remembers anything of it.
fn remembered(msg: &Arc<Msg>) -> Option<Arc<Msg>> {
    let marked = msg.content.iter().find_map(|block| match block {
        ContentBlock::Thinking { thinking, extra } => {
            extra.get(DictDialogAgent::REMEMBERED).map(|_| thinking.clone())
        }
        _ => None,
    });
    match marked {
        None => Some(Arc::clone(msg)),
        Some(text) if text.is_empty() => None,
        Some(text) => Some(Arc::new(Msg::assistant(msg.name.clone(), text))),
    }
}

/// The fields that a schema names, of an object.
fn asked_for(value: &Value, schema: &Value) -> Value {
    match (value, schema.get("properties").and_then(Value::as_object)) {
        (Value::Object(fields), Some(named)) => {
            let named = fields.iter().filter(|(name, _)| named.contains_key(*name));
            named.map(|(name, value)| (name.clone(), value.clone())).collect()
        }
        _ => value.clone(),
    }
}

fn say(config: &Config, turn: &mut Turn, answer: &Value) {
    let filter = config.parser.filter();
    let (said, kept) = (filter.content.select(answer), filter.memory.select(answer));
    if said != kept {
        let mut extra = Extra::default();
        extra.set(DictDialogAgent::REMEMBERED, true);
        let thinking = kept.as_ref().map(in_words).unwrap_or_default();
        turn.emit(EventKind::Block { block: ContentBlock::Thinking { thinking, extra } });
    }
    let words = said.as_ref().map(in_words).unwrap_or_default();
    if !words.is_empty() {
        turn.emit(EventKind::Block { block: ContentBlock::text(words) });
    }
    let schema = turn.open().and_then(|open| open.output_schema.clone());
    let output = match schema {
        Some(schema) => Some(asked_for(answer, &schema)),
        None => said.filter(|value| !value.is_string()),
    };
    if let Some(value) = output {
        turn.emit(EventKind::Output { value });
    }
    turn.set_metadata(filter.metadata.fields(answer));
}

/// A text as it is, all else as JSON.
fn in_words(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}
