//! The agent that draws.

use crate::{
    answer::MODEL_TIMEOUT,
    identity::{Identity, agent_config, conversation, found_by, is_own_reply},
    react::millis,
};
use agentscope_core::{
    Agent, AgentCard, AgentState, Audience, BoxFuture, ContentBlock, Context, Error, ErrorKind, EventKind,
    EventSink, EventStream, Finish, FinishReason, Host, ImageModel, ImageRequest, Images, Mailbox, Map,
    Media, Msg, Name, Opened, Place, Queued, ReplyRequest, Result, Turn, Usage,
};
use serde_json::Value;
use std::{sync::Arc, time::Duration};

/// An agent that draws what it is told: the words that it heard since its last reply are the prompt, and its reply is the pictures.
/// Pictures that it heard are what it starts from, if its model takes any.
///
/// ```
/// use agentscope_agent::TextToImageAgent;
/// use agentscope_core::{AgentExt, ContentBlock, Context, ImageModel, ImageRequest, Images, Media, ModelCard, Result};
///
/// /// Draws a dot, whatever it is told.
/// struct Dot(ModelCard);
///
/// #[async_trait::async_trait]
/// impl ImageModel for Dot {
///     fn card(&self) -> &ModelCard { &self.0 }
///     async fn generate(&self, req: ImageRequest, _: Context) -> Result<Images> {
///         Ok(Images::new((0..req.count).map(|_| Media::base64("image/png", "iVBORw0KGgo="))))
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
/// let painter = TextToImageAgent::new("Painter", Dot(ModelCard::new("dot"))).count(2);
/// let drawn = painter.reply("a dot").await?;
/// assert!(matches!(drawn.content.as_slice(), [ContentBlock::Image(_), ContentBlock::Image(_)]));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct TextToImageAgent {
    config: Arc<Config>,
    mailbox: Mailbox,
}

/// What all conversations of an agent share.
#[derive(Clone)]
struct Config {
    identity: Identity,
    prompt: String,
    model: Arc<dyn ImageModel>,
    size: Option<(u32, u32)>,
    count: u32,
    extra: Map,
    model_timeout: Duration,
}

impl TextToImageAgent {
    /// An agent called `name` that draws with `model`.
    pub fn new(name: impl Into<Name>, model: impl ImageModel) -> Self {
        let config = Config {
            identity: Identity::new(name),
            prompt: String::new(),
            model: Arc::new(model),
            size: None,
            count: 1,
            extra: Map::new(),
            model_timeout: MODEL_TIMEOUT,
        };
        Self { config: Arc::new(config), mailbox: Mailbox::new() }
    }

    /// What stands before all that it is told to draw, such as a style.
    #[must_use]
    pub fn prompt(self, prompt: impl Into<String>) -> Self {
        self.with(|config| config.prompt = prompt.into())
    }

    /// Width and height of its pictures in pixels; left to the provider where it is not given.
    #[must_use]
    pub fn size(self, width: u32, height: u32) -> Self {
        self.with(|config| config.size = Some((width, height)))
    }

    /// How many pictures it draws for each reply (1).
    #[must_use]
    pub fn count(self, count: u32) -> Self {
        self.with(|config| config.count = count.max(1))
    }

    /// A field for the provider of its model alone, such as `quality`.
    #[must_use]
    pub fn extra(self, field: impl Into<String>, value: impl Into<Value>) -> Self {
        self.with(|config| drop(config.extra.insert(field.into(), value.into())))
    }

    /// How long the model may take for the pictures of one reply (10 min); then the reply fails with [`ErrorKind::Timeout`].
    #[must_use]
    pub fn model_timeout(self, limit: Duration) -> Self {
        self.with(|config| config.model_timeout = limit)
    }

    fn with(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(Arc::make_mut(&mut self.config));
        self
    }

    fn in_mailbox(&self, mailbox: Mailbox) -> Self {
        Self { config: Arc::clone(&self.config), mailbox }
    }
}

conversation!(TextToImageAgent, "agent");

impl Agent for TextToImageAgent {
    fn card(&self) -> &AgentCard {
        &self.config.identity.card
    }

    fn call(&self, req: ReplyRequest, cx: Context) -> EventStream {
        match cx.enter(&self.config.identity.card.id, &self.mailbox.session()) {
            Err(error) => EventStream::fail(error),
            Ok(cx) => {
                let this = self.clone();
                EventStream::spawn(cx, move |sink, cx| {
                    let queued = this.mailbox.queue(req);
                    drive(this.config, queued, cx, sink)
                })
            }
        }
    }

    fn observe(&self, msgs: Vec<Arc<Msg>>) -> BoxFuture<'static, Result<()>> {
        self.mailbox.observe(msgs)
    }

    fn audience(&self) -> Option<Audience> {
        Some(self.mailbox.audience())
    }
}

