use super::{
    ask::Ask,
    flow::{Flow, Opening, is_visible, may_leave},
    tried,
};
use agentscope_core::{
    BoxFuture, ChatModel, Context, Error, ErrorKind, ModelCard, ModelDelta, ModelRequest, ModelStream, Name,
    Result, Stream, Usage,
};
use std::{
    fmt::Write as _,
    pin::Pin,
    sync::Arc,
    task::{Context as Task, Poll, ready},
};

/// The field of an answer's first block that names the model which gave it, where that is not the first of a [`Fallback`].
///
/// ```
/// assert_eq!(agentscope_model::ANSWERED_BY, "answered_by");
/// ```
pub const ANSWERED_BY: &str = "answered_by";

/// Models in order: the first that answers is taken. The next one is asked when one fails before anything visible of its answer was
/// given away. Afterwards the error is told, and what was said stays as it is.
///
/// An answer of another model than the first has the field [`ANSWERED_BY`] on its first block, in the events of a reply and in the
/// saved message: the line of configuration of that model, or its name. It is sent to no provider.
///
/// The card is the first model's, with what holds for all: the smallest context, the media and the abilities that all have. The
/// usage of the answer includes what the models have told that failed before.
///
/// ```
/// use agentscope_core::{ChatModel, Context, Error, ErrorKind, ModelCard, ModelDelta, ModelRequest, ScriptedModel, model_fn, testing::fail};
/// use agentscope_model::{ANSWERED_BY, ChatModelExt};
/// use futures_util::TryStreamExt;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let away = ScriptedModel::new([fail(Error::new(ErrorKind::Unavailable, "connection refused"))]);
/// let model = away.fallback(model_fn(ModelCard::new("spare"), |_| async { Ok("Hello.") }));
/// let answer: Vec<_> = model.call(ModelRequest::default(), Context::new()).try_collect().await?;
/// assert_eq!(answer[0], ModelDelta::text("Hello."));
/// assert_eq!(answer[1], ModelDelta::Extra { block: 0, key: ANSWERED_BY.into(), value: "spare".into() });
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Fallback {
    models: Arc<[Arc<dyn ChatModel>]>,
    card: Arc<ModelCard>,
    fallback_if: Arc<dyn Fn(&Error) -> bool + Send + Sync>,
}

impl Fallback {
    /// `first`, and when it fails, `second`.
    pub fn new(first: impl ChatModel, second: impl ChatModel) -> Self {
        let models: [Arc<dyn ChatModel>; 2] = [Arc::new(first), Arc::new(second)];
        let card = common(models.iter().map(|model| model.card()));
        Self { models: models.into(), card: Arc::new(card), fallback_if: Arc::new(others_may_not_have) }
    }

    /// And when they all fail, `next`.
    #[must_use]
    pub fn fallback(mut self, next: impl ChatModel) -> Self {
        self.models = self.models.iter().cloned().chain([Arc::new(next) as Arc<dyn ChatModel>]).collect();
        self.card = Arc::new(common(self.models.iter().map(|model| model.card())));
        self
    }

    /// After which errors the next model is asked, in place of the default: all but those that another model would have as well
    /// ([`InvalidInput`](ErrorKind::InvalidInput), [`Conflict`](ErrorKind::Conflict), [`Tool`](ErrorKind::Tool)), and
    /// [`Refused`](ErrorKind::Refused), because another provider's filter is not there to get around the first one's.
    #[must_use]
    pub fn fallback_if(
        mut self,
        others_may_not_have: impl Fn(&Error) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.fallback_if = Arc::new(others_may_not_have);
        self
    }
}

fn others_may_not_have(error: &Error) -> bool {
    use ErrorKind::{Conflict, InvalidInput, Refused, Tool};
    !matches!(error.kind(), Conflict | InvalidInput | Refused | Tool)
}

/// What holds for all.
fn common<'a>(mut cards: impl Iterator<Item = &'a ModelCard>) -> ModelCard {
    let mut card = cards.next().cloned().unwrap_or_default();
    for other in cards {
        let sizes = [card.context_size, other.context_size];
        // Zero is a size that nobody knows.
        card.context_size = sizes.into_iter().filter(|size| *size > 0).min().unwrap_or(0);
        card.input_types.retain(|it| other.input_types.contains(it));
        card.output_types.retain(|it| other.output_types.contains(it));
        card.tools &= other.tools;
        card.output_schema &= other.output_schema;
    }
    card
}

impl ChatModel for Fallback {
    fn card(&self) -> &ModelCard {
        &self.card
    }

    fn call(&self, req: ModelRequest, cx: Context) -> ModelStream {
        let Some(first) = self.models.first() else { return Box::pin(futures_util::stream::empty()) };
        Box::pin(Falling {
            ask: Ask::new(Arc::clone(first), req, cx.clone()),
            to: self.clone(),
            cx,
            at: 0,
            spent: Usage::default(),
            errors: Vec::new(),
            answered_by: None,
            tell: None,
            phase: Phase::Start,
        })
    }

