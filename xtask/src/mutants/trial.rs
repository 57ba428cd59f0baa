//! The tests of some packages, run in the copy of the tree and not for ever.

use std::{
    collections::BTreeSet,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant},
};

use super::{list::Mutant, tree::Tree};
use crate::{
    Result,
    cargo::cargo,
    test::Runner,
    text::{each_line, plain},
};

/// How long the tests of one mutant may run. A single test is ended by nextest before, see its profile `mutants`.
const LIMIT: Duration = Duration::from_secs(300);

/// How long a runner that was told to end may take for it.
const GRACE: Duration = Duration::from_secs(20);

/// How much of what the compiler says is shown.
const SHOWN_LINES: usize = 30;

/// Which tests.
#[derive(Debug, PartialEq)]
pub(super) struct Scope {
    packages: BTreeSet<&'static str>,
    /// Parts of the tests' names; none for all tests.
    names: BTreeSet<&'static str>,
}

impl Scope {
    pub(super) fn of(mutant: &Mutant) -> Self {
        let Mutant { packages, tests, .. } = mutant;
        Self { packages: packages.iter().copied().collect(), names: tests.iter().copied().collect() }
    }

    pub(super) fn of_all(mutants: &[&Mutant]) -> Self {
        let packages = mutants.iter().flat_map(|mutant| mutant.packages).copied().collect();
        let all = mutants.iter().any(|mutant| mutant.tests.is_empty());
        let names = mutants.iter().flat_map(|mutant| mutant.tests).copied().filter(|_| !all).collect();
        Self { packages, names }
    }
}

#[derive(Debug, PartialEq)]
pub(super) enum Outcome {
    Passed,
    /// These tests failed.
    Failed(Vec<String>),
    /// This is what the compiler said.
    NotCompiled(String),
}

pub(super) fn run(tree: &Tree, runner: Runner, scope: &Scope) -> Result<Outcome> {
    let failed = |error| format!("could not run the tests: {error}");
    let built = command(tree, runner, scope).arg("--no-run").output().map_err(failed)?;
    if !built.status.success() {
        return Ok(Outcome::NotCompiled(last_lines(&String::from_utf8_lossy(&built.stderr))));
    }
    let mut tests = command(tree, runner, scope);
    tests.args(["--no-fail-fast", "--"]).args(&scope.names).stdout(Stdio::piped()).stderr(Stdio::piped());
    #[cfg(unix)]
    if runner != Runner::Nextest {
        // So that the test itself is ended, too; nextest does that when it is told to end.
        std::os::unix::process::CommandExt::process_group(&mut tests, 0);
    }
    let mut child = tests.spawn().map_err(failed)?;
    let lines = lines(&mut child);
    let mut names = Vec::new();
    let hung = !gather(&lines, Instant::now() + LIMIT, &mut names);
    if hung {
        terminate(&child, runner);
        gather(&lines, Instant::now() + GRACE, &mut names);
        let _ = child.kill(); // it is over already, or it does not want to be
    }
    let succeeded = child.wait().map_err(failed)?.success();
    if hung || (names.is_empty() && !succeeded) {
        let what = if hung { "hangs" } else { "the runner fails" };
        names.push(format!("no test alone: {what}"));
    }
    Ok(if names.is_empty() { Outcome::Passed } else { Outcome::Failed(names) })
}

fn command(tree: &Tree, runner: Runner, scope: &Scope) -> Command {
    let mut command = match runner {
        Runner::Nextest => cargo(["nextest", "run", "--profile", "mutants", "--no-tests=pass"]),
        Runner::Libtest | Runner::Doctests => cargo(["test", "--lib", "--bins", "--tests"]),
    };
    for package in &scope.packages {
        command.args(["--package", package]);
    }
    command.current_dir(&tree.root).stdin(Stdio::null());
    command.env("CARGO_TARGET_DIR", &tree.build).env("CARGO_TERM_COLOR", "never");
    // What a debugger reads is half of what is written here, and nobody looks.
    command.env("CARGO_PROFILE_DEV_DEBUG", "false");
    command
}

/// What the child writes, on either stream.
fn lines(child: &mut Child) -> Receiver<String> {
    let (sender, receiver) = channel();
    let (output, errors) = (child.stdout.take(), child.stderr.take());
    let of_errors = sender.clone();
    let send = |sender: std::sync::mpsc::Sender<String>| {
        move |line: &[u8]| _ = sender.send(plain(line)) // nobody listens any more after the limit
    };
    thread::spawn(move || output.map(|output| each_line(output, send(sender))));
    thread::spawn(move || errors.map(|errors| each_line(errors, send(of_errors))));
    receiver
}

