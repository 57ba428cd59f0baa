//! One message on the wire, and the parts of its content.

use super::{
    decode::EXTRA_CONTENT,
    encode::Body,
    provider::{Provider, Ways},
};
use agentscope_core::{ContentBlock, Media, Source, ToolCall};
use serde::{Serialize, Serializer, de::IgnoredAny};
use serde_json::{Value, json};
use std::borrow::Cow;

#[derive(Default, Serialize)]
pub(super) struct Wire<'a> {
    pub(super) role: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tool_call_id: Option<&'a str>,
    pub(super) content: WireContent<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reasoning_content: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) tool_calls: Vec<WireCall<'a>>,
}

#[derive(Default)]
pub(super) enum WireContent<'a> {
    #[default]
    None,
    Text(Cow<'a, str>),
    Parts(Vec<Part<'a>>),
}

impl<'a> WireContent<'a> {
    /// The parts, or one text where there is nothing else and the provider wants it so.
    pub(super) fn of(ways: &Ways, parts: Vec<Part<'a>>) -> Self {
        if parts.is_empty() {
            return Self::None;
        }
        let texts = || {
            parts.iter().map(|part| match part {
                Part::Text(text) => Some(&**text),
                _ => None,
            })
        };
        if ways.names_and_parts || texts().any(|text| text.is_none()) {
            return Self::Parts(parts);
        }
        Self::Text(texts().flatten().collect::<Vec<_>>().join("\n").into())
    }
}

impl Serialize for WireContent<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::None => serializer.serialize_none(),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Parts(parts) => serializer.collect_seq(parts),
        }
    }
}

/// A part of a message's content.
pub(super) enum Part<'a> {
    Text(Cow<'a, str>),
    Image(Cow<'a, str>),
    Audio { data: Cow<'a, str>, format: &'static str },
    Video(Cow<'a, str>),
    File { name: &'a str, data: Cow<'a, str> },
}

impl Serialize for Part<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Text<'a> {
            #[serde(rename = "type")]
            kind: &'static str,
            text: &'a str,
        }
        match self {
            Self::Text(text) => Text { kind: "text", text }.serialize(serializer),
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

impl<'a> Part<'a> {
    /// What the provider is shown of a block; nothing of thoughts, calls and blocks that nobody knows.
    pub(super) fn of(cx: &'a Body<'a>, block: &'a ContentBlock, assistant: bool) -> Option<Self> {
        let [images, sounds, films, files] = cx.ways().shown;
        match block {
            ContentBlock::Text { text, .. } => (!text.is_empty()).then(|| Self::Text(text.into())),
            // The words of a sound that the model made are a text beside it, and no provider takes a picture from itself.
            _ if assistant => None,
            ContentBlock::Image(media) if images && is_there(cx, media) => {
                Some(Self::Image(address(cx, media)))
            }
            ContentBlock::Video(media) if films && is_there(cx, media) => {
                Some(Self::Video(address(cx, media)))
            }
            ContentBlock::Audio(media) if sounds => Some(Self::sound(cx, media)),
            ContentBlock::File(media) if files && is_data(cx, media) => {
                let name = media.name.as_deref().unwrap_or("file");
                Some(Self::File { name, data: address(cx, media) })
            }
            _ => block.media().map(|media| Self::Text(unseen(media).into())),
        }
    }

    fn sound(cx: &'a Body<'a>, media: &'a Media) -> Self {
        let (media_type, data) = match &media.source {
            Source::Base64 { media_type, data } => (media_type.as_str(), data.as_str()),
            Source::Url { url, .. } => match (cx.media.find(url), of_data_url(url)) {
                (Some(inline), _) => (inline.media_type.as_str(), inline.data.as_str()),
                (None, Some(parts)) => parts,
                (None, None) => return Self::Text(unseen(media).into()),
            },
            _ => return Self::Text(unseen(media).into()),
        };
        let format = match media_type {
            "audio/mp3" | "audio/mpeg" => "mp3",
            "audio/ogg" => "ogg",
            "audio/flac" | "audio/x-flac" => "flac",
            "audio/mp4" | "audio/m4a" | "audio/x-m4a" => "m4a",
            "audio/aac" => "aac",
            "audio/pcm" | "audio/l16" => "pcm16",
            _ => "wav",
        };
        // The omni models of Qwen take the data as an address.
        let data = if cx.model.contains("omni") {
            format!("data:;base64,{data}").into()
        } else {
            Cow::Borrowed(data)
        };
        Self::Audio { data, format }
    }
}

/// Whether a provider can find a file: it is in the message, was read, or is on the web.
fn is_there(cx: &Body<'_>, media: &Media) -> bool {
    media.local_path().is_none() || is_data(cx, media)
}

/// Whether the bytes of a file are here.
fn is_data(cx: &Body<'_>, media: &Media) -> bool {
    match &media.source {
        Source::Url { url, .. } => url.starts_with("data:") || cx.media.find(url).is_some(),
        _ => true,
    }
}

/// Where a provider finds a file: its address, or the file itself.
pub(super) fn address<'a>(cx: &'a Body<'a>, media: &'a Media) -> Cow<'a, str> {
    match &media.source {
        Source::Base64 { media_type, data } => format!("data:{media_type};base64,{data}").into(),
        Source::Url { url, .. } => match cx.media.find(url) {
            Some(inline) => format!("data:{};base64,{}", inline.media_type, inline.data).into(),
            None => url.into(),
        },
        _ => Cow::Borrowed(""),
    }
}

