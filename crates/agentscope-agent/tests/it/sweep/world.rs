//! What is around the agent in a random conversation: a model, tools and a store that do what the seed says.

use agentscope_agent::ReActAgent;
use agentscope_core::{
    AgentState, BoxFuture, Change, ChatModel, Context, Error, ErrorKind, FINISH_TOOL, FinishReason, InboxSeq,
    MemoryStore, Middleware, ModelCard, ModelDelta, ModelRequest, ModelStream, Msg, Next, Permission,
    PermissionRequest, Result, SessionFilter, SessionKey, StateStore, Stored, Tool, ToolChunk, ToolRequest,
    ToolSpec, ToolStream, Usage, Version,
};
use futures_util::{StreamExt, stream};
use serde_json::json;
use std::{
    collections::BTreeMap,
    fmt::Arguments,
    sync::{Arc, Mutex},
    time::Duration,
};

/// Everything that is random, and the log of what was done.
pub(super) struct World {
    seed: u64,
    random: Mutex<u64>,
    log: Mutex<Vec<String>>,
    runs: Mutex<BTreeMap<u64, Runs>>,
    calm: Mutex<bool>,
    mood: Mutex<Mood>,
    fails: bool,
    doubtful: bool,
    layered: bool,
    pub(super) store: Option<MemoryStore>,
}

#[derive(Default, Debug)]
struct Runs {
    tool: String,
    began: usize,
    ended: usize,
}

/// How many in a hundred calls of the store go wrong, and how slow the others are.
#[derive(Clone, Copy, Default)]
pub(super) struct Mood {
    fails: u64,
    /// Of those that fail, some do it after the work is done.
    doubtful: bool,
    slow: u64,
}

impl World {
    pub(super) fn new(seed: u64) -> Arc<Self> {
        let world = Self {
            seed,
            random: Mutex::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
            log: Mutex::default(),
            runs: Mutex::default(),
            calm: Mutex::new(false),
            mood: Mutex::default(),
            fails: false,
            doubtful: false,
            layered: false,
            store: None,
        };
        let store = world.chance(75).then(MemoryStore::new);
        let fails = if store.is_some() && world.chance(30) { world.up_to(60) } else { 0 };
        let doubtful = fails > 0 && world.chance(50);
        let slow = if store.is_some() && world.chance(40) { world.up_to(40) } else { 0 };
        let layered = world.chance(30);
        let mood = Mutex::new(Mood { fails, doubtful, slow });
        Arc::new(Self { store, fails: fails > 0, doubtful, layered, mood, ..world })
    }

