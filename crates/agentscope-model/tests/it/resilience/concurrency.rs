use super::stage::{
    Stage, Step, ask, ask_within, deltas, error, failed, fine, finish, request, secs, settle, text, wait,
    whole,
};
use agentscope_core::{ChatModel, Context, ErrorKind};
use agentscope_model::{ChatModelExt, ConcurrencyLimiter};
use futures_util::{FutureExt, StreamExt, future::join_all};
use tokio::{task::JoinSet, time::Instant};

fn slow() -> Vec<Step> {
    vec![wait(1000), text("a"), wait(1000), finish()]
}

#[tokio::test(start_paused = true)]
async fn no_more_run_at_the_same_time_than_there_are_places() {
    let stage = Stage::new([slow()]);
    let model = stage.clone().concurrency_limit(3);
    let begin = Instant::now();
    let answers = join_all((0..30).map(|_| ask(&model))).await;
    answers.into_iter().for_each(|answer| assert_eq!(whole(answer), deltas(&slow())));
    assert_eq!((stage.asked(), stage.most_open(), stage.open()), (30, 3, 0));
    assert_eq!(begin.elapsed().as_secs(), 20, "and no place is empty while someone waits");
}

#[tokio::test(start_paused = true)]
async fn who_comes_first_is_served_first() {
    let stage = Stage::new([slow()]);
    let model = stage.clone().concurrency_limit(1);
    let mut tasks = JoinSet::new();
    for n in 0..10 {
        let model = model.clone();
        tasks.spawn(async move { model.call(request(&n.to_string()), Context::new()).count().await });
        settle().await;
    }
    tasks.join_all().await;
    assert_eq!(stage.heard(), (0..10).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_place_is_kept_until_the_answer_ends_fails_or_is_dropped() {
    let stage = Stage::new([vec![text("a"), text("b"), super::stage::fail(ErrorKind::Internal)], fine()]);
    let model = stage.clone().concurrency_limit(1);
    for pieces in 0..5 {
        let mut answer = model.call(Default::default(), Context::new());
        for _ in 0..pieces {
            answer.next().await;
        }
        let mut next = model.call(Default::default(), Context::new());
        let waits = next.next().now_or_never().is_none();
        assert_eq!(
            waits,
            matches!(pieces, 1 | 2) || pieces == 3 && stage.open() > 0,
            "after {pieces} pieces"
        );
        drop(answer);
        assert!(next.next().now_or_never().is_some(), "the place is free");
    }
    assert_eq!(stage.open(), 0);
}

#[tokio::test(start_paused = true)]
async fn who_waits_and_goes_leaves_no_gap() {
    let stage = Stage::new([slow()]);
    let model = stage.clone().concurrency_limit(1);
    let mut first = model.call(Default::default(), Context::new());
    assert!(first.next().now_or_never().is_none());
    let mut second = model.call(Default::default(), Context::new());
    assert!(second.next().now_or_never().is_none());
    let third = tokio::spawn({
        let model = model.clone();
        async move { ask(&model).await }
    });
    settle().await;
    drop(second);
    drop(first);
    whole(third.await.unwrap());
    assert_eq!((stage.asked(), stage.most_open()), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_is_full_and_a_wait_that_is_too_long_are_told() {
    let limiter = ConcurrencyLimiter::new(1).queue(1).max_wait(secs(5));
    let stage = Stage::new([vec![Step::Hang]]);
    let model = stage.clone().concurrency_limit(limiter);
    let mut first = model.call(Default::default(), Context::new());
    assert!(first.next().now_or_never().is_none());

    let begin = Instant::now();
    let (second, third) = tokio::join!(error(&model), error(&model));
    assert_eq!(second.kind(), ErrorKind::Exhausted);
    assert_eq!(
        second.message(),
        "a request waited 5 s for the only place: ask less at a time, or allow more by `.max_wait(..)`"
    );
    assert_eq!(third.kind(), ErrorKind::Exhausted);
    assert_eq!(
        third.message(),
        "as many requests wait for the only place as may (1): ask less at a time, or let more wait by `.queue(..)`"
    );
    assert_eq!(begin.elapsed().as_secs(), 5);

    let (_, late) = failed(ask_within(&model, Context::new().with_deadline(secs(2))).await);
    assert_eq!(late.kind(), ErrorKind::Timeout);
    assert_eq!((begin.elapsed().as_secs(), stage.asked()), (7, 1));
}

#[tokio::test(start_paused = true)]
async fn models_that_share_a_limiter_share_its_places() {
    let limiter = ConcurrencyLimiter::new(2);
    let stages = [Stage::new([slow()]), Stage::new([slow()])];
    let models = stages.each_ref().map(|stage| stage.clone().concurrency_limit(limiter.clone()));
    let begin = Instant::now();
    join_all((0..8).map(|n| ask(&models[n % 2]))).await;
    assert_eq!(begin.elapsed().as_secs(), 8);
}
