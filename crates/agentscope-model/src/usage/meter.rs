//! A model whose calls are counted.

use super::{
    Monitor,
    ledger::{Caller, Spent, Ticket},
};
use crate::resilience::flow::{Flow, Stays, may_leave};
use agentscope_core::{
    BoxFuture, ChatModel, Context, Error, ErrorKind, ModelCard, ModelDelta, ModelRequest, ModelStream, Name,
    Price, Result, Stream, Usage,
};
use std::{fmt, pin::Pin, task::Poll};

/// Bytes of an answer that are taken for a token where the provider does not count.
const BYTES_PER_TOKEN: u64 = 4;

/// A model whose calls a [`Monitor`] counts and stops: the layer that [`Monitor::meter`] makes.
///
/// A call is let through or refused when its answer is polled for the first time, and counted when the answer ends, fails or is
/// dropped. What the provider has told is counted. What it has not told is estimated, and counted as such
/// ([`Tally::estimated`](super::Tally::estimated)): the request by [`ChatModel::estimate_tokens`], the answer by a token for each
/// four bytes that came. An answer that breaks off has cost at least what came of it. A call that is refused before anything came
/// has cost nothing, except one that timed out: the model may have been at work.
///
/// It counts what passes through it. Around a model that retries, an answer counts once, with the usage of the try that
/// succeeded; within a cache, an answer from the cache does not get to it. Outside of a cache, an answer whose usage the cache
/// tells as zero counts as a call without tokens.
///
/// ```
/// use agentscope_core::{ChatModel, ModelCard, model_fn};
/// use agentscope_model::Monitor;
///
/// let monitor = Monitor::new();
/// let model = monitor.meter(model_fn(ModelCard::new("yes"), |_| async { Ok("Yes.") }));
/// assert_eq!(model.card().name, "yes");
/// ```
#[derive(Clone)]
pub struct Metered<M> {
    model: M,
    monitor: Monitor,
}

impl<M> Metered<M> {
    pub(super) fn new(model: M, monitor: Monitor) -> Self {
        Self { model, monitor }
    }
}

impl<M: ChatModel> ChatModel for Metered<M> {
    fn card(&self) -> &ModelCard {
        self.model.card()
    }

    fn call(&self, req: ModelRequest, cx: Context) -> ModelStream {
        let card = self.model.card();
        let path = cx.path();
        // An agent with one conversation has no name for it: its id stands for it.
        let session = path.first().map(|outermost| match outermost.session.is_empty() {
            true => Name::from(outermost.agent.as_str()),
            false => outermost.session.clone(),
        });
        let agent = match (req.speaker.is_empty(), path.last()) {
            (true, Some(innermost)) => Name::from(innermost.agent.as_str()),
            _ => req.speaker.clone(),
        };
        let meter = Meter {
            caller: Caller { model: card.name.clone(), agent, session: session.unwrap_or_default() },
            // The request itself is not kept: an open reply is folded in place as long as nobody else holds it.
            input: self.model.estimate_tokens(&req),
            most_output: req.options.max_tokens,
            price: card.price,
            monitor: self.monitor.clone(),
            ticket: None,
            reported: None,
            finished: false,
        };
        Box::pin(Answer { meter: Some(meter), flow: Flow::new(self.model.call(req, cx)) })
    }

    fn estimate_tokens(&self, req: &ModelRequest) -> u64 {
        self.model.estimate_tokens(req)
    }

    fn count_tokens<'a>(&'a self, req: &'a ModelRequest) -> BoxFuture<'a, Result<u64>> {
        self.model.count_tokens(req)
    }
}

impl<M: ChatModel> fmt::Debug for Metered<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metered").field("model", &self.model.card().name).finish_non_exhaustive()
    }
}

struct Answer {
    flow: Flow,
    /// Until the call is let through.
    meter: Option<Meter>,
}

impl Stream for Answer {
    type Item = Result<ModelDelta>;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut std::task::Context<'_>) -> Poll<Option<Self::Item>> {
        let may_leave = may_leave(&*self);
        let this = &mut *self;
        if let Some(mut meter) = this.meter.take() {
            match meter.admit() {
                Ok(()) => this.flow.stay(meter),
                Err(error) => this.flow = Flow::failed(error, Usage::default()),
            }
        }
        let piece = this.flow.poll(task);
        this.flow.leave(may_leave, &piece);
        piece
    }
}

struct Meter {
    caller: Caller,
    /// The tokens of the request, by estimate.
    input: u64,
    most_output: Option<u64>,
    price: Option<Price>,
    monitor: Monitor,
    /// There is one while the call is under way.
    ticket: Option<Ticket>,
    reported: Option<Usage>,
    finished: bool,
}

impl Stays for Meter {
    fn see(&mut self, delta: &mut ModelDelta) {
        match delta {
            ModelDelta::Usage(usage) => self.reported = Some(*usage),
            ModelDelta::Finish { .. } => self.finished = true,
            _ => {}
        }
    }

    fn end(&mut self, error: &mut Option<Error>, usage: &mut Option<Usage>, written: u64) {
        self.reported = usage.or(self.reported);
        self.settle(error.as_ref().map(Error::kind), written);
    }

    /// Whoever drops an answer has caused what it has cost so far.
    fn dropped(&mut self, written: u64) {
        self.settle(None, written);
    }
}

impl Meter {
    fn admit(&mut self) -> Result<()> {
        self.ticket = Some(self.monitor.admit(&self.caller, self.input, self.most_output, self.price)?);
        Ok(())
    }

    /// The call is over.
    fn settle(&mut self, failed: Option<ErrorKind>, written: u64) {
        let Some(ticket) = self.ticket.take() else { return };
        let (usage, estimated) = self.usage(failed, written);
        let spent = Spent { usage, estimated, failed: failed.is_some() };
        self.monitor.settle(&self.caller, &ticket, &spent);
    }

    /// What the call has cost, and whether a part of that is an estimate.
    fn usage(&self, failed: Option<ErrorKind>, written: u64) -> (Usage, bool) {
        let estimate = Usage::new(self.input, written.div_ceil(BYTES_PER_TOKEN));
        let refused = failed.is_some_and(|kind| kind != ErrorKind::Timeout);
        match self.reported {
            Some(usage) if self.finished => (usage, false),
            // Some tell the tokens of the request at first, and those of the answer when it ends.
            Some(begun) => {
                let mut usage = begun;
                usage.output_tokens = begun.output_tokens.max(estimate.output_tokens);
                if begun.input_tokens == 0 {
                    usage.input_tokens = estimate.input_tokens;
                }
                (usage, usage != begun)
            }
            None if refused && written == 0 => (Usage::default(), false),
            None => (estimate, true),
        }
    }
}
