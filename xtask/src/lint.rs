//! `cargo xtask lint`: all that is checked without running the code.

use std::process::ExitCode;

use crate::{
    Result,
    args::Args,
    cargo::{cargo, packages, root, succeeds},
    tidy,
};

pub(crate) fn run(mut args: Args) -> Result<ExitCode> {
    let fix = args.flag("--fix");
    args.names(0)?;
    // All of them run, so that one round shows all there is to repair.
    let outcomes = if fix { repair()? } else { check()? };
    let failed: Vec<_> = outcomes.into_iter().filter(|(_, good)| !good).map(|(name, _)| name).collect();
    if failed.is_empty() {
        println!(
            "{}",
            if fix { "repaired what cargo can: now run `cargo xtask lint`" } else { "lint: all is well" }
        );
        Ok(ExitCode::SUCCESS)
    } else {
        Err(format!("lint failed: {} (see above)", failed.join(", ")))
    }
}

type Outcomes = Vec<(&'static str, bool)>;

fn check() -> Result<Outcomes> {
    let format = succeeds(&mut cargo(["fmt", "--all", "--check"]))?;
    let clippy = succeeds(&mut cargo(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    let mut docs = cargo(["doc", "--workspace", "--no-deps"]);
    let docs = succeeds(docs.env("RUSTDOCFLAGS", "-D warnings"))?;
    Ok(vec![("fmt", format), ("clippy", clippy), ("doc", docs), ("alone", alone()?), ("tidy", tidy()?)])
}

/// Whether each library builds by itself, with as few features as it has: in the workspace its neighbours turn on what it
/// forgot.
fn alone() -> Result<bool> {
    let mut good = true;
    for package in packages()?.iter().filter(|package| package.folder.starts_with("crates")) {
        good &=
            succeeds(&mut cargo(["check", "--quiet", "--no-default-features", "--package", &package.name]))?;
    }
    Ok(good)
}

fn repair() -> Result<Outcomes> {
    let mut clippy =
        cargo(["clippy", "--fix", "--allow-dirty", "--allow-staged", "--workspace", "--all-targets"]);
    let clippy = succeeds(&mut clippy)?;
    // Last, because what clippy writes is not formatted.
    let format = succeeds(&mut cargo(["fmt", "--all"]))?;
    Ok(vec![("clippy", clippy), ("fmt", format)])
}

fn tidy() -> Result<bool> {
    eprintln!("$ tidy");
    let findings = tidy::check(&root(), &packages()?)?;
    findings.iter().for_each(|finding| println!("{finding}"));
    Ok(findings.iter().all(|finding| finding.warning))
}