    /// A number below `limit`.
    pub(super) fn up_to(&self, limit: u64) -> u64 {
        let mut state = self.random.lock().unwrap();
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        (state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % limit.max(1)
    }

    pub(super) fn chance(&self, percent: u64) -> bool {
        self.up_to(100) < percent
    }

    /// A text that is used once.
    pub(super) fn word(&self, kind: &str) -> String {
        format!("{kind}-{}", self.number())
    }

    fn number(&self) -> u64 {
        let mut runs = self.runs.lock().unwrap();
        let number = runs.len() as u64;
        runs.insert(number, Runs::default());
        number
    }

    pub(super) fn note(&self, text: String) {
        self.log.lock().unwrap().push(text);
    }

    pub(super) fn log(&self) -> String {
        format!(
            "store {}, fails {}, doubtful {}, layered {}\n  {}",
            self.store.is_some(),
            self.fails,
            self.doubtful,
            self.layered,
            self.log.lock().unwrap().join("\n  ")
        )
    }

    #[track_caller]
    pub(super) fn broken(&self, law: Arguments<'_>) -> ! {
        panic!("seed {}: {law}", self.seed);
    }

    pub(super) fn is_doubtful(&self) -> bool {
        self.doubtful
    }

    pub(super) fn is_moody(&self) -> bool {
        self.fails
    }

    pub(super) fn heal(&self) -> Mood {
        std::mem::take(&mut self.mood.lock().unwrap())
    }

    pub(super) fn mood(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    /// From now on all is well.
    pub(super) fn calm(&self) {
        self.heal();
        *self.calm.lock().unwrap() = true;
    }

    pub(super) fn has_ended(&self, n: u64) -> bool {
        self.runs.lock().unwrap().get(&n).is_some_and(|runs| runs.ended > 0)
    }

    pub(super) fn check_runs(&self) {
        for (n, runs) in &*self.runs.lock().unwrap() {
            let again = ["look", "again", "stream"].contains(&runs.tool.as_str());
            if runs.began > 1 && !again {
                self.broken(format_args!("call {n} ran twice: {runs:?}"));
            }
        }
    }

    /// The state as it is kept.
    pub(super) async fn state(&self, agent: &ReActAgent) -> AgentState {
        match &self.store {
            Some(store) => {
                let stored = store.load(agent.mailbox().key()).await.unwrap();
                stored.map_or_else(|| AgentState::new(agent.mailbox().key().clone()), |it| it.state)
            }
            None => agent.snapshot().await.unwrap(),
        }
    }

    /// What was told to another handle of the conversation and waits in the store.
    pub(super) async fn unread(&self, agent: &ReActAgent) -> Vec<String> {
        let Some(store) = &self.store else { return Vec::new() };
        let stored = store.load(agent.mailbox().key()).await.unwrap().unwrap_or_default();
        stored.inbox.iter().map(|(_, msg)| msg.text()).collect()
    }

    pub(super) fn agent(self: &Arc<Self>) -> ReActAgent {
        let mut agent = ReActAgent::new("A", Whim(Arc::clone(self), ModelCard::new("whim")))
            .id("a")
            .max_iters(4)
            .grace(Duration::from_millis(40))
            .tool_timeout(Duration::from_secs(2));
        for name in TOOLS {
            agent = agent.tool(Kind::new(self, name));
        }
        for name in ["do", "again", "slow", "fail", "panic", "burst", "hang", "note", "out"] {
            agent = agent.allow(name);
        }
        if self.layered {
            agent = agent.layer(Sluggish(Arc::clone(self)));
        }
        match &self.store {
            Some(store) => agent.store(Moody(Arc::clone(self), store.clone())).session("s"),
            None => agent,
        }
    }
}

const TOOLS: [&str; 12] =
    ["look", "ask", "do", "again", "slow", "fail", "panic", "burst", "hang", "note", "stream", "out"];

struct Kind {
    world: Arc<World>,
    spec: Arc<ToolSpec>,
}

impl Kind {
    fn new(world: &Arc<World>, name: &'static str) -> Self {
        let schema = json!({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]});
        let spec = ToolSpec::new(name, "Does something.", schema);
        let spec = match name {
            "look" | "stream" => spec.read_only(),
            "again" => spec.idempotent().parallel(true),
            "hang" => spec.timeout(Duration::from_millis(60)),
            "slow" => spec.parallel(true),
            "note" => spec.slot("notes"),
            "out" => spec.external(),
            _ => spec,
        };
        Self { world: Arc::clone(world), spec: Arc::new(spec) }
    }
}

impl Tool for Kind {
    fn spec(&self) -> Arc<ToolSpec> {
        Arc::clone(&self.spec)
    }

