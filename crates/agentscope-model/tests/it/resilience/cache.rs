use super::stage::{
    Stage, Step, ask, away, deltas, error, fail, fine, finish, request, secs, settle, text, usage, wait,
    whole,
};
use agentscope_core::{
    BoxFuture, ChatModel, ContentBlock, Context, Error, ErrorKind, FinishReason, ModelCard, ModelDelta,
    ModelRequest, Msg, Result, Role, ToolCall, ToolChoice, ToolResult, ToolSpec, ToolState, Usage,
};
use agentscope_model::{AnswerCache, AnswerStore, Cached, ChatModelExt, MemoryAnswers};
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, future::join_all};
use serde_json::json;
use std::sync::Arc;
use tokio::time::Instant;

fn free() -> [ModelDelta; 2] {
    [ModelDelta::Usage(Usage::default()), ModelDelta::Finish { reason: FinishReason::Stop }]
}

async fn words(model: &dyn ChatModel, req: ModelRequest) -> String {
    let answer: Vec<_> = model.call(req, Context::new()).collect().await;
    let text = |delta: ModelDelta| match delta {
        ModelDelta::Text { delta, .. } => Some(delta),
        _ => None,
    };
    whole(answer).into_iter().filter_map(text).collect()
}

#[tokio::test(start_paused = true)]
async fn what_was_answered_is_given_again_for_nothing() {
    let script = vec![
        Step::Give(ModelDelta::Thinking { block: 0, delta: "h".into() }),
        Step::Give(ModelDelta::Thinking { block: 0, delta: "m".into() }),
        Step::Give(ModelDelta::Extra { block: 0, key: "signature".into(), value: "c2ln".into() }),
        Step::Give(ModelDelta::Text { block: 1, delta: "wo".into() }),
        usage(5, 1),
        Step::Give(ModelDelta::Text { block: 1, delta: "rds".into() }),
        Step::Give(ModelDelta::tool_call(2, "c1", "f", "{\"a\":")),
        Step::Give(ModelDelta::tool_call(2, "c1", "f", "1}")),
        Step::Give(ModelDelta::tool_call(3, "c2", "f", "")),
        usage(5, 9),
        finish(),
    ];
    let stage = Stage::new([script.clone()]);
    let cache = AnswerCache::new(MemoryAnswers::new());
    let model = stage.clone().cached(cache.clone());
    assert_eq!(whole(ask(&model).await), deltas(&script));
    let again = [
        ModelDelta::Thinking { block: 0, delta: "hm".into() },
        ModelDelta::Extra { block: 0, key: "signature".into(), value: "c2ln".into() },
        ModelDelta::Text { block: 1, delta: "words".into() },
        ModelDelta::tool_call(2, "c1", "f", "{\"a\":1}"),
        ModelDelta::tool_call(3, "c2", "f", ""),
    ];
    assert_eq!(whole(ask(&model).await), again.into_iter().chain(free()).collect::<Vec<_>>());
    assert_eq!((stage.asked(), cache.hits(), cache.misses()), (1, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn only_answers_that_came_to_their_end_are_kept() {
    let cut = |reason| vec![text("half"), Step::Give(ModelDelta::Finish { reason })];
    let not_kept = [
        away(),
        vec![text("half"), fail(ErrorKind::Unavailable)],
        vec![text("half")],
        cut(FinishReason::Length),
        cut(FinishReason::ContentFilter),
        cut(FinishReason::Other("odd".into())),
        vec![text(&"long".repeat(100)), finish()],
    ];
    for script in not_kept {
        let stage = Stage::new([script.clone(), fine()]);
        let store = MemoryAnswers::new();
        let model = stage.clone().cached(AnswerCache::new(store.clone()).max_answer(300));
        let first: Vec<_> = ask(&model).await.into_iter().filter_map(Result::ok).collect();
        assert_eq!(first, deltas(&script), "it is given away as it is");
        assert!(store.is_empty(), "{script:?}");
        assert_eq!(whole(ask(&model).await), deltas(&fine()));
        assert_eq!((stage.asked(), store.len()), (2, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_kept_when_its_finish_is_seen() {
    let stage = Stage::new([vec![text("a"), finish(), Step::Hang]]);
    let store = MemoryAnswers::new();
    let mut answer = stage.cached(store.clone()).call(Default::default(), Context::new());
    answer.next().await.unwrap().unwrap();
    assert!(store.is_empty());
    answer.next().await.unwrap().unwrap();
    assert_eq!(store.len(), 1);
}

fn conversation(call_id: &str, output: &str) -> ModelRequest {
    let call = ToolCall::new(call_id, "weather", r#"{"id":"Oslo","type":"tool_use"}"#);
    let result = ToolResult::new(call_id, "weather", ToolState::Success, vec![output.into()]);
    let answer = Msg::new(
        "Friday",
        Role::Assistant,
        vec![ContentBlock::ToolCall(call), ContentBlock::ToolResult(result)],
    );
    let mut req = ModelRequest::new([Msg::system("Be brief."), Msg::user("hi"), answer]);
    let schema = json!({"type": "object", "properties": {"b": {}, "a": {}}});
    req.tools = [Arc::new(ToolSpec::new("weather", "The weather.", schema))].into();
    req.options.extra.insert("x".into(), json!({"b": 1, "a": 2}));
    req.options.extra.insert("a".into(), json!(1));
    req
}

#[tokio::test(start_paused = true)]
async fn the_same_is_asked_where_only_ids_times_and_the_order_of_options_differ() {
    let stage = Stage::new([fine()]);
    let model = stage.clone().cached(MemoryAnswers::new());
    words(&model, conversation("c1", "sunny")).await;
    let mut other = conversation("call_77", "sunny");
    other.options.extra.clear();
    other.options.extra.insert("a".into(), json!(1));
    other.options.extra.insert("x".into(), json!({"a": 2, "b": 1}));
    tokio::time::sleep(secs(5)).await;
    words(&model, other).await;
    assert_eq!(stage.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn whatever_else_differs_is_another_request() {
    let stage = Stage::new([fine()]);
    let model = stage.clone().cached(MemoryAnswers::new());
    let change = |change: fn(&mut ModelRequest)| {
        let mut req = conversation("c1", "sunny");
        change(&mut req);
        req
    };
    let others = [
        change(|_| {}),
        conversation("c1", "rainy"),
        change(|req| req.speaker = "Bob".into()),
        change(|req| drop(req.messages.pop())),
        change(|req| req.messages.swap(0, 1)),
        change(|req| req.messages[1] = Arc::new(Msg::new("Bob", Role::User, vec!["hi".into()]))),
        change(|req| req.messages[1] = Arc::new(Msg::user("hi").url("https://example.com/a.png"))),
        change(|req| req.tools = [].into()),
        change(|req| req.tools = [Arc::new(ToolSpec::new("weather", "Weather!", json!({})))].into()),
        change(|req| req.tool_choice = ToolChoice::Required),
        change(|req| req.output_schema = Some(Arc::new(json!({"type": "object"})))),
        change(|req| req.options.temperature = Some(0.5)),
        change(|req| req.options.seed = Some(1)),
        change(|req| drop(req.options.extra.insert("a".into(), json!(2)))),
    ];
    for (asked, req) in others.iter().enumerate() {
        words(&model, req.clone()).await;
        assert_eq!(stage.asked(), asked + 1);
    }
    for req in others {
        words(&model, req).await;
    }
    assert_eq!(stage.asked(), 14);
}

#[tokio::test(start_paused = true)]
async fn models_of_other_names_and_namespaces_do_not_share() {
    let store = MemoryAnswers::new();
    let named = |name: &str, spec: &str| {
        let mut card = ModelCard::new(name);
        card.spec = spec.into();
        Stage::with_card(card, [vec![text(name), text(spec), finish()]])
    };
    let apart = AnswerCache::new(store.clone()).namespace("apart");
    let models = [
        (Cached::new(named("a", ""), store.clone()), "a"),
        (Cached::new(named("b", ""), store.clone()), "b"),
        (Cached::new(named("a", "x:a"), store.clone()), "ax:a"),
        (Cached::new(named("a", ""), apart), "a"),
    ];
    for (model, said) in &models {
        assert_eq!(words(model, request("hi")).await, *said);
    }
    assert_eq!(store.len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_shows_a_local_file_is_always_sent() {
    let stage = Stage::new([fine()]);
    let model = stage.clone().cached(MemoryAnswers::new());
    for _ in 0..2 {
        let shown = Msg::user("What is this?").url("photo.jpg");
        words(&model, ModelRequest::new([shown])).await;
    }
    assert_eq!(stage.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn equal_requests_at_the_same_time_are_sent_once() {
    let stage = Stage::new([vec![wait(1000), text("a"), wait(1000), finish()]]);
    let cache = AnswerCache::new(MemoryAnswers::new());
    let model = stage.clone().cached(cache.clone());
    let answers = join_all((0..10).map(|_| words(&model, request("hi")))).await;
    assert_eq!(answers, ["a"; 10]);
    assert_eq!((stage.asked(), cache.hits(), cache.misses()), (1, 9, 1));

    let stage = Stage::new([vec![wait(1000), text("a"), finish()]]);
    let model = stage.clone().cached(AnswerCache::new(MemoryAnswers::new()).wait_for_equal(secs(0)));
    join_all((0..10).map(|_| words(&model, request("hi")))).await;
    assert_eq!(stage.asked(), 10);
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_an_equal_request_goes_on_when_that_is_given_up_fails_or_lasts() {
    // Given up: the next one leads, and the third still waits.
    let stage = Stage::new([vec![Step::Hang], vec![wait(1000), text("a"), finish()]]);
    let model = stage.clone().cached(MemoryAnswers::new());
    let mut first = model.call(request("hi"), Context::new());
    assert!(first.next().now_or_never().is_none());
    let others = [0, 1].map(|_| {
        tokio::spawn({
            let model = model.clone();
            async move { words(&model, request("hi")).await }
        })
    });
    settle().await;
    drop(first);
    for other in others {
        assert_eq!(other.await.unwrap(), "a");
    }
    assert_eq!((stage.asked(), stage.open()), (2, 0));

    // Failed: each is asked, at the same time.
    let stage =
        Stage::new([vec![wait(1000), fail(ErrorKind::Unavailable)], vec![wait(1000), text("a"), finish()]]);
    let model = stage.clone().cached(MemoryAnswers::new());
    let begin = Instant::now();
    let (first, second, third) =
        tokio::join!(error(&model), words(&model, request("hi")), words(&model, request("hi")));
    assert_eq!((first.kind(), &*second, &*third), (ErrorKind::Unavailable, "a", "a"));
    assert_eq!((stage.asked(), begin.elapsed().as_secs()), (3, 2));

    // Not past the deadline.
    let stage = Stage::new([vec![Step::Hang]]);
    let model = stage.clone().cached(MemoryAnswers::new());
    let mut first = model.call(request("hi"), Context::new());
    assert!(first.next().now_or_never().is_none());
    let mut second = model.call(request("hi"), Context::new().with_deadline(secs(5)));
    let late = second.next().await.unwrap().unwrap_err();
    assert_eq!((late.kind(), stage.asked()), (ErrorKind::Timeout, 1));

    // Nobody reads it: not waited for for ever.
    let stage = Stage::new([fine()]);
    let model = stage.clone().cached(AnswerCache::new(MemoryAnswers::new()).wait_for_equal(secs(3)));
    let mut first = model.call(request("hi"), Context::new());
    first.next().await;
    let begin = Instant::now();
    assert_eq!(words(&model, request("hi")).await, "fine");
    assert_eq!((stage.asked(), begin.elapsed().as_secs()), (2, 3));
}

/// Fails, or takes for ever, or has what it should not have.
#[derive(Clone, Copy)]
enum Bad {
    Fails,
    Hangs,
    Has(&'static str),
}

impl AnswerStore for Bad {
    fn load<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Option<Bytes>>> {
        match *self {
            Self::Fails => Box::pin(async { Err(Error::new(ErrorKind::Unavailable, "the disk is gone")) }),
            Self::Hangs => Box::pin(std::future::pending()),
            Self::Has(bytes) => Box::pin(async move { Ok(Some(Bytes::from_static(bytes.as_bytes()))) }),
        }
    }
    fn save<'a>(&'a self, _: &'a str, _: Bytes) -> BoxFuture<'a, Result<()>> {
        match self {
            Self::Hangs => Box::pin(std::future::pending()),
            _ => Box::pin(async { Err(Error::new(ErrorKind::Unavailable, "the disk is gone")) }),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_in_trouble_has_nothing_and_spoils_nothing() {
    let finish_inside = r#"[{"type":"finish","reason":"stop"}]"#;
    for (store, waited) in [
        (Bad::Fails, 0),
        (Bad::Hangs, 4),
        (Bad::Has("{"), 0),
        (Bad::Has("[{\"type\":\"text\"}]"), 0),
        (Bad::Has(finish_inside), 0),
    ] {
        let stage = Stage::new([fine()]);
        let begin = Instant::now();
        assert_eq!(whole(ask(&stage.clone().cached(store)).await), deltas(&fine()));
        assert_eq!((stage.asked(), begin.elapsed().as_secs()), (1, waited));
    }
}

#[tokio::test]
async fn memory_keeps_what_was_asked_for_last_within_its_limits() {
    let store = MemoryAnswers::new().max_entries(3).max_bytes(100);
    let save = |key: &'static str, bytes: usize| {
        let store = store.clone();
        async move { store.save(key, Bytes::from(vec![b'x'; bytes])).await.unwrap() }
    };
    let has = |key: &'static str| {
        let store = store.clone();
        async move { store.load(key).await.unwrap().is_some() }
    };
    for key in ["a", "b", "c"] {
        save(key, 9).await;
    }
    assert!(has("a").await);
    save("d", 9).await;
    assert_eq!((has("a").await, has("b").await, has("c").await, has("d").await), (true, false, true, true));
    save("e", 80).await;
    assert_eq!((store.len(), has("e").await, has("d").await), (2, true, true));
    save("f", 100).await;
    assert_eq!((store.len(), has("f").await), (2, false), "it is larger than all there may be");
    save("e", 5).await;
    assert_eq!(store.load("e").await.unwrap().unwrap().len(), 5);
    save("g", 80).await;
    assert_eq!((has("g").await, store.len()), (true, 3));
}
