//! The queue of what is to be written, and the thread that writes it.

use super::{folded::Folded, redact::Redaction, write_private};
use agentscope_core::{Error, Failure, ModelCard, ModelRequest, Msg, PathEntry, Role, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{
    collections::VecDeque,
    path::Path,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// Most calls that wait to be written (256). More than that are dropped, and counted.
const MOST_WAITING: usize = 256;

/// Most letters of a model's name in the name of a file.
const NAME_LENGTH: usize = 64;

/// One call of a model.
pub(super) struct Record {
    pub(super) number: u64,
    pub(super) timestamp: Timestamp,
    pub(super) duration: Duration,
    pub(super) first: Option<Duration>,
    pub(super) outcome: Outcome,
    pub(super) card: ModelCard,
    pub(super) path: Arc<[PathEntry]>,
    pub(super) request: ModelRequest,
    pub(super) answer: Folded,
    pub(super) error: Option<Error>,
}

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    Ended,
    Failed,
    /// Whoever read it went away, or was interrupted.
    Dropped,
}

/// What became of the log of a run.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// # let parent = tempfile::tempdir()?; let parent = parent.path();
/// let summary = agentscope_model::RunDir::create(parent)?.close().await?;
/// assert!(summary.is_complete());
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct RunSummary {
    /// Calls that were written.
    pub written: u64,
    /// Calls that were not, because too many waited or the run was closed.
    pub dropped: u64,
    /// Calls that were not, because the file system refused.
    pub failed: u64,
    /// What it said first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

impl RunSummary {
    /// Whether each call was written.
    pub fn is_complete(&self) -> bool {
        self.dropped == 0 && self.failed == 0
    }
}

pub(super) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    records: VecDeque<Record>,
    most: usize,
    numbered: u64,
    dropped: u64,
    closed: bool,
}

impl Queue {
    pub(super) fn new() -> Self {
        let state = State { most: MOST_WAITING, ..State::default() };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    pub(super) fn most_waiting(&self, most: usize) {
        self.state().most = most;
    }

    /// Numbers the calls in the order in which they begin, from 1.
    pub(super) fn number(&self) -> u64 {
        let mut state = self.state();
        state.numbered += 1;
        state.numbered
    }

    pub(super) fn push(&self, record: Record) {
        let mut state = self.state();
        if state.closed || state.records.len() >= state.most {
            state.dropped += 1;
            drop(state); // the record is freed when the queue is
            return;
        }
        state.records.push_back(record);
        drop(state);
        self.changed.notify_one();
    }

    pub(super) fn close(&self) {
        self.state().closed = true;
        self.changed.notify_one();
    }

    /// The next one; `None` when it is closed and empty.
    fn pop(&self) -> Option<Record> {
        let state = self.state();
        let waiting = |state: &mut State| state.records.is_empty() && !state.closed;
        self.changed.wait_while(state, waiting).unwrap_or_else(PoisonError::into_inner).records.pop_front()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes until the queue is closed and empty, and says at the end what became of it.
pub(super) fn write_all(queue: &Queue, redaction: &Redaction, path: &Path) -> RunSummary {
    let mut summary = RunSummary::default();
    while let Some(record) = queue.pop() {
        let file = path.join("invoke").join(file_name(&record));
        match write_private(&file, &redaction.of(as_json(record))) {
            Ok(()) => summary.written += 1,
            Err(error) => {
                summary.failed += 1;
                summary.failure.get_or_insert_with(|| format!("{}: {error}", file.display()));
            }
        }
    }
    summary.dropped = queue.state().dropped;
    if let Err(error) = write_private(&path.join("summary.json"), &json!(summary)) {
        summary.failure.get_or_insert_with(|| format!("summary.json: {error}"));
    }
    summary
}

fn file_name(record: &Record) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '_');
    let name = record.card.name.chars().take(NAME_LENGTH);
    let name: String = name.map(|letter| if is_plain(letter) { letter } else { '-' }).collect();
    format!("{:06}_{name}.json", record.number)
}

fn as_json(record: Record) -> Value {
    let Record { number, timestamp, duration, first, outcome, card, path, request, answer, error } = record;
    let millis = |duration: Duration| (duration.as_secs_f64() * 1e6).round() / 1e3;
    let (usage, finish) = (answer.usage, answer.finish.clone());
    let mut message = Msg::new(request.speaker.clone(), Role::Assistant, answer.into_content());
    message.usage = usage;
    json!({
        "number": number,
        "timestamp": timestamp,
        "duration_ms": millis(duration),
        "first_piece_ms": first.map(millis),
        "outcome": outcome,
        "error": error.as_ref().map(Failure::from),
        "finish": finish,
        "usage": usage,
        "path": path,
        "model": card,
        "request": request,
        "answer": message,
    })
}
