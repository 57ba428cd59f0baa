use super::entry::{Key, Keys, read, written};
use agentscope_core::{ContentBlock, Error, ErrorKind, Result};
use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, SystemTime},
};
use tokio::{sync::Semaphore, task::spawn_blocking};

/// Most bytes that are kept (256 MiB), which are 43,000 vectors of 1536 numbers.
const MAX_BYTES: u64 = 256 << 20;

/// Most tasks that read or write files at a time (4).
const TASKS: usize = 4;

/// After how long an unfinished file is taken away (1 h): whoever wrote it is gone.
const UNFINISHED: Duration = Duration::from_secs(60 * 60);

/// What files are called that are being written.
const TEMPORARY: &str = "tmp";

/// A folder of vectors, of a limited size, that several programs may share.
///
/// A vector is a file that is written under another name first, so that it is there whole or not at all; one that is broken all the
/// same is not believed. Past the limit, those go that were used longest ago. How much there is is looked up again whenever a
/// sixteenth of the limit was added, so that each further program that shares the folder may exceed it by that.
///
/// Cloning it is cheap and gives the same cache.
///
/// ```
/// use agentscope_model::VectorCache;
///
/// let cache = VectorCache::new(".cache/embeddings").max_bytes(1 << 30);
/// assert_eq!((cache.hits(), cache.misses(), cache.faults()), (0, 0, 0));
/// ```
#[derive(Clone, Debug)]
pub struct VectorCache {
    folder: Arc<Path>,
    max_bytes: u64,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    tasks: Semaphore,
    /// Bytes that were added since it was looked up how many there are; none where it never was.
    added: Mutex<Option<Added>>,
    hits: AtomicU64,
    misses: AtomicU64,
    faults: AtomicU64,
}

#[derive(Clone, Copy, Debug)]
struct Added {
    /// When it was looked up.
    known: u64,
    since: u64,
}

