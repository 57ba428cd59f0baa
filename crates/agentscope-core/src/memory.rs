//! What lasts beyond a conversation, and places for what is too large for one.

use crate::{error::Result, message::Msg, timestamp::Timestamp};
use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Long-term memory: what an agent knows next month of what it learned today.
///
/// ```
/// use agentscope_core::{Memory, Msg, Recalled, Result};
/// use std::sync::{Arc, Mutex};
///
/// /// Keeps every word, and finds what contains the query.
/// #[derive(Default)]
/// struct Notes(Mutex<Vec<String>>);
///
/// #[async_trait::async_trait]
/// impl Memory for Notes {
///     async fn record(&self, msgs: &[Arc<Msg>]) -> Result<()> {
///         self.0.lock().unwrap().extend(msgs.iter().map(|msg| msg.text()));
///         Ok(())
///     }
///     async fn recall(&self, query: &str, limit: usize) -> Result<Vec<Recalled>> {
///         let notes = self.0.lock().unwrap();
///         let found = notes.iter().enumerate().filter(|(_, note)| note.contains(query));
///         Ok(found.take(limit).map(|(at, note)| Recalled::new(at.to_string(), note, 1.0)).collect())
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let memory = Notes::default();
/// memory.record(&[Msg::user("I like tea").into(), Msg::user("I live in Oslo").into()]).await?;
/// assert_eq!(memory.recall("tea", 5).await?[0].text, "I like tea");
/// # Ok(()) }
/// ```
#[async_trait]
pub trait Memory: Send + Sync + 'static {
    /// Takes in what was said. What is worth keeping is the memory's to decide.
    ///
    /// # Errors
    /// Where nothing could be kept.
    async fn record(&self, msgs: &[Arc<Msg>]) -> Result<()>;

    /// What it knows about `query`, the best first, at most `limit`.
    ///
    /// # Errors
    /// Where it cannot be asked.
    async fn recall(&self, query: &str, limit: usize) -> Result<Vec<Recalled>>;
}

/// Something that a memory knows.
///
/// ```
/// let known = agentscope_core::Recalled::new("note-1", "Alice likes tea", 0.9);
/// assert_eq!(serde_json::to_value(&known)?["text"], "Alice likes tea");
/// # Ok::<_, serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Recalled {
    /// By which it can be forgotten.
    pub id: String,
    /// What it is, in words.
    pub text: String,
    /// How well it fits, from 0 to 1.
    pub score: f32,
    /// When it was learned.
    pub learned: Timestamp,
}

impl Recalled {
    /// Something learned just now.
    pub fn new(id: impl Into<String>, text: impl Into<String>, score: f32) -> Self {
        Self { id: id.into(), text: text.into(), score, learned: Timestamp::now() }
    }
}

/// A place for files: where tools put output that is too long for the conversation, and find it again.
///
/// ```
/// use agentscope_core::{Error, ErrorKind, Result, Workspace};
/// use bytes::Bytes;
/// use std::{collections::BTreeMap, sync::Mutex};
///
/// /// Files in memory.
/// #[derive(Default)]
/// struct Shelf(Mutex<BTreeMap<String, Bytes>>);
///
/// #[async_trait::async_trait]
/// impl Workspace for Shelf {
///     async fn write(&self, path: &str, content: Bytes) -> Result<String> {
///         self.0.lock().unwrap().insert(path.to_owned(), content);
///         Ok(path.to_owned())
///     }
///     async fn read(&self, path: &str) -> Result<Bytes> {
///         let found = self.0.lock().unwrap().get(path).cloned();
///         found.ok_or_else(|| Error::new(ErrorKind::NotFound, format!("there is no file `{path}`")))
///     }
///     async fn list(&self, path: &str) -> Result<Vec<String>> {
///         Ok(self.0.lock().unwrap().keys().filter(|file| file.starts_with(path)).cloned().collect())
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let shelf = Shelf::default();
/// let path = shelf.write("tool-output/c1.txt", "much text".into()).await?;
/// assert_eq!((shelf.read(&path).await?, shelf.list("").await?.len()), (Bytes::from("much text"), 1));
/// # Ok(()) }
/// ```
#[async_trait]
pub trait Workspace: Send + Sync + 'static {
    /// Writes a file and says the path by which the agent's tools find it. `path` is relative and may not leave the place.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidInput`] if the path leaves the place.
    async fn write(&self, path: &str, content: Bytes) -> Result<String>;

    /// Reads a file.
    ///
    /// # Errors
    /// [`crate::ErrorKind::NotFound`] if there is none.
    async fn read(&self, path: &str) -> Result<Bytes>;

    /// The paths of all files below `path`, sorted.
    ///
    /// # Errors
    /// Where the place cannot be read.
    async fn list(&self, path: &str) -> Result<Vec<String>>;
}
