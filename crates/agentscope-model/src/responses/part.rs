//! The parts of an item's content on the wire.

use crate::conversation::Part;
use serde::Serialize;
use std::borrow::Cow;

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum WirePart<'a> {
    InputText { text: Cow<'a, str> },
    InputImage { image_url: Cow<'a, str> },
    InputFile { filename: &'a str, file_data: Cow<'a, str> },
    OutputText { text: &'a str },
}

impl<'a> WirePart<'a> {
    pub(super) fn of(part: Part<'a>) -> Option<Self> {
        match part {
            Part::Text(text) => Some(Self::InputText { text }),
            Part::Image(place) => Some(Self::InputImage { image_url: place.url() }),
            Part::File { name, place } => Some(Self::InputFile { filename: name, file_data: place.url() }),
            // The manners of the provider leave none of these.
            Part::Audio(_) | Part::Video(_) => None,
        }
    }
}