impl VectorCache {
    /// A cache in `folder`, which is made when the first vector is kept.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        let shared = Shared {
            tasks: Semaphore::new(TASKS),
            added: Mutex::new(None),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            faults: AtomicU64::new(0),
        };
        Self { folder: folder.into().into(), max_bytes: MAX_BYTES, shared: Arc::new(shared) }
    }

    /// Most bytes that are kept (256 MiB).
    #[must_use]
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Inputs that were found.
    pub fn hits(&self) -> u64 {
        self.shared.hits.load(Relaxed)
    }

    /// Inputs that were asked for.
    pub fn misses(&self) -> u64 {
        self.shared.misses.load(Relaxed)
    }

    /// Vectors that could not be kept, such as on a full disk.
    pub fn faults(&self) -> u64 {
        self.shared.faults.load(Relaxed)
    }

    /// Takes all vectors away.
    ///
    /// # Errors
    /// Where a file cannot be removed.
    pub async fn clear(&self) -> Result<()> {
        let cleared = self.blocking(|cache| {
            for entry in cache.entries() {
                match fs::remove_file(&entry.path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(Error::from(error)),
                    _ => {}
                }
            }
            *cache.shared.added.lock().unwrap_or_else(PoisonError::into_inner) = None;
            Ok(())
        });
        cleared.await?
    }

    /// The keys of inputs, for which files may have to be read.
    pub(super) async fn keys(&self, keys: Keys, inputs: &[ContentBlock]) -> Result<Vec<Option<Key>>> {
        if inputs.iter().all(ContentBlock::is_text) {
            return Ok(inputs.iter().map(|input| keys.key(input)).collect());
        }
        let inputs = inputs.to_vec();
        self.blocking(move |_| inputs.iter().map(|input| keys.key(input)).collect()).await
    }

    /// The vectors that are there.
    pub(super) async fn find(&self, keys: Vec<Option<Key>>) -> Vec<Option<Vec<f32>>> {
        let count = keys.len();
        let found =
            self.blocking(move |cache| keys.iter().map(|key| cache.load(key.as_ref()?)).collect()).await;
        found.unwrap_or_else(|_| vec![None; count])
    }

    /// Keeps vectors, as far as that is possible.
    pub(super) async fn keep(&self, vectors: Vec<(Key, Vec<f32>)>) {
        if vectors.is_empty() {
            return;
        }
        let kept = self.blocking(move |cache| {
            for (key, vector) in &vectors {
                if cache.save(key, vector).is_err() {
                    cache.shared.faults.fetch_add(1, Relaxed);
                }
            }
        });
        drop(kept.await);
    }

    pub(super) fn count(&self, hits: usize, misses: usize) {
        self.shared.hits.fetch_add(hits as u64, Relaxed);
        self.shared.misses.fetch_add(misses as u64, Relaxed);
    }

    async fn blocking<T: Send + 'static>(&self, work: impl FnOnce(&Self) -> T + Send + 'static) -> Result<T> {
        let failed = |error: Box<dyn std::error::Error + Send + Sync>| {
            Error::new(ErrorKind::Internal, "the cache of vectors failed").with_source(error)
        };
        let _task = self.shared.tasks.acquire().await.map_err(|error| failed(error.into()))?;
        let cache = self.clone();
        spawn_blocking(move || work(&cache)).await.map_err(|error| failed(error.into()))
    }

    fn path(&self, key: &Key) -> PathBuf {
        let name = key.to_string();
        let (folder, name) = name.split_at_checked(2).unwrap_or_default();
        self.folder.join(folder).join(name)
    }

    fn load(&self, key: &Key) -> Option<Vec<f32>> {
        let path = self.path(key);
        let vector = read(key, &fs::read(&path).ok()?)?;
        // Used just now; where that cannot be noted, it goes earlier.
        if let Ok(file) = fs::File::options().write(true).open(&path) {
            drop(file.set_modified(SystemTime::now()));
        }
        Some(vector)
    }

    fn save(&self, key: &Key, vector: &[f32]) -> io::Result<()> {
        let path = self.path(key);
        let bytes = written(key, vector);
        let folder = path.parent().unwrap_or(&self.folder);
        fs::create_dir_all(folder)?;
        // By chance, because programs in containers that share a folder may have the same number.
        let unfinished = folder.join(format!("{:032x}.{TEMPORARY}", fastrand::u128(..)));
        let done = fs::write(&unfinished, &bytes).and_then(|()| fs::rename(&unfinished, &path));
        if done.is_err() {
            drop(fs::remove_file(&unfinished));
            return done;
        }
        self.bound(bytes.len() as u64);
        Ok(())
    }

    /// Sees to the limit, now that there are so many bytes more.
    fn bound(&self, more: u64) {
        let mut added = self.shared.added.lock().unwrap_or_else(PoisonError::into_inner);
        let sum = added.map(|it| Added { since: it.since + more, ..it });
        let look =
            sum.is_none_or(|it| it.known + it.since > self.max_bytes || it.since > self.max_bytes / 16);
        *added = if look { Some(Added { known: self.evict(), since: 0 }) } else { sum };
    }

    /// Takes away what was used longest ago, until a tenth of the limit is free; gives how many bytes are left.
    fn evict(&self) -> u64 {
        let mut entries = self.entries();
        let mut size: u64 = entries.iter().map(|entry| entry.bytes).sum();
        if size <= self.max_bytes {
            return size;
        }
        entries.sort_unstable_by_key(|entry| entry.used);
        for entry in entries {
            if size <= self.max_bytes / 10 * 9 {
                break;
            }
            // Whoever else has taken it away has made the same room.
            drop(fs::remove_file(&entry.path));
            size = size.saturating_sub(entry.bytes);
        }
        size
    }

    /// All vectors. Unfinished files are taken away where they are old.
    fn entries(&self) -> Vec<Entry> {
        let folders = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let files = folders.filter_map(|folder| fs::read_dir(folder.path()).ok()).flatten().flatten();
        let now = SystemTime::now();
        let entries = files.filter_map(|file| {
            let (path, about) = (file.path(), file.metadata().ok()?);
            let used = about.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            if path.extension().is_some_and(|it| it == TEMPORARY) {
                let ours = path.parent().and_then(Path::file_name).is_some_and(|it| it.len() == 2);
                if ours && now.duration_since(used).is_ok_and(|age| age > UNFINISHED) {
                    drop(fs::remove_file(&path));
                }
                return None;
            }
            (about.is_file() && is_ours(&path)).then_some(Entry { path, bytes: about.len(), used })
        });
        entries.collect()
    }
}

/// Whether a file is called as vectors are: nothing else in the folder is touched.
fn is_ours(path: &Path) -> bool {
    let name = |path: &Path| path.file_name().and_then(|it| it.to_str()).unwrap_or_default().to_owned();
    let name = path.parent().map(name).unwrap_or_default() + &name(path);
    name.len() == 64 && name.bytes().all(|it| it.is_ascii_hexdigit())
}

struct Entry {
    path: PathBuf,
    bytes: u64,
    used: SystemTime,
}
