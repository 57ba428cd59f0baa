//! What is counted, and what stops.

use agentscope_agent::ReActAgent;
use agentscope_core::{
    AgentExt, ChatModel, Context, Currency, Error, ErrorKind, FinishReason, ModelCard, ModelDelta,
    ModelRequest, ModelStream, Msg, PathEntry, Price, Result, ScriptedModel, Usage, model_fn,
    testing::{Line, conformance, fail, say},
};
use agentscope_model::{Budget, Monitor, Tally, UsageReport};
use futures_util::{StreamExt, future::join_all, stream};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::time::{advance, sleep};

fn ask() -> ModelRequest {
    ModelRequest::new([Msg::user("How many bytes has a word of four letters?")])
}

async fn answer(model: &impl ChatModel) -> Vec<Result<ModelDelta>> {
    model.call(ask(), Context::new()).collect().await
}

/// What a call came to: nothing, or its error.
async fn outcome(model: &impl ChatModel) -> Result<()> {
    answer(model).await.into_iter().try_for_each(|delta| delta.map(drop))
}

fn usage(input: u64, output: u64) -> ModelDelta {
    ModelDelta::Usage(Usage::new(input, output))
}

/// A model that answers in these pieces.
fn saying(name: &str, pieces: Vec<ModelDelta>) -> impl ChatModel + Clone {
    model_fn(ModelCard::new(name), move |_| {
        let pieces = pieces.clone();
        async move { Ok(pieces) }
    })
}

/// A model whose answer is made as it is polled.
struct Made<F>(ModelCard, F);

impl<F: Fn() -> ModelStream + Send + Sync + 'static> ChatModel for Made<F> {
    fn card(&self) -> &ModelCard {
        &self.0
    }
    fn call(&self, _: ModelRequest, _: Context) -> ModelStream {
        (self.1)()
    }
    fn estimate_tokens(&self, _: &ModelRequest) -> u64 {
        100
    }
}

fn made(answer: impl Fn() -> ModelStream + Send + Sync + 'static) -> impl ChatModel {
    Made(ModelCard::new("made"), answer)
}

#[tokio::test]
async fn calls_tokens_and_money_are_counted_by_model_agent_and_session() {
    let monitor = Monitor::new();
    monitor.price("dear", Price::new(3.0, 15.0).cached(0.3));
    monitor.price("yuan", Price::new(2.0, 8.0).currency(Currency::CNY));
    let mut spent = Usage::new(1_000, 100);
    spent.cached_tokens = 600;
    let dear = monitor.meter(saying("dear", vec![ModelDelta::text("x"), ModelDelta::Usage(spent)]));
    let yuan = monitor.meter(saying("yuan", vec![ModelDelta::text("x"), usage(1_000_000, 0)]));
    let path = |entries: &[(&str, &str)]| {
        let entry = |(agent, session): &(&str, &str)| PathEntry {
            agent: (*agent).into(),
            session: (*session).into(),
        };
        Context::new().with_path(entries.iter().map(entry).collect::<Vec<_>>())
    };
    let call = async |model: &dyn ChatModel, speaker: &str, cx| {
        let mut req = ask();
        req.speaker = speaker.into();
        model.call(req, cx).collect::<Vec<_>>().await;
    };
    call(&dear, "Friday", path(&[("f", "chat-1")])).await;
    call(&dear, "Helper", path(&[("f", "chat-1"), ("h", "inner")])).await;
    call(&yuan, "", path(&[("f", "")])).await;
    call(&yuan, "", Context::new()).await;

    let report = monitor.report();
    assert_eq!((report.total.calls, report.total.usage.input_tokens), (4, 2_002_000));
    assert_eq!(report.total.usage.cached_tokens, 1_200);
    // 400 × 3 + 600 × 0.3 + 100 × 15 millionths
    assert_eq!(report.models["dear"].money[&Currency::USD].nanos(), 2 * 2_880_000);
    assert_eq!(report.models["yuan"].money[&Currency::CNY].units(), 4.0);
    assert_eq!(report.total.money.len(), 2, "currencies are not added up");
    assert_eq!(report.agents["Friday"].calls, 1);
    assert_eq!(report.agents["Helper"].calls, 1);
    assert_eq!(
        report.sessions["chat-1"].calls, 2,
        "a sub-agent spends for the session in which it was asked"
    );
    assert_eq!(report.sessions["f"].calls, 1, "an agent with one conversation stands for it");
    let back: UsageReport = serde_json::from_str(&serde_json::to_string(&report).unwrap()).unwrap();
    assert_eq!(back, report);
}