    fn call(&self, req: ToolRequest, cx: Context) -> ToolStream {
        let world = Arc::clone(&self.world);
        let n = req.input["n"].as_u64().unwrap();
        let name = req.name.to_string();
        if name == "burst" {
            boom();
        }
        let nap = Duration::from_millis(if world.chance(60) { world.up_to(30) } else { 0 });
        let long = Duration::from_millis(world.up_to(500));
        let work = async move {
            {
                let mut runs = world.runs.lock().unwrap();
                let run = runs.entry(n).or_default();
                run.began += 1;
                run.tool.clone_from(&name);
            }
            world.note(format!("  {name} {n} begins"));
            tokio::time::sleep(nap).await;
            let mut chunks = vec![ToolChunk::text(format!("{name} {n} "))];
            match name.as_str() {
                "slow" if n.is_multiple_of(2) => tokio::time::sleep(long).await,
                "slow" => tokio::select! {
                    () = tokio::time::sleep(long) => {}
                    () = cx.interrupt().triggered() => return vec![Err(Error::new(ErrorKind::Tool, "stopped"))],
                },
                "fail" => return vec![Err(Error::new(ErrorKind::Tool, "it failed"))],
                "panic" => boom(),
                "hang" => std::future::pending().await,
                "note" => {
                    let mut notes = req.slots.get("notes").cloned().unwrap_or_else(|| json!([]));
                    notes.as_array_mut().unwrap().push(n.into());
                    chunks.push(ToolChunk::Slot { key: "notes".into(), value: notes });
                }
                "stream" => chunks.extend((0..20).map(|at| ToolChunk::text(format!("{at} ")))),
                "out" => world.broken(format_args!("an external tool was run")),
                _ => {}
            }
            world.runs.lock().unwrap().entry(n).or_default().ended += 1;
            chunks.into_iter().map(Ok).collect()
        };
        let streams = req.name == "stream";
        let paced = stream::once(work).flat_map(|items: Vec<Result<ToolChunk>>| stream::iter(items));
        Box::pin(paced.then(move |item| async move {
            if streams {
                tokio::time::sleep(Duration::from_millis(3)).await;
            }
            item
        }))
    }
}

/// A panic without a word on the screen.
fn boom() -> ! {
    std::panic::resume_unwind(Box::new("boom"))
}

/// A model that says and calls what comes to its mind.
struct Whim(Arc<World>, ModelCard);

impl Whim {
    fn answer(&self, req: &ModelRequest) -> Vec<Result<ModelDelta>> {
        let Self(world, _) = self;
        let mut deltas = Vec::new();
        let mut block = 0;
        if world.chance(30) {
            deltas.extend(pieces("Let me think.", |delta| ModelDelta::Thinking { block, delta }));
            block += 1;
        }
        if world.chance(60) {
            deltas.extend(pieces("So it is, you see.", |delta| ModelDelta::Text { block, delta }));
            block += 1;
        }
        let wants_output = req.tools.iter().any(|tool| tool.name == FINISH_TOOL);
        let calls = if world.chance(60) { world.up_to(5) } else { 0 };
        for _ in 0..calls {
            let n = world.number();
            let name = TOOLS[world.up_to(TOOLS.len() as u64) as usize];
            let (name, input) = match world.up_to(30) {
                0 => ("nope", json!({"n": n}).to_string()),
                1 => (name, "{\"n\":".to_owned()),
                2 => (name, "{}".to_owned()),
                3 => (FINISH_TOOL, json!({"ok": true}).to_string()),
                4..10 if wants_output => {
                    (FINISH_TOOL, json!({"ok": world.chance(70).then_some(true)}).to_string())
                }
                _ => (name, json!({"n": n}).to_string()),
            };
            let id = match world.up_to(12) {
                0 => String::new(),
                1 => format!("c{n}"),
                _ => format!("c{block}"),
            };
            deltas.extend(pieces(&input, |delta| ModelDelta::ToolCall {
                block,
                id: id.as_str().into(),
                name: name.into(),
                delta,
            }));
            block += 1;
        }
        let reason = if world.chance(5) { FinishReason::Length } else { FinishReason::Stop };
        deltas.push(ModelDelta::Usage(Usage::new(10, 5)));
        deltas.push(ModelDelta::Finish { reason });
        let mut deltas: Vec<_> = deltas.into_iter().map(Ok).collect();
        if world.chance(4) {
            deltas.truncate(world.up_to(deltas.len() as u64) as usize);
            deltas.push(Err(Error::new(ErrorKind::Unavailable, "the model is away")));
        }
        deltas
    }
}

fn pieces(text: &str, delta: impl Fn(String) -> ModelDelta) -> Vec<ModelDelta> {
    let chars: Vec<char> = text.chars().collect();
    chars.chunks(7).map(|piece| delta(piece.iter().collect())).collect()
}

impl ChatModel for Whim {
    fn card(&self) -> &ModelCard {
        &self.1
    }
    fn call(&self, req: ModelRequest, _: Context) -> ModelStream {
        let world = Arc::clone(&self.0);
        if *world.calm.lock().unwrap() {
            let end = ModelDelta::Finish { reason: FinishReason::Stop };
            return Box::pin(stream::iter([Ok(ModelDelta::text("fine")), Ok(end)]));
        }
        let answer = self.answer(&req);
        let most = if world.chance(70) { world.up_to(20) } else { 0 };
        Box::pin(stream::iter(answer).then(move |delta| {
            let nap = Duration::from_millis(world.up_to(most + 1));
            async move {
                if !nap.is_zero() {
                    tokio::time::sleep(nap).await;
                }
                delta
            }
        }))
    }
}

/// A middleware that passes all on, permissions after a while.
struct Sluggish(Arc<World>);

impl Middleware for Sluggish {
    fn name(&self) -> &str {
        "sluggish"
    }
    fn on_permission(
        &self,
        req: PermissionRequest,
        cx: Context,
        next: Next<PermissionRequest, BoxFuture<'static, Result<Permission>>>,
    ) -> BoxFuture<'static, Result<Permission>> {
        let nap = Duration::from_millis(self.0.up_to(20));
        // An external tool may ask, too.
        let asks = self.0.chance(20);
        Box::pin(async move {
            tokio::time::sleep(nap).await;
            if asks { Ok(Permission::Ask) } else { next.run(req, cx).await }
        })
    }
}

