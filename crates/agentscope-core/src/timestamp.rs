//! When something happened.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// A moment, in milliseconds since 1970 in UTC.
///
/// Written as RFC 3339 in UTC (`2026-11-20T07:41:54.120Z`). What AgentScope 1.x wrote (`2026-11-20 07:41:54.120`, without
/// a zone, read as UTC) or 2.x (any RFC 3339) is written back as it was read.
///
/// ```
/// use agentscope_core::Timestamp;
///
/// let from_python: Timestamp = serde_json::from_str(r#""2026-11-20 07:41:54.120""#)?;
/// assert_eq!(from_python.unix_millis() % 1000, 120);
/// assert_eq!(serde_json::to_string(&from_python)?, r#""2026-11-20 07:41:54.120""#);
/// # Ok::<_, serde_json::Error>(())
/// ```
#[derive(Clone)]
pub struct Timestamp {
    unix_millis: i64,
    /// The text that was read, where ours would be another.
    as_read: Option<Box<str>>,
}

/// 0000-01-01T00:00:00.000Z
const EARLIEST: i64 = -62_167_219_200_000;

/// 9999-12-31T23:59:59.999Z
const LATEST: i64 = 253_402_300_799_999;

impl Timestamp {
    /// This moment.
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Self::from_unix_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    /// The moment so many milliseconds after 1970-01-01T00:00:00Z; the nearest in the years 0 to 9999, which RFC 3339 can write.
    pub fn from_unix_millis(unix_millis: i64) -> Self {
        Self { unix_millis: unix_millis.clamp(EARLIEST, LATEST), as_read: None }
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub fn unix_millis(&self) -> i64 {
        self.unix_millis
    }

    fn parse(text: &str) -> Option<Self> {
        let moment = match chrono::DateTime::parse_from_rfc3339(text) {
            Ok(moment) => moment.to_utc(),
            Err(_) => ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f"]
                .iter()
                .find_map(|format| chrono::NaiveDateTime::parse_from_str(text, format).ok())?
                .and_utc(),
        };
        let mut parsed = Self::from_unix_millis(moment.timestamp_millis());
        parsed.as_read = Some(text).filter(|text| parsed.to_string() != **text).map(Box::from);
        Some(parsed)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(text) = &self.as_read {
            return f.write_str(text);
        }
        match chrono::DateTime::from_timestamp_millis(self.unix_millis) {
            Some(moment) => write!(f, "{}", moment.format("%Y-%m-%dT%H:%M:%S%.3fZ")),
            None => write!(f, "{} ms after 1970", self.unix_millis),
        }
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl PartialEq for Timestamp {
    fn eq(&self, other: &Self) -> bool {
        self.unix_millis == other.unix_millis
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text)
            .ok_or_else(|| de::Error::custom(format!("`{text}` is no time: write it as RFC 3339")))
    }
}
