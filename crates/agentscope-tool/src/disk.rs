//! Files: work on the blocking pool, paths that stay where they belong, writes that happen whole or not at all.

use agentscope_core::{Error, ErrorKind, Result};
use std::{
    fs, io,
    io::Write,
    path::{Component, Path, PathBuf},
    sync::{Arc, Weak},
};
use tokio::sync::Semaphore;

/// Most pieces of file work of this crate that run at once; the next one waits. A slow disk must not take all threads of
/// the blocking pool.
const MOST_AT_ONCE: usize = 16;

static PERMITS: Semaphore = Semaphore::const_new(MOST_AT_ONCE);

/// Tells work on the blocking pool that nobody waits for it any more.
pub(crate) struct Abandoned(Weak<()>);

impl Abandoned {
    /// Ends the work if nobody waits for it any more.
    pub(crate) fn check(&self) -> Result<()> {
        match self.0.strong_count() {
            0 => Err(Error::new(ErrorKind::Tool, "interrupted while it read a file")),
            _ => Ok(()),
        }
    }
}

/// Runs `work` on the blocking pool.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce(&Abandoned) -> Result<T> + Send + 'static,
) -> Result<T> {
    let permit = PERMITS.acquire().await;
    let waiting = Arc::new(());
    let abandoned = Abandoned(Arc::downgrade(&waiting));
    let done = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        work(&abandoned)
    });
    let result = done.await.map_err(|error| {
        Error::new(ErrorKind::Internal, "work on a file did not come to its end").with_source(error)
    });
    drop(waiting);
    result?
}

/// An I/O error that names the path.
pub(crate) fn at(path: &Path, error: io::Error) -> Error {
    Error::from(error).context(format_args!("`{}`", path.display()))
}

/// The path without links, though its last parts need not exist.
pub(crate) fn settle(path: &Path) -> Result<PathBuf> {
    match path.canonicalize() {
        Ok(settled) => return Ok(settled),
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at(path, error)),
        Err(_) => {}
    }
    let dangling = path.symlink_metadata().is_ok();
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) if !dangling => {
            let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
            Ok(settle(parent)?.join(name))
        }
        _ => Err(Error::new(
            ErrorKind::NotFound,
            format!("`{}` leads through a directory or a link to nothing", path.display()),
        )),
    }
}

/// The settled place of `path`, which may be relative to `root` and may not leave it.
///
/// The check and the use are two steps: a program that swaps directories for links at the same time is not held back.
pub(crate) fn inside(root: &Path, path: &Path) -> Result<PathBuf> {
    let root = settle(root)?;
    let settled = settle(&root.join(path));
    // A path that fails to settle must not tell what lies outside.
    match settled {
        Ok(settled) if settled.starts_with(&root) => Ok(settled),
        Err(error) if !path.is_absolute() && !climbs(path) => Err(error),
        _ => Err(Error::new(
            ErrorKind::InvalidInput,
            format!("`{}` leaves `{}`: name a path inside of it", path.display(), root.display()),
        )),
    }
}

/// Whether the path can lead out of the directory to which it is relative, links aside.
pub(crate) fn climbs(path: &Path) -> bool {
    !path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
}

/// Writes a file whole or not at all: into a new file beside it, which then takes its place. The permissions and, where
/// possible, the owner of the old file stay. Gives the topmost directory that was made.
pub(crate) fn write_whole(path: &Path, content: &[u8]) -> Result<Option<PathBuf>> {
    let old = match fs::metadata(path) {
        Ok(old) if old.is_file() => Some(old),
        Ok(_) => return Err(not_a_file(path)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(at(path, error)),
    };
    if old.is_some() {
        // Renaming needs no right to write the file itself; whoever took that right away meant it.
        fs::OpenOptions::new().write(true).open(path).map_err(|error| at(path, error))?;
    }
    let parent = path.parent().unwrap_or(Path::new("."));
    let made = parent.ancestors().take_while(|it| !it.exists()).last().map(Path::to_owned);
    fs::create_dir_all(parent).map_err(|error| at(parent, error))?;
    let write = || -> io::Result<()> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(".agentscope-");
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666)); // less the umask
        let mut file = builder.tempfile_in(parent)?;
        file.write_all(content)?;
        if let Some(old) = &old {
            keep_owner(file.path(), old);
            file.as_file().set_permissions(old.permissions())?;
        }
        file.as_file().sync_all()?;
        file.persist(path).map(drop).map_err(|error| error.error)
    };
    write().map_err(|error| at(path, error))?;
    Ok(made)
}

#[cfg(unix)]
fn keep_owner(file: &Path, old: &fs::Metadata) {
    use std::os::unix::fs::{MetadataExt, chown};
    // Only root may give files away; for all others the file becomes theirs.
    let _ = chown(file, Some(old.uid()), Some(old.gid()));
}

#[cfg(not(unix))]
fn keep_owner(_: &Path, _: &fs::Metadata) {}

/// Says what is wrong with something that should have been a file.
pub(crate) fn not_a_file(path: &Path) -> Error {
    let what = if path.is_dir() { "is a directory" } else { "is not a regular file" };
    Error::new(ErrorKind::InvalidInput, format!("`{}` {what}: name a file", path.display()))
}
