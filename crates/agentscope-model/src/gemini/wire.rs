//! What Gemini sends: a chunk of a stream, or a whole answer.

use crate::wire::{Count, Text, Words, flag, object, or_default};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Chunk<'a> {
    #[serde(borrow, deserialize_with = "or_default")]
    pub(super) candidates: Vec<Candidate<'a>>,
    #[serde(deserialize_with = "object")]
    pub(super) usage_metadata: Option<WireUsage>,
    #[serde(deserialize_with = "object")]
    pub(super) prompt_feedback: Option<PromptFeedback>,
    pub(super) error: Option<Value>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Candidate<'a> {
    pub(super) index: Count,
    #[serde(borrow)]
    pub(super) content: Option<Content<'a>>,
    #[serde(borrow)]
    pub(super) finish_reason: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) finish_message: Words<'a>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Content<'a> {
    #[serde(borrow, deserialize_with = "or_default")]
    pub(super) parts: Vec<Part<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Part<'a> {
    #[serde(borrow)]
    pub(super) text: Words<'a>,
    #[serde(deserialize_with = "flag")]
    pub(super) thought: bool,
    #[serde(borrow)]
    pub(super) thought_signature: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) function_call: Option<Called<'a>>,
    #[serde(borrow)]
    pub(super) inline_data: Option<Blob<'a>>,
    #[serde(borrow)]
    pub(super) executable_code: Option<Code<'a>>,
    #[serde(borrow)]
    pub(super) code_execution_result: Option<Outcome<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Called<'a> {
    #[serde(borrow)]
    pub(super) id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) name: Option<Text<'a>>,
    /// An object; read as its JSON.
    #[serde(borrow)]
    pub(super) args: Words<'a>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Blob<'a> {
    #[serde(borrow)]
    pub(super) mime_type: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) data: Words<'a>,
}

/// A program that Gemini runs itself.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Code<'a> {
    #[serde(borrow)]
    pub(super) language: Words<'a>,
    #[serde(borrow)]
    pub(super) code: Words<'a>,
}

/// What that program has written.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Outcome<'a> {
    #[serde(borrow)]
    pub(super) output: Words<'a>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct PromptFeedback {
    pub(super) block_reason: Option<Value>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct WireUsage {
    /// What came from the cache is among them.
    pub(super) prompt_token_count: Count,
    pub(super) cached_content_token_count: Count,
    /// Without the thoughts.
    pub(super) candidates_token_count: Count,
    pub(super) thoughts_token_count: Count,
    /// What Gemini's own tools have put before the model.
    pub(super) tool_use_prompt_token_count: Count,
}
