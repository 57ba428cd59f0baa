//! Experts who take their time.

use super::{Rules, has, prompt, say};
use std::time::Duration;

/// The experts of `concurrent`, who think for 0.3 s.
pub fn concurrent() -> Rules {
    let rules = Rules::new(file!(), |req| {
        let prompt = prompt(req);
        if has(&prompt, &["geographer"]) {
            say("It lies in the north of Europe, by the sea.")
        } else if has(&prompt, &["historian"]) {
            say("It is about a thousand years old, and has had three names.")
        } else {
            say("They eat much fish there, and brown cheese.")
        }
    });
    rules.delay(Duration::from_millis(300))
}
