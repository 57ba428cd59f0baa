use super::{key::sha256, store::AnswerStore};
use agentscope_core::{BoxFuture, Error, ErrorKind, Result};
use bytes::Bytes;
use std::{
    fs::{self, File, OpenOptions},
    io::{ErrorKind as Io, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};
use tokio::{sync::Semaphore, task::spawn_blocking};

/// How the files of answers end, and those that are being written. No other program's do.
const ANSWER: &str = "agentscope-answer";
const UNFINISHED: &str = "agentscope-unfinished";

/// How many threads work on the files of one directory at the same time.
const AT_ONCE: usize = 4;

/// After this time (1 h) a file that was never finished belongs to nobody any more.
const ABANDONED: Duration = Duration::from_secs(3600);

/// Length of a checksum and the line break behind it.
const HEAD: usize = 65;

/// Answers in files of a directory, which outlive the process and may be shared by several: 10,000 of them, and 256 MiB at most. When
/// there are more, those go that were not asked for the longest. A file is there as a whole or not at all; one that was damaged is
/// taken for none. Files can be read by their owner alone. Clones are the same directory.
///
/// Each process counts what it saves, and looks at the whole directory when that is too much: several that write at the same time may
/// be over the limits for a while.
///
/// ```
/// use agentscope_core::{ModelCard, model_fn};
/// use agentscope_model::{ChatModelExt, DirectoryAnswers};
///
/// let answers = DirectoryAnswers::new("target/answers").max_bytes(10 << 20);
/// let model = model_fn(ModelCard::new("yes"), |_| async { Ok("Yes.") }).cached(answers);
/// ```
#[derive(Clone, Debug)]
pub struct DirectoryAnswers {
    max: Size,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    threads: Arc<Semaphore>,
    /// What is there, as far as this process knows; None before it looked.
    known: Mutex<Option<Size>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Size {
    entries: u64,
    bytes: u64,
}

impl DirectoryAnswers {
    /// In this directory, which is made when the first answer is saved.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let shared =
            Shared { path: path.into(), threads: Arc::new(Semaphore::new(AT_ONCE)), known: Mutex::default() };
        Self { max: Size { entries: 10_000, bytes: 256 << 20 }, shared: Arc::new(shared) }
    }

    /// So many answers at most (10,000).
    #[must_use]
    pub fn max_entries(mut self, answers: u64) -> Self {
        self.max.entries = answers;
        self
    }

    /// So many bytes at most (256 MiB).
    #[must_use]
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max.bytes = bytes;
        self
    }

    async fn blocking<T: Send + 'static>(
        &self,
        key: &str,
        work: impl FnOnce(&Self, String) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            let message = format!("`{key}` is no key of an answer: it has letters and digits alone");
            return Err(Error::new(ErrorKind::InvalidInput, message));
        }
        let (this, key) = (self.clone(), key.to_owned());
        // The place is given back by the thread: one that hangs at a disk counts, whether or not anyone still waits for it.
        let place = Arc::clone(&self.shared.threads).acquire_owned().await;
        let done = spawn_blocking(move || {
            let _place = place;
            work(&this, key)
        })
        .await;
        done.unwrap_or_else(|error| {
            Err(Error::new(ErrorKind::Internal, "the files of answers cannot be reached").with_source(error))
        })
    }

    fn file(&self, key: &str) -> PathBuf {
        self.shared.path.join(format!("{key}.{ANSWER}"))
    }

    fn load_now(&self, key: &str) -> Result<Option<Bytes>> {
        let path = self.file(key);
        let mut file = match File::open(&path) {
            Err(error) if error.kind() == Io::NotFound => return Ok(None),
            file => file?,
        };
        if file.metadata()?.len() > self.max.bytes.saturating_add(HEAD as u64) {
            return Ok(None);
        }
        let mut content = Vec::new();
        std::io::Read::read_to_end(&mut file, &mut content)?;
        if let Some((sum, [b'\n', answer @ ..])) = content.split_at_checked(HEAD - 1)
            && sum == sha256(answer).as_bytes()
        {
            // That it was asked for; where it cannot be noted, it goes earlier.
            let _ = file.set_modified(SystemTime::now());
            return Ok(Some(Bytes::from(content).slice(HEAD..)));
        }
        // Damaged, and of no use to anyone.
        let _ = fs::remove_file(path);
        Ok(None)
    }

    fn save_now(&self, key: &str, answer: &[u8]) -> Result<()> {
        let size = (HEAD + answer.len()) as u64;
        if size > self.max.bytes || self.max.entries == 0 {
            return Ok(());
        }
        let mut known = self.shared.known.lock().unwrap_or_else(PoisonError::into_inner);
        create(&self.shared.path)?;
        let before = match *known {
            Some(size) => size,
            None => self.look(Size { entries: u64::MAX, bytes: u64::MAX })?,
        };
        let mut now = Size { entries: before.entries + 1, bytes: before.bytes + size };
        if now.entries > self.max.entries || now.bytes > self.max.bytes {
            // A tenth more goes, so that the directory is not looked at for each answer.
            let entries = (self.max.entries - self.max.entries / 10).saturating_sub(1);
            let bytes = (self.max.bytes - self.max.bytes / 10).min(self.max.bytes - size);
            let left = self.look(Size { entries, bytes })?;
            now = Size { entries: left.entries + 1, bytes: left.bytes + size };
        }
        let unfinished = self.shared.path.join(format!(".{key}.{:016x}.{UNFINISHED}", fastrand::u64(..)));
        let written = write(&unfinished, answer).and_then(|()| fs::rename(&unfinished, self.file(key)));
        if let Err(error) = written {
            let _ = fs::remove_file(&unfinished);
            return Err(error.into());
        }
        *known = Some(now);
        Ok(())
    }

    /// Counts the answers, and removes the oldest until there are no more than `max`.
    fn look(&self, max: Size) -> Result<Size> {
        let mut files = Vec::new();
        let mut size = Size::default();
        for entry in fs::read_dir(&self.shared.path)? {
            let entry = entry?;
            // Another process may just have removed it.
            let Ok(metadata) = entry.metadata() else { continue };
            let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            let path = entry.path();
            // What else lies there is not ours to count or to remove.
            match path.extension().and_then(|it| it.to_str()) {
                Some(ANSWER) => {
                    size = Size { entries: size.entries + 1, bytes: size.bytes + metadata.len() };
                    files.push((modified, metadata.len(), path));
                }
                Some(UNFINISHED) if modified.elapsed().is_ok_and(|age| age > ABANDONED) => {
                    let _ = fs::remove_file(path);
                }
                _ => {}
            }
        }
        files.sort();
        for (_, len, path) in files {
            if size.entries <= max.entries && size.bytes <= max.bytes {
                break;
            }
            if fs::remove_file(path).is_ok() {
                size = Size { entries: size.entries - 1, bytes: size.bytes - len };
            }
        }
        Ok(size)
    }
}

fn create(path: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

fn write(path: &Path, answer: &[u8]) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(sha256(answer).as_bytes())?;
    file.write_all(b"\n")?;
    file.write_all(answer)
}

impl AnswerStore for DirectoryAnswers {
    fn load<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Bytes>>> {
        Box::pin(self.blocking(key, |this, key| this.load_now(&key)))
    }

    fn save<'a>(&'a self, key: &'a str, answer: Bytes) -> BoxFuture<'a, Result<()>> {
        Box::pin(self.blocking(key, move |this, key| this.save_now(&key, &answer)))
    }
}
