use crate::{
    context::Context,
    error::{Error, ErrorKind},
    id::CallId,
    id::Name,
    message::Usage,
    model::{ChatModel, FinishReason, ModelCard, ModelDelta, ModelRequest, ModelStream},
};
use futures_util::StreamExt;
use serde_json::Value;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// A model that says what its script says, one line a call. It panics when it is dropped with lines left over, because a test
/// that did not get to the end of its script did not test what it says.
///
/// ```
/// use agentscope_core::{AgentExt, ChatModel, Context, ModelRequest, ScriptedModel, testing::{call, say}};
/// use serde_json::json;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let model = ScriptedModel::new([call("c1", "weather", json!({"city": "Oslo"})), say("It is sunny in Oslo.")]);
/// for _ in 0..2 {
///     let answer = model.call(ModelRequest::default(), Context::new());
///     # use futures_util::StreamExt; answer.collect::<Vec<_>>().await;
/// }
/// assert_eq!(model.requests().len(), 2);
/// # }
/// ```
#[derive(Clone)]
pub struct ScriptedModel(Arc<Inner>);

struct Inner {
    card: ModelCard,
    script: Mutex<VecDeque<Line>>,
    requests: Mutex<Vec<ModelRequest>>,
    may_leave_lines: bool,
}

/// One answer of a [`ScriptedModel`].
///
/// ```
/// use agentscope_core::{ScriptedModel, testing::Line};
/// use serde_json::json;
/// use std::time::Duration;
///
/// let line = Line::new().think("the weather?").call("c1", "weather", json!({"city": "Oslo"}));
/// let model = ScriptedModel::new([line.chunks(4).every(Duration::from_millis(5))]).may_leave_lines();
/// assert_eq!(model.lines_left(), 1);
/// ```
#[derive(Clone, Debug)]
pub struct Line {
    deltas: Vec<ModelDelta>,
    blocks: u32,
    chunk: usize,
    delay: Duration,
    usage: Usage,
    finish: FinishReason,
    error: Option<Error>,
}

/// An answer in words, which come one by one.
pub fn say(text: impl Into<String>) -> Line {
    Line::new().say(text)
}

/// An answer that calls a tool.
pub fn call(id: impl Into<CallId>, name: impl Into<Name>, input: Value) -> Line {
    Line::new().call(id, name, input)
}

/// No answer, but an error.
///
/// ```
/// use agentscope_core::{Error, ErrorKind, ScriptedModel, testing::fail};
///
/// let away = fail(Error::new(ErrorKind::Unavailable, "try again later"));
/// assert_eq!(ScriptedModel::new([away]).may_leave_lines().lines_left(), 1);
/// ```
pub fn fail(error: Error) -> Line {
    Line::new().fail(error)
}

impl Line {
    /// An empty answer.
    pub fn new() -> Self {
        Self {
            deltas: Vec::new(),
            blocks: 0,
            chunk: 0,
            delay: Duration::ZERO,
            usage: Usage::new(10, 5),
            finish: FinishReason::Stop,
            error: None,
        }
    }

    /// And says this; nothing if it is empty.
    #[must_use]
    pub fn say(self, text: impl Into<String>) -> Self {
        let delta = text.into();
        if delta.is_empty() {
            return self;
        }
        self.block(|block| ModelDelta::Text { block, delta })
    }

    /// And thinks this; nothing if it is empty.
    #[must_use]
    pub fn think(self, thought: impl Into<String>) -> Self {
        let delta = thought.into();
        if delta.is_empty() {
            return self;
        }
        self.block(|block| ModelDelta::Thinking { block, delta })
    }

    /// And calls this tool.
    #[must_use]
    pub fn call(self, id: impl Into<CallId>, name: impl Into<Name>, input: Value) -> Self {
        self.raw_call(id, name, input.to_string())
    }

    /// And calls this tool with a text that may be no JSON.
    #[must_use]
    pub fn raw_call(self, id: impl Into<CallId>, name: impl Into<Name>, input: impl Into<String>) -> Self {
        let (id, name, delta) = (id.into(), name.into(), input.into());
        self.block(|block| ModelDelta::ToolCall { block, id, name, delta })
    }

    /// In chunks of so many characters, instead of words.
    #[must_use]
    pub fn chunks(mut self, characters: usize) -> Self {
        self.chunk = characters;
        self
    }

