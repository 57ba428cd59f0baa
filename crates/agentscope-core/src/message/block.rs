use super::{Extra, Map, Msg, ToolCall, ToolResult, read};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Value;
use std::sync::Arc;

/// A piece of a message.
///
/// ```
/// use agentscope_core::ContentBlock;
///
/// // What a newer version wrote is carried along.
/// let hologram: ContentBlock = serde_json::from_str(r#"{"type":"hologram","depth":3}"#)?;
/// assert_eq!(serde_json::to_string(&hologram)?, r#"{"type":"hologram","depth":3}"#);
///
/// // A known block with wrong fields is an error, not something unknown.
/// let error = serde_json::from_str::<ContentBlock>(r#"{"type":"text","txt":"hi"}"#).unwrap_err();
/// assert!(error.to_string().contains("missing field `text`"));
/// # Ok::<_, serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum ContentBlock {
    /// Words.
    Text {
        /// The words.
        text: String,
        /// Further fields, such as a provider's `thought_signature`.
        #[serde(flatten)]
        extra: Extra,
    },
    /// What a model thought before it spoke. It stays with the agent.
    Thinking {
        /// The thought, or its summary.
        thinking: String,
        /// Further fields, such as a provider's `signature`, to be sent back unchanged.
        #[serde(flatten)]
        extra: Extra,
    },
    /// A model asks for a tool to be run.
    #[serde(rename = "tool_use", alias = "tool_call")]
    ToolCall(ToolCall),
    /// What a tool answered.
    ToolResult(ToolResult),
    /// A picture.
    Image(Media),
    /// A sound.
    Audio(Media),
    /// A film.
    Video(Media),
    /// Any other file.
    File(Media),
    /// What the program tells the model in between; no one else sees it.
    Hint {
        /// The words, written to the model as from the user.
        #[serde(alias = "hint", deserialize_with = "read::text")]
        text: String,
        /// Further fields.
        #[serde(flatten)]
        extra: Extra,
    },
    /// A message that the agent heard while it worked on this reply, in the place where it heard it.
    Heard(Arc<Msg>),
    /// A block of a type that this version does not know, or media from a source that it does not know, whole.
    #[serde(skip)]
    Other(Value),
}

/// The types of block that this version knows, as JSON names them.
const KNOWN: [&str; 11] = [
    "text",
    "thinking",
    "tool_use",
    "tool_call",
    "tool_result",
    "image",
    "audio",
    "video",
    "file",
    "hint",
    "heard",
];

impl ContentBlock {
    /// Words.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text { text: text.into(), extra: Extra::default() }
    }

    /// A thought.
    pub fn thinking(thinking: impl Into<String>) -> Self {
        Self::Thinking { thinking: thinking.into(), extra: Extra::default() }
    }

    /// What lies at a web address or in a local file, by its extension: an image, a sound, a video or a file.
    pub fn url(url: impl Into<String>) -> Self {
        Media::url(url).into()
    }

    /// Whether these are words.
    pub fn is_text(&self) -> bool {
        matches!(self, Self::Text { .. })
    }

    /// The picture, sound, film or file, if it is one.
    pub fn media(&self) -> Option<&Media> {
        match self {
            Self::Image(media) | Self::Audio(media) | Self::Video(media) | Self::File(media) => Some(media),
            _ => None,
        }
    }

    /// The fields beside the known ones, where the block can have such.
    pub fn extra(&self) -> Option<&Extra> {
        match self {
            Self::Text { extra, .. } | Self::Thinking { extra, .. } | Self::Hint { extra, .. } => Some(extra),
            Self::ToolCall(call) => Some(&call.extra),
            Self::ToolResult(result) => Some(&result.extra),
            Self::Image(media) | Self::Audio(media) | Self::Video(media) | Self::File(media) => {
                Some(&media.extra)
            }
            Self::Heard(_) | Self::Other(_) => None,
        }
    }

    /// The same, to change them.
    pub fn extra_mut(&mut self) -> Option<&mut Extra> {
        match self {
            Self::Text { extra, .. } | Self::Thinking { extra, .. } | Self::Hint { extra, .. } => Some(extra),
            Self::ToolCall(call) => Some(&mut call.extra),
            Self::ToolResult(result) => Some(&mut result.extra),
            Self::Image(media) | Self::Audio(media) | Self::Video(media) | Self::File(media) => {
                Some(&mut media.extra)
            }
            Self::Heard(_) | Self::Other(_) => None,
        }
    }
}

impl Serialize for ContentBlock {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Other(value) => value.serialize(serializer),
            known => Self::serialize(known, serializer),
        }
    }
}

impl<'de> Deserialize<'de> for ContentBlock {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut fields = Map::deserialize(deserializer)?;
        let Some(kind) = fields.get("type").and_then(Value::as_str) else {
            return Err(de::Error::custom("a content block needs a `type`"));
        };
        let kind = match kind {
            "data" if !has_unknown_source(&fields) => data_kind(&fields), // 2.x has one block for all media
            "image" | "audio" | "video" | "file" if has_unknown_source(&fields) => {
                return Ok(Self::Other(Value::Object(fields)));
            }
            known if KNOWN.contains(&known) => known.to_owned(),
            _ => return Ok(Self::Other(Value::Object(fields))),
        };
        fields.insert("type".into(), Value::String(kind.clone()));
        Self::deserialize(Value::Object(fields))
            .map_err(|error| de::Error::custom(format!("block `{kind}`: {error}")))
    }
}

