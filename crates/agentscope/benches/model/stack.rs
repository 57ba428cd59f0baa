//! Many streams at once through all layers that can stand around a model, beside the same model without them.

use crate::{compare, row, server_of, serving::SHORT};
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

pub(crate) async fn streams(origin: &str) {
    let model =
        || OpenAIChatModel::new("gpt-4o").api_key("sk-test").base_url(server_of(origin, "short")).retries(0);
    let layered = |model: OpenAIChatModel| {
        model
            .timeouts(TimeLimits::default())
            .rate_limit(RateLimiter::requests(1_000_000).tokens(1_000_000_000))
            .concurrency_limit(STREAMS)
            .circuit_breaker(Circuit::default())
            .hedge(Duration::from_secs(60))
            .retry(RetryPolicy::default())
    };
    let alone: Arc<dyn ChatModel> = Arc::new(model());
    let monitor = Monitor::new();
    let whole = layered(model()).fallback(model());
    let contenders: [(&str, Arc<dyn ChatModel>); 4] = [
        (
            "1,000 streams at once, 200 chunks each, a chunk",
            Arc::new(monitor.meter(whole.cached(MemoryAnswers::new()))),
        ),
        ("  the same without the cache", Arc::new(monitor.meter(layered(model()).fallback(model())))),
        ("  the same without cache and meter", Arc::new(layered(model()).fallback(model()))),
        ("  the layers of `resilient()` alone", Arc::new(model().resilient_of(STREAMS))),
    ];
    for (what, stack) in contenders {
        let (here, without) = compare(1, async || all(&stack).await, async || all(&alone).await).await;
        let each = (STREAMS * SHORT) as f64;
        row(what, here / each, without / each, "us", "1.15");
    }
    println!("  (beside the same model without layers, not a bare client)");
}

trait ResilientOf: ChatModel + Sized {
    /// As `resilient()`, for so many at a time.
    fn resilient_of(self, streams: usize) -> impl ChatModel {
        self.timeouts(TimeLimits::default())
            .concurrency_limit(streams)
            .circuit_breaker(Circuit::default())
            .retry(RetryPolicy::default())
    }
}

impl ResilientOf for OpenAIChatModel {}

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
