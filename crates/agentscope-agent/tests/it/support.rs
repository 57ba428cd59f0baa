//! Tools, models and agents that the tests share.

use agentscope_agent::ReActAgent;
use agentscope_core::{
    Agent, AgentCard, Audience, BoxFuture, Context, Error, ErrorKind, EventStream, FnAgent, ModelCard,
    ModelRequest, Msg, Name, ReplyRequest, Result, Tool, ToolChunk, ToolRequest, ToolSpec, ToolStream,
    agent_fn, model_fn,
};
use serde_json::{Value, json};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

/// A tool made of a closure, that counts how often it began and how often it ran to its end.
#[derive(Clone)]
pub(crate) struct Probe {
    spec: Arc<ToolSpec>,
    run: Arc<dyn Fn(ToolRequest, Context) -> ToolStream + Send + Sync>,
    pub(crate) began: Arc<AtomicUsize>,
    pub(crate) ended: Arc<AtomicUsize>,
}

impl Probe {
    /// A tool `name` that gives what `answer` gives.
    pub(crate) fn new<F, Fut>(name: &str, answer: F) -> Self
    where
        F: Fn(ToolRequest, Context) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<String>> + Send + 'static,
    {
        let began = Arc::new(AtomicUsize::new(0));
        let ended = Arc::new(AtomicUsize::new(0));
        let (starts, ends) = (Arc::clone(&began), Arc::clone(&ended));
        let answer = Arc::new(answer);
        let run = move |req: ToolRequest, cx: Context| -> ToolStream {
            let (starts, ends, answer) = (Arc::clone(&starts), Arc::clone(&ends), Arc::clone(&answer));
            Box::pin(futures_util::stream::once(async move {
                starts.fetch_add(1, Ordering::SeqCst);
                let text = answer(req, cx).await?;
                ends.fetch_add(1, Ordering::SeqCst);
                Ok(ToolChunk::text(text))
            }))
        };
        let schema = json!({"type": "object", "properties": {"n": {"type": "integer"}}});
        Self { spec: Arc::new(ToolSpec::new(name, "A probe.", schema)), run: Arc::new(run), began, ended }
    }

    pub(crate) fn with(mut self, change: impl FnOnce(ToolSpec) -> ToolSpec) -> Self {
        self.spec = Arc::new(change((*self.spec).clone()));
        self
    }

    pub(crate) fn runs(&self) -> (usize, usize) {
        (self.began.load(Ordering::SeqCst), self.ended.load(Ordering::SeqCst))
    }
}

impl Tool for Probe {
    fn spec(&self) -> Arc<ToolSpec> {
        Arc::clone(&self.spec)
    }
    fn call(&self, req: ToolRequest, cx: Context) -> ToolStream {
        (self.run)(req, cx)
    }
}

/// A read-only tool that says its argument.
pub(crate) fn echo() -> Probe {
    Probe::new(
        "echo",
        |req, _| async move { Ok(format!("echo {}", req.input.get("n").unwrap_or(&Value::Null))) },
    )
    .with(ToolSpec::read_only)
}

/// The texts of all results of a message, with their states.
pub(crate) fn results(msg: &Msg) -> Vec<(String, agentscope_core::ToolState, String)> {
    msg.results().map(|it| (it.id.to_string(), it.state.clone(), it.text())).collect()
}

/// An agent without a memory that says what it was told last.
pub(crate) fn speaker(name: &str) -> FnAgent {
    listener(name, Duration::ZERO)
}

/// The same, which takes its time.
pub(crate) fn listener(name: &str, time: Duration) -> FnAgent {
    let said = Name::from(name);
    agent_fn(name, move |msgs: Vec<Arc<Msg>>, _| {
        let said = said.clone();
        async move {
            if !time.is_zero() {
                tokio::time::sleep(time).await;
            }
            Ok(Msg::assistant(said, msgs.last().map_or_else(String::new, |msg| msg.text())))
        }
    })
}

