//! What is within a line: emphasis, code, links. A span is held back until it ends; what does not end is shown as it was
//! written.

use super::style::Style;

/// Longest span that is waited for, in bytes; what is longer is shown as it was written. It bounds how much is looked
/// through again for a mark that is never closed.
const SPAN: usize = 1024;

/// The words of a line.
pub(super) struct Inline {
    /// Begins with a mark of which it is not clear what it is.
    held: String,
    /// What was shown last.
    before: Option<char>,
    /// How words look that have no mark.
    base: Style,
}

/// What a text is that begins with a mark.
enum Span<'a> {
    /// More has to come before it is clear.
    Unclear,
    /// So many bytes are shown as they are.
    Plain(usize),
    /// `len` bytes are shown as something else.
    Marked { len: usize, mark: Mark<'a> },
}

enum Mark<'a> {
    Escaped(char),
    Words(&'a str, Style),
    Code(&'a str),
    Link { text: &'a str, address: &'a str },
}

fn is_mark(it: char) -> bool {
    matches!(it, '*' | '_' | '`' | '~' | '[' | '!' | '\\')
}

/// Whether with this character it may become clear what the text before it is.
fn tells(it: char) -> bool {
    is_mark(it) || matches!(it, ']' | '(' | ')')
}

impl Inline {
    pub(super) fn new(base: Style) -> Self {
        Self { held: String::new(), before: None, base }
    }

    pub(super) fn push(&mut self, each: char, out: &mut String) {
        if self.held.is_empty() && !is_mark(each) {
            out.push(each);
            self.before = Some(each);
            return;
        }
        let after_telling = self.held.chars().next_back().is_some_and(tells);
        self.held.push(each);
        if after_telling || tells(each) || self.held.len() > SPAN {
            self.settle(false, out);
        }
    }

    /// The end of the line, or of the text.
    pub(super) fn end(&mut self, out: &mut String) {
        self.settle(true, out);
        if self.base != Style::PLAIN {
            Style::PLAIN.on(out);
        }
    }

    fn settle(&mut self, whole: bool, out: &mut String) {
        let held = std::mem::take(&mut self.held);
        let mut rest = held.as_str();
        while !rest.is_empty() {
            let plain = rest.find(is_mark).unwrap_or(rest.len());
            if plain > 0 {
                rest = self.plain(rest, plain, out);
                continue;
            }
            match span(rest, self.before, whole || rest.len() > SPAN) {
                Span::Unclear => break,
                Span::Plain(len) => rest = self.plain(rest, len, out),
                Span::Marked { len, mark } => {
                    self.show(&mark, out);
                    let (shown, after) = rest.split_at_checked(len).unwrap_or((rest, ""));
                    self.before = shown.chars().next_back();
                    rest = after;
                }
            }
        }
        self.held = rest.to_owned();
    }

    fn plain<'a>(&mut self, text: &'a str, len: usize, out: &mut String) -> &'a str {
        let (shown, after) = text.split_at_checked(len).unwrap_or((text, ""));
        out.push_str(shown);
        self.before = shown.chars().next_back();
        after
    }

    fn show(&self, mark: &Mark<'_>, out: &mut String) {
        match mark {
            Mark::Escaped(it) => return out.push(*it),
            Mark::Words(words, style) => inner(words, self.base | *style, out),
            Mark::Code(code) => {
                (self.base | Style::CODE).on(out);
                out.push_str(code);
            }
            Mark::Link { text, address } => {
                inner(text, self.base | Style::UNDERLINE, out);
                if text != address && !address.is_empty() {
                    (self.base | Style::DIM).on(out);
                    out.push_str(&format!(" ({address})"));
                }
            }
        }
        self.base.on(out);
    }
}

fn inner(text: &str, style: Style, out: &mut String) {
    style.on(out);
    let mut inline = Inline::new(style);
    text.chars().for_each(|each| inline.push(each, out));
    inline.settle(true, out);
}

/// A line of words in a style.
pub(super) fn words(text: &str, style: Style) -> String {
    let mut out = String::new();
    if style != Style::PLAIN {
        style.on(&mut out);
    }
    let mut inline = Inline::new(style);
    text.chars().for_each(|each| inline.push(each, &mut out));
    inline.end(&mut out);
    out
}

