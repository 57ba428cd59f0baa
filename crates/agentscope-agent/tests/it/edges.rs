//! What breaks agents that are written for the good case.

use crate::support::{Probe, echo, results};
use agentscope_agent::ReActAgent;
use agentscope_core::{
    Agent, AgentExt, BoxFuture, CallState, ChatModel, CompactRequest, Compaction, Context, Decision, Error,
    ErrorKind, EventKind, EventStream, Finish, Input, Interrupt, Media, Middleware, ModelCard, ModelDelta,
    ModelRequest, ModelStream, Msg, Next, Reason, ReplyRequest, Result, ScriptedModel, Tool, ToolChunk,
    ToolRequest, ToolResult, ToolSpec, ToolState, ToolStream, Toolset, View, model_fn,
    testing::{Line, call, fail, say},
};
use futures_util::{StreamExt, stream};
use serde_json::json;
use std::{
    future::IntoFuture,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

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
    let mut request = ReplyRequest::from(Input::from("go"));
    request.output_schema = Some(Arc::new(json!({"type": "strnig"})));
    let error = Agent::call(&agent, request, Context::new()).await.unwrap_err();
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
    let too_long = Error::new(ErrorKind::ContextOverflow, "too long");
    let agent = ReActAgent::new("A", ScriptedModel::new([fail(too_long), say("next")])).layer(Hangs);
    let stop = Interrupt::new();
    let reply = agent.reply("go").interrupt(&stop).start();
    tokio::time::sleep(Duration::from_secs(1)).await;
    stop.trigger(Reason::User(None));
    let msg = tokio::time::timeout(Duration::from_secs(60), reply.into_future()).await.unwrap().unwrap();
    assert_eq!(msg.finish, Some(Finish::Interrupted));
    assert_eq!(agent.reply("again").await.unwrap().text(), "next");
}

/// Gives chunks for ever and is never pending.
struct Flood;

impl Tool for Flood {
    fn spec(&self) -> Arc<ToolSpec> {
        let spec = ToolSpec::new("flood", "Never ends.", json!({"type": "object"})).read_only();
        Arc::new(spec.timeout(Duration::from_millis(50)))
    }
    fn call(&self, _: ToolRequest, _: Context) -> ToolStream {
        let begun = std::time::Instant::now();
        Box::pin(stream::repeat_with(|| Ok(ToolChunk::text(""))).take_while(move |_| {
            let goes_on = begun.elapsed() < Duration::from_secs(8); // so that the test fails and does not hang
            async move { goes_on }
        }))
    }
}

#[tokio::test]
async fn a_tool_that_always_has_more_keeps_neither_its_limit_nor_the_thread() {
    let model = ScriptedModel::new([call("c1", "flood", json!({})), say("Enough.")]);
    let agent = ReActAgent::new("A", model).tool(Flood).grace(Duration::from_millis(50));
    let other = tokio::spawn(async {
        let begun = std::time::Instant::now();
        tokio::time::sleep(Duration::from_millis(20)).await;
        begun.elapsed()
    });
    let msg = agent.reply("go").await.unwrap();
    assert!(results(&msg)[0].2.contains("timed out"), "{:?}", results(&msg));
    assert!(other.await.unwrap() < Duration::from_secs(4), "the thread was blocked");
}

/// A model that thinks for ever and is never pending.
struct Dreamer(ModelCard);

impl ChatModel for Dreamer {
    fn card(&self) -> &ModelCard {
        &self.0
    }
    fn call(&self, _: ModelRequest, _: Context) -> ModelStream {
        let begun = std::time::Instant::now();
        let thought = || Ok(ModelDelta::Thinking { block: 0, delta: "hm ".into() });
        Box::pin(stream::repeat_with(thought).take_while(move |_| {
            let goes_on = begun.elapsed() < Duration::from_secs(8);
            async move { goes_on }
        }))
    }
}

#[tokio::test]
async fn a_model_that_always_has_more_can_be_interrupted() {
    let agent = ReActAgent::new("A", Dreamer(ModelCard::new("dreamer")));
    let (begun, stop) = (std::time::Instant::now(), Interrupt::new());
    let reply = agent.reply("go").interrupt(&stop).start();
    tokio::time::sleep(Duration::from_millis(20)).await;
    stop.trigger(Reason::User(None));
    assert_eq!(reply.await.unwrap().finish, Some(Finish::Interrupted));
    assert!(begun.elapsed() < Duration::from_secs(4), "the thread was blocked");
}

