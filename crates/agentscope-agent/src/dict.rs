//! The agent that answers in a form which a program can read.

mod place;
mod work;

pub use place::DictDialogConfig;

use crate::{
    MarkdownJsonDictParser, ParseError, Parser,
    answer::MODEL_TIMEOUT,
    identity::{Identity, conversation},
    onion::{self, Layers},
    schema::Validators,
};
use agentscope_core::{
    Agent, AgentCard, Audience, BoxFuture, ChatModel, Context, EventStream, Mailbox, Middleware,
    ModelOptions, Msg, Name, ReplyRequest, Result,
};
use serde_json::Value;
use std::{sync::Arc, time::Duration};

/// How often a model is told what is wrong with its answer.
const MAX_RETRIES: u32 = 3;

/// An agent whose model answers in a form that a [`Parser`] reads, as AgentScope 0.x has it. Of what was read, some is said, some
/// remembered, some put into the metadata: a player may keep its thoughts to itself and still know them in the next round.
///
/// An answer that cannot be read goes back to the model with what is wrong with it, up to [`max_retries`](Self::max_retries) times
/// within the reply; then [`fault_handler`](Self::fault_handler) decides, or the reply fails with
/// [`agentscope_core::ErrorKind::Refused`] and the [`ParseError`] as its source.
///
/// * *Said* is [`Filter::content`](crate::Filter): a text as it is, all else as JSON, which is also the message's `output`.
/// * *Remembered* is [`Filter::memory`](crate::Filter). Where that differs from what is said, it stands in the message as a thought
///   with the field [`REMEMBERED`](Self::REMEMBERED), so that it is saved with the reply and never leaves the agent. The model is
///   shown it as what the agent said.
/// * A request for structured output gets those fields that its schema names, and the answer is held to that schema too.
/// * While the model answers, its words are seen as events [`agentscope_core::EventKind::Custom`] called `draft`
///   (`{"attempt": 1, "delta": ".."}`), and a failed try as one called `parse_failed` (`{"attempt": 1, "error": ".."}`). Neither stays:
///   in later requests a failed try would cost tokens and teach the wrong form. Its tokens are counted.
///
/// One agent can be asked in different forms: a clone with another parser is the same agent in the same conversation.
///
/// ```
/// use agentscope_agent::{DictDialogAgent, MarkdownJsonDictParser};
/// use agentscope_core::{AgentExt, ScriptedModel, testing::say};
/// use serde_json::json;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let model = ScriptedModel::new([
///     say("I vote for Eve."), // is told what is wrong with it
///     say("```json\n{\"thought\": \"She blinked.\", \"speak\": \"It is Eve.\"}\n```"),
///     say("```json\n{\"vote\": \"Eve\"}\n```"),
/// ]);
/// let discussion = MarkdownJsonDictParser::new()
///     .content_hint(json!({"thought": "what you think", "speak": "what you say"}))
///     .keys_to_content("speak");
/// let bob = DictDialogAgent::new("Bob", model.clone()).prompt("You are a villager.").parser(discussion);
/// assert_eq!(bob.reply("Who is the wolf?").await?.text(), "It is Eve.");
///
/// let vote = MarkdownJsonDictParser::new().required_keys(["vote"]);
/// let voted = bob.clone().parser(vote).reply("Vote.").await?;
/// assert_eq!(voted.output, Some(json!({"vote": "Eve"})));
/// let seen = format!("{:?}", model.requests()[2].messages);
/// assert!(seen.contains("She blinked.") && !seen.contains("I vote for Eve."));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct DictDialogAgent {
    config: Arc<Config>,
    mailbox: Mailbox,
}

type Decide = dyn Fn(&str, &ParseError) -> Result<Value> + Send + Sync;

/// What all conversations of an agent share.
#[derive(Clone)]
struct Config {
    identity: Identity,
    prompt: String,
    model: Arc<dyn ChatModel>,
    options: ModelOptions,
    parser: Arc<dyn Parser>,
    max_retries: u32,
    fault_handler: Option<Arc<Decide>>,
    use_memory: bool,
    model_timeout: Duration,
    layers: Layers,
    validators: Arc<Validators>,
}

