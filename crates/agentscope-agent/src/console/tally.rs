//! What a talk costs.

use agentscope_core::{Price, Usage};
use std::time::Duration;

/// Tokens of a million, by which prices count.
const MILLION: f64 = 1e6;

/// What was spent, in a few words: tokens, the time if there is one, and the cost where a price is known.
pub(super) fn spent(usage: Usage, time: Option<Duration>, price: Option<Price>) -> String {
    let cached = match usage.cached_tokens {
        0 => String::new(),
        cached => format!(" ({} cached)", count(cached)),
    };
    let mut parts = vec![
        format!("{} tokens in{cached}", count(usage.input_tokens)),
        format!("{} out", count(usage.output_tokens)),
    ];
    parts.extend(time.map(|time| format!("{:.1} s", time.as_secs_f64())));
    parts.extend(price.map(|price| format!("cost {:.4}", cost(usage, price))));
    parts.join(" · ")
}

/// In the currency of the price.
fn cost(usage: Usage, price: Price) -> f64 {
    let tokens = |count: u64| count as f64 / MILLION;
    let cached = usage.cached_tokens.min(usage.input_tokens);
    tokens(usage.input_tokens - cached) * price.input
        + tokens(cached) * price.cached
        + tokens(usage.output_tokens) * price.output
}

fn count(tokens: u64) -> String {
    match tokens {
        0..1_000 => tokens.to_string(),
        1_000..1_000_000 => format!("{:.1}k", tokens as f64 / 1e3),
        _ => format!("{:.1}M", tokens as f64 / MILLION),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cached_tokens_cost_their_own_price() {
        let mut usage = Usage::new(1_000_000, 500_000);
        usage.cached_tokens = 400_000;
        let price = Price { input: 1.0, cached: 0.1, output: 2.0 };
        assert!((cost(usage, price) - 1.64).abs() < 1e-9);
        let line = spent(usage, Some(Duration::from_millis(3210)), Some(price));
        assert_eq!(line, "1.0M tokens in (400.0k cached) · 500.0k out · 3.2 s · cost 1.6400");
        assert_eq!(spent(Usage::new(999, 1), None, None), "999 tokens in · 1 out");
    }
}