async fn drive(config: Arc<Config>, queued: Queued, cx: Context, sink: EventSink) -> Result<()> {
    let mut turn = match queued.open(&config.identity.card.name, 0, &cx, sink).await? {
        Opened::Turn(turn) => turn,
        Opened::Aborted(turn) => return turn.end(Finish::Interrupted, None).await,
        Opened::Left => return Ok(()),
    };
    let drawn = match config.request(&turn) {
        Ok(request) => {
            turn.emit(EventKind::ModelStart { model: config.model.card().name.clone() });
            tokio::select! {
                biased;
                drawn = config.draw(request, &cx) => Some(drawn),
                () = cx.interrupt().triggered() => None,
            }
        }
        Err(error) => Some(Err(error)),
    };
    match drawn {
        Some(Ok(images)) => {
            let usage = (images.usage != Usage::default()).then_some(images.usage);
            turn.emit(EventKind::ModelEnd { usage, finish_reason: FinishReason::Stop });
            for block in images.into_blocks() {
                turn.emit(EventKind::Block { block });
            }
        }
        Some(Err(error)) if !cx.interrupt().is_triggered() => {
            return turn.end(Finish::Failed((&error).into()), Some(error)).await;
        }
        _ => {}
    }
    turn.forget(); // the pictures before are shown to nobody again
    let (finish, error) = turn.finish_of(&cx, Finish::Completed);
    turn.end(finish, error).await
}

impl Config {
    /// What the model is asked for: what was heard since the last reply.
    fn request(&self, turn: &Turn) -> Result<ImageRequest> {
        let name = &self.identity.card.name;
        let mut heard: Vec<_> =
            turn.state().messages().rev().take_while(|msg| !is_own_reply(msg, name)).collect();
        heard.reverse();
        let words: Vec<String> =
            heard.iter().map(|msg| msg.text()).filter(|text| !text.trim().is_empty()).collect();
        if words.is_empty() {
            let message = format!("`{name}` was not told what to draw: say it in words");
            return Err(Error::new(ErrorKind::InvalidInput, message));
        }
        let prompt = Some(&self.prompt).filter(|prompt| !prompt.is_empty());
        let words: Vec<&str> = prompt.into_iter().chain(&words).map(String::as_str).collect();
        let mut request = ImageRequest::new(words.join("\n")).count(self.count);
        request.size = self.size;
        request.extra = self.extra.clone();
        if self.model.card().input_types.iter().any(|kind| kind.starts_with("image/")) {
            let images = heard.iter().flat_map(|msg| &msg.content).filter_map(|block| match block {
                ContentBlock::Image(media) => Some(Media::clone(media)),
                _ => None,
            });
            request.images = images.collect();
        }
        Ok(request)
    }

    async fn draw(&self, request: ImageRequest, cx: &Context) -> Result<Images> {
        let limit = self.model_timeout;
        tokio::time::timeout(limit, self.model.generate(request, cx.clone())).await.unwrap_or_else(|_| {
            let message = format!(
                "the model `{}` drew nothing for {} s: try again, or allow more by `.model_timeout(..)`",
                self.model.card().name,
                limit.as_secs_f64()
            );
            Err(Error::new(ErrorKind::Timeout, message))
        })
    }
}

agent_config! {
    /// What a [`TextToImageAgent`] is made of, as data.
    ///
    /// ```
    /// use agentscope_agent::TextToImageConfig;
    ///
    /// let config: TextToImageConfig = serde_json::from_str(r#"{"name": "Painter", "model": "openai:gpt-image-2", "size": [1024, 1024]}"#)?;
    /// assert_eq!(config.size, Some((1024, 1024)));
    /// # Ok::<_, serde_json::Error>(())
    /// ```
    TextToImageConfig {
        required: {
            /// The model that draws, by name or spec.
            #[serde(alias = "model_config_name")]
            model: String,
        }
        optional: {
            /// What stands before all that it is told to draw.
            #[serde(alias = "sys_prompt")]
            prompt: String,
            /// Width and height in pixels.
            size: Option<(u32, u32)>,
            /// How many pictures it draws for each reply.
            count: Option<u32>,
            /// Fields for the provider alone.
            extra: Map,
            /// Milliseconds that the model may take.
            model_timeout_ms: Option<u64>,
        }
    }
}

impl Place for TextToImageAgent {
    const TYPE: &'static str = "TextToImageAgent";
    type Config = TextToImageConfig;

    fn config(&self) -> Result<TextToImageConfig> {
        let config = &*self.config;
        let card = &config.identity.card;
        Ok(TextToImageConfig {
            name: card.name.to_string(),
            id: Some(card.id.to_string()),
            description: card.description.clone(),
            limits: config.identity.limits,
            model: found_by(config.model.card()),
            prompt: config.prompt.clone(),
            size: config.size,
            count: Some(config.count),
            extra: config.extra.clone(),
            model_timeout_ms: Some(millis(config.model_timeout)),
        })
    }

    fn snapshot(&self) -> BoxFuture<'_, Result<AgentState>> {
        Box::pin(self.mailbox.snapshot())
    }

    fn create(config: TextToImageConfig, state: AgentState, host: Host) -> BoxFuture<'static, Result<Self>> {
        Box::pin(async move {
            let mut identity = config.identity();
            let mailbox = identity.taken_up(state, &host).await?;
            let agent = Self::new(config.name, host.find_image_model(&config.model)?).with(|it| {
                it.identity = identity;
                it.prompt = config.prompt;
                it.size = config.size;
                it.count = config.count.map_or(it.count, |count| count.max(1));
                it.extra = config.extra;
                it.model_timeout = config.model_timeout_ms.map_or(it.model_timeout, Duration::from_millis);
            });
            Ok(agent.in_mailbox(mailbox))
        })
    }
}
