#![deny(dead_code)]

use agentscope_core::tool;

/// Nobody uses it.
#[tool]
async fn idle(/** A word. */ word: String) -> String {
    word
}

fn main() {}
