//! Many streams at once through all layers that can stand around a model, beside the same model without them.
//!
//! What is measured is CPU time of the client, from the request to the end of the answer: the request, the socket, the decoding, the
//! layers, and what the layers do once a call (keys, estimates, books, timers). It is told for each chunk of an answer. How many chunks a
//! read of the socket finds would change what both sides cost by a fifth from run to run, so there are two servers for which
//! it is the same on both sides: one writes the answer at once, so that all is there when the first read comes and the layers
//! weigh most; the other says a chunk each 20 ms, as models do, so that each chunk is a read of its own.
//!
//! The two sides take turns within a pair, and a row has the median of the ratios of its pairs. Where other programs keep the processor
//! busy, instructions tell more: `-- profile stack whole 20` (or `alone`, or another of the stacks) under callgrind.

use crate::{cost, median, server_of, serving::SHORT};
use agentscope::{ChatModel, Context, ModelDelta, ModelRequest, Msg};
use agentscope_model::{
    ChatModelExt, Circuit, MemoryAnswers, Monitor, OpenAIChatModel, RateLimiter, RetryPolicy, TimeLimits,
};
use futures_util::{StreamExt, future::join_all};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

/// Streams at once.
const STREAMS: usize = 1000;

/// Pairs of a stack and the model alone, of which the median is told.
const PAIRS: usize = 5;

/// How the server gives an answer, what a row says of it, and how often all streams are read for a figure.
const PACES: [(&str, &str, usize); 2] = [
    ("short", "1,000 streams of 200 chunks in a write", 1),
    ("spoken", "1,000 streams, a chunk each 20 ms", 1),
];

/// Stacks by name, and what a row says of them.
const STACKS: [(&str, &str); 4] = [
    ("whole", "all layers"),
    ("uncached", "without the cache"),
    ("unmetered", "without cache and meter"),
    ("resilient", "those of `resilient()`"),
];

pub(crate) async fn streams(origin: &str) {
    println!(
        "{STREAMS} streams at once, CPU time a chunk, beside the same model without layers, medians of {PAIRS} pairs"
    );
    for (path, pace, times) in PACES {
        let alone = stack("alone", origin, path);
        for (name, layers) in STACKS {
            let stack = stack(name, origin, path);
            let (here, without, ratio) = pairs(times, &stack, &alone).await;
            let each = (STREAMS * SHORT) as f64;
            let figure = |cost: f64| format!("{:.3} us", cost / each);
            let what = format!("{pace}: {layers}");
            println!("{what:<66} {:>10} {:>10} {ratio:>6.3}   1.15", figure(here), figure(without));
        }
    }
}

/// Nothing but one stack, for a profiler.
pub(crate) async fn profile(origin: &str, name: &str, times: usize) {
    let stack = stack(name, origin, "short");
    for _ in 0..times {
        all(&stack).await;
    }
}

fn stack(name: &str, origin: &str, path: &str) -> Arc<dyn ChatModel> {
    let model =
        || OpenAIChatModel::new("gpt-4o").api_key("sk-test").base_url(server_of(origin, path)).retries(0);
    let layered = || {
        model()
            .timeouts(TimeLimits::default())
            .rate_limit(RateLimiter::requests(1_000_000).tokens(1_000_000_000))
            .concurrency_limit(STREAMS)
            .circuit_breaker(Circuit::default())
            .hedge(Duration::from_secs(60))
            .retry(RetryPolicy::default())
            .fallback(model())
    };
    match name {
        "alone" => Arc::new(model()),
        "whole" => Arc::new(Monitor::new().meter(layered().cached(MemoryAnswers::new()))),
        "uncached" => Arc::new(Monitor::new().meter(layered())),
        "unmetered" => Arc::new(layered()),
        // As `resilient()`, for so many at a time.
        "resilient" => Arc::new(
            model()
                .timeouts(TimeLimits::default())
                .concurrency_limit(STREAMS)
                .circuit_breaker(Circuit::default())
                .retry(RetryPolicy::default()),
        ),
        other => panic!("there is no stack `{other}`"),
    }
}

/// The medians of both, in microseconds for all streams, and of the ratio.
async fn pairs(times: usize, stack: &Arc<dyn ChatModel>, alone: &Arc<dyn ChatModel>) -> (f64, f64, f64) {
    let (mut here, mut without) = (async || all(stack).await, async || all(alone).await);
    let (mut of_here, mut of_without, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    all(alone).await; // warm
    all(stack).await;
    for pair in 0..PAIRS {
        let (mut of_stack, mut of_alone) = (0.0, 0.0);
        for time in 0..times {
            if (pair + time) % 2 == 0 {
                of_alone += cost(1, &mut without).await;
                of_stack += cost(1, &mut here).await;
            } else {
                of_stack += cost(1, &mut here).await;
                of_alone += cost(1, &mut without).await;
            }
        }
        ratios.push(of_stack / of_alone);
        of_here.push(of_stack / times as f64);
        of_without.push(of_alone / times as f64);
    }
    (median(of_here), median(of_without), median(ratios))
}

/// Asks for all of them, each for something else, and reads them to their ends.
async fn all(model: &Arc<dyn ChatModel>) {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    let one = async || {
        let question = format!("Talk, for the {}th time.", ASKED.fetch_add(1, Ordering::Relaxed));
        let mut answer = model.call(ModelRequest::new([Msg::user(question)]), Context::new());
        let mut bytes = 0;
        while let Some(delta) = answer.next().await {
            if let ModelDelta::Text { delta, .. } = delta.unwrap() {
                bytes += delta.len();
            }
        }
        assert_eq!(bytes, 5 * SHORT);
    };
    join_all((0..STREAMS).map(|_| one())).await;
}
