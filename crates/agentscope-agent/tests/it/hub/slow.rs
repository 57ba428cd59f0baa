//! Those who hear slowly, not at all, or not well.

use crate::support::{Ears, speaker};
use agentscope_agent::MsgHub;
use agentscope_core::{AgentExt, ErrorKind};
use std::time::Duration;
use tokio::time::Instant;

const SLOW: Duration = Duration::from_secs(10);

#[tokio::test(start_paused = true)]
async fn who_hears_slowly_delays_the_speaker_by_the_patience_and_hears_later_in_order() {
    let (alice, slow, quick) = (speaker("Alice"), Ears::new("Slow").takes(SLOW), Ears::new("Quick"));
    let hub = MsgHub::new((&alice, &slow, &quick)).unwrap();
    let start = Instant::now();
    for n in 0..5 {
        alice.reply(n.to_string()).await.unwrap();
        assert_eq!(quick.texts().len(), n + 1, "the others have heard");
    }
    assert_eq!(start.elapsed(), Duration::from_secs(1), "only the first message was waited for");
    assert_eq!(slow.texts(), Vec::<String>::new());
    hub.settled().await;
    assert_eq!(start.elapsed(), 5 * SLOW);
    assert_eq!(slow.texts(), ["0", "1", "2", "3", "4"]);
    assert!(hub.faults().is_empty());
    alice.reply("5").await.unwrap();
    hub.settled().await;
    assert_eq!(slow.texts().len(), 6, "once more");
}

#[tokio::test(start_paused = true)]
async fn many_slow_ones_are_waited_for_together() {
    let alice = speaker("Alice");
    let slow: Vec<Ears> = (0..20).map(|n| Ears::new(format!("Slow{n}")).takes(SLOW)).collect();
    let patient: Vec<Ears> =
        (0..20).map(|n| Ears::new(format!("P{n}")).takes(Duration::from_millis(900))).collect();
    let hub = MsgHub::new(&alice).unwrap();
    hub.add(&slow).unwrap();
    hub.add(&patient).unwrap();
    let start = Instant::now();
    alice.reply("one").await.unwrap();
    assert_eq!(start.elapsed(), Duration::from_secs(1));
    assert!(patient.iter().all(|ears| ears.texts() == ["one"]));
    hub.settled().await;
    assert!(slow.iter().all(|ears| ears.texts() == ["one"]));
    assert_eq!(start.elapsed(), SLOW);
}

#[tokio::test(start_paused = true)]
async fn the_patience_of_a_hub_can_be_set() {
    let (alice, slow) = (speaker("Alice"), Ears::new("Slow").takes(SLOW));
    let hub = MsgHub::new((&alice, &slow)).unwrap().patience(Duration::from_secs(30));
    let start = Instant::now();
    alice.reply("one").await.unwrap();
    assert_eq!((start.elapsed(), slow.texts().len()), (SLOW, 1));
    let hub = hub.patience(Duration::ZERO);
    alice.reply("two").await.unwrap();
    assert_eq!(start.elapsed(), SLOW, "nobody is waited for");
    hub.settled().await;
    assert_eq!(slow.texts(), ["one", "two"]);
}

#[tokio::test(start_paused = true)]
async fn who_never_hears_is_given_up_after_the_late_limit_and_reported() {
    let (alice, deaf) = (speaker("Alice"), Ears::new("Deaf").takes(Duration::MAX));
    let hub = MsgHub::new((&alice, &deaf)).unwrap().late_limit(Duration::from_secs(5));
    let start = Instant::now();
    let said = alice.reply("one").await.unwrap();
    alice.reply("two").await.unwrap();
    hub.settled().await;
    assert_eq!(start.elapsed(), Duration::from_secs(1 + 5 + 5));
    let faults = hub.faults();
    assert_eq!(faults.iter().map(|fault| fault.error.kind()).collect::<Vec<_>>(), [ErrorKind::Timeout; 2]);
    assert_eq!((&faults[0].msg, faults[0].participant.as_str()), (&said.id, "Deaf"));
    assert!(hub.faults().is_empty(), "faults are told once");
}