/// Asks a second time if the first reply failed.
struct Again;

impl Middleware for Again {
    fn name(&self) -> &str {
        "again"
    }
    fn on_reply(&self, req: ReplyRequest, cx: Context, next: Next<ReplyRequest, EventStream>) -> EventStream {
        let first = next.run(req, cx.clone()).filter(|event| std::future::ready(event.is_ok()));
        let second = stream::once(async move { next.run(Input::Continue.into(), cx) }).flatten();
        EventStream::wrap(first.chain(second))
    }
}

#[tokio::test]
async fn a_middleware_may_ask_again_and_what_is_awaited_is_what_was_saved() {
    let error = Error::new(ErrorKind::Unavailable, "away");
    let model = ScriptedModel::new([say("Half an ans").fail(error), say("Whole.")]);
    let agent = ReActAgent::new("A", model).layer(Again);
    let msg = agent.reply("go").await.unwrap();
    assert_eq!(msg.content, ["Whole.".into()]);
    let state = agent.snapshot().await.unwrap();
    assert_eq!(**state.messages().next_back().unwrap(), msg);
}

#[tokio::test]
async fn output_that_is_null_survives_a_wire() {
    let model = ScriptedModel::new([call("c1", "generate_response", json!({"value": null}))]);
    let agent = ReActAgent::new("A", model);
    let mut request = ReplyRequest::from(Input::from("go"));
    request.output_schema = Some(Arc::new(schemars::schema_for!(Option<u32>).into()));
    let msg = Agent::call(&agent, request, Context::new()).await.unwrap();
    let wired: Msg = serde_json::from_str(&serde_json::to_string(&msg).unwrap()).unwrap();
    assert_eq!((&msg.output, &wired.output), (&Some(json!(null)), &Some(json!(null))));
}

