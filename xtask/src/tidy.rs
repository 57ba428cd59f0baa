//! The rules of the house that no compiler knows. Each is a function from what it reads to its findings.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

use crate::{Result, cargo::Package};
use tokens::Token;

mod graph;
mod layout;
mod public;
mod surface;
mod tokens;
mod words;

/// Something against the rules, where it is, and what to do.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    path: String,
    line: usize,
    message: String,
    /// It is shown and does not fail.
    pub(crate) warning: bool,
}

impl Finding {
    fn new(path: impl Into<String>, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.into(), line, message: message.into(), warning: false }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.warning { "warning: " } else { "" };
        write!(formatter, "{}:{}: {kind}{}", self.path, self.line, self.message)
    }
}

/// All findings of all rules in the workspace at `root`, by file and line.
pub(crate) fn check(root: &Path, packages: &[Package]) -> Result<Vec<Finding>> {
    let read = |path: &str| fs::read_to_string(root.join(path)).unwrap_or_default();
    let mut findings = graph::check(packages, read);
    findings.extend(graph::check_lock("Cargo.lock", &read("Cargo.lock")));
    findings.extend(layout::check(packages, root));
    let foreign = public::foreign_crates(packages);
    for source in sources(root).map_err(|error| format!("could not read the sources: {error}"))? {
        let tokens = tokens::tokens(&source.text);
        findings.extend(words::check(&source, &tokens));
        if source.is_surface_of(public::CRATE) {
            findings.extend(public::check(&source, &tokens, &foreign));
        }
    }
    findings.sort();
    findings.dedup();
    Ok(findings)
}

/// A Rust file.
struct Source {
    /// From the root, with `/` between its parts.
    path: String,
    text: String,
}

impl Source {
    /// Whether it is, by its place, nothing but tests.
    fn is_test(&self) -> bool {
        self.path.ends_with("/tests.rs") || self.path.split('/').any(|part| part == "tests")
    }

    fn is_surface_of(&self, package: &str) -> bool {
        self.path.starts_with(&format!("crates/{package}/src/")) && !self.is_test()
    }
}

/// All Rust files under `root`. Hidden folders and what cargo builds, whatever its name, are left out.
fn sources(root: &Path) -> io::Result<Vec<Source>> {
    let mut sources = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root.join(&folder))? {
            let entry = entry?;
            let path = folder.join(entry.file_name());
            let kind = entry.file_type()?;
            let hidden = entry.file_name().to_string_lossy().starts_with('.');
            let built = || path.ends_with("target") || entry.path().join("CACHEDIR.TAG").exists();
            if kind.is_dir() && !hidden && !built() {
                folders.push(path);
            } else if kind.is_file() && path.extension().is_some_and(|extension| extension == "rs") {
                let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
                sources.push(Source { path: parts.join("/"), text: fs::read_to_string(entry.path())? });
            }
        }
    }
    Ok(sources)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_rules_see_the_workspace_and_say_where() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let core = Package {
            name: "agentscope-core".to_owned(),
            folder: "crates/agentscope-core".into(),
            dependencies: vec!["tokio".to_owned(), "reqwest".to_owned()],
            ..Package::default()
        };
        write("Cargo.lock", "name = \"native-tls\"\n");
        write("crates/agentscope-core/Cargo.toml", "[dependencies]\nreqwest = \"1\"\ntokio = \"1\"\n");
        write(
            "crates/agentscope-core/src/lib.rs",
            "pub fn now() -> tokio::time::Instant {\n    todo!()\n}\n",
        );
        write("crates/agentscope-core/src/tests.rs", "pub fn now() -> tokio::time::Instant {}\n");
        write("crates/agentscope-core/target/debug/a.rs", "todo!()");
        write("crates/.hidden/a.rs", "todo!()");
        write("built/CACHEDIR.TAG", "");
        write("built/a.rs", "todo!()");
        let findings: Vec<_> = check(root.path(), &[core]).unwrap().iter().map(Finding::to_string).collect();
        let starts = [
            "Cargo.lock:1: `native-tls`",
            "crates/agentscope-core/Cargo.toml:2: core must not depend on `reqwest`",
            "crates/agentscope-core/README.md:1: missing",
            "crates/agentscope-core/src/lib.rs:1: `tokio` is named in a public signature",
            "crates/agentscope-core/src/lib.rs:2: `todo!`",
        ];
        assert_eq!(findings.len(), starts.len(), "{findings:#?}");
        for (finding, start) in findings.iter().zip(starts) {
            assert!(finding.starts_with(start), "{finding}");
        }
    }
}
