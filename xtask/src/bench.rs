//! `cargo xtask bench`: the benches of all crates, found by name.

use std::process::ExitCode;

use crate::{
    Result,
    args::Args,
    cargo::{Package, cargo, packages, succeeds},
    text::nearest,
};

/// The bench that can be made smaller by `--agents N`.
const CROWD: &str = "population";

pub(crate) fn run(mut args: Args) -> Result<ExitCode> {
    let agents = args.value("--agents")?;
    let mut rest = args.rest();
    let name = args.name()?;
    if let Some(agents) = agents {
        if name.as_deref() != Some(CROWD) {
            return Err(format!("only the bench `{CROWD}` has --agents: name it, or leave the option out"));
        }
        rest.extend(["--agents".to_owned(), agents]);
    }
    let packages = packages()?;
    let mut failed = Vec::new();
    for (package, bench) in choose(&packages, name.as_deref())? {
        let mut command = cargo(["bench", "--package", package, "--bench", bench]);
        if !rest.is_empty() {
            command.arg("--").args(&rest);
        }
        if !succeeds(&mut command)? {
            failed.push(bench);
        }
    }
    if failed.is_empty() { Ok(ExitCode::SUCCESS) } else { Err(format!("failed: {}", failed.join(", "))) }
}

/// The benches to run, each with its package: those of one name, or all.
fn choose<'a>(packages: &'a [Package], name: Option<&str>) -> Result<Vec<(&'a str, &'a str)>> {
    let all =
        || packages.iter().flat_map(|package| package.targets("bench").map(|bench| (&*package.name, bench)));
    let chosen: Vec<_> = all().filter(|(_, bench)| name.is_none_or(|name| name == *bench)).collect();
    match name {
        _ if all().next().is_none() => {
            Err("there is no bench yet: a bench is a `[[bench]]` target with `harness = false` in any crate"
                .to_owned())
        }
        Some(name) if chosen.is_empty() => {
            let known = nearest(name, all().map(|(_, bench)| bench)).join(", ");
            Err(format!("no bench is named `{name}`: there are {known}"))
        }
        _ => Ok(chosen),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cargo::Target;

    fn package(name: &str, benches: &[&str]) -> Package {
        let target = |name: &&str| Target { name: (*name).to_owned(), kind: "bench".to_owned() };
        Package { name: name.to_owned(), targets: benches.iter().map(target).collect(), ..Package::default() }
    }

    #[test]
    fn a_bench_is_found_in_whichever_crate_has_it() {
        let packages = [package("agentscope-agent", &["core", "hub"]), package("agentscope-tool", &["read"])];
        assert_eq!(choose(&packages, Some("core")).unwrap(), [("agentscope-agent", "core")]);
        assert_eq!(choose(&packages, None).unwrap().len(), 3);
        assert!(choose(&packages, Some("cores")).unwrap_err().contains("there are core,"));
        assert!(choose(&[], None).unwrap_err().contains("no bench yet"));
    }
}
