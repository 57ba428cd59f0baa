//! The laws of the design, each by its number. What would break without each is told in `ARCHITECTURE.md`.

use crate::support::{Probe, echo, results};
use agentscope_agent::ReActAgent;
use agentscope_core::{
    Agent, AgentExt, AgentState, BoxFuture, CallState, Change, ChatModel, ContentBlock, Context, ErrorKind,
    Event, EventKind, Finish, FinishReason, Host, Input, MemoryStore, Middleware, ModelCard, ModelDelta,
    ModelRequest, ModelStream, Msg, Next, ReplyRequest, Result, Role, ScriptedModel, SessionKey, StateStore,
    Step, Tool, ToolChunk, ToolRequest, ToolSpec, ToolState, ToolStream, Version, agent_fn, model_fn,
    testing::{Line, call, say},
};
use futures_util::{StreamExt, stream};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

/// What is left of a value that crossed a wire.
fn wired<T: Serialize + DeserializeOwned>(value: &T) -> T {
    serde_json::from_str(&serde_json::to_string(value).unwrap()).unwrap()
}

/// A model or a tool that lives behind a wire: requests and items cross it as JSON.
struct Wired<T>(T);

impl ChatModel for Wired<ScriptedModel> {
    fn card(&self) -> &ModelCard {
        self.0.card()
    }
    fn call(&self, req: ModelRequest, cx: Context) -> ModelStream {
        Box::pin(self.0.call(wired(&req), cx).map(|delta| delta.map(|delta: ModelDelta| wired(&delta))))
    }
}

impl Tool for Wired<Probe> {
    fn spec(&self) -> Arc<ToolSpec> {
        Arc::new(wired(&*self.0.spec()))
    }
    fn call(&self, req: ToolRequest, cx: Context) -> ToolStream {
        Box::pin(self.0.call(wired(&req), cx).map(|chunk| chunk.map(|chunk: ToolChunk| wired(&chunk))))
    }
}

