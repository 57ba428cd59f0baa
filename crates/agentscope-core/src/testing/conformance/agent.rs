//! What every agent has to keep, whatever it is made of.

mod audience;

use crate::{
    agent::{Agent, AgentExt, Decision, Input, ReplyRequest},
    context::Context,
    error::{ErrorKind, Result},
    event::{Event, EventKind},
    message::{CallState, FINISH_TOOL, Finish, Msg, Role, ToolResult, ToolState},
    state::AgentState,
    stream::{EventStream, Probe},
};
use audience::Listener;
use futures_core::future::BoxFuture;
use futures_util::StreamExt;
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

/// Longest that anything in the suite may take. Run it in virtual time (`#[tokio::test(start_paused = true)]`).
const PATIENCE: Duration = Duration::from_secs(3600);

/// An agent under test, newly made for each check, and how to look into it.
pub struct Subject {
    agent: Arc<dyn Agent>,
    snapshot: Option<Arc<dyn Fn() -> BoxFuture<'static, Result<AgentState>> + Send + Sync>>,
    tool_ends: Option<Arc<dyn Fn() -> usize + Send + Sync>>,
    resume: Option<Arc<dyn Fn(AgentState) -> Subject + Send + Sync>>,
}

impl Subject {
    /// An agent that answers whatever it is told.
    pub fn new(agent: impl Agent) -> Self {
        Self { agent: Arc::new(agent), snapshot: None, tool_ends: None, resume: None }
    }

