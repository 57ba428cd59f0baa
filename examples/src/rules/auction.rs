//! Bidders who know what a lot is worth to them, and go up to it.

use super::{Rules, give, has, last, prompt, say, wants_output};
use serde_json::json;

/// The bidders of `auction`: each bids what is asked for, as long as the lot is worth it and the purse holds it. One who is
/// reckless does not look at the purse: it is the program that does.
pub fn auction() -> Rules {
    Rules::new(file!(), |req| {
        if !wants_output(req) {
            return say("I am here to bid, and to say nothing.");
        }
        let (prompt, asked) = (prompt(req), last(req));
        let lot = asked.split_once("the ").and_then(|(_, rest)| rest.split('.').next()).unwrap_or_default();
        let worth = number_after(&prompt, &format!("{lot} "));
        let (least, purse) = (number_after(&asked, "at least "), number_after(&asked, "You have "));
        let most = if has(&prompt, &["reckless"]) { worth } else { worth.min(purse) };
        give("", json!({"coins": if least <= most { least } else { 0 }}))
    })
}

/// The number that follows these words; 0 if none does.
fn number_after(text: &str, words: &str) -> u32 {
    let rest = text.split_once(words).map_or("", |(_, rest)| rest);
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or(0)
}
