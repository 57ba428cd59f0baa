//! One message on the wire, and the parts of its content.

use super::{decode::EXTRA_CONTENT, encode::Body};
use crate::{
    conversation::{CallIds, Part, Place, arguments, unseen_file},
    http::Ask,
};
use agentscope_core::ContentBlock;
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use std::borrow::Cow;

/// The only files that are taken as they are.
const PDF: &str = "application/pdf";

#[derive(Default, Serialize)]
pub(crate) struct Wire<'a> {
    pub(crate) role: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tool_call_id: Option<Cow<'a, str>>,
    pub(crate) content: WireContent<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reasoning_content: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) tool_calls: Vec<WireCall<'a>>,
}

#[derive(Default)]
pub(crate) enum WireContent<'a> {
    #[default]
    None,
    Text(Cow<'a, str>),
    /// A text that is the only part.
    Part(Cow<'a, str>),
    Parts(Vec<WirePart<'a>>),
}

impl<'a> WireContent<'a> {
    /// The parts, or one text where there is nothing else and the provider wants it so.
    pub(crate) fn of(body: &Body<'a>, parts: Vec<Part<'a>>) -> Self {
        if parts.is_empty() {
            return Self::None;
        }
        let is_text = parts.iter().all(|part| matches!(part, Part::Text(_)));
        if body.ways.names_and_parts || !is_text {
            return Self::Parts(parts.into_iter().map(|part| WirePart::of(&body.ask, part)).collect());
        }
        let texts = parts.into_iter().filter_map(|part| match part {
            Part::Text(text) => Some(text),
            _ => None,
        });
        Self::Text(texts.reduce(|all, text| (all.into_owned() + "\n" + &text).into()).unwrap_or_default())
    }
}

impl Serialize for WireContent<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::None => serializer.serialize_none(),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Part(text) => [WireText::of(text)].serialize(serializer),
            Self::Parts(parts) => serializer.collect_seq(parts),
        }
    }
}

/// A part of a message's content.
pub(crate) enum WirePart<'a> {
    Text(Cow<'a, str>),
    Image(Cow<'a, str>),
    Audio { data: Cow<'a, str>, format: &'static str },
    Video(Cow<'a, str>),
    File { name: &'a str, data: Cow<'a, str> },
}

impl<'a> WirePart<'a> {
    fn of(ask: &Ask<'a>, part: Part<'a>) -> Self {
        match part {
            Part::Text(text) => Self::Text(text),
            Part::Image(place) => Self::Image(place.url()),
            Part::Video(place) => Self::Video(place.url()),
            Part::File { name, place } => Self::file(name, place),
            Part::Audio(Place::Url { url, .. }) => Self::Audio { data: url.into(), format: "wav" },
            Part::Audio(Place::Data { media_type, data }) => {
                // The omni models of Qwen take the data as an address.
                let data = if ask.model().contains("omni") {
                    format!("data:;base64,{data}").into()
                } else {
                    Cow::Borrowed(data)
                };
                Self::Audio { data, format: sound_format(media_type) }
            }
        }
    }

    /// A file as it is if it is a PDF, and its words if it is a text: nothing else is taken.
    fn file(name: &'a str, place: Place<'a>) -> Self {
        let text = match place {
            Place::Url { media_type, .. } | Place::Data { media_type, .. } if media_type == PDF => {
                return Self::File { name, data: place.url() };
            }
            Place::Data { media_type, data } if is_text(media_type) => {
                STANDARD.decode(data).ok().and_then(|bytes| String::from_utf8(bytes).ok())
            }
            _ => None,
        };
        Self::Text(match text.filter(|text| !text.trim().is_empty()) {
            Some(text) => format!("{name}:\n{text}").into(),
            None => unseen_file("a file", name).into(),
        })
    }
}

fn is_text(media_type: &str) -> bool {
    let named = ["application/json", "application/xml", "application/yaml", "application/x-yaml"];
    media_type.starts_with("text/") || named.iter().any(|it| media_type.starts_with(it))
}

fn sound_format(media_type: &str) -> &'static str {
    match media_type {
        "audio/mp3" | "audio/mpeg" => "mp3",
        "audio/ogg" => "ogg",
        "audio/flac" | "audio/x-flac" => "flac",
        "audio/mp4" | "audio/m4a" | "audio/x-m4a" => "m4a",
        "audio/aac" => "aac",
        "audio/pcm" | "audio/l16" => "pcm16",
        _ => "wav",
    }
}

#[derive(Serialize)]
struct WireText<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    text: &'a str,
}

impl<'a> WireText<'a> {
    fn of(text: &'a str) -> Self {
        Self { kind: "text", text }
    }
}

impl Serialize for WirePart<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => WireText::of(text).serialize(serializer),
            Self::Image(url) => json!({"type": "image_url", "image_url": {"url": url}}).serialize(serializer),
            Self::Audio { data, format } => {
                json!({"type": "input_audio", "input_audio": {"data": data, "format": format}})
                    .serialize(serializer)
            }
            Self::Video(url) => json!({"type": "video_url", "video_url": {"url": url}}).serialize(serializer),
            Self::File { name, data } => {
                json!({"type": "file", "file": {"filename": name, "file_data": data}}).serialize(serializer)
            }
        }
    }
}

/// A call on the wire.
#[derive(Serialize)]
pub(crate) struct WireCall<'a> {
    id: Cow<'a, str>,
    #[serde(rename = "type")]
    kind: &'static str,
    function: Called<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extra_content: Option<&'a Value>,
}

#[derive(Serialize)]
struct Called<'a> {
    name: Cow<'a, str>,
    arguments: &'a str,
}

impl<'a> WireCall<'a> {
    pub(crate) fn of(ask: &Ask<'_>, ids: &mut CallIds<'a>, block: &'a ContentBlock) -> Option<Self> {
        let ContentBlock::ToolCall(call) = block else { return None };
        let function = Called { name: ask.tool_name(&call.name), arguments: arguments(call) };
        Some(Self { id: ids.call(&call.id), kind: "function", function, extra_content: None })
    }

    /// The same with what Gemini wants back of it, behind an address of which nobody knows who it is.
    pub(super) fn with_extra(ask: &Ask<'_>, ids: &mut CallIds<'a>, block: &'a ContentBlock) -> Option<Self> {
        let extra_content = match block {
            ContentBlock::ToolCall(call) => call.extra.get(EXTRA_CONTENT),
            _ => None,
        };
        Some(Self { extra_content, ..Self::of(ask, ids, block)? })
    }
}
