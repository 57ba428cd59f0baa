//! `cargo xtask sweep`: the long randomized checks, as long as one likes.

use std::process::{ExitCode, Stdio};

use crate::{
    Result,
    args::Args,
    cargo::show,
    test::{Runner, Session},
    text::nearest,
};

/// What makes a test a sweep, anywhere in its full name.
const MARK: &str = "sweep_";
/// Tells a sweep how many rounds to do. Unset, it does few, so that it also serves as an ordinary test.
const ROUNDS: &str = "AGENTSCOPE_SWEEP";
const DEFAULT_ROUNDS: u64 = 1000;

pub(crate) fn run(mut args: Args) -> Result<ExitCode> {
    let list = args.flag("--list");
    let rounds = rounds(args.value("--n")?.as_deref())?;
    let name = args.name()?;
    let chosen = choose(find()?, name.as_deref())?;
    if list {
        chosen.iter().for_each(|name| println!("{name}"));
        return Ok(ExitCode::SUCCESS);
    }
    let runner = Runner::installed();
    let mut command = runner.command();
    command.env(ROUNDS, rounds.to_string());
    let single = chosen.len() == 1;
    let mut filters = chosen;
    if runner == Runner::Nextest {
        command.args(["--profile", "sweep"]);
    }
    if single {
        // One alone may show what it does meanwhile.
        match runner {
            Runner::Nextest => _ = command.arg("--no-capture"),
            Runner::Libtest | Runner::Doctests => filters.push("--nocapture".to_owned()),
        }
    }
    let mut session = Session::start()?;
    session.run(runner, command, &filters)?;
    Ok(session.close())
}

fn rounds(value: Option<&str>) -> Result<u64> {
    let Some(value) = value else { return Ok(DEFAULT_ROUNDS) };
    match value.parse() {
        Ok(rounds @ 1..) => Ok(rounds),
        _ => Err(format!("--n is how many rounds to do, a number from 1, not `{value}`")),
    }
}

/// The full names of all sweeps. Asking the tests for their names compiles them.
fn find() -> Result<Vec<String>> {
    let mut command = Runner::Libtest.command();
    command.args(["--", "--list", "--format", "terse", MARK]);
    show(&command);
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("could not ask the tests for their names: {error}"))?;
    if !output.status.success() {
        return Err("the tests did not compile: see above".to_owned());
    }
    Ok(names(&String::from_utf8_lossy(&output.stdout)))
}

/// Reads libtest's list of lines `module::name: test`.
fn names(list: &str) -> Vec<String> {
    let mut names: Vec<_> =
        list.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect();
    names.sort();
    names.dedup();
    names
}

fn choose(all: Vec<String>, name: Option<&str>) -> Result<Vec<String>> {
    if all.is_empty() {
        return Err(format!("there is no sweep yet: a sweep is a test whose full name contains `{MARK}`"));
    }
    let Some(name) = name else { return Ok(all) };
    let chosen: Vec<_> = all.iter().filter(|sweep| sweep.contains(name)).cloned().collect();
    if chosen.is_empty() {
        let known = nearest(name, all.iter().map(String::as_str)).join("\n  ");
        return Err(format!("no sweep has `{name}` in its name: there are\n  {known}"));
    }
    Ok(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sweeps_are_chosen_by_a_part_of_their_name() {
        let all = || names("loop::sweep_of_interrupts: test\nsweep_kills: test\n\n2 tests, 0 benchmarks\n");
        assert_eq!(choose(all(), Some("kill")).unwrap(), ["sweep_kills"]);
        assert_eq!(choose(all(), None).unwrap(), all());
        assert!(
            choose(all(), Some("sweep_kill_9"))
                .unwrap_err()
                .ends_with("\n  sweep_kills\n  loop::sweep_of_interrupts")
        );
        assert!(choose(Vec::new(), None).is_err());
    }

    #[test]
    fn rounds_are_a_positive_number() {
        assert_eq!(rounds(None), Ok(DEFAULT_ROUNDS));
        assert_eq!(rounds(Some("7")), Ok(7));
        assert!(rounds(Some("0")).is_err() && rounds(Some("many")).is_err());
    }
}
