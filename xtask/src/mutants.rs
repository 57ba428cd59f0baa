//! `cargo xtask mutants`: breaks each safety rule on purpose, in a copy of the tree, and asks whether a test sees it.

use std::{fmt::Write as _, fs, path::Path, process::ExitCode, time::Instant};

use crate::{Result, args::Args, cargo::root, test::Runner, text::nearest};
use list::Mutant;
use tree::Tree;
use trial::{Outcome, Scope};

mod list;
mod tree;
mod trial;

/// From the root, the table that `--write` writes.
const TABLE: &str = "docs/mutants.md";

/// Most tests that are named for one mutant.
const NAMED: usize = 3;

pub(crate) fn run(mut args: Args) -> Result<ExitCode> {
    let (list, write) = (args.flag("--list"), args.flag("--write"));
    let name = args.name()?;
    let chosen = choose(list::all(), name.as_deref())?;
    if list {
        chosen.iter().for_each(|Mutant { name, rule, says, .. }| println!("{name} ({rule}): {says}"));
        return Ok(ExitCode::SUCCESS);
    }
    if write && name.is_some() {
        return Err(format!("--write is for all mutants at once: {TABLE} tells of each"));
    }
    let tree = Tree::copy(&root())?;
    let stale: Vec<_> = chosen.iter().filter_map(|mutant| tree.mutated(mutant).err()).collect();
    if !stale.is_empty() {
        return Err(stale.join("\n"));
    }
    let runner = Runner::installed();
    prove_sound(&tree, runner, &chosen)?;
    let mut verdicts = Vec::with_capacity(chosen.len());
    for (at, mutant) in chosen.iter().enumerate() {
        eprintln!("[{}/{}] {} ({}): {}", at + 1, chosen.len(), mutant.name, mutant.rule, mutant.says);
        let started = Instant::now();
        let verdict = judge(&tree, runner, mutant)?;
        println!("{}: {} ({} s)", mutant.name, verdict.tell(), started.elapsed().as_secs());
        verdicts.push((*mutant, verdict));
    }
    if write {
        write_table(&root().join(TABLE), &verdicts)?;
    }
    close(&verdicts)
}

/// What became of a mutant.
#[derive(Debug, PartialEq)]
enum Verdict {
    /// By these tests, the ones that are named after a law first.
    Caught(Vec<String>),
    Survived,
    /// The mutant itself is wrong: this is what the compiler says.
    Broken(String),
}

impl Verdict {
    fn tell(&self) -> String {
        match self {
            Self::Caught(by) => format!("caught by {}", named(by, "")),
            Self::Survived => "SURVIVED".to_owned(),
            Self::Broken(error) => format!("DOES NOT COMPILE\n{error}"),
        }
    }
}

/// The first few names, each between two of `mark`.
fn named(names: &[String], mark: &str) -> String {
    let first: Vec<_> = names.iter().take(NAMED).map(|name| format!("{mark}{name}{mark}")).collect();
    match names.len().saturating_sub(NAMED) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

impl From<Outcome> for Verdict {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Passed => Self::Survived,
            Outcome::NotCompiled(error) => Self::Broken(error),
            Outcome::Failed(mut by) => {
                by.sort_by_cached_key(|name| (!name.contains("law_"), name.clone()));
                Self::Caught(by)
            }
        }
    }
}

