//! What Ollama sends: a line of a stream, or a whole answer.

use crate::wire::{Count, Text, Words, flag, or_default};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Chunk<'a> {
    #[serde(borrow)]
    pub(super) message: Option<Message<'a>>,
    #[serde(deserialize_with = "flag")]
    pub(super) done: bool,
    #[serde(borrow)]
    pub(super) done_reason: Option<Text<'a>>,
    /// What came from the cache is among them, and is not told apart.
    pub(super) prompt_eval_count: Count,
    /// Thoughts are among them.
    pub(super) eval_count: Count,
    pub(super) error: Option<Value>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Message<'a> {
    #[serde(borrow)]
    pub(super) content: Words<'a>,
    #[serde(borrow)]
    pub(super) thinking: Words<'a>,
    /// As servers that only speak alike call it.
    #[serde(borrow)]
    pub(super) reasoning_content: Words<'a>,
    #[serde(borrow, deserialize_with = "or_default")]
    pub(super) tool_calls: Vec<Call<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Call<'a> {
    /// Not in earlier versions.
    #[serde(borrow)]
    pub(super) id: Option<Text<'a>>,
    #[serde(borrow, deserialize_with = "or_default")]
    pub(super) function: Called<'a>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Called<'a> {
    #[serde(borrow)]
    pub(super) name: Option<Text<'a>>,
    /// An object; read as its JSON.
    #[serde(borrow)]
    pub(super) arguments: Words<'a>,
}
