//! What pipelines say to bad input: what happened, and what to do.

use super::cast::Cast;
use crate::support::{Probe, speaker};
use agentscope_agent::{
    Debate, Fanout, ForLoop, GroupChat, Handoff, IfElse, MixtureOfAgents, ReActAgent, Sequential, Switch,
    WhileLoop, fanout, sequential,
};
use agentscope_core::{
    Agent, AgentExt, Decision, ErrorKind, Finish, FnAgent, Input, Interrupt, Msg, Reason, Result,
    ScriptedModel, agent_fn,
    testing::{call, say},
};
use serde_json::json;
use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

fn nobody() -> Vec<Arc<dyn Agent>> {
    Vec::new()
}

#[tokio::test]
async fn a_pipeline_of_none_says_that_it_wants_agents() {
    let one = speaker("One");
    let empty: [Box<dyn Agent>; 6] = [
        Box::new(Sequential::new(nobody())),
        Box::new(Fanout::new(nobody())),
        Box::new(GroupChat::new(nobody())),
        Box::new(Handoff::new(nobody())),
        Box::new(MixtureOfAgents::new(&one, nobody())),
        Box::new(Debate::new(nobody(), &one)),
    ];
    for pipeline in empty {
        let error = pipeline.reply("go").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
        assert!(
            error.to_string().contains("give it at least one") || error.to_string().contains("takes two"),
            "{error}"
        );
        pipeline.observe(vec![Arc::new(Msg::user("psst"))]).await.unwrap();
    }
    assert_eq!(sequential(nobody(), "go").await.unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(fanout(nobody(), "go").await.unwrap_err().kind(), ErrorKind::InvalidInput);
    let error = Switch::new(Msg::text).reply("go").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("give a default"), "{error}");
    let error = Switch::new(Msg::text).case("stop", &one).reply("go").await.unwrap_err();
    assert!(error.to_string().contains("there is stop"), "{error}");
}

#[tokio::test]
async fn a_loop_whose_condition_never_holds_says_what_it_was_told() {
    let never = WhileLoop::new(|_, _: &Msg| false, &speaker("A"));
    let reply = never.reply("told").await.unwrap();
    assert_eq!((reply.text().as_str(), reply.finish), ("told", Some(Finish::Completed)));
    let none = ForLoop::new(&speaker("A"), 0);
    assert_eq!(none.reply("told").await.unwrap().text(), "told");
    for error in [never.reply(()).await.unwrap_err(), none.reply(()).await.unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains("give it a message, or a round"), "{error}");
    }
}

#[tokio::test]
async fn a_loop_whose_condition_always_holds_ends_at_its_cap_and_says_so() {
    let rounds = Arc::new(std::sync::atomic::AtomicU32::new(0));
    let counted = Arc::clone(&rounds);
    let body = agent_fn("Body", move |_, _| {
        let n = counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        async move { Ok(Msg::assistant("Body", n.to_string())) }
    });
    let always = WhileLoop::new(|_, _: &Msg| true, &body);
    let reply = always.reply("go").await.unwrap();
    assert_eq!((reply.text().as_str(), reply.finish), ("99", Some(Finish::ExceedMaxIters)));
    let reply = always.clone().max_rounds(0).reply("go").await.unwrap();
    assert_eq!((reply.text().as_str(), reply.finish), ("go", Some(Finish::ExceedMaxIters)));
    assert_eq!(rounds.load(std::sync::atomic::Ordering::SeqCst), 100);
    let until = ForLoop::new(&body, 5).until(|_| false).reply("go").await.unwrap();
    assert_eq!(until.finish, Some(Finish::Completed));
}

#[tokio::test]
async fn a_pipeline_takes_no_decisions_and_says_who_does() {
    let pipeline = Sequential::new(&speaker("A"));
    for input in [Input::from(Decision::allow("c1")), Input::Abort, Input::Results(Vec::new())] {
        let error = pipeline.reply(input).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    }
    let error = sequential(&speaker("A"), Decision::allow("c1")).await.unwrap_err();
    assert!(error.to_string().contains("to the agent that waits"), "{error}");
    assert_eq!(pipeline.reply("go").await.unwrap().text(), "go");
}