#[tokio::test]
async fn a_used_up_budget_fails_the_next_call_at_once_and_says_what_to_do() {
    let monitor = Monitor::new();
    monitor.limit(Budget::tokens(1_000).agent("Friday")).unwrap();
    let asked = Arc::new(Mutex::new(0));
    let count = Arc::clone(&asked);
    let model = monitor.meter(made(move || {
        *count.lock().unwrap() += 1;
        stream::iter([Ok(usage(900, 200)), Ok(ModelDelta::Finish { reason: FinishReason::Stop })]).boxed()
    }));
    let call = async |speaker: &str| {
        let mut req = ask();
        req.speaker = speaker.into();
        let mut answer = model.call(req, Context::new());
        answer.next().await.unwrap().map(drop)
    };
    call("Friday").await.unwrap();
    let error = call("Friday").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Exhausted);
    assert_eq!(
        error.message(),
        "the budget of 1,000 tokens for agent `Friday` is used up: 1,100 tokens used; stop, or raise it by \
         `monitor.limit(Budget::tokens(..).agent(\"Friday\"))`"
    );
    assert!(!error.is_retryable());
    call("Monday").await.unwrap();
    monitor.limit(Budget::tokens(2_000).agent("Friday")).unwrap();
    call("Friday").await.unwrap();
}

#[tokio::test]
async fn an_agent_whose_budget_is_used_up_fails_with_that_error() {
    let monitor = Monitor::new();
    monitor.limit(Budget::calls(1).each_session()).unwrap();
    let script = ScriptedModel::new([say("One."), say("Two.")]);
    let friday = ReActAgent::new("Friday", monitor.meter(script)).id("f");
    let (one, two) = (friday.session("chat-1"), friday.session("chat-2"));
    assert_eq!(one.reply("hi").await.unwrap().text(), "One.");
    let error = one.reply("hi").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Exhausted);
    assert!(
        error.message().contains("1 call for each session is used up: 1 call used by `chat-1`"),
        "{error}"
    );
    assert_eq!(two.reply("hi").await.unwrap().text(), "Two.");
    monitor.forget_session("chat-1");
    assert_eq!(monitor.report().sessions.keys().collect::<Vec<_>>(), ["chat-2"]);
}

