//! A suite that cannot fail proves nothing: each of these has one defect, and the suite names it.

mod audience;

use agentscope_core::{
    Change, ChatModel, Context, FinishReason, InboxSeq, MemoryStore, ModelCard, ModelDelta, ModelRequest,
    ModelStream, Msg, Result, SessionFilter, SessionKey, StateStore, Stored, Tool, ToolChunk, ToolRequest,
    ToolSpec, ToolStream, Usage, Version, testing::conformance,
};
use serde_json::{Value, json};
use std::sync::Arc;

#[derive(Clone, Copy, PartialEq)]
enum Defect {
    IgnoresExpected,
    LosesInbox,
    RedeliversInbox,
    MixesTenants,
    JoinsKeysByDots,
    DropsSlots,
    SplitsCommits,
    ForgetsRewind,
    ForksInbox,
    ListsOutOfOrder,
    KeepsDeleted,
}

/// A store around a good one, with a defect.
struct Broken {
    good: MemoryStore,
    defect: Defect,
}

impl Broken {
    fn key(&self, key: &SessionKey) -> SessionKey {
        match self.defect {
            Defect::MixesTenants => key.clone().tenant(""),
            Defect::JoinsKeysByDots => {
                SessionKey::new(format!("{}.{}.{}.{}", key.tenant, key.user, key.agent, key.session))
            }
            _ => key.clone(),
        }
    }

    async fn version(&self, key: &SessionKey) -> Result<Version> {
        Ok(self.good.load(key).await?.map_or(Version(0), |stored| stored.version))
    }
}

#[async_trait::async_trait]
impl StateStore for Broken {
    async fn load(&self, key: &SessionKey) -> Result<Option<Stored>> {
        let Some(mut stored) = self.good.load(&self.key(key)).await? else { return Ok(None) };
        stored.state.key = key.clone();
        if self.defect == Defect::RedeliversInbox && stored.state.taken > InboxSeq(0) {
            stored.inbox.insert(0, (stored.state.taken, Msg::user("again").into()));
        }
        Ok(Some(stored))
    }

    async fn commit(&self, key: &SessionKey, expected: Version, changes: &[Change]) -> Result<Version> {
        let key = self.key(key);
        match self.defect {
            Defect::IgnoresExpected => self.good.commit(&key, self.version(&key).await?, changes).await,
            Defect::DropsSlots => {
                let kept = changes.iter().filter(|change| !matches!(change, Change::Slot { .. }));
                self.good.commit(&key, expected, &kept.cloned().collect::<Vec<_>>()).await
            }
            Defect::SplitsCommits if !changes.is_empty() => {
                let mut version = expected;
                for change in changes {
                    version = self.good.commit(&key, version, std::slice::from_ref(change)).await?;
                }
                Ok(version)
            }
            _ => self.good.commit(&key, expected, changes).await,
        }
    }

    async fn enqueue(&self, key: &SessionKey, msgs: &[Arc<Msg>]) -> Result<InboxSeq> {
        let kept = if self.defect == Defect::LosesInbox { msgs.split_at(1).0 } else { msgs };
        self.good.enqueue(&self.key(key), kept).await
    }

    async fn list(&self, filter: &SessionFilter) -> Result<Vec<SessionKey>> {
        let mut keys = self.good.list(filter).await?;
        if self.defect == Defect::ListsOutOfOrder {
            keys.reverse();
        }
        Ok(keys)
    }

    async fn fork(&self, from: &SessionKey, to: &SessionKey) -> Result<()> {
        let (from, to) = (self.key(from), self.key(to));
        self.good.fork(&from, &to).await?;
        if self.defect == Defect::ForksInbox {
            let heard = self.good.load(&from).await?.map_or_else(Vec::new, |stored| stored.inbox);
            self.good.enqueue(&to, &heard.into_iter().map(|(_, msg)| msg).collect::<Vec<_>>()).await?;
        }
        Ok(())
    }

    async fn rewind(&self, key: &SessionKey, to: Version) -> Result<Version> {
        let to = if self.defect == Defect::ForgetsRewind && to > Version(0) {
            self.version(key).await?.min(to)
        } else {
            to
        };
        let version = self.good.rewind(&self.key(key), to).await?;
        if self.defect == Defect::ForgetsRewind {
            return self.good.commit(key, version, &[Change::message(Msg::user("one"))]).await;
        }
        Ok(version)
    }

    async fn delete(&self, key: &SessionKey) -> Result<bool> {
        if self.defect == Defect::KeepsDeleted {
            return Ok(self.good.load(key).await?.is_some());
        }
        self.good.delete(&self.key(key)).await
    }
}

