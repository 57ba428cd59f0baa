use super::stage::{
    Stage, Step, ask, ask_within, away, deltas, error, fail, failed, fine, finish, secs, text, usage, wait,
    whole,
};
use agentscope_core::{ChatModel, Context, Error, ErrorKind, FinishReason, ModelCard, ModelDelta};
use agentscope_model::{ANSWERED_BY, ChatModelExt, Circuit, Fallback, RetryPolicy};
use futures_util::{FutureExt, StreamExt};

fn answered_by(block: u32, model: &str) -> ModelDelta {
    ModelDelta::Extra { block, key: ANSWERED_BY.into(), value: model.into() }
}

fn named(name: &str, scripts: impl IntoIterator<Item = Vec<Step>>) -> Stage {
    Stage::with_card(ModelCard::new(name), scripts)
}

#[tokio::test(start_paused = true)]
async fn the_first_that_answers_is_taken_and_says_who_it_is() {
    let first = named("first", [vec![usage(5, 0), fail(ErrorKind::Unavailable)], fine()]);
    let second = named("second", [vec![text(""), fail(ErrorKind::NotFound)]]);
    let mut card = ModelCard::new("third");
    card.spec = "ollama:third".into();
    let third = Stage::with_card(card, [vec![text(""), text("a"), text("b"), usage(1, 1), finish()]]);
    let model = first.clone().fallback(second.clone()).fallback(third.clone());
    let answer = whole(ask(&model).await);
    let expected = [
        ModelDelta::text(""),
        ModelDelta::text("a"),
        answered_by(0, "ollama:third"),
        ModelDelta::text("b"),
        deltas(&[usage(6, 1)]).remove(0),
        ModelDelta::Finish { reason: FinishReason::Stop },
    ];
    assert_eq!(answer, expected);
    assert_eq!([&first, &second, &third].map(Stage::asked), [1, 1, 1]);
    assert_eq!(whole(ask(&model).await), deltas(&fine()), "of the first nothing is said");
}

#[tokio::test(start_paused = true)]
async fn after_something_was_seen_the_error_is_told_and_what_was_said_stays() {
    let second = Stage::new([fine()]);
    let first = Stage::new([vec![text("half"), fail(ErrorKind::Unavailable)]]);
    let (said, error) = failed(ask(&first.fallback(second.clone())).await);
    assert_eq!((said, error.message()), (deltas(&[text("half")]), "Unavailable happened"));
    assert_eq!(second.asked(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_another_model_may_not_have_goes_on_to_it() {
    use ErrorKind::*;
    for (kind, goes_on) in [
        (NotFound, true),
        (Unauthorized, true),
        (RateLimited, true),
        (Exhausted, true),
        (Timeout, true),
        (Unavailable, true),
        (ContextOverflow, true),
        (Protocol, true),
        (Internal, true),
        (InvalidInput, false),
        (Refused, false),
        (Conflict, false),
        (Tool, false),
    ] {
        let [first, second] = [vec![fail(kind)], fine()].map(|script| Stage::new([script]));
        let answer = ask(&first.clone().fallback(second.clone())).await;
        assert_eq!((answer.last().unwrap().is_ok(), second.asked() == 1), (goes_on, goes_on), "{kind:?}");

        let model = first.fallback(second.clone()).fallback_if(move |error| error.kind() == kind);
        whole(ask(&model).await);
    }
}

#[tokio::test(start_paused = true)]
async fn when_all_fail_the_error_tells_of_each_and_whether_to_try_again() {
    let busy = Error::new(ErrorKind::RateLimited, "too many requests").with_retry_after(secs(9));
    let first = named("a", [vec![usage(1, 0), Step::Fail(busy)]]);
    let last = named("c", [vec![usage(2, 0), fail(ErrorKind::Unauthorized)]]);
    let model = first.fallback(named("b", [vec![fail(ErrorKind::NotFound)]])).fallback(last);
    let (before, error) = failed(ask(&model).await);
    assert_eq!(before, deltas(&[usage(3, 0)]));
    assert_eq!((error.kind(), error.retry_after()), (ErrorKind::RateLimited, Some(secs(9))));
    assert_eq!(
        error.message(),
        "none of 3 models answered: `a`: too many requests; `b`: NotFound happened; `c`: Unauthorized happened"
    );

    let model = named("a", [vec![fail(ErrorKind::NotFound)]])
        .fallback(named("b", [vec![fail(ErrorKind::ContextOverflow)]]));
    assert_eq!(super::stage::error(&model).await.kind(), ErrorKind::ContextOverflow);
}

#[tokio::test(start_paused = true)]
async fn nobody_else_is_asked_when_the_time_is_over() {
    let first = Stage::new([vec![wait(10_000), fail(ErrorKind::Timeout)]]);
    let second = Stage::new([fine()]);
    let cx = Context::new().with_deadline(secs(10));
    let (_, error) = failed(ask_within(&first.fallback(second.clone()), cx).await);
    assert_eq!((error.message(), second.asked()), ("Timeout happened", 0));
}

#[tokio::test(start_paused = true)]
async fn whoever_goes_asks_nobody_else() {
    let first = Stage::new([vec![Step::Hang]]);
    let second = Stage::new([fine()]);
    let mut answer = first.clone().fallback(second.clone()).call(Default::default(), Context::new());
    assert!(answer.next().now_or_never().is_none());
    drop(answer);
    assert_eq!((first.open(), second.asked()), (0, 0));
}

#[test]
fn the_card_is_the_first_ones_with_what_holds_for_all() {
    let card = |name: &str, size, types: &[&str], schema| {
        let mut card = ModelCard::new(name).context_size(size);
        card.input_types = types.iter().map(|it| (*it).to_owned()).collect();
        card.output_schema = schema;
        Stage::with_card(card, [])
    };
    let model =
        Fallback::new(card("a", 200_000, &["image/*", "audio/*"], true), card("b", 0, &["audio/*"], true));
    let mut expected = ModelCard::new("a").context_size(200_000).native_output_schema();
    expected.input_types = vec!["audio/*".to_owned()];
    assert_eq!(*model.card(), expected);
    let model = model.fallback(card("c", 8_192, &["audio/*"], false));
    expected.context_size = 8_192;
    expected.output_schema = false;
    assert_eq!(*model.card(), expected);
}

#[tokio::test(start_paused = true)]
async fn an_open_circuit_leads_to_the_next_model_at_once() {
    let first = Stage::new([away()]);
    let guarded =
        first.clone().circuit_breaker(Circuit::default().failures_in_a_row(1)).retry(RetryPolicy::default());
    let model = guarded.fallback(Stage::new([fine()]));
    whole(ask(&model).await);
    let begin = tokio::time::Instant::now();
    whole(ask(&model).await);
    assert_eq!((first.asked(), begin.elapsed()), (1, std::time::Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn a_retry_around_all_asks_all_again() {
    let first = named("a", [away()]);
    let second = named("b", [away(), fine()]);
    let model = first.clone().fallback(second.clone()).retry(RetryPolicy::default());
    assert_eq!(whole(ask(&model).await)[1], answered_by(0, "b"));
    assert_eq!((first.asked(), second.asked()), (2, 2));
    assert_eq!(
        error(&Stage::new([vec![fail(ErrorKind::Refused)]]).fallback(second)).await.kind(),
        ErrorKind::Refused
    );
}
