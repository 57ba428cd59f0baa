use crate::{
    error::{Error, ErrorKind, Result},
    message::Msg,
    state::{
        AgentState, Change, InboxSeq, SessionFilter, SessionKey, StateStore, Stored, Version,
        session::{Session, conflict, exists, not_found},
    },
};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::{
    collections::HashMap,
    fs::{self, File, OpenOptions},
    io::{BufRead, BufReader, ErrorKind as Io, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

/// A store in files, for tests of what a process leaves behind when it is killed.
///
/// Each conversation is one file to which lines of JSON are added. What a call wrote is with the operating system when the call
/// returns: it survives `kill -9` at any instant, but not a loss of power, since nothing is synced to the disk. A line that
/// was cut by a kill never happened: it is ignored, and cut off by the next write. A directory may be shared by several
/// processes; a lock on the file `.lock` in it, which the system lifts when a process dies, lets one write at a time, so that
/// of several commits for one version exactly one wins.
///
/// It is no store for production: loading is as slow as the history is long. Work in files is done on the blocking pool, on one
/// thread a store.
///
/// ```
/// use agentscope_core::{Change, Msg, SessionKey, StateStore, Version, testing::FileStore};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// # let place = tempfile::tempdir()?; let dir = place.path();
/// let key = SessionKey::new("chat-1").user("alice");
/// FileStore::new(dir).commit(&key, Version(0), &[Change::message(Msg::user("hi"))]).await?;
///
/// let after_a_restart = FileStore::new(dir).load(&key).await?.unwrap();
/// assert_eq!((after_a_restart.version, after_a_restart.state.context.len()), (Version(1), 1));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct FileStore {
    dir: Arc<Path>,
    /// Held while a thread works for this store.
    ends: Arc<tokio::sync::Mutex<Ends>>,
}

/// How the files ended that this store wrote last, so that adding to a long one does not need to read it.
type Ends = HashMap<PathBuf, End>;

/// The end of a file.
#[derive(Clone, Copy, Debug, Default)]
struct End {
    /// Of the last whole line; 0 where there is none.
    at: u64,
    written: Option<SystemTime>,
    version: Version,
    heard: InboxSeq,
}

/// Longest name of a file before it is shortened to a hash, in bytes; file systems take 255.
const NAME_LIMIT: usize = 200;

/// A line of a file. Exactly the first is a `Key`.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Line {
    Key {
        key: SessionKey,
    },
    Commit {
        commit: Version,
        changes: Vec<Change>,
    },
    /// Messages, of which the last has the place `inbox`.
    Inbox {
        inbox: InboxSeq,
        msgs: Vec<Arc<Msg>>,
    },
    /// The state from this version on, after a rewind and at the beginning of a fork.
    Replace {
        replace: Version,
        state: Box<AgentState>,
    },
}

impl FileStore {
    /// A store in the directory `dir`, which is made when it is first needed.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into().into(), ends: Arc::default() }
    }

    /// Runs `work` on the blocking pool while no other thread or process is in the directory. Once it runs it runs to its end,
    /// whoever stops waiting.
    async fn locked<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Path, &mut Ends) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let mut ends = Arc::clone(&self.ends).lock_owned().await;
        let dir = Arc::clone(&self.dir);
        let done = tokio::task::spawn_blocking(move || {
            fs::create_dir_all(&dir).map_err(|error| failed("make", &dir, error))?;
            let path = dir.join(".lock");
            let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
            let lock = lock.map_err(|error| failed("open", &path, error))?;
            lock.lock().map_err(|error| failed("lock", &path, error))?; // until `lock` is closed
            work(&dir, &mut ends)
        });
        done.await
            .map_err(|error| Error::new(ErrorKind::Internal, "the file store failed").with_source(error))?
    }
}

#[async_trait]
impl StateStore for FileStore {
    async fn load(&self, key: &SessionKey) -> Result<Option<Stored>> {
        let key = key.clone();
        self.locked(move |dir, _| Ok(read(&dir.join(file_name(&key)), &key)?.0.map(|it| it.stored()))).await
    }

