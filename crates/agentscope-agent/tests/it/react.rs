//! What an agent does with a model and tools.

use crate::support::{Probe, echo, results};
use agentscope_agent::ReActAgent;
use agentscope_core::{
    AgentExt, CallState, ContentBlock, Decision, ErrorKind, EventKind, Finish, Input, Interrupt, Msg, Reason,
    ScriptedModel, ToolChoice, ToolSpec, ToolState,
    testing::{Line, call, say},
};
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
