//! Agents of the tests of pipelines, which can be looked into when all is over.

use crate::support::{Probe, speaker};
use agentscope_agent::{Fanout, ForLoop, ReActAgent, Sequential};
use agentscope_core::{
    Agent, AgentCard, BoxFuture, Context, Error, ErrorKind, EventStream, ModelCard, ModelDelta, ModelRequest,
    Msg, ReplyRequest, Result, model_fn,
};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

/// All agents that were made, and how many of their tools run.
#[derive(Clone, Default)]
pub(super) struct Cast {
    made: Arc<Mutex<Vec<(ReActAgent, Probe)>>>,
    running: Arc<AtomicUsize>,
}

/// A tool is running.
struct Running(Arc<AtomicUsize>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Cast {
    /// Calls a tool that takes so many milliseconds and does not stop when it is told to, another one that does, and then speaks.
    pub(super) fn busy(&self, name: &'static str, ms: u64) -> ReActAgent {
        let running = Arc::clone(&self.running);
        let work = Probe::new("work", move |req, cx: Context| {
            running.fetch_add(1, Ordering::SeqCst);
            let guard = Running(Arc::clone(&running));
            async move {
                let _guard = guard;
                let stops = req.input.get("n").is_some();
                tokio::select! {
                    () = tokio::time::sleep(Duration::from_millis(ms)) => Ok("worked".into()),
                    () = cx.interrupt().triggered(), if stops => Err(Error::new(ErrorKind::Tool, "stopped")),
                }
            }
        });
        let model = model_fn(ModelCard::new("busy"), move |req: ModelRequest| async move {
            tokio::time::sleep(Duration::from_millis(1)).await;
            Ok(match req.messages.last().map_or(0, |msg| msg.results().count()) {
                0 => vec![
                    ModelDelta::text("Let me see."),
                    ModelDelta::tool_call(1, "a", "work", "{}"),
                    ModelDelta::tool_call(2, "b", "work", r#"{"n": 1}"#),
                ],
                _ => vec![ModelDelta::text(format!("{name} is done."))],
            })
        });
        let agent = ReActAgent::new(name, model).tool(work.clone()).allow("work");
        self.made.lock().unwrap().push((agent.clone(), work));
        agent
    }

    pub(super) fn running(&self) -> usize {
        self.running.load(Ordering::SeqCst)
    }

    /// How many runs of tools came to their end.
    pub(super) fn ended(&self) -> usize {
        self.made.lock().unwrap().iter().map(|(_, work)| work.runs().1).sum()
    }

    /// Every agent's state is as it has to be between replies, and no tool runs.
    pub(super) async fn check(&self, place: &str) {
        assert_eq!(self.running(), 0, "a tool runs on after {place}");
        let made = self.made.lock().unwrap().clone();
        assert!(!made.is_empty());
        for (agent, _) in made {
            let state = tokio::time::timeout(Duration::from_millis(1), agent.snapshot()).await;
            let state =
                state.unwrap_or_else(|_| panic!("{} runs on after {place}", agent.card().name)).unwrap();
            assert!(state.is_well_formed(), "{place}: {state:?}");
            assert!(state.open.is_none(), "{place}: {:?}", state.open);
            assert_eq!(agent.mailbox().waiting(), 0, "{place}");
        }
    }
}

/// A sequence in a fan-out in a loop, with a slow one among them.
pub(super) fn nest(cast: &Cast) -> ForLoop {
    let slow = Sequential::new((&cast.busy("A", 2), &cast.busy("Slow", 12)));
    let quick = Sequential::new((&speaker("B"), &cast.busy("C", 3)));
    ForLoop::new(&Fanout::new((&slow, &quick)), 2)
}

/// Never begins, never ends, and does not hear that it shall.
#[derive(Clone)]
pub(super) struct Stubborn(AgentCard);

impl Stubborn {
    pub(super) fn new() -> Self {
        Self(AgentCard::new("Stubborn"))
    }
}

impl Agent for Stubborn {
    fn card(&self) -> &AgentCard {
        &self.0
    }
    fn call(&self, _: ReplyRequest, _: Context) -> EventStream {
        EventStream::wrap(futures_util::stream::pending())
    }
    fn observe(&self, _: Vec<Arc<Msg>>) -> BoxFuture<'static, Result<()>> {
        Box::pin(async { Ok(()) })
    }
}
