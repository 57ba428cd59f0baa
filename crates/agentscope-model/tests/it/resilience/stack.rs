//! Layers around layers, in any order.

use super::stage::{Stage, Step, away, deltas, fail, fine, finish, request, secs, text, usage, wait, whole};
use agentscope_agent::ReActAgent;
use agentscope_core::{
    AgentExt, ChatModel, Context, Error, ErrorKind, Finish, FinishReason, ModelCard, ModelDelta,
    ModelRequest, ModelStream, Result, model_fn, testing::conformance,
};
use agentscope_model::{
    ANSWERED_BY, ChatModelExt, Circuit, ConcurrencyLimiter, MemoryAnswers, RateLimiter, RetryPolicy,
    TimeLimits,
};
use futures_util::{FutureExt, StreamExt};
use proptest::{collection::vec, prelude::*, sample::select};
use std::{sync::Arc, time::Duration};

#[derive(Clone, Copy, Debug)]
enum Layer {
    Retry,
    Timeouts,
    Fallback,
    Hedge,
    Rate,
    Concurrency,
    Circuit,
    Cached,
    Resilient,
}

const LAYERS: [Layer; 9] = [
    Layer::Retry,
    Layer::Timeouts,
    Layer::Fallback,
    Layer::Hedge,
    Layer::Rate,
    Layer::Concurrency,
    Layer::Circuit,
    Layer::Cached,
    Layer::Resilient,
];

fn around(model: Arc<dyn ChatModel>, layer: Layer, spare: &Stage, a_minute: u64) -> Arc<dyn ChatModel> {
    let limits = TimeLimits::default().first_byte(secs(10)).gap(secs(5)).total(secs(60));
    match layer {
        Layer::Retry => Arc::new(model.retry(RetryPolicy::default())),
        Layer::Timeouts => Arc::new(model.timeouts(limits)),
        Layer::Fallback => Arc::new(model.fallback(spare.clone())),
        Layer::Hedge => Arc::new(model.hedge(secs(2))),
        Layer::Rate => Arc::new(model.rate_limit(RateLimiter::requests(a_minute).tokens(a_minute * 300))),
        Layer::Concurrency => Arc::new(model.concurrency_limit(ConcurrencyLimiter::new(2))),
        Layer::Circuit => Arc::new(model.circuit_breaker(Circuit::default().failures_in_a_row(3))),
        Layer::Cached => Arc::new(model.cached(MemoryAnswers::new())),
        Layer::Resilient => Arc::new(model.resilient()),
    }
}

fn stack(stage: &Stage, layers: &[Layer], spare: &Stage, a_minute: u64) -> Arc<dyn ChatModel> {
    let model: Arc<dyn ChatModel> = Arc::new(stage.clone());
    layers.iter().fold(model, |model, layer| around(model, *layer, spare, a_minute))
}

/// Numbered words, so that what is lost or repeated is seen.
fn script(name: &'static str) -> impl Strategy<Value = Vec<Step>> {
    let noise =
        prop_oneof![Just(Step::Yield), Just(wait(700)), Just(wait(4000)), Just(usage(1, 1)), Just(text("")),];
    let end = prop_oneof![
        4 => Just(vec![usage(3, 1), finish()]),
        1 => Just(vec![finish(), usage(3, 1)]),
        1 => Just(vec![Step::Give(ModelDelta::Finish { reason: FinishReason::Length })]),
        1 => Just(vec![]),
        1 => Just(vec![Step::Hang]),
        1 => Just(vec![finish(), fail(ErrorKind::Unavailable)]),
        4 => select(vec![ErrorKind::Unavailable, ErrorKind::RateLimited, ErrorKind::Timeout, ErrorKind::InvalidInput, ErrorKind::Exhausted])
            .prop_map(|kind| vec![fail(kind)]),
    ];
    (vec(vec(noise, 0..4), 0..5), end).prop_map(move |(gaps, end)| {
        let words = (0..).map(|n| text(&format!("{name}{n} ")));
        let body = gaps.into_iter().zip(words).flat_map(|(noise, word)| noise.into_iter().chain([word]));
        body.chain(end).collect()
    })
}

/// What an answer has of words, by who said them and in their order.
fn is_beginning_of_one(said: &str, scripts: &[Vec<Step>]) -> bool {
    scripts.iter().any(|script| {
        let all: String = deltas(script).iter().map(words).collect();
        all.starts_with(said)
    })
}

