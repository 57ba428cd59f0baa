//! What is shown of a block: words, or a file with the place where a provider finds it.

use crate::{
    http::{Ask, Inlined},
    tokens::image_type,
};
use agentscope_core::{ContentBlock, Media, Source, ToolCall};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::de::IgnoredAny;
use std::borrow::Cow;

/// A part of a message's content.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Part<'a> {
    Text(Cow<'a, str>),
    Image(Place<'a>),
    Audio(Place<'a>),
    Video(Place<'a>),
    File { name: &'a str, place: Place<'a> },
}

/// Where a provider finds a file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Place<'a> {
    /// On the web, or in an address of another kind.
    Url { media_type: &'a str, url: &'a str },
    /// In the request: base64.
    Data { media_type: &'a str, data: &'a str },
}

impl<'a> Place<'a> {
    fn of(media: &'a Media, inlined: &'a Inlined) -> Self {
        match &media.source {
            Source::Base64 { media_type, data } => Self::Data { media_type, data },
            Source::Url { url, .. } => match (inlined.find(url), of_data_url(url)) {
                (Some(inline), _) => Self::Data { media_type: &inline.media_type, data: &inline.data },
                (None, Some((media_type, data))) => Self::Data { media_type, data },
                (None, None) => Self::Url { media_type: media.media_type(), url },
            },
            _ => Self::Url { media_type: media.media_type(), url: "" },
        }
    }

    /// An image, where the provider reads it. It is called what its first bytes are, because a name may be wrong; an address whose
    /// media type nobody knows is left to the provider.
    fn of_image(ask: &Ask<'a>, media: &'a Media) -> Option<Self> {
        let reads = |media_type: &str| ask.manners.images.contains(&media_type);
        let place = match Self::of(media, ask.media) {
            Self::Data { media_type, data } => {
                let media_type = image_type_of(data).unwrap_or_else(|| usual(media_type));
                let may = reads(media_type) && data.len() <= ask.manners.image_limit;
                may.then_some(Self::Data { media_type, data })
            }
            Self::Url { media_type, url } => {
                let media_type = usual(media_type);
                let may = reads(media_type) || !media_type.starts_with("image/");
                (may && !url.starts_with("data:")).then_some(Self::Url { media_type, url })
            }
        };
        place.filter(|_| is_there(ask, media, 0))
    }

    /// As an address; a file in the request has one that begins with `data:`.
    pub(crate) fn url(&self) -> Cow<'a, str> {
        match self {
            Self::Url { url, .. } => Cow::Borrowed(url),
            Self::Data { media_type, data } => format!("data:{media_type};base64,{data}").into(),
        }
    }
}

impl<'a> Part<'a> {
    /// What the provider is shown of a user's block; nothing of thoughts, calls and blocks that nobody knows.
    pub(crate) fn of(ask: &Ask<'a>, block: &'a ContentBlock) -> Option<Self> {
        let [images, sounds, films, files] = ask.manners.shown;
        match block {
            ContentBlock::Text { text, .. } => (!text.is_empty()).then(|| Self::Text(text.into())),
            ContentBlock::Image(media) if images => Some(match Place::of_image(ask, media) {
                Some(place) => Self::Image(place),
                None => Self::Text(unseen_image(media).into()),
            }),
            ContentBlock::Video(media) if films && is_there(ask, media, 2) => {
                Some(Self::Video(Place::of(media, ask.media)))
            }
            ContentBlock::Audio(media) if sounds && is_there(ask, media, 1) => {
                Some(Self::Audio(Place::of(media, ask.media)))
            }
            ContentBlock::File(media) if files && is_there(ask, media, 3) => {
                let name = media.name.as_deref().unwrap_or("file");
                Some(Self::File { name, place: Place::of(media, ask.media) })
            }
            _ => block.media().map(|media| Self::Text(unseen(media).into())),
        }
    }

    /// What the provider is shown of a block that the model said itself: its words. Those of a sound that it made are a text
    /// beside it, and no provider takes a picture from itself.
    pub(crate) fn own(block: &'a ContentBlock) -> Option<Self> {
        match block {
            ContentBlock::Text { text, .. } if !text.is_empty() => Some(Self::Text(text.into())),
            _ => None,
        }
    }

    /// An image of a tool's result, where the provider can see it: in the message, or on the web. A local file is not read
    /// because a tool names it.
    pub(crate) fn image_of_result(ask: &Ask<'a>, block: &'a ContentBlock) -> Option<Self> {
        match block {
            ContentBlock::Image(media) if is_reachable(ask, media) => {
                Place::of_image(ask, media).map(Self::Image)
            }
            _ => None,
        }
    }
}

/// Characters of base64 that an image is known by: 18 bytes.
const HEAD: usize = 24;

/// The type of an image by the first characters of its base64; `None` if it is none that is known.
fn image_type_of(data: &str) -> Option<&'static str> {
    let head = data.as_bytes();
    let head = head.get(..HEAD).unwrap_or(head);
    let mut bytes = [0; HEAD];
    let length = STANDARD.decode_slice(head, &mut bytes).ok()?;
    image_type(bytes.get(..length)?)
}

/// The usual name of a media type.
fn usual(media_type: &str) -> &str {
    if media_type == "image/jpg" { "image/jpeg" } else { media_type }
}

/// Whether a provider can find a file: it is in the message, was read, or is where the provider fetches it.
fn is_there(ask: &Ask<'_>, media: &Media, kind: usize) -> bool {
    match &media.source {
        Source::Url { url, .. } if of_data_url(url).is_none() && ask.media.find(url).is_none() => {
            let fetches = ask.manners.inlined.get(kind).is_some_and(|inlined| !inlined);
            (ask.manners.has)(url) || (fetches && media.local_path().is_none())
        }
        _ => true,
    }
}

/// Whether an image of a tool's result can be shown, which is not read.
pub(super) fn is_reachable(ask: &Ask<'_>, media: &Media) -> bool {
    media.local_path().is_none() && Place::of_image(ask, media).is_some()
}

fn of_data_url(url: &str) -> Option<(&str, &str)> {
    url.strip_prefix("data:")?.split_once(";base64,")
}

/// What a model is told of a file whose kind its provider does not take.
pub(crate) fn unseen_file(kind: &str, name: &str) -> String {
    format!("[{kind} that cannot be shown to this model: {name}]")
}

/// The same of an image: by its name, or by its type where it has none.
fn unseen_image(media: &Media) -> String {
    match (&media.name, &media.source) {
        (None, Source::Base64 { media_type, .. }) => unseen_file("an image", media_type),
        _ => unseen(media),
    }
}

/// What a model is told of something that it cannot be shown. 1.x leaves it out, and the model answers as if nothing had been
/// there.
pub(crate) fn unseen(media: &Media) -> String {
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

/// The arguments of a call, as the model wrote them: a JSON object. Servers parse them, and some fail at what is no object; the
/// model has been told in the call's result what was wrong with them.
pub(crate) fn arguments(call: &ToolCall) -> &str {
    let is_object =
        call.input.trim_start().starts_with('{') && serde_json::from_str::<IgnoredAny>(&call.input).is_ok();
    if is_object { &call.input } else { "{}" }
}

/// Texts on lines of their own; `None` if there are none.
pub(crate) fn joined<'a>(mut texts: impl Iterator<Item = &'a str>) -> Option<Cow<'a, str>> {
    let first = texts.next()?;
    let Some(second) = texts.next() else { return Some(first.into()) };
    let mut joined = format!("{first}\n{second}");
    for text in texts {
        joined.push('\n');
        joined.push_str(text);
    }
    Some(joined.into())
}
