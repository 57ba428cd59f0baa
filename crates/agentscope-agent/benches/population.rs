//! What a million agents cost, each asked twice and told once, beside as many bare tokio tasks that wait as long.
//!
//! Each contender is a process of its own with two worker threads. A question is answered by a random number after one second of
//! waiting; the average of all answers is told to all by one shared message, and they are asked again. Run it with
//! `cargo xtask bench population`, with `-- --agents 10000` for fewer.

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on has nothing better to do")]

use agentscope_core::{Agent, AgentExt, FnAgent, Msg, RunningReply, agent_fn};
use futures_util::future::join_all;
use rustix::time::{ClockId, clock_gettime};
use std::{
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

/// As a program is built that has very many small pieces: with the allocator of glibc all of this takes three times as long.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Says to a process of this program what it is to be; nothing is the bench itself.
const PART: &str = "AGENTSCOPE_BENCH_PART";

/// Large pages, and memory is not given back between two rounds: otherwise more than half of the time is the kernel's, which
/// gives 5 GB out in pages of 4 KB, twice.
const ALLOCATOR_SETTINGS: [(&str, &str); 2] =
    [("MIMALLOC_ALLOW_LARGE_OS_PAGES", "1"), ("MIMALLOC_PURGE_DELAY", "-1")];

/// As many as in the paper.
const AGENTS: usize = 1_000_000;

/// Threads, and crowds that are asked side by side.
const CORES: usize = 2;

/// How long everybody thinks.
const THOUGHT: Duration = Duration::from_secs(1);

fn main() {
    let agents = agents(std::env::args().skip(1));
    match std::env::var(PART).as_deref() {
        Ok("agents") => runtime().block_on(ours(agents)),
        Ok(_) => runtime().block_on(bare(agents)),
        Err(_) => {
            println!("{agents} agents, {CORES} threads, each thinks for {THOUGHT:?} when asked");
            println!("{:<44} {:>9} {:>9} {:>9}", "", "wall s", "CPU s", "peak MB");
            for part in ["agents", "tasks"] {
                let mut process = Command::new(std::env::current_exe().unwrap());
                process.args(["--agents", &agents.to_string()]).env(PART, part).envs(ALLOCATOR_SETTINGS);
                let status = process.status();
                assert!(status.unwrap().success());
            }
        }
    }
}

/// CPU time of this process so far, in microseconds.
fn cpu_us() -> f64 {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    now.tv_sec as f64 * 1e6 + now.tv_nsec as f64 / 1e3
}

/// Most memory that this process has had, in MB.
fn peak_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").trim().parse::<f64>().ok());
    kilobytes.map_or(f64::NAN, |kilobytes| kilobytes * 1024.0 / 1e6)
}

/// `--agents N` or `--agents=N`; what else cargo passes is nothing to us.
fn agents(mut arguments: impl Iterator<Item = String>) -> usize {
    while let Some(argument) = arguments.next() {
        let value = match argument.split_once('=') {
            Some(("--agents", value)) => Some(value.to_owned()),
            _ if argument == "--agents" => arguments.next(),
            _ => continue,
        };
        let number = value.and_then(|value| value.replace('_', "").parse().ok()).filter(|agents| *agents > 0);
        let Some(number) = number else {
            eprintln!("--agents needs a number, such as `--agents 10000`");
            std::process::exit(2);
        };
        return number;
    }
    AGENTS
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(CORES).enable_all().build().unwrap()
}

/// Prints what each phase took.
struct Phases {
    start: (Instant, f64),
    last: (Instant, f64),
}

impl Phases {
    fn new() -> Self {
        let now = (Instant::now(), cpu_us());
        Self { start: now, last: now }
    }

    fn over(&mut self, what: &str) {
        Self::print(&format!("  {what}"), self.last);
        self.last = (Instant::now(), cpu_us());
    }

    fn end(self, what: &str) {
        Self::print(what, self.start);
    }