fn of_data_url(url: &str) -> Option<(&str, &str)> {
    url.strip_prefix("data:")?.split_once(";base64,")
}

/// What a model is told of something that it cannot be shown. 1.x leaves it out, and the model answers as if nothing had been
/// there.
pub(super) fn unseen(media: &Media) -> String {
    let kind = ["image", "audio", "video"].into_iter().find(|kind| media.media_type().starts_with(kind));
    let kind = kind.unwrap_or("file");
    let article = if kind.starts_with(['a', 'i']) { "an" } else { "a" };
    let place = match (&media.name, &media.source) {
        (Some(name), _) => format!(": {name}"),
        (None, Source::Url { url, .. }) if !url.starts_with("data:") => format!(": {url}"),
        _ => String::new(),
    };
    format!("[{article} {kind} that cannot be shown to this model{place}]")
}

/// A call on the wire.
#[derive(Serialize)]
pub(super) struct WireCall<'a> {
    id: &'a str,
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
    pub(super) fn of(cx: &Body<'_>, block: &'a ContentBlock) -> Option<Self> {
        let ContentBlock::ToolCall(call) = block else { return None };
        let function = Called { name: tool_name(cx, &call.name), arguments: arguments(call) };
        // Some of those with a name refuse fields that they do not know.
        let is_theirs = cx.provider == Provider::Other;
        let extra_content = call.extra.get(EXTRA_CONTENT).filter(|_| is_theirs);
        Some(Self { id: &call.id, kind: "function", function, extra_content })
    }
}

/// A tool's name as OpenAI takes it: 1 to 64 of `a-zA-Z0-9_-`. One that a model has made up may be another, and a server that
/// minds would refuse each request from then on.
pub(super) fn tool_name<'a>(cx: &Body<'_>, name: &'a str) -> Cow<'a, str> {
    let fits = |it: char| it.is_ascii_alphanumeric() || matches!(it, '_' | '-');
    let is_one = (1..=64).contains(&name.len()) && name.chars().all(fits);
    if is_one || cx.req.tools.iter().any(|tool| *tool.name == *name) {
        return Cow::Borrowed(name);
    }
    if name.is_empty() {
        return Cow::Borrowed("_");
    }
    name.chars().take(64).map(|it| if fits(it) { it } else { '_' }).collect()
}

/// The arguments as the model wrote them. Servers parse them, and some fail at what is no object; the model has been told in the
/// call's result what was wrong with them.
fn arguments(call: &ToolCall) -> &str {
    let is_object =
        call.input.trim_start().starts_with('{') && serde_json::from_str::<IgnoredAny>(&call.input).is_ok();
    if is_object { &call.input } else { "{}" }
}

/// Texts on lines of their own; `None` if there are none.
pub(super) fn joined<'a>(mut texts: impl Iterator<Item = &'a str>) -> Option<Cow<'a, str>> {
    let first = texts.next()?;
    let Some(second) = texts.next() else { return Some(first.into()) };
    let mut joined = format!("{first}\n{second}");
    for text in texts {
        joined.push('\n');
        joined.push_str(text);
    }
    Some(joined.into())
}
