//! What an agent does with a model and tools.

use crate::support::{Probe, echo, results};
use agentscope_agent::ReActAgent;
use agentscope_core::{
    AgentExt, CallState, ContentBlock, Decision, Error, ErrorKind, EventKind, Finish, FinishReason, Input,
    Interrupt, MemoryStore, ModelCard, Msg, Reason, ScriptedModel, ToolChoice, ToolSpec, ToolState,
    testing::{Line, call, fail, say},
};
use futures_util::StreamExt;
use serde_json::json;
use std::{sync::Arc, time::Duration};

#[tokio::test]
async fn it_thinks_calls_a_tool_and_answers() {
    let model = ScriptedModel::new([call("c1", "echo", json!({"n": 1})), say("It said one.")]);
    let agent = ReActAgent::new("Friday", model.clone()).prompt("Be brief.").tool(echo());
    let mut events = agent.reply("hi").stream();
    let mut kinds = Vec::new();
    let mut fold = Msg::new("", agentscope_core::Role::Assistant, vec![]);
    let mut next = 0;
    while let Some(event) = events.next().await {
        let event = event.unwrap();
        assert!(event.seq >= next, "{event:?}"); // joined deltas keep the place of the last one
        next = event.seq + 1;
        fold.apply(&event);
        kinds.push(event.kind);
    }
    assert!(matches!(kinds.first(), Some(EventKind::ReplyStart { .. })), "{kinds:?}");
    assert!(matches!(kinds.last(), Some(EventKind::ReplyEnd { finish: Finish::Completed, .. })), "{kinds:?}");
    assert_eq!(fold.text(), "It said one.");
    assert_eq!(results(&fold), [("c1".into(), ToolState::Success, "echo 1".into())]);
    assert_eq!(fold.usage.unwrap().input_tokens, 20);
    let state = agent.snapshot().await.unwrap();
    assert_eq!(state.context.len(), 2);
    assert_eq!(state.context[1].msg.content, fold.content, "what was seen is what was saved");
    let asked = model.requests();
    assert_eq!(asked[0].messages[0].text(), "Be brief.");
    assert_eq!(asked[1].messages.len(), 3, "system, user, the open reply");
    assert_eq!(asked[1].speaker, "Friday");
}

#[tokio::test]
async fn a_tool_that_is_not_read_only_asks_and_a_decision_lets_it_run() {
    let tool = Probe::new("act", |_, _| async { Ok("acted".into()) });
    let model = ScriptedModel::new([call("c1", "act", json!({})), say("done")]);
    let agent = ReActAgent::new("Friday", model).tool(tool.clone());
    let msg = agent.reply("go").await.unwrap();
    assert_eq!(msg.finish, Some(Finish::Waiting));
    assert_eq!(tool.runs(), (0, 0));
    let msg = agent.reply(Decision::allow("c1")).await.unwrap();
    assert_eq!((msg.text().as_str(), tool.runs()), ("done", (1, 1)));
    assert_eq!(results(&msg)[0].1, ToolState::Success);
}

#[tokio::test]
async fn a_denial_goes_to_the_model_and_always_is_remembered() {
    let tool = Probe::new("act", |_, _| async { Ok("acted".into()) });
    let model = ScriptedModel::new([
        call("c1", "act", json!({})),
        call("c2", "act", json!({})),
        call("c3", "act", json!({})),
        say("done"),
    ]);
    let agent = ReActAgent::new("Friday", model).tool(tool.clone());
    agent.reply("go").await.unwrap();
    let msg = agent.reply(Decision::deny("c1").note("too early")).await.unwrap();
    assert_eq!(msg.finish, Some(Finish::Waiting), "the model tried again");
    assert_eq!(
        results(&msg)[0],
        ("c1".into(), ToolState::Denied, "The user did not allow this tool call: too early".into())
    );
    let msg = agent.reply(Decision::allow("c2").always("act")).await.unwrap();
    assert_eq!((msg.text().as_str(), tool.runs()), ("done", (2, 2)), "c3 did not ask");
}

