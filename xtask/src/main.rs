//! The tasks of this workspace, run by `cargo xtask COMMAND`: demos, tests, lints, sweeps and benches.
//!
//! It drives cargo and depends on no other crate of the workspace, so that help and lint never wait for a
//! build.

use std::process::ExitCode;

use args::Args;

mod args;
mod bench;
mod cargo;
mod demo;
mod lint;
mod mutants;
mod peers;
mod sweep;
mod test;
mod text;
mod tidy;

/// A task fails with a sentence for the person at the terminal; nobody matches on it.
type Result<T> = std::result::Result<T, String>;

struct Task {
    name: &'static str,
    usage: &'static str,
    summary: &'static str,
    details: &'static str,
    run: fn(Args) -> Result<ExitCode>,
}

const TASKS: [Task; 7] = [
    Task {
        name: "demo",
        usage: "[NAME] [--model SPEC] [--seed N] [--list] [-- ARGS]",
        summary: "run a demo (`friday` unless named)",
        details: "A demo is a program in examples/src/bin. It needs no key and no network;\n\
                  `--model SPEC` chooses the model that it thinks with, such as `ollama:qwen3`, instead of a few rules.\n\
                  A game is the same again by its `--seed N`, and written down to FILE by `--log FILE`.\n\
                  `--list` says which demos there are. ARGS go to the demo.",
        run: demo::run,
    },
    Task {
        name: "test",
        usage: "[FILTER ..]",
        summary: "run all tests and doctests, or those whose names contain a FILTER",
        details: "Runs by `cargo nextest` where it is installed, by `cargo test` elsewhere, and ends with the line\n\
                  `N passed, N failed, N skipped`. The sweeps run with the small amount that they choose themselves.\n\
                  \n\
                  A test that needs a service has `needs_NAME` in its full name, such as `needs_python3`, and is\n\
                  skipped where the machine has no such service. With AGENTSCOPE_REQUIRE=python3,.. that is a failure.",
        run: test::run,
    },
    Task {
        name: "lint",
        usage: "[--fix]",
        summary: "check format, clippy, docs and the rules of the house; `--fix` repairs what cargo can",
        details: "Runs all of: cargo fmt, clippy and doc with warnings as errors, and tidy, which checks the graph of\n\
                  crates, file sizes, names, READMEs and the public types of core.",
        run: lint::run,
    },
    Task {
        name: "peers",
        usage: "[NAME ..] [--list]",
        summary: "run the tests that talk to programs that we did not write, or to those named",
        details: "Installs each program at one version, from npm and PyPI, into target/peers or AGENTSCOPE_PEERS_DIR, starts\n\
                  the servers on free ports of this machine and runs the tests named `needs_NAME`. `--list` says which\n\
                  there are and what they take. `test` installs the quick ones, too, where Node and python3 are there and\n\
                  the registries answer within a minute, and skips them elsewhere.",
        run: peers::run,
    },
    Task {
        name: "sweep",
        usage: "[NAME] [--n N] [--list]",
        summary: "run the long randomized checks, N rounds each (1000 unless told)",
        details: "A sweep is a test whose full name contains `sweep_`, in any crate. It reads how many rounds to do\n\
                  from AGENTSCOPE_SWEEP and chooses few where that is unset, so that `test` runs a quick sample.\n\
                  NAME picks the sweeps whose names contain it.",
        run: sweep::run,
    },
    Task {
        name: "bench",
        usage: "[NAME] [--agents N] [-- ARGS]",
        summary: "run the benches, or those of one name",
        details: "A bench is a `[[bench]]` target with `harness = false` in any crate. ARGS go to it. --agents is for \
                  `population`: how many are asked, a million if you do not say.",
        run: bench::run,
    },
    Task {
        name: "mutants",
        usage: "[NAME] [--list] [--write]",
        summary: "break each safety rule on purpose and see which test catches it",
        details: "A mutant is a change that breaks a rule, in a copy of what git tracks, under target/mutants. One that no test\n\
                  catches survives, which is a failure. NAME picks the mutants whose names contain it; `--list` says which\n\
                  there are. `--write` writes docs/mutants.md. It takes a quarter of an hour or more, and is no part of `test`.",
        run: mutants::run,
    },
];

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned());
    let outcome = match words.next().as_deref() {
        None | Some("help" | "--help" | "-h") => help(words.next().as_deref()),
        Some(name) => run(name, words.collect()),
    };
    outcome.unwrap_or_else(|message| {
        eprintln!("error: {message}");
        ExitCode::FAILURE
    })
}

fn run(name: &str, words: Vec<String>) -> Result<ExitCode> {
    let task = find(name)?;
    let args = Args::new(words);
    if args.ask_help() { help(Some(name)) } else { (task.run)(args) }
}

fn help(name: Option<&str>) -> Result<ExitCode> {
    match name {
        None => println!("{}", listing()),
        Some(name) => {
            let Task { name, usage, summary, details, .. } = find(name)?;
            println!("usage: cargo xtask {name} {usage}\n\n{summary}\n\n{details}");
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn find(name: &str) -> Result<&'static Task> {
    TASKS.iter().find(|task| task.name == name).ok_or_else(|| {
        let likely = text::meant(name, TASKS.iter().map(|task| task.name));
        let likely = likely.map(|likely| format!(", did you mean `{likely}`?")).unwrap_or_default();
        format!("no task is named `{name}`{likely}\n\n{}", listing())
    })
}

fn listing() -> String {
    let mut listing = String::from("usage: cargo xtask TASK [ARGS]\n");
    for Task { name, usage, summary, .. } in &TASKS {
        listing += &format!("\n  {name} {usage}\n      {summary}\n");
    }
    listing + "\n  help [TASK]\n      say more about one task"
}