#[tokio::test]
async fn words_and_calls_that_are_numbered_apart_stay_apart() {
    let answer = vec![
        ModelDelta::text("Let me see."),
        ModelDelta::tool_call(0, "c1", "echo", r#"{"n":1}"#),
        ModelDelta::tool_call(1, "c2", "echo", r#"{"n":2}"#),
    ];
    let model = model_fn(ModelCard::new("rule"), move |req: ModelRequest| {
        let answer = answer.clone();
        async move {
            let done = req.messages.last().is_some_and(|msg| msg.results().count() == 2);
            Ok(if done { vec![ModelDelta::text("Done.")] } else { answer })
        }
    });
    let msg = ReActAgent::new("A", model).tool(echo()).reply("go").await.unwrap();
    let told: Vec<_> = results(&msg).into_iter().map(|(id, _, text)| format!("{id} {text}")).collect();
    assert_eq!(told, ["c1 echo 1", "c2 echo 2"]);
    assert_eq!(msg.content[0], "Let me see.".into());
}

#[tokio::test]
async fn thoughts_alone_are_an_empty_answer() {
    let model = ScriptedModel::new([Line::new().think("hm"), say("Well.")]);
    let agent = ReActAgent::new("A", model.clone());
    assert_eq!(agent.reply("go").await.unwrap().text(), "Well.");
    let asked = serde_json::to_string(&model.requests()[1].messages).unwrap();
    assert!(asked.contains("Your answer was empty"), "{asked}");
}

struct NeverTells;

#[async_trait::async_trait]
impl Toolset for NeverTells {
    fn name(&self) -> &str {
        "far"
    }
    async fn tools(&self, _: &View) -> Result<Vec<Arc<dyn Tool>>> {
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_toolset_that_hangs_is_left_out_and_reported() {
    let agent = ReActAgent::new("A", ScriptedModel::new([say("Without it.")])).toolset(NeverTells);
    let events: Vec<_> = agent.reply("go").stream().map(|event| event.unwrap().kind).collect().await;
    let reported =
        |kind: &EventKind| matches!(kind, EventKind::Custom { name, .. } if name == "toolset_failed");
    assert!(events.iter().any(reported), "{events:?}");
}

#[tokio::test]
async fn media_count_for_the_limit_of_a_tools_output() {
    struct Camera;
    impl Tool for Camera {
        fn spec(&self) -> Arc<ToolSpec> {
            Arc::new(ToolSpec::new("film", "Films.", json!({"type": "object"})).read_only())
        }
        fn call(&self, _: ToolRequest, _: Context) -> ToolStream {
            let picture = Media::base64("image/png", "A".repeat(1 << 20));
            Box::pin(stream::iter((0..20).map(move |_| Ok(ToolChunk::from(vec![picture.clone().into()])))))
        }
    }
    let model = ScriptedModel::new([call("c1", "film", json!({})), say("Too much.")]);
    let msg = ReActAgent::new("A", model).tool(Camera).reply("go").await.unwrap();
    assert!(results(&msg)[0].2.contains("more than 16 MiB"), "{:?}", results(&msg)[0].1);
}

#[tokio::test]
async fn what_was_heard_before_a_panic_is_heard_again() {
    let heard = Arc::new(std::sync::Mutex::new(None::<ReActAgent>));
    let (agent_in, asked) = (Arc::clone(&heard), Arc::new(AtomicUsize::new(0)));
    let model = model_fn(ModelCard::new("rule"), move |req: ModelRequest| {
        let (agent, round) = (agent_in.lock().unwrap().clone(), asked.fetch_add(1, Ordering::SeqCst));
        let text = serde_json::to_string(&req.messages).unwrap();
        async move {
            match round {
                0 => {
                    agent.unwrap().observe(vec![Arc::new(Msg::user("psst"))]).await?;
                    Ok(vec![ModelDelta::tool_call(0, "c1", "echo", r#"{"n":1}"#)])
                }
                1 => std::panic::resume_unwind(Box::new("boom")),
                _ => Ok(vec![ModelDelta::text(if text.contains("psst") { "heard" } else { "deaf" })]),
            }
        }
    });
    let agent = ReActAgent::new("A", model).tool(echo());
    *heard.lock().unwrap() = Some(agent.clone());
    agent.reply("go").await.unwrap_err();
    assert_eq!(agent.reply("again").await.unwrap().text(), "heard");
    *heard.lock().unwrap() = None;
}

#[tokio::test]
async fn a_request_that_answers_twice_about_a_call_changes_nothing() {
    let act = Probe::new("act", |_, _| async { Ok("acted".into()) });
    let model = ScriptedModel::new([call("c1", "act", json!({})), say("Done.")]);
    let agent = ReActAgent::new("A", model).tool(act);
    agent.reply("go").await.unwrap();
    let twice = vec![Decision::allow("c1"), Decision::deny("c1")];
    assert_eq!(agent.reply(twice).await.unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(agent.reply(Decision::allow("c1")).await.unwrap().text(), "Done.");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replies_come_in_the_order_in_which_they_were_started() {
    for _ in 0..200 {
        let model = agentscope_core::model_fn(ModelCard::new("rule"), |_| async { Ok("ok") });
        let agent = ReActAgent::new("A", model);
        let replies: Vec<_> = (0..10).map(|n| agent.reply(n.to_string()).start()).collect();
        for reply in replies {
            reply.await.unwrap();
        }
        let state = agent.snapshot().await.unwrap();
        let asked: Vec<String> = state.messages().step_by(2).map(|msg| msg.text()).collect();
        assert_eq!(asked, (0..10).map(|n| n.to_string()).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_tool_cannot_approve_itself() {
    let tool = Probe::new("sly", |_, _| async { Ok(String::new()) })
        .with(|spec| spec.slot(agentscope_core::ALLOWED_SLOT));
    let model = ScriptedModel::new([]);
    let error = ReActAgent::new("A", model).tool(tool).reply("go").await.unwrap_err();
    assert!(error.kind() == ErrorKind::InvalidInput && error.message().contains("approve itself"), "{error}");
}

#[tokio::test]
async fn the_limits_of_a_conversation_can_be_set() {
    let limits = agentscope_core::Limits { waiting: 1, inbox: 2, ..Default::default() };
    let model = agentscope_core::model_fn(ModelCard::new("rule"), |_| async {
        tokio::task::yield_now().await;
        Ok("ok")
    });
    let agent = ReActAgent::new("A", model).limits(limits).session("s");
    let first = agent.reply("one").start();
    let refused = agent.reply("two").await.unwrap_err();
    assert!(refused.kind() == ErrorKind::Unavailable && refused.message().contains("1 replies"), "{refused}");
    first.await.unwrap();
    let three = (0..3).map(|n| Arc::new(Msg::user(n.to_string()))).collect();
    assert_eq!(agent.observe(three).await.unwrap_err().kind(), ErrorKind::Exhausted);
}

#[tokio::test]
async fn a_deadline_that_has_passed_is_one_even_for_a_model_that_answers_at_once() {
    let model = agentscope_core::model_fn(ModelCard::new("rule"), |_| async { Ok("ok") });
    let agent = ReActAgent::new("A", model);
    let error = agent.reply("go").deadline(Duration::ZERO).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!(agent.reply("again").await.unwrap().text(), "ok");
}

#[tokio::test]
async fn answers_that_answer_nothing_are_refused_and_what_waits_can_be_found() {
    let model = ScriptedModel::new([call("c1", "act", json!({})), say("ok")]);
    let agent = ReActAgent::new("A", model).tool(Probe::new("act", |_, _| async { Ok(String::new()) }));
    agent.reply("go").await.unwrap();
    let waiting = agent.snapshot().await.unwrap();
    for nothing in [
        Input::Decisions(Vec::new()),
        Input::Results(Vec::new()),
        Decision::allow("c1").edited("{oops").into(),
    ] {
        assert_eq!(agent.reply(nothing).await.unwrap_err().kind(), ErrorKind::InvalidInput);
    }
    assert_eq!(agent.snapshot().await.unwrap(), waiting, "it still waits");
    let decisions = Decision::allow_all(waiting.waiting().unwrap());
    assert_eq!(agent.reply(decisions).await.unwrap().text(), "ok");
    assert!(agent.snapshot().await.unwrap().waiting().is_none());
}

/// Makes a conversation shorter by one sentence for all that was said.
struct Shorten;

impl Middleware for Shorten {
    fn name(&self) -> &str {
        "shorten"
    }
    fn on_compact(
        &self,
        req: CompactRequest,
        _: Context,
        _: Next<CompactRequest, BoxFuture<'static, Result<Option<Compaction>>>>,
    ) -> BoxFuture<'static, Result<Option<Compaction>>> {
        let upto = req.view.messages()[1].id.clone();
        Box::pin(async move { Ok(Some(Compaction { summary: "They greeted each other.".into(), upto })) })
    }
}

#[tokio::test]
async fn a_conversation_that_is_too_long_is_compacted_and_the_reply_goes_on() {
    let too_long = Error::new(ErrorKind::ContextOverflow, "too long");
    let model = ScriptedModel::new([say("Hello."), fail(too_long), say("Sunny.")]);
    let agent = ReActAgent::new("A", model.clone()).layer(Shorten);
    agent.reply("Hi.").await.unwrap();
    assert_eq!(agent.reply("And the weather?").await.unwrap().text(), "Sunny.");
    let asked = model.requests().pop().unwrap();
    let texts: Vec<String> = asked.messages.iter().map(|msg| msg.text()).collect();
    assert!(texts[0].contains("They greeted each other.") && texts[1] == "And the weather?", "{texts:?}");
    assert_eq!(agent.snapshot().await.unwrap().context.len(), 2, "the question and its answer");
}

#[tokio::test]
async fn half_an_answer_is_not_taken_for_a_whole_one_when_the_model_finds_it_too_long() {
    let tool = echo();
    let too_long = Error::new(ErrorKind::ContextOverflow, "too long");
    let model = ScriptedModel::new([say("Hello."), Line::new().call("c1", "echo", json!({})).fail(too_long)]);
    let agent = ReActAgent::new("A", model).tool(tool.clone()).layer(Shorten);
    agent.reply("Hi.").await.unwrap();
    let error = agent.reply("And now?").await.unwrap_err();
    assert_eq!((error.kind(), tool.runs()), (ErrorKind::ContextOverflow, (0, 0)));
    assert!(agent.snapshot().await.unwrap().is_well_formed());
}
