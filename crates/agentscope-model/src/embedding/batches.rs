//! Many inputs as few requests.

use agentscope_core::{ContentBlock, Result, estimate_tokens};
use futures_util::{StreamExt, stream};
use std::future::Future;

/// The inputs in parts, each as large as a provider takes it.
pub(super) struct Batches<'a> {
    pub(super) inputs: &'a [ContentBlock],
    /// Most inputs in a part; 0 for any number.
    pub(super) most: usize,
    /// Most tokens in a part, by estimate; 0 for any number. One input alone may have more: the provider says what it thinks.
    pub(super) tokens: u64,
}

impl<'a> Iterator for Batches<'a> {
    type Item = &'a [ContentBlock];

    fn next(&mut self) -> Option<Self::Item> {
        if self.inputs.is_empty() {
            return None;
        }
        let most = if self.most == 0 { usize::MAX } else { self.most };
        let mut end = self.inputs.len().min(most);
        if self.tokens > 0 {
            let mut sum = 0;
            let fit = self.inputs.iter().take(end).take_while(|input| {
                sum += tokens(input);
                sum <= self.tokens
            });
            end = fit.count().max(1);
        }
        let (part, rest) = self.inputs.split_at_checked(end)?;
        self.inputs = rest;
        Some(part)
    }
}

fn tokens(input: &ContentBlock) -> u64 {
    match input {
        ContentBlock::Text { text, .. } => estimate_tokens(text),
        _ => 0,
    }
}

/// What the futures give, in their order, at most `limit` of them at a time. The first error is the answer, at once, and drops the
/// others.
pub(super) async fn in_order<T>(
    futures: Vec<impl Future<Output = Result<T>>>,
    limit: usize,
) -> Result<Vec<T>> {
    let mut numbered = Vec::with_capacity(futures.len());
    for (at, future) in futures.into_iter().enumerate() {
        numbered.push(async move { (at, future.await) });
    }
    let mut done = stream::iter(numbered).buffer_unordered(limit.max(1));
    let mut results = Vec::new();
    while let Some((at, result)) = done.next().await {
        results.push((at, result?));
    }
    results.sort_unstable_by_key(|(at, _)| *at);
    Ok(results.into_iter().map(|(_, result)| result).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use agentscope_core::{Error, ErrorKind};
    use proptest::prelude::*;
    use std::{cell::Cell, time::Duration};
    use tokio::time::{Instant, sleep};

    proptest! {
        #[test]
        fn parts_are_all_inputs_in_order_and_none_is_too_large(
            lengths in prop::collection::vec(1..400usize, 0..200),
            most in 0..30usize,
            tokens in 0..200u64,
        ) {
            let inputs: Vec<ContentBlock> = lengths.iter().map(|length| "word ".repeat(*length / 5 + 1).into()).collect();
            let parts: Vec<_> = Batches { inputs: &inputs, most, tokens }.collect();
            prop_assert_eq!(parts.concat(), inputs.clone());
            for part in &parts {
                prop_assert!(!part.is_empty() && (most == 0 || part.len() <= most));
                let sum: u64 = part.iter().map(super::tokens).sum();
                prop_assert!(tokens == 0 || sum <= tokens || part.len() == 1);
            }
            for pair in parts.windows(2) {
                // As few as can be: the first of the next part had no place in this one.
                let sum: u64 = pair[0].iter().chain(&pair[1][..1]).map(super::tokens).sum();
                prop_assert!(pair[0].len() == most || sum > tokens);
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn results_are_in_order_whichever_is_first_and_few_run_at_a_time() {
        let (running, most) = (Cell::new(0), Cell::new(0));
        let work = (0..10_u64).map(|at| {
            let (running, most) = (&running, &most);
            async move {
                running.set(running.get() + 1);
                most.set(most.get().max(running.get()));
                sleep(Duration::from_millis(100 - at * 10)).await;
                running.set(running.get() - 1);
                Ok(at)
            }
        });
        assert_eq!(in_order(work.collect(), 3).await.unwrap(), (0..10).collect::<Vec<_>>());
        assert_eq!(most.get(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_error_is_told_at_once_and_the_others_are_dropped() {
        let (start, ended) = (Instant::now(), Cell::new(0));
        let work = (0..5_u64).map(|at| {
            let ended = &ended;
            async move {
                sleep(Duration::from_secs(if at == 2 { 1 } else { 60 })).await;
                if at == 2 {
                    return Err(Error::new(ErrorKind::Unavailable, "it is down"));
                }
                ended.set(ended.get() + 1);
                Ok(())
            }
        });
        assert_eq!(in_order(work.collect(), 4).await.unwrap_err().message(), "it is down");
        assert_eq!((start.elapsed(), ended.get()), (Duration::from_secs(1), 0));
    }
}