async fn store_with(defect: Defect) {
    let make = || async move { Arc::new(Broken { good: MemoryStore::new(), defect }) as Arc<dyn StateStore> };
    conformance::state_store(make).await;
}

macro_rules! planted {
    ($($name:ident: $defect:expr => $law:literal;)*) => {$(
        #[tokio::test]
        #[should_panic(expected = $law)]
        async fn $name() {
            $defect.await;
        }
    )*};
}

planted! {
    a_store_that_ignores_the_version: store_with(Defect::IgnoresExpected)
        => "a commit for another version than that of the conversation is a conflict";
    a_store_that_loses_what_is_heard: store_with(Defect::LosesInbox) => "what is heard is kept in order";
    a_store_that_gives_messages_twice: store_with(Defect::RedeliversInbox) => "what is heard is kept in order";
    a_store_that_mixes_tenants: store_with(Defect::MixesTenants) => "listed in the order of their keys";
    a_store_that_joins_keys: store_with(Defect::JoinsKeysByDots) => "are listed";
    a_store_that_drops_slots: store_with(Defect::DropsSlots) => "the fold of the changes that were committed";
    a_store_that_splits_commits: store_with(Defect::SplitsCommits) => "each commit is one version more";
    a_store_that_rewinds_to_something_else: store_with(Defect::ForgetsRewind) => "a rewind makes the conversation";
    a_store_that_forks_the_inbox: store_with(Defect::ForksInbox) => "a fork leaves the inbox behind";
    a_store_that_lists_in_any_order: store_with(Defect::ListsOutOfOrder) => "listed in the order of their keys";
    a_store_that_keeps_what_is_deleted: store_with(Defect::KeepsDeleted) => "what is deleted is gone";
}

struct FixedModel {
    card: ModelCard,
    answer: Vec<ModelDelta>,
}

impl ChatModel for FixedModel {
    fn card(&self) -> &ModelCard {
        &self.card
    }

    fn call(&self, _: ModelRequest, _: Context) -> ModelStream {
        Box::pin(futures_util::stream::iter(self.answer.clone().into_iter().map(Ok)))
    }
}

fn text(block: u32) -> ModelDelta {
    ModelDelta::Text { block, delta: "Hello.".into() }
}

fn finish() -> ModelDelta {
    ModelDelta::Finish { reason: FinishReason::Stop }
}

fn call(id: &str) -> ModelDelta {
    ModelDelta::tool_call(1, id, "f", "{}")
}

async fn model_named(name: &str, answer: Vec<ModelDelta>) {
    let model = || FixedModel { card: ModelCard::new(name), answer: answer.clone() };
    conformance::chat_model(|| Arc::new(model())).await;
}

async fn model(answer: Vec<ModelDelta>) {
    model_named("fixed", answer).await;
}

#[tokio::test]
async fn a_model_without_a_defect_passes() {
    model(vec![text(0), call("a"), call("a"), finish(), ModelDelta::Usage(Usage::new(1, 1))]).await;
}

planted! {
    a_model_without_a_name: model_named("", vec![text(0), finish()]) => "the card of a model has a name";
    a_model_that_numbers_from_one: model(vec![text(1), finish()]) => "numbered from 0";
    a_model_that_leaves_gaps: model(vec![text(0), text(2), finish()]) => "numbered from 0";
    a_model_that_changes_a_block: model(vec![text(0), ModelDelta::Thinking { block: 0, delta: "x".into() }, finish()])
        => "a block stays of one kind";
    a_model_that_changes_the_id_of_a_call: model(vec![text(0), call("a"), call("b"), finish()]) => "keeps its id";
    a_model_without_an_end: model(vec![text(0)]) => "exactly one finish";
    a_model_with_two_ends: model(vec![text(0), finish(), finish()]) => "exactly one finish";
    a_model_that_speaks_after_its_end: model(vec![text(0), finish(), text(0)]) => "after the finish";
    a_model_that_says_nothing: model(vec![finish()]) => "answers a request in words";
    a_model_that_cuts_base64: model(vec![
        text(0),
        ModelDelta::Media { block: 1, media_type: "audio/wav".into(), delta: "AAA".into() },
        finish(),
    ]) => "base64 by itself";
    a_model_that_signs_no_block: model(vec![
        text(0),
        ModelDelta::Extra { block: 1, key: "signature".into(), value: json!("x") },
        finish(),
    ]) => "names a block that began";
}