    /// How to see its state when no reply runs: what was seen has to be what was saved.
    #[must_use]
    pub fn snapshot<F, Fut>(mut self, snapshot: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<AgentState>> + Send + 'static,
    {
        self.snapshot = Some(Arc::new(move || Box::pin(snapshot())));
        self
    }

    /// How many runs of its tools came to their end: success has to mean that.
    #[must_use]
    pub fn tool_ends(mut self, count: impl Fn() -> usize + Send + Sync + 'static) -> Self {
        self.tool_ends = Some(Arc::new(count));
        self
    }

    /// How to make it go on from a state: every input is tried on every state of a call.
    #[must_use]
    pub fn resume(mut self, resume: impl Fn(AgentState) -> Subject + Send + Sync + 'static) -> Self {
        self.resume = Some(Arc::new(resume));
        self
    }

    async fn state(&self) -> Option<AgentState> {
        let snapshot = self.snapshot.as_ref()?;
        match patiently("the snapshot", snapshot()).await {
            Ok(state) => Some(state),
            Err(error) => broken(format_args!("the state can be read when no reply runs: {error}")),
        }
    }
}

/// Checks an agent; `make` makes a new one for each check. Panics with the law that is broken.
///
/// It is interrupted before every poll of its task, dropped after every event, held without being read, asked twice at once, and
/// given every input in every state of a call. Its audience, if it has one, listens meanwhile. Run it in virtual time.
///
/// ```
/// use agentscope_core::{Msg, agent_fn, testing::conformance::{Subject, agent}};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
/// agent(|| Subject::new(agent_fn("Echo", |_, _| async { Ok(Msg::assistant("Echo", "hello")) }))).await;
/// # });
/// ```
pub async fn agent(make: impl Fn() -> Subject) {
    a_reply_is_well_formed(&make()).await;
    an_interrupt_at_any_poll_leaves_good_state(&make).await;
    a_stream_dropped_anywhere_leaves_good_state(&make).await;
    a_stream_that_nobody_reads_holds_nobody_up(&make()).await;
    replies_queue_and_observing_does_not(&make()).await;
    an_agent_does_not_enter_itself(&make()).await;
    a_deadline_is_an_error(&make()).await;
    every_input_is_answered(&make).await;
}

async fn a_reply_is_well_formed(subject: &Subject) {
    let listener = Listener::of(&*subject.agent);
    let seen = listener.see(subject.agent.reply("hello").stream(), "a plain reply").await;
    if let Some(error) = seen.error {
        broken(format_args!("an agent answers whatever it is told: {error}"));
    }
    check(subject, &seen, "a plain reply").await;
}

async fn an_interrupt_at_any_poll_leaves_good_state(make: &impl Fn() -> Subject) {
    let count = Arc::new(Probe::default());
    see(make().agent.call(hello(), Context::new().with_probe(Arc::clone(&count)))).await;
    let polls = count.polls.load(Ordering::Relaxed);
    for at in 1..=polls {
        let subject = make();
        let probe = Arc::new(Probe { interrupt_at: at, ..Probe::default() });
        let place = format!("an interrupt before poll {at} of {polls}");
        let listener = Listener::of(&*subject.agent);
        let reply = subject.agent.call(hello(), Context::new().with_probe(probe));
        let seen = listener.see(reply, &place).await;
        if let Some(error) = &seen.error {
            broken(format_args!("an interrupted reply is no error, but {place} gave: {error}"));
        }
        check(&subject, &seen, &place).await;
        still_answers(&subject, &place).await;
    }
}

async fn a_stream_dropped_anywhere_leaves_good_state(make: &impl Fn() -> Subject) {
    let events = see(make().agent.reply("hello").stream()).await.events.len();
    for taken in 0..=events {
        let subject = make();
        let mut stream = subject.agent.reply("hello").stream();
        for _ in 0..taken {
            patiently("the next event", stream.next()).await;
        }
        drop(stream);
        let place = format!("a stream dropped after {taken} events");
        check_state(&subject, &place).await;
        still_answers(&subject, &place).await;
    }
}

async fn a_stream_that_nobody_reads_holds_nobody_up(subject: &Subject) {
    let held = subject.agent.reply("hello").stream().start();
    still_answers(subject, "a stream that is held and not read").await;
    let seen = see(held).await;
    check_events(&seen, "a stream that was read when all was over");
    drop(subject.agent.reply("never polled").stream());
}

async fn replies_queue_and_observing_does_not(subject: &Subject) {
    let first = subject.agent.reply("first").start();
    let second = subject.agent.reply("second").start();
    let heard = subject.agent.observe(vec![Arc::new(Msg::user("psst"))]);
    if let Err(error) = patiently("observe, which never waits for a reply", heard).await {
        broken(format_args!("an agent hears while it works: {error}"));
    }
    for reply in [first, second] {
        if let Err(error) =
            patiently("one of two replies asked for at once", std::future::IntoFuture::into_future(reply))
                .await
        {
            broken(format_args!("two replies asked for at once are both given: {error}"));
        }
    }
    check_state(subject, "two replies asked for at once").await;
}

async fn an_agent_does_not_enter_itself(subject: &Subject) {
    let card = subject.agent.card();
    let session = match subject.state().await {
        Some(state) => crate::state::session_of(&state.key),
        None => crate::Name::default(),
    };
    let Ok(inside) = Context::new().enter(&card.id, &session) else { return };
    let refused = patiently(
        "a call of an agent by itself",
        subject.agent.reply("hello").within(&inside).stream().collect::<Vec<_>>(),
    )
    .await;
    match refused.as_slice() {
        [Err(error)] if error.kind() == ErrorKind::Conflict => {}
        other => broken(format_args!(
            "an agent that is asked while it answers, by itself, refuses as a conflict: {other:?}"
        )),
    }
}

async fn a_deadline_is_an_error(subject: &Subject) {
    let listener = Listener::of(&*subject.agent);
    let reply = subject.agent.reply("hello").deadline(Duration::ZERO).stream();
    let seen = listener.see(reply, "a deadline that had passed").await;
    match &seen.error {
        Some(error) if error.kind() != ErrorKind::Timeout => {
            broken(format_args!("an elapsed deadline is a timeout: {error}"));
        }
        _ => check_state(subject, "a deadline that had passed").await,
    }
    still_answers(subject, "a deadline that had passed").await;
}

fn inputs() -> Vec<(&'static str, Input)> {
    vec![
        ("Continue", Input::Continue),
        ("Messages", Input::from("and now?")),
        ("no messages", Input::Messages(Vec::new())),
        ("a decision about an unknown call", Input::from(Decision::allow("unknown"))),
        ("no decisions", Input::Decisions(Vec::new())),
        ("a result of an unknown call", Input::from(ToolResult::success("unknown", "unknown", "x"))),
        ("no results", Input::Results(Vec::new())),
        ("Abort", Input::Abort),
    ]
}

async fn every_input_is_answered(make: &impl Fn() -> Subject) {
    for (name, input) in inputs() {
        let subject = make();
        answered(&subject, input, &format!("{name} to an idle agent")).await;
    }
    let waiting = make();
    let Some(resume) = waiting.resume.clone() else { return };
    see(waiting.agent.reply("hello").stream()).await;
    let Some(state) = waiting.state().await.filter(|state| state.open.is_some()) else { return };
    let calls: Vec<_> =
        state.open.iter().flat_map(|open| open.msg.open_calls().map(|call| call.id.clone())).collect();
    let states = [
        CallState::Pending,
        CallState::Asking,
        CallState::Allowed,
        CallState::Started,
        CallState::Submitted,
        CallState::Other("new".into()),
    ];
    for call_state in states {
        let mut edited = state.clone();
        if let Some(open) = &mut edited.open {
            let msg = Arc::make_mut(&mut open.msg);
            msg.set_call_states(&call_state);
            msg.finish =
                matches!(call_state, CallState::Asking | CallState::Submitted).then_some(Finish::Waiting);
        }
        let about = calls.iter().flat_map(|call| {
            [
                ("a yes", Input::from(Decision::allow(call.clone()))),
                ("a no", Input::from(Decision::deny(call.clone()))),
                ("an edit that is no JSON", Input::from(Decision::allow(call.clone()).edited("{"))),
                ("a result", Input::from(ToolResult::success(call.clone(), "any", "done outside"))),
            ]
        });
        for (name, input) in inputs().into_iter().chain(about) {
            let subject = resume(edited.clone());
            answered(&subject, input, &format!("{name} to an agent whose calls are {call_state:?}")).await;
        }
    }
}

async fn answered(subject: &Subject, input: Input, place: &str) {
    let before = subject.state().await;
    let listener = Listener::of(&*subject.agent);
    let seen = listener.see(subject.agent.reply(input).stream(), place).await;
    if seen.events.is_empty() && seen.error.is_none() {
        broken(format_args!("a reply has a beginning and an end, or an error: {place}"));
    }
    if seen.events.is_empty() {
        if subject.state().await != before {
            broken(format_args!("a request that is refused changes nothing: {place}"));
        }
    } else {
        check(subject, &seen, place).await;
    }
    still_answers(subject, place).await;
}

async fn still_answers(subject: &Subject, place: &str) {
    if let Err(error) =
        patiently("the next reply", std::future::IntoFuture::into_future(subject.agent.reply("again"))).await
    {
        broken(format_args!("the next reply works after {place}: {error}"));
    }
    check_state(subject, place).await;
}

fn hello() -> ReplyRequest {
    ReplyRequest::from(Input::from("hello"))
}

/// What a reader saw of a reply.
struct Seen {
    events: Vec<Event>,
    error: Option<crate::Error>,
    fold: Msg,
}

async fn see(stream: EventStream) -> Seen {
    see_each(stream, |_| ()).await
}

async fn see_each(mut stream: EventStream, mut look: impl FnMut(&Event)) -> Seen {
    let mut seen = Seen { events: Vec::new(), error: None, fold: Msg::new("", Role::Assistant, Vec::new()) };
    while let Some(item) = patiently("the next event", stream.next()).await {
        match item {
            Ok(event) => {
                if seen.error.is_some() {
                    broken(format_args!("nothing comes after the error of a reply: {event:?}"));
                }
                look(&event);
                seen.fold.apply(&event);
                seen.events.push(event);
            }
            Err(error) => seen.error = Some(error),
        }
    }
    seen
}

fn check_events(seen: &Seen, place: &str) {
    let (Some(first), Some(last)) = (seen.events.first(), seen.events.last()) else { return };
    let begins = matches!(
        first.kind,
        EventKind::ReplyStart { .. } | EventKind::Resumed { .. } | EventKind::Rewind { .. }
    );
    if !begins {
        broken(format_args!(
            "a reply begins with its start, or with what it is so far: {place} began with {first:?}"
        ));
    }
    let EventKind::ReplyEnd { finish, .. } = &last.kind else {
        broken(format_args!("a reply ends with its end: {place} ended with {last:?}"));
    };
    if matches!(finish, Finish::Failed(_)) != seen.error.is_some() {
        broken(format_args!(
            "a reply that failed says so in its end and then as an error: {place}, {finish:?}, {:?}",
            seen.error
        ));
    }
    let ends = seen.events.iter().filter(|event| matches!(event.kind, EventKind::ReplyEnd { .. })).count();
    if ends != 1 {
        broken(format_args!("a reply ends once: {place} ended {ends} times"));
    }
    for (before, after) in seen.events.iter().zip(seen.events.iter().skip(1)) {
        if (after.epoch, after.seq) <= (before.epoch, before.seq) || after.reply_id != before.reply_id {
            broken(format_args!("the events of a reply are in order: {place}, {before:?} then {after:?}"));
        }
    }
    if *finish != Finish::Waiting {
        each_call_has_one_result(&seen.fold, place);
    }
}

fn each_call_has_one_result(msg: &Msg, place: &str) {
    for call in msg.calls() {
        let results = msg.results().filter(|result| result.id == call.id);
        let states: Vec<_> = results.map(|result| result.state.clone()).collect();
        if states.len() != 1 || states.contains(&ToolState::Running) {
            broken(format_args!(
                "every tool call gets exactly one result: {place}, `{}` has {states:?}",
                call.id
            ));
        }
    }
}

async fn check(subject: &Subject, seen: &Seen, place: &str) {
    check_events(seen, place);
    let Some(state) = subject.state().await else { return };
    if !seen.events.is_empty() {
        let saved = match &state.open {
            Some(open) => Some(&open.msg),
            None => state.messages().find(|msg| msg.id == seen.fold.id),
        };
        match saved {
            Some(saved)
                if saved.content == seen.fold.content
                    && saved.finish == seen.fold.finish
                    && saved.output == seen.fold.output => {}
            saved => broken(format_args!(
                "what was seen is what was saved: {place}\nseen: {:?}\nsaved: {saved:?}",
                seen.fold
            )),
        }
    }
    check_state(subject, place).await;
}

async fn check_state(subject: &Subject, place: &str) {
    let Some(state) = subject.state().await else { return };
    if !state.is_well_formed() {
        broken(format_args!("every tool call gets exactly one result: {place} left {state:?}"));
    }
    if let Some(open) = &state.open
        && open.msg.finish != Some(Finish::Waiting)
    {
        broken(format_args!("a reply is closed when it is over: {place} left {open:?}"));
    }
    let Some(tool_ends) = &subject.tool_ends else { return };
    let msgs = state.messages().chain(state.open.iter().map(|open| &open.msg));
    let success = |result: &&ToolResult| {
        result.state == ToolState::Success && result.name != FINISH_TOOL && result.text() != "done outside"
    };
    let successes: usize = msgs.map(|msg| msg.results().filter(success).count()).sum();
    if successes > tool_ends() {
        broken(format_args!(
            "success means that the tool ran to its end: {place}, {successes} successes, {} ends",
            tool_ends()
        ));
    }
}

async fn patiently<F: Future>(what: &str, work: F) -> F::Output {
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(output) => output,
        Err(_) => broken(format_args!(
            "nothing waits for ever, but {what} did not come in {} s",
            PATIENCE.as_secs()
        )),
    }
}

/// Fails the suite with the law that is broken.
#[track_caller]
fn broken(law: std::fmt::Arguments<'_>) -> ! {
    super::broken("every agent keeps the laws", law)
}
