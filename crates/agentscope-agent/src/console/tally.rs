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
    // The usage is that of several calls, of which none may have been a long one.
    let price = price.map(|price| Price { long: None, ..price });
    parts.extend(price.map(|price| format!("cost {:.4}", price.cost(&usage))));
    parts.join(" · ")
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
        let price = Price::new(1.0, 2.0).cached(0.1);
        let line = spent(usage, Some(Duration::from_millis(3210)), Some(price));
        assert_eq!(line, "1.0M tokens in (400.0k cached) · 500.0k out · 3.2 s · cost 1.6400");
        assert_eq!(spent(Usage::new(999, 1), None, None), "999 tokens in · 1 out");
    }
}