#[tokio::test(start_paused = true)]
async fn who_is_too_far_behind_misses_what_is_said_and_this_is_reported() {
    let (alice, deaf) = (speaker("Alice"), Ears::new("Deaf").takes(Duration::from_secs(59)));
    let hub = MsgHub::new((&alice, &deaf)).unwrap();
    for n in 0..1_030 {
        alice.reply(n.to_string()).await.unwrap();
    }
    let faults = hub.faults();
    assert!(!faults.is_empty() && faults.len() < 10, "{}", faults.len());
    assert!(faults.iter().all(|fault| fault.error.kind() == ErrorKind::Exhausted));
    hub.settled().await;
    assert_eq!(deaf.texts().len() + faults.len(), 1_030, "everything is heard or reported");
}

#[tokio::test(start_paused = true)]
async fn who_fails_to_hear_is_reported_and_stops_nobody() {
    let alice = speaker("Alice");
    let (good, other) = (Ears::new("Good"), Ears::new("Other"));
    for bad in [Ears::new("Bad").fails(), Ears::new("Bad").fails().takes(Duration::from_millis(100))] {
        let hub = MsgHub::new((&alice, &good, &bad, &other)).unwrap();
        let before = good.texts().len();
        alice.reply("one").await.unwrap();
        assert_eq!((good.texts().len(), other.texts().len()), (before + 1, before + 1));
        let faults = hub.faults();
        assert_eq!((faults.len(), faults[0].participant.as_str()), (1, "Bad"));
        let error = hub.broadcast("two").await.unwrap_err();
        assert!(error.to_string().starts_with("not heard by `Bad`"), "{error}");
        assert_eq!(other.texts().len(), before + 2);
    }
}

#[tokio::test(start_paused = true)]
async fn who_panics_while_it_hears_is_reported_and_hurts_nobody() {
    let alice = speaker("Alice");
    let good = Ears::new("Good");
    let times = [Duration::ZERO, Duration::from_millis(100), Duration::from_secs(3)];
    for (n, time) in times.into_iter().enumerate() {
        let bad = Ears::new("Bad").panics().takes(time);
        let hub = MsgHub::new((&alice, &bad, &good)).unwrap();
        for _ in 0..2 {
            assert_eq!(alice.reply("one").await.unwrap().text(), "one");
        }
        tokio::time::timeout(Duration::from_secs(60), hub.settled()).await.unwrap();
        assert_eq!(good.texts().len(), 2 * (n + 1));
        let faults = hub.faults();
        assert_eq!(faults.len(), 2, "{faults:?}");
        assert!(faults.iter().all(|it| it.error.kind() == ErrorKind::Internal && it.participant == "Bad"));
    }
}

#[tokio::test(start_paused = true)]
async fn who_leaves_hears_nothing_more_of_what_it_is_behind_with() {
    let (alice, slow) = (speaker("Alice"), Ears::new("Slow").takes(SLOW));
    let hub = MsgHub::new((&alice, &slow)).unwrap();
    for n in 0..5 {
        alice.reply(n.to_string()).await.unwrap();
    }
    hub.remove(&slow).unwrap();
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(slow.texts(), ["0"], "what it was just hearing, and no more");
    hub.add(&slow).unwrap();
    alice.reply("back").await.unwrap();
    hub.settled().await;
    assert_eq!(slow.texts(), ["0", "back"]);
}

#[tokio::test(start_paused = true)]
async fn what_was_said_before_the_hub_is_dropped_is_still_heard_and_then_nothing_runs() {
    let (alice, slow) = (speaker("Alice"), Ears::new("Slow").takes(SLOW));
    let hub = MsgHub::new((&alice, &slow)).unwrap();
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    alice.reply("one").await.unwrap();
    alice.reply("two").await.unwrap();
    drop(hub);
    alice.reply("three").await.unwrap();
    tokio::time::sleep(3 * SLOW).await;
    assert_eq!(slow.texts(), ["one", "two"]);
    assert_eq!(tasks(), before);
}

#[test]
fn a_runtime_that_is_gone_leaves_a_hub_that_works_in_the_next_one() {
    let (alice, slow) = (speaker("Alice"), Ears::new("Slow").takes(SLOW));
    let hub = MsgHub::new((&alice, &slow)).unwrap();
    let runtime =
        || tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime().block_on(async { alice.reply("lost").await }).unwrap();
    runtime().block_on(async {
        tokio::time::timeout(Duration::from_secs(60), hub.settled()).await.unwrap();
        alice.reply("heard").await.unwrap();
        hub.settled().await;
    });
    assert_eq!(slow.texts(), ["heard"]);
}
