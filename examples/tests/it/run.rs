//! Running a demo.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::mpsc,
    time::Duration,
};

/// Longer than any demo takes; one that is not over by then hangs.
const LIMIT: Duration = Duration::from_secs(60);

pub(crate) const ALL: [&str; 10] = [
    "auction",
    "concurrent",
    "conversation",
    "debate",
    "group_chat",
    "guess",
    "handoff",
    "models",
    "routing",
    "werewolf",
];

/// Where cargo puts the program of a demo.
fn program(demo: &str) -> PathBuf {
    let friday = Path::new(env!("CARGO_BIN_EXE_friday"));
    friday.with_file_name(demo).with_extension(friday.extension().unwrap_or_default())
}

pub(crate) fn start(demo: &str, args: &[&str]) -> Child {
    let mut command = Command::new(program(demo));
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// Waits for its end.
pub(crate) fn end(child: Child) -> Output {
    let id = child.id();
    let (done, ended) = mpsc::channel();
    std::thread::spawn(move || done.send(child.wait_with_output()));
    ended.recv_timeout(LIMIT).unwrap_or_else(|_| panic!("process {id} does not end")).unwrap()
}

/// Runs it on this input.
pub(crate) fn run_with(demo: &str, args: &[&str], input: &[u8]) -> Output {
    let mut child = start(demo, args);
    // One that does not read it all may be gone before it is written.
    let _ = child.stdin.take().unwrap().write_all(input);
    end(child)
}

/// What it shows, when all goes well.
pub(crate) fn run(demo: &str, input: &str) -> String {
    let output = run_with(demo, &[], input.as_bytes());
    let (out, err) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr).into_owned());
    assert!(output.status.success() && err.is_empty(), "{demo}: {}\n{out}\n{err}", output.status);
    assert!(out.starts_with("(model: a few rules in examples/src/"), "{out}");
    out
}
