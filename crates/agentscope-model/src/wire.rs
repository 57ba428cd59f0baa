//! What the wire formats share in writing and reading.

mod give;
mod lenient;
mod parameters;
mod shape;
mod sound;
mod strict;
mod surrogates;

pub(crate) use give::{Call, Give, UNSHOWN};
pub(crate) use lenient::{Content, Count, Text, Words, flag, index, list, object, or_default, read};
pub(crate) use parameters::parameters;
pub(crate) use shape::Shape;
pub(crate) use sound::Sound;
pub(crate) use strict::strict;
pub(crate) use surrogates::Surrogates;
