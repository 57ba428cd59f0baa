//! What the server sends: an event of a stream, or a whole answer.

use crate::wire::{Count, Text, Words, index, object, or_default};
use serde::Deserialize;
use serde_json::Value;

/// An event of a stream.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Event<'a> {
    #[serde(rename = "type", borrow)]
    pub(super) kind: Option<Text<'a>>,
    #[serde(deserialize_with = "index")]
    pub(super) output_index: Option<u32>,
    #[serde(deserialize_with = "index")]
    pub(super) summary_index: Option<u32>,
    #[serde(borrow)]
    pub(super) delta: Words<'a>,
    #[serde(borrow)]
    pub(super) arguments: Words<'a>,
    #[serde(borrow)]
    pub(super) item: Option<Item<'a>>,
    #[serde(borrow)]
    pub(super) response: Option<Box<Response<'a>>>,
    pub(super) error: Option<Value>,
}

/// A whole answer, or what is known of it.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Response<'a> {
    #[serde(borrow)]
    pub(super) status: Option<Text<'a>>,
    #[serde(borrow, deserialize_with = "or_default")]
    pub(super) output: Option<Vec<Item<'a>>>,
    #[serde(deserialize_with = "object")]
    pub(super) incomplete_details: Option<Details>,
    #[serde(deserialize_with = "object")]
    pub(super) usage: Option<WireUsage>,
    pub(super) error: Option<Value>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Item<'a> {
    #[serde(rename = "type", borrow)]
    pub(super) kind: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) call_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) arguments: Words<'a>,
    #[serde(borrow, deserialize_with = "or_default")]
    pub(super) content: Vec<Part<'a>>,
    #[serde(borrow, deserialize_with = "or_default")]
    pub(super) summary: Vec<Part<'a>>,
    #[serde(borrow)]
    pub(super) encrypted_content: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) phase: Option<Text<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Part<'a> {
    #[serde(rename = "type", borrow)]
    pub(super) kind: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) text: Words<'a>,
    #[serde(borrow)]
    pub(super) refusal: Words<'a>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Details {
    pub(super) reason: Option<Value>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct WireUsage {
    pub(super) input_tokens: Count,
    pub(super) output_tokens: Count,
    #[serde(deserialize_with = "object")]
    pub(super) input_tokens_details: Option<InputDetails>,
    #[serde(deserialize_with = "object")]
    pub(super) output_tokens_details: Option<OutputDetails>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct InputDetails {
    pub(super) cached_tokens: Count,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct OutputDetails {
    pub(super) reasoning_tokens: Count,
}
