use super::stage::{
    Stage, Step, ask, ask_within, away, deltas, error, fail, failed, fine, finish, secs, settle, text, usage,
    wait, whole,
};
use agentscope_core::{ChatModel, Context, Error, ErrorKind, ModelDelta, Usage};
use agentscope_model::{ChatModelExt, Circuit, RetryBudget, RetryPolicy};
use futures_util::{FutureExt, StreamExt};
use std::time::Duration;
use tokio::time::Instant;

fn busy(wait: Duration) -> Vec<Step> {
    vec![Step::Fail(Error::new(ErrorKind::RateLimited, "too many requests").with_retry_after(wait))]
}

#[tokio::test(start_paused = true)]
async fn what_failed_is_asked_again_and_seen_only_in_the_usage() {
    let stage = Stage::new([
        vec![usage(7, 0), text(""), usage(9, 1), fail(ErrorKind::Unavailable)],
        vec![usage(1, 1), fail(ErrorKind::RateLimited)],
        vec![text("fine"), usage(20, 2), usage(20, 3), finish(), usage(20, 4)],
    ]);
    let answer = whole(ask(&stage.clone().retry(RetryPolicy::default())).await);
    assert_eq!(answer, deltas(&[text("fine"), usage(30, 4), usage(30, 5), finish(), usage(30, 6)]));
    assert_eq!((stage.asked(), stage.open()), (3, 0));
}

