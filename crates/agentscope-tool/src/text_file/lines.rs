//! Lines of a text that is mostly UTF-8: bytes that are none stay as they are.

use agentscope_core::{Error, ErrorKind, Result};
use std::fmt::Write;

/// Most bytes shown of a line in a snippet.
const SNIPPET_LINE: usize = 500;

/// Most lines of a change that are shown.
const SNIPPET_LINES: usize = 100;

/// The lines with their ends. What follows the last line end is a line if it is not empty.
pub(super) fn split(text: &[u8]) -> Vec<&[u8]> {
    text.split_inclusive(|byte| *byte == b'\n').collect()
}

/// The `[start, end]` that the model gave, if it did.
pub(super) fn range(given: Option<Vec<i64>>) -> Result<Option<[i64; 2]>> {
    let Some(given) = given else { return Ok(None) };
    let Ok(range @ [start, end]) = <[i64; 2]>::try_from(given) else {
        return Err(invalid("`ranges` must be two line numbers, [start, end]".into()));
    };
    if start == 0 || end == 0 {
        return Err(invalid(format!(
            "`ranges` is [{start}, {end}], but lines are numbered from 1, or from -1 backwards"
        )));
    }
    if (start < 0) == (end < 0) && start > end {
        return Err(invalid(format!("`ranges` is [{start}, {end}]: the start must not be after the end")));
    }
    Ok(Some(range))
}

/// Line number `n` of a text with `count` lines, from 1; below 1 where a negative number reaches beyond the start.
pub(super) fn absolute(n: i64, count: usize) -> i64 {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    if n < 0 { count.saturating_add(n).saturating_add(1) } else { n }
}

pub(super) fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidInput, message)
}

/// `1 line`, `2 lines`.
pub(super) fn counted(count: usize) -> String {
    format!("{count} line{}", if count == 1 { "" } else { "s" })
}

/// Replaces the lines from `first` to `last`, counted from 1, by `content`, which keeps the lines apart: it gets a line end
/// where the replaced lines had one, and the line ends of the text.
pub(super) fn replace(text: &[u8], first: usize, last: usize, content: &str) -> Vec<u8> {
    let lines = split(text);
    let before = lines.get(..first - 1).unwrap_or_default().concat();
    let replaced = lines.get(last - 1).copied().unwrap_or_default();
    let after = lines.get(last..).unwrap_or_default().concat();
    let mut content = with_ends_of(text, content);
    if !content.is_empty() && !content.ends_with('\n') && replaced.ends_with(b"\n") {
        content.push_str(line_end(text));
    }
    [&before, content.as_bytes(), &after].concat()
}

/// Inserts `content` before the line `number`, counted from 1; one more than there are lines is the end.
pub(super) fn insert(text: &[u8], number: usize, content: &str) -> Vec<u8> {
    let lines = split(text);
    let mut before = lines.get(..number - 1).unwrap_or_default().concat();
    let after = lines.get(number - 1..).unwrap_or_default().concat();
    let mut content = with_ends_of(text, content);
    let open_end = !text.is_empty() && !text.ends_with(b"\n");
    if after.is_empty() && open_end {
        before.extend_from_slice(line_end(text).as_bytes());
    }
    let at_open_end = after.is_empty() && (open_end || text.is_empty());
    if !content.ends_with('\n') && !at_open_end {
        content.push_str(line_end(text));
    }
    [&before, content.as_bytes(), &after].concat()
}

/// How the text ends its lines, told by the first.
fn line_end(text: &[u8]) -> &'static str {
    match split(text).first() {
        Some(first) if first.ends_with(b"\r\n") => "\r\n",
        _ => "\n",
    }
}

fn with_ends_of(text: &[u8], content: &str) -> String {
    match line_end(text) {
        "\r\n" => content.replace("\r\n", "\n").replace('\n', "\r\n"),
        _ => content.to_owned(),
    }
}

/// The lines from `first` to `last` and some around them, each with its number, as the model sees a change.
pub(super) fn snippet(text: &[u8], first: usize, last: usize, around: usize) -> String {
    let from = first.saturating_sub(around).max(1);
    let to = last.saturating_add(around);
    let mut out = String::from("```\n");
    for (line, number) in split(text).into_iter().zip(1..).skip(from - 1).take_while(|(_, n)| *n <= to) {
        if number - from >= SNIPPET_LINES {
            let _ = writeln!(out, "[... more lines follow ...]");
            break;
        }
        let shown = line.get(..SNIPPET_LINE).unwrap_or(line);
        push_line(&mut out, number, shown, line.len() - shown.len());
    }
    out.push_str("```");
    out
}

