//! `cargo xtask test`: all tests and doctests, added up into one closing line.

use std::{
    io::{Read, Write, stderr, stdout},
    process::{Command, ExitCode, Stdio},
    thread,
};

use crate::{
    Result,
    args::Args,
    cargo::{cargo, keep_colors, show},
    text::{each_line, plain},
};
use services::Services;
pub(crate) use services::{Running, Service};
use totals::Totals;

mod services;
mod totals;

pub(crate) fn run(args: Args) -> Result<ExitCode> {
    let filters = args.names(usize::MAX)?;
    let mut session = Session::start()?;
    let runner = Runner::installed();
    if session.run(runner, runner.command(), &filters)? {
        session.run(Runner::Doctests, Runner::Doctests.command(), &filters)?;
    } else {
        session.notes.push("not run: the doctests, because the tests did not compile".to_owned());
    }
    Ok(session.close())
}

/// A program that runs tests and closes with their totals.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Runner {
    /// Each test in a process of its own, all crates in parallel; no doctests.
    Nextest,
    Libtest,
    Doctests,
}

impl Runner {
    /// The better one that the machine has.
    pub(crate) fn installed() -> Self {
        let mut nextest = cargo(["nextest", "--version"]);
        let status = nextest.stdout(Stdio::null()).stderr(Stdio::null()).status();
        if status.is_ok_and(|status| status.success()) { Self::Nextest } else { Self::Libtest }
    }

    /// Its command for the whole workspace, which goes on after a failure.
    pub(crate) fn command(self) -> Command {
        match self {
            Self::Nextest => cargo(["nextest", "run", "--workspace", "--no-fail-fast", "--no-tests=pass"]),
            Self::Libtest => {
                let mut command = cargo(["test", "--workspace", "--no-fail-fast"]);
                command.args(["--lib", "--bins", "--tests", "--examples"]);
                command
            }
            Self::Doctests => cargo(["test", "--workspace", "--no-fail-fast", "--doc"]),
        }
    }

    /// Its command for one integration-test binary.
    pub(crate) fn command_of(self, package: &str, test: &str) -> Command {
        let mut command = match self {
            Self::Nextest => cargo(["nextest", "run", "--no-fail-fast", "--no-tests=pass"]),
            Self::Libtest | Self::Doctests => cargo(["test", "--no-fail-fast"]),
        };
        command.args(["--package", package, "--test", test]);
        command
    }

    fn totals(self, line: &str) -> Option<Totals> {
        match self {
            Self::Nextest => Totals::of_nextest(line),
            Self::Libtest | Self::Doctests => Totals::of_libtest(line),
        }
    }
}

/// One run of tests: the services that they use, and what came of it so far.
pub(crate) struct Session {
    services: Services,
    totals: Totals,
    /// What was not run and why, for the summary.
    notes: Vec<String>,
}

impl Session {
    /// Starts the services. Those named in `AGENTSCOPE_REQUIRE` count as a failure where they are missing.
    pub(crate) fn start() -> Result<Self> {
        let required = std::env::var("AGENTSCOPE_REQUIRE").unwrap_or_default();
        Ok(Self::of(Services::start(&required)?))
    }

    /// Starts these services, all of which count as a failure where they are missing.
    pub(crate) fn with(services: &[Service]) -> Self {
        let names: Vec<_> = services.iter().map(|service| service.name).collect();
        Self::of(Services::start_these(services, &names))
    }

    fn of(services: Services) -> Self {
        Self { totals: services.totals(), notes: services.notes(), services }
    }

    /// Runs a command of `runner`'s on the tests whose names contain one of `filters` (all where there is
    /// none), shows its output as it comes and adds its totals. Returns whether the tests compiled.
    pub(crate) fn run(&mut self, runner: Runner, mut command: Command, filters: &[String]) -> Result<bool> {
        self.services.tell(&mut command);
        let skips = self.services.skips();
        if !skips.is_empty() || !filters.is_empty() {
            command.arg("--").args(skips).args(filters);
        }
        keep_colors(&mut command);
        show(&command);
        let (succeeded, totals) = count(&mut command, (stdout(), stderr()), |line| runner.totals(line))?;
        let compiled = succeeded || totals.is_some();
        let mut totals = totals.unwrap_or_default();
        if !filters.is_empty() {
            // The runner counts what the filters leave out as skipped, but nobody asked for it.
            totals.skipped = 0;
        }
        if !succeeded && totals.failed == 0 {
            // It did not compile, or the runner itself failed: one failure that no total tells of.
            totals.failed = 1;
        }
        self.totals += totals;
        Ok(compiled)
    }

    /// Stops the services, and ends with what was not run and the closing line.
    pub(crate) fn close(self) -> ExitCode {
        let Self { services, totals, mut notes } = self;
        drop(services);
        let ran = totals.passed + totals.failed > 0;
        if !ran {
            notes.push("no test ran, which counts as a failure: is the name right?".to_owned());
        }
        eprintln!();
        notes.iter().for_each(|note| eprintln!("{note}"));
        println!("{totals}");
        if ran && totals.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// Runs a command with its output passed on. Returns whether it succeeded, and the sum of the totals that it
/// wrote.
fn count(
    command: &mut Command,
    (output, errors): (impl Write + Send, impl Write),
    parse: impl Fn(&str) -> Option<Totals> + Sync,
) -> Result<(bool, Option<Totals>)> {
    let failed = |error| format!("could not run the tests: {error}");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(failed)?;
    let (child_output, child_errors) = (child.stdout.take(), child.stderr.take());
    let totals = thread::scope(|scope| {
        let of_output = scope.spawn(|| pass_on(child_output, output, &parse));
        let of_errors = pass_on(child_errors, errors, &parse);
        of_output.join().unwrap_or_default().into_iter().chain(of_errors).reduce(|sum, totals| sum + totals)
    });
    Ok((child.wait().map_err(failed)?.success(), totals))
}

fn pass_on(
    from: Option<impl Read>,
    mut to: impl Write,
    parse: impl Fn(&str) -> Option<Totals>,
) -> Option<Totals> {
    let mut sum: Option<Totals> = None;
    each_line(from?, |line| {
        // That nobody reads it is no reason to stop the tests.
        let _ = to.write_all(line).and_then(|()| to.flush());
        if let Some(totals) = parse(&plain(line)) {
            sum = Some(sum.unwrap_or_default() + totals);
        }
    });
    sum
}

#[cfg(test)]
mod tests {
    use std::io::sink;

    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn output_is_passed_on_and_its_totals_are_added() {
        let line =
            "test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.00s";
        let mut command = shell(&format!("echo '{line}'; echo '{line}' >&2; echo more >&2; exit 3"));
        let (mut output, mut errors) = (Vec::new(), Vec::new());
        let (succeeded, totals) =
            count(&mut command, (&mut output, &mut errors), Totals::of_libtest).unwrap();
        assert!(!succeeded);
        assert_eq!(totals, Some(Totals { passed: 4, failed: 0, skipped: 8 }));
        assert_eq!(String::from_utf8(output).unwrap(), format!("{line}\n"));
        assert_eq!(String::from_utf8(errors).unwrap(), format!("{line}\nmore\n"));
    }

    #[test]
    fn what_does_not_compile_has_no_totals() {
        let mut command = shell("echo 'error: could not compile `probe`' >&2; exit 101");
        let counted = count(&mut command, (sink(), sink()), Totals::of_nextest);
        assert_eq!(counted.unwrap(), (false, None));
    }
}
