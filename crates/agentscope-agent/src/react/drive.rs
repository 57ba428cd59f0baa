//! The loop: ask the state what comes next, do it, save it, until it is over.

use super::{Config, ReActAgent, check::Ready, equip::Equipment};
use crate::answer::Silence;
use agentscope_core::{
    CallState, Change, CompactRequest, ContentBlock, Context, Error, ErrorKind, EventKind, EventSink, Finish,
    Next, Opened, Queued, Reason, Result, Step, ToolCall, Turn,
};
use std::sync::Arc;

/// How often a conversation is made shorter within one reply.
const MAX_COMPACTIONS: u32 = 3;

/// One reply at work.
pub(super) struct Work {
    pub(super) config: Arc<Config>,
    pub(super) cx: Context,
    pub(super) turn: Turn,
    /// The tools as of the last thought.
    pub(super) equipment: Option<Arc<Equipment>>,
    /// Calls that were found ready since then, so that it is not done again before they run.
    pub(super) checked: Vec<(ToolCall, Ready)>,
    pub(super) silence: Silence,
    compactions: u32,
}

impl ReActAgent {
    pub(super) async fn drive(self, queued: Queued, cx: Context, sink: EventSink) -> Result<()> {
        let Self { config, .. } = self;
        if let Some(schema) = &queued.request().output_schema {
            let wrong = |wrong| Error::new(ErrorKind::InvalidInput, format!("structured output: {wrong}"));
            config.validators.ready(schema).map_err(wrong)?;
        }
        let (turn, aborted) =
            match queued.open(&config.identity.card.name, config.max_iters, &cx, sink).await? {
                Opened::Turn(turn) => (turn, false),
                Opened::Aborted(turn) => (turn, true),
                Opened::Left => return Ok(()),
            };
        let (equipment, checked, silence) = (None, Vec::new(), Silence::default());
        let mut work = Work { config, cx, turn, equipment, checked, silence, compactions: 0 };
        let outcome = if aborted { Ok(Finish::Interrupted) } else { work.steps().await };
        work.end(outcome).await
    }
}

impl Work {
    async fn steps(&mut self) -> Result<Finish> {
        loop {
            if self.cx.interrupt().is_triggered() {
                return Ok(Finish::Interrupted);
            }
            match Step::of(self.turn.state()) {
                Step::Reason => {
                    let said = self.blocks();
                    match self.reason().await {
                        // Only before the first piece: what follows half an answer must not be taken for the rest of it.
                        Err(error) if error.kind() == ErrorKind::ContextOverflow && self.blocks() == said => {
                            Box::pin(self.compact(error)).await?;
                        }
                        done => done?,
                    }
                }
                Step::Check(calls) => self.check(calls).await?,
                Step::Act(calls) => self.act(calls).await?,
                Step::Recover(calls) => self.recover(calls).await?,
                Step::Wait(calls) => {
                    self.ask(calls);
                    return Ok(Finish::Waiting);
                }
                Step::End(finish) => return Ok(finish),
            }
            self.turn.commit().await?;
        }
    }

    /// How many blocks the model and the tools have put into the reply; what was heard comes before a thought.
    fn blocks(&self) -> usize {
        let content = self.turn.open().map_or(&[][..], |open| &open.msg.content);
        content.iter().filter(|block| !matches!(block, ContentBlock::Heard(_))).count()
    }

    async fn end(mut self, outcome: Result<Finish>) -> Result<()> {
        let interrupted = self.cx.interrupt().is_triggered();
        let (finish, error) = match outcome {
            Ok(Finish::Interrupted) => self.turn.finish_of(&self.cx, Finish::Interrupted),
            Err(_) if interrupted => self.turn.finish_of(&self.cx, Finish::Interrupted),
            Ok(finish) => (finish, None),
            Err(error) => (Finish::Failed((&error).into()), Some(error)),
        };
        if let (Finish::Interrupted, Some(Reason::User(Some(note)))) = (&finish, self.cx.interrupt().reason())
        {
            self.turn.close_calls();
            let text = format!("<system-hint>The user interrupted you: {note}</system-hint>");
            self.turn.emit(EventKind::Hint { text });
        }
        if !self.config.use_memory && finish != Finish::Waiting {
            self.turn.forget();
        }
        self.turn.end(finish, error).await
    }

    /// Calls that were running when the process died: run again what may be, close the rest.
    async fn recover(&mut self, calls: Vec<ToolCall>) -> Result<()> {
        let equipment = self.equip().await?;
        for call in calls {
            let again = equipment.find(&call.name).is_some_and(|(_, spec)| spec.read_only || spec.idempotent);
            if again {
                self.turn.emit(EventKind::ToolCallState {
                    id: call.id,
                    state: CallState::Allowed,
                    input: None,
                });
            } else {
                self.turn.close_call(&call.id);
            }
        }
        Ok(())
    }

    /// Tells the reader what has to be decided or done outside.
    fn ask(&mut self, calls: Vec<ToolCall>) {
        let (outside, asking): (Vec<_>, Vec<_>) =
            calls.into_iter().partition(|call| call.state == CallState::Submitted);
        if !asking.is_empty() {
            self.turn.emit(EventKind::RequireConfirm { calls: asking });
        }
        if !outside.is_empty() {
            self.turn.emit(EventKind::RequireExternal { calls: outside });
        }
    }

    /// The model refused the conversation as too long: make it shorter, or give up with `error`.
    async fn compact(&mut self, error: Error) -> Result<()> {
        self.compactions += 1;
        if self.compactions > MAX_COMPACTIONS {
            return Err(
                error.context(format_args!("the conversation was compacted {MAX_COMPACTIONS} times in vain"))
            );
        }
        let onion = Next::new(
            Arc::clone(&self.config.layers),
            |layer, req, cx, next| layer.on_compact(req, cx, next),
            |_, _| Box::pin(async { Ok(None) }),
        );
        let request = CompactRequest::new(self.turn.state().view(), true);
        let compaction = tokio::select! {
            biased;
            compaction = onion.run(request, self.cx.clone()) => compaction?,
            () = self.cx.interrupt().triggered() => {
                return Err(Error::new(ErrorKind::Unavailable, "interrupted while the conversation was compacted"));
            }
        };
        match compaction {
            Some(compaction) => {
                self.turn.change(Change::Compact { summary: compaction.summary, upto: compaction.upto });
                Ok(())
            }
            None => Err(error),
        }
    }
}
