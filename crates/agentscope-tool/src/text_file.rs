//! Text files: to view, to write and to insert into.

mod insert;
mod lines;
mod view;
mod write;

pub use insert::{InsertTextFile, insert_text_file};
pub use view::{ViewTextFile, view_text_file};
pub use write::{WriteTextFile, write_text_file};

use crate::disk::{at, inside, not_a_file, settle};
use agentscope_core::{Error, ErrorKind, Result};
use std::{
    env, fs,
    io::Read,
    path::{Path, PathBuf},
};

/// Largest file that is edited (64 MiB): it is held in memory.
const EDIT_LIMIT: u64 = 64 << 20;

/// Lines shown before and after a change.
const AROUND: usize = 5;

/// Where a tool's files may lie.
#[derive(Clone, Default)]
struct Place {
    root: Option<PathBuf>,
}

impl Place {
    /// The file that the model means: `~` is the home directory, a relative path begins at the root or, without one, at this
    /// program's directory. Links are followed.
    fn find(&self, path: &str) -> Result<PathBuf> {
        if path.is_empty() {
            return Err(Error::new(ErrorKind::InvalidInput, "`file_path` is empty: name a file"));
        }
        let path = expand_home(path);
        match &self.root {
            Some(root) => inside(root, &path),
            None => settle(&path),
        }
    }

    /// The same, which must be a file that is there.
    fn existing(&self, path: &str) -> Result<PathBuf> {
        let file = self.find(path)?;
        let metadata = fs::metadata(&file).map_err(|error| at(Path::new(path), error))?;
        if metadata.is_file() { Ok(file) } else { Err(not_a_file(&file)) }
    }
}

fn expand_home(path: &str) -> PathBuf {
    let Some(rest) = path.strip_prefix('~') else { return path.into() };
    match (env::home_dir(), rest.strip_prefix('/')) {
        (Some(home), Some(rest)) => home.join(rest),
        (Some(home), None) if rest.is_empty() => home,
        _ => path.into(),
    }
}

/// The content of a file that is to be edited.
fn load(file: &Path, limit: u64) -> Result<Vec<u8>> {
    let open = fs::File::open(file).map_err(|error| at(file, error))?;
    let mut content = Vec::new();
    open.take(limit.saturating_add(1)).read_to_end(&mut content).map_err(|error| at(file, error))?;
    if content.len() as u64 > limit {
        let message = format!("`{}` has more than {limit} bytes: edit it with a command", file.display());
        return Err(Error::new(ErrorKind::InvalidInput, message));
    }
    Ok(content)
}

/// The options in the builders of both tools that edit.
macro_rules! edit_options {
    () => {
        /// Only files in this directory; relative paths begin there.
        #[must_use]
        pub fn root(mut self, dir: impl Into<std::path::PathBuf>) -> Self {
            self.place.root = Some(dir.into());
            self
        }

        /// Largest file that is edited (64 MiB).
        #[must_use]
        pub fn edit_limit(mut self, bytes: u64) -> Self {
            self.edit_limit = bytes;
            self
        }
    };
}
use edit_options;
