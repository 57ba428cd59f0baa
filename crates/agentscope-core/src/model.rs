//! Models: what turns a conversation into the next thing to say or to do.

mod price;

pub use price::{Currency, LongPrice, Price};

use crate::{
    context::Context,
    error::Result,
    id::{CallId, Name},
    message::{ContentBlock, Extra, Map, Msg, Usage},
    tokens::{Estimate, estimate_tokens},
    tool::ToolSpec,
};
use futures_core::{Stream, future::BoxFuture};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{future::Future, pin::Pin, sync::Arc};

/// Something that answers a conversation: a provider, a local model, a rule.
///
/// ```
/// use agentscope_core::{ChatModel, Context, ModelCard, ModelDelta, ModelRequest, Msg, model_fn};
/// use futures_util::StreamExt;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let model = model_fn(ModelCard::new("yes"), |_| async { Ok("Yes.") });
/// let mut answer = model.call(ModelRequest::new([Msg::user("Is it?")]), Context::new());
/// assert_eq!(answer.next().await.unwrap()?, ModelDelta::text("Yes."));
/// # Ok(()) }
/// ```
pub trait ChatModel: Send + Sync + 'static {
    /// What it is and what it can.
    fn card(&self) -> &ModelCard;

    /// Answers. Nothing happens before the stream is polled; dropping it stops the work.
    fn call(&self, req: ModelRequest, cx: Context) -> ModelStream;

    /// How many tokens the request has, roughly and at once: the words by [`estimate_tokens`](crate::estimate_tokens), a thousand
    /// tokens an image.
    fn estimate_tokens(&self, req: &ModelRequest) -> u64 {
        let messages = req.messages.iter().map(|msg| estimate(&msg.content) + 4).sum::<u64>();
        messages + req.tools.iter().map(|tool| estimate_tool(tool)).sum::<u64>()
    }

    /// How many tokens the request has, as the provider counts them where it does.
    fn count_tokens<'a>(&'a self, req: &'a ModelRequest) -> BoxFuture<'a, Result<u64>> {
        Box::pin(async move { Ok(self.estimate_tokens(req)) })
    }
}

fn estimate(blocks: &[ContentBlock]) -> u64 {
    let tokens = blocks.iter().map(|block| match block {
        ContentBlock::Text { text, .. } | ContentBlock::Hint { text, .. } => estimate_tokens(text),
        ContentBlock::Thinking { thinking, .. } => estimate_tokens(thinking),
        ContentBlock::ToolCall(call) => estimate_tokens(&call.name) + estimate_tokens(&call.input) + 8,
        ContentBlock::ToolResult(result) => estimate(&result.output) + 8,
        ContentBlock::Heard(msg) => estimate(&msg.content),
        ContentBlock::Other(_) => 0,
        _ => 1000,
    });
    tokens.sum()
}

/// A schema costs less than its JSON: providers write it to the model in a shorter form.
fn estimate_tool(tool: &ToolSpec) -> u64 {
    let mut schema = Estimate::default();
    // It is counted and written nowhere, which cannot fail.
    drop(serde_json::to_writer(&mut schema, &tool.input_schema));
    estimate_tokens(&tool.name) + estimate_tokens(&tool.description) + 4 * schema.tokens() / 5
}

/// What a model is and can.
///
/// ```
/// let card = agentscope_core::ModelCard::new("qwen3").context_size(32_768);
/// assert_eq!(card.name, "qwen3");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ModelCard {
    /// What the provider calls it.
    pub name: Name,
    /// The line of configuration that gives this model, such as `openai:gpt-4o`; empty where there is none.
    pub spec: String,
    /// Tokens that fit into a request and its answer; `0` where nobody knows.
    pub context_size: u64,
    /// Media types that it takes beside text, such as `image/*`.
    pub input_types: Vec<String>,
    /// Media types that it gives beside text.
    pub output_types: Vec<String>,
    /// Whether it can call tools.
    pub tools: bool,
    /// Whether it can be held to a JSON schema by itself.
    pub output_schema: bool,
    /// What a million tokens cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<Price>,
    /// Further fields.
    #[serde(flatten)]
    pub extra: Extra,
}

impl ModelCard {
    /// A model that calls tools and takes text.
    pub fn new(name: impl Into<Name>) -> Self {
        Self { name: name.into(), tools: true, ..Self::default() }
    }

    /// So many tokens fit into a request and its answer.
    #[must_use]
    pub fn context_size(mut self, tokens: u64) -> Self {
        self.context_size = tokens;
        self
    }