impl DictDialogAgent {
    /// The field of a [thought](agentscope_core::ContentBlock::Thinking) that holds what the agent remembers in place of what it said.
    pub const REMEMBERED: &'static str = "remembered";

    /// An agent called `name` whose `model` answers in JSON objects; [`parser`](Self::parser) says which.
    pub fn new(name: impl Into<Name>, model: impl ChatModel) -> Self {
        let config = Config {
            identity: Identity::new(name),
            prompt: String::new(),
            model: Arc::new(model),
            options: ModelOptions::default(),
            parser: Arc::new(MarkdownJsonDictParser::new()),
            max_retries: MAX_RETRIES,
            fault_handler: None,
            use_memory: true,
            model_timeout: MODEL_TIMEOUT,
            layers: Arc::new([]),
            validators: Arc::default(),
        };
        Self { config: Arc::new(config), mailbox: Mailbox::new() }
    }

    /// Who it is and how it shall behave: the system prompt.
    #[must_use]
    pub fn prompt(self, prompt: impl Into<String>) -> Self {
        self.with(|config| config.prompt = prompt.into())
    }

    /// In which form it answers: the `set_parser` of AgentScope 0.x.
    #[must_use]
    pub fn parser(self, parser: impl Parser) -> Self {
        self.with(|config| config.parser = Arc::new(parser))
    }

    /// How often the model is told what is wrong with its answer (3), before the fault handler decides.
    #[must_use]
    pub fn max_retries(self, max_retries: u32) -> Self {
        self.with(|config| config.max_retries = max_retries)
    }

    /// Decides what an answer means that cannot be read: it is given the last one, and what is wrong with it. What it gives is taken as
    /// if the parser had read it; an error of its own is how the reply fails.
    #[must_use]
    pub fn fault_handler(
        self,
        decide: impl Fn(&str, &ParseError) -> Result<Value> + Send + Sync + 'static,
    ) -> Self {
        self.with(|config| config.fault_handler = Some(Arc::new(decide)))
    }

    /// How the model shall answer.
    #[must_use]
    pub fn options(self, options: ModelOptions) -> Self {
        self.with(|config| config.options = options)
    }

    /// Whether it remembers what was said before (it does). One that does not answers only what it heard since its last reply.
    #[must_use]
    pub fn use_memory(self, use_memory: bool) -> Self {
        self.with(|config| config.use_memory = use_memory)
    }

    /// How long the model may say nothing, before or within an answer (10 min); then the reply fails with
    /// [`agentscope_core::ErrorKind::Timeout`].
    #[must_use]
    pub fn model_timeout(self, limit: Duration) -> Self {
        self.with(|config| config.model_timeout = limit)
    }

    /// Puts a middleware around its replies and its model, inside those that were added before.
    #[must_use]
    pub fn layer(self, layer: impl Middleware) -> Self {
        let layer: Arc<dyn Middleware> = Arc::new(layer);
        self.with(|config| config.layers = config.layers.iter().cloned().chain([layer]).collect())
    }

    fn with(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(Arc::make_mut(&mut self.config));
        self
    }

    fn in_mailbox(&self, mailbox: Mailbox) -> Self {
        Self { config: Arc::clone(&self.config), mailbox }
    }
}

conversation!(DictDialogAgent, "agent");

impl Agent for DictDialogAgent {
    fn card(&self) -> &AgentCard {
        &self.config.identity.card
    }

    fn call(&self, req: ReplyRequest, cx: Context) -> EventStream {
        let cx = match cx.enter(&self.config.identity.card.id, &self.mailbox.session()) {
            Ok(cx) => cx,
            Err(error) => return EventStream::fail(error),
        };
        let this = self.clone();
        onion::reply(&self.config.layers, req, cx, move |req, cx| {
            let this = this.clone();
            EventStream::spawn(cx, move |sink, cx| {
                let queued = this.mailbox.queue(req);
                work::drive(this.config, queued, cx, sink)
            })
        })
    }

    fn observe(&self, msgs: Vec<Arc<Msg>>) -> BoxFuture<'static, Result<()>> {
        self.mailbox.observe(msgs)
    }

    fn audience(&self) -> Option<Audience> {
        Some(self.mailbox.audience())
    }
}