/// An agent with a conversation that says what it was told last.
pub(crate) fn echoing(name: &str) -> ReActAgent {
    ReActAgent::new(
        name,
        model_fn(ModelCard::new("echo"), |req: ModelRequest| async move {
            Ok(req.messages.last().map_or_else(String::new, |msg| msg.text()))
        }),
    )
}

/// What an agent has heard since it was asked last: it is asked, and says so.
pub(crate) async fn heard_by(agent: &ReActAgent) -> Vec<String> {
    use agentscope_core::AgentExt;
    let before = agent.snapshot().await.unwrap().messages().count();
    let stop = agentscope_core::Interrupt::new();
    stop.trigger(agentscope_core::Reason::User(None));
    // Interrupted before it says anything, so that nobody hears of it.
    agent.reply(()).interrupt(&stop).await.unwrap();
    let state = agent.snapshot().await.unwrap();
    let heard = state.messages().skip(before).filter(|msg| msg.name != agent.card().name);
    heard.map(|msg| msg.text()).collect()
}

/// Writes down what it hears.
#[derive(Clone)]
pub(crate) struct Ears {
    card: AgentCard,
    audience: Option<Audience>,
    takes: Duration,
    fails: bool,
    panics: bool,
    heard: Arc<Mutex<Vec<Arc<Msg>>>>,
}

impl Ears {
    pub(crate) fn new(name: impl Into<Name>) -> Self {
        let card = AgentCard::new(name);
        let audience = Some(Audience::new());
        Self { card, audience, takes: Duration::ZERO, fails: false, panics: false, heard: Arc::default() }
    }

    /// Each message takes it so long.
    pub(crate) fn takes(mut self, time: Duration) -> Self {
        self.takes = time;
        self
    }

    pub(crate) fn fails(mut self) -> Self {
        self.fails = true;
        self
    }

    pub(crate) fn panics(mut self) -> Self {
        self.panics = true;
        self
    }

    pub(crate) fn mute(mut self) -> Self {
        self.audience = None;
        self
    }

    pub(crate) fn heard(&self) -> Vec<Arc<Msg>> {
        self.heard.lock().unwrap().clone()
    }

    pub(crate) fn texts(&self) -> Vec<String> {
        self.heard().iter().map(|msg| msg.text()).collect()
    }
}

/// The agent, which takes its time to hear.
#[derive(Clone)]
pub(crate) struct HardOfHearing(pub(crate) FnAgent, pub(crate) Duration);

impl Agent for HardOfHearing {
    fn card(&self) -> &AgentCard {
        self.0.card()
    }

    fn call(&self, req: ReplyRequest, cx: Context) -> EventStream {
        self.0.call(req, cx)
    }

    fn observe(&self, msgs: Vec<Arc<Msg>>) -> BoxFuture<'static, Result<()>> {
        let (agent, time) = (self.0.clone(), self.1);
        Box::pin(async move {
            tokio::time::sleep(time).await;
            agent.observe(msgs).await
        })
    }

    fn audience(&self) -> Option<Audience> {
        self.0.audience()
    }
}

impl Agent for Ears {
    fn card(&self) -> &AgentCard {
        &self.card
    }

    fn call(&self, _: ReplyRequest, _: Context) -> EventStream {
        EventStream::fail(Error::new(ErrorKind::InvalidInput, "it only listens"))
    }

    fn observe(&self, msgs: Vec<Arc<Msg>>) -> BoxFuture<'static, Result<()>> {
        let this = self.clone();
        Box::pin(async move {
            if !this.takes.is_zero() {
                tokio::time::sleep(this.takes).await;
            }
            assert!(!this.panics, "a listener that panics");
            if this.fails {
                return Err(Error::new(ErrorKind::Unavailable, "it does not listen"));
            }
            this.heard.lock().unwrap().extend(msgs);
            Ok(())
        })
    }

    fn audience(&self) -> Option<Audience> {
        self.audience.clone()
    }
}