#[tokio::test]
async fn decisions_that_fit_nothing_change_nothing() {
    let model = ScriptedModel::new([call("c1", "act", json!({})), say("done")]);
    let agent = ReActAgent::new("Friday", model).tool(Probe::new("act", |_, _| async { Ok(String::new()) }));
    let idle = agent.reply(Decision::allow("c1")).await.unwrap_err();
    assert_eq!(idle.kind(), ErrorKind::InvalidInput, "{idle}");
    agent.reply("go").await.unwrap();
    let before = agent.snapshot().await.unwrap();
    let wrong = agent.reply(Decision::allow("c9")).await.unwrap_err();
    assert!(wrong.message().contains("c1"), "{wrong}");
    let other = agent.reply(Decision::allow("c1").of_reply("another")).await.unwrap_err();
    assert_eq!(other.kind(), ErrorKind::Conflict);
    assert_eq!(agent.snapshot().await.unwrap(), before);
    agent.reply(Decision::allow("c1")).await.unwrap();
}

#[tokio::test]
async fn a_new_message_to_a_waiting_agent_closes_its_calls_first() {
    let tool = Probe::new("act", |_, _| async { Ok(String::new()) });
    let model = ScriptedModel::new([call("c1", "act", json!({})), say("as you like")]);
    let agent = ReActAgent::new("Friday", model).tool(tool.clone());
    agent.reply("go").await.unwrap();
    let msg = agent.reply("never mind").await.unwrap();
    assert_eq!(msg.text(), "as you like");
    let state = agent.snapshot().await.unwrap();
    assert!(state.is_well_formed(), "{state:#?}");
    assert_eq!(state.context.len(), 4);
    assert_eq!(results(&state.context[1].msg)[0].1, ToolState::Interrupted);
    assert_eq!(tool.runs(), (0, 0));
}

#[tokio::test]
async fn read_only_calls_run_together_and_others_in_order() {
    let gate = Arc::new(tokio::sync::Barrier::new(2));
    let meet = gate.clone();
    let together = Probe::new("together", move |_, _| {
        let gate = meet.clone();
        async move {
            gate.wait().await; // for ever, were they run one by one
            Ok("met".into())
        }
    })
    .with(ToolSpec::read_only);
    let order = Arc::new(std::sync::Mutex::new(Vec::new()));
    let log = order.clone();
    let alone = Probe::new("alone", move |req, _| {
        let log = log.clone();
        async move {
            log.lock().unwrap().push((req.input["n"].clone(), "begins"));
            tokio::task::yield_now().await;
            log.lock().unwrap().push((req.input["n"].clone(), "ends"));
            Ok(String::new())
        }
    });
    let line = Line::new()
        .call("a", "together", json!({}))
        .call("b", "together", json!({}))
        .call("c", "alone", json!({"n": 1}))
        .call("d", "alone", json!({"n": 2}));
    let agent = ReActAgent::new("Friday", ScriptedModel::new([line, say("ok")]))
        .tool(together)
        .tool(alone)
        .allow("alone");
    let msg = agent.reply("go").await.unwrap();
    let ids: Vec<_> = results(&msg).into_iter().map(|(id, ..)| id).collect();
    assert_eq!(ids, ["a", "b", "c", "d"], "results stand in the order of their calls");
    let log = order.lock().unwrap().clone();
    assert_eq!(log, [(json!(1), "begins"), (json!(1), "ends"), (json!(2), "begins"), (json!(2), "ends")]);
}

#[tokio::test]
async fn rounds_are_limited_and_the_last_reply_sums_up() {
    let calls = (0..3).map(|n| call(format!("c{n}"), "echo", json!({"n": n})));
    let model = ScriptedModel::new(calls.chain([say("So far I echoed.")]));
    let agent = ReActAgent::new("Friday", model.clone()).tool(echo()).max_iters(3);
    let msg = agent.reply("go").await.unwrap();
    assert_eq!((msg.text().as_str(), msg.finish), ("So far I echoed.", Some(Finish::ExceedMaxIters)));
    let last = model.requests().pop().unwrap();
    assert_eq!(last.tool_choice, ToolChoice::None);
    assert!(last.messages.last().unwrap().text().contains("maximum iterations"));
}

#[tokio::test]
async fn calls_of_the_last_round_are_closed_and_not_run() {
    let tool = echo();
    let model = ScriptedModel::new([call("c1", "echo", json!({})), call("c2", "echo", json!({}))]);
    let agent = ReActAgent::new("Friday", model).tool(tool.clone()).max_iters(1);
    let msg = agent.reply("go").await.unwrap();
    assert_eq!((msg.finish.clone(), tool.runs()), (Some(Finish::ExceedMaxIters), (1, 1)));
    assert!(agent.snapshot().await.unwrap().is_well_formed());
}