/// Adds `"{n}: line"`. `missing` is how many bytes of the line are not in `line`.
pub(super) fn push_line(out: &mut String, number: usize, line: &[u8], missing: usize) {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let _ = write!(out, "{number}: {}", String::from_utf8_lossy(line));
    if missing > 0 {
        let _ = write!(out, " [... {missing} more bytes in this line]");
    }
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_replaced_line_is_not_glued_to_the_next() {
        assert_eq!(replace(b"L1\nL2\nL3\n", 2, 2, "X"), b"L1\nX\nL3\n");
        assert_eq!(replace(b"L1\nL2\nL3", 3, 3, "X"), b"L1\nL2\nX");
        assert_eq!(replace(b"L1\nL2\nL3", 3, 3, "X\n"), b"L1\nL2\nX\n");
        assert_eq!(replace(b"L1\nL2\nL3\n", 1, 2, ""), b"L3\n");
    }

    #[test]
    fn an_insertion_adds_no_blank_line() {
        assert_eq!(insert(b"a\nb\n", 3, "c"), b"a\nb\nc\n");
        assert_eq!(insert(b"a\nb\n", 3, "c\n"), b"a\nb\nc\n");
        assert_eq!(insert(b"a\nb", 3, "c"), b"a\nb\nc");
        assert_eq!(insert(b"a\nb", 3, "c\n"), b"a\nb\nc\n");
        assert_eq!(insert(b"a\nb", 2, "c"), b"a\nc\nb");
        assert_eq!(insert(b"", 1, "c"), b"c");
        assert_eq!(insert(b"a\n", 1, ""), b"\na\n");
    }

    #[test]
    fn the_line_ends_of_the_file_are_kept() {
        assert_eq!(replace(b"a\r\nb\r\nc\r\n", 2, 2, "x\ny"), b"a\r\nx\r\ny\r\nc\r\n");
        assert_eq!(insert(b"a\r\nb", 3, "x\r\ny\n"), b"a\r\nb\r\nx\r\ny\r\n");
    }

    #[test]
    fn bytes_that_are_no_text_stay_as_they_are() {
        assert_eq!(replace(b"\xff\xfe\nb\n\x80", 2, 2, "x"), b"\xff\xfe\nx\n\x80");
    }

    proptest! {
        #[test]
        fn all_lines_but_the_replaced_stay_and_the_new_ones_stand_between(
            lines in prop::collection::vec("[a-z]{0,3}", 1..8), ends in any::<bool>(), crlf in any::<bool>(),
            new in prop::collection::vec("[A-Z]{1,3}", 1..4), at in any::<prop::sample::Index>(), len in 0_usize..4,
        ) {
            let end = if crlf { "\r\n" } else { "\n" };
            let mut text = lines.join(end);
            if ends { text.push_str(end) }
            let count = split(text.as_bytes()).len();
            prop_assume!(count > 0);
            let first = at.index(count) + 1;
            let last = (first + len).min(count);
            let strip = |bytes: &[u8]| -> Vec<String> {
                let text = String::from_utf8(bytes.to_vec()).unwrap();
                text.lines().map(str::to_owned).collect()
            };
            let old = strip(text.as_bytes());

            let replaced = strip(&replace(text.as_bytes(), first, last, &new.join("\n")));
            let expected: Vec<_> = old[..first - 1].iter().chain(&new).chain(&old[last..]).cloned().collect();
            prop_assert_eq!(replaced, expected);

            let inserted = strip(&insert(text.as_bytes(), first, &new.join("\n")));
            let expected: Vec<_> = old[..first - 1].iter().chain(&new).chain(&old[first - 1..]).cloned().collect();
            prop_assert_eq!(inserted, expected);

            let appended = strip(&insert(text.as_bytes(), count + 1, &new.join("\n")));
            let expected: Vec<_> = old.iter().chain(&new).cloned().collect();
            prop_assert_eq!(appended, expected);
        }
    }
}
