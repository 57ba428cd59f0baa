//! Cargo: the commands that tasks run, and what `cargo metadata` says of the workspace.

use std::{
    ffi::OsStr,
    io::IsTerminal,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::Result;

/// The folder of the workspace. Taken from the environment of `cargo run` first, because two checkouts may
/// share one target folder, and with it one xtask binary.
pub(crate) fn root() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let package = PathBuf::from(package);
    package.parent().map(Path::to_path_buf).unwrap_or(package)
}

/// A cargo command that runs in the root of the workspace.
pub(crate) fn cargo<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args).current_dir(root());
    command
}

/// Shows the command, runs it with our input and output, and says whether it succeeded.
pub(crate) fn succeeds(command: &mut Command) -> Result<bool> {
    show(command);
    let status = command.status().map_err(|error| format!("could not run cargo: {error}"))?;
    Ok(status.success())
}

/// Tells the person at the terminal what runs now, in a form that can be typed.
pub(crate) fn show(command: &Command) {
    let args: Vec<_> = command.get_args().map(OsStr::to_string_lossy).collect();
    eprintln!("$ cargo {}", args.join(" "));
}

/// Lets a command whose errors we read line by line keep its colors on a terminal.
pub(crate) fn keep_colors(command: &mut Command) {
    if std::env::var_os("CARGO_TERM_COLOR").is_none() && std::io::stderr().is_terminal() {
        command.env("CARGO_TERM_COLOR", "always");
    }
}

/// A crate of the workspace.
#[derive(Debug, Default)]
pub(crate) struct Package {
    pub(crate) name: String,
    /// From the root of the workspace, such as `crates/agentscope-core`.
    pub(crate) folder: PathBuf,
    /// What it is built with, by package name; dependencies of its tests alone are left out.
    pub(crate) dependencies: Vec<String>,
    pub(crate) targets: Vec<Target>,
}

#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) name: String,
    /// As cargo calls it: `lib`, `proc-macro`, `bin`, `test`, `bench`, ..
    pub(crate) kind: String,
}

impl Package {
    /// The names of its targets of one kind.
    pub(crate) fn targets(&self, kind: &str) -> impl Iterator<Item = &str> {
        self.targets.iter().filter(move |target| target.kind == kind).map(|target| target.name.as_str())
    }
}

/// The crates of the workspace, in the order of their names.
pub(crate) fn packages() -> Result<Vec<Package>> {
    let output = cargo(["metadata", "--format-version", "1", "--no-deps"])
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("could not run cargo metadata: {error}"))?;
    if !output.status.success() {
        return Err("cargo metadata failed: see above".to_owned());
    }
    let metadata: Value = serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("could not read what cargo metadata wrote: {error}"))?;
    let root = PathBuf::from(string(&metadata, "workspace_root"));
    let mut packages: Vec<_> =
        list(&metadata, "packages").map(|package| read_package(&root, package)).collect();
    packages.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(packages)
}

fn read_package(root: &Path, package: &Value) -> Package {
    let manifest = Path::new(string(package, "manifest_path"));
    let folder = manifest.parent().unwrap_or(manifest);
    Package {
        name: string(package, "name").to_owned(),
        folder: folder.strip_prefix(root).unwrap_or(folder).to_path_buf(),
        dependencies: list(package, "dependencies")
            .filter(|dependency| string(dependency, "kind") != "dev")
            .map(|dependency| string(dependency, "name").to_owned())
            .collect(),
        targets: list(package, "targets").map(read_target).collect(),
    }
}

fn read_target(target: &Value) -> Target {
    let kind = list(target, "kind").next().and_then(Value::as_str).unwrap_or_default();
    Target { name: string(target, "name").to_owned(), kind: kind.to_owned() }
}

fn string<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_read_from_metadata() {
        let package = serde_json::json!({
            "name": "agentscope-core", "manifest_path": "/w/crates/agentscope-core/Cargo.toml",
            "dependencies": [{"name": "serde", "kind": null}, {"name": "proptest", "kind": "dev"},
                             {"name": "cc", "kind": "build"}],
            "targets": [{"name": "agentscope_core", "kind": ["lib"]}, {"name": "core", "kind": ["bench"]}],
        });
        let package = read_package(Path::new("/w"), &package);
        assert_eq!(package.folder, Path::new("crates/agentscope-core"));
        assert_eq!(package.dependencies, ["serde", "cc"]);
        assert_eq!(package.targets("bench").collect::<Vec<_>>(), ["core"]);
    }
}
