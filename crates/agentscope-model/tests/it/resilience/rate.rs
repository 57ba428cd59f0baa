use super::stage::{
    Stage, Step, ask, ask_within, error, fail, failed, finish, request, secs, settle, text, usage, whole,
};
use agentscope_core::{ChatModel, Context, Error, ErrorKind};
use agentscope_model::{ChatModelExt, RateLimiter, RetryPolicy};
use futures_util::{FutureExt, StreamExt, future::join_all};
use proptest::{collection::vec, prelude::*};
use std::time::Duration;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

const MINUTE: Duration = secs(60);

fn spends(input: u64, output: u64) -> Vec<Step> {
    vec![text("a"), usage(input, output), finish()]
}

#[tokio::test(start_paused = true)]
async fn what_is_too_much_waits_in_the_order_in_which_it_came() {
    let stage = Stage::new([spends(1, 1)]);
    let model = stage.clone().rate_limit(RateLimiter::requests(4));
    let begin = Instant::now();
    let mut tasks = JoinSet::new();
    for n in 0..10 {
        let model = model.clone();
        tasks.spawn(async move { model.call(request(&n.to_string()), Context::new()).count().await });
        settle().await;
    }
    tasks.join_all().await;
    assert_eq!(stage.heard(), (0..10).map(|n| n.to_string()).collect::<Vec<_>>());
    let minutes: Vec<_> = stage.times().iter().map(|at| (*at - begin).as_secs() / 60).collect();
    assert_eq!(minutes, [0, 0, 0, 0, 1, 1, 1, 1, 2, 2]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn in_no_minute_is_it_more_than_the_limit(
        limit in 1..20_u64,
        arrivals in vec((0..20_000_u64, any::<bool>()), 1..60),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let times = runtime.block_on(async {
            let stage = Stage::new([spends(1, 1)]);
            let model = stage.clone().rate_limit(RateLimiter::requests(limit));
            let mut tasks = JoinSet::new();
            for (pause, stays) in arrivals {
                sleep(Duration::from_millis(pause)).await;
                let model = model.clone();
                tasks.spawn(async move {
                    let asked = ask(&model);
                    // Some lose patience.
                    let patience = if stays { secs(100_000) } else { secs(30) };
                    let _ = tokio::time::timeout(patience, asked).await;
                });
            }
            tasks.join_all().await;
            stage.times()
        });
        for (at, time) in times.iter().enumerate() {
            let within = times[at..].iter().take_while(|other| **other - *time < MINUTE).count() as u64;
            prop_assert!(within <= limit, "{} of {} in a minute", within, limit);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn tokens_are_estimated_before_and_corrected_by_what_was_used() {
    let words = "four ".repeat(400);
    let stage = Stage::new([spends(900, 100)]);
    assert!((300..600).contains(&stage.estimate_tokens(&request(&words))));
    let model = stage.clone().rate_limit(RateLimiter::requests(1000).tokens(2000));
    let begin = Instant::now();
    for n in 0..6 {
        model.call(request(&words), Context::new()).count().await;
        // 1000 each: two fit, for a third there would be room only by the estimate.
        assert_eq!(begin.elapsed().as_secs(), n / 2 * 60, "request {n}");
    }
}

#[tokio::test(start_paused = true)]
async fn tokens_that_were_not_used_are_there_for_who_waits() {
    let words = "four ".repeat(1500);
    let script = vec![super::stage::wait(1000), text("a"), usage(10, 10), finish()];
    let stage = Stage::new([script]);
    let model = stage.clone().rate_limit(RateLimiter::only_tokens(2000));
    let begin = Instant::now();
    let call = || model.call(request(&words), Context::new()).count();
    join_all([call(), call()]).await;
    assert_eq!(
        begin.elapsed().as_secs(),
        2,
        "the second goes as soon as it is known how little the first took"
    );
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_larger_than_the_limit_goes_when_no_other_is_there() {
    let stage = Stage::new([spends(1, 1), spends(5000, 0), spends(1, 1)]);
    let model = stage.clone().rate_limit(RateLimiter::only_tokens(100));
    let begin = Instant::now();
    let mut seconds = Vec::new();
    for words in ["a", &"long".repeat(1000), "b"] {
        model.call(request(words), Context::new()).count().await;
        seconds.push(begin.elapsed().as_secs());
    }
    assert_eq!(seconds, [0, 60, 120]);
}

#[tokio::test(start_paused = true)]
async fn who_cannot_make_it_to_the_deadline_is_told_at_once_how_long_it_takes() {
    let stage = Stage::new([spends(1, 1)]);
    let model = stage.clone().rate_limit(RateLimiter::requests(1)).retry(RetryPolicy::default());
    whole(ask(&model).await);
    sleep(secs(20)).await;
    let begin = Instant::now();
    let (_, error) = failed(ask_within(&model, Context::new().with_deadline(secs(30))).await);
    assert_eq!((error.kind(), error.retry_after()), (ErrorKind::Exhausted, Some(secs(40))));
    assert_eq!((begin.elapsed(), stage.asked()), (Duration::ZERO, 1));
    whole(ask_within(&model, Context::new().with_deadline(secs(41))).await);
}

#[tokio::test(start_paused = true)]
async fn a_line_that_is_too_long_and_a_wait_that_is_too_long_are_told() {
    let limiter = RateLimiter::requests(1).queue(2).max_wait(secs(30));
    let model = Stage::new([spends(1, 1)]).rate_limit(limiter);
    whole(ask(&model).await);
    let (first, second, third) = tokio::join!(error(&model), error(&model), error(&model));
    for error in [&first, &second] {
        assert!(error.message().starts_with("a request waited 30 s for the limit of"), "{error}");
    }
    assert!(third.message().starts_with("as many requests wait for the limit of"), "{third}");
    assert_eq!([first.kind(), second.kind(), third.kind()], [ErrorKind::Exhausted; 3]);
}

#[tokio::test(start_paused = true)]
async fn who_waits_and_goes_takes_nothing_with_it() {
    let stage = Stage::new([spends(1, 1)]);
    let model = stage.clone().rate_limit(RateLimiter::requests(1));
    whole(ask(&model).await);
    let mut waiting: Vec<_> = (0..5).map(|_| model.call(Default::default(), Context::new())).collect();
    for answer in &mut waiting {
        assert!(answer.next().now_or_never().is_none());
    }
    let begin = Instant::now();
    let last = tokio::spawn({
        let model = model.clone();
        async move { ask(&model).await }
    });
    settle().await;
    drop(waiting);
    whole(last.await.unwrap());
    assert_eq!((stage.asked(), begin.elapsed().as_secs()), (2, 60));
}

#[tokio::test(start_paused = true)]
async fn when_the_server_asks_for_rest_all_rest() {
    let busy = Error::new(ErrorKind::RateLimited, "too many requests").with_retry_after(secs(25));
    let stage = Stage::new([vec![Step::Fail(busy)], spends(1, 1)]);
    let model = stage.clone().rate_limit(RateLimiter::requests(1000));
    assert_eq!(error(&model).await.kind(), ErrorKind::RateLimited);
    let begin = Instant::now();
    join_all((0..10).map(|_| ask(&model))).await;
    assert_eq!((stage.asked(), begin.elapsed().as_secs()), (11, 25));

    let stage = Stage::new([vec![fail(ErrorKind::RateLimited)], spends(1, 1)]);
    let model = stage.rate_limit(RateLimiter::requests(1000));
    error(&model).await;
    assert!(ask(&model).now_or_never().is_some(), "nobody knows how long");
}

#[tokio::test(start_paused = true)]
async fn models_that_share_a_limiter_share_what_it_allows() {
    let limiter = RateLimiter::requests(2);
    let models = [0, 1].map(|_| Stage::new([spends(1, 1)]).rate_limit(limiter.clone()));
    let begin = Instant::now();
    join_all((0..4).map(|n| ask(&models[n % 2]))).await;
    assert_eq!(begin.elapsed().as_secs(), 60);
}