#[tokio::test(start_paused = true)]
async fn an_answer_without_usage_tells_what_failed_tries_have_cost() {
    let stage = Stage::new([vec![usage(9, 1), fail(ErrorKind::Unavailable)], vec![text("fine"), finish()]]);
    let answer = whole(ask(&stage.retry(RetryPolicy::default())).await);
    assert_eq!(answer, deltas(&[text("fine"), finish(), usage(9, 1)]));

    let stage = Stage::new([vec![usage(9, 1), fail(ErrorKind::Unavailable)]]);
    let (before, error) = failed(ask(&stage.retry(RetryPolicy::default())).await);
    assert_eq!(before, [ModelDelta::Usage(Usage::new(27, 3))]);
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn it_is_asked_as_often_as_the_policy_says_and_the_error_tells_it() {
    for retries in 0..5 {
        let stage = Stage::new([away()]);
        let error = error(&stage.clone().retry(RetryPolicy::default().retries(retries))).await;
        assert_eq!(stage.asked(), retries as usize + 1);
        let told = if retries == 0 { String::new() } else { format!("asked {} times: ", retries + 1) };
        assert_eq!(error.message(), format!("{told}Unavailable happened"));
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_asked_again_once_something_was_seen() {
    let seen = [
        ModelDelta::text("w"),
        ModelDelta::Thinking { block: 0, delta: "t".into() },
        ModelDelta::tool_call(0, "c", "f", ""),
        ModelDelta::Media { block: 0, media_type: "audio/wav".into(), delta: "AAAA".into() },
    ];
    for delta in seen {
        let stage = Stage::new([vec![Step::Give(delta.clone()), fail(ErrorKind::Unavailable)], fine()]);
        let (before, error) = failed(ask(&stage.clone().retry(RetryPolicy::default())).await);
        assert_eq!((before, error.message()), (vec![delta], "Unavailable happened"));
        assert_eq!((stage.asked(), stage.open()), (1, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn only_what_may_pass_is_asked_again_unless_told_otherwise() {
    use ErrorKind::*;
    let never = [
        InvalidInput,
        NotFound,
        Unauthorized,
        Exhausted,
        Timeout,
        ContextOverflow,
        Refused,
        Protocol,
        Internal,
    ];
    for kind in never {
        let stage = Stage::new([vec![fail(kind)], fine()]);
        assert_eq!(error(&stage.clone().retry(RetryPolicy::default())).await.kind(), kind);
        assert_eq!(stage.asked(), 1, "{kind:?}");

        let stage = Stage::new([vec![fail(kind)], fine()]);
        let policy = RetryPolicy::default().retry_if(move |error| error.kind() == kind);
        assert_eq!(whole(ask(&stage.retry(policy)).await), deltas(&fine()));
    }
}

#[tokio::test(start_paused = true)]
async fn the_wait_that_the_server_asks_for_is_obeyed_up_to_a_limit() {
    for (asked, waited) in [(Some(0), 0), (Some(7), 7), (Some(60), 60), (None, 0)] {
        let begin = Instant::now();
        let stage = Stage::new([busy(secs(asked.unwrap_or(61))), fine()]);
        let answer = ask(&stage.clone().retry(RetryPolicy::default())).await;
        assert_eq!(begin.elapsed().as_secs(), waited);
        match asked {
            Some(_) => assert_eq!(whole(answer), deltas(&fine())),
            None => {
                let (_, error) = failed(answer);
                assert_eq!((error.retry_after(), stage.asked()), (Some(secs(61)), 1));
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn waits_are_random_shares_of_limits_that_double() {
    let mut longest = [Duration::ZERO; 6];
    for _ in 0..300 {
        let stage = Stage::new([away()]);
        error(&stage.clone().retry(RetryPolicy::default().retries(6))).await;
        let times = stage.times();
        for (at, pair) in times.windows(2).enumerate() {
            longest[at] = longest[at].max(pair[1] - pair[0]);
        }
    }
    for (longest, limit) in longest.into_iter().zip([500, 1000, 2000, 4000, 8000, 8000]) {
        let limit = Duration::from_millis(limit + 2);
        assert!(longest <= limit && longest > limit / 2, "{longest:?} of {limit:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_past_the_deadline() {
    let begin = Instant::now();
    let stage = Stage::new([busy(secs(10)), fine()]);
    let model = stage.clone().retry(RetryPolicy::default());
    let (_, error) = failed(ask_within(&model, Context::new().with_deadline(secs(10))).await);
    assert_eq!((error.kind(), error.retry_after()), (ErrorKind::RateLimited, Some(secs(10))));
    assert_eq!((stage.asked(), begin.elapsed()), (1, Duration::ZERO));

    let stage = Stage::new([busy(secs(10)), fine()]);
    let model = stage.clone().retry(RetryPolicy::default());
    whole(ask_within(&model, Context::new().with_deadline(secs(11))).await);
    assert_eq!(stage.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_was_interrupted_is_not_asked_again() {
    let (first, second) = (Stage::new([away()]), Stage::new([fine()]));
    let model = first.clone().retry(RetryPolicy::default()).fallback(second.clone());
    let cx = Context::new();
    cx.interrupt().trigger(agentscope_core::Reason::User(None));
    failed(ask_within(&model, cx).await);
    assert_eq!((first.asked(), second.asked()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn whoever_goes_while_it_waits_ends_it() {
    let stage = Stage::new([busy(secs(10)), fine()]);
    let model = stage.clone().retry(RetryPolicy::default());
    let mut answer = model.call(Default::default(), Context::new());
    assert!(tokio::time::timeout(secs(5), answer.next()).await.is_err());
    drop(answer);
    tokio::time::sleep(secs(60)).await;
    assert_eq!((stage.asked(), stage.open()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_not_multiplied() {
    let stage = Stage::new([away()]);
    let model = stage.clone().retry(RetryPolicy::default().backoff(Duration::ZERO, Duration::ZERO));
    for _ in 0..1000 {
        error(&model).await;
    }
    assert!((1190..=1210).contains(&stage.asked()), "asked {} times for 1000 calls", stage.asked());
    let told = error(&model).await;
    assert!(told.message().contains("too many requests fail"), "{told}");

    tokio::time::sleep(secs(10)).await;
    let before = stage.asked();
    error(&model).await;
    assert_eq!(stage.asked() - before, 3, "the reserve is back");

    let stage = Stage::new([away()]);
    let policy = RetryPolicy::default().backoff(Duration::ZERO, Duration::ZERO).no_budget();
    for _ in 0..100 {
        error(&stage.clone().retry(policy.clone())).await;
    }
    assert_eq!(stage.asked(), 300);
}

#[tokio::test(start_paused = true)]
async fn a_budget_is_shared_by_all_who_have_it() {
    let budget = RetryBudget::new(0.0).reserve(3);
    let policy = RetryPolicy::default().backoff(Duration::ZERO, Duration::ZERO).budget(budget.clone());
    let stages = [Stage::new([away()]), Stage::new([away()])];
    for stage in &stages {
        error(&stage.clone().retry(policy.clone())).await;
    }
    assert_eq!(stages.each_ref().map(Stage::asked), [3, 2]);
}

#[tokio::test(start_paused = true)]
async fn retries_within_retries_are_not_multiplied() {
    for (outer, asked) in [(2, 3), (1, 3), (5, 6), (6, 9)] {
        let stage = Stage::new([away()]);
        let within = stage.clone().retry(RetryPolicy::default());
        let error = error(&within.retry(RetryPolicy::default().retries(outer))).await;
        assert_eq!(stage.asked(), asked, "outside {outer}");
        assert_eq!(error.message(), format!("asked {asked} times: Unavailable happened"));
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_breaks_off_is_asked_again_or_is_an_error() {
    let stage = Stage::new([vec![usage(1, 1)], vec![], fine()]);
    assert_eq!(
        whole(ask(&stage.retry(RetryPolicy::default())).await).first(),
        Some(&ModelDelta::text("fine"))
    );

    let stage = Stage::new([vec![text("half")], fine()]);
    let (before, error) = failed(ask(&stage.clone().retry(RetryPolicy::default())).await);
    assert_eq!((before, error.kind()), (deltas(&[text("half")]), ErrorKind::Unavailable));
    assert!(error.message().starts_with("the answer of `staged` broke off"), "{error}");
    assert_eq!(stage.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_goes_wrong_after_the_finish_is_no_part_of_the_answer() {
    let stage = Stage::new([vec![text("fine"), finish(), fail(ErrorKind::Unavailable)]]);
    assert_eq!(
        whole(ask(&stage.clone().retry(RetryPolicy::default())).await),
        deltas(&[text("fine"), finish()])
    );
    assert_eq!(stage.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_open_circuit_is_not_waited_for() {
    let stage = Stage::new([away()]);
    let circuit = Circuit::default().failures_in_a_row(1).open_for(secs(20));
    let model = stage.clone().circuit_breaker(circuit).retry(RetryPolicy::default());
    let begin = Instant::now();
    let error = error(&model).await;
    assert!(begin.elapsed() < secs(1), "the first wait alone");
    assert!(error.message().starts_with("`staged` failed too often"), "{error}");
    assert_eq!((stage.asked(), error.kind()), (1, ErrorKind::Unavailable));
    assert!(error.retry_after().is_some_and(|wait| wait > secs(19)));
}

#[tokio::test(start_paused = true)]
async fn pieces_come_when_they_come() {
    let stage = Stage::new([vec![text("a"), wait(1000), text("b"), Step::Yield, finish()]]);
    let model = stage.retry(RetryPolicy::default());
    let mut answer = model.call(Default::default(), Context::new());
    assert_eq!(answer.next().await.unwrap().unwrap(), ModelDelta::text("a"));
    assert!(answer.next().now_or_never().is_none());
    settle().await;
    assert_eq!(answer.next().await.unwrap().unwrap(), ModelDelta::text("b"));
}