/// A tool that does what a function of its arguments says.
struct FixedTool {
    spec: fn() -> ToolSpec,
    call: fn(Value, Context) -> ToolStream,
}

impl Tool for FixedTool {
    fn spec(&self) -> Arc<ToolSpec> {
        Arc::new((self.spec)())
    }

    fn call(&self, req: ToolRequest, cx: Context) -> ToolStream {
        (self.call)(req.input, cx)
    }
}

fn described(name: &str, description: &str) -> ToolSpec {
    let schema = json!({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]});
    ToolSpec::new(name, description, schema)
}

fn plain() -> ToolSpec {
    described("double", "Doubles a number.")
}

fn says(chunks: impl Future<Output = ToolChunk> + Send + 'static) -> ToolStream {
    Box::pin(futures_util::FutureExt::into_stream(async move { Ok(chunks.await) }))
}

fn fine(_: Value, _: Context) -> ToolStream {
    says(async { ToolChunk::text("done") })
}

async fn tool(spec: fn() -> ToolSpec, call: fn(Value, Context) -> ToolStream) {
    conformance::tool(Arc::new(FixedTool { spec, call }), json!({"n": 2})).await;
}

struct PanicsWhenDropped(bool);

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        assert!(self.0, "dropped before the end");
    }
}

fn unstable() -> ToolSpec {
    static ASKED: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let asked = ASKED.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    described("double", &format!("Asked {asked} times."))
}

#[tokio::test]
async fn a_tool_without_a_defect_passes() {
    tool(plain, fine).await;
}

planted! {
    a_tool_with_a_bad_name: tool(|| described("do it", "x"), fine) => "the name of a tool";
    a_tool_with_a_long_name: tool(|| described(&"x".repeat(65), "x"), fine) => "the name of a tool";
    a_tool_without_a_description: tool(|| described("double", " "), fine)
        => "a tool has a description";
    a_tool_whose_arguments_are_a_list: tool(|| ToolSpec::new("f", "x", json!({"type": "array"})), fine)
        => "one of an object";
    a_tool_that_requires_what_it_does_not_have: tool(
        || ToolSpec::new("f", "x", json!({"type": "object", "properties": {}, "required": ["n"]})),
        fine,
    ) => "what a tool requires";
    a_tool_whose_spec_changes: tool(unstable, fine) => "the spec of a tool stays the same";
    a_tool_that_panics_on_bad_input: tool(plain, |input, _| {
        says(async move { ToolChunk::text(format!("{}", 2 * input["n"].as_i64().unwrap_or(i64::MAX).checked_mul(2).unwrap())) })
    }) => "bad arguments end in an error or in success";
    a_tool_that_works_before_it_is_polled: tool(plain, |input, cx| {
        assert!(input["n"].is_i64());
        fine(input, cx)
    }) => "a call does nothing before it is polled";
    a_tool_that_fails: tool(plain, |_, _| {
        let error = agentscope_core::Error::new(agentscope_core::ErrorKind::Tool, "no");
        Box::pin(futures_util::stream::iter([Err(error)]))
    }) => "a call with good arguments succeeds";
    a_tool_that_sets_what_it_does_not_declare: tool(plain, |_, _| {
        says(async { ToolChunk::Slot { key: "plan".into(), value: json!(1) } })
    }) => "only the slots that it declares";
    a_tool_that_panics_when_it_is_interrupted: tool(plain, |_, cx| {
        says(async move {
            tokio::task::yield_now().await;
            assert!(!cx.interrupt().is_triggered());
            ToolChunk::text("done")
        })
    }) => "an interrupt ends a call";
    a_tool_that_cannot_be_dropped: tool(plain, |_, _| {
        says(async {
            let mut guard = PanicsWhenDropped(false);
            tokio::task::yield_now().await;
            guard.0 = true;
            ToolChunk::text("done")
        })
    }) => "the tool panicked";
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "nothing came")]
async fn a_model_that_never_answers() {
    struct Silent(ModelCard);
    impl ChatModel for Silent {
        fn card(&self) -> &ModelCard {
            &self.0
        }
        fn call(&self, _: ModelRequest, _: Context) -> ModelStream {
            Box::pin(futures_util::stream::pending())
        }
    }
    conformance::chat_model(|| Arc::new(Silent(ModelCard::new("silent")))).await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "it did not end in time")]
async fn a_tool_that_hangs_on_bad_input() {
    tool(plain, |input, _| {
        says(async move {
            if !input["n"].is_i64() {
                std::future::pending::<()>().await;
            }
            ToolChunk::text("done")
        })
    })
    .await;
}