/// What `text`, which begins with a mark, is. `whole`: nothing more is waited for.
fn span(text: &str, before: Option<char>, whole: bool) -> Span<'_> {
    let Some(first) = text.chars().next() else { return Span::Unclear };
    let unclear = |plain| if whole { Span::Plain(plain) } else { Span::Unclear };
    let rest = text.trim_start_matches(first);
    let run = text.len() - rest.len();
    match first {
        '\\' => match text.chars().nth(1) {
            None => unclear(1),
            // Not the others: `\(` and `\[` are mathematics, and `\n` is what it is.
            Some(it @ ('*' | '_' | '`' | '#' | '|' | '~')) => {
                Span::Marked { len: 2, mark: Mark::Escaped(it) }
            }
            Some(_) => Span::Plain(1),
        },
        '`' => match code_end(rest, run, whole) {
            Some(end) => {
                let code = rest.get(..end).unwrap_or_default();
                let padded = code.strip_prefix(' ').and_then(|it| it.strip_suffix(' '));
                let code = padded.filter(|it| !it.trim().is_empty()).unwrap_or(code);
                Span::Marked { len: run + end + run, mark: Mark::Code(code) }
            }
            None => unclear(run),
        },
        '[' => link(text, whole),
        '!' => match text.chars().nth(1) {
            None => unclear(1),
            Some('[') => match link(rest, whole) {
                Span::Marked { len, mark } => Span::Marked { len: len + 1, mark },
                Span::Plain(_) => Span::Plain(1),
                Span::Unclear => Span::Unclear,
            },
            Some(_) => Span::Plain(1),
        },
        _ if rest.is_empty() => unclear(run),
        _ => emphasis(text, first, run, before, whole),
    }
}

fn emphasis(text: &str, mark: char, run: usize, before: Option<char>, whole: bool) -> Span<'_> {
    let rest = text.get(run..).unwrap_or_default();
    let style = match (mark, run) {
        ('~', 2) => Style::STRUCK,
        ('~', _) => return Span::Plain(run),
        (_, 1) => Style::ITALIC,
        (_, 2) => Style::BOLD,
        (_, 3) => Style::BOLD | Style::ITALIC,
        _ => return Span::Plain(run),
    };
    if rest.starts_with(char::is_whitespace) || before.is_some_and(|it| in_word(it, mark)) {
        return Span::Plain(run);
    }
    let mut last = None;
    let mut at = 0;
    while let Some(each) = rest.get(at..).and_then(|it| it.chars().next()) {
        let after = rest.get(at..).unwrap_or_default();
        let length = after.len() - after.trim_start_matches(each).len();
        if each == '`' {
            // A mark within code is no mark.
            let code = after.get(length..).unwrap_or_default();
            at += length + code_end(code, length, whole).map_or(0, |end| end + length);
        } else if each == mark {
            let follows = after.get(length..).and_then(|it| it.chars().next());
            let fits = length == run || (length == 3 && run < 3);
            if fits && at > 0 && !last.is_some_and(char::is_whitespace) {
                match follows {
                    None if !whole => return Span::Unclear,
                    Some(it) if in_word(it, mark) => {}
                    _ => {
                        let words = rest.get(..at + length - run).unwrap_or_default();
                        let name = |it: char| it.is_alphanumeric() || it == '_';
                        if mark == '_' && run == 2 && words.chars().all(name) {
                            return Span::Plain(run + at + length); // a name such as `__init__`
                        }
                        return Span::Marked { len: run + at + length, mark: Mark::Words(words, style) };
                    }
                }
            }
            at += length;
        } else {
            at += each.len_utf8();
        }
        last = Some(each);
    }
    if whole { Span::Plain(run) } else { Span::Unclear }
}

/// Whether a mark beside this character is part of a word, as in `2*3*4` and `snake_case`. Chinese has no spaces: there only
/// `_` is.
fn in_word(it: char, mark: char) -> bool {
    it.is_alphanumeric() && (mark == '_' || unicode_width::UnicodeWidthChar::width(it) == Some(1))
}

/// Where the run of exactly `run` backticks begins that ends the code.
fn code_end(code: &str, run: usize, whole: bool) -> Option<usize> {
    let mut at = 0;
    loop {
        let after = code.get(at..)?;
        let start = at + after.find('`')?;
        let ticks = code.get(start..)?;
        let length = ticks.len() - ticks.trim_start_matches('`').len();
        let may_grow = !whole && start + length == code.len();
        if length == run && start > 0 && !may_grow {
            return Some(start);
        }
        at = start + length;
    }
}

/// `[text](address)`.
fn link(text: &str, whole: bool) -> Span<'_> {
    let unclear = if whole { Span::Plain(1) } else { Span::Unclear };
    let Some(end) = closing(text, '[', ']') else { return unclear };
    let after = text.get(end + 1..).unwrap_or_default();
    match after.chars().next() {
        None => unclear,
        Some('(') => match closing(after, '(', ')') {
            None => unclear,
            Some(close) => {
                let address = after.get(1..close).unwrap_or_default();
                let address = address.split_once(" \"").map_or(address, |(address, _)| address);
                let mark = Mark::Link { text: text.get(1..end).unwrap_or_default(), address };
                Span::Marked { len: end + 1 + close + 1, mark }
            }
        },
        Some(_) => Span::Plain(1),
    }
}

/// Where the bracket is closed with which the text begins.
fn closing(text: &str, open: char, close: char) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, each) in text.char_indices() {
        if each == open {
            depth += 1;
        } else if each == close {
            depth -= 1;
            if depth == 0 {
                return Some(at);
            }
        }
    }
    None
}