#[tokio::test]
async fn an_agent_that_waits_for_approval_in_a_pipeline_is_told_that_nobody_can_give_it() {
    let act = Probe::new("act", |_, _| async { Ok("acted".into()) });
    let model = ScriptedModel::new([call("c1", "act", json!({})), say("I could not.")]);
    let asking = ReActAgent::new("Asking", model).tool(act.clone());
    let reply = Sequential::new((&asking, &speaker("Next"))).reply("go").await.unwrap();
    assert_eq!(reply.text(), "I could not.");
    assert_eq!(act.runs(), (0, 0));
    let state = asking.snapshot().await.unwrap();
    let told: Vec<String> =
        state.messages().flat_map(|msg| msg.results().map(|it| it.text()).collect::<Vec<_>>()).collect();
    assert!(told[0].contains("nobody can approve"), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_panics_in_a_pipeline_is_an_error_that_names_it_and_stops_the_others() {
    let panics = agent_fn("Bad", |_, _| async {
        tokio::time::sleep(Duration::from_millis(2)).await;
        assert!(Msg::user("").text() == "x", "boom");
        Result::Ok(Msg::user(""))
    });
    let cast = Cast::default();
    let pipeline = ForLoop::new(&Fanout::new((&cast.busy("A", 30), &panics)), 2);
    for _ in 0..2 {
        let error = pipeline.reply("go").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Internal);
        assert!(error.to_string().contains("`Bad`") && error.to_string().contains("boom"), "{error}");
        cast.check("a panic").await;
    }
}

#[tokio::test]
async fn a_condition_that_panics_fails_the_reply_and_not_the_pipeline() {
    let picky = |msg: &Msg| {
        assert!(msg.text() != "bad", "no such thing");
        true
    };
    let pipeline = IfElse::new(picky, &speaker("A"), &speaker("B"));
    let error = pipeline.reply("bad").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
    assert!(error.to_string().contains("no such thing"), "{error}");
    assert_eq!(pipeline.reply("good").await.unwrap().text(), "good");
    let join = Fanout::new(&speaker("A")).join(|_| -> Result<Msg> { panic!("no join") });
    assert_eq!(join.reply("go").await.unwrap_err().kind(), ErrorKind::Internal);
}

#[tokio::test]
async fn a_pipeline_inside_of_itself_is_refused() {
    let slot: Arc<OnceLock<Sequential>> = Arc::default();
    let inner = Arc::clone(&slot);
    let caller = agent_fn("Caller", move |_, _| {
        let inner = Arc::clone(&inner);
        async move { inner.get().unwrap().reply("again").await }
    });
    let outer = Sequential::new((&speaker("A"), &caller));
    slot.set(outer.clone()).unwrap();
    let error =
        tokio::time::timeout(Duration::from_secs(10), outer.reply("go").stream()).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.to_string().contains("another agent"), "{error}");
}

fn nested(levels: usize) -> Arc<dyn Agent> {
    let mut agent: Arc<dyn Agent> = Arc::new(speaker("Inmost"));
    for _ in 0..levels {
        agent = Arc::new(Sequential::new(vec![agent]));
    }
    agent
}

#[tokio::test]
async fn pipelines_nest_sixty_levels_deep_and_beyond_that_they_say_so() {
    assert_eq!(nested(60).reply("go").await.unwrap().text(), "go");
    for levels in [64, 1_000] {
        let error = nested(levels).reply("go").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Exhausted, "{error}");
        assert!(error.to_string().contains("nest them less"), "{error}");
    }
}

fn deeper() -> FnAgent {
    agent_fn("Deeper", |_, _| async { deeper().reply("and deeper").await })
}

#[tokio::test]
async fn agents_that_make_agents_to_ask_them_come_to_an_end() {
    let error = tokio::time::timeout(Duration::from_secs(60), deeper().reply("go").stream()).await.unwrap();
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Exhausted);
}

#[tokio::test(start_paused = true)]
async fn a_fanout_to_ten_thousand_is_done_and_is_stopped() {
    let agents: Vec<_> = (0..10_000).map(|_| speaker("One")).collect();
    let all = Fanout::new(&agents);
    let replies = all.all("go").await.unwrap();
    assert_eq!(replies.len(), 10_000);
    assert!(replies.iter().all(|reply| reply.as_ref().unwrap().text() == "go"));
    let slow: Vec<_> =
        (0..10_000).map(|_| crate::support::listener("Slow", Duration::from_secs(60))).collect();
    let slow = Fanout::new(&slow);
    let stop = Interrupt::new();
    let reply = slow.reply("go").interrupt(&stop).start();
    tokio::time::sleep(Duration::from_secs(1)).await;
    stop.trigger(Reason::User(None));
    assert_eq!(reply.await.unwrap().finish, Some(Finish::Interrupted));
    assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), 0);
}