    async fn commit(&self, key: &SessionKey, expected: Version, changes: &[Change]) -> Result<Version> {
        let (key, changes) = (key.clone(), changes.to_vec());
        self.locked(move |dir, ends| {
            let path = dir.join(file_name(&key));
            let mut end = end_of(&path, &key, ends)?;
            if end.version != expected {
                return Err(conflict(&key, expected, end.version));
            }
            end.version.0 += 1;
            append(&path, &key, end, &Line::Commit { commit: end.version, changes }, ends)?;
            Ok(end.version)
        })
        .await
    }

    async fn enqueue(&self, key: &SessionKey, msgs: &[Arc<Msg>]) -> Result<InboxSeq> {
        let (key, msgs) = (key.clone(), msgs.to_vec());
        self.locked(move |dir, ends| {
            let path = dir.join(file_name(&key));
            let mut end = end_of(&path, &key, ends)?;
            end.heard.0 += msgs.len() as u64;
            append(&path, &key, end, &Line::Inbox { inbox: end.heard, msgs }, ends)?;
            Ok(end.heard)
        })
        .await
    }

    async fn list(&self, filter: &SessionFilter) -> Result<Vec<SessionKey>> {
        let filter = filter.clone();
        self.locked(move |dir, _| {
            let mut keys = Vec::new();
            for entry in fs::read_dir(dir).map_err(|error| failed("list", dir, error))? {
                let path = entry.map_err(|error| failed("list", dir, error))?.path();
                if path.extension().is_some_and(|extension| extension == "jsonl") {
                    keys.extend(key_in(&path)?.filter(|key| filter.matches(key)));
                }
            }
            keys.sort();
            Ok(keys)
        })
        .await
    }

    async fn fork(&self, from: &SessionKey, to: &SessionKey) -> Result<()> {
        let (from, to) = (from.clone(), to.clone());
        self.locked(move |dir, ends| {
            let original = read(&dir.join(file_name(&from)), &from)?.0.ok_or_else(|| not_found(&from))?;
            let path = dir.join(file_name(&to));
            let end = end_of(&path, &to, ends)?;
            if end.at > 0 {
                return Err(exists(&to));
            }
            let copy = original.fork(&to).stored();
            let line = Line::Replace { replace: copy.version, state: Box::new(copy.state) };
            append(&path, &to, End { version: copy.version, ..end }, &line, ends)
        })
        .await
    }

    async fn rewind(&self, key: &SessionKey, to: Version) -> Result<Version> {
        let key = key.clone();
        self.locked(move |dir, ends| {
            let path = dir.join(file_name(&key));
            let session = read(&path, &key)?.0.ok_or_else(|| not_found(&key))?;
            let mut end = end_of(&path, &key, ends)?;
            end.version.0 += 1;
            let line = Line::Replace { replace: end.version, state: Box::new(session.at(to)?) };
            append(&path, &key, end, &line, ends)?;
            Ok(end.version)
        })
        .await
    }

    async fn delete(&self, key: &SessionKey) -> Result<bool> {
        let key = key.clone();
        self.locked(move |dir, ends| {
            let path = dir.join(file_name(&key));
            let was_there = end_of(&path, &key, ends)?.at > 0;
            ends.remove(&path);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != Io::NotFound => Err(failed("remove", &path, error)),
                _ => Ok(was_there),
            }
        })
        .await
    }
}

/// The conversation in a file, if there is one, and where its last whole line ends.
fn read(path: &Path, key: &SessionKey) -> Result<(Option<Session>, u64)> {
    let text = match fs::read(path) {
        Err(error) if error.kind() == Io::NotFound => Vec::new(),
        text => text.map_err(|error| failed("read", path, error))?,
    };
    let (mut session, mut end) = (None, 0);
    for (at, line) in text.split_inclusive(|byte| *byte == b'\n').enumerate() {
        if !line.ends_with(b"\n") {
            break; // a kill cut it: it never happened
        }
        let folded = serde_json::from_slice(line).map_err(Error::from);
        let folded = folded.and_then(|line| fold(&mut session, key, line));
        folded.map_err(|error| error.context(format_args!("line {} of {}", at + 1, path.display())))?;
        end += line.len() as u64;
    }
    Ok((session, end))
}

