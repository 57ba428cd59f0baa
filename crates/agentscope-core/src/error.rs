//! The one error type: a kind that tells the caller what to do, a sentence for people, and what caused it.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{error::Error as StdError, fmt, sync::Arc, time::Duration};

/// The result of anything in AgentScope that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What failed, for programs and for people.
///
/// It is one pointer wide and cheap to clone. Over a wire travel the kind, the message, the wait before a retry and the
/// text of the causes.
///
/// ```
/// use agentscope_core::{Error, ErrorKind};
/// use std::time::Duration;
///
/// let error = Error::new(ErrorKind::RateLimited, "the model takes 60 requests a minute: wait, or use another model")
///     .with_retry_after(Duration::from_secs(2));
/// let seen_by_peer: Error = serde_json::from_str(&serde_json::to_string(&error)?)?;
/// assert_eq!(seen_by_peer.kind(), ErrorKind::RateLimited);
/// assert!(seen_by_peer.is_retryable());
/// assert_eq!(seen_by_peer.retry_after(), Some(Duration::from_secs(2)));
/// # Ok::<_, serde_json::Error>(())
/// ```
#[derive(Clone)]
pub struct Error(Arc<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    retry_after: Option<Duration>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

/// What the caller of something that failed can do about it.
///
/// ```
/// use agentscope_core::{Error, ErrorKind};
///
/// let error = Error::from(std::io::Error::from(std::io::ErrorKind::NotFound));
/// assert_eq!(error.kind(), ErrorKind::NotFound);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// The request itself is wrong: change it.
    InvalidInput,
    /// Something that was named does not exist.
    NotFound,
    /// A credential is missing, wrong, or not enough.
    Unauthorized,
    /// Too many requests: try again later, see [`Error::retry_after`].
    RateLimited,
    /// A budget, a quota or a queue is used up: raise it or stop.
    Exhausted,
    /// A deadline passed.
    Timeout,
    /// A peer or a service cannot be reached now: try again later.
    Unavailable,
    /// The conversation is longer than the model can take: compact it.
    ContextOverflow,
    /// The other side understood and declined.
    Refused,
    /// A tool failed.
    Tool,
    /// Somebody else changed or holds what was to be changed: load it again.
    Conflict,
    /// A peer sent something that its protocol does not allow.
    Protocol,
    /// A defect on this side, or a kind that this version does not know.
    #[serde(other)]
    Internal,
}

impl Error {
    /// An error of `kind`. The message is lower case, has no full stop and says what to do.
    #[cold] // so that what makes errors lies apart from the code that runs
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Arc::new(Inner { kind, message: message.into(), retry_after: None, source: None }))
    }

    /// Names what caused this error.
    #[must_use]
    pub fn with_source(self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.change(|inner| inner.source = Some(source.into().into()))
    }

    /// Says how long to wait before trying again.
    #[must_use]
    pub fn with_retry_after(self, wait: Duration) -> Self {
        self.change(|inner| inner.retry_after = Some(wait))
    }

    /// Puts `what` and a colon before the message: what was attempted when this happened.
    #[cold]
    #[must_use]
    pub fn context(self, what: impl fmt::Display) -> Self {
        let message = format!("{what}: {}", self.0.message);
        self.change(|inner| inner.message = message)
    }

    fn change(self, change: impl FnOnce(&mut Inner)) -> Self {
        let mut inner = Arc::try_unwrap(self.0).unwrap_or_else(|shared| Inner {
            kind: shared.kind,
            message: shared.message.clone(),
            retry_after: shared.retry_after,
            source: shared.source.clone(),
        });
        change(&mut inner);
        Self(Arc::new(inner))
    }

    /// What the caller can do about it.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The sentence for people, without the causes.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// How long to wait before trying again, where the other side said so.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// Whether the same request may succeed later.
    pub fn is_retryable(&self) -> bool {
        matches!(self.0.kind, ErrorKind::RateLimited | ErrorKind::Timeout | ErrorKind::Unavailable)
    }
}

