//! The crates form a star: a leaf knows core, and only the facade and the server know several leaves.

use super::Finding;
use crate::cargo::Package;

/// See all leaves, because joining them is what they are for.
const JOINTS: [&str; 2] = ["agentscope", "agentscope-serve"];

/// What any other crate of ours may build on.
const CENTER: [&str; 3] = ["agentscope-core", "agentscope-macros", "agentscope-net"];

/// What core may be built with. Each of these is in every user's build, so a new one is argued in
/// ARCHITECTURE.md.
const CORE: [&str; 12] = [
    "agentscope-macros",
    "async-trait",
    "bytes",
    "chrono",
    "futures-core",
    "futures-util",
    "getrandom",
    "schemars",
    "serde",
    "serde_json",
    "tokio",
    "uuid",
];

/// TLS libraries that need a C toolchain or the machine's own, so that a build on a fresh machine would fail.
const BANNED: [&str; 3] = ["aws-lc-sys", "openssl-sys", "native-tls"];

/// `read` gives the text of a manifest, for its lines.
pub(super) fn check(packages: &[Package], read: impl Fn(&str) -> String) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in packages {
        let path = format!("{}/Cargo.toml", package.folder.display());
        let manifest = read(&path);
        for dependency in &package.dependencies {
            let ours = packages.iter().any(|package| package.name == *dependency);
            if let Some(message) = wrong(&package.name, dependency, ours) {
                findings.push(Finding::new(&path, line_of(&manifest, dependency), message));
            }
        }
    }
    findings
}

fn wrong(package: &str, dependency: &str, ours: bool) -> Option<String> {
    match package {
        _ if JOINTS.contains(&package) => None,
        "agentscope-core" => (!CORE.contains(&dependency)).then(|| {
            format!("core must not depend on `{dependency}`: do without, or argue it and add it to xtask/src/tidy/graph.rs")
        }),
        _ if !ours => None,
        "examples" => (dependency != "agentscope")
            .then(|| format!("examples import the facade only: use what `agentscope` exports of `{dependency}`")),
        "xtask" => Some(format!("xtask depends on no crate of ours, so that it is quick to build: drop `{dependency}`")),
        _ => (!CENTER.contains(&dependency)).then(|| {
            format!(
                "`{package}` is a leaf and must not depend on `{dependency}`: move the trait that both need to \
                 agentscope-core, or let the facade wire the two"
            )
        }),
    }
}

/// The line that names a dependency, or the first.
fn line_of(manifest: &str, dependency: &str) -> usize {
    let names = |line: &str| {
        let after = line.trim_start().strip_prefix(dependency);
        after.is_some_and(|after| after.starts_with(['.', ' ', '=']))
    };
    manifest.lines().position(names).map_or(1, |at| at + 1)
}

pub(super) fn check_lock(path: &str, lock: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, line) in lock.lines().enumerate() {
        if let Some(name) = BANNED.iter().find(|name| line == format!("name = \"{name}\"")) {
            let message = format!(
                "`{name}` needs more than cargo to build: find who brings it by `cargo tree -i {name}` and choose its \
                 rustls and ring features"
            );
            findings.push(Finding::new(path, at + 1, message));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, dependencies: &[&str]) -> Package {
        Package {
            name: name.to_owned(),
            folder: format!("crates/{name}").into(),
            dependencies: dependencies.iter().map(|name| (*name).to_owned()).collect(),
            ..Package::default()
        }
    }

    fn messages(packages: &[Package]) -> Vec<String> {
        check(packages, |_| String::new()).into_iter().map(|finding| finding.to_string()).collect()
    }

    #[test]
    fn a_star_is_well() {
        let packages = [
            package("agentscope", &["agentscope-agent", "agentscope-core", "agentscope-tool"]),
            package("agentscope-agent", &["agentscope-core", "agentscope-macros", "reqwest"]),
            package("agentscope-core", &["agentscope-macros", "tokio"]),
            package("agentscope-macros", &["syn"]),
            package("agentscope-tool", &["agentscope-core"]),
            package("examples", &["agentscope", "tokio"]),
            package("xtask", &["serde_json"]),
        ];
        assert_eq!(messages(&packages), [""; 0]);
    }

    #[test]
    fn each_way_out_of_the_star_is_found() {
        let packages = [
            package("agentscope", &[]),
            package("agentscope-agent", &["agentscope-tool"]),
            package("agentscope-core", &["agentscope-agent", "reqwest"]),
            package("agentscope-tool", &["agentscope"]),
            package("examples", &["agentscope-core"]),
            package("xtask", &["agentscope-core"]),
        ];
        let messages = messages(&packages);
        let starts = [
            "crates/agentscope-agent/Cargo.toml:1: `agentscope-agent` is a leaf and must not depend on `agentscope-tool`",
            "crates/agentscope-core/Cargo.toml:1: core must not depend on `agentscope-agent`",
            "crates/agentscope-core/Cargo.toml:1: core must not depend on `reqwest`",
            "crates/agentscope-tool/Cargo.toml:1: `agentscope-tool` is a leaf and must not depend on `agentscope`",
            "crates/examples/Cargo.toml:1: examples import the facade only",
            "crates/xtask/Cargo.toml:1: xtask depends on no crate of ours",
        ];
        assert_eq!(messages.len(), starts.len(), "{messages:#?}");
        for (message, start) in messages.iter().zip(starts) {
            assert!(message.starts_with(start), "{message}");
        }
    }

    #[test]
    fn a_dependency_is_found_by_its_line() {
        let manifest = "[dependencies]\ntokio-util.workspace = true\ntokio = { workspace = true }\n";
        assert_eq!(line_of(manifest, "tokio"), 3);
        assert_eq!(line_of(manifest, "tokio-util"), 2);
        assert_eq!(line_of(manifest, "uuid"), 1);
    }

    #[test]
    fn banned_libraries_are_found_in_the_lock() {
        let lock = "[[package]]\nname = \"ring\"\n\n[[package]]\nname = \"openssl-sys\"\nversion = \"0.9\"\n";
        let findings = check_lock("Cargo.lock", lock);
        assert_eq!(findings.len(), 1);
        assert!(findings[0].to_string().starts_with("Cargo.lock:5: `openssl-sys`"));
    }
}
