//! What it costs to write a request and to read an answer in each wire format, beside serde_json on the same bytes.
//!
//! A conversation of 200 messages with tools, and an answer of 1,000 pieces. CPU time of one thread, medians of interleaved
//! rounds, and allocations. serde_json writes the same JSON from a tree that it has already, and reads each piece of the answer
//! into a tree: what any client does at the least that does not know the format. Run it with `cargo xtask bench codec`.

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on has nothing better to do")]
#![allow(clippy::indexing_slicing, reason = "as above")]

#[path = "../model/process.rs"]
#[allow(dead_code, reason = "the bench of models needs more of it")]
mod process;

mod answers;

use agentscope::{ContentBlock, ModelDelta, ModelRequest, Msg, Result, ToolCall, ToolResult, ToolSpec};
use answers::{Answer, PIECES};
use futures_util::FutureExt;
use process::{Core, cpu_us, pin};
use serde_json::{Value, json};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::{alloc::System, hint::black_box, sync::Arc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Rounds of each contender.
const ROUNDS: usize = 9;

/// Runs of a round.
const RUNS: usize = 20;

/// Messages of the conversation.
const MESSAGES: usize = 200;

fn main() {
    pin(Core::Client);
    println!(
        "{:<12} {:>9} {:>11} {:>6} {:>8} {:>8}   {:>9} {:>11} {:>6} {:>8} {:>8}",
        "",
        "write us",
        "serde_json",
        "times",
        "allocs",
        "of it",
        "read us",
        "serde_json",
        "times",
        "allocs",
        "of it"
    );
    let req = request();
    for answer in answers::all() {
        let body = answer.write(&req).unwrap();
        let tree: Value = serde_json::from_slice(&body).unwrap();
        let write = compare(
            || drop(black_box(answer.write(&req).unwrap())),
            || drop(black_box(serde_json::to_vec(&tree).unwrap())),
        );
        let frames = answer.frames();
        let said = words(&answer.read().unwrap());
        assert_eq!(said, PIECES * answers::PIECE.len(), "{} reads all of it", answer.name);
        let read = compare(
            || drop(black_box(answer.read().unwrap())),
            || {
                frames
                    .iter()
                    .for_each(|frame| drop(black_box(serde_json::from_slice::<Value>(frame).unwrap())))
            },
        );
        println!(
            "{:<12} {:>9.1} {:>11.1} {:>6.2} {:>8} {:>8}   {:>9.1} {:>11.1} {:>6.2} {:>8} {:>8}",
            answer.name,
            write[0].0,
            write[1].0,
            write[0].0 / write[1].0,
            write[0].1,
            write[1].1,
            read[0].0,
            read[1].0,
            read[0].0 / read[1].0,
            read[0].1,
            read[1].1
        );
    }
}

fn words(deltas: &[ModelDelta]) -> usize {
    let of = |delta: &ModelDelta| match delta {
        ModelDelta::Text { delta, .. } => delta.len(),
        _ => 0,
    };
    deltas.iter().map(of).sum()
}

/// A conversation in which each second answer calls two tools.
fn request() -> ModelRequest {
    let text = "Nobody said \"no\" to that.\nThe plan has four parts, and the last of them is the longest. "
        .repeat(2);
    let mut messages = vec![Msg::system("You're a helpful assistant named Friday.")];
    while messages.len() < MESSAGES {
        let n = messages.len();
        messages.push(Msg::user(text.clone()));
        let mut reply = Msg::assistant("Friday", text.clone());
        if n % 4 == 1 {
            for call in 0..2 {
                let id = format!("call_{n}_{call}");
                reply = reply
                    .with(ToolCall::new(id.as_str(), "weather", r#"{"city": "Oslo", "days": 3}"#))
                    .with(ToolResult::success(id.as_str(), "weather", "Oslo: sunny, 21 degrees"));
            }
            reply = reply.with(ContentBlock::text(text.clone()));
        }
        messages.push(reply);
    }
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}, "required": ["city"]});
    let mut req = ModelRequest::new(messages);
    req.speaker = "Friday".into();
    req.tools = (0..10)
        .map(|n| {
            Arc::new(ToolSpec::new(format!("weather_{n}"), "Tells the weather of a city.", schema.clone()))
        })
        .chain([Arc::new(ToolSpec::new("weather", "Tells the weather of a city.", schema.clone()))])
        .collect();
    req
}

/// Microseconds and allocations of both, who take turns in going first.
fn compare(here: impl Fn(), there: impl Fn()) -> [(f64, usize); 2] {
    let contenders: [&dyn Fn(); 2] = [&here, &there];
    let mut figures = [const { Vec::new() }; 2];
    for round in 0..ROUNDS {
        for at in [round % 2, (round + 1) % 2] {
            contenders[at]();
            let start = cpu_us();
            (0..RUNS).for_each(|_| contenders[at]());
            figures[at].push((cpu_us() - start) / RUNS as f64);
        }
    }
    let allocations = contenders.map(|run| {
        let region = Region::new(ALLOCATOR);
        run();
        let stats = region.change();
        stats.allocations + stats.reallocations
    });
    [0, 1].map(|at| {
        figures[at].sort_by(f64::total_cmp);
        (figures[at][ROUNDS / 2], allocations[at])
    })
}

impl Answer {
    /// The body of a request. Nothing in it has to be waited for.
    fn write(&self, req: &ModelRequest) -> Result<Vec<u8>> {
        (self.write)(req).now_or_never().unwrap()
    }

    fn read(&self) -> Result<Vec<ModelDelta>> {
        (self.read)(&self.body)
    }
}