    fn estimate_tokens(&self, req: &ModelRequest) -> u64 {
        self.models.first().map_or(0, |model| model.estimate_tokens(req))
    }

    fn count_tokens<'a>(&'a self, req: &'a ModelRequest) -> BoxFuture<'a, Result<u64>> {
        match self.models.first() {
            Some(model) => model.count_tokens(req),
            None => Box::pin(async { Ok(0) }),
        }
    }
}

struct Falling {
    to: Fallback,
    ask: Ask,
    cx: Context,
    /// Which model is asked.
    at: usize,
    /// What those that failed have cost.
    spent: Usage,
    errors: Vec<(Name, Error)>,
    /// The model that answers, if its name has to be told.
    answered_by: Option<String>,
    /// What is told next.
    tell: Option<ModelDelta>,
    phase: Phase,
}

enum Phase {
    Start,
    Open(Opening),
    Flow(Flow),
}

impl Stream for Falling {
    type Item = Result<ModelDelta>;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Option<Self::Item>> {
        let may_leave = may_leave(&*self);
        let this = &mut *self;
        loop {
            match &mut this.phase {
                Phase::Flow(flow) => {
                    if let Some(told) = this.tell.take() {
                        return Poll::Ready(Some(Ok(told)));
                    }
                    let piece = flow.poll(task);
                    if this.answered_by.is_none() {
                        flow.leave(may_leave, &piece);
                    } else if let Poll::Ready(Some(Ok(delta))) = &piece {
                        this.note(delta);
                    }
                    return piece;
                }
                Phase::Start => {
                    let Some(model) = this.to.models.get(this.at) else { return Poll::Ready(None) };
                    this.phase = Phase::Open(Opening::new(this.ask.other(&**model)));
                }
                Phase::Open(opening) => {
                    let opened = ready!(opening.poll(task, &this.to.card.name));
                    let Phase::Open(opening) = std::mem::replace(&mut this.phase, Phase::Start) else {
                        continue;
                    };
                    match opened {
                        Ok(()) => this.opened(opening),
                        Err(error) => {
                            this.spent += opening.usage();
                            drop(opening);
                            this.failed(error);
                        }
                    }
                }
            }
        }
    }
}

impl Falling {
    fn name(&self) -> Name {
        self.to
            .models
            .get(self.at)
            .map_or_else(|| self.to.card.name.clone(), |model| model.card().name.clone())
    }

    fn opened(&mut self, opening: Opening) {
        if self.at > 0 {
            let card = self.to.models.get(self.at).map(|model| model.card());
            self.answered_by = card.map(|card| match &*card.spec {
                "" => card.name.to_string(),
                spec => spec.to_owned(),
            });
        }
        self.phase = Phase::Flow(opening.flow(self.spent, self.name()));
    }

    /// Says which model answers, as soon as there is a block to say it of.
    fn note(&mut self, delta: &ModelDelta) {
        let block = match delta {
            ModelDelta::Text { block, .. }
            | ModelDelta::Thinking { block, .. }
            | ModelDelta::ToolCall { block, .. }
            | ModelDelta::Media { block, .. }
                if is_visible(delta) =>
            {
                *block
            }
            _ => return,
        };
        let value = self.answered_by.take().unwrap_or_default().into();
        self.tell = Some(ModelDelta::Extra { block, key: ANSWERED_BY.to_owned(), value });
    }

    /// On to the next model, where that may help.
    fn failed(&mut self, error: Error) {
        let in_time = self.cx.time_left().is_none_or(|left| !left.is_zero());
        let in_time = in_time && !self.cx.interrupt().is_triggered();
        let goes_on = in_time && self.at + 1 < self.to.models.len() && (self.to.fallback_if)(&error);
        self.errors.push((self.name(), error));
        if goes_on {
            self.at += 1;
            return;
        }
        if let Some(error) = all_of(&self.errors) {
            self.phase = Phase::Flow(Flow::failed(error, self.spent));
        }
    }
}

/// One error for all. It may be tried again if any of them may, as soon as any of them may.
fn all_of(errors: &[(Name, Error)]) -> Option<Error> {
    let (_, last) = errors.last()?;
    if errors.len() == 1 {
        return Some(last.clone());
    }
    let may_help = errors.iter().map(|(_, error)| error).filter(|error| error.is_retryable());
    // Whoever was asked tells more than an open circuit, which nobody asks again.
    let soonest =
        may_help.min_by_key(|error| (tried::is_open(error), error.retry_after().unwrap_or_default()));
    let shown = soonest.unwrap_or(last);
    let mut message = format!("none of {} models answered", errors.len());
    for (at, (name, error)) in errors.iter().enumerate() {
        let sign = if at == 0 { ':' } else { ';' };
        // Writing to a string does not fail.
        let _ = write!(message, "{sign} `{name}`: {error}");
    }
    let told = Error::new(shown.kind(), message).with_source(shown.clone());
    Some(match shown.retry_after() {
        Some(wait) => told.with_retry_after(wait),
        None => told,
    })
}
