//! How many tokens a request has: exactly where the tokenizer is known and built in, and a good estimate elsewhere.
//!
//! With the feature `tiktoken`, the models of OpenAI are counted with their own tokenizers, by the rules of OpenAI's cookbook for what
//! a message and a tool cost beside their words. All other models, and these without the feature, get the
//! [estimate](agentscope_core::estimate_tokens) for their words. Images are counted by what each family says that they cost.
//!
//! [`ChatModel::estimate_tokens`](agentscope_core::ChatModel::estimate_tokens) of the models of this crate is [`estimate`], and
//! [`ChatModel::count_tokens`](agentscope_core::ChatModel::count_tokens) has the provider count where it does (Anthropic, Gemini and
//! the Responses API of OpenAI), and is [`count`] elsewhere.
//!
//! ```
//! use agentscope_core::{ModelRequest, Msg};
//! use agentscope_model::tokens;
//!
//! let request = ModelRequest::new([Msg::user("The quick brown fox jumps over the lazy dog.")]);
//! assert!((12..=20).contains(&tokens::estimate("gpt-4o", &request)));
//! assert_eq!(tokens::image_tokens("gpt-4o", (1024, 1024), tokens::Detail::High), 765);
//! ```

mod family;
mod image;
#[cfg(feature = "tiktoken")]
mod openai;

pub(crate) use image::image_type;
pub use image::{Detail, image_size, image_tokens};

use agentscope_core::{ContentBlock, Media, ModelRequest, Result, estimate_tokens};
use family::Family;
use image::{detail_of, size_of};
use serde_json::Value;

/// What a message costs beside its words, where nobody says.
const MESSAGE: u64 = 4;

/// What a call or a result costs beside its words.
const CALL: u64 = 8;

/// Seconds of sound or film that are assumed where nobody knows how long it is, times what a second costs (32 and 258 tokens).
const SOUND: u64 = 10 * 32;
const FILM: u64 = 10 * 258;

/// How many tokens a document is assumed to have.
const FILE: u64 = 2000;

/// Most bytes of a request whose tokens are counted at once (16 KiB); more are counted on a thread of their own.
#[cfg(feature = "tiktoken")]
const AT_ONCE: usize = 16 << 10;

/// How many tokens a request to `model` has, roughly and at once: a pass over its bytes.
pub fn estimate(model: &str, req: &ModelRequest) -> u64 {
    let family = Family::of(model);
    let messages = req.messages.iter().map(|msg| MESSAGE + blocks(family, model, &msg.content)).sum::<u64>();
    let tools = req.tools.iter().map(|tool| {
        // Providers write a schema to the model in a shorter form.
        let schema = estimate_tokens(&tool.input_schema.to_string());
        estimate_tokens(&tool.name) + estimate_tokens(&tool.description) + 4 * schema / 5
    });
    let tools = tools.sum::<u64>();
    let schema = req.output_schema.as_ref().map_or(0, |schema| estimate_tokens(&schema.to_string()));
    messages + tools + schema
}

/// How many tokens a request to `model` has, as exactly as can be known here. What takes long is counted on a thread of its own.
///
/// # Errors
/// [`agentscope_core::ErrorKind::Internal`] if the count fails, which nothing in a request makes it do.
pub async fn count(model: &str, req: &ModelRequest) -> Result<u64> {
    #[cfg(feature = "tiktoken")]
    if let Some(counter) = openai::Counter::of(model) {
        if counter.is_loaded() && words(req) <= AT_ONCE {
            return Ok(counter.count(req));
        }
        let req = req.clone(); // messages and tools are shared
        return tokio::task::spawn_blocking(move || counter.count(&req)).await.map_err(|error| {
            let message = "counting the tokens of a request failed";
            agentscope_core::Error::new(agentscope_core::ErrorKind::Internal, message).with_source(error)
        });
    }
    Ok(estimate(model, req))
}

/// How many tokens a text has for `model`: exactly with the feature `tiktoken` and a model of OpenAI, else an estimate.
///
/// ```
/// let tokens = agentscope_model::tokens::count_text("gpt-4o", "The quick brown fox jumps over the lazy dog.");
/// assert!((9..=12).contains(&tokens));
/// ```
pub fn count_text(model: &str, text: &str) -> u64 {
    #[cfg(feature = "tiktoken")]
    if let Some(counter) = openai::Counter::of(model) {
        return counter.text(text);
    }
    let _ = model;
    estimate_tokens(text)
}

/// Bytes of the words of a request, roughly.
#[cfg(feature = "tiktoken")]
fn words(req: &ModelRequest) -> usize {
    fn of(blocks: &[ContentBlock]) -> usize {
        let lengths = blocks.iter().map(|block| match block {
            ContentBlock::Text { text, .. } | ContentBlock::Hint { text, .. } => text.len(),
            ContentBlock::ToolCall(call) => call.input.len(),
            ContentBlock::ToolResult(result) => of(&result.output),
            ContentBlock::Heard(msg) => of(&msg.content),
            _ => 0,
        });
        lengths.sum()
    }
    req.messages.iter().map(|msg| of(&msg.content)).sum::<usize>() + 512 * req.tools.len()
}

fn blocks(family: Family, model: &str, content: &[ContentBlock]) -> u64 {
    let tokens = content.iter().map(|block| match block {
        ContentBlock::Text { text, .. } | ContentBlock::Hint { text, .. } => estimate_tokens(text),
        // What was thought goes back to few.
        ContentBlock::Thinking { thinking, .. } if family.keeps_thoughts() => estimate_tokens(thinking),
        ContentBlock::ToolCall(call) => estimate_tokens(&call.name) + estimate_tokens(&call.input) + CALL,
        ContentBlock::ToolResult(result) => blocks(family, model, &result.output) + CALL,
        ContentBlock::Heard(msg) => blocks(family, model, &msg.content) + MESSAGE,
        block => media(model, block),
    });
    tokens.sum()
}

/// What a picture, sound, film or file costs.
fn media(model: &str, block: &ContentBlock) -> u64 {
    match block {
        ContentBlock::Image(image) => picture(model, image),
        ContentBlock::Audio(_) => SOUND,
        ContentBlock::Video(_) => FILM,
        ContentBlock::File(_) => FILE,
        _ => 0,
    }
}

fn picture(model: &str, image: &Media) -> u64 {
    let detail = detail_of(image.extra.get("detail").and_then(Value::as_str));
    image_tokens(model, size_of(image), detail)
}
