//! Agents made of agents keep the laws of every agent.

mod bad;
mod cast;
mod swept;
mod talk;

use crate::support::{HardOfHearing, speaker};
use agentscope_agent::{
    Debate, Fanout, ForLoop, GroupChat, Handoff, IfElse, MixtureOfAgents, Sequential, Switch, WhileLoop,
};
use agentscope_core::{
    Agent, AgentExt, ErrorKind, Msg, Result, agent_fn,
    testing::conformance::{Subject, agent},
};
use cast::Cast;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

/// Runs the suite on a pipeline, and looks into all agents that took part in it.
async fn keeps_the_laws<A: Agent>(make: impl Fn(&Cast) -> A) {
    let cast = Cast::default();
    agent(|| {
        let ended = cast.clone();
        Subject::new(make(&cast)).tool_ends(move || ended.ended())
    })
    .await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    cast.check("the suite").await;
}

#[tokio::test(start_paused = true)]
async fn a_sequence_keeps_the_laws() {
    keeps_the_laws(|cast| Sequential::new((&cast.busy("A", 3), &speaker("B"), &cast.busy("C", 2)))).await;
}

#[tokio::test(start_paused = true)]
async fn a_fanout_keeps_the_laws() {
    keeps_the_laws(|cast| Fanout::new((&cast.busy("A", 3), &speaker("B"), &cast.busy("C", 20)))).await;
    keeps_the_laws(|cast| {
        Fanout::new((&cast.busy("A", 3), &cast.busy("B", 4))).one_by_one().collect_failures()
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn branches_keep_the_laws() {
    let is_hello = |msg: &Msg| msg.text() == "hello";
    keeps_the_laws(|cast| IfElse::new(is_hello, &cast.busy("A", 3), &speaker("B"))).await;
    keeps_the_laws(|cast| Switch::new(Msg::text).case("hello", &cast.busy("A", 3)).default(&speaker("B")))
        .await;
}

#[tokio::test(start_paused = true)]
async fn loops_keep_the_laws() {
    keeps_the_laws(|cast| ForLoop::new(&cast.busy("A", 3), 2)).await;
    keeps_the_laws(|cast| WhileLoop::new(|round, _: &Msg| round < 2, &cast.busy("A", 3))).await;
    keeps_the_laws(|cast| WhileLoop::new(|_, _: &Msg| true, &cast.busy("A", 3)).max_rounds(2)).await;
}

#[tokio::test(start_paused = true)]
async fn talks_keep_the_laws() {
    keeps_the_laws(|cast| {
        GroupChat::new((&cast.busy("A", 3), &speaker("B"), &cast.busy("C", 2))).max_turns(4)
    })
    .await;
    keeps_the_laws(|cast| {
        let judge = agent_fn("Judge", |_, _| async {
            let mut msg = Msg::assistant("Judge", "A it is.");
            msg.output = Some(serde_json::json!({"decided": true, "winner": "A", "reason": "It looked."}));
            Result::Ok(msg)
        });
        Debate::new((&cast.busy("A", 3), &speaker("B")), &judge)
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn mixtures_and_handoffs_keep_the_laws() {
    keeps_the_laws(|cast| {
        MixtureOfAgents::new(&cast.busy("A", 3), (&cast.busy("B", 2), &speaker("C"))).rounds(2)
    })
    .await;
    keeps_the_laws(|cast| Handoff::new((&cast.busy("A", 3), &speaker("B")))).await;
}

#[tokio::test(start_paused = true)]
async fn a_nest_of_pipelines_keeps_the_laws() {
    keeps_the_laws(cast::nest).await;
}

#[tokio::test(start_paused = true)]
async fn a_failing_sibling_leaves_no_orphan() {
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    for limit in [1, 2, 10] {
        let cast = Cast::default();
        let failing = agent_fn("Failing", |_, _| async {
            tokio::time::sleep(Duration::from_millis(2)).await;
            Err::<Msg, _>(agentscope_core::Error::new(ErrorKind::Refused, "no"))
        });
        let both = Sequential::new((&cast.busy("D", 5), &cast.busy("E", 50)));
        let fanout =
            Fanout::new((&cast.busy("A", 50), &failing, &cast.busy("B", 50), &both, &cast.busy("C", 90)));
        let start = tokio::time::Instant::now();
        let error = fanout.concurrency(limit).all("go").await.unwrap_err();
        assert!(start.elapsed() < Duration::from_millis(110), "the others went on: {:?}", start.elapsed());
        assert_eq!(
            (error.kind(), error.to_string().contains("`Failing`")),
            (ErrorKind::Refused, true),
            "{error}"
        );
        assert_eq!(cast.running(), 0, "a tool runs on");
        cast.check("a failed sibling").await;
        assert_eq!(tasks(), 0, "a reply runs on");
        let ended = cast.ended();
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(cast.ended(), ended, "something went on");
    }
}

#[tokio::test(start_paused = true)]
async fn a_sibling_that_does_not_end_is_not_waited_for_for_ever() {
    let failing = agent_fn("Failing", |_, _| async {
        Err::<Msg, _>(agentscope_core::Error::new(ErrorKind::Refused, "no"))
    });
    let fanout = Fanout::new((&cast::Stubborn::new(), &failing));
    let start = tokio::time::Instant::now();
    let all = tokio::time::timeout(Duration::from_secs(60), fanout.all("go")).await.unwrap();
    assert_eq!((all.unwrap_err().kind(), start.elapsed()), (ErrorKind::Refused, Duration::from_secs(10)));
    assert_eq!(fanout.reply("go").await.unwrap_err().kind(), ErrorKind::Refused);
}

#[tokio::test(start_paused = true)]
async fn collected_failures_stand_in_their_places_and_stop_nobody() {
    let failing = |name: &'static str| {
        agent_fn(name, move |_, _| async move {
            Err::<Msg, _>(agentscope_core::Error::new(ErrorKind::Refused, name))
        })
    };
    let cast = Cast::default();
    let fanout =
        Fanout::new((&failing("F"), &cast.busy("A", 30), &failing("G"), &speaker("B"))).collect_failures();
    let replies = fanout.all("go").await.unwrap();
    let told: Vec<_> = replies.iter().map(|it| it.as_ref().map(Msg::text).map_err(|it| it.kind())).collect();
    let refused = || Err(ErrorKind::Refused);
    assert_eq!(told, [refused(), Ok("A is done.".into()), refused(), Ok("go".into())]);
    let all = Fanout::new((&failing("F"), &failing("G"))).collect_failures();
    assert_eq!(all.reply("go").await.unwrap_err().kind(), ErrorKind::Refused, "all failed");
}

#[tokio::test(start_paused = true)]
async fn a_fanout_asks_no_more_at_the_same_time_than_it_may_and_keeps_the_order() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let agents: Vec<_> = (0..20_u64)
        .map(|n| {
            let (now, most) = (Arc::clone(&now), Arc::clone(&most));
            agent_fn("Worker", move |_, _| {
                let (now, most) = (Arc::clone(&now), Arc::clone(&most));
                async move {
                    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    tokio::time::sleep(Duration::from_millis(40 - n)).await;
                    now.fetch_sub(1, Ordering::SeqCst);
                    Ok(Msg::assistant("Worker", n.to_string()))
                }
            })
        })
        .collect();
    let replies = Fanout::new(&agents).concurrency(3).all("go").await.unwrap();
    let told: Vec<String> = replies.into_iter().map(|it| it.unwrap().text()).collect();
    assert_eq!(told, (0..20).map(|n: u32| n.to_string()).collect::<Vec<_>>());
    assert_eq!(most.swap(0, Ordering::SeqCst), 3);
    Fanout::new(&agents).one_by_one().reply("go").await.unwrap();
    assert_eq!(most.swap(0, Ordering::SeqCst), 1);
    Fanout::new(&agents).reply("go").await.unwrap();
    assert_eq!(most.load(Ordering::SeqCst), 20);
}

#[tokio::test(start_paused = true)]
async fn who_hears_slowly_speaks_in_a_talk_when_it_has_heard_what_was_said() {
    let counting = |name: &'static str| {
        agent_fn(name, move |msgs: Vec<Arc<Msg>>, _| async move {
            let heard: Vec<String> = msgs.iter().map(|msg| format!("{}: {}", msg.name, msg.text())).collect();
            Ok(Msg::assistant(name, heard.join(", ")))
        })
    };
    let slow = HardOfHearing(counting("Slow"), Duration::from_secs(5));
    let talk = GroupChat::new((&counting("Quick"), &slow)).max_turns(2).all("Go!").await.unwrap();
    assert_eq!(talk[1].text(), "user: Go!, Quick: user: Go!");
}

#[tokio::test]
async fn law_8_what_goes_from_agent_to_agent_is_what_is_spoken() {
    let cast = Cast::default();
    let asked = Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    let spy = agent_fn("Spy", move |msgs: Vec<Arc<Msg>>, _| {
        seen.lock().unwrap().extend(msgs);
        async { Ok(Msg::assistant("Spy", "I see.")) }
    });
    Sequential::new((&cast.busy("A", 1), &spy)).reply("go").await.unwrap();
    let asked = asked.lock().unwrap();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].content, [agentscope_core::ContentBlock::text("A is done.")]);
}
