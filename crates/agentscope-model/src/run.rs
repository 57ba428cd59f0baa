//! A directory for a run of the program, with a log of what its models were asked and what they answered.

mod folded;
mod logged;
mod redact;
mod writer;

pub use logged::Logged;
pub use writer::RunSummary;

use agentscope_core::{ChatModel, Error, ErrorKind, Result, Secret, Timestamp};
use redact::Redaction;
use serde_json::json;
use std::{
    fmt,
    fs::{DirBuilder, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread::{Builder, JoinHandle},
};
use writer::{Queue, Record, write_all};

/// How often a new name is tried where one is taken.
const TRIES: u32 = 16;

/// Letters and digits of the random part of a run's name.
const RANDOM: usize = 6;

/// A directory for one run of a program. There is none unless you create it, and nothing is logged but the calls of the models
/// that went through [`log`](Self::log).
///
/// ```text
/// runs/run_20261120-133029_k3x9az/      as AgentScope 0.x names it; the time is in UTC
/// ├── .config                           the run: its id, when it began, process, program
/// ├── invoke/000001_gpt-4o.json         one file for each call of a model
/// ├── file/                             for files of your own
/// └── summary.json                      when it ends: how many calls were written, dropped, failed to be written
/// ```
///
/// Calls are written by a thread of its own. At most 256 wait for it: a call is never kept waiting by the log, and what finds no
/// place is counted in the [`RunSummary`].
///
/// What is written is read by people, so keys are taken out of it: what looks like one of a known provider, bearer tokens, the
/// values of environment variables whose names end with `KEY`, `TOKEN`, `SECRET` or `PASSWORD`, and what
/// [`redact`](Self::redact) names. The conversation itself is in it, so nobody but you can read the files (0600).
///
/// ```
/// use agentscope_core::{ChatModel, Context, ModelCard, ModelRequest, Msg, model_fn};
/// use agentscope_model::RunDir;
/// use futures_util::StreamExt;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// # let parent = tempfile::tempdir()?; let parent = parent.path();
/// let run = RunDir::create(parent)?;
/// let model = run.log(model_fn(ModelCard::new("yes"), |_| async { Ok("Yes.") }));
/// let request = ModelRequest::new([Msg::user("My key is sk-1234567890abcdef, is it good?")]);
/// model.call(request, Context::new()).collect::<Vec<_>>().await;
///
/// let file = run.path().join("invoke/000001_yes.json");
/// assert_eq!(run.close().await?.written, 1);
/// let logged = std::fs::read_to_string(file)?;
/// assert!(logged.contains("My key is sk-***, is it good?") && logged.contains("Yes."));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct RunDir(Arc<Shared>);

struct Shared {
    path: PathBuf,
    id: String,
    queue: Arc<Queue>,
    redaction: Arc<Redaction>,
    writer: Mutex<Option<JoinHandle<RunSummary>>>,
}

impl RunDir {
    /// Makes a new directory in `parent`, which is made too if need be, and starts the thread that writes into it. It does so at
    /// once, so do it when the program starts.
    ///
    /// # Errors
    /// What the file system says, with the path.
    pub fn create(parent: impl AsRef<Path>) -> Result<Self> {
        let parent = parent.as_ref();
        let failed = |error: io::Error, path: &Path| {
            Error::from(error).context(format!("run directory {}", path.display()))
        };
        private_directory().recursive(true).create(parent).map_err(|error| failed(error, parent))?;
        let now = Timestamp::now();
        let mut tries = 0;
        let (id, path) = loop {
            let id = name(&now);
            let path = parent.join(&id);
            match private_directory().create(&path) {
                Ok(()) => break (id, path),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && tries < TRIES => tries += 1,
                Err(error) => return Err(failed(error, &path)),
            }
        };
        for folder in ["invoke", "file"] {
            let folder = path.join(folder);
            private_directory().create(&folder).map_err(|error| failed(error, &folder))?;
        }
        let program = std::env::current_exe().ok();
        let program = program.as_deref().and_then(Path::file_stem).map(|name| name.to_string_lossy());
        let config = json!({
            "run_id": id,
            "timestamp": now,
            "pid": std::process::id(),
            "program": program,
            "agentscope": env!("CARGO_PKG_VERSION"),
        });
        write_private(&path.join(".config"), &config).map_err(|error| failed(error, &path))?;

        let (queue, redaction) = (Arc::new(Queue::new()), Arc::new(Redaction::of_environment()));
        let (from, by, into) = (Arc::clone(&queue), Arc::clone(&redaction), path.clone());
        let writer = Builder::new()
            .name("agentscope-run".to_owned())
            .spawn(move || write_all(&from, &by, &into))
            .map_err(|error| failed(error, &path))?;
        Ok(Self(Arc::new(Shared { path, id, queue, redaction, writer: Mutex::new(Some(writer)) })))
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// What the run is called, such as `run_20261120-133029_k3x9az`.
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// The directory for files of your own.
    pub fn files(&self) -> PathBuf {
        self.0.path.join("file")
    }

    /// A secret that is taken out of what is written from now on, beside those that are recognized. One of less than four bytes
    /// is in any text, and stays.
    #[must_use]
    pub fn redact(self, secret: impl Into<Secret>) -> Self {
        self.0.redaction.add(&secret.into());
        self
    }

    /// At most so many calls wait to be written (256).
    #[must_use]
    pub fn most_waiting(self, calls: usize) -> Self {
        self.0.queue.most_waiting(calls);
        self
    }

    /// The same model, with each call written into `invoke/`.
    pub fn log<M: ChatModel>(&self, model: M) -> Logged<M> {
        Logged::new(model, self.clone())
    }

    /// Ends the log: waits until all that waits is written, and says what was. Calls that end later are not written. Without it, what waits is still written when the last clone and the last model of the run are dropped, as long as
    /// the program goes on.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] if it was closed before, [`ErrorKind::Internal`] if the thread that writes has panicked.
    pub async fn close(&self) -> Result<RunSummary> {
        self.0.queue.close();
        let writer = self.0.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(writer) = writer else {
            return Err(Error::new(ErrorKind::Conflict, "the run is closed already: close it once"));
        };
        match tokio::task::spawn_blocking(move || writer.join()).await {
            Ok(Ok(summary)) => Ok(summary),
            _ => {
                Err(Error::new(ErrorKind::Internal, "the thread that writes the log of the run has panicked"))
            }
        }
    }

    fn number(&self) -> u64 {
        self.0.queue.number()
    }

    fn write(&self, record: Record) {
        self.0.queue.push(record);
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.queue.close();
    }
}

impl fmt::Debug for RunDir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RunDir").field(&self.0.path).finish()
    }
}

/// `run_%Y%m%d-%H%M%S_` and six letters or digits.
fn name(now: &Timestamp) -> String {
    let digits: String = now.to_string().chars().filter(char::is_ascii_digit).take(14).collect();
    let (date, time) = digits.split_at(digits.len().min(8));
    let random: String = std::iter::repeat_with(|| fastrand::char('0'..='z'))
        .filter(|it| it.is_ascii_digit() || it.is_ascii_lowercase())
        .take(RANDOM)
        .collect();
    format!("run_{date}-{time}_{random}")
}

fn private_directory() -> DirBuilder {
    #[cfg_attr(not(unix), allow(unused_mut, reason = "there are no modes"))]
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

fn write_private(path: &Path, value: &serde_json::Value) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file: File = options.open(path)?;
    let mut json = serde_json::to_vec_pretty(value)?;
    json.push(b'\n');
    file.write_all(&json)
}
