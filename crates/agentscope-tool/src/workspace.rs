use crate::disk::{at, blocking, climbs, inside, not_a_file, settle, write_whole};
use agentscope_core::{Error, ErrorKind, Result, Workspace};
use async_trait::async_trait;
use bytes::Bytes;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Most bytes of a file that is read at once (64 MiB).
const READ_LIMIT: u64 = 64 << 20;

/// A [`Workspace`] in a directory of this machine. It is made when the first file is written.
///
/// Paths may not leave the directory, neither by `..` nor through a link. Files are written whole or not at all.
///
/// ```
/// use agentscope_core::{ErrorKind, Workspace};
/// use agentscope_tool::LocalWorkspace;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// # let dir = tempfile::tempdir().unwrap();
/// # let dir = dir.path();
/// let workspace = LocalWorkspace::new(dir);
/// workspace.write("notes/today.txt", "buy milk".into()).await?;
/// assert_eq!(workspace.list("").await?, ["notes/today.txt"]);
/// assert_eq!(workspace.write("../x", "".into()).await.unwrap_err().kind(), ErrorKind::InvalidInput);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct LocalWorkspace {
    dir: PathBuf,
    read_limit: u64,
}

impl LocalWorkspace {
    /// The directory `dir`, which need not exist yet.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), read_limit: READ_LIMIT }
    }

    /// Most bytes of a file that is read at once (64 MiB); reading a larger one is an error.
    #[must_use]
    pub fn read_limit(mut self, bytes: u64) -> Self {
        self.read_limit = bytes;
        self
    }

    /// Where the directory is.
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

fn place(dir: &Path, path: &str) -> Result<PathBuf> {
    let path = Path::new(path);
    match climbs(path) {
        true => Err(Error::new(
            ErrorKind::InvalidInput,
            format!("`{}` leaves the workspace: name a relative path without `..`", path.display()),
        )),
        false => inside(dir, path),
    }
}

#[async_trait]
impl Workspace for LocalWorkspace {
    async fn write(&self, path: &str, content: Bytes) -> Result<String> {
        let (dir, path) = (self.dir.clone(), path.to_owned());
        blocking(move |_| {
            fs::create_dir_all(&dir).map_err(|error| at(&dir, error))?;
            let file = place(&dir, &path)?;
            write_whole(&file, &content)?;
            Ok(file.display().to_string())
        })
        .await
    }

    async fn read(&self, path: &str) -> Result<Bytes> {
        let (dir, path, limit) = (self.dir.clone(), path.to_owned(), self.read_limit);
        blocking(move |_| {
            let file = place(&dir, &path)?;
            let metadata = fs::metadata(&file).map_err(|error| at(Path::new(&path), error))?;
            if !metadata.is_file() {
                return Err(not_a_file(&file));
            }
            if metadata.len() > limit {
                let message =
                    format!("`{path}` has {} bytes, more than the {limit} read at once", metadata.len());
                return Err(Error::new(ErrorKind::InvalidInput, message));
            }
            fs::read(&file).map(Bytes::from).map_err(|error| at(&file, error))
        })
        .await
    }

    async fn list(&self, path: &str) -> Result<Vec<String>> {
        let (dir, path) = (self.dir.clone(), path.to_owned());
        blocking(move |abandoned| {
            let top = place(&dir, &path)?;
            let root = settle(&dir)?;
            let mut files = Vec::new();
            let mut open = vec![top];
            while let Some(next) = open.pop() {
                abandoned.check()?;
                let entries = match fs::read_dir(&next) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    entries => entries.map_err(|error| at(&next, error))?,
                };
                for entry in entries {
                    let entry = entry.map_err(|error| at(&next, error))?;
                    let kind = entry.file_type().map_err(|error| at(&entry.path(), error))?;
                    if kind.is_dir() {
                        open.push(entry.path());
                    } else if kind.is_file()
                        && let Ok(file) = entry.path().strip_prefix(&root)
                    {
                        let parts: Vec<_> = file.iter().map(|part| part.to_string_lossy()).collect();
                        files.push(parts.join("/"));
                    }
                }
            }
            files.sort();
            Ok(files)
        })
        .await
    }
}
