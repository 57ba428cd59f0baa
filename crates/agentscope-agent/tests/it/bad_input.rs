//! Bad input: each with a clear error and nothing lost.

use crate::support::{Probe, echo, results};
use agentscope_agent::ReActAgent;
use agentscope_core::{
    AgentExt, Error, ErrorKind, EventKind, Finish, FinishReason, Input, MemoryStore, ModelCard, Msg,
    ScriptedModel, ToolSpec, ToolState,
    testing::{Line, call, fail, say},
};
use futures_util::StreamExt;
use serde_json::json;
use std::{sync::Arc, time::Duration};

#[tokio::test]
async fn an_agent_that_calls_itself_through_a_tool_is_refused() {
    let cell: Arc<std::sync::OnceLock<ReActAgent>> = Arc::default();
    let me = cell.clone();
    let tool = Probe::new("self", move |_, _| {
        let me = me.clone();
        async move { Ok(me.get().unwrap().reply("again").await?.text()) }
    });
    let model = ScriptedModel::new([call("c1", "self", json!({})), say("I must not.")]);
    let agent = ReActAgent::new("Friday", model).tool(tool).allow("self");
    cell.set(agent.clone()).unwrap();
    let msg = agent.reply("go").await.unwrap();
    assert_eq!(msg.text(), "I must not.");
    assert!(results(&msg)[0].2.contains("was asked while it answers"), "{:?}", results(&msg));
}

#[tokio::test]
async fn two_agents_of_one_name_work() {
    let inner = ReActAgent::new("Twin", ScriptedModel::new([say("I am the other")]));
    let outer =
        ReActAgent::new("Twin", ScriptedModel::new([call("c1", "Twin", json!({"task": "hi"})), say("ok")]))
            .agent(inner);
    let msg = outer.reply("go").await.unwrap();
    assert_eq!(results(&msg)[0].2, "I am the other");
}

#[tokio::test]
async fn bad_calls_go_back_to_the_model_and_nothing_is_run() {
    let strict = echo().with(|spec| {
        let schema = json!({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]});
        ToolSpec::new(spec.name.clone(), "A probe.", schema).read_only()
    });
    let model = ScriptedModel::new([
        call("c1", "nope", json!({})),
        Line::new().raw_call("c2", "echo", "{\"n\": "),
        call("c3", "echo", json!({"n": "x"})),
        Line::new().raw_call("c4", "echo", "{\"n\": 12").finish(FinishReason::Length),
        Line::new().raw_call("c5", "echo", "[1]"),
        call("c6", "echo", json!({"n": 1})),
        say("ok"),
    ]);
    let agent = ReActAgent::new("Friday", model).tool(strict.clone());
    let msg = agent.reply("go").await.unwrap();
    let results = results(&msg);
    let part = |at: usize| results[at].2.as_str();
    assert!(part(0).contains("no tool `nope`") && part(0).contains("echo"), "{}", part(0));
    assert!(part(1).contains("no JSON object"), "{}", part(1));
    assert!(part(2).contains("/n") && part(2).contains("integer"), "{}", part(2));
    assert!(part(3).contains("limit of tokens"), "{}", part(3));
    assert!(part(4).contains("no JSON object"), "{}", part(4));
    assert!(results[..5].iter().all(|(_, state, _)| *state == ToolState::Error));
    assert_eq!((part(5), strict.runs()), ("echo 1", (1, 1)));
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_panics_or_never_returns_is_an_error_to_the_model() {
    let panics = Probe::new("panics", |_, _| async { panic!("planted") }).with(ToolSpec::read_only);
    let hangs = Probe::new("hangs", |_, _| std::future::pending())
        .with(|spec| spec.read_only().timeout(Duration::from_secs(3)));
    let line = Line::new().call("a", "panics", json!({})).call("b", "hangs", json!({}));
    let agent = ReActAgent::new("Friday", ScriptedModel::new([line, say("ok")])).tool(panics).tool(hangs);
    let reply = tokio::time::timeout(Duration::from_secs(60), agent.reply("go"));
    let msg = reply.await.expect("it is not waited for for ever").unwrap();
    let results = results(&msg);
    assert!(results[0].2.contains("panicked"), "{results:?}");
    assert!(results[1].2.contains("timed out after 3 s"), "{results:?}");
    assert!(results.iter().all(|(_, state, _)| *state == ToolState::Error), "{results:?}");
    assert_eq!(msg.text(), "ok");
}

#[tokio::test]
async fn a_model_error_ends_the_reply_and_the_next_one_works() {
    let error = Error::new(ErrorKind::Unavailable, "connection reset");
    let model = ScriptedModel::new([
        Line::new().say("I will").raw_call("c1", "echo", "{\"n").fail(error),
        say("again"),
    ]);
    let agent = ReActAgent::new("Friday", model).tool(echo());
    let mut events = agent.reply("go").stream();
    let mut last = None;
    let mut failed = None;
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => last = Some(event.kind),
            Err(error) => failed = Some(error),
        }
    }
    assert!(matches!(last, Some(EventKind::ReplyEnd { finish: Finish::Failed(_), .. })), "{last:?}");
    assert_eq!(failed.unwrap().kind(), ErrorKind::Unavailable);
    let state = agent.snapshot().await.unwrap();
    assert!(state.is_well_formed() && state.context[1].msg.text().is_empty(), "{state:#?}");
    assert_eq!(agent.reply("and?").await.unwrap().text(), "again");
    drop(fail(Error::new(ErrorKind::Internal, "")));
}

