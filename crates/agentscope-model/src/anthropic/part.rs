//! The blocks of a message on the wire.

use crate::conversation::{Part, Place, unseen_file};
use agentscope_core::Map;
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Serialize;
use std::borrow::Cow;

/// A block of a message's content.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Kind<'a> {
    Text {
        text: Cow<'a, str>,
    },
    Image {
        source: Source<'a>,
    },
    Document {
        source: Source<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        title: Option<&'a str>,
    },
    Thinking {
        thinking: &'a str,
        signature: &'a str,
    },
    RedactedThinking {
        data: &'a str,
    },
    ToolUse {
        id: Cow<'a, str>,
        name: Cow<'a, str>,
        input: Map,
    },
    ToolResult {
        tool_use_id: Cow<'a, str>,
        content: Vec<Block<'a>>,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        is_error: bool,
    },
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Source<'a> {
    Base64 { media_type: &'a str, data: &'a str },
    Text { media_type: &'static str, data: String },
    Url { url: &'a str },
}

/// A block, and whether the conversation until here is to be kept by the provider.
#[derive(Debug, Serialize)]
pub(super) struct Block<'a> {
    #[serde(flatten)]
    pub(super) kind: Kind<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cache_control: Option<CacheControl>,
}

/// The mark of what is to be kept.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct CacheControl {
    #[serde(rename = "type")]
    kind: &'static str,
}

/// To be kept for five minutes since its last use, as it is without a time.
pub(super) const EPHEMERAL: CacheControl = CacheControl { kind: "ephemeral" };

impl<'a> From<Kind<'a>> for Block<'a> {
    fn from(kind: Kind<'a>) -> Self {
        Self { kind, cache_control: None }
    }
}

impl<'a> Block<'a> {
    /// Words; none if nothing is in them but white space, which the API refuses.
    pub(super) fn text(text: impl Into<Cow<'a, str>>) -> Option<Self> {
        let text = text.into();
        (!text.trim().is_empty()).then(|| Kind::Text { text }.into())
    }

    pub(super) fn of(part: Part<'a>) -> Option<Self> {
        match part {
            Part::Text(text) => Self::text(text),
            Part::Image(place) => {
                let source = match place {
                    Place::Url { url, .. } => Source::Url { url },
                    Place::Data { media_type, data } => Source::Base64 { media_type, data },
                };
                Some(Kind::Image { source }.into())
            }
            Part::File { name, place } => Self::file(name, place),
            // The manners of the provider leave none of these.
            Part::Audio(_) | Part::Video(_) => None,
        }
    }

    /// A document: a PDF, or a text.
    fn file(name: &'a str, place: Place<'a>) -> Option<Self> {
        let title = Some(name).filter(|name| !name.is_empty() && *name != "file");
        let source = match place {
            Place::Url { media_type: "application/pdf", url } => Some(Source::Url { url }),
            Place::Data { media_type: media_type @ "application/pdf", data } => {
                Some(Source::Base64 { media_type, data })
            }
            Place::Data { media_type, data } if is_text(media_type) => {
                let text = STANDARD.decode(data).ok().and_then(|bytes| String::from_utf8(bytes).ok());
                let text = text.filter(|text| !text.trim().is_empty());
                text.map(|data| Source::Text { media_type: "text/plain", data })
            }
            _ => None,
        };
        match source {
            Some(source) => Some(Kind::Document { source, title }.into()),
            None => Self::text(unseen_file("a file", name)),
        }
    }

    pub(super) fn is_thought(&self) -> bool {
        matches!(self.kind, Kind::Thinking { .. } | Kind::RedactedThinking { .. })
    }
}

fn is_text(media_type: &str) -> bool {
    let named = ["application/json", "application/xml", "application/yaml", "application/x-yaml"];
    media_type.starts_with("text/") || named.iter().any(|it| media_type.starts_with(it))
}
