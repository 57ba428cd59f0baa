//! What servers send: a chunk of a stream, or a whole answer.

use crate::wire::{Content, Count, Text, Words, index, list, object, or_default};
use serde::Deserialize;
use serde_json::Value;

/// A chunk of a stream, or a whole answer.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct Chunk<'a> {
    #[serde(borrow, deserialize_with = "list")]
    pub(crate) choices: Vec<Choice<'a>>,
    #[serde(deserialize_with = "object")]
    pub(crate) usage: Option<WireUsage>,
    /// In OpenAI's own errors an object, elsewhere a text.
    pub(crate) error: Option<Value>,
    /// vLLM says `error` here.
    #[serde(borrow)]
    pub(crate) object: Option<Text<'a>>,
    /// The text of an error that stands alone.
    pub(crate) message: Option<Value>,
    pub(crate) detail: Option<Value>,
    /// MiniMax says here how it went, in each chunk; 0 is well.
    pub(crate) base_resp: Option<Value>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct Choice<'a> {
    #[serde(deserialize_with = "index")]
    pub(crate) index: Option<u32>,
    #[serde(borrow)]
    pub(crate) delta: Option<Delta<'a>>,
    /// Of a whole answer; Perplexity also sends one beside each delta, with all words so far.
    #[serde(borrow)]
    pub(crate) message: Option<Delta<'a>>,
    #[serde(borrow)]
    pub(crate) finish_reason: Option<Text<'a>>,
    /// Moonshot tells it here.
    #[serde(deserialize_with = "object")]
    pub(crate) usage: Option<WireUsage>,
    /// OpenRouter tells here what went wrong.
    pub(crate) error: Option<Value>,
}

impl<'a> Choice<'a> {
    /// Words alone.
    pub(crate) fn of_text(content: Content<'a>, finish_reason: Option<Text<'a>>) -> Self {
        Self { delta: Some(Delta { content, ..Delta::default() }), finish_reason, ..Self::default() }
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct Delta<'a> {
    #[serde(borrow)]
    pub(crate) content: Content<'a>,
    #[serde(borrow)]
    pub(crate) reasoning_content: Words<'a>,
    /// As vLLM, Ollama and OpenRouter call it.
    #[serde(borrow)]
    pub(crate) reasoning: Words<'a>,
    #[serde(borrow)]
    pub(crate) refusal: Words<'a>,
    #[serde(borrow, deserialize_with = "list")]
    pub(crate) tool_calls: Vec<CallDelta<'a>>,
    #[serde(borrow)]
    pub(crate) audio: Option<AudioDelta<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct CallDelta<'a> {
    #[serde(deserialize_with = "index")]
    pub(crate) index: Option<u32>,
    #[serde(borrow)]
    pub(crate) id: Option<Text<'a>>,
    #[serde(borrow, deserialize_with = "or_default")]
    pub(crate) function: FunctionDelta<'a>,
    /// Gemini's signature of its thoughts, which it wants back.
    pub(crate) extra_content: Option<Value>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct FunctionDelta<'a> {
    #[serde(borrow)]
    pub(crate) name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) arguments: Words<'a>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct AudioDelta<'a> {
    #[serde(borrow)]
    pub(crate) id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) data: Words<'a>,
    #[serde(borrow)]
    pub(crate) transcript: Words<'a>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct WireUsage {
    pub(crate) prompt_tokens: Count,
    pub(crate) completion_tokens: Count,
    pub(crate) total_tokens: Count,
    #[serde(deserialize_with = "object")]
    pub(crate) prompt_tokens_details: Option<InputDetails>,
    #[serde(deserialize_with = "object")]
    pub(crate) completion_tokens_details: Option<OutputDetails>,
    /// As DeepSeek calls it.
    pub(crate) prompt_cache_hit_tokens: Count,
    /// As Moonshot calls it.
    pub(crate) cached_tokens: Count,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct InputDetails {
    pub(crate) cached_tokens: Count,
    /// As OpenRouter calls what was written to the cache.
    pub(crate) cache_write_tokens: Count,
    /// As Alibaba calls it.
    pub(crate) cache_creation_input_tokens: Count,
}

impl InputDetails {
    /// Tokens that were written to the cache.
    pub(crate) fn written(&self) -> u64 {
        self.cache_write_tokens.0.or(self.cache_creation_input_tokens.0).unwrap_or_default()
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct OutputDetails {
    pub(crate) reasoning_tokens: Count,
}
