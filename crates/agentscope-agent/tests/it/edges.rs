//! What breaks agents that are written for the good case.

use crate::support::{Probe, results};
use agentscope_agent::ReActAgent;
use agentscope_core::{
    AgentExt, BoxFuture, CallState, CompactRequest, Compaction, Context, Decision, ErrorKind, Finish, Input,
    Interrupt, Middleware, Next, Reason, Result, ScriptedModel, Tool, ToolRequest, ToolResult, ToolSpec,
    ToolState, ToolStream,
    testing::{call, fail, say},
};
use serde_json::json;
use std::{future::IntoFuture, sync::Arc, time::Duration};

struct Burst;

impl Tool for Burst {
    fn spec(&self) -> Arc<ToolSpec> {
        Arc::new(
            ToolSpec::new("burst", "Panics before it gives a stream.", json!({"type": "object"})).read_only(),
        )
    }
    fn call(&self, _: ToolRequest, _: Context) -> ToolStream {
        panic!("boom")
    }
}

#[tokio::test]
async fn a_tool_that_panics_before_it_gives_a_stream_is_an_error_to_the_model() {
    let model = ScriptedModel::new([call("c1", "burst", json!({})), say("Pity.")]);
    let msg = ReActAgent::new("A", model).tool(Burst).reply("go").await.unwrap();
    assert!(results(&msg)[0].2.contains("panicked"), "{msg:?}");
    assert_eq!(msg.text(), "Pity.");
}

#[tokio::test]
async fn an_external_tool_that_was_allowed_is_still_done_outside() {
    let outside = Probe::new("outside", |_, _| async { Ok("done here".into()) }).with(ToolSpec::external);
    let model = ScriptedModel::new([call("c1", "outside", json!({})), say("Done.")]);
    let agent = ReActAgent::new("A", model).tool(outside.clone());
    assert_eq!(agent.reply("go").await.unwrap().open_calls().next().unwrap().state, CallState::Asking);
    let msg = agent.reply(Decision::allow("c1")).await.unwrap();
    assert_eq!(msg.finish, Some(Finish::Waiting));
    assert_eq!(msg.open_calls().next().unwrap().state, CallState::Submitted);
    let msg = agent.reply(ToolResult::success("c1", "outside", "done outside")).await.unwrap();
    assert_eq!((results(&msg)[0].2.as_str(), outside.runs()), ("done outside", (0, 0)));
}

#[tokio::test]
async fn a_model_that_gives_structured_output_unasked_still_has_to_answer() {
    let model = ScriptedModel::new([call("c1", "generate_response", json!({"x": 1})), say("Here it is.")]);
    let msg = ReActAgent::new("A", model).reply("go").await.unwrap();
    assert_eq!((msg.text().as_str(), &results(&msg)[0].1), ("Here it is.", &ToolState::Error));
}

#[tokio::test]
async fn a_tool_with_the_name_of_the_finish_tool_is_refused() {
    let tool = Probe::new("generate_response", |_, _| async { Ok(String::new()) });
    let error = ReActAgent::new("A", ScriptedModel::new([])).tool(tool).reply("go").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("rename it"), "{error}");
}

#[tokio::test]
async fn an_output_schema_that_is_none_is_an_error_before_anything_changes() {
    let agent = ReActAgent::new("A", ScriptedModel::new([]));
    let mut request = agentscope_core::ReplyRequest::from(Input::from("go"));
    request.output_schema = Some(Arc::new(json!({"type": "strnig"})));
    let error = agentscope_core::Agent::call(&agent, request, Context::new()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(agent.snapshot().await.unwrap().context.is_empty());
}

struct Hangs;

impl Middleware for Hangs {
    fn name(&self) -> &str {
        "hangs"
    }
    fn on_compact(
        &self,
        _: CompactRequest,
        _: Context,
        _: Next<CompactRequest, BoxFuture<'static, Result<Option<Compaction>>>>,
    ) -> BoxFuture<'static, Result<Option<Compaction>>> {
        Box::pin(std::future::pending())
    }
}

#[tokio::test(start_paused = true)]
async fn a_compaction_that_hangs_can_be_interrupted() {
    let too_long = agentscope_core::Error::new(ErrorKind::ContextOverflow, "too long");
    let agent = ReActAgent::new("A", ScriptedModel::new([fail(too_long), say("next")])).layer(Hangs);
    let stop = Interrupt::new();
    let reply = agent.reply("go").interrupt(&stop).start();
    tokio::time::sleep(Duration::from_secs(1)).await;
    stop.trigger(Reason::User(None));
    let msg = tokio::time::timeout(Duration::from_secs(60), reply.into_future()).await.unwrap().unwrap();
    assert_eq!(msg.finish, Some(Finish::Interrupted));
    assert_eq!(agent.reply("again").await.unwrap().text(), "next");
}
