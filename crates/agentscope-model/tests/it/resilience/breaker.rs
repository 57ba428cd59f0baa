use super::stage::{Stage, Step, ask, away, deltas, error, fail, fine, finish, secs, text, wait, whole};
use agentscope_core::{ChatModel, Context, ErrorKind};
use agentscope_model::{ChatModelExt, Circuit, CircuitBreaker};
use futures_util::{FutureExt, StreamExt};
use std::time::Duration;
use tokio::time::sleep;

/// A model that fails so often and is well afterwards, behind a circuit that opens after three failures.
fn model(failures: usize) -> (Stage, Circuit, CircuitBreaker<Stage>) {
    let scripts = std::iter::repeat_n(away(), failures).chain([fine()]);
    let stage = Stage::new(scripts);
    let circuit = Circuit::default().failures_in_a_row(3).open_for(secs(10));
    (stage.clone(), circuit.clone(), stage.circuit_breaker(circuit))
}

async fn open(model: &CircuitBreaker<Stage>) {
    for _ in 0..3 {
        error(model).await;
    }
}

#[tokio::test(start_paused = true)]
async fn it_opens_after_failures_in_a_row_and_says_when_it_is_asked_again() {
    let (stage, circuit, model) = model(3);
    open(&model).await;
    assert!(circuit.is_open());
    sleep(secs(4)).await;
    let refused = error(&model).await;
    assert_eq!((refused.kind(), refused.retry_after()), (ErrorKind::Unavailable, Some(secs(6))));
    assert_eq!(
        refused.message(),
        "`staged` failed too often and is not asked for 6.0 s: try again then, or use another model (the last failure: Unavailable happened)"
    );
    assert_eq!(stage.asked(), 3);
    sleep(secs(6)).await;
    assert_eq!(whole(ask(&model).await), deltas(&fine()));
    assert!(!circuit.is_open());
    assert_eq!(whole(ask(&model).await), deltas(&fine()));
}

#[tokio::test(start_paused = true)]
async fn a_success_in_between_begins_the_count_anew() {
    let scripts = [away(), away(), fine(), away(), away(), fine()];
    let stage = Stage::new(scripts);
    let circuit = Circuit::default().failures_in_a_row(3);
    let model = stage.circuit_breaker(circuit.clone());
    for _ in 0..6 {
        ask(&model).await;
        assert!(!circuit.is_open());
    }
}

