//! Running tools: in batches that may run together, each result saved as it comes.

use super::{
    check::Ready,
    drive::Work,
    equip::Equipment,
    run::{Ended, Progress, Run},
};
use agentscope_core::{
    CallState, ContentBlock, Context, Error, EventKind, FINISH_TOOL, Next, Result, ToolCall, ToolChunk,
    ToolRequest, ToolResult, ToolState, ToolStream,
};
use futures_util::stream;
use std::{
    collections::BTreeMap,
    error::Error as _,
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::Arc,
    task::Poll,
    time::Duration,
};
use tokio::task::coop::consume_budget;

impl Work {
    /// Runs calls, in their order where they may not run together. Those that are left when an interrupt comes are closed
    /// with the reply.
    pub(super) async fn act(&mut self, calls: Vec<ToolCall>) -> Result<()> {
        let equipment = self.equip().await?;
        let mut calls = calls.into_iter().peekable();
        while let Some(call) = calls.next() {
            if self.cx.interrupt().is_triggered() {
                break;
            }
            if let (Some(schema), true) = (self.output_schema(), call.name == FINISH_TOOL) {
                self.finish(&call, &schema)?;
                continue;
            }
            let mut batch = Vec::new();
            self.prepare(&equipment, call, &mut batch);
            while let Some(next) = calls.next_if(|next| joins(&batch, &equipment, next)) {
                self.prepare(&equipment, next, &mut batch);
            }
            self.run_batch(batch).await?;
        }
        Ok(())
    }

    fn prepare(&mut self, equipment: &Equipment, call: ToolCall, batch: &mut Vec<(ToolCall, Ready)>) {
        match self.ready_again(equipment, &call) {
            Ok(ready) if ready.spec.external => self.move_on(&call, CallState::Submitted), // it had to ask first
            Ok(ready) => batch.push((call, ready)),
            Err(wrong) => self.refuse(&call, format!("Error: {wrong}")), // somebody edited it, or the tool is gone
        }
    }

    /// Runs calls together. That they started is saved before they do.
    async fn run_batch(&mut self, batch: Vec<(ToolCall, Ready)>) -> Result<()> {
        for (call, _) in &batch {
            self.move_on(call, CallState::Started);
        }
        self.turn.commit().await?;
        let cx = self.cx.clone().with_view(self.turn.state().view());
        let mut runs: Vec<Run> =
            batch.into_iter().map(|(call, ready)| self.start(call, ready, &cx)).collect();
        drop(cx);
        let stop = self.cx.interrupt().clone();
        let mut interrupted = false;
        let mut first = 0;
        while !runs.is_empty() {
            let (at, progress) = poll_fn(|task| {
                // To be interrupted wakes this task.
                if !interrupted && stop.is_triggered() {
                    interrupted = true;
                    runs.iter_mut().for_each(Run::interrupt);
                }
                first += 1; // so that none is always first
                for offset in 0..runs.len() {
                    let at = (first + offset) % runs.len();
                    if let Some(Poll::Ready(progress)) = runs.get_mut(at).map(|run| run.poll(task)) {
                        return Poll::Ready((at, progress));
                    }
                }
                Poll::Pending
            })
            .await;
            consume_budget().await; // a tool that is never pending must not keep the others of this thread waiting
            match progress {
                Progress::Chunks(chunks) => {
                    if let Some(run) = runs.get(at) {
                        chunks.into_iter().for_each(|chunk| self.emit_chunk(&run.call, chunk));
                    }
                }
                Progress::Ended(ended) => {
                    let run = runs.swap_remove(at);
                    self.turn.emit(EventKind::ToolResult(result(run, ended)));
                    self.turn.commit().await?;
                }
            }
        }
        Ok(())
    }

    fn start(&self, call: ToolCall, ready: Ready, cx: &Context) -> Run {
        let Ready { tool, spec, input } = ready;
        let slots = &self.turn.state().slots;
        let mut request = ToolRequest::new(call.id.clone(), call.name.clone(), input);
        request.slots = spec
            .slots
            .iter()
            .filter_map(|name| Some((name.clone(), slots.get(name)?.clone())))
            .collect::<BTreeMap<_, _>>();
        let cx = cx.clone().with_interrupt(cx.interrupt().child());
        let inner = cx.clone();
        let call_tool = || -> ToolStream {
            if self.config.layers.is_empty() {
                return tool.call(request, inner);
            }
            let onion = Next::new(
                Arc::clone(&self.config.layers),
                |layer, req, cx, next| layer.on_tool(req, cx, next),
                move |req, cx| tool.call(req, cx),
            );
            onion.run(request, inner)
        };
        let stream = catch_unwind(AssertUnwindSafe(|| cx.sync_scope(call_tool))).unwrap_or_else(|panic| {
            Box::pin(stream::once(async { resume_unwind(panic) })) // as if it had panicked when it was polled
        });
        let limit = spec.timeout_ms.map_or(self.config.tool_timeout, Duration::from_millis);
        Run::new(call, spec, stream, cx, limit, self.config.grace)
    }

    fn emit_chunk(&mut self, call: &ToolCall, chunk: ToolChunk) {
        self.turn.emit(match chunk {
            ToolChunk::Output { content } => {
                EventKind::ToolResultDelta { id: call.id.clone(), name: call.name.clone(), delta: content }
            }
            ToolChunk::Slot { key, value } => EventKind::Slot { call_id: call.id.clone(), key, value },
            ToolChunk::Inner { agent, name, event } => {
                EventKind::Inner { agent, name, call_id: call.id.clone(), event }
            }
            _ => return,
        });
    }
}

/// Whether `next` may run together with `batch`: all of them say so, and no two share a slot.
fn joins(batch: &[(ToolCall, Ready)], equipment: &Equipment, next: &ToolCall) -> bool {
    let Some((_, next)) = equipment.find(&next.name) else { return false };
    let alone = |slots: &[agentscope_core::Name]| slots.iter().all(|slot| !next.slots.contains(slot));
    next.runs_beside_others()
        && batch.iter().all(|(_, ready)| ready.spec.runs_beside_others() && alone(&ready.spec.slots))
}

/// The one result of a call, whatever became of it. Success means that the tool ran to its end.
fn result(run: Run, ended: Ended) -> ToolResult {
    let mut output = run.output;
    let (state, text) = match ended {
        Ended::Done => (ToolState::Success, None),
        Ended::Failed(error) => (ToolState::Error, Some(format!("Error: {}", with_causes(&error)))),
        Ended::Panicked => {
            (ToolState::Error, Some("Error: the tool panicked; what it did until then is unknown".to_owned()))
        }
        Ended::TimedOut(limit) => (
            ToolState::Error,
            Some(format!("Error: timed out after {}: what it did until then is unknown", seconds(limit))),
        ),
        Ended::Interrupted => {
            (ToolState::Interrupted, Some("The tool call has been interrupted by the user.".to_owned()))
        }
    };
    output.extend(text.map(ContentBlock::text));
    ToolResult::new(run.call.id, run.call.name, state, output)
}

fn seconds(limit: Duration) -> String {
    if limit.as_secs() > 0 {
        format!("{} s", limit.as_secs_f64())
    } else {
        format!("{} ms", limit.as_millis())
    }
}

fn with_causes(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let more = next.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = next.source();
    }
    text
}
