//! Lines that programs write and words that people type.

use std::io::{BufRead, BufReader, Read};

/// `words`, the most like `typed` first, to say what a misspelled name may have meant.
pub(crate) fn nearest<'a>(typed: &str, words: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let mut words: Vec<_> = words.into_iter().collect();
    words.sort_by_cached_key(|word| distance(typed, word));
    words
}

/// The word that was most likely meant, if one is like what was typed: at most half of its letters differ.
pub(crate) fn meant<'a>(typed: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = nearest(typed, words).into_iter().next()?;
    (distance(typed, word) * 2 <= word.len()).then_some(word)
}

/// The edits (a letter added, removed or replaced) that turn one word into the other: Levenshtein's distance.
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.chars().count()).collect();
    for (removed, letter) in one.chars().enumerate() {
        let mut edits = removed + 1;
        let mut next = vec![edits];
        for (&[diagonal, above], other) in row.array_windows().zip(other.chars()) {
            edits = (edits + 1).min(above + 1).min(diagonal + usize::from(letter != other));
            next.push(edits);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

/// Hands on each line with its end as soon as it is there, whatever its encoding.
pub(crate) fn each_line(from: impl Read, mut see: impl FnMut(&[u8])) {
    let mut from = BufReader::new(from);
    let mut line = Vec::new();
    while matches!(from.read_until(b'\n', &mut line), Ok(1..)) {
        see(&line);
        line.clear();
    }
}

/// A line without its colors: the control sequences of ECMA-48, section 5.4.
pub(crate) fn plain(line: &[u8]) -> String {
    let line = String::from_utf8_lossy(line);
    let mut plain = String::with_capacity(line.len());
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        if letter != '\u{1b}' {
            plain.push(letter);
        } else if letters.next() == Some('[') {
            letters.by_ref().find(|letter| ('@'..='~').contains(letter));
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_comes_first() {
        assert_eq!(nearest("frday", ["hub", "frida", "friday"]), ["friday", "frida", "hub"]);
        assert_eq!(meant("tset", ["demo", "test"]), Some("test"));
        assert_eq!(meant("nonsense", ["demo", "test"]), None);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
    }

    #[test]
    fn colors_are_taken_off_a_line() {
        assert_eq!(plain(b"\x1b[32;1m     Summary\x1b[0m [\x1b[K   0.003s]"), "     Summary [   0.003s]");
    }

    #[test]
    fn a_last_line_without_an_end_is_seen() {
        let mut seen = Vec::new();
        each_line(&b"one\n\xff\ntwo"[..], |line| seen.push(line.to_vec()));
        assert_eq!(seen, [&b"one\n"[..], b"\xff\n", b"two"]);
    }
}