/// A store that fails and dawdles.
struct Moody(Arc<World>, MemoryStore);

impl Moody {
    async fn go<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let world = &self.0;
        let mood = *world.mood.lock().unwrap();
        if world.chance(mood.slow) {
            let long = if world.chance(5) { 11_000 } else { 30 };
            tokio::time::sleep(Duration::from_millis(world.up_to(long))).await;
        }
        let away = || Error::new(ErrorKind::Unavailable, "the store is away");
        if world.chance(mood.fails) {
            if mood.doubtful && world.chance(50) {
                work.await?;
            }
            return Err(away());
        }
        let done = work.await;
        if world.chance(mood.slow) {
            tokio::time::sleep(Duration::from_millis(world.up_to(20))).await;
        }
        done
    }
}

#[async_trait::async_trait]
impl StateStore for Moody {
    async fn load(&self, key: &SessionKey) -> Result<Option<Stored>> {
        self.go(self.1.load(key)).await
    }
    async fn commit(&self, key: &SessionKey, expected: Version, changes: &[Change]) -> Result<Version> {
        self.go(async {
            let version = self.1.commit(key, expected, changes).await?;
            Ok(version)
        })
        .await
    }
    async fn enqueue(&self, key: &SessionKey, msgs: &[Arc<Msg>]) -> Result<InboxSeq> {
        self.go(self.1.enqueue(key, msgs)).await
    }
    async fn list(&self, filter: &SessionFilter) -> Result<Vec<SessionKey>> {
        self.1.list(filter).await
    }
    async fn fork(&self, from: &SessionKey, to: &SessionKey) -> Result<()> {
        self.1.fork(from, to).await
    }
    async fn rewind(&self, key: &SessionKey, to: Version) -> Result<Version> {
        self.1.rewind(key, to).await
    }
    async fn delete(&self, key: &SessionKey) -> Result<bool> {
        self.1.delete(key).await
    }
}
