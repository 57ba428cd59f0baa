//! Foreign text, made harmless for a terminal.

/// Without the characters by which a model, a tool or another person could write elsewhere on the screen, or make a text look
/// like another.
pub(crate) fn clean(text: &str) -> String {
    text.chars().filter(|it| !misleads(*it)).collect()
}

pub(crate) fn misleads(it: char) -> bool {
    let turns = matches!(it, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || (it.is_control() && !matches!(it, '\n' | '\t'))
}