/// Whether media come from somewhere that only a newer version knows.
fn has_unknown_source(fields: &Map) -> bool {
    let kind = fields.get("source").and_then(|source| source.get("type")).and_then(Value::as_str);
    kind.is_some_and(|kind| !["base64", "url"].contains(&kind))
}

fn data_kind(fields: &Map) -> String {
    let media_type = fields.get("source").and_then(|source| source.get("media_type")).and_then(Value::as_str);
    match media_type.and_then(|it| it.split('/').next()) {
        Some(kind @ ("image" | "audio" | "video")) => kind.to_owned(),
        _ => "file".to_owned(),
    }
}

impl From<&str> for ContentBlock {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<String> for ContentBlock {
    fn from(text: String) -> Self {
        Self::text(text)
    }
}

impl From<ToolCall> for ContentBlock {
    fn from(call: ToolCall) -> Self {
        Self::ToolCall(call)
    }
}

impl From<ToolResult> for ContentBlock {
    fn from(result: ToolResult) -> Self {
        Self::ToolResult(result)
    }
}

/// A picture, sound, film or file: where it is, or its bytes.
///
/// ```
/// use agentscope_core::Media;
/// assert_eq!(Media::url("https://example.org/cat.webp?size=2").media_type(), "image/webp");
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Media {
    /// Where it is, or its bytes.
    pub source: Source,
    /// What the file is called, for people and models.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Further fields.
    #[serde(flatten)]
    pub extra: Extra,
}

/// Where media come from.
///
/// ```
/// use agentscope_core::{Media, Source};
/// assert!(matches!(Media::base64("image/png", "iVBORw0KGgo=").source, Source::Base64 { .. }));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Source {
    /// The bytes themselves.
    Base64 {
        /// Such as `image/png`.
        media_type: String,
        /// The bytes in base64 (RFC 4648, section 4).
        data: String,
    },
    /// A place.
    Url {
        /// A web address, a `file:` address or the path of a local file.
        url: String,
        /// Such as `image/png`; guessed from the extension where it is not given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        media_type: Option<String>,
    },
}

impl Media {
    /// What lies at a web address, a `file:` address or a local path.
    pub fn url(url: impl Into<String>) -> Self {
        Self::from(Source::Url { url: url.into(), media_type: None })
    }

    /// Bytes in base64, such as a `media_type` of `image/png`.
    pub fn base64(media_type: impl Into<String>, data: impl Into<String>) -> Self {
        Self::from(Source::Base64 { media_type: media_type.into(), data: data.into() })
    }

    /// The media type, told or guessed by the extension; `application/octet-stream` where nothing tells.
    pub fn media_type(&self) -> &str {
        match &self.source {
            Source::Base64 { media_type, .. } | Source::Url { media_type: Some(media_type), .. } => {
                media_type
            }
            Source::Url { url, .. } => guess(url),
        }
    }

    /// Whether the bytes are here.
    pub(super) fn is_inline(&self) -> bool {
        matches!(self.source, Source::Base64 { .. })
    }

    /// The path, if it is a local file.
    pub fn local_path(&self) -> Option<&str> {
        let Source::Url { url, .. } = &self.source else { return None };
        match url.split_once(':') {
            Some(("file", rest)) => {
                Some(rest.strip_prefix("//localhost").or(rest.strip_prefix("//")).unwrap_or(rest))
            }
            // One letter before the colon is a drive of Windows.
            Some((scheme, _))
                if scheme.len() > 1 && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()) =>
            {
                None
            }
            _ => Some(url),
        }
    }
}

impl From<Source> for Media {
    fn from(source: Source) -> Self {
        Self { source, name: None, extra: Extra::default() }
    }
}

/// The media type by the extension of a path or of a web address.
fn guess(url: &str) -> &'static str {
    let path = url.split(['?', '#']).next().unwrap_or(url);
    let extension = path.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    match extension.as_deref().unwrap_or_default() {
        "png" => "image/png",
        "jpg" | "jpeg" | "jfif" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "bmp" => "image/bmp",
        "svg" => "image/svg+xml",
        "tif" | "tiff" => "image/tiff",
        "heic" => "image/heic",
        "wav" => "audio/wav",
        "mp3" => "audio/mpeg",
        "ogg" | "oga" => "audio/ogg",
        "flac" => "audio/flac",
        "m4a" => "audio/mp4",
        "aac" => "audio/aac",
        "opus" => "audio/opus",
        "mp4" | "m4v" => "video/mp4",
        "webm" => "video/webm",
        "mov" => "video/quicktime",
        "mkv" => "video/x-matroska",
        "avi" => "video/x-msvideo",
        "mpeg" | "mpg" => "video/mpeg",
        "pdf" => "application/pdf",
        "json" => "application/json",
        "txt" | "md" => "text/plain",
        "csv" => "text/csv",
        "html" | "htm" => "text/html",
        _ => "application/octet-stream",
    }
}