/// For people too, because `fn main() -> Result<()>` prints it: the message, the kind and the causes.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({:?})", self.0.message, self.0.kind)?;
        let mut next = StdError::source(self);
        while let Some(cause) = next {
            write!(f, "\n  caused by: {cause}")?;
            next = cause.source();
        }
        Ok(())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

impl From<serde_json::Error> for Error {
    fn from(source: serde_json::Error) -> Self {
        Self::new(ErrorKind::InvalidInput, format!("not the expected JSON: {source}")).with_source(source)
    }
}

impl From<std::io::Error> for Error {
    fn from(source: std::io::Error) -> Self {
        use std::io::ErrorKind as Io;
        let kind = match source.kind() {
            Io::NotFound => ErrorKind::NotFound,
            Io::PermissionDenied => ErrorKind::Unauthorized,
            Io::TimedOut => ErrorKind::Timeout,
            Io::ConnectionRefused | Io::ConnectionReset | Io::ConnectionAborted | Io::NotConnected => {
                ErrorKind::Unavailable
            }
            Io::InvalidInput | Io::InvalidData => ErrorKind::InvalidInput,
            _ => ErrorKind::Internal,
        };
        Self::new(kind, source.to_string()).with_source(source)
    }
}

/// An [`Error`] as plain data, the form in which it is kept in a message and sent over a wire.
///
/// ```
/// use agentscope_core::{Error, ErrorKind, Failure};
///
/// let error = Error::new(ErrorKind::Tool, "the search failed").with_source("connection refused");
/// assert_eq!(Failure::from(&error).causes, ["connection refused"]);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Failure {
    /// What the reader can do about it.
    pub kind: ErrorKind,
    /// The sentence for people.
    pub message: String,
    /// Milliseconds to wait before trying again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// The texts of what caused it, nearest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        let mut causes = Vec::new();
        let mut next = StdError::source(error);
        while let Some(cause) = next {
            causes.push(cause.to_string());
            next = cause.source();
        }
        Self {
            kind: error.kind(),
            message: error.message().to_owned(),
            retry_after_ms: error
                .retry_after()
                .map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
            causes,
        }
    }
}

impl From<&Error> for Box<Failure> {
    fn from(error: &Error) -> Self {
        Box::new(error.into())
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let source = failure
            .causes
            .into_iter()
            .rev()
            .fold(None, |source, text| Some(Box::new(Cause { text, source })));
        Self(Arc::new(Inner {
            kind: failure.kind,
            message: failure.message,
            retry_after: failure.retry_after_ms.map(Duration::from_millis),
            source: source.map(|cause| Arc::new(*cause) as _),
        }))
    }
}

impl Serialize for Error {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Failure::from(self).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Error {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Failure::deserialize(deserializer).map(Self::from)
    }
}

/// A cause that was read from a wire: its text is all that is left.
#[derive(Debug)]
struct Cause {
    text: String,
    source: Option<Box<Cause>>,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl StdError for Cause {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|cause| cause as _)
    }
}

/// What a panic said.
pub(crate) fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
    text.unwrap_or("its message is no text")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_pointer_wide() {
        assert_eq!(size_of::<Error>(), size_of::<usize>());
    }

    #[test]
    fn kind_message_wait_and_causes_survive_the_wire() {
        let inner = Error::new(ErrorKind::Unavailable, "connection refused");
        let outer = Error::new(ErrorKind::Tool, "the search failed").with_source(inner);
        let back: Error = serde_json::from_value(serde_json::to_value(&outer).unwrap()).unwrap();
        assert_eq!((back.kind(), back.message()), (ErrorKind::Tool, "the search failed"));
        assert_eq!(back.source().unwrap().to_string(), "connection refused");
        assert!(back.source().unwrap().source().is_none());
    }

    #[test]
    fn an_unknown_kind_is_internal() {
        let failure: Failure = serde_json::from_str(r#"{"kind":"from_the_future","message":"x"}"#).unwrap();
        assert_eq!(failure.kind, ErrorKind::Internal);
    }
}
