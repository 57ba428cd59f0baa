//! What each crate of ours consists of: a library, a README that shows it at work, and one integration-test
//! binary.

use std::{fs, path::Path};

use super::Finding;
use crate::cargo::Package;

pub(super) fn check(packages: &[Package], root: &Path) -> Vec<Finding> {
    packages
        .iter()
        .filter(|package| package.folder.starts_with("crates"))
        .flat_map(|package| one(package, root))
        .collect()
}

fn one(package: &Package, root: &Path) -> Vec<Finding> {
    let mut findings = Vec::new();
    let folder = package.folder.display();
    if !root.join(&package.folder).join("src/lib.rs").is_file() {
        findings.push(Finding::new(
            format!("{folder}/src/lib.rs"),
            1,
            "missing: every crate here is a library",
        ));
    }
    let readme = format!("{folder}/README.md");
    match fs::read_to_string(root.join(&readme)) {
        Err(_) => {
            let message =
                "missing: say in it what the crate is for and show an example that needs this crate only";
            findings.push(Finding::new(readme, 1, message));
        }
        Ok(text) if !shows_rust(&text) => {
            findings.push(Finding::new(
                readme,
                1,
                "has no ```rust block: show an example that needs this crate only",
            ));
        }
        Ok(_) => {}
    }
    let tests: Vec<_> = package.targets("test").collect();
    if tests.len() > 1 {
        let message = format!(
            "{} integration-test binaries ({}): make them modules of tests/it/main.rs, because each is linked anew",
            tests.len(),
            tests.join(", ")
        );
        findings.push(Finding::new(format!("{folder}/tests"), 1, message));
    }
    findings
}

/// A block such as ` ```rust ` or ` ```rust,no_run `.
fn shows_rust(readme: &str) -> bool {
    readme.lines().any(|line| {
        let language = line.trim_start().strip_prefix("```rust");
        language.is_some_and(|rest| rest.is_empty() || rest.starts_with([',', ' ']))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cargo::Target;

    fn package(folder: &str, tests: &[&str]) -> Package {
        let target = |name: &&str| Target { name: (*name).to_owned(), kind: "test".to_owned() };
        Package { folder: folder.into(), targets: tests.iter().map(target).collect(), ..Package::default() }
    }

    #[test]
    fn what_a_crate_lacks_is_found() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("crates/good/README.md", "# Good\n\n```rust,no_run\nfn main() {}\n```\n");
        write("crates/good/src/lib.rs", "");
        write("crates/mute/README.md", "# Mute\n\n```rusty\n```\n");
        write("crates/mute/src/lib.rs", "");
        let packages = [
            package("crates/good", &["it"]),
            package("crates/mute", &["it", "more"]),
            package("crates/void", &[]),
            package("xtask", &["a", "b"]),
        ];
        let findings: Vec<_> = check(&packages, root.path()).iter().map(Finding::to_string).collect();
        let starts = [
            "crates/mute/README.md:1: has no ```rust block",
            "crates/mute/tests:1: 2 integration-test binaries (it, more)",
            "crates/void/src/lib.rs:1: missing",
            "crates/void/README.md:1: missing",
        ];
        assert_eq!(findings.len(), starts.len(), "{findings:#?}");
        for (finding, start) in findings.iter().zip(starts) {
            assert!(finding.starts_with(start), "{finding}");
        }
    }
}