/// Counts how often each verb went through it.
#[derive(Clone, Default)]
struct Counting(Arc<Mutex<Vec<&'static str>>>);

impl Middleware for Counting {
    fn name(&self) -> &str {
        "counting"
    }
    fn on_reply(
        &self,
        req: ReplyRequest,
        cx: Context,
        next: Next<ReplyRequest, agentscope_core::EventStream>,
    ) -> agentscope_core::EventStream {
        self.0.lock().unwrap().push("reply");
        next.run(wired(&req), cx)
    }
    fn on_model(&self, req: ModelRequest, cx: Context, next: Next<ModelRequest, ModelStream>) -> ModelStream {
        self.0.lock().unwrap().push("model");
        next.run(req, cx)
    }
    fn on_tool(&self, req: ToolRequest, cx: Context, next: Next<ToolRequest, ToolStream>) -> ToolStream {
        self.0.lock().unwrap().push("tool");
        next.run(req, cx)
    }
}

#[tokio::test]
async fn law_1_three_verbs_have_one_shape_and_each_may_live_across_a_wire() {
    let script =
        [Line::new().think("hm").say("Let me see.").call("c1", "echo", json!({"n": 1})), say("It said one.")];
    let counting = Counting::default();
    let near = ReActAgent::new("Friday", ScriptedModel::new(script.clone())).tool(echo());
    let far = ReActAgent::new("Friday", Wired(ScriptedModel::new(script)))
        .tool(Wired(echo()))
        .layer(counting.clone());
    let agents: [Arc<dyn Agent>; 2] = [Arc::new(near), Arc::new(far)];
    let mut contents = Vec::new();
    for agent in &agents {
        let mut events = agent.call(wired(&ReplyRequest::from(Input::from("hi"))), Context::new());
        let mut fold = Msg::new("", Role::Assistant, vec![]);
        while let Some(event) = events.next().await {
            fold.apply(&wired(&event.unwrap()));
        }
        contents.push(fold.content);
    }
    assert_eq!(contents[0], contents[1]);
    assert_eq!(*counting.0.lock().unwrap(), ["reply", "model", "tool", "model"]);
}

/// A store that takes a moment and remembers each commit.
#[derive(Clone, Default)]
struct Recording {
    inner: MemoryStore,
    commits: Arc<Mutex<Vec<Vec<Change>>>>,
}

#[async_trait::async_trait]
impl StateStore for Recording {
    async fn load(&self, key: &SessionKey) -> Result<Option<agentscope_core::Stored>> {
        self.inner.load(key).await
    }
    async fn commit(&self, key: &SessionKey, expected: Version, changes: &[Change]) -> Result<Version> {
        tokio::task::yield_now().await; // others may look meanwhile
        let version = self.inner.commit(key, expected, changes).await?;
        self.commits.lock().unwrap().push(changes.to_vec());
        Ok(version)
    }
    async fn enqueue(&self, key: &SessionKey, msgs: &[Arc<Msg>]) -> Result<agentscope_core::InboxSeq> {
        self.inner.enqueue(key, msgs).await
    }
    async fn list(&self, filter: &agentscope_core::SessionFilter) -> Result<Vec<SessionKey>> {
        self.inner.list(filter).await
    }
    async fn fork(&self, from: &SessionKey, to: &SessionKey) -> Result<()> {
        self.inner.fork(from, to).await
    }
    async fn rewind(&self, key: &SessionKey, to: Version) -> Result<Version> {
        self.inner.rewind(key, to).await
    }
    async fn delete(&self, key: &SessionKey) -> Result<bool> {
        self.inner.delete(key).await
    }
}

/// An agent with a rule for a model: a read-only call, then one that changes things, then words.
fn careful(look: &Probe, act: &Probe) -> ReActAgent {
    let model = model_fn(ModelCard::new("rule"), |req: ModelRequest| async move {
        Ok(match req.messages.last().map_or(0, |msg| msg.results().count()) {
            0 => {
                vec![ModelDelta::text("First I look. "), ModelDelta::tool_call(1, "c1", "look", r#"{"n":1}"#)]
            }
            1 => vec![ModelDelta::tool_call(0, "c2", "act", r#"{"n":2}"#)],
            _ => vec![ModelDelta::text("Done.")],
        })
    });
    ReActAgent::new("Careful", model).tool(look.clone()).tool(act.clone()).allow("act")
}

fn look() -> Probe {
    Probe::new("look", |_, _| async { Ok("seen".into()) }).with(ToolSpec::read_only)
}

fn act() -> Probe {
    Probe::new("act", |_, _| async { Ok("acted".into()) })
}

#[tokio::test]
async fn law_2_a_message_is_the_fold_of_its_events_and_a_state_the_fold_of_its_changes() {
    let store = Recording::default();
    let agent = careful(&look(), &act()).store(store.clone()).session("s");
    let mut events = agent.reply("go").stream();
    let mut seen: Vec<Event> = Vec::new();
    while let Some(event) = events.next().await {
        seen.push(event.unwrap());
    }
    let mut fold = Msg::new("", Role::Assistant, vec![]);
    seen.iter().for_each(|event| fold.apply(&wired(event)));
    let state = agent.snapshot().await.unwrap();
    assert_eq!(*state.context[1].msg, fold, "what was seen is what was saved");

    let mut replayed = AgentState::new(state.key.clone());
    for change in store.commits.lock().unwrap().iter().flatten() {
        replayed.apply(&wired(change));
    }
    assert_eq!(replayed, state, "a replay of the log is the state");
    let stored = store.load(&state.key).await.unwrap().unwrap();
    assert_eq!(stored.state, state, "and so is what the store has");
}

#[tokio::test]
async fn law_3_the_state_alone_says_what_comes_next_wherever_it_is_taken_up() {
    let store = Recording::default();
    let (looked, acted) = (look(), act());
    let agent = careful(&looked, &acted).store(store.clone()).session("s");
    agent.reply("go").await.unwrap();
    let commits = store.commits.lock().unwrap().clone();
    assert!(commits.len() >= 7, "each step, each start of a tool, each result: {}", commits.len());
    let mut state = AgentState::new(agent.mailbox().key().clone());
    for (at, commit) in commits.iter().enumerate() {
        commit.iter().for_each(|change| state.apply(change));
        let (looked, acted) = (look(), act());
        let heir = careful(&looked, &acted).resumed(wired(&state));
        let before = Step::of(&state);
        if state.open.is_none() {
            assert_eq!((at, before), (commits.len() - 1, Step::End(Finish::Completed)));
            continue;
        }
        let msg = heir.reply(Input::Continue).await.unwrap();
        assert_eq!(
            (msg.text().as_str(), &msg.finish),
            ("Done.", &Some(Finish::Completed)),
            "taken up after commit {at}, at {before:?}"
        );
        assert!(heir.snapshot().await.unwrap().is_well_formed());
    }
}

#[tokio::test(start_paused = true)]
async fn law_4_dropping_a_stream_interrupts_and_never_aborts() {
    let cleaned = Probe::new("clean", |_, cx: Context| async move {
        cx.interrupt().triggered().await;
        tokio::time::sleep(Duration::from_millis(500)).await; // within its grace
        Ok("cleaned up".into())
    });
    let model = ScriptedModel::new([call("c1", "clean", json!({})), say("next")]);
    let agent = ReActAgent::new("Friday", model).tool(cleaned.clone()).allow("clean");
    let mut events = agent.reply("go").stream();
    while let Some(Ok(event)) = events.next().await {
        if matches!(event.kind, EventKind::ToolCallState { state: CallState::Started, .. }) {
            break;
        }
    }
    tokio::task::yield_now().await;
    drop(events);
    let state = agent.snapshot().await.unwrap();
    assert_eq!(cleaned.runs(), (1, 1), "the tool came to its own end");
    assert_eq!(state.context[1].msg.finish, Some(Finish::Interrupted));
    assert!(state.is_well_formed());
    assert_eq!(agent.reply("again").await.unwrap().text(), "next");
}

/// The state in which a process left a call that it had started.
async fn crashed_while(tool: &str, spec: fn(ToolSpec) -> ToolSpec) -> (Probe, Msg) {
    let store = Recording::default();
    let probe = Probe::new(tool, |_, _| async { Ok("ran".into()) }).with(spec);
    let script = || [call("c1", "act", json!({})), say("Done.")];
    let agent = ReActAgent::new("A", ScriptedModel::new(script()))
        .tool(probe.clone())
        .allow("act")
        .store(store.clone())
        .session("s");
    agent.reply("go").await.unwrap();
    let mut state = AgentState::new(agent.mailbox().key().clone());
    for change in store.commits.lock().unwrap().iter().flatten() {
        state.apply(change);
        let started = matches!(change, Change::Event { event } if matches!(event.kind, EventKind::ToolCallState { state: CallState::Started, .. }));
        if started {
            break;
        }
    }
    assert!(matches!(Step::of(&state), Step::Recover(_)));
    let [_, last] = script();
    let heir =
        ReActAgent::new("A", ScriptedModel::new([last])).tool(probe.clone()).allow("act").resumed(state);
    let msg = heir.reply(Input::Continue).await.unwrap();
    (probe, msg)
}

#[tokio::test]
async fn law_6_a_started_call_is_run_again_only_if_that_does_no_harm_and_gets_one_result() {
    let (tool, msg) = crashed_while("act", |spec| spec).await;
    assert_eq!(tool.runs().0, 1, "never silently twice");
    let [(_, state, text)] = results(&msg).try_into().unwrap();
    assert_eq!(state, ToolState::Interrupted);
    assert!(text.contains("unknown"), "{text}");
    for again in [ToolSpec::read_only as fn(ToolSpec) -> ToolSpec, ToolSpec::idempotent] {
        let (tool, msg) = crashed_while("act", again).await;
        assert_eq!((tool.runs().0, results(&msg).len()), (2, 1));
        assert_eq!(results(&msg)[0].1, ToolState::Success);
    }
}

#[tokio::test]
async fn law_6_that_a_tool_started_is_saved_before_it_runs() {
    let store = Recording::default();
    let commits = store.commits.clone();
    let saved_before = Arc::new(Mutex::new(None));
    let (seen, log) = (saved_before.clone(), commits.clone());
    let tool = Probe::new("act", move |_, _| {
        let started = |change: &Change| matches!(change, Change::Event { event } if matches!(event.kind, EventKind::ToolCallState { state: CallState::Started, .. }));
        *seen.lock().unwrap() = Some(log.lock().unwrap().iter().flatten().any(started));
        async { Ok(String::new()) }
    });
    let model = ScriptedModel::new([call("c1", "act", json!({})), say("Done.")]);
    ReActAgent::new("A", model).tool(tool).allow("act").store(store).session("s").reply("go").await.unwrap();
    assert_eq!(*saved_before.lock().unwrap(), Some(true));
}

#[tokio::test(start_paused = true)]
async fn law_6_a_result_is_saved_when_it_comes_though_others_still_run() {
    let store = Recording::default();
    let slow = Probe::new("slow", |_, _| async {
        tokio::time::sleep(Duration::from_secs(60)).await;
        Ok("slow".into())
    });
    let line = Line::new().call("a", "look", json!({})).call("b", "slow", json!({}));
    let agent = ReActAgent::new("A", ScriptedModel::new([line, say("Done.")]))
        .tool(look())
        .tool(slow.with(ToolSpec::read_only))
        .store(store.clone())
        .session("s");
    let reply = agent.reply("go").start();
    tokio::time::sleep(Duration::from_secs(30)).await;
    let open = store.load(agent.mailbox().key()).await.unwrap().unwrap().state.open.unwrap();
    assert_eq!(results(&open.msg), [("a".into(), ToolState::Success, "seen".into())]);
    reply.await.unwrap();
}

#[tokio::test]
async fn law_6_the_end_is_seen_only_when_it_is_saved() {
    let store = Recording::default();
    let agent = ReActAgent::new("A", ScriptedModel::new([say("Done.")])).store(store.clone()).session("s");
    let mut events = agent.reply("go").stream();
    while let Some(event) = events.next().await {
        let ended = matches!(event.unwrap().kind, EventKind::ReplyEnd { .. });
        let stored = store.load(agent.mailbox().key()).await.unwrap();
        if ended {
            assert!(stored.unwrap().state.open.is_none(), "the end was seen before it was saved");
        }
    }
}

/// A model that streams a word again and again.
struct Endless(ModelCard, usize);

impl ChatModel for Endless {
    fn card(&self) -> &ModelCard {
        &self.0
    }
    fn call(&self, _: ModelRequest, _: Context) -> ModelStream {
        let end = stream::iter([Ok(ModelDelta::Finish { reason: FinishReason::Stop })]);
        let pieces = stream::iter(0..self.1).map(|n| {
            // Every third piece is a block of its own, so that joining alone does not help.
            Ok(ModelDelta::Text { block: n as u32 / 3, delta: "word ".into() })
        });
        Box::pin(pieces.chain(end))
    }
}

#[tokio::test]
async fn law_7_nobody_waits_for_a_slow_listener_and_what_it_has_not_read_is_bounded() {
    const PIECES: usize = 30_000;
    let agent = ReActAgent::new("Talker", Endless(ModelCard::new("endless"), PIECES));
    let held = agent.reply("go").stream().start();
    tokio::task::yield_now().await; // it begins
    let state = agent.snapshot().await.unwrap(); // the reply is over, though nobody read it
    let saved = state.context[1].msg.clone();
    let events: Vec<Event> = held.map(|event| event.unwrap()).collect().await;
    assert!(events.len() <= 1026, "{} events were kept", events.len());
    let mut fold = Msg::new("", Role::Assistant, vec![]);
    events.iter().for_each(|event| fold.apply(event));
    assert_eq!(fold.content, saved.content, "joined and shortened, but nothing is lost");
    assert!(matches!(events.last().unwrap().kind, EventKind::ReplyEnd { .. }));
}

#[tokio::test(start_paused = true)]
async fn law_7_queues_have_limits_that_are_reported() {
    let agent = agent_fn("Slow", |_, cx: Context| async move {
        cx.interrupt().triggered().await;
        Ok(Msg::assistant("Slow", "stopped"))
    });
    let running: Vec<_> = (0..1024).map(|_| agent.reply("go").start()).collect();
    tokio::task::yield_now().await;
    let refused = tokio::time::timeout(Duration::from_secs(60), agent.reply("one too many")).await;
    let refused = refused.expect("it is refused at once").unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unavailable);
    assert!(refused.retry_after().is_some(), "{refused}");
    drop(running);
    let many = (0..10_001).map(|n| Arc::new(Msg::user(n.to_string()))).collect();
    let full = agent.observe(many).await.unwrap_err();
    assert_eq!(full.kind(), ErrorKind::Exhausted);
}

#[test]
fn law_8_only_what_an_agent_says_leaves_it() {
    let reply = Msg::assistant("Friday", "Let me look.")
        .with(ContentBlock::thinking("a secret plan"))
        .with(agentscope_core::ToolCall::new("c1", "look", "{}"))
        .with(agentscope_core::ToolResult::success("c1", "look", "raw output"))
        .with(ContentBlock::thinking("another"))
        .with(ContentBlock::text("It is sunny."))
        .url("map.png");
    let spoken = reply.spoken();
    assert_eq!((spoken.content.len(), spoken.text().as_str()), (2, "It is sunny."));
    let text = serde_json::to_string(&spoken).unwrap();
    assert!(!["secret", "raw output", "Let me look"].iter().any(|inner| text.contains(inner)), "{text}");
}

#[tokio::test]
async fn law_8_a_listener_hears_only_what_was_said() {
    let model = ScriptedModel::new([call("c1", "echo", json!({"n": 7})), say("Seven.")]);
    let speaker = ReActAgent::new("Speaker", model).tool(echo());
    let listener = agent_fn("Listener", |msgs, _| async move {
        Ok(Msg::assistant("Listener", serde_json::to_string(&msgs[0].content)?))
    });
    let draft = speaker.reply("go").start();
    let heard = listener.reply(&draft).await.unwrap().text();
    assert!(heard.contains("Seven.") && !heard.contains("echo"), "{heard}");
}

#[test]
fn law_9_no_secret_in_a_log() {
    let host = Host::new().secret("OPENAI_API_KEY", "sk-very-secret");
    let shown = format!("{host:?} {:?}", host.find_secret("OPENAI_API_KEY").unwrap());
    assert!(!shown.contains("very-secret"), "{shown}");
    assert_eq!(host.find_secret("OPENAI_API_KEY").unwrap().expose(), "sk-very-secret");
}

#[allow(dead_code, reason = "the verbs have to stay object-safe")]
fn object_safe(
    _: &dyn Agent,
    _: &dyn ChatModel,
    _: &dyn Tool,
    _: &dyn Middleware,
    _: BoxFuture<'static, ()>,
) {
}
