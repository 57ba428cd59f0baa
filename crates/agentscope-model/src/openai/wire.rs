//! What servers send: a chunk of a stream, or a whole answer.

use crate::wire::{Content, Count, Text, Words, object, or_default};
use serde::Deserialize;
use serde_json::Value;

/// A chunk of a stream, or a whole answer.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Chunk<'a> {
    #[serde(borrow, deserialize_with = "or_default")]
    pub(super) choices: Vec<Choice<'a>>,
    #[serde(deserialize_with = "object")]
    pub(super) usage: Option<WireUsage>,
    /// In OpenAI's own errors an object, elsewhere a text.
    pub(super) error: Option<Value>,
    /// vLLM says `error` here.
    #[serde(borrow)]
    pub(super) object: Option<Text<'a>>,
    /// The text of an error that stands alone.
    pub(super) message: Option<Value>,
    pub(super) detail: Option<Value>,
    /// MiniMax says here how it went, in each chunk; 0 is well.
    pub(super) base_resp: Option<Value>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Choice<'a> {
    pub(super) index: Option<u32>,
    #[serde(borrow)]
    pub(super) delta: Option<Delta<'a>>,
    /// Of a whole answer; Perplexity also sends one beside each delta, with all words so far.
    #[serde(borrow)]
    pub(super) message: Option<Delta<'a>>,
    #[serde(borrow)]
    pub(super) finish_reason: Option<Text<'a>>,
    /// Moonshot tells it here.
    #[serde(deserialize_with = "object")]
    pub(super) usage: Option<WireUsage>,
    /// OpenRouter tells here what went wrong.
    pub(super) error: Option<Value>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Delta<'a> {
    #[serde(borrow)]
    pub(super) content: Content<'a>,
    #[serde(borrow)]
    pub(super) reasoning_content: Words<'a>,
    /// As vLLM, Ollama and OpenRouter call it.
    #[serde(borrow)]
    pub(super) reasoning: Words<'a>,
    #[serde(borrow)]
    pub(super) refusal: Words<'a>,
    #[serde(borrow, deserialize_with = "or_default")]
    pub(super) tool_calls: Vec<CallDelta<'a>>,
    #[serde(borrow)]
    pub(super) audio: Option<AudioDelta<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct CallDelta<'a> {
    pub(super) index: Option<u32>,
    #[serde(borrow)]
    pub(super) id: Option<Text<'a>>,
    #[serde(borrow, deserialize_with = "or_default")]
    pub(super) function: FunctionDelta<'a>,
    /// Gemini's signature of its thoughts, which it wants back.
    pub(super) extra_content: Option<Value>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct FunctionDelta<'a> {
    #[serde(borrow)]
    pub(super) name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) arguments: Words<'a>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct AudioDelta<'a> {
    pub(super) id: Option<String>,
    #[serde(borrow)]
    pub(super) data: Words<'a>,
    #[serde(borrow)]
    pub(super) transcript: Words<'a>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct WireUsage {
    pub(super) prompt_tokens: Count,
    pub(super) completion_tokens: Count,
    #[serde(deserialize_with = "object")]
    pub(super) prompt_tokens_details: Option<InputDetails>,
    #[serde(deserialize_with = "object")]
    pub(super) completion_tokens_details: Option<OutputDetails>,
    /// As DeepSeek calls it.
    pub(super) prompt_cache_hit_tokens: Count,
    /// As Moonshot calls it.
    pub(super) cached_tokens: Count,
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