    /// It can be held to a JSON schema by itself, so that structured output needs no tool.
    #[must_use]
    pub fn native_output_schema(mut self) -> Self {
        self.output_schema = true;
        self
    }
}

/// What a model is asked.
///
/// ```
/// use agentscope_core::{ModelRequest, Msg};
///
/// let request = ModelRequest::new([Msg::system("Be brief."), Msg::user("hi")]);
/// assert_eq!(request.messages.len(), 2);
/// ```
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ModelRequest {
    /// The conversation, oldest first.
    pub messages: Vec<Arc<Msg>>,
    /// Who shall answer. An assistant message of another name was said by someone else.
    pub speaker: Name,
    /// The tools that may be called.
    pub tools: Arc<[Arc<ToolSpec>]>,
    /// Whether a tool must be called.
    pub tool_choice: ToolChoice,
    /// The JSON schema that the answer has to obey; only for models whose card says that they can.
    pub output_schema: Option<Arc<Value>>,
    /// How to answer.
    pub options: ModelOptions,
}

impl ModelRequest {
    /// Asks for an answer to `messages`.
    pub fn new(messages: impl IntoIterator<Item = impl Into<Arc<Msg>>>) -> Self {
        Self { messages: messages.into_iter().map(Into::into).collect(), ..Self::default() }
    }
}

/// Whether a tool must be called.
///
/// ```
/// use agentscope_core::ToolChoice;
/// assert_eq!(serde_json::to_string(&ToolChoice::Tool("weather".into()))?, r#"{"tool":"weather"}"#);
/// # Ok::<_, serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ToolChoice {
    /// As the model likes.
    #[default]
    Auto,
    /// None.
    None,
    /// At least one.
    Required,
    /// This one.
    Tool(Name),
}

/// How to answer; what is `None` is left to the provider.
///
/// ```
/// use agentscope_core::ModelOptions;
/// assert_eq!(ModelOptions::default().temperature, None);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ModelOptions {
    /// Most tokens to write.
    pub max_tokens: Option<u64>,
    /// From 0, always the likeliest, upwards.
    pub temperature: Option<f64>,
    /// Draw from the likeliest tokens that make up this share.
    pub top_p: Option<f64>,
    /// Texts before which to stop.
    pub stop: Vec<String>,
    /// Draw the same again.
    pub seed: Option<u64>,
    /// How the words of several speakers are written down.
    pub transcript: Transcript,
    /// Fields for this provider alone, put into the request body as they are.
    pub extra: Map,
}

/// How a conversation of several speakers is written for a provider that knows only a user and an assistant.
///
/// ```
/// use agentscope_core::{ModelOptions, Transcript};
/// assert_eq!(ModelOptions::default().transcript, Transcript::Auto);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Transcript {
    /// As one text with names where there are several speakers, else as turns.
    #[default]
    Auto,
    /// Always as turns.
    Never,
    /// Always as one text with names.
    Always,
}

/// A piece of a model's answer. Blocks are numbered from 0 in the order in which they begin.
///
/// ```
/// use agentscope_core::ModelDelta;
/// assert_eq!(ModelDelta::text("hi"), ModelDelta::Text { block: 0, delta: "hi".into() });
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum ModelDelta {
    /// More words.
    Text {
        /// The block's number in this answer.
        block: u32,
        /// What is added.
        delta: String,
    },
    /// More thoughts.
    Thinking {
        /// The block's number in this answer.
        block: u32,
        /// What is added.
        delta: String,
    },
    /// More of a tool call.
    ToolCall {
        /// The block's number in this answer.
        block: u32,
        /// Which call, the same in each delta; empty where the provider gives none.
        id: CallId,
        /// Which tool, the same in each delta.
        name: Name,
        /// What is added to the arguments.
        delta: String,
    },
    /// More of a picture, sound or film.
    Media {
        /// The block's number in this answer.
        block: u32,
        /// Such as `audio/wav`.
        media_type: String,
        /// Base64, a multiple of four characters.
        delta: String,
    },
    /// A further field of a block, such as a signature that has to be sent back.
    Extra {
        /// The block's number in this answer.
        block: u32,
        /// The field.
        key: String,
        /// Its value.
        value: Value,
    },
    /// Tokens spent so far; a later one replaces it.
    Usage(Usage),
    /// Why the answer ends. Each answer has one; without it, it is taken for one that broke off.
    Finish {
        /// The reason.
        reason: FinishReason,
    },
}

impl ModelDelta {
    /// Words of the first block.
    pub fn text(delta: impl Into<String>) -> Self {
        Self::Text { block: 0, delta: delta.into() }
    }

