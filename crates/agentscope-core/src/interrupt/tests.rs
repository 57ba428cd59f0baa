use super::*;
use futures_util::FutureExt;
use std::thread;

#[test]
fn a_trigger_comes_through_a_switch_that_nobody_holds_any_more() {
    let all = Interrupt::new();
    let one = all.child().child().child();
    assert!(!one.is_triggered());
    all.trigger(Reason::Shutdown);
    assert_eq!(one.reason(), Some(Reason::Shutdown));
}

#[test]
fn a_child_of_what_was_triggered_is_triggered_from_the_start() {
    let all = Interrupt::new();
    all.trigger(Reason::Shutdown);
    assert_eq!(all.child().child().reason(), Some(Reason::Shutdown));
    assert_eq!(Interrupt::new().joined(&all).reason(), Some(Reason::Shutdown));
}

#[test]
fn a_joined_switch_and_what_is_below_it_have_the_reason_of_the_first_of_its_parents() {
    for first in [0, 1, 2] {
        let stops = [Interrupt::new(), Interrupt::new(), Interrupt::new()];
        let [one, two, three] = &stops;
        let both = one.joined(two).child().joined(three).child();
        stops[first].trigger(Reason::User(Some(first.to_string())));
        stops[(first + 1) % 3].trigger(Reason::Shutdown);
        assert_eq!(both.reason(), Some(Reason::User(Some(first.to_string()))));
        assert!(!stops[(first + 2) % 3].is_triggered(), "a child does not stop its parent");
    }
}

#[test]
fn a_switch_keeps_its_own_reason_when_its_parent_is_triggered() {
    let all = Interrupt::new();
    let one = all.child();
    let below = one.child();
    one.trigger(Reason::Deadline);
    all.trigger(Reason::Shutdown);
    assert_eq!((one.reason(), below.reason()), (Some(Reason::Deadline), Some(Reason::Deadline)));
}

#[tokio::test]
async fn who_waits_below_is_woken() {
    let (all, also) = (Interrupt::new(), Interrupt::new());
    let stops = [all.clone(), all.child().child(), also.joined(&all)];
    let waiting = stops.clone().map(|stop| tokio::spawn(async move { stop.triggered().await }));
    tokio::task::yield_now().await;
    all.trigger(Reason::Dropped);
    for waiting in waiting {
        waiting.await.unwrap();
    }
    assert!(also.triggered().now_or_never().is_none(), "nobody triggered this one");
}

#[test]
fn switches_that_are_gone_leave_no_more_than_a_few_places() {
    let all = Interrupt::new();
    let kept: Vec<_> = (0..100).map(|_| all.child()).collect();
    (0..10_000).for_each(|_| drop(all.child()));
    assert!(all.0.children().capacity() < 1000);
    all.trigger(Reason::Shutdown);
    assert!(kept.iter().all(Interrupt::is_triggered));
    assert!(all.0.children().is_empty());
}

#[test]
fn no_child_is_missed_that_is_made_while_its_parent_is_triggered() {
    for _ in 0..200 {
        let all = Interrupt::new();
        let making: Vec<_> = (0..4)
            .map(|_| {
                let all = all.clone();
                thread::spawn(move || (0..20).map(|_| all.child().child()).collect::<Vec<_>>())
            })
            .collect();
        all.trigger(Reason::Shutdown);
        for made in making {
            assert!(made.join().unwrap().iter().all(Interrupt::is_triggered));
        }
    }
}
