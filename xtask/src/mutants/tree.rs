//! A copy of the tree to break, so that the tree itself is never touched.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use super::list::{Mutant, PLACE};
use crate::Result;

/// The copy, and beside it what is built of it. Both are kept, so that the next mutant is built in seconds.
pub(super) struct Tree {
    pub(super) root: PathBuf,
    pub(super) build: PathBuf,
}

/// A file of the copy with a mutant in it.
pub(super) struct Mutated {
    path: PathBuf,
    original: String,
}

impl Tree {
    /// Copies the files of the tree at `from` that git tracks, as they are now.
    pub(super) fn copy(from: &Path) -> Result<Self> {
        let place = from.join("target").join("mutants");
        let tree = Self { root: place.join("tree"), build: place.join("build") };
        let files = tracked(from)?;
        let failed = |error| format!("could not copy the tree to {}: {error}", tree.root.display());
        for file in &files {
            renew(&from.join(file), &tree.root.join(file)).map_err(failed)?;
        }
        remove_others(&tree.root, &files).map_err(failed)?;
        Ok(tree)
    }

    /// The text of the mutant's file with the mutant in it.
    pub(super) fn mutated(&self, mutant: &Mutant) -> Result<String> {
        apply(mutant, &self.read(mutant)?)
    }

    pub(super) fn mutate(&self, mutant: &Mutant) -> Result<Mutated> {
        let (path, original) = (self.root.join(mutant.file), self.read(mutant)?);
        let changed = apply(mutant, &original)?;
        fs::write(&path, changed).map_err(|error| format!("could not change {}: {error}", mutant.file))?;
        Ok(Mutated { path, original })
    }

    fn read(&self, mutant: &Mutant) -> Result<String> {
        let Mutant { name, file, .. } = mutant;
        fs::read_to_string(self.root.join(file))
            .map_err(|error| format!("mutant `{name}` is stale: {file}: {error}; mend it in {PLACE}"))
    }
}

impl Mutated {
    pub(super) fn restore(self) -> Result<()> {
        let Self { path, original } = self;
        fs::write(&path, original).map_err(|error| format!("could not restore {}: {error}", path.display()))
    }
}

/// Puts the mutant in place of its text, which has to be there exactly once.
pub(super) fn apply(mutant: &Mutant, text: &str) -> Result<String> {
    let Mutant { name, file, find, replace, .. } = mutant;
    match text.matches(find).count() {
        1 => Ok(text.replacen(find, replace, 1)),
        count => Err(format!(
            "mutant `{name}` is stale: its text is {count} times in {file}, not once; mend it in {PLACE}"
        )),
    }
}

fn tracked(root: &Path) -> Result<BTreeSet<PathBuf>> {
    let output = Command::new("git")
        .args(["ls-files", "-z"])
        .current_dir(root)
        .output()
        .map_err(|error| format!("could not run git: {error}"))?;
    if !output.status.success() {
        return Err(format!("git ls-files failed: {}", String::from_utf8_lossy(&output.stderr).trim()));
    }
    let names = String::from_utf8_lossy(&output.stdout);
    let there = |path: &PathBuf| root.join(path).is_file(); // what is deleted and not yet committed is listed too
    Ok(names.split_terminator('\0').map(PathBuf::from).filter(there).collect())
}

/// Copies a file unless the copy is the same, whose age then tells cargo that there is nothing to build.
fn renew(from: &Path, to: &Path) -> io::Result<()> {
    let content = fs::read(from)?;
    if fs::read(to).is_ok_and(|old| old == content) {
        return Ok(());
    }
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(to, content)
}

/// Removes what the tree had when it was copied before, and has no longer.
fn remove_others(root: &Path, files: &BTreeSet<PathBuf>) -> io::Result<()> {
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root.join(&folder))? {
            let entry = entry?;
            let path = folder.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                folders.push(path);
            } else if !files.contains(&path) {
                fs::remove_file(entry.path())?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cargo,
        mutants::list::{self, EXAMPLE},
    };

    #[test]
    fn a_mutant_takes_the_place_of_its_text() {
        assert_eq!(apply(&EXAMPLE, "if len > LIMIT {}").unwrap(), "if false {}");
    }

    #[test]
    fn a_text_that_is_not_there_once_is_stale() {
        for (text, count) in [("if len >= LIMIT {}", "0 times"), ("len > LIMIT; len > LIMIT", "2 times")] {
            let stale = apply(&EXAMPLE, text).unwrap_err();
            assert!(stale.contains("`limitless` is stale") && stale.contains(count), "{stale}");
        }
    }

    #[test]
    fn no_mutant_of_the_list_is_stale() {
        let tree = Tree { root: cargo::root(), build: PathBuf::new() };
        let mut stale = Vec::new();
        for mutant in list::all() {
            match tree.mutated(mutant) {
                Ok(changed) => {
                    assert_ne!(changed, tree.read(mutant).unwrap(), "`{}` changes nothing", mutant.name)
                }
                Err(error) => stale.push(error),
            }
        }
        assert!(stale.is_empty(), "{}", stale.join("\n"));
    }

    #[test]
    fn a_copy_is_renewed_and_loses_what_is_gone() {
        let place = tempfile::tempdir().unwrap();
        let (from, to) = (place.path().join("from"), place.path().join("to/deep"));
        fs::write(&from, "one").unwrap();
        renew(&from, &to.join("kept")).unwrap();
        renew(&from, &to.join("gone")).unwrap();
        fs::write(&from, "two").unwrap();
        renew(&from, &to.join("kept")).unwrap();
        remove_others(&place.path().join("to"), &BTreeSet::from(["deep/kept".into()])).unwrap();
        assert_eq!(fs::read_to_string(to.join("kept")).unwrap(), "two");
        assert!(!to.join("gone").exists());
    }

    #[test]
    fn a_mutated_file_is_restored() {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir(place.path().join("src")).unwrap();
        let file = place.path().join(EXAMPLE.file);
        fs::write(&file, "len > LIMIT").unwrap();
        let tree = Tree { root: place.path().to_path_buf(), build: PathBuf::new() };
        let mutated = tree.mutate(&EXAMPLE).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "false");
        mutated.restore().unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "len > LIMIT");
    }
}
