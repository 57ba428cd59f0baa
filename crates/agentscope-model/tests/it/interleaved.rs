//! Calls that begin and end in any order.

use agentscope_core::{
    ChatModel, Context, FinishReason, ModelCard, ModelDelta, ModelRequest, ModelStream, Usage,
};
use agentscope_model::{Budget, Monitor};
use futures_util::{StreamExt, stream};
use proptest::prelude::*;
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context as Task, Poll, Waker},
};

/// What the tokens of each request are estimated as.
const ESTIMATE: u64 = 100;

/// A call whose answer waits until it may end.
#[derive(Clone)]
struct Gate {
    open: Arc<AtomicBool>,
    cost: u64,
}

/// A model whose next call is that of this gate.
struct Gated(ModelCard, Arc<Mutex<Option<Gate>>>);

impl ChatModel for Gated {
    fn card(&self) -> &ModelCard {
        &self.0
    }

    fn call(&self, _: ModelRequest, _: Context) -> ModelStream {
        let gate = self.1.lock().unwrap().take().unwrap();
        let usage = ModelDelta::Usage(Usage::new(gate.cost, 0));
        let mut left = vec![Ok(ModelDelta::Finish { reason: FinishReason::Stop }), Ok(usage)];
        stream::poll_fn(move |_| match gate.open.load(Relaxed) {
            true => Poll::Ready(left.pop()),
            false => Poll::Pending,
        })
        .boxed()
    }

    fn estimate_tokens(&self, _: &ModelRequest) -> u64 {
        ESTIMATE
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Calls begin and end in any order and cost anything; a third of them is dropped.
    #[test]
    fn a_limit_is_exceeded_by_no_more_than_the_calls_under_way(
        limit in 1_u64..5_000,
        steps in prop::collection::vec((any::<bool>(), 0_u64..2_000, any::<prop::sample::Index>(), 0..3), 1..120),
    ) {
        let monitor = Monitor::new();
        monitor.limit(Budget::tokens(limit)).unwrap();
        let next: Arc<Mutex<Option<Gate>>> = Arc::default();
        let model = monitor.meter(Gated(ModelCard::new("gated"), Arc::clone(&next)));
        let mut task = Task::from_waker(Waker::noop());
        let mut under_way: Vec<(Gate, ModelStream)> = Vec::new();
        let mut widest = 0;
        for (begin, cost, which, drop_it) in steps {
            let before = monitor.report().budgets[0].clone();
            if begin || under_way.is_empty() {
                let gate = Gate { open: Arc::default(), cost };
                *next.lock().unwrap() = Some(gate.clone());
                let mut answer = model.call(ModelRequest::default(), Context::new());
                let refused = matches!(answer.poll_next_unpin(&mut task), Poll::Ready(Some(Err(_))));
                prop_assert_eq!(refused, before.used + before.reserved >= limit);
                if !refused {
                    under_way.push((gate, answer));
                    // Dropped, it is estimated as the tokens of its request.
                    let open: u64 = under_way.iter().map(|(gate, _)| gate.cost.max(ESTIMATE)).sum();
                    widest = widest.max(open);
                }
            } else {
                let (gate, mut answer) = under_way.swap_remove(which.index(under_way.len()));
                gate.open.store(drop_it > 0, Relaxed);
                while let Poll::Ready(Some(_)) = answer.poll_next_unpin(&mut task) {}
                drop(answer);
                let cost = if drop_it > 0 { gate.cost } else { ESTIMATE };
                prop_assert_eq!(monitor.report().budgets[0].used, before.used + cost);
            }
        }
        for (gate, mut answer) in under_way {
            gate.open.store(true, Relaxed);
            while let Poll::Ready(Some(_)) = answer.poll_next_unpin(&mut task) {}
        }
        let end = monitor.report().budgets[0].clone();
        prop_assert!(end.used < limit + widest, "{} of {limit} and {widest}", end.used);
        prop_assert_eq!(end.reserved, 0);
    }
}
