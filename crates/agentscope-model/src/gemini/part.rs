//! A part of a content on the wire.

use crate::{
    conversation::{Answered, ImagesOfResults, Part, Place, arguments},
    http::Ask,
};
use agentscope_core::{ContentBlock, Extra, Map, Source, ToolState};
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Value, json};
use std::borrow::Cow;

/// The field of a block in which Gemini's signature is kept, as AgentScope 1.x calls it.
pub(super) const SIGNATURE: &str = "thought_signature";

/// Where a media type is not known.
const UNKNOWN: &str = "application/octet-stream";

pub(super) enum WirePart<'a> {
    Text {
        text: Cow<'a, str>,
        thought: bool,
        signature: Option<&'a str>,
    },
    Inline {
        media_type: &'a str,
        data: &'a str,
        signature: Option<&'a str>,
    },
    File {
        media_type: &'a str,
        uri: &'a str,
    },
    Call {
        id: Cow<'a, str>,
        name: Cow<'a, str>,
        args: Map,
        signature: Option<&'a str>,
    },
    Response {
        id: Cow<'a, str>,
        name: Cow<'a, str>,
        key: &'static str,
        text: Cow<'a, str>,
        images: Vec<Self>,
    },
}

impl<'a> WirePart<'a> {
    pub(super) fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Self::Text { text: text.into(), thought: false, signature: None }
    }

    /// What a user says or shows.
    pub(super) fn of(part: Part<'a>) -> Self {
        match part {
            Part::Text(text) => Self::text(text),
            Part::File { name, place: Place::Data { media_type, .. } } if !is_document(media_type) => {
                Self::text(format!("[a file that cannot be shown to this model: {name}]"))
            }
            Part::Image(place) | Part::Audio(place) | Part::Video(place) | Part::File { place, .. } => {
                Self::at(place)
            }
        }
    }

    fn at(place: Place<'a>) -> Self {
        match place {
            Place::Data { media_type, data } => Self::Inline { media_type, data, signature: None },
            Place::Url { media_type, url } => Self::File { media_type, uri: url },
        }
    }

    /// The id, if it is a call.
    pub(super) fn call_id(&mut self) -> Option<&mut Cow<'a, str>> {
        match self {
            Self::Call { id, .. } => Some(id),
            _ => None,
        }
    }

    /// What the model has said itself: words, calls and pictures, and the thoughts that are signed.
    pub(super) fn own(ask: &Ask<'a>, block: &'a ContentBlock) -> Option<Self> {
        match block {
            ContentBlock::Text { text, extra } => {
                let part = Self::Text { text: text.into(), thought: false, signature: signature(extra) };
                (!text.is_empty()).then_some(part)
            }
            ContentBlock::Thinking { thinking, extra } => {
                let signature = Some(signature(extra)?);
                Some(Self::Text { text: thinking.into(), thought: true, signature })
            }
            ContentBlock::ToolCall(call) => Some(Self::Call {
                id: (&*call.id).into(),
                name: tool_name(ask, &call.name),
                args: serde_json::from_str(arguments(call)).unwrap_or_default(),
                signature: signature(&call.extra),
            }),
            ContentBlock::Image(media) => match &media.source {
                Source::Base64 { media_type, data } => {
                    Some(Self::Inline { media_type, data, signature: signature(&media.extra) })
                }
                _ => None,
            },
            _ => None,
        }
    }
}

/// What came of a call.
pub(super) fn response<'a>(ask: &Ask<'a>, id: Cow<'a, str>, answered: Answered<'a>) -> WirePart<'a> {
    let is_in_place = ask.manners.images_of_results == ImagesOfResults::InPlace && ask.sees();
    let output = answered.result.filter(|_| is_in_place).map(|it| it.output.as_slice()).unwrap_or_default();
    let images = output.iter().filter_map(|block| Part::image_of_result(ask, block));
    let succeeded = answered.result.is_some_and(|it| it.state == ToolState::Success);
    WirePart::Response {
        id,
        name: tool_name(ask, answered.name),
        key: if succeeded { "output" } else { "error" },
        text: answered.text,
        images: images.map(WirePart::of).collect(),
    }
}

/// A tool's name as Gemini takes it: it begins with a letter or an underscore.
fn tool_name<'a>(ask: &Ask<'a>, name: &'a str) -> Cow<'a, str> {
    let name = ask.tool_name(name);
    if name.starts_with(|it: char| it.is_ascii_alphabetic() || it == '_')
        || ask.req.tools.iter().any(|tool| *tool.name == *name)
    {
        return name;
    }
    format!("_{name}").chars().take(64).collect()
}

fn signature(extra: &Extra) -> Option<&str> {
    extra.get(SIGNATURE)?.as_str().filter(|it| !it.is_empty())
}

/// Whether Gemini reads documents of this type.
fn is_document(media_type: &str) -> bool {
    let kind = media_type.split(['/', ';']).next().unwrap_or_default();
    matches!(kind, "text" | "image" | "audio" | "video")
        || matches!(
            media_type,
            "application/pdf" | "application/json" | "application/xml" | "application/rtf"
        )
}

impl Serialize for WirePart<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let signature = match self {
            Self::Text { text, thought, signature } => {
                map.serialize_entry("text", text)?;
                if *thought {
                    map.serialize_entry("thought", &true)?;
                }
                signature
            }
            Self::Inline { media_type, data, signature } => {
                map.serialize_entry("inlineData", &Blob { mime_type: media_type, data })?;
                signature
            }
            Self::File { media_type, uri } => {
                let file = match *media_type {
                    UNKNOWN => json!({"fileUri": uri}),
                    known => json!({"mimeType": known, "fileUri": uri}),
                };
                map.serialize_entry("fileData", &file)?;
                &None
            }
            Self::Call { id, name, args, signature } => {
                map.serialize_entry("functionCall", &Called { id, name, args })?;
                signature
            }
            Self::Response { id, name, key, text, images } => {
                let response = Responded { id, name, response: json!({*key: text}), parts: images };
                map.serialize_entry("functionResponse", &response)?;
                &None
            }
        };
        if let Some(signature) = signature {
            map.serialize_entry("thoughtSignature", signature)?;
        }
        map.end()
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Blob<'a> {
    mime_type: &'a str,
    data: &'a str,
}

#[derive(Serialize)]
struct Called<'a> {
    id: &'a str,
    name: &'a str,
    args: &'a Map,
}

#[derive(Serialize)]
struct Responded<'a, 'b> {
    id: &'b str,
    name: &'b str,
    response: Value,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    parts: &'b [WirePart<'a>],
}
