use super::{
    ask::Ask,
    flow::{Flow, Opening, may_leave},
    passes_on,
    retry_budget::RetryBudget,
    tried,
};
use agentscope_core::{
    ChatModel, Context, Error, ErrorKind, ModelDelta, ModelRequest, ModelStream, Name, Result, Stream, Usage,
};
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context as Task, Poll},
    time::Duration,
};
use tokio::time::{Sleep, sleep};

/// A model that is asked a second time when it has given nothing visible for a while. The answer that begins first is taken, and the
/// other request is stopped. It makes the slowest answers faster and costs some tokens twice; what a stopped request has cost is
/// told only as far as it was known by then.
///
/// Choose the delay so that few requests need it: about the time in which 95 of 100 answers have begun. So that a slow hour does not
/// double the load, a [`RetryBudget`] limits how many second requests there are (a fifth of the calls, and a reserve of ten).
///
/// ```
/// use agentscope_core::{ModelCard, model_fn};
/// use agentscope_model::ChatModelExt;
/// use std::time::Duration;
///
/// let model = model_fn(ModelCard::new("yes"), |_| async { Ok("Yes.") }).hedge(Duration::from_secs(4));
/// ```
pub struct Hedge<M> {
    model: Arc<M>,
    after: Duration,
    budget: RetryBudget,
}

impl<M: ChatModel> Hedge<M> {
    /// `model`, asked a second time after this delay.
    pub fn new(model: M, after: Duration) -> Self {
        Self { model: Arc::new(model), after, budget: RetryBudget::default() }
    }

    /// How many second requests there may be.
    #[must_use]
    pub fn budget(mut self, budget: RetryBudget) -> Self {
        self.budget = budget;
        self
    }
}

impl<M> Clone for Hedge<M> {
    fn clone(&self) -> Self {
        Self { model: Arc::clone(&self.model), after: self.after, budget: self.budget.clone() }
    }
}

impl<M: ChatModel> ChatModel for Hedge<M> {
    passes_on!();

    fn call(&self, req: ModelRequest, cx: Context) -> ModelStream {
        Box::pin(Hedging {
            name: self.card().name.clone(),
            ask: Ask::new(Arc::clone(&self.model) as _, req, cx),
            after: self.after,
            budget: self.budget.clone(),
            phase: Phase::Start,
        })
    }
}

struct Hedging {
    name: Name,
    ask: Ask,
    after: Duration,
    budget: RetryBudget,
    phase: Phase,
}

enum Phase {
    Start,
    One(Opening, Pin<Box<Sleep>>),
    Race(Race),
    Flow(Flow),
}

/// The requests of which none has given anything: two, until one of them fails, or one for which the budget has no second.
struct Race {
    runners: Vec<Opening>,
    /// What those that failed have cost.
    spent: Usage,
    /// Of the one that failed first.
    error: Option<Error>,
}

impl Stream for Hedging {
    type Item = Result<ModelDelta>;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Option<Self::Item>> {
        let may_leave = may_leave(&*self);
        let this = &mut *self;
        loop {
            let flow = match &mut this.phase {
                Phase::Flow(flow) => {
                    let piece = flow.poll(task);
                    flow.leave(may_leave, &piece);
                    return piece;
                }
                Phase::Start => {
                    this.budget.deposit();
                    this.phase = Phase::One(Opening::new(this.ask.again()), Box::pin(sleep(this.after)));
                    continue;
                }
                Phase::One(one, delay) => match one.poll(task, &this.name) {
                    Poll::Ready(Err(error)) => Flow::failed(error, one.usage()),
                    Poll::Ready(Ok(())) => match std::mem::replace(&mut this.phase, Phase::Start) {
                        Phase::One(one, _) => one.flow(Usage::default(), this.name.clone()),
                        _ => continue,
                    },
                    Poll::Pending if delay.as_mut().poll(task).is_pending() => return Poll::Pending,
                    Poll::Pending => {
                        let second = this.budget.withdraw().then(|| Opening::new(this.ask.again()));
                        if let Phase::One(first, _) = std::mem::replace(&mut this.phase, Phase::Start) {
                            let runners = [Some(first), second].into_iter().flatten().collect();
                            this.phase = Phase::Race(Race { runners, spent: Usage::default(), error: None });
                        }
                        continue;
                    }
                },
                Phase::Race(race) => match race.poll(task, &this.name) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(flow) => flow,
                },
            };
            this.phase = Phase::Flow(flow);
        }
    }
}

impl Race {
    fn poll(&mut self, task: &mut Task<'_>, name: &Name) -> Poll<Flow> {
        let mut at = 0;
        while let Some(runner) = self.runners.get_mut(at) {
            match runner.poll(task, name) {
                Poll::Pending => at += 1,
                Poll::Ready(Ok(())) => {
                    let winner = self.runners.swap_remove(at);
                    let others = self.runners.drain(..).map(|other| other.usage());
                    others.for_each(|usage| self.spent += usage);
                    return Poll::Ready(winner.flow(self.spent, name.clone()));
                }
                Poll::Ready(Err(error)) => {
                    self.spent += runner.usage();
                    self.runners.remove(at);
                    // That the second was not let through says nothing about the model.
                    let is_refusal =
                        |error: &Error| tried::is_open(error) || error.kind() == ErrorKind::Exhausted;
                    if self.error.as_ref().is_none_or(is_refusal) {
                        self.error = Some(error);
                    }
                }
            }
        }
        match self.error.take_if(|_| self.runners.is_empty()) {
            Some(error) => Poll::Ready(Flow::failed(error, self.spent)),
            None => Poll::Pending,
        }
    }
}