#[test]
fn limits_that_are_none_are_errors_that_say_so() {
    let monitor = Monitor::new();
    let told = |budget: Budget| monitor.limit(budget).unwrap_err();
    let usd = |amount| Budget::money(amount, Currency::USD);
    for (budget, words) in [
        (Budget::tokens(0), "a budget of 0 tokens would stop the first call"),
        (Budget::calls(0), "a budget of 0 calls would stop the first call"),
        (usd(-5.0), "a budget of -5 USD is no limit: give an amount above 0"),
        (usd(0.0), "a budget of 0.00 USD is no limit"),
        (usd(1e-12), "is no limit"),
        (usd(f64::NAN), "a budget of NaN USD is no limit"),
        (usd(f64::INFINITY), "a budget of inf USD is no limit"),
        (Budget::calls(1).per(Duration::ZERO), "per 0 s is no limit"),
    ] {
        let error = told(budget.clone());
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{budget}");
        assert!(error.message().contains(words), "{error}");
    }
    for (json, words) in [
        (r#"{"tokens":-1}"#, "a budget of -1 tokens is no limit: give a whole number above 0"),
        (r#"{"calls":1.5}"#, "a budget of 1.5 calls is no limit"),
        (r#"{"tokens":0}"#, "would stop the first call"),
        (r#"{"money":-2,"currency":"USD"}"#, "a budget of -2 USD is no limit"),
        (r#"{"money":2}"#, "needs a `currency`"),
        (r#"{"money":2,"currency":"dollars"}"#, "`dollars` is no currency"),
        (r#"{"tokens":2,"calls":2}"#, "one of `tokens`, `calls` and `money`"),
        (r#"{"tokens":2,"agent":"a","each":"model"}"#, "at most one of"),
        (r#"{"tokens":2,"per":-1}"#, "`per` is the seconds"),
        (r#"{"tokens":2,"pre":1}"#, "unknown field `pre`"),
        (r#"{"tokens":2,"each":"user"}"#, "unknown variant `user`"),
    ] {
        let error = serde_json::from_str::<Budget>(json).unwrap_err().to_string();
        assert!(error.contains(words), "{json}: {error}");
    }
    for share in [0.0, -0.5, 1.01, 80.0, f64::NAN] {
        assert_eq!(monitor.warn_at(share, |_| {}).unwrap_err().kind(), ErrorKind::InvalidInput, "{share}");
    }
    assert!(monitor.report().budgets.is_empty());
}

#[tokio::test]
async fn a_budget_of_money_needs_a_price_and_counts_its_own_currency() {
    let monitor = Monitor::new();
    monitor.limit(Budget::money(0.001, Currency::USD)).unwrap();
    let model = monitor.meter(saying("m", vec![usage(1_000, 0)]));
    let error = outcome(&model).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.message().contains("nobody knows what the model `m` costs"), "{error}");
    monitor.price("m", Price::new(100.0, 0.0).currency(Currency::CNY));
    for _ in 0..3 {
        outcome(&model).await.unwrap();
    }
    monitor.price("m", Price::new(1.0, 0.0));
    outcome(&model).await.unwrap();
    let error = outcome(&model).await.unwrap_err();
    assert!(error.message().starts_with("the budget of 0.001 USD is used up: 0.001 USD used;"), "{error}");
}

#[tokio::test]
async fn what_the_provider_does_not_tell_is_estimated() {
    let tally = async |pieces: Vec<Result<ModelDelta>>, taken: usize| {
        let monitor = Monitor::new();
        let pieces: Vec<Result<ModelDelta, (ErrorKind, String)>> = pieces
            .into_iter()
            .map(|piece| piece.map_err(|error| (error.kind(), error.message().to_owned())))
            .collect();
        let model = monitor.meter(made(move || {
            let pieces = pieces.clone().into_iter();
            let pieces = pieces.map(|piece| piece.map_err(|(kind, message)| Error::new(kind, message)));
            stream::iter(pieces).chain(stream::pending()).boxed()
        }));
        let mut answer = model.call(ask(), Context::new());
        for _ in 0..taken {
            answer.next().await;
        }
        drop(answer);
        assert_eq!(monitor.report().total.calls, 1);
        monitor.report().total
    };
    let counts = |tally: &Tally| {
        (tally.usage.input_tokens, tally.usage.output_tokens, tally.failed == 1, tally.estimated == 1)
    };
    let text = || Ok(ModelDelta::text("twelve bytes"));
    let finish = || Ok(ModelDelta::Finish { reason: FinishReason::Stop });
    let error = |kind| Err(Error::new(kind, "no"));
    let told = || Ok(usage(70, 7));

    // To its end, with usage, without, and with the zero of a cached answer.
    assert_eq!(counts(&tally(vec![text(), told(), finish()], 3).await), (70, 7, false, false));
    assert_eq!(counts(&tally(vec![text(), finish(), told()], 3).await), (70, 7, false, false));
    assert_eq!(counts(&tally(vec![text(), finish()], 2).await), (100, 3, false, true));
    assert_eq!(counts(&tally(vec![Ok(usage(0, 0)), text(), finish()], 3).await), (0, 0, false, false));
    // Dropped midway.
    assert_eq!(counts(&tally(vec![text(), text(), told(), finish()], 2).await), (100, 6, false, true));
    assert_eq!(counts(&tally(vec![Ok(usage(70, 1)), text()], 2).await), (70, 3, false, true));
    assert_eq!(counts(&tally(vec![told(), text()], 2).await), (70, 7, false, false));
    // Failed midway, and before anything came.
    assert_eq!(counts(&tally(vec![text(), error(ErrorKind::Unavailable)], 2).await), (100, 3, true, true));
    assert_eq!(counts(&tally(vec![error(ErrorKind::RateLimited)], 1).await), (0, 0, true, false));
    assert_eq!(counts(&tally(vec![error(ErrorKind::Timeout)], 1).await), (100, 0, true, true));
}

#[tokio::test]
async fn an_answer_that_is_never_polled_is_no_call() {
    let monitor = Monitor::new();
    let model = monitor.meter(saying("m", vec![]));
    drop(model.call(ask(), Context::new()));
    assert_eq!(monitor.report().total, Tally::default());
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_reply_is_counted() {
    let monitor = Monitor::new();
    let slow = Line::new().say("one two three four").chunks(4).every(Duration::from_secs(1));
    let friday = ReActAgent::new("Friday", monitor.meter(ScriptedModel::new([slow]).may_leave_lines()));
    let mut reply = friday.reply("hi").stream();
    while let Some(event) = reply.next().await {
        if matches!(event.unwrap().kind, agentscope_core::EventKind::TextDelta { .. }) {
            break;
        }
    }
    drop(reply);
    sleep(Duration::from_secs(1)).await;
    let total = monitor.report().total;
    assert_eq!((total.calls, total.failed, total.estimated), (1, 0, 1));
    assert!(total.usage.input_tokens > 0 && total.usage.output_tokens > 0, "{total:?}");
}

#[tokio::test(start_paused = true)]
async fn a_budget_for_a_time_begins_anew_when_the_time_is_over() {
    let monitor = Monitor::new();
    monitor.limit(Budget::calls(2).per(Duration::from_secs(60))).unwrap();
    let model = monitor.meter(saying("m", vec![usage(1, 1)]));
    advance(Duration::from_secs(500)).await; // it begins with the first call
    outcome(&model).await.unwrap();
    advance(Duration::from_secs(59)).await;
    outcome(&model).await.unwrap();
    let error = outcome(&model).await.unwrap_err();
    assert_eq!((error.kind(), error.retry_after()), (ErrorKind::Exhausted, Some(Duration::from_secs(1))));
    assert!(error.message().ends_with("or wait 1 s until its next time begins"), "{error}");
    advance(Duration::from_secs(1)).await;
    outcome(&model).await.unwrap();
    outcome(&model).await.unwrap();
    assert!(outcome(&model).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn of_a_hundred_calls_at_once_a_budget_lets_through_what_it_can_pay() {
    let monitor = Monitor::new();
    monitor.limit(Budget::tokens(6_000)).unwrap();
    monitor.limit(Budget::calls(50)).unwrap();
    // Estimated as 100 tokens of a request and 500 of an answer, and telling that exactly.
    let model = monitor.meter(made(|| {
        let end = [Ok(usage(100, 500)), Ok(ModelDelta::Finish { reason: FinishReason::Stop })];
        stream::once(sleep(Duration::from_secs(1))).flat_map(move |()| stream::iter(end.clone())).boxed()
    }));
    let outcomes = join_all((0..100).map(|_| outcome(&model))).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 10);
    let error = outcomes.into_iter().find_map(Result::err).unwrap();
    assert!(
        error.message().contains("0 tokens used, and 10 calls under way will need about 6,000 tokens"),
        "{error}"
    );
    assert_eq!(monitor.report().budgets[0].used, 6_000);
    assert_eq!(monitor.report().budgets[0].reserved, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_budget_of_calls_is_never_exceeded_by_threads_that_race() {
    let monitor = Monitor::new();
    monitor.limit(Budget::calls(40)).unwrap();
    let model = Arc::new(monitor.meter(saying("m", vec![usage(1, 1)])));
    let tasks = (0..100).map(|_| {
        let model = Arc::clone(&model);
        tokio::spawn(async move { outcome(&model).await.is_ok() })
    });
    let allowed = join_all(tasks).await.into_iter().filter(|allowed| *allowed.as_ref().unwrap()).count();
    assert_eq!((allowed, monitor.report().total.calls), (40, 40));
}

#[tokio::test]
async fn a_warning_comes_once_for_each_part_and_each_account() {
    let monitor = Monitor::new();
    monitor.limit(Budget::calls(5).each_model()).unwrap();
    let told = Arc::new(Mutex::new(Vec::new()));
    for share in [0.8, 1.0] {
        let (told, inner) = (Arc::clone(&told), monitor.clone());
        monitor
            .warn_at(share, move |state| {
                inner.report(); // the books are closed by then
                told.lock().unwrap().push(state.to_string());
            })
            .unwrap();
    }
    let (one, two) = (monitor.meter(saying("one", vec![])), monitor.meter(saying("two", vec![])));
    for _ in 0..6 {
        drop(outcome(&one).await);
    }
    for _ in 0..4 {
        outcome(&two).await.unwrap();
    }
    assert_eq!(
        *told.lock().unwrap(),
        [
            "4 of 5 calls for each model: one",
            "5 of 5 calls for each model: one",
            "4 of 5 calls for each model: two"
        ]
    );
}

#[tokio::test]
async fn names_beyond_the_most_are_counted_together_and_share_a_budget() {
    let monitor = Monitor::new();
    monitor.most_names(2);
    monitor.limit(Budget::calls(2).each_agent()).unwrap();
    let model = monitor.meter(saying("m", vec![usage(1, 1)]));
    let call = async |speaker: String| {
        let mut req = ask();
        req.speaker = speaker.into();
        model.call(req, Context::new()).next().await.unwrap().map(drop)
    };
    for agent in 0..4 {
        call(format!("a{agent}")).await.unwrap();
    }
    let error = call("a5".to_owned()).await.unwrap_err();
    assert!(
        error.message().contains("used by `(others)`") && error.message().contains(".most_names(..)"),
        "{error}"
    );
    call("a0".to_owned()).await.unwrap();
    assert_eq!(monitor.report().agents.keys().collect::<Vec<_>>(), ["(others)", "a0", "a1"]);
    assert_eq!(monitor.report().total.calls, 5);
}

#[tokio::test]
async fn a_failing_model_counts_as_calls_that_failed() {
    let monitor = Monitor::new();
    monitor.limit(Budget::calls(2)).unwrap();
    let away = || fail(Error::new(ErrorKind::Unavailable, "away"));
    let model = monitor.meter(ScriptedModel::new([away(), away()]));
    for _ in 0..2 {
        assert_eq!(outcome(&model).await.unwrap_err().kind(), ErrorKind::Unavailable);
    }
    assert_eq!(outcome(&model).await.unwrap_err().kind(), ErrorKind::Exhausted);
    assert_eq!((monitor.report().total.calls, monitor.report().total.failed), (2, 2));
}

#[tokio::test]
async fn the_table_shows_who_spent_what() {
    let monitor = Monitor::new();
    monitor.price("gpt-4o", Price::new(2.5, 10.0).cached(1.25));
    monitor.limit(Budget::money(1.0, Currency::USD)).unwrap();
    let model = monitor.meter(saying("gpt-4o", vec![usage(12_000, 345)]));
    outcome(&model).await.unwrap();
    let table = [
        "                calls  failed   input  cached  output        cost",
        "total               1       0  12,000       0     345  0.0335 USD",
        "model gpt-4o        1       0  12,000       0     345  0.0335 USD",
        "agent (none)        1       0  12,000       0     345  0.0335 USD",
        "session (none)      1       0  12,000       0     345  0.0335 USD",
        "budget 0.0335 of 1.00 USD",
    ];
    assert_eq!(monitor.report().to_string().lines().collect::<Vec<_>>(), table);
}

#[tokio::test]
async fn a_metered_model_is_a_model() {
    let monitor = Monitor::new();
    conformance::chat_model(move || {
        Arc::new(monitor.meter(ScriptedModel::new((0..16).map(|_| say("Hello, you."))).may_leave_lines()))
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_was_used_before_a_restart_stays_used() {
    let limited = || {
        let monitor = Monitor::new();
        monitor.limit(Budget::calls(3).each_session().per(Duration::from_secs(60))).unwrap();
        monitor.limit(Budget::tokens(100)).unwrap();
        monitor.price("m", Price::new(1.0, 1.0));
        let model = monitor.meter(saying("m", vec![usage(10, 10)]));
        (monitor, model)
    };
    let (before, model) = limited();
    outcome(&model).await.unwrap();
    outcome(&model).await.unwrap();
    let kept = serde_json::to_string(&before.report()).unwrap();
    let (after, model) = limited();
    after.restore(&serde_json::from_str(&kept).unwrap());
    assert_eq!(after.report(), before.report());
    outcome(&model).await.unwrap();
    assert!(outcome(&model).await.unwrap_err().message().contains("3 calls for each session"));
    advance(Duration::from_secs(60)).await;
    outcome(&model).await.unwrap();
    assert_eq!(after.report().budgets[1].used, 80);
}
