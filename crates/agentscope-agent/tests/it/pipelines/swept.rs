//! A nest of pipelines, stopped at every millisecond and after every event. (Before every poll it is stopped by the suite.)

use super::cast::{Cast, Stubborn, nest};
use agentscope_agent::{Fanout, Sequential, sequential};
use agentscope_core::{Agent, AgentExt, Context, ErrorKind, Finish, Interrupt, Reason};
use std::time::Duration;
use tokio::time::Instant;

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn tasks() -> usize {
    tokio::runtime::Handle::current().metrics().num_alive_tasks()
}

/// How long the nest takes when nobody stops it.
async fn length() -> u64 {
    let start = Instant::now();
    let reply = nest(&Cast::default()).reply("go").await.unwrap();
    assert_eq!(reply.finish, Some(Finish::Completed));
    u64::try_from(start.elapsed().as_millis()).unwrap()
}

/// When a reply is over, so is all that it started.
async fn nothing_runs_on(cast: &Cast, place: &str) {
    cast.check(place).await;
    assert_eq!(tasks(), 0, "a reply runs on after {place}");
    let ended = cast.ended();
    tokio::time::sleep(ms(200)).await;
    assert_eq!(cast.ended(), ended, "something went on after {place}");
}

#[tokio::test(start_paused = true)]
async fn an_interrupt_at_any_millisecond_of_a_nest_leaves_good_state_and_nothing_that_runs() {
    let length = length().await;
    assert!(length > 40, "{length}");
    for at in 0..=length + 2 {
        let (cast, stop) = (Cast::default(), Interrupt::new());
        let outer = nest(&cast);
        let reply = outer.reply("go").interrupt(&stop).start();
        tokio::time::sleep(ms(at)).await;
        stop.trigger(Reason::User(None));
        let place = format!("an interrupt at {at} ms of {length}");
        let start = Instant::now();
        let msg = reply.await.unwrap_or_else(|error| panic!("{place}: {error}"));
        assert!(start.elapsed() < Duration::from_secs(3), "{place}: it took {:?}", start.elapsed());
        let wanted = if at < length { Finish::Interrupted } else { Finish::Completed };
        assert!(msg.finish == Some(wanted) || at == length, "{place}: {:?}", msg.finish);
        nothing_runs_on(&cast, &place).await;
        let again = outer.reply("again").await.unwrap();
        assert_eq!(again.finish, Some(Finish::Completed), "{place}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_deadline_at_any_millisecond_of_a_nest_is_an_error_and_leaves_nothing_that_runs() {
    let length = length().await;
    for at in 0..length {
        let cast = Cast::default();
        let place = format!("a deadline at {at} ms of {length}");
        let reply = match at % 2 {
            0 => nest(&cast).reply("go").deadline(ms(at)).await,
            _ => nest(&cast).deadline(ms(at)).reply("go").await,
        };
        let Err(error) = reply else { panic!("{place} was none") };
        assert_eq!(error.kind(), ErrorKind::Timeout, "{place}: {error}");
        nothing_runs_on(&cast, &place).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_of_a_nest_dropped_after_any_event_leaves_good_state_and_nothing_that_runs() {
    let mut whole = nest(&Cast::default()).reply("go").stream();
    let mut events = 0;
    while let Some(event) = whole.next().await {
        event.unwrap();
        events += 1;
    }
    assert!(events > 50, "{events}");
    for taken in 0..=events {
        let cast = Cast::default();
        let outer = nest(&cast);
        let mut stream = outer.reply("go").stream();
        for _ in 0..taken {
            stream.next().await.unwrap().unwrap();
        }
        drop(stream);
        let place = format!("a stream dropped after {taken} of {events} events");
        // The tools have a grace of 2 s, and the longest takes 12 ms.
        tokio::time::sleep(ms(50)).await;
        nothing_runs_on(&cast, &place).await;
        assert_eq!(outer.reply("again").await.unwrap().finish, Some(Finish::Completed), "{place}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_does_not_end_when_it_is_told_to_is_left_after_the_grace() {
    let cast = Cast::default();
    let inner = Sequential::new((&cast.busy("A", 1), &Stubborn::new()));
    let outer = Fanout::new((&inner, &cast.busy("B", 5)));
    let stop = Interrupt::new();
    let reply = outer.reply("go").interrupt(&stop).start();
    tokio::time::sleep(ms(100)).await;
    stop.trigger(Reason::User(None));
    let start = Instant::now();
    assert_eq!(reply.await.unwrap().finish, Some(Finish::Interrupted));
    assert!(start.elapsed() <= Duration::from_secs(11), "{:?}", start.elapsed());
    tokio::time::sleep(Duration::from_secs(1)).await;
    nothing_runs_on(&cast, "a stubborn agent").await;
    let error = outer.deadline(ms(50)).reply("go").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
}

#[tokio::test(start_paused = true)]
async fn a_function_of_a_pipeline_is_stopped_by_the_context_in_which_it_is_called() {
    for at in 0..10 {
        let (cast, stop) = (Cast::default(), Interrupt::new());
        let cx = Context::new().with_interrupt(stop.clone());
        let (a, b) = (cast.busy("A", 3), cast.busy("B", 3));
        let work = cx.scope(async move { sequential((&a, &b), "go").await });
        let stopping = async {
            tokio::time::sleep(ms(at)).await;
            stop.trigger(Reason::User(None));
        };
        let (result, ()) = tokio::join!(work, stopping);
        let error = result.unwrap_err();
        assert!(error.to_string().contains("interrupted"), "{error}");
        nothing_runs_on(&cast, &format!("a function interrupted at {at} ms")).await;
    }
    // Whoever drops its future stops its agents too.
    for at in 0..10 {
        let cast = Cast::default();
        let (a, b) = (cast.busy("A", 3), cast.busy("B", 3));
        let left = tokio::time::timeout(ms(at), sequential((&a, &b), "go")).await;
        assert!(left.is_err());
        tokio::time::sleep(ms(50)).await;
        nothing_runs_on(&cast, &format!("a function dropped at {at} ms")).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_context_that_is_over_begins_nothing() {
    let cast = Cast::default();
    let cx = Context::new();
    cx.interrupt().trigger(Reason::Shutdown);
    let reply = nest(&cast).call(agentscope_core::Input::from("go").into(), cx).await.unwrap();
    assert_eq!(reply.finish, Some(Finish::Interrupted));
    nothing_runs_on(&cast, "a context that was over").await;
    assert_eq!(cast.ended(), 0);
}
