//! An answer that is dropped, wherever it stands, leaves nothing behind: no request, no place, no turn, no open try.

use super::stage::{Stage, Step, ask, fail, finish, secs, text, usage, wait, whole};
use agentscope_core::{ChatModel, Context, Error, ErrorKind};
use agentscope_model::{
    AnswerCache, ChatModelExt, Circuit, ConcurrencyLimiter, Hedge, MemoryAnswers, RateLimiter, RetryBudget,
    RetryPolicy, TimeLimits,
};
use futures_util::FutureExt;
use std::{sync::Arc, time::Duration};
use tokio::time::{sleep, timeout};

/// What all layers share between answers.
struct Shared {
    limiter: ConcurrencyLimiter,
    rate: RateLimiter,
    circuit: Circuit,
    cache: AnswerCache,
}

impl Shared {
    fn new() -> Self {
        Self {
            limiter: ConcurrencyLimiter::new(1),
            rate: RateLimiter::requests(1_000_000).tokens(1_000_000_000),
            circuit: Circuit::default().failures_in_a_row(2).open_for(secs(1)),
            cache: AnswerCache::new(MemoryAnswers::new()),
        }
    }

    fn around(&self, stage: &Stage, spare: &Stage) -> Arc<dyn ChatModel> {
        let hedged = Hedge::new(
            stage
                .clone()
                .timeouts(TimeLimits::default().first_byte(secs(8)))
                .rate_limit(self.rate.clone())
                .circuit_breaker(self.circuit.clone()),
            secs(3),
        );
        let hedged = hedged.budget(RetryBudget::new(1.0));
        let retried = hedged.retry(RetryPolicy::default().no_budget());
        let all = retried.fallback(spare.clone()).concurrency_limit(self.limiter.clone());
        Arc::new(all.cached(self.cache.clone()))
    }
}

/// A fault of each kind, and slowly what comes after.
fn scripts() -> Vec<Vec<Step>> {
    let busy = Error::new(ErrorKind::RateLimited, "too many requests").with_retry_after(secs(2));
    vec![
        vec![usage(1, 0), wait(500), Step::Fail(busy)],
        vec![Step::Yield, wait(4000), fail(ErrorKind::Unavailable)],
        vec![Step::Hang],
        vec![wait(1000), usage(1, 0), text(""), fail(ErrorKind::Unavailable)],
    ]
}

fn slowly() -> Vec<Step> {
    vec![Step::Yield, wait(700), text("a"), wait(700), Step::Yield, text("b"), usage(1, 1), finish()]
}

#[tokio::test(start_paused = true)]
async fn whoever_goes_at_any_moment_leaves_nothing_behind() {
    let mut ended = 0;
    for moment in 0..300_u64 {
        let shared = Shared::new();
        let (stage, spare) = (Stage::new(scripts()), Stage::new([slowly()]));
        let model = shared.around(&stage, &spare);
        ended += u32::from(timeout(Duration::from_millis(moment * 100 + 1), ask(&*model)).await.is_ok());
        assert_eq!((stage.open(), spare.open()), (0, 0), "at {moment}");

        // A circuit that it opened, and a rest that the server asked for, are over after their time.
        sleep(secs(2)).await;
        let fine = Stage::new([vec![text("a"), finish()]]);
        let next = shared.around(&fine, &spare);
        let mut again = next.call(super::stage::request("another"), Context::new());
        let first = futures_util::StreamExt::next(&mut again).now_or_never();
        assert!(matches!(first, Some(Some(Ok(_)))), "at {moment}: {first:?}");
        assert_eq!(fine.asked(), 1);
    }
    assert!(ended > 10 && ended < 290, "{ended} of 300 came to their end before");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_never_polled_asks_nobody() {
    let shared = Shared::new();
    let (stage, spare) = (Stage::new(scripts()), Stage::new([slowly()]));
    let model = shared.around(&stage, &spare);
    let unasked: Vec<_> = (0..3).map(|_| model.call(Default::default(), Context::new())).collect();
    sleep(secs(100)).await;
    assert_eq!((stage.asked(), spare.asked(), shared.cache.misses()), (0, 0, 0));
    drop(unasked);
    whole(ask(&*model).await);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_over_stays_over() {
    let shared = Shared::new();
    for script in
        [slowly(), vec![text("a"), fail(ErrorKind::Unavailable)], vec![fail(ErrorKind::InvalidInput)]]
    {
        let stage = Stage::new([script]);
        let model = shared.around(&stage, &stage.clone());
        let mut answer = model.call(Default::default(), Context::new());
        while futures_util::StreamExt::next(&mut answer).await.is_some() {}
        for _ in 0..3 {
            assert!(
                futures_util::StreamExt::next(&mut answer).now_or_never().is_some_and(|end| end.is_none())
            );
        }
    }
}
