//! What a model behind HTTP costs, each figure beside a bare reqwest client on the same server in the same run.
//!
//! CPU time of the client's process, which has one thread and a core of its own; the server is another process on another core.
//! Medians of interleaved rounds. Run it with `cargo xtask bench model`. With a part of the table's names behind `--`, only
//! those rows are measured; `-- profile ours turn 20000` (or `bare`) does nothing but turns, for a profiler, and
//! `-- profile stack whole 20` nothing but streams.

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on has nothing better to do")]
#![allow(clippy::indexing_slicing, clippy::panic, reason = "as above")]

mod bare;
mod ours;
mod process;
mod serving;
mod stack;

#[path = "../../../agentscope-model/tests/server/server.rs"]
mod server;

use agentscope::AgentExt;
use bare::Bare;
use ours::Ours;
use process::{Core, Part, cpu_us, peak_mb, pin};
use serving::{CHUNKS, words};
use std::{hint::black_box, time::Instant};

/// Rounds of each contender.
const ROUNDS: usize = 9;

/// Agents that are asked at once.
const CROWD: usize = 1000;

/// Messages of the long conversation.
const HISTORY: usize = 1000;

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let words: Vec<_> = arguments.iter().map(String::as_str).collect();
    match (process::part().as_deref(), words.as_slice()) {
        (Some("server"), _) => {
            process::many_connections();
            pin(Core::Server);
            serving::run();
        }
        (Some(contender), [origin]) => {
            process::many_connections();
            pin(Core::Client);
            runtime().block_on(crowd_of(contender, origin));
        }
        (None, ["profile", contender, workload, turns]) => {
            with_server(async |origin| profile(origin, contender, workload, turns.parse().unwrap()).await);
        }
        (_, names) => with_server(async |origin| table(origin, names).await),
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn with_server(run: impl AsyncFnOnce(&str)) {
    pin(Core::Client);
    let mut server = Part::start("server", &[]);
    let origin = server.line();
    runtime().block_on(run(&origin));
}

/// The base URL of a workload.
fn server_of(origin: &str, workload: &str) -> String {
    format!("{origin}/{workload}/v1")
}

async fn table(origin: &str, names: &[&str]) {
    println!(
        "{:<56} {:>11} {:>11} {:>7}   limit",
        format!("CPU time, one thread, medians of {ROUNDS} rounds"),
        "here",
        "bare reqwest",
        "times"
    );
    let wanted = |name: &str| names.is_empty() || names.contains(&name);
    if wanted("turn") {
        turns(origin, "turn", "a turn of two requests and a tool call").await;
        turns(origin, "streamed-turn", "  the same, streamed").await;
    }
    if wanted("crowd") {
        crowds(origin);
    }
    if wanted("stream") {
        streams(origin, "stream", "a stream of 10,000 chunks, each").await;
        streams(origin, "burst", "  the same, 64 KiB at once").await;
    }
    if wanted("talk") {
        talks(origin).await;
    }
    if wanted("stack") {
        stack::streams(origin).await;
    }
}

pub(crate) fn row(what: &str, here: f64, bare: f64, unit: &str, limit: &str) {
    let figure = |value: f64| format!("{value:.2} {unit}");
    println!("{what:<56} {:>11} {:>11} {:>7.2}   {limit}", figure(here), figure(bare), here / bare);
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

/// CPU time of `times` runs, in microseconds each.
async fn cost(times: usize, run: &mut impl AsyncFnMut()) -> f64 {
    let start = cpu_us();
    for _ in 0..times {
        run().await;
    }
    (cpu_us() - start) / times as f64
}

/// The medians of both, who take turns in going first.
async fn compare(times: usize, mut here: impl AsyncFnMut(), mut bare: impl AsyncFnMut()) -> (f64, f64) {
    let (mut of_here, mut of_bare) = (Vec::new(), Vec::new());
    cost(times / 4 + 1, &mut here).await; // warm
    cost(times / 4 + 1, &mut bare).await;
    for round in 0..ROUNDS {
        if round % 2 == 0 {
            of_bare.push(cost(times, &mut bare).await);
            of_here.push(cost(times, &mut here).await);
        } else {
            of_here.push(cost(times, &mut here).await);
            of_bare.push(cost(times, &mut bare).await);
        }
    }
    (median(of_here), median(of_bare))
}

async fn turns(origin: &str, workload: &str, what: &str) {
    let (ours, bare) = (Ours::new(origin, workload), Bare::new(origin, workload));
    let streams = workload != "turn";
    assert_eq!(ours.turn().await, bare.turn(streams).await, "both are told the same");
    let (here, bare) = compare(
        1000,
        async || {
            black_box(ours.turn().await);
        },
        async || {
            black_box(bare.turn(streams).await);
        },
    )
    .await;
    row(what, here, bare, "us", "1.5 times, aim 1.25");
}

async fn streams(origin: &str, workload: &str, what: &str) {
    let (ours, bare) = (Ours::new(origin, workload), Bare::new(origin, workload));
    let (_, bytes) = bare.stream().await;
    let (mut most, mut least) = (0, usize::MAX);
    let (here, bare) = compare(
        3,
        async || {
            let (pieces, seen) = ours.stream().await;
            assert_eq!(seen, bytes, "both are told the same");
            (most, least) = (pieces.max(most), pieces.min(least));
        },
        async || {
            black_box(bare.stream().await);
        },
    )
    .await;
    let what = format!("{what} ({least} to {most} seen)");
    row(&what, here / CHUNKS as f64, bare / CHUNKS as f64, "us", "1.5 times");
}

/// Each crowd is a process of its own, so that its peak of memory is its own.
fn crowds(origin: &str) {
    let names = ["crowd-ours", "crowd-bare"];
    let mut figures = [const { Vec::new() }; 2];
    for _ in 0..ROUNDS {
        for (name, figures) in names.iter().zip(&mut figures) {
            let line = Part::start(name, &[origin]).line();
            let [cpu, wall, peak] = line
                .split(' ')
                .map(|figure| figure.parse().unwrap())
                .collect::<Vec<f64>>()
                .try_into()
                .unwrap();
            figures.push((cpu, wall, peak));
        }
    }
    let of = |at: usize, which: fn(&(f64, f64, f64)) -> f64| median(figures[at].iter().map(which).collect());
    let both = |which| (of(0, which), of(1, which));
    let (here, bare) = both(|it| it.0 / 1e3);
    row("1,000 agents at once, 3 steps each, 100 ms an answer", here, bare, "ms", "2 times");
    let (here, bare) = both(|it| it.1);
    row("  wall, 300 ms at the least", here, bare, "ms", "-");
    let (here, bare) = both(|it| it.2);
    row("  peak memory of the process", here, bare, "MB", "60 MB");
}

async fn crowd_of(contender: &str, origin: &str) {
    let (start, clock) = (cpu_us(), Instant::now());
    match contender {
        "crowd-ours" => Ours::new(origin, "crowd").crowd(CROWD).await,
        _ => Bare::new(origin, "crowd").crowd(CROWD).await,
    }
    println!("{} {} {}", cpu_us() - start, clock.elapsed().as_millis(), peak_mb());
}

/// A turn in a long conversation less one in a new conversation, for each message of the history.
async fn talks(origin: &str) {
    const TURNS: usize = 10;
    let (ours, bare) = (Ours::new(origin, "talk"), Bare::new(origin, "talk"));
    let (here, mut there) = (ours.session(), bare.talk());
    let mut lengths = (100..=250).step_by(7).cycle().map(words);
    let mut text = || lengths.next().unwrap_or_default();
    for _ in 0..HISTORY / 2 {
        here.reply(text()).await.unwrap();
        there.say(text()).await;
    }
    let mut figures = [const { Vec::new() }; 4];
    for round in 0..ROUNDS {
        // Both conversations grow, so each turn is counted by the messages that it had before it.
        let messages = (HISTORY + 2 * TURNS * round + TURNS) as f64;
        let new = cost(TURNS, &mut async || drop(ours.session().reply(text()).await.unwrap())).await;
        let long = cost(TURNS, &mut async || drop(here.reply(text()).await.unwrap())).await;
        figures[0].push((long - new) / messages);
        figures[2].push(new);
        let new = cost(TURNS, &mut async || bare.talk().say(text()).await).await;
        let long = cost(TURNS, &mut async || there.say(text()).await).await;
        figures[1].push((long - new) / messages);
        figures[3].push(new);
    }
    let [here, bare, new_here, new_bare] = figures.map(median);
    row("the 1,000th message, each message of the history", here, bare, "us", "0.4 us");
    row("  the first message of a conversation", new_here, new_bare, "us", "-");
}

/// Nothing but one workload, and no look at the clock, which valgrind does not bear.
async fn profile(origin: &str, contender: &str, workload: &str, times: usize) {
    if contender == "stack" {
        return stack::profile(origin, workload, times).await;
    }
    let (ours, bare) = (Ours::new(origin, workload), Bare::new(origin, workload));
    for _ in 0..times {
        match (contender, workload) {
            ("ours", "stream" | "burst") => assert!(ours.stream().await.1 > 0),
            (_, "stream" | "burst") => assert!(bare.stream().await.1 > 0),
            ("ours", _) => assert!(ours.turn().await.1 > 0),
            _ => assert!(bare.turn(workload != "turn").await.1 > 0),
        }
    }
}