#[derive(serde::Deserialize, schemars::JsonSchema, Debug, PartialEq)]
struct Weather {
    city: String,
    degrees: i32,
}

#[tokio::test]
async fn structured_output_is_validated_and_repaired() {
    let model = ScriptedModel::new([
        say("It is mild."),
        call("c1", "generate_response", json!({"city": "Oslo", "degrees": "mild"})),
        call("c2", "generate_response", json!({"city": "Oslo", "degrees": 12})),
    ]);
    let agent = ReActAgent::new("Friday", model.clone());
    let weather: Weather = agent.reply("Oslo?").typed().await.unwrap();
    assert_eq!(weather, Weather { city: "Oslo".into(), degrees: 12 });
    let asked = model.requests();
    assert_eq!(asked[0].tool_choice, ToolChoice::Required);
    assert!(asked[0].tools.iter().any(|tool| tool.name == "generate_response"));
    let state = agent.snapshot().await.unwrap();
    let reply = &state.context[1].msg;
    assert!(results(reply)[0].2.contains("/degrees"), "{:?}", results(reply));
    assert_eq!(reply.output, Some(json!({"city": "Oslo", "degrees": 12})));
}

#[tokio::test]
async fn structured_output_may_be_no_object_and_a_model_may_do_it_by_itself() {
    let model = ScriptedModel::new([call("c1", "generate_response", json!({"value": ["a", "b"]}))]);
    let list: Vec<String> = ReActAgent::new("Friday", model).reply("go").typed().await.unwrap();
    assert_eq!(list, ["a", "b"]);
    let model = ScriptedModel::new([say("oh"), say(r#"{"city":"Oslo","degrees":3}"#)])
        .with_card(ModelCard::new("native").native_output_schema());
    let weather: Weather = ReActAgent::new("Friday", model.clone()).reply("go").typed().await.unwrap();
    assert_eq!(weather.degrees, 3);
    assert!(model.requests()[0].output_schema.is_some() && model.requests()[0].tools.is_empty());
}

#[tokio::test]
async fn output_that_never_fits_is_an_error_that_says_so() {
    let model = ScriptedModel::new([say("no"), say("no"), say("no")]);
    let error =
        ReActAgent::new("Friday", model).max_iters(2).reply("go").typed::<Weather>().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
}

#[tokio::test]
async fn what_is_heard_enters_before_the_next_thought() {
    let agent_cell: Arc<std::sync::OnceLock<ReActAgent>> = Arc::default();
    let cell = agent_cell.clone();
    let tool = Probe::new("act", move |_, _| {
        let cell = cell.clone();
        async move {
            let agent = cell.get().unwrap();
            agentscope_core::Agent::observe(agent, vec![Arc::new(Msg::user("in Bergen, not Oslo"))]).await?;
            Ok("ok".into())
        }
    });
    let model = ScriptedModel::new([call("c1", "act", json!({})), say("Bergen then.")]);
    let agent = ReActAgent::new("Friday", model.clone()).tool(tool).allow("act");
    agent_cell.set(agent.clone()).unwrap();
    let msg = agent.reply("go").await.unwrap();
    assert!(
        matches!(&msg.content[2], ContentBlock::Heard(heard) if heard.text() == "in Bergen, not Oslo"),
        "{msg:#?}"
    );
    assert_eq!(msg.text(), "Bergen then.");
    let seen = model.requests()[1].messages.last().unwrap().clone();
    assert!(seen.content.iter().any(|block| matches!(block, ContentBlock::Heard(_))));
}

#[tokio::test]
async fn an_agent_is_a_tool_of_another_and_its_events_are_inner() {
    let inner =
        ReActAgent::new("Poet", ScriptedModel::new([call("c1", "echo", json!({"n": 7})), say("a poem")]))
            .tool(echo());
    let model = ScriptedModel::new([call("o1", "Poet", json!({"task": "rhyme"})), say("Here it is.")]);
    let outer = ReActAgent::new("Boss", model).agent(inner.clone());
    let mut events = outer.reply("go").stream();
    let mut inner_events = 0;
    while let Some(event) = events.next().await {
        if let EventKind::Inner { name, call_id, .. } = event.unwrap().kind {
            assert_eq!((name.as_str(), call_id.as_str()), ("Poet", "o1"));
            inner_events += 1;
        }
    }
    assert!(inner_events > 5);
    let state = outer.snapshot().await.unwrap();
    let result = state.context[1].msg.results().next().unwrap();
    assert_eq!(result.output, ["a poem".into()], "only what it says leaves it");
}

#[tokio::test]
async fn an_inner_agent_whose_tool_asks_is_denied_with_the_reason() {
    let tool = Probe::new("act", |_, _| async { Ok(String::new()) });
    let inner = ReActAgent::new("Poet", ScriptedModel::new([call("c1", "act", json!({})), say("could not")]))
        .tool(tool.clone());
    let outer =
        ReActAgent::new("Boss", ScriptedModel::new([call("o1", "Poet", json!({"task": "x"})), say("ok")]))
            .agent(inner.clone());
    outer.reply("go").await.unwrap();
    assert_eq!(tool.runs(), (0, 0));
    let state = inner.snapshot().await.unwrap();
    assert!(results(&state.context[1].msg)[0].2.contains("nobody can approve"), "{state:#?}");
}

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

#[tokio::test(start_paused = true)]
async fn an_interrupt_with_a_note_is_no_error_and_the_model_sees_the_note() {
    let model = ScriptedModel::new([say("a b c d e f").every(Duration::from_millis(10)), say("Right.")]);
    let agent = ReActAgent::new("Friday", model.clone());
    let stop = Interrupt::new();
    let reply = agent.reply("go").interrupt(&stop).start();
    tokio::time::sleep(Duration::from_millis(25)).await;
    stop.trigger(Reason::User(Some("speak Norwegian".into())));
    let msg = reply.await.unwrap();
    assert_eq!((msg.finish.clone(), msg.text().as_str()), (Some(Finish::Interrupted), "a b "));
    agent.reply("go on").await.unwrap();
    let seen = serde_json::to_string(&model.requests()[1].messages).unwrap();
    assert!(seen.contains("speak Norwegian"), "{seen}");
}

#[tokio::test(start_paused = true)]
async fn an_elapsed_deadline_is_an_error_and_leaves_good_state() {
    let model = ScriptedModel::new([say("a b c d").every(Duration::from_secs(10)), say("ok")]);
    let agent = ReActAgent::new("Friday", model);
    let error = agent.reply("go").deadline(Duration::from_secs(15)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(agent.snapshot().await.unwrap().is_well_formed());
    agent.reply("again").await.unwrap();
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

#[tokio::test]
async fn external_calls_wait_for_their_results() {
    let tool = echo().with(|spec| spec.external());
    let model = ScriptedModel::new([call("c1", "echo", json!({"n": 1})), say("ok")]);
    let agent = ReActAgent::new("Friday", model).tool(tool.clone());
    let mut events = agent.reply("go").stream();
    let mut asked = false;
    while let Some(event) = events.next().await {
        asked |= matches!(event.unwrap().kind, EventKind::RequireExternal { calls } if calls[0].state == CallState::Submitted);
    }
    assert!(asked);
    let result = agentscope_core::ToolResult::success("c1", "echo", "done outside");
    let before = agent.snapshot().await.unwrap();
    let mut early = result.clone();
    early.state = ToolState::Running;
    let refused = agent.reply(early).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidInput, "{refused}");
    assert_eq!(agent.snapshot().await.unwrap(), before);
    let msg = agent.reply(result).await.unwrap();
    assert_eq!((msg.text().as_str(), tool.runs()), ("ok", (0, 0)));
    assert_eq!(results(&msg)[0].2, "done outside");
}

#[tokio::test]
async fn an_abort_closes_what_waits() {
    let model = ScriptedModel::new([call("c1", "act", json!({}))]);
    let agent = ReActAgent::new("Friday", model).tool(Probe::new("act", |_, _| async { Ok(String::new()) }));
    agent.reply("go").await.unwrap();
    let msg = agent.reply(Input::Abort).await.unwrap();
    assert_eq!(msg.finish, Some(Finish::Interrupted));
    assert!(agent.snapshot().await.unwrap().is_well_formed());
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
