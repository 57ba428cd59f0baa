use super::stage::{
    Stage, Step, ask, ask_within, deltas, error, failed, finish, often, secs, text, usage, wait, whole,
};
use agentscope_core::{ChatModel, Context, ErrorKind};
use agentscope_model::{ChatModelExt, RetryPolicy, TimeLimits};
use futures_util::{FutureExt, StreamExt, stream::FuturesUnordered};
use std::time::Duration;
use tokio::time::{Instant, sleep};

fn limits() -> TimeLimits {
    TimeLimits::default().first_byte(secs(10)).gap(secs(3)).total(secs(20))
}

#[tokio::test(start_paused = true)]
async fn each_limit_is_kept_to_the_millisecond_and_named() {
    let cases = [
        (
            vec![Step::Hang],
            10_000,
            "`staged` did not begin to answer for 10 s: try again, or allow more by `TimeLimits::first_byte(..)`",
        ),
        (
            vec![wait(9_000), text("a"), Step::Hang],
            12_000,
            "`staged` said nothing more for 3 s: try again, or allow more by `TimeLimits::gap(..)`",
        ),
        (
            [vec![wait(9_000)], often(10, &[text("a"), wait(2_500)])].concat(),
            20_000,
            "`staged` was not done in 20 s: try again, or allow more by `TimeLimits::total(..)`",
        ),
    ];
    for (script, after, message) in cases {
        let begin = Instant::now();
        let stage = Stage::new([script]);
        let mut answer = stage.clone().timeouts(limits()).call(Default::default(), Context::new());
        let error = loop {
            if let Err(error) = answer.next().await.unwrap() {
                break error;
            }
        };
        assert_eq!((error.kind(), error.message()), (ErrorKind::Timeout, message));
        let over = begin.elapsed().as_millis() - after;
        assert!(over <= 2, "{over} ms late: {message}");
        assert_eq!(stage.open(), 0, "the request is stopped at once, and not when the answer is dropped");
        assert!(answer.next().await.is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn a_silence_is_told_of_at_most_a_sixteenth_late() {
    for pause in 0..60 {
        let begin = Instant::now();
        let stage =
            Stage::new([vec![text("a"), wait(pause * 50), text("b"), wait(pause), text("c"), Step::Hang]]);
        error(&stage.timeouts(limits())).await;
        let silence = (begin.elapsed() - Duration::from_millis(pause * 51)).as_millis();
        assert!((3_000..=3_190).contains(&silence), "{silence} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_just_in_time_is_whole() {
    let script = vec![wait(9_990), text("a"), wait(2_990), text("b"), usage(1, 1), wait(2_990), finish()];
    let answer = whole(ask(&Stage::new([script.clone()]).timeouts(limits())).await);
    assert_eq!(answer, deltas(&script));
}

#[tokio::test(start_paused = true)]
async fn a_reader_who_takes_its_time_is_no_silence_of_the_model() {
    let stage = Stage::new([vec![text("a"), text("b"), wait(2_000), text("c"), finish()]]);
    let limits = limits().total(secs(1000));
    let mut answer = stage.timeouts(limits).call(Default::default(), Context::new());
    let mut pieces = 0;
    while let Some(piece) = answer.next().await {
        piece.unwrap();
        pieces += 1;
        sleep(secs(60)).await;
    }
    assert_eq!(pieces, 4);
}

#[tokio::test(start_paused = true)]
async fn a_silence_after_the_finish_ends_the_answer() {
    let stage = Stage::new([vec![text("a"), finish(), Step::Hang]]);
    assert_eq!(whole(ask(&stage.clone().timeouts(limits())).await), deltas(&[text("a"), finish()]));
    assert_eq!(stage.open(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_moves_to_another_task_is_still_watched() {
    let stage = Stage::new([vec![text("a"), Step::Hang]]);
    let mut answer = stage.timeouts(limits()).call(Default::default(), Context::new());
    answer.next().await.unwrap().unwrap();
    assert!(answer.next().now_or_never().is_none());
    let begin = Instant::now();
    let moved = tokio::spawn(async move { answer.next().await });
    assert_eq!(moved.await.unwrap().unwrap().unwrap_err().kind(), ErrorKind::Timeout);
    assert!(begin.elapsed() <= Duration::from_millis(3_002));
}

#[tokio::test(start_paused = true)]
async fn many_are_watched_side_by_side() {
    let script = often(30, &[wait(500), text("a")]);
    let model = Stage::new([script]).timeouts(limits().total(secs(16)));
    let mut answers: FuturesUnordered<_> = (0..100).map(|_| ask(&model)).collect();
    while let Some(answer) = answers.next().await {
        assert_eq!(answer.len(), 30, "none was taken for silent");
    }
}

#[tokio::test(start_paused = true)]
async fn limits_beyond_the_clock_are_none() {
    let never = TimeLimits::default().first_byte(Duration::MAX).gap(Duration::MAX).total(Duration::MAX);
    let stage = Stage::new([vec![wait(1_000_000_000), text("a"), wait(1_000_000_000), finish()]]);
    whole(ask(&stage.timeouts(never)).await);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_took_too_long_is_not_asked_again_by_default() {
    let stage = Stage::new([vec![Step::Hang]]);
    let model = stage.clone().timeouts(limits()).retry(RetryPolicy::default());
    assert_eq!(error(&model).await.kind(), ErrorKind::Timeout);
    assert_eq!(stage.asked(), 1);

    let stage = Stage::new([vec![Step::Hang], vec![text("fine"), finish()]]);
    let policy = RetryPolicy::default().retry_if(|error| error.is_retryable());
    whole(ask(&stage.clone().timeouts(limits()).retry(policy)).await);
    assert_eq!(stage.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_deadline_of_the_context_is_a_limit_too() {
    let begin = Instant::now();
    let model = Stage::new([often(30, &[wait(1_000), text("a")])]).timeouts(limits());
    let (said, error) =
        failed(ask_within(&model, Context::new().with_deadline(Duration::from_millis(4_500))).await);
    assert_eq!((said.len(), error.kind(), begin.elapsed().as_millis()), (4, ErrorKind::Timeout, 4_500));
    assert_eq!(error.message(), "the deadline passed before `staged` was done: allow more time");
}

#[tokio::test(start_paused = true)]
async fn what_was_said_before_the_silence_is_kept() {
    let stage = Stage::new([vec![text("half"), usage(3, 1), Step::Hang]]);
    let (said, error) = failed(ask(&stage.timeouts(limits())).await);
    assert_eq!((said, error.kind()), (deltas(&[text("half"), usage(3, 1)]), ErrorKind::Timeout));
}