    /// Waiting so long before each chunk.
    #[must_use]
    pub fn every(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Ending for this reason.
    #[must_use]
    pub fn finish(mut self, reason: FinishReason) -> Self {
        self.finish = reason;
        self
    }

    /// Having used so much.
    #[must_use]
    pub fn usage(mut self, usage: Usage) -> Self {
        self.usage = usage;
        self
    }

    /// And then fails.
    #[must_use]
    pub fn fail(mut self, error: Error) -> Self {
        self.error = Some(error);
        self
    }

    fn block(mut self, delta: impl FnOnce(u32) -> ModelDelta) -> Self {
        self.deltas.push(delta(self.blocks));
        self.blocks += 1;
        self
    }

    fn into_stream(self) -> ModelStream {
        let Self { deltas, chunk, delay, usage, finish, error, .. } = self;
        let pieces = deltas.into_iter().flat_map(move |delta| cut(delta, chunk)).map(Ok);
        let end: Vec<_> = match error {
            Some(error) => vec![Err(error)],
            None => vec![Ok(ModelDelta::Usage(usage)), Ok(ModelDelta::Finish { reason: finish })],
        };
        let paced = futures_util::stream::iter(pieces).then(move |piece| async move {
            if !delay.is_zero() {
                tokio::time::sleep(delay).await;
            }
            piece
        });
        Box::pin(paced.chain(futures_util::stream::iter(end)))
    }
}

impl Default for Line {
    fn default() -> Self {
        Self::new()
    }
}

/// The pieces in which a block comes: of so many characters, or word by word; a tool call's arguments at once.
fn cut(delta: ModelDelta, chunk: usize) -> Vec<ModelDelta> {
    let pieces = |text: String, words: bool| -> Vec<String> {
        match (chunk, words) {
            (0, true) => text.split_inclusive(' ').map(str::to_owned).collect(),
            (0, false) => vec![text],
            _ if text.is_empty() => vec![text], // a call without arguments is a call
            (size, _) => {
                let chars: Vec<char> = text.chars().collect();
                chars.chunks(size).map(|piece| piece.iter().collect()).collect()
            }
        }
    };
    match delta {
        ModelDelta::Text { block, delta } => {
            pieces(delta, true).into_iter().map(|delta| ModelDelta::Text { block, delta }).collect()
        }
        ModelDelta::Thinking { block, delta } => {
            pieces(delta, true).into_iter().map(|delta| ModelDelta::Thinking { block, delta }).collect()
        }
        ModelDelta::ToolCall { block, id, name, delta } => pieces(delta, false)
            .into_iter()
            .map(|delta| ModelDelta::ToolCall { block, id: id.clone(), name: name.clone(), delta })
            .collect(),
        other => vec![other],
    }
}

impl ScriptedModel {
    /// A model with this script.
    pub fn new(script: impl IntoIterator<Item = Line>) -> Self {
        Self(Arc::new(Inner {
            card: ModelCard::new("scripted"),
            script: Mutex::new(script.into_iter().collect()),
            requests: Mutex::default(),
            may_leave_lines: false,
        }))
    }

    /// The same, with this card. Call it before the model is cloned.
    #[must_use]
    pub fn with_card(self, card: ModelCard) -> Self {
        self.change(|inner| inner.card = card)
    }

    /// The same, for tests that stop in the middle. Call it before the model is cloned.
    #[must_use]
    pub fn may_leave_lines(self) -> Self {
        self.change(|inner| inner.may_leave_lines = true)
    }

    /// What it was asked so far.
    pub fn requests(&self) -> Vec<ModelRequest> {
        self.0.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many lines it has not yet said.
    pub fn lines_left(&self) -> usize {
        self.0.script().len()
    }

    fn change(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        if let Some(inner) = Arc::get_mut(&mut self.0) {
            change(inner);
        }
        self
    }
}

impl Inner {
    fn script(&self) -> MutexGuard<'_, VecDeque<Line>> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Inner {
    #[expect(clippy::panic, reason = "a test that leaves lines of its script has to fail")]
    fn drop(&mut self) {
        let left = self.script().len();
        if left > 0 && !self.may_leave_lines && !std::thread::panicking() {
            panic!(
                "the scripted model has {left} lines that it was never asked for: shorten the script or ask more"
            );
        }
    }
}

impl ChatModel for ScriptedModel {
    fn card(&self) -> &ModelCard {
        &self.0.card
    }

    fn call(&self, req: ModelRequest, _: Context) -> ModelStream {
        let this = Arc::clone(&self.0);
        let answer = async move {
            this.requests.lock().unwrap_or_else(PoisonError::into_inner).push(req);
            match this.script().pop_front() {
                Some(line) => line.into_stream(),
                None => fail(Error::new(ErrorKind::Internal, "the script of the model is over: add a line"))
                    .into_stream(),
            }
        };
        Box::pin(futures_util::stream::once(answer).flatten())
    }
}