fn words(delta: &ModelDelta) -> &str {
    match delta {
        ModelDelta::Text { delta, .. } => delta,
        _ => "",
    }
}

fn run(
    scripts: &[Vec<Step>],
    spare: Vec<Step>,
    layers: &[Layer],
    times: usize,
) -> std::result::Result<(), TestCaseError> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let spare_stage = Stage::new([spare.clone()]);
        let stage = Stage::new(scripts.iter().cloned());
        let model = stack(&stage, layers, &spare_stage, 3);
        let all = [scripts, &[spare]].concat();
        for _ in 0..times {
            let cx = Context::new().with_deadline(secs(600));
            let asked = model.call(request("hi"), cx).collect::<Vec<Result<_>>>();
            let Ok(answer) = tokio::time::timeout(secs(1000), asked).await else {
                // Without time limits a model that hangs is waited for.
                let hangs = all.iter().any(|script| script.iter().any(|step| matches!(step, Step::Hang)));
                prop_assert!(hangs, "it hangs");
                prop_assert!(!matches!(layers.last(), Some(Layer::Timeouts | Layer::Resilient)));
                return Ok(());
            };
            let errors = answer.iter().filter(|piece| piece.is_err()).count();
            let finishes =
                answer.iter().filter(|piece| matches!(piece, Ok(ModelDelta::Finish { .. }))).count();
            let checked = layers.iter().any(|layer| {
                matches!(layer, Layer::Retry | Layer::Fallback | Layer::Hedge | Layer::Resilient)
            });
            if checked {
                prop_assert_eq!(errors + finishes, 1, "one end: {:?}", answer);
            }
            prop_assert!(
                errors == 0 || answer.last().unwrap().is_err(),
                "an error is the last: {:?}",
                answer
            );
            let said: String = answer.iter().flatten().map(words).collect();
            prop_assert!(is_beginning_of_one(&said, &all), "said {:?}", said);
            if finishes == 1 {
                let is_whole =
                    all.iter().any(|script| deltas(script).iter().map(words).collect::<String>() == said);
                prop_assert!(is_whole, "the end is missing: {:?}", answer);
            }
            prop_assert_eq!((stage.open(), spare_stage.open()), (0, 0));
        }
        Ok(())
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]
    #[test]
    fn any_stack_over_any_model_gives_one_end_and_neither_loses_nor_repeats_a_word(
        scripts in vec(script("a"), 1..4),
        spare in script("b"),
        layers in vec(select(LAYERS.to_vec()), 0..8),
        times in 1..4_usize,
    ) {
        run(&scripts, spare, &layers, times)?;
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_stack_passes_the_suite_for_models_in_any_order() {
    for turn in 0..LAYERS.len() {
        conformance::chat_model(|| {
            let stage = Stage::new([vec![
                Step::Yield,
                text("Hello "),
                Step::Yield,
                text("there."),
                usage(1, 1),
                finish(),
            ]]);
            let mut layers = LAYERS.to_vec();
            layers.rotate_left(turn);
            stack(&stage, &layers, &Stage::new([fine()]), 1000)
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_whole_stack_adds_nothing_to_an_answer() {
    let script: Vec<_> = (0..200).map(|n| text(&n.to_string())).chain([usage(5, 200), finish()]).collect();
    let model = stack(&Stage::new([script.clone()]), &LAYERS, &Stage::new([fine()]), 1000);
    let answer = model.call(request("hi"), Context::new()).collect().await;
    assert_eq!(whole(answer), deltas(&script));
}

/// A layer of someone else, which shouts.
struct Loud<M>(M);

impl<M: ChatModel> ChatModel for Loud<M> {
    fn card(&self) -> &ModelCard {
        self.0.card()
    }
    fn call(&self, req: ModelRequest, cx: Context) -> ModelStream {
        let loud = |piece: Result<ModelDelta>| match piece {
            Ok(ModelDelta::Text { block, delta }) => {
                Ok(ModelDelta::Text { block, delta: delta.to_uppercase() })
            }
            other => other,
        };
        Box::pin(self.0.call(req, cx).map(loud))
    }
}

#[tokio::test(start_paused = true)]
async fn a_layer_of_someone_else_sees_all_pieces_between_ours() {
    let script = [text("a"), Step::Yield, text("b"), text("c"), usage(1, 1), finish()];
    let stage = Stage::new([script.to_vec()]);
    let within = stage.resilient().fallback(Stage::new([fine()]));
    let model = Loud(Loud(within).retry(RetryPolicy::default()).concurrency_limit(1)).resilient();
    for _ in 0..3 {
        let answer = whole(model.call(request("hi"), Context::new()).collect().await);
        assert_eq!(answer.iter().map(words).collect::<String>(), "ABC");
    }
}

#[tokio::test(start_paused = true)]
async fn layers_with_nothing_more_to_do_are_gone_and_what_they_hold_stays_held() {
    let limiter = ConcurrencyLimiter::new(1);
    let stage = Stage::new([vec![text("a"), text("b"), usage(1, 1), finish()]]);
    let layers = stage.retry(RetryPolicy::default()).hedge(secs(1)).concurrency_limit(limiter.clone());
    let model = layers.fallback(Stage::new([fine()])).timeouts(TimeLimits::default());
    let req = request("hi");
    let msg = Arc::downgrade(&req.messages[0]);
    let mut answer = model.call(req, Context::new());
    answer.next().await.unwrap().unwrap();
    assert_eq!(msg.strong_count(), 1, "the model has it, and nobody keeps it to ask again");
    let mut next = Stage::new([fine()]).concurrency_limit(limiter).call(request("hi"), Context::new());
    assert!(next.next().now_or_never().is_none(), "the place is still taken");
    assert_eq!(answer.count().await, 3);
    assert!(next.next().now_or_never().is_some());
}

#[tokio::test(start_paused = true)]
async fn layers_pass_on_the_card_and_the_tokens_of_the_model() {
    let card = ModelCard::new("m").context_size(1234).native_output_schema();
    let stage = Stage::with_card(card.clone(), [fine()]);
    let model = stack(&stage, &LAYERS, &Stage::with_card(card.clone(), [fine()]), 1000);
    assert_eq!(*model.card(), card);
    let req = request(&"four ".repeat(100));
    let tokens = stage.estimate_tokens(&req);
    assert_eq!((model.estimate_tokens(&req), model.count_tokens(&req).await.unwrap()), (tokens, tokens));
}

#[tokio::test(start_paused = true)]
async fn attempts_through_a_stack_are_counted_exactly() {
    let stage = Stage::new([away()]);
    let spare = Stage::new([away(), fine()]);
    let model = stage.clone().resilient().fallback(spare.clone().retry(RetryPolicy::default().retries(1)));
    let answer: Vec<_> = model.call(ModelRequest::default(), Context::new()).collect().await;
    assert_eq!(whole(answer)[0], ModelDelta::text("fine"));
    assert_eq!((stage.asked(), spare.asked()), (3, 2));
}

#[tokio::test(start_paused = true)]
async fn an_agent_keeps_the_partial_answer_and_the_name_of_who_answered() {
    let half = Stage::new([vec![text("half "), text("an answer"), fail(ErrorKind::Unavailable)]]);
    let mut reply = ReActAgent::new("Friday", half.resilient()).reply("hi").stream();
    let mut said = String::new();
    let mut ends = Vec::new();
    while let Some(event) = reply.next().await {
        match event.map(|event| event.kind) {
            Ok(agentscope_core::EventKind::TextDelta { delta, .. }) => said.push_str(&delta),
            Ok(agentscope_core::EventKind::ReplyEnd { finish, .. }) => ends.push(finish),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable),
            Ok(_) => {}
        }
    }
    assert_eq!(said, "half an answer");
    assert!(matches!(&ends[..], [Finish::Failed(failure)] if failure.kind == ErrorKind::Unavailable));

    let refused = Stage::new([vec![Step::Fail(Error::new(ErrorKind::Unauthorized, "no key"))]]);
    let spare = model_fn(ModelCard::new("spare"), |_| async { Ok("Hello.") });
    let msg = ReActAgent::new("Friday", refused.fallback(spare)).reply("hi").await.unwrap();
    assert_eq!(msg.content[0].extra().unwrap().get(ANSWERED_BY).unwrap(), "spare");
}

#[tokio::test(start_paused = true)]
async fn a_model_of_configuration_takes_layers_as_it_is() {
    let model: Arc<dyn ChatModel> = agentscope_model::from_spec("http://127.0.0.1:9/v1#local").unwrap();
    let model = model
        .timeouts(TimeLimits::default().first_byte(Duration::from_secs(5)))
        .fallback(Stage::new([fine()]));
    assert_eq!(model.card().name, "local");
}
