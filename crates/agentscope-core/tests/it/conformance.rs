//! What comes with the core passes the suites that everybody's has to pass.

use agentscope_core::{
    ChatModel, Context, MemoryStore, ModelCard, ModelDelta, Result, ScriptedModel, StateStore, Tool,
    ToolChunk, ToolRequest, ToolSpec, ToolStream, TypedTool, model_fn, schema_of,
    testing::{FileStore, Line, conformance, say},
};
use futures_util::StreamExt;
use serde_json::json;
use std::{sync::Arc, time::Duration};

#[tokio::test(flavor = "multi_thread")]
async fn a_store_in_memory_conforms() {
    conformance::state_store(|| async { Arc::new(MemoryStore::new()) as Arc<dyn StateStore> }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_in_files_conforms() {
    let place = tempfile::tempdir().unwrap();
    let made = std::sync::atomic::AtomicUsize::new(0);
    conformance::state_store(|| {
        let dir = place.path().join(made.fetch_add(1, std::sync::atomic::Ordering::Relaxed).to_string());
        async { Arc::new(FileStore::new(dir)) as Arc<dyn StateStore> }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_scripted_model_conforms() {
    let lines: [fn() -> Line; 3] = [
        || say("Hello, how are you today?"),
        || say("Hello.").chunks(1).every(Duration::from_millis(20)),
        || Line::new().think("a greeting").say("Hello.").raw_call("c1", "wave", "{\"hands\": 2}").chunks(3),
    ];
    for line in lines {
        conformance::chat_model(|| {
            Arc::new(ScriptedModel::new((0..16).map(|_| line())).may_leave_lines()) as Arc<dyn ChatModel>
        })
        .await;
    }
}

#[tokio::test]
async fn a_model_from_a_function_conforms() {
    conformance::chat_model(|| Arc::new(model_fn(ModelCard::new("m"), |_| async { Ok("Hello.") }))).await;
    conformance::chat_model(|| {
        Arc::new(model_fn(ModelCard::new("m"), |_| async {
            Ok(vec![
                ModelDelta::text("Hel"),
                ModelDelta::text("lo."),
                ModelDelta::tool_call(1, "c", "f", "{}"),
            ])
        }))
    })
    .await;
}

#[derive(Clone)]
struct Greeter(Duration);

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Whom {
    /// Whom to greet.
    name: String,
    /// How often.
    times: Option<u8>,
}

impl TypedTool for Greeter {
    type Args = Whom;
    type Output = Result<String>;

    fn spec(&self) -> Arc<ToolSpec> {
        Arc::new(ToolSpec::new("greet", "Greets somebody.", schema_of::<Whom>()).read_only())
    }

    async fn run(&self, whom: Whom, _: Context) -> Result<String> {
        tokio::time::sleep(self.0).await;
        Ok(format!("Hello, {}! ", whom.name).repeat(whom.times.unwrap_or(1).into()))
    }
}

#[tokio::test(start_paused = true)]
async fn a_typed_tool_conforms() {
    for pace in [Duration::ZERO, Duration::from_secs(10)] {
        conformance::tool(Arc::new(Greeter(pace)), json!({"name": "Alice", "times": 2})).await;
    }
}

/// Counts slowly, keeps the count in a slot, and stops when it is told to.
struct Counter;

impl Tool for Counter {
    fn spec(&self) -> Arc<ToolSpec> {
        let schema = json!({"type": "object", "properties": {}});
        Arc::new(ToolSpec::new("count", "Counts to five.", schema).slot("count"))
    }

    fn call(&self, _: ToolRequest, cx: Context) -> ToolStream {
        let chunks = futures_util::stream::iter(1..=5).then(|n| async move {
            tokio::time::sleep(Duration::from_millis(100)).await;
            Ok(ToolChunk::Slot { key: "count".into(), value: json!(n) })
        });
        Box::pin(chunks.take_until(async move { cx.interrupt().triggered().await }))
    }
}

#[tokio::test(start_paused = true)]
async fn a_streaming_tool_with_a_slot_conforms() {
    conformance::tool(Arc::new(Counter), json!({})).await;
}
