//! How many tokens a text has, without the tables of a tokenizer.

/// How many tokens a text has, roughly.
pub fn estimate_tokens(text: &str) -> u64 {
    text.len() as u64 / 4
}