/// Gathers the names of tests that fail. Says whether the output ended before the time was over.
fn gather(lines: &Receiver<String>, until: Instant, names: &mut Vec<String>) -> bool {
    loop {
        match lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                if let Some(name) = failure(&line)
                    && !names.contains(&name)
                {
                    names.push(name);
                }
            }
            Err(RecvTimeoutError::Disconnected) => return true,
            Err(RecvTimeoutError::Timeout) => return false,
        }
    }
}

/// Tells the runner to end its tests and itself.
fn terminate(child: &Child, runner: Runner) {
    let group = if runner == Runner::Nextest { "" } else { "-" };
    let _ = Command::new("kill").args(["-TERM", "--", &format!("{group}{}", child.id())]).status();
}

/// The test of which a line says that it failed, by nextest (`TIMEOUT [  60.0s] (1/9) package::it module::name`) or by libtest
/// (`test module::name ... FAILED`).
fn failure(line: &str) -> Option<String> {
    if let Some(name) = line.trim().strip_prefix("test ").and_then(|rest| rest.strip_suffix(" ... FAILED")) {
        return Some(name.to_owned());
    }
    let (status, rest) = line.trim().split_once('[')?;
    let (seconds, test) = rest.split_once(']')?;
    seconds.trim().trim_start_matches('>').strip_suffix('s')?.parse::<f64>().ok()?;
    let name = test.split_whitespace().next_back()?;
    match status.trim() {
        "TIMEOUT" => Some(format!("{name} (hangs)")),
        "FAIL" | "ABORT" | "LEAK-FAIL" => Some(name.to_owned()),
        // It was stopped because another one hung.
        "SIGTERM" => Some(format!("{name} (hangs)")),
        signal if signal.starts_with("SIG") => Some(name.to_owned()),
        _ => None,
    }
}

fn last_lines(text: &str) -> String {
    let lines: Vec<_> = text.lines().collect();
    let from = lines.len().saturating_sub(SHOWN_LINES);
    lines.get(from..).unwrap_or_default().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failing_tests_are_found_in_what_runners_write() {
        let name = |line| failure(line);
        assert_eq!(
            name("        FAIL [   0.021s] ( 5/10) agentscope-agent::it laws::law_6_x").as_deref(),
            Some("laws::law_6_x")
        );
        assert_eq!(name("  TIMEOUT [  60.004s] xtask tests::a").as_deref(), Some("tests::a (hangs)"));
        assert_eq!(name("  SIGABRT [   0.004s] (1/2) xtask tests::a").as_deref(), Some("tests::a"));
        assert_eq!(name("test laws::law_6_x ... FAILED").as_deref(), Some("laws::law_6_x"));
        for other in [
            "        PASS [   0.021s] ( 5/10) agentscope-agent::it laws::law_6_x",
            "        SLOW [> 20.000s] (─────) agentscope-agent::it laws::law_6_x",
            "  TERMINATING [> 60.000s] (─────) agentscope-agent::it laws::law_6_x",
            "     Summary [   0.5s] 3 tests run: 2 passed, 1 failed, 0 skipped",
            "test laws::law_6_x ... ok",
            "FAIL [see above] x",
        ] {
            assert_eq!(name(other), None, "{other}");
        }
    }

    #[test]
    fn all_tests_are_meant_as_soon_as_one_mutant_means_all() {
        let mutant = |packages, tests| Mutant { packages, tests, ..crate::mutants::list::EXAMPLE };
        let (one, other, all) =
            (mutant(&["a"], &["x"]), mutant(&["b", "a"], &["y", "x"]), mutant(&["a"], &[]));
        let scope = |packages: &[&'static str], names: &[&'static str]| Scope {
            packages: packages.iter().copied().collect(),
            names: names.iter().copied().collect(),
        };
        assert_eq!(Scope::of_all(&[&one, &other]), scope(&["a", "b"], &["x", "y"]));
        assert_eq!(Scope::of_all(&[&one, &all]), scope(&["a"], &[]));
        assert_eq!(Scope::of(&one), scope(&["a"], &["x"]));
    }

    #[test]
    fn output_that_does_not_end_is_left_at_the_limit() {
        let (sender, lines) = channel();
        sender.send("test a ... FAILED".to_owned()).unwrap();
        sender.send("test a ... FAILED".to_owned()).unwrap();
        let mut names = Vec::new();
        assert!(!gather(&lines, Instant::now() + Duration::from_millis(20), &mut names));
        drop(sender);
        assert!(gather(&lines, Instant::now(), &mut names));
        assert_eq!(names, ["a"]);
    }
}