fn choose(all: Vec<&'static Mutant>, name: Option<&str>) -> Result<Vec<&'static Mutant>> {
    let Some(name) = name else { return Ok(all) };
    let chosen: Vec<_> = all.iter().copied().filter(|mutant| mutant.name.contains(name)).collect();
    if chosen.is_empty() {
        let known = nearest(name, all.iter().map(|mutant| mutant.name)).join("\n  ");
        return Err(format!("no mutant has `{name}` in its name: there are\n  {known}"));
    }
    Ok(chosen)
}

/// The same tests have to pass where nothing is broken: what fails anyway catches nothing.
fn prove_sound(tree: &Tree, runner: Runner, mutants: &[&Mutant]) -> Result<()> {
    eprintln!("[0/{}] nothing is changed: all these tests have to pass", mutants.len());
    match trial::run(tree, runner, &Scope::of_all(mutants))? {
        Outcome::Passed => Ok(()),
        Outcome::NotCompiled(error) => Err(format!("the tests do not compile as they are:\n{error}")),
        Outcome::Failed(by) => Err(format!("these tests fail as they are: {}", by.join(", "))),
    }
}

fn judge(tree: &Tree, runner: Runner, mutant: &Mutant) -> Result<Verdict> {
    let broken = tree.mutate(mutant)?;
    let outcome = trial::run(tree, runner, &Scope::of(mutant));
    broken.restore()?;
    outcome.map(Verdict::from)
}

fn close(verdicts: &[(&Mutant, Verdict)]) -> Result<ExitCode> {
    let those = |wanted: fn(&Verdict) -> bool| -> Vec<&str> {
        verdicts.iter().filter(|(_, verdict)| wanted(verdict)).map(|(mutant, _)| mutant.name).collect()
    };
    let caught = those(|verdict| matches!(verdict, Verdict::Caught(_)));
    let survived = those(|verdict| matches!(verdict, Verdict::Survived));
    let broken = those(|verdict| matches!(verdict, Verdict::Broken(_)));
    if !survived.is_empty() {
        eprintln!("survived: {}: no test holds these rules", survived.join(", "));
    }
    println!("{} caught, {} survived", caught.len(), survived.len());
    if !broken.is_empty() {
        let names = broken.join(", ");
        return Err(format!(
            "these do not compile, so they prove nothing: {names}; mend them in {}",
            list::PLACE
        ));
    }
    Ok(if survived.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn write_table(path: &Path, verdicts: &[(&Mutant, Verdict)]) -> Result<()> {
    let failed = |error| format!("could not write {TABLE}: {error}");
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    fs::write(path, table(verdicts)).map_err(failed)?;
    eprintln!("wrote {TABLE}");
    Ok(())
}

fn table(verdicts: &[(&Mutant, Verdict)]) -> String {
    let mut table = String::from(
        "# Mutants of the safety rules\n\n\
         Each line is one rule broken on purpose, and the tests that fail because of it. Written by\n\
         `cargo xtask mutants --write`; a survivor fails that command. \"Hangs\" means that the test was ended at its\n\
         time limit, as it would be in `cargo xtask test`.\n\n\
         | mutant | rule | what was changed | caught by |\n| --- | --- | --- | --- |\n",
    );
    for (Mutant { name, rule, says, .. }, verdict) in verdicts {
        let by = match verdict {
            Verdict::Caught(by) => named(by, "`"),
            Verdict::Survived => "**nothing**".to_owned(),
            Verdict::Broken(_) => "does not compile".to_owned(),
        };
        let _ = writeln!(table, "| `{name}` | {rule} | {says} | {by} |");
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mutants_are_chosen_by_a_part_of_their_name() {
        let all = list::all();
        let one = *all.first().unwrap();
        assert!(choose(all.clone(), Some(one.name)).unwrap().contains(&one));
        assert_eq!(choose(all.clone(), None).unwrap().len(), all.len());
        assert!(choose(all, Some("no such")).unwrap_err().contains(one.name));
    }

    #[test]
    fn a_verdict_names_the_tests_of_laws_first() {
        let names = ["b", "laws::law_6_x", "a", "c"].map(str::to_owned).to_vec();
        let verdict = Verdict::from(Outcome::Failed(names));
        assert_eq!(verdict.tell(), "caught by laws::law_6_x, a, b and 1 more");
        assert_eq!(Verdict::from(Outcome::Passed).tell(), "SURVIVED");
    }

    #[test]
    fn the_table_has_a_line_for_each() {
        let one = *list::all().first().unwrap();
        let table = table(&[(one, Verdict::Caught(vec!["law_1".into()])), (one, Verdict::Survived)]);
        assert!(table.contains("| `law_1` |\n") && table.ends_with("| **nothing** |\n"), "{table}");
    }
}
