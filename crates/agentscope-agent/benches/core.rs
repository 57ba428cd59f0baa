//! What the core costs, each figure beside the least that tokio alone could do in the same run.
//!
//! CPU time of the process and bytes of a counting allocator, medians of several rounds. Run it with `cargo xtask bench core`.

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on has nothing better to do")]

use agentscope_agent::ReActAgent;
use agentscope_core::{
    AgentExt, ChatModel, Context, FinishReason, ModelCard, ModelDelta, ModelRequest, ModelStream, model_fn,
};
use futures_util::{StreamExt, stream};
use rustix::time::{ClockId, clock_gettime};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::{alloc::System, hint::black_box, sync::Arc};
use tokio::sync::{Semaphore, mpsc, oneshot};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const ROUNDS: usize = 7;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    println!(
        "{:<58} {:>12} {:>12} {:>10}",
        "medians of 7 rounds, one thread", "here", "tokio alone", "limit"
    );
    idle();
    runtime.block_on(async {
        replies().await;
        in_flight().await;
        chunks().await;
        arguments().await;
    });
}

/// CPU time of this process so far, in microseconds.
fn cpu_us() -> f64 {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    now.tv_sec as f64 * 1e6 + now.tv_nsec as f64 / 1e3
}

fn live_bytes(region: &Region<'_, System>) -> f64 {
    let change = region.change();
    change.bytes_allocated as f64 - change.bytes_deallocated as f64
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

fn row(what: &str, here: f64, bare: Option<f64>, unit: &str, limit: &str) {
    let bare = bare.map_or_else(|| "-".to_owned(), |bare| format!("{bare:.2} {unit}"));
    println!("{what:<58} {:>12} {bare:>12} {limit:>10}", format!("{here:.2} {unit}"));
}

fn parrot() -> ReActAgent {
    ReActAgent::new("Parrot", model_fn(ModelCard::new("parrot"), |_| async { Ok("hello") }))
        .prompt("Say hello.")
}

fn idle() {
    const N: usize = 100_000;
    let agent = parrot();
    let (mut bytes, mut time) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let mut all = Vec::with_capacity(N);
        let region = Region::new(ALLOCATOR);
        let start = cpu_us();
        for n in 0..N {
            all.push(agent.session(agentscope_core::SessionKey::new(n.to_string())));
        }
        time.push((cpu_us() - start) / N as f64);
        bytes.push(live_bytes(&region) / N as f64 + size_of::<ReActAgent>() as f64);
        drop(black_box(all));
    }
    row("an idle agent, one shared configuration: memory", median(bytes), None, "B", "1024 B");
    row("an idle agent: creating it", median(time), None, "us", "5 us");
}

async fn replies() {
    const N: usize = 20_000;
    let agent = parrot();
    let (mut here, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let sessions: Vec<_> =
            (0..N).map(|n| agent.session(agentscope_core::SessionKey::new(n.to_string()))).collect();
        let start = cpu_us();
        for session in &sessions {
            black_box(session.reply("hi").await.unwrap());
        }
        here.push((cpu_us() - start) / N as f64);
        let start = cpu_us();
        for _ in 0..N {
            let (answer, answered) = oneshot::channel();
            tokio::spawn(async move { answer.send("hello".to_owned()) });
            black_box(answered.await.unwrap());
        }
        bare.push((cpu_us() - start) / N as f64);
    }
    row(
        "a reply of a model_fn agent: CPU (a task and its answer)",
        median(here),
        Some(median(bare)),
        "us",
        "16 us",
    );
}

/// A model that answers when the gate opens.
fn gated(gate: &Arc<Semaphore>) -> ReActAgent {
    let gate = Arc::clone(gate);
    let model = model_fn(ModelCard::new("gated"), move |_| {
        let gate = Arc::clone(&gate);
        async move {
            let _pass = gate.acquire().await;
            Ok("hello")
        }
    });
    ReActAgent::new("Gated", model).prompt("Say hello.")
}

