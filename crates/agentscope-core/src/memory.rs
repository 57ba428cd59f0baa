//! What lasts beyond a conversation, and places for what is too large for one.

use crate::{error::Result, message::Msg, timestamp::Timestamp};
use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Long-term memory: what an agent knows next month of what it learned today.
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