    /// A whole tool call.
    pub fn tool_call(
        block: u32,
        id: impl Into<CallId>,
        name: impl Into<Name>,
        input: impl Into<String>,
    ) -> Self {
        Self::ToolCall { block, id: id.into(), name: name.into(), delta: input.into() }
    }
}

/// Why a model stopped.
///
/// ```
/// use agentscope_core::FinishReason;
///
/// let odd: FinishReason = serde_json::from_str(r#""recitation""#)?;
/// assert_eq!(odd, FinishReason::Other("recitation".into()));
/// # Ok::<_, serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FinishReason {
    /// It had no more to say, or called tools.
    #[default]
    Stop,
    /// It reached the limit of tokens: its last block is cut.
    Length,
    /// The provider held something back.
    ContentFilter,
    /// It was interrupted.
    Interrupted,
    /// Another reason.
    #[serde(untagged)]
    Other(Name),
}

/// The pieces of a model's answer, as they come.
pub type ModelStream = Pin<Box<dyn Stream<Item = Result<ModelDelta>> + Send>>;

/// Your own model, for rules and tests: a function from a request to what it says.
///
/// ```
/// use agentscope_core::{ChatModel, ModelCard, ModelRequest, model_fn};
///
/// let parrot = model_fn(ModelCard::new("parrot"), |req: ModelRequest| async move {
///     Ok(req.messages.last().map(|msg| msg.text()).unwrap_or_default())
/// });
/// assert_eq!(parrot.card().name, "parrot");
/// ```
pub fn model_fn<F, Fut, Out>(card: ModelCard, answer: F) -> impl ChatModel + Clone
where
    F: Fn(ModelRequest) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Out>> + Send + 'static,
    Out: IntoAnswer + 'static,
{
    let answer = Arc::new(answer);
    let answer = move |req| -> ModelStream {
        let answer = Arc::clone(&answer);
        let deltas = async move {
            match answer(req).await {
                Ok(answer) => ended(answer.into_answer()).into_iter().map(Ok).collect(),
                Err(error) => vec![Err(error)],
            }
        };
        Box::pin(crate::stream::later(deltas))
    };
    FnModel { card: Arc::new(card), answer: Arc::new(answer) }
}

/// The pieces with an end, where none of them is one.
fn ended(mut deltas: Vec<ModelDelta>) -> Vec<ModelDelta> {
    if !deltas.iter().any(|delta| matches!(delta, ModelDelta::Finish { .. })) {
        deltas.push(ModelDelta::Finish { reason: FinishReason::Stop });
    }
    deltas
}

/// What a [`model_fn`] may return: words, or pieces. Pieces without a [`ModelDelta::Finish`] end as [`FinishReason::Stop`].
///
/// ```
/// use agentscope_core::{IntoAnswer, ModelDelta};
/// assert_eq!("hi".into_answer(), [ModelDelta::text("hi")]);
/// ```
pub trait IntoAnswer: Send {
    /// The pieces.
    fn into_answer(self) -> Vec<ModelDelta>;
}

impl IntoAnswer for String {
    fn into_answer(self) -> Vec<ModelDelta> {
        vec![ModelDelta::text(self)]
    }
}

impl IntoAnswer for &str {
    fn into_answer(self) -> Vec<ModelDelta> {
        vec![ModelDelta::text(self)]
    }
}

impl IntoAnswer for ModelDelta {
    fn into_answer(self) -> Vec<ModelDelta> {
        vec![self]
    }
}

impl IntoAnswer for Vec<ModelDelta> {
    fn into_answer(self) -> Vec<ModelDelta> {
        self
    }
}

#[derive(Clone)]
struct FnModel {
    card: Arc<ModelCard>,
    answer: Arc<dyn Fn(ModelRequest) -> ModelStream + Send + Sync>,
}

impl ChatModel for FnModel {
    fn card(&self) -> &ModelCard {
        &self.card
    }
    fn call(&self, req: ModelRequest, _: Context) -> ModelStream {
        (self.answer)(req)
    }
}

impl<M: ChatModel + ?Sized> ChatModel for Arc<M> {
    fn card(&self) -> &ModelCard {
        (**self).card()
    }
    fn call(&self, req: ModelRequest, cx: Context) -> ModelStream {
        (**self).call(req, cx)
    }
    fn estimate_tokens(&self, req: &ModelRequest) -> u64 {
        (**self).estimate_tokens(req)
    }
    fn count_tokens<'a>(&'a self, req: &'a ModelRequest) -> BoxFuture<'a, Result<u64>> {
        (**self).count_tokens(req)
    }
}