    fn print(what: &str, since: (Instant, f64)) {
        let (wall, cpu) = (since.0.elapsed().as_secs_f64(), (cpu_us() - since.1) / 1e6);
        println!("{what:<44} {wall:>9.2} {cpu:>9.2} {:>9.0}", peak_mb());
    }
}

/// Uniform from 0 to 100, of a number that is nobody else's.
fn draw(seed: u64) -> f64 {
    let mixed = (seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64 * 100.0
}

/// Runs `work` for each share of the crowd at the same time, and gives the results in order.
async fn shares<T: Send + 'static, R: Send + 'static, Fut: Future<Output = R> + Send + 'static>(
    items: Vec<T>,
    work: impl Fn(T) -> Fut,
) -> Vec<R> {
    let tasks = items.into_iter().map(|item| tokio::spawn(work(item)));
    join_all(tasks).await.into_iter().map(Result::unwrap).collect()
}

fn player(number: u64) -> FnAgent {
    agent_fn(format!("Player {number}"), move |heard, _| async move {
        tokio::time::sleep(THOUGHT).await;
        let told: f64 = heard.first().and_then(|msg| msg.text().parse().ok()).unwrap_or(100.0);
        Ok(Msg::assistant("Player", (draw(number) / 100.0 * told).to_string()))
    })
}

async fn ours(agents: usize) {
    let mut phases = Phases::new();
    let share = agents.div_ceil(CORES) as u64;
    let ranges = (0..CORES as u64).map(|at| at * share..((at + 1) * share).min(agents as u64)).collect();
    let crowds = shares(ranges, |range| async move { Arc::new(range.map(player).collect::<Vec<_>>()) }).await;
    phases.over("create");
    let average = round(&crowds, &mut phases).await;
    let told = Arc::new(Msg::user(average.to_string()).named("Moderator"));
    shares(crowds.clone(), |crowd| {
        let told = Arc::clone(&told);
        async move {
            for agent in &*crowd {
                agent.observe(vec![Arc::clone(&told)]).await.unwrap();
            }
        }
    })
    .await;
    phases.over("tell all the average, one message");
    let second = round(&crowds, &mut phases).await;
    assert!(second < average, "they heard the average: {second} after {average}");
    drop(crowds);
    phases.over("drop");
    phases.end("a million agents here, in all");
}

/// Asks all, and gives the average of their answers.
async fn round(crowds: &[Arc<Vec<FnAgent>>], phases: &mut Phases) -> f64 {
    let question = Arc::new(Msg::user("Your number?").named("Moderator"));
    let replies = shares(crowds.to_vec(), |crowd| {
        let question = Arc::clone(&question);
        async move { crowd.iter().map(|agent| agent.reply(&question).start()).collect::<Vec<_>>() }
    })
    .await;
    phases.over("ask all");
    let count: usize = crowds.iter().map(|crowd| crowd.len()).sum();
    let sums = shares(replies, |replies: Vec<RunningReply>| async move {
        let mut sum = 0.0;
        for reply in replies {
            sum += reply.await.unwrap().text().parse::<f64>().unwrap();
        }
        sum
    })
    .await;
    phases.over("gather all answers");
    sums.iter().sum::<f64>() / count as f64
}

/// The least: a task that waits and draws a number, twice each.
async fn bare(agents: usize) {
    let mut phases = Phases::new();
    let share = agents.div_ceil(CORES) as u64;
    for _ in 0..2 {
        let ranges: Vec<_> =
            (0..CORES as u64).map(|at| at * share..((at + 1) * share).min(agents as u64)).collect();
        let tasks = shares(ranges, |range| async move {
            let task = |number| {
                tokio::spawn(async move {
                    tokio::time::sleep(THOUGHT).await;
                    draw(number)
                })
            };
            range.map(task).collect::<Vec<_>>()
        })
        .await;
        phases.over("ask all");
        let sums = shares(tasks, |tasks| async move {
            let mut sum = 0.0;
            for task in tasks {
                sum += task.await.unwrap();
            }
            sum
        })
        .await;
        assert!(sums.iter().sum::<f64>() > 0.0);
        phases.over("gather all answers");
    }
    phases.end("bare tokio tasks, in all");
}
