//! How words look, and how wide they are.

use std::{fmt::Write, ops::BitOr};
use unicode_width::UnicodeWidthStr;

/// How words look: any of these together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Style(u8);

/// The bit of each style and its number in ECMA-48, 8.3.117.
const NUMBERS: [(u8, u8); 6] = [(1, 1), (2, 2), (4, 3), (8, 4), (16, 9), (32, 36)];

impl Style {
    pub(super) const PLAIN: Self = Self(0);
    pub(super) const BOLD: Self = Self(1);
    pub(super) const DIM: Self = Self(2);
    pub(super) const ITALIC: Self = Self(4);
    pub(super) const UNDERLINE: Self = Self(8);
    pub(super) const STRUCK: Self = Self(16);
    pub(super) const CODE: Self = Self(32);

    /// From here on, words look like this and no other.
    pub(super) fn on(self, out: &mut String) {
        out.push_str("\x1b[0");
        for (_, number) in NUMBERS.iter().filter(|(bit, _)| self.0 & bit != 0) {
            let _ = write!(out, ";{number}"); // a string takes everything
        }
        out.push('m');
    }

    /// `text` in this style, in a text that is plain.
    pub(super) fn around(self, text: &str, out: &mut String) {
        self.on(out);
        out.push_str(text);
        Self::PLAIN.on(out);
    }
}

impl BitOr for Style {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// How many columns a text takes, without its styles. A Chinese character takes two.
pub(in super::super) fn width_of(text: &str) -> usize {
    let mut parts = text.split("\x1b[");
    let first = parts.next().map_or(0, UnicodeWidthStr::width);
    first + parts.map(|part| part.split_once('m').map_or(0, |(_, words)| words.width())).sum::<usize>()
}