#[tokio::test(start_paused = true)]
async fn one_goes_through_to_try_and_the_others_are_refused_until_it_is_known() {
    let stage = Stage::new([away(), away(), away(), vec![wait(5000), text("a"), wait(5000), finish()]]);
    let circuit = Circuit::default().failures_in_a_row(3).open_for(secs(10));
    let model = stage.clone().circuit_breaker(circuit);
    open(&model).await;
    sleep(secs(10)).await;
    let mut trying = model.call(Default::default(), Context::new());
    assert!(trying.next().now_or_never().is_none());
    for _ in 0..3 {
        let refused = error(&model).await;
        assert_eq!((refused.kind(), refused.retry_after()), (ErrorKind::Unavailable, Some(secs(1))));
    }
    assert_eq!(stage.asked(), 4);
    trying.next().await.unwrap().unwrap();
    let mut next = model.call(Default::default(), Context::new());
    assert!(next.next().now_or_never().is_none(), "it answers, which is enough");
    assert_eq!(stage.asked(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_try_that_fails_opens_it_again() {
    let (stage, circuit, model) = model(4);
    open(&model).await;
    sleep(secs(10)).await;
    error(&model).await;
    assert!(circuit.is_open());
    sleep(secs(9)).await;
    error(&model).await;
    assert_eq!(stage.asked(), 4);
    sleep(secs(1)).await;
    whole(ask(&model).await);
}

#[tokio::test(start_paused = true)]
async fn a_try_that_is_given_up_or_forgotten_does_not_keep_it_open() {
    let stage = Stage::new([away(), away(), away(), vec![Step::Hang]]);
    let circuit = Circuit::default().failures_in_a_row(3).open_for(secs(10));
    let model = stage.clone().circuit_breaker(circuit);
    open(&model).await;
    sleep(secs(10)).await;
    for asked in 4..8 {
        let mut trying = model.call(Default::default(), Context::new());
        assert!(trying.next().now_or_never().is_none());
        assert_eq!(stage.asked(), asked, "the one before was given up");
    }
    let mut forgotten = model.call(Default::default(), Context::new());
    assert!(forgotten.next().now_or_never().is_none());
    error(&model).await;
    sleep(secs(10)).await;
    let mut trying = model.call(Default::default(), Context::new());
    assert!(trying.next().now_or_never().is_none());
    assert_eq!(stage.asked(), 9, "it was not heard of for too long");
    drop(forgotten);
    error(&model).await;
    assert_eq!(stage.asked(), 9, "and going now, it does not take the place of the other");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_was_never_asked_for_tries_nothing() {
    let (stage, _, model) = model(3);
    open(&model).await;
    sleep(secs(10)).await;
    let unasked = model.call(Default::default(), Context::new());
    whole(ask(&model).await);
    drop(unasked);
    assert_eq!(stage.asked(), 4);
}

#[tokio::test(start_paused = true)]
async fn it_opens_when_a_share_of_many_fails() {
    let stage = Stage::new((0..100).map(|n| if n % 2 == 0 { fine() } else { away() }));
    let circuit = Circuit::default().failures_in_a_row(0).failure_share(0.5, 10, secs(30));
    let model = stage.clone().circuit_breaker(circuit.clone());
    for n in 0..10 {
        assert!(!circuit.is_open(), "after {n}");
        ask(&model).await;
        sleep(secs(1)).await;
    }
    assert!(circuit.is_open());

    let stage = Stage::new((0..100).map(|n| if n % 2 == 0 { fine() } else { away() }));
    let circuit = Circuit::default().failures_in_a_row(0).failure_share(0.5, 10, secs(30));
    let model = stage.clone().circuit_breaker(circuit.clone());
    for _ in 0..50 {
        ask(&model).await;
        sleep(secs(4)).await;
        assert!(!circuit.is_open(), "there are not ten within 30 s");
    }
}

#[tokio::test(start_paused = true)]
async fn only_failures_of_the_model_count() {
    use ErrorKind::*;
    for (kind, counts) in [
        (InvalidInput, false),
        (Unauthorized, false),
        (RateLimited, false),
        (ContextOverflow, false),
        (Exhausted, false),
        (Unavailable, true),
        (Timeout, true),
        (Protocol, true),
        (Internal, true),
    ] {
        let circuit = Circuit::default().failures_in_a_row(2);
        let model = Stage::new([vec![fail(kind)]]).circuit_breaker(circuit.clone());
        for _ in 0..4 {
            error(&model).await;
        }
        assert_eq!(circuit.is_open(), counts, "{kind:?}");

        let circuit = Circuit::default().failures_in_a_row(2).counts(move |error| error.kind() == kind);
        let model = Stage::new([vec![fail(kind)]]).circuit_breaker(circuit.clone());
        for _ in 0..4 {
            error(&model).await;
        }
        assert!(circuit.is_open(), "{kind:?} was told to count");
    }
}

#[tokio::test(start_paused = true)]
async fn answers_that_break_off_count_and_those_that_are_dropped_do_not() {
    let circuit = Circuit::default().failures_in_a_row(2);
    let model = Stage::new([vec![text("half")]]).circuit_breaker(circuit.clone());
    for _ in 0..4 {
        let mut answer = model.call(Default::default(), Context::new());
        answer.next().await;
    }
    assert!(!circuit.is_open());
    for _ in 0..2 {
        assert!(!circuit.is_open());
        ask(&model).await;
    }
    assert!(circuit.is_open());
}

#[tokio::test(start_paused = true)]
async fn what_was_sent_before_it_closed_again_says_nothing_of_now() {
    let late = vec![wait(15_000), fail(ErrorKind::Unavailable)];
    let stage = Stage::new([late, away(), fine()]);
    let circuit = Circuit::default().failures_in_a_row(1).open_for(secs(10));
    let model = stage.circuit_breaker(circuit.clone());
    let slow = tokio::spawn({
        let model = model.clone();
        async move { ask(&model).await }
    });
    sleep(Duration::from_millis(1)).await;
    error(&model).await;
    assert!(circuit.is_open());
    sleep(secs(10)).await;
    whole(ask(&model).await);
    slow.await.unwrap();
    assert!(!circuit.is_open());
}