async fn in_flight() {
    const N: usize = 10_000;
    let (mut here, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let gate = Arc::new(Semaphore::new(0));
        let agent = gated(&gate);
        let sessions: Vec<_> =
            (0..N).map(|n| agent.session(agentscope_core::SessionKey::new(n.to_string()))).collect();
        let mut replies = Vec::with_capacity(N);
        let region = Region::new(ALLOCATOR);
        replies.extend(sessions.iter().map(|session| session.reply("hi").stream().start()));
        while agent_is_idle(&sessions) {
            tokio::task::yield_now().await;
        }
        for _ in 0..3 {
            tokio::task::yield_now().await; // until all wait in the model
        }
        here.push(live_bytes(&region) / N as f64);
        gate.add_permits(N);
        for reply in replies {
            black_box(reply.await.unwrap());
        }
        let gate = Arc::new(Semaphore::new(0));
        let region = Region::new(ALLOCATOR);
        let tasks: Vec<_> = (0..N)
            .map(|_| {
                let gate = Arc::clone(&gate);
                tokio::spawn(async move { drop(gate.acquire().await) })
            })
            .collect();
        tokio::task::yield_now().await;
        bare.push(live_bytes(&region) / N as f64);
        gate.add_permits(N);
        for task in tasks {
            task.await.unwrap();
        }
    }
    row("a reply in flight: memory (a task that waits)", median(here), Some(median(bare)), "B", "6144 B");
}

fn agent_is_idle(sessions: &[ReActAgent]) -> bool {
    sessions.last().is_none_or(|session| session.mailbox().waiting() == 0)
}

/// A model that streams so many pieces.
struct Streaming {
    card: ModelCard,
    piece: Arc<dyn Fn(usize) -> ModelDelta + Send + Sync>,
    pieces: usize,
}

impl ChatModel for Streaming {
    fn card(&self) -> &ModelCard {
        &self.card
    }
    fn call(&self, _: ModelRequest, _: Context) -> ModelStream {
        let piece = Arc::clone(&self.piece);
        let end = stream::iter([Ok(ModelDelta::Finish { reason: FinishReason::Stop })]);
        let pieces = stream::iter(0..self.pieces).then(move |n| {
            let delta = piece(n);
            async move {
                tokio::task::yield_now().await; // each piece comes alone, as from a network
                Ok(delta)
            }
        });
        Box::pin(pieces.chain(end))
    }
}

async fn chunks() {
    const N: usize = 50_000;
    let model = Streaming {
        card: ModelCard::new("stream"),
        piece: Arc::new(|_| ModelDelta::text("word ")),
        pieces: N,
    };
    let agent = ReActAgent::new("Streamer", model);
    let (mut here, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let mut events = agent.session("one").reply("go").stream();
        let start = cpu_us();
        let mut seen = 0;
        while let Some(event) = events.next().await {
            black_box(event.unwrap());
            seen += 1;
        }
        here.push((cpu_us() - start) / N as f64);
        assert!(seen > N / 2, "only {seen} events: the reader has to see the pieces one by one");
        let start = cpu_us();
        let (send, mut receive) = mpsc::channel(64);
        tokio::spawn(async move {
            for _ in 0..N {
                tokio::task::yield_now().await;
                send.send("word ".to_owned()).await.unwrap();
            }
        });
        let mut text = String::new();
        while let Some(piece) = receive.recv().await {
            text.push_str(&piece);
        }
        black_box(text);
        bare.push((cpu_us() - start) / N as f64);
    }
    row("a streamed chunk, model to reader: CPU (a channel)", median(here), Some(median(bare)), "us", "2 us");
}

async fn arguments() {
    let mut figures = Vec::new();
    for deltas in [5_000, 10_000, 20_000] {
        let text = Arc::new(format!("{{\"text\":\"{}\"}}", "x".repeat(deltas * 52 - 11)));
        let piece = move |n: usize| {
            let delta = text.get(n * 52..((n + 1) * 52).min(text.len())).unwrap_or_default();
            ModelDelta::tool_call(0, "c1", "nothing", delta)
        };
        let model = Streaming { card: ModelCard::new("arguments"), piece: Arc::new(piece), pieces: deltas };
        let agent = ReActAgent::new("Caller", model).max_iters(1);
        let mut times = Vec::new();
        for _ in 0..3 {
            let mut events = agent.session("one").reply("go").stream();
            let start = cpu_us();
            while let Some(event) = events.next().await {
                if let agentscope_core::EventKind::ModelEnd { .. } = black_box(event.unwrap()).kind {
                    break;
                }
            }
            times.push(cpu_us() - start);
        }
        figures.push(median(times));
    }
    if let [quarter, half, whole] = figures.as_slice() {
        row("tool arguments of 1 MB in 20,000 deltas: CPU", whole / 1e3, None, "ms", "linear");
        row("  four times the deltas cost", whole / quarter, None, "times", "~4");
        row("  twice the deltas cost", whole / half, None, "times", "~2");
    }
}
