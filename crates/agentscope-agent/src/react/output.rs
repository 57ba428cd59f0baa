//! Structured output: by the model's own way where it has one, else by a tool that it has to call or, where it calls none, by
//! words that are asked for.

use super::drive::Work;
use crate::repair::repaired;
use agentscope_core::{
    ContentBlock, EventKind, FINISH_TOOL, Result, ToolCall, ToolResult, ToolSpec, ToolState,
};
use serde_json::{Value, json};
use std::sync::Arc;

/// The field that carries output which is no object.
const VALUE: &str = "value";

/// What the model is told who answers in words only.
const USE_THE_TOOL: &str = "<system-hint>Structured output is required: go on to finish your task, or call \
                            'generate_response' with the output.</system-hint>";

/// How a model gives structured output.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Way {
    /// Its provider holds it to the schema.
    Native,
    /// It calls a tool with the output as arguments.
    Tool,
    /// It is asked for JSON, and told what is wrong with what it says.
    Words,
}

/// What the model is told that can only be asked for JSON.
pub(super) fn ask_for_words(schema: &Value) -> String {
    format!(
        "<system-hint>Give your final answer as JSON alone, without any other words, that fits this JSON schema:\n{schema}</system-hint>"
    )
}

/// The tool that a model calls to give structured output by `schema`.
pub(super) fn finish_tool(schema: &Value) -> ToolSpec {
    let description = "Gives your final answer to the user's request. Call it once, when the task is done.";
    ToolSpec::new(FINISH_TOOL, description, as_object(schema))
}

fn is_object(schema: &Value) -> bool {
    schema.get("type").is_some_and(|kind| kind == "object")
}

/// The schema of an object, as tools have to have one; output that is none becomes its only field.
fn as_object(schema: &Value) -> Value {
    if is_object(schema) {
        return schema.clone();
    }
    let mut inner = schema.clone();
    let definitions = inner.as_object_mut().and_then(|fields| fields.remove("$defs"));
    let mut object = json!({"type": "object", "properties": {VALUE: inner}, "required": [VALUE]});
    if let (Some(definitions), Some(fields)) = (definitions, object.as_object_mut()) {
        fields.insert("$defs".into(), definitions);
    }
    object
}

/// The schema for a provider that holds a model to it, and only to objects.
pub(super) fn native_schema(schema: &Arc<Value>) -> Arc<Value> {
    if is_object(schema) { Arc::clone(schema) } else { Arc::new(as_object(schema)) }
}

/// What a model says that was given [`native_schema`].
fn unwrapped(value: Value, schema: &Value) -> Value {
    match value {
        Value::Object(mut fields) if !is_object(schema) && fields.len() == 1 => {
            fields.remove(VALUE).unwrap_or(Value::Object(fields))
        }
        value => value,
    }
}

impl Work {
    pub(super) fn output_schema(&self) -> Option<Arc<Value>> {
        self.turn.open().and_then(|open| open.output_schema.clone())
    }

    pub(super) fn output_way(&self) -> Way {
        let card = self.config.model.card();
        match (card.output_schema, card.tools) {
            (true, _) => Way::Native,
            (false, true) => Way::Tool,
            (false, false) => Way::Words,
        }
    }

    /// After a thought without calls: takes the words as the output, or tells the model what is missing.
    pub(super) fn settle_output(&mut self, schema: &Arc<Value>) {
        if self.output_way() == Way::Tool {
            self.turn.emit(EventKind::Hint { text: USE_THE_TOOL.to_owned() });
            return;
        }
        let is_thought = |block: &&ContentBlock| matches!(block, ContentBlock::Thinking { .. });
        let last =
            self.turn.open().and_then(|open| open.msg.content.iter().rfind(|block| !is_thought(block)));
        let Some(ContentBlock::Text { text, .. }) = last else { return };
        let is_native = self.output_way() == Way::Native;
        let parsed = repaired(text).map_err(|error| format!("it is no JSON: {error}"));
        let parsed = parsed.map(|value| if is_native { unwrapped(value, schema) } else { value });
        match parsed.and_then(|value| self.config.validators.check(schema, &value).map(|()| value)) {
            Ok(value) => self.turn.emit(EventKind::Output { value }),
            Err(wrong) => {
                let text = format!(
                    "<system-hint>Your answer does not fit the schema: {wrong}. Answer again with JSON alone.</system-hint>"
                );
                self.turn.emit(EventKind::Hint { text });
            }
        }
    }

    /// The model called the tool that ends the reply.
    pub(super) fn finish(&mut self, call: &ToolCall, schema: &Arc<Value>) -> Result<()> {
        let wrong = |wrong: &dyn std::fmt::Display| {
            format!("Arguments Validation Error: {wrong}. Call it again with right ones.")
        };
        let taken = match call.arguments() {
            Err(error) => Err(wrong(&format_args!("the arguments are no JSON object: {error}"))),
            Ok(mut fields) => {
                let value = if is_object(schema) {
                    Value::Object(fields)
                } else {
                    fields.remove(VALUE).unwrap_or_default()
                };
                self.config.validators.check(schema, &value).map(|()| value).map_err(|error| wrong(&error))
            }
        };
        let (state, text) = match taken {
            Ok(value) => {
                self.turn.emit(EventKind::Output { value });
                (ToolState::Success, "Successfully generated response.".to_owned())
            }
            Err(text) => (ToolState::Error, text),
        };
        let output = vec![ContentBlock::text(text)];
        self.turn.emit(EventKind::ToolResult(ToolResult::new(
            call.id.clone(),
            call.name.clone(),
            state,
            output,
        )));
        Ok(())
    }
}