#[tokio::test]
async fn an_empty_answer_is_asked_again_once_and_then_an_error() {
    let model = ScriptedModel::new([Line::new(), say("sorry")]);
    assert_eq!(ReActAgent::new("Friday", model).reply("go").await.unwrap().text(), "sorry");
    let model = ScriptedModel::new([Line::new(), Line::new()]);
    let error = ReActAgent::new("Friday", model).reply("go").await.unwrap_err();
    assert!(error.message().contains("empty answer"), "{error}");
}

#[tokio::test]
async fn a_message_without_content_and_a_missing_file_are_handled() {
    let model = ScriptedModel::new([say("You said nothing."), say("nice")]);
    let agent = ReActAgent::new("Friday", model);
    let nothing = Msg::new("user", agentscope_core::Role::User, vec![]);
    assert_eq!(agent.reply(nothing).await.unwrap().text(), "You said nothing.");
    let before = agent.snapshot().await.unwrap();
    let error = agent.reply(Msg::user("look").url("no/such/file.png")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.message().contains("no/such/file.png"), "{error}");
    assert_eq!(agent.snapshot().await.unwrap(), before, "nothing was changed");
    agent.reply("go on").await.unwrap();
}

#[tokio::test]
async fn ids_that_a_provider_gives_twice_stay_apart() {
    let model = ScriptedModel::new([
        call("0", "echo", json!({"n": 1})),
        call("0", "echo", json!({"n": 2})),
        say("ok"),
    ]);
    let msg = ReActAgent::new("Friday", model).tool(echo()).reply("go").await.unwrap();
    let texts: Vec<_> = results(&msg).into_iter().map(|(id, _, text)| (id, text)).collect();
    assert_eq!(texts, [("0".into(), "echo 1".into()), ("0_2".into(), "echo 2".into())]);
}

/// A model that speaks and then panics, once.
struct Shaky(ModelCard, std::sync::atomic::AtomicBool);

impl agentscope_core::ChatModel for Shaky {
    fn card(&self) -> &ModelCard {
        &self.0
    }
    fn call(
        &self,
        _: agentscope_core::ModelRequest,
        _: agentscope_core::Context,
    ) -> agentscope_core::ModelStream {
        let boom = !self.1.swap(true, std::sync::atomic::Ordering::SeqCst);
        let end = [Ok(agentscope_core::ModelDelta::Finish { reason: FinishReason::Stop })];
        let words = futures_util::stream::iter(0..3).then(move |n| async move {
            tokio::task::yield_now().await;
            assert!(!boom || n < 2, "planted");
            Ok(agentscope_core::ModelDelta::text(format!("word{n} ")))
        });
        Box::pin(words.chain(futures_util::stream::iter(end)))
    }
}

#[tokio::test]
async fn a_panic_in_mid_answer_leaves_what_was_before_the_step() {
    let shaky = || ReActAgent::new("Friday", Shaky(ModelCard::new("shaky"), Default::default()));
    for agent in [shaky(), shaky().store(MemoryStore::new()).session("s")] {
        let error = agent.reply("go").await.unwrap_err();
        assert!(error.message().contains("panicked"), "{error}");
        let open = agent.snapshot().await.unwrap().open.unwrap();
        assert_eq!(open.msg.content, [], "half an answer is no answer");
        let msg = agent.reply(Input::Continue).await.unwrap();
        assert_eq!(msg.text(), "word0 word1 word2 ");
        assert_eq!(agent.snapshot().await.unwrap().context.len(), 2);
    }
}

/// A model whose connection closes in mid-answer without an error.
struct CutOff(ModelCard);

impl agentscope_core::ChatModel for CutOff {
    fn card(&self) -> &ModelCard {
        &self.0
    }
    fn call(
        &self,
        _: agentscope_core::ModelRequest,
        _: agentscope_core::Context,
    ) -> agentscope_core::ModelStream {
        Box::pin(futures_util::stream::iter([Ok(agentscope_core::ModelDelta::tool_call(
            0, "c1", "echo", "{}",
        ))]))
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_an_error_and_its_calls_are_not_run() {
    let tool = echo();
    let agent = ReActAgent::new("Friday", CutOff(ModelCard::new("cut"))).tool(tool.clone());
    let error = agent.reply("go").await.unwrap_err();
    assert!(error.kind() == ErrorKind::Protocol && error.message().contains("broke off"), "{error}");
    assert_eq!(tool.runs(), (0, 0));
    assert!(agent.snapshot().await.unwrap().is_well_formed());
}

#[tokio::test(start_paused = true)]
async fn a_model_that_says_nothing_for_too_long_fails_and_a_slow_one_does_not() {
    let hangs = agentscope_core::model_fn(ModelCard::new("mute"), |_| {
        std::future::pending::<agentscope_core::Result<String>>()
    });
    let agent = ReActAgent::new("Friday", hangs).model_timeout(Duration::from_secs(30));
    let error = agent.reply("go").await.unwrap_err();
    assert!(
        error.kind() == ErrorKind::Timeout && error.message().contains("said nothing for 30 s"),
        "{error}"
    );
    let slow = ScriptedModel::new([say("a b c d e").every(Duration::from_secs(20))]);
    let agent = ReActAgent::new("Friday", slow).model_timeout(Duration::from_secs(30));
    assert_eq!(agent.reply("go").await.unwrap().text(), "a b c d e");
}
