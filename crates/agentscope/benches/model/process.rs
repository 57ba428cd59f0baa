//! Processes of the bench: the server and each crowd have one of their own, this program started again.

use rustix::{
    process::{Resource, Rlimit, getrlimit, setrlimit},
    thread::{CpuSet, sched_setaffinity},
    time::{ClockId, clock_gettime},
};
use std::{
    env, fs,
    io::{BufRead, BufReader},
    process::{Child, ChildStdin, Command, Stdio},
};

/// Says to a process of this program what it is to be.
const PART: &str = "AGENTSCOPE_BENCH_PART";

/// What this process is to be; nothing is the bench itself.
pub(crate) fn part() -> Option<String> {
    env::var(PART).ok()
}

/// A process that plays a part until this value ends.
pub(crate) struct Part {
    child: Child,
    /// Its closing tells the process to end.
    input: Option<ChildStdin>,
    output: BufReader<std::process::ChildStdout>,
}

impl Part {
    pub(crate) fn start(part: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(arguments).env(PART, part).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, input, output }
    }

    /// The next line that it prints.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        drop(self.input.take());
        drop(self.child.wait());
    }
}

/// Which core a process is for.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Core {
    Client,
    Server,
}

/// Keeps this process on its core, so that neither side takes the other's time. With one core there is nothing to do.
pub(crate) fn pin(core: Core) {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut set = CpuSet::new();
    set.set(if core == Core::Client { 0 } else { cores - 1 });
    if sched_setaffinity(None, &set).is_err() {
        eprintln!("cannot pin this process to a core: the figures will vary more");
    }
}

/// Lets this process have as many connections as it may.
pub(crate) fn many_connections() {
    let limit = getrlimit(Resource::Nofile);
    if setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).is_err() {
        eprintln!("this process may have {:?} connections: the crowd may want more", limit.current);
    }
}

/// CPU time of this process so far, in microseconds.
pub(crate) fn cpu_us() -> f64 {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    now.tv_sec as f64 * 1e6 + now.tv_nsec as f64 / 1e3
}

/// Most memory that this process has had, in MB.
pub(crate) fn peak_mb() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").trim().parse::<f64>().ok());
    kilobytes.map_or(f64::NAN, |kilobytes| kilobytes * 1024.0 / 1e6)
}
