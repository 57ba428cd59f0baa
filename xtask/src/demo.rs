//! `cargo xtask demo`: builds a program of examples/src/bin and becomes it.

use std::{
    fs,
    io::{Write, stderr},
    path::Path,
    process::{Command, ExitCode, Stdio},
};

use crate::{
    Result,
    args::Args,
    cargo::{cargo, keep_colors, root},
    text::{each_line, nearest, plain},
};

const DEFAULT: &str = "friday";
/// The options with a value that go to the demo, which refuses those that it has not.
const OPTIONS: [&str; 5] = ["--model", "--seed", "--log", "--agents", "--rounds"];
const FOLDER: &str = "examples/src/bin";

pub(crate) fn run(mut args: Args) -> Result<ExitCode> {
    let list = args.flag("--list");
    let mut options = Vec::new();
    for name in OPTIONS {
        options.extend(args.value(name)?.into_iter().flat_map(|value| [name.to_owned(), value]));
    }
    let rest = args.rest();
    let name = args.name()?;
    let demos = find(&root().join(FOLDER))?;
    if demos.is_empty() {
        return Err(format!(
            "there is no demo yet: a demo is a program in {FOLDER}, such as {FOLDER}/{DEFAULT}.rs"
        ));
    }
    if list {
        demos.iter().for_each(|demo| println!("{:12}  {}", demo.name, demo.summary));
        return Ok(ExitCode::SUCCESS);
    }
    let name = choose(&demos, name.as_deref().unwrap_or(DEFAULT))?;
    if !build(name)? {
        return Err(format!("the demo `{name}` did not compile: see above"));
    }
    let manifest = root().join("Cargo.toml");
    let mut command = cargo(["run", "--quiet", "--package", "examples", "--bin", name, "--manifest-path"]);
    command.arg(manifest).arg("--").args(options).args(rest);
    // A demo reads files where the person is.
    command.current_dir(std::env::current_dir().unwrap_or_else(|_| root()));
    become_program(command)
}

#[derive(Debug, PartialEq)]
struct Demo {
    name: String,
    summary: String,
}

/// The demos by name: `NAME.rs` and `NAME/main.rs`.
fn find(folder: &Path) -> Result<Vec<Demo>> {
    let mut demos = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let main = if path.is_dir() { path.join("main.rs") } else { path.clone() };
        let Some(name) = path.file_stem().and_then(|name| name.to_str()) else { continue };
        if main.extension().is_some_and(|extension| extension == "rs") && main.is_file() {
            let text = fs::read_to_string(&main)
                .map_err(|error| format!("could not read {}: {error}", main.display()))?;
            demos.push(Demo { name: name.to_owned(), summary: summary(&text).to_owned() });
        }
    }
    demos.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(demos)
}

fn summary(text: &str) -> &str {
    text.lines().find_map(|line| line.strip_prefix("//!")).map_or("", str::trim)
}

fn choose<'a>(demos: &'a [Demo], name: &str) -> Result<&'a str> {
    let names = || demos.iter().map(|demo| demo.name.as_str());
    names()
        .find(|known| *known == name)
        .ok_or_else(|| format!("no demo is named `{name}`: there are {}", nearest(name, names()).join(", ")))
}

/// Builds with cargo's progress shown where there is something to build, and silent where there is not.
fn build(name: &str) -> Result<bool> {
    let mut command = cargo(["build", "--package", "examples", "--bin", name]);
    keep_colors(&mut command);
    let failed = |error| format!("could not run cargo build: {error}");
    let mut child = command.stderr(Stdio::piped()).spawn().map_err(failed)?;
    let mut announced = false;
    if let Some(stderr) = child.stderr.take() {
        each_line(stderr, |line| announced |= forward(line, announced));
    }
    Ok(child.wait().map_err(failed)?.success())
}

/// Passes a line of cargo's on, except `Finished`. Before the first that announces work it says how long that
/// takes, and returns whether it did.
fn forward(line: &[u8], announced: bool) -> bool {
    let words = plain(line);
    let starts = |verb| words.trim_start().starts_with(verb);
    let announce = !announced && ["Compiling", "Updating", "Downloading"].into_iter().any(starts);
    if announce {
        eprintln!("compiling (first time takes a minute or two) ...");
    }
    if !starts("Finished") {
        // That nobody reads it is no reason to stop building.
        let _ = stderr().write_all(line);
    }
    announce
}

/// On Unix the demo takes our place: Ctrl-C then reaches it alone, which may interrupt a reply and go on.
#[cfg(unix)]
fn become_program(mut command: Command) -> Result<ExitCode> {
    use std::os::unix::process::CommandExt;
    Err(format!("could not run the demo: {}", command.exec()))
}

#[cfg(not(unix))]
fn become_program(mut command: Command) -> Result<ExitCode> {
    let status = command.status().map_err(|error| format!("could not run the demo: {error}"))?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demo(name: &str, summary: &str) -> Demo {
        Demo { name: name.to_owned(), summary: summary.to_owned() }
    }

    #[test]
    fn demos_are_files_and_folders_with_a_main() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| fs::write(folder.path().join(path), text).unwrap();
        fs::create_dir_all(folder.path().join("hub")).unwrap();
        fs::create_dir_all(folder.path().join("empty")).unwrap();
        write("friday.rs", "//! A helpful assistant.\n//!\n//! More.\nfn main() {}\n");
        write("hub/main.rs", "#![allow(dead_code)]\n//! Three talk.\nfn main() {}\n");
        write("hub/part.rs", "");
        write("notes.md", "");
        assert_eq!(
            find(folder.path()).unwrap(),
            [demo("friday", "A helpful assistant."), demo("hub", "Three talk.")]
        );
        assert_eq!(find(&folder.path().join("missing")).unwrap(), []);
    }

    #[test]
    fn an_unknown_name_is_answered_by_the_nearest() {
        let demos = [demo("approval", ""), demo("friday", "")];
        assert_eq!(choose(&demos, "friday").unwrap(), "friday");
        assert!(choose(&demos, "fridai").unwrap_err().ends_with("there are friday, approval"));
    }
}
