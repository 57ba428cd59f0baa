//! What the server sends: an event of a stream, or a whole answer.

use crate::wire::{Count, Text, Words, index, object, or_default};
use serde::Deserialize;
use serde_json::Value;

/// An event of a stream, or a whole answer, whose fields stand in the same places as those of the message that a stream
/// begins with.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Event<'a> {
    #[serde(rename = "type", borrow)]
    pub(super) kind: Option<Text<'a>>,
    #[serde(deserialize_with = "index")]
    pub(super) index: Option<u32>,
    #[serde(borrow)]
    pub(super) message: Option<Box<Message<'a>>>,
    #[serde(borrow)]
    pub(super) content_block: Option<Block<'a>>,
    #[serde(borrow)]
    pub(super) delta: Option<Delta<'a>>,
    #[serde(deserialize_with = "object")]
    pub(super) usage: Option<Usage>,
    pub(super) error: Option<Value>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Message<'a> {
    #[serde(rename = "type", borrow)]
    pub(super) kind: Option<Text<'a>>,
    #[serde(borrow, deserialize_with = "or_default")]
    pub(super) content: Option<Vec<Block<'a>>>,
    #[serde(borrow)]
    pub(super) stop_reason: Option<Text<'a>>,
    #[serde(deserialize_with = "object")]
    pub(super) stop_details: Option<StopDetails>,
    #[serde(deserialize_with = "object")]
    pub(super) usage: Option<Usage>,
    pub(super) error: Option<Value>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Block<'a> {
    #[serde(rename = "type", borrow)]
    pub(super) kind: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) text: Words<'a>,
    #[serde(borrow)]
    pub(super) thinking: Words<'a>,
    #[serde(borrow)]
    pub(super) signature: Words<'a>,
    /// Of thoughts that are not shown.
    #[serde(borrow)]
    pub(super) data: Words<'a>,
    #[serde(borrow)]
    pub(super) id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) name: Option<Text<'a>>,
    pub(super) input: Option<Value>,
}

/// What is added to a block, or to the message.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Delta<'a> {
    #[serde(rename = "type", borrow)]
    pub(super) kind: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) text: Words<'a>,
    #[serde(borrow)]
    pub(super) thinking: Words<'a>,
    #[serde(borrow)]
    pub(super) signature: Words<'a>,
    #[serde(borrow)]
    pub(super) partial_json: Words<'a>,
    #[serde(borrow)]
    pub(super) stop_reason: Option<Text<'a>>,
    #[serde(deserialize_with = "object")]
    pub(super) stop_details: Option<StopDetails>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct StopDetails {
    pub(super) explanation: Option<Value>,
}

/// Sums so far: a later one replaces an earlier one, field by field.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Usage {
    pub(super) input_tokens: Count,
    pub(super) cache_creation_input_tokens: Count,
    pub(super) cache_read_input_tokens: Count,
    pub(super) output_tokens: Count,
    #[serde(deserialize_with = "object")]
    pub(super) output_tokens_details: Option<OutputDetails>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct OutputDetails {
    pub(super) thinking_tokens: Count,
}