fn fold(session: &mut Option<Session>, key: &SessionKey, line: Line) -> Result<()> {
    let as_told = match (session.as_mut(), line) {
        (None, Line::Key { key: found }) if found == *key => {
            *session = Some(Session::new(key));
            true
        }
        (Some(session), Line::Commit { commit, changes }) => session.commit(changes) == commit,
        (Some(session), Line::Inbox { inbox, msgs }) => session.enqueue(&msgs) == inbox,
        (Some(session), Line::Replace { replace, state }) => session.replace(*state) == replace,
        _ => false,
    };
    let message = "it does not follow from what is before it: remove the file";
    if as_told { Ok(()) } else { Err(Error::new(ErrorKind::Internal, message)) }
}

/// How a file ends: as this store knows if nobody else wrote it since, otherwise as it reads.
fn end_of(path: &Path, key: &SessionKey, ends: &Ends) -> Result<End> {
    let found = fs::metadata(path).ok().map(|it| (it.len(), it.modified().ok()));
    if let (Some(end), Some((len, written))) = (ends.get(path), found)
        && (end.at, end.written) == (len, written)
    {
        return Ok(*end);
    }
    let (session, at) = read(path, key)?;
    let (version, heard) = session.map_or_else(Default::default, |it| (it.version(), it.last_heard()));
    Ok(End { at, written: None, version, heard })
}

/// Adds a line in one write, which makes the file end like `end`. What a kill left of an earlier line is cut off first.
fn append(path: &Path, key: &SessionKey, mut end: End, line: &Line, ends: &mut Ends) -> Result<()> {
    let mut text = Vec::new();
    if end.at == 0 {
        serde_json::to_writer(&mut text, &Line::Key { key: key.clone() })?;
        text.push(b'\n');
    }
    serde_json::to_writer(&mut text, line)?;
    text.push(b'\n');
    let write = || {
        let mut file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
        file.set_len(end.at)?;
        file.seek(SeekFrom::Start(end.at))?;
        file.write_all(&text).inspect_err(|_| {
            let _ = file.set_len(end.at); // a full disk: a part of a line is none
        })?;
        Ok(file.metadata()?.modified().ok())
    };
    end.written = write().map_err(|error| failed("write", path, error))?;
    end.at += text.len() as u64;
    ends.insert(path.to_owned(), end);
    Ok(())
}

/// The key in the first line of a file, if that is whole.
fn key_in(path: &Path) -> Result<Option<SessionKey>> {
    let mut text = Vec::new();
    let read = File::open(path).and_then(|file| BufReader::new(file).read_until(b'\n', &mut text));
    read.map_err(|error| failed("read", path, error))?;
    if !text.ends_with(b"\n") {
        return Ok(None);
    }
    match serde_json::from_slice(&text).map_err(|error| Error::from(error).context(path.display()))? {
        Line::Key { key } => Ok(Some(key)),
        _ => Ok(None),
    }
}

/// The name of a conversation's file: the parts of the key, all but lower-case letters, digits, `-` and `_` as `%` and two
/// hexadecimal digits, so that keys which differ in case alone do not meet on systems that ignore it. A long name is cut and
/// ends in a hash (FNV-1a, 128 bits, <http://www.isthe.com/chongo/tech/comp/fnv/>) of the whole.
fn file_name(key: &SessionKey) -> String {
    let mut name = String::new();
    for part in [&key.tenant, &key.user, &key.agent, &key.session] {
        for byte in part.bytes() {
            match byte {
                b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => name.push(char::from(byte)),
                other => name.push_str(&format!("%{other:02x}")),
            }
        }
        name.push('.');
    }
    if name.len() > NAME_LIMIT {
        let hash = name.bytes().fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d_u128, |hash, byte| {
            (hash ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b)
        });
        name.truncate(NAME_LIMIT / 2); // all of it is ASCII
        name.push_str(&format!("~{hash:032x}."));
    }
    name + "jsonl"
}

fn failed(what: &str, path: &Path, error: std::io::Error) -> Error {
    Error::from(error).context(format_args!("cannot {what} {}", path.display()))
}

#[cfg(test)]
mod tests;
