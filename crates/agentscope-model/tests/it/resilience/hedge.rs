use super::stage::{
    Stage, Step, ask, deltas, error, fail, failed, fine, finish, secs, text, usage, wait, whole,
};
use agentscope_core::{ChatModel, Context, ErrorKind};
use agentscope_model::{ChatModelExt, Hedge, RetryBudget};
use futures_util::{FutureExt, StreamExt};
use tokio::time::{Instant, sleep};

#[tokio::test(start_paused = true)]
async fn a_second_request_is_sent_when_the_first_is_silent_and_the_first_to_begin_is_taken() {
    let cases = [
        // (first, second, who is heard, when it begins, requests)
        (vec![wait(900), text("one"), finish()], fine(), "one", 900, 1),
        (vec![wait(5000), text("one"), finish()], vec![wait(500), text("two"), finish()], "two", 1500, 2),
        (vec![wait(1400), text("one"), finish()], vec![wait(500), text("two"), finish()], "one", 1400, 2),
        (vec![Step::Hang], vec![wait(500), text("two"), finish()], "two", 1500, 2),
    ];
    for (first, second, heard, begins, asked) in cases {
        let stage = Stage::new([first, second]);
        let begin = Instant::now();
        let mut answer = stage.clone().hedge(secs(1)).call(Default::default(), Context::new());
        let piece = answer.next().await.unwrap().unwrap();
        assert_eq!(piece, agentscope_core::ModelDelta::text(heard));
        assert_eq!((begin.elapsed().as_millis(), stage.asked()), (begins, asked));
        assert_eq!(stage.open(), 1, "the other one is stopped");
        assert_eq!(answer.count().await, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn usage_alone_is_no_answer_and_is_not_lost() {
    let stage = Stage::new([vec![usage(7, 0), Step::Hang], vec![text("two"), usage(10, 1), finish()]]);
    let answer = whole(ask(&stage.hedge(secs(1))).await);
    assert_eq!(answer, deltas(&[text("two"), usage(17, 1), finish()]));
}

#[tokio::test(start_paused = true)]
async fn a_failure_before_the_delay_is_told_and_one_after_it_waits_for_the_other() {
    let stage = Stage::new([vec![wait(500), fail(ErrorKind::Unavailable)], fine()]);
    assert_eq!(error(&stage.clone().hedge(secs(1))).await.message(), "Unavailable happened");
    assert_eq!(stage.asked(), 1);

    for (first, second) in [
        (vec![wait(1200), fail(ErrorKind::Unavailable)], vec![wait(500), text("fine"), finish()]),
        (vec![wait(1700), text("fine"), finish()], vec![wait(200), fail(ErrorKind::Unavailable)]),
    ] {
        let stage = Stage::new([first, second]);
        assert_eq!(whole(ask(&stage.clone().hedge(secs(1))).await), deltas(&[text("fine"), finish()]));
        assert_eq!((stage.asked(), stage.open()), (2, 0));
    }

    let stage = Stage::new([
        vec![usage(1, 0), wait(3000), fail(ErrorKind::Protocol)],
        vec![usage(2, 0), wait(100), fail(ErrorKind::Unavailable)],
    ]);
    let (before, error) = failed(ask(&stage.clone().hedge(secs(1))).await);
    assert_eq!((before, error.kind()), (deltas(&[usage(3, 0)]), ErrorKind::Unavailable));
    assert_eq!(stage.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_fails_after_it_began_is_an_error() {
    let stage = Stage::new([vec![wait(2000), text("half"), fail(ErrorKind::Unavailable)], vec![Step::Hang]]);
    let (said, error) = failed(ask(&stage.clone().hedge(secs(1))).await);
    assert_eq!((said, error.kind()), (deltas(&[text("half")]), ErrorKind::Unavailable));
    assert_eq!((stage.asked(), stage.open()), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn a_slow_hour_does_not_double_the_load() {
    let stage = Stage::new([vec![wait(2000), text("a"), finish()]]);
    let model = Hedge::new(stage.clone(), secs(1)).budget(RetryBudget::new(0.1).reserve(0));
    for _ in 0..100 {
        whole(ask(&model).await);
    }
    assert!((109..=110).contains(&stage.asked()), "{}", stage.asked());
}

#[tokio::test(start_paused = true)]
async fn whoever_goes_stops_both() {
    let stage = Stage::new([vec![Step::Hang]]);
    let mut answer = stage.clone().hedge(secs(1)).call(Default::default(), Context::new());
    assert!(answer.next().now_or_never().is_none());
    assert_eq!(stage.open(), 1);
    let _ = tokio::time::timeout(secs(2), answer.next()).await;
    assert_eq!(stage.open(), 2);
    drop(answer);
    assert_eq!(stage.open(), 0);
    sleep(secs(60)).await;
    assert_eq!(stage.asked(), 2);
}
