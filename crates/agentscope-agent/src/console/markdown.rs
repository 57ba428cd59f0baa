//! Markdown as it streams. What was shown stays as it is: a mark is held back until it is clear what it is.

mod inline;
mod line;
mod style;
mod table;

use inline::Inline;
use line::{Kind, kind};
use style::Style;

pub(super) use style::width_of;

/// Longest beginning of a line that may still become a rule or a heading; what is longer are words.
const HEAD: usize = 128;

/// Longest rule, in columns.
const RULE: usize = 40;

/// A text in Markdown that comes in pieces. What it gives does not depend on where the pieces were cut: it takes one
/// character after the other.
pub(super) struct Markdown {
    at: At,
    /// What is held back of this line.
    line: String,
    inline: Inline,
    /// The rows of a table, until it is whole.
    table: Vec<String>,
    quoted: bool,
    /// Nothing was shown yet.
    first: bool,
}

/// Where in a text the next character is.
#[derive(Clone, Copy, PartialEq)]
enum At {
    /// In the beginning of a line, of which it is not yet clear what it is.
    Head,
    /// In a line that is held back to its end.
    Whole,
    Words,
    /// In a line of code whose beginning may still be a closing fence.
    Code(Fence),
    /// In a line that is code.
    CodeWords(Fence),
}

#[derive(Clone, Copy, PartialEq)]
struct Fence {
    mark: char,
    length: usize,
}

impl Markdown {
    pub(super) fn new() -> Self {
        Self {
            at: At::Head,
            line: String::new(),
            inline: Inline::new(Style::PLAIN),
            table: Vec::new(),
            quoted: false,
            first: true,
        }
    }

    /// Whether the cursor is at the beginning of a line.
    pub(super) fn at_line_start(&self) -> bool {
        matches!(self.at, At::Head | At::Whole | At::Code(_)) && !self.quoted && !self.first
    }

    /// Takes more of the text, and puts what is clear into `out`, for a screen of `width` columns.
    pub(super) fn push(&mut self, text: &str, width: usize, out: &mut String) {
        for each in text.chars() {
            self.take(each, width, out);
        }
    }

    /// Puts out what is held back: no more will come.
    pub(super) fn end(&mut self, width: usize, out: &mut String) {
        match self.at {
            At::Words => self.inline.end(out),
            At::Code(fence) if !self.line.is_empty() && !closes(&self.line, fence) => {
                self.begin_code(out);
                out.push('\n');
            }
            At::Head | At::Whole if !self.line.is_empty() => self.end_line(width, out),
            _ => {}
        }
        self.show_table(width, out);
    }

    fn take(&mut self, each: char, width: usize, out: &mut String) {
        match (self.at, each) {
            (At::Head | At::Whole, '\n') => self.end_line(width, out),
            (At::Head, _) => {
                self.line.push(each);
                self.decide(width, out);
            }
            (At::Whole, _) => self.line.push(each),
            (At::Words, '\n') => self.end_words(out),
            (At::Words, _) => self.inline.push(each, out),
            (At::Code(fence), '\n') => {
                if closes(&self.line, fence) {
                    self.line.clear();
                    self.at = At::Head;
                } else {
                    if !self.line.is_empty() {
                        self.begin_code(out);
                    }
                    out.push('\n');
                }
            }
            (At::Code(fence), _) => {
                self.line.push(each);
                let may_close = self.line.trim_start().chars().all(|it| it == fence.mark);
                if !may_close || self.line.len() > HEAD {
                    self.begin_code(out);
                    self.at = At::CodeWords(fence);
                }
            }
            (At::CodeWords(fence), '\n') => {
                out.push('\n');
                self.at = At::Code(fence);
            }
            (At::CodeWords(_), _) => out.push(each),
        }
    }

    fn begin_code(&mut self, out: &mut String) {
        out.push_str("  ");
        out.push_str(&std::mem::take(&mut self.line));
    }

    /// Finds out what the line is, if its beginning tells.
    fn decide(&mut self, width: usize, out: &mut String) {
        let kind = if self.line.len() > HEAD { Kind::Words } else { kind(&self.line, self.quoted) };
        if kind == Kind::Unclear {
            return;
        }
        if kind == Kind::Row {
            self.at = At::Whole;
            return;
        }
        if kind == Kind::Fence {
            self.at = At::Whole;
            return;
        }
        self.show_table(width, out);
        self.begin(&kind, out);
        let indent = self.line.len() - self.line.trim_start().len();
        let head = std::mem::take(&mut self.line);
        self.at = At::Words;
        self.inline = Inline::new(Style::PLAIN);
        match kind {
            Kind::Heading(level) => {
                let style = if level == 1 { Style::BOLD | Style::UNDERLINE } else { Style::BOLD };
                style.on(out);
                self.inline = Inline::new(style);
            }
            Kind::Quote => {
                gutter(out);
                self.quoted = true;
                self.at = At::Head;
            }
            Kind::Item => {
                out.push_str(head.get(..indent).unwrap_or_default());
                out.push_str("• ");
            }
            _ => head.chars().for_each(|each| self.inline.push(each, out)),
        }
    }

    /// Before the first thing that is shown: all but words begins a line of its own.
    fn begin(&mut self, kind: &Kind, out: &mut String) {
        if std::mem::take(&mut self.first) && *kind != Kind::Words {
            out.push('\n');
        }
    }

    /// The end of a line that was held back.
    fn end_line(&mut self, width: usize, out: &mut String) {
        let kind = line::whole(&self.line, self.quoted);
        self.at = At::Head;
        if kind == Kind::Row {
            self.table.push(std::mem::take(&mut self.line));
            return;
        }
        self.show_table(width, out);
        if kind == Kind::Blank && self.first {
            self.line.clear();
            return; // a text that begins with empty lines begins where its words are
        }
        self.begin(&kind, out);
        match kind {
            Kind::Blank => out.push('\n'),
            Kind::Rule => {
                Style::DIM.around(&"─".repeat(width.clamp(1, RULE)), out);
                out.push('\n');
            }
            Kind::Fence => {
                let body = self.line.trim();
                let mark = body.chars().next().unwrap_or('`');
                let language = body.trim_start_matches(mark);
                let length = body.len() - language.len();
                if !language.trim().is_empty() {
                    Style::DIM.around(&format!("  ┄ {}", language.trim()), out);
                    out.push('\n');
                }
                self.at = At::Code(Fence { mark, length });
            }
            Kind::Quote => {
                gutter(out);
                out.push('\n');
            }
            _ => {
                self.inline = Inline::new(Style::PLAIN);
                for each in std::mem::take(&mut self.line).chars() {
                    self.inline.push(each, out);
                }
                self.end_words(out);
            }
        }
        self.line.clear();
        self.quoted = false;
    }

    fn end_words(&mut self, out: &mut String) {
        self.inline.end(out);
        out.push('\n');
        self.quoted = false;
        self.at = At::Head;
    }

    fn show_table(&mut self, width: usize, out: &mut String) {
        let rows = std::mem::take(&mut self.table);
        if rows.is_empty() {
            return;
        }
        self.begin(&Kind::Row, out);
        table::show(&rows, width, out);
    }
}

fn gutter(out: &mut String) {
    Style::DIM.around("│ ", out);
}

/// Whether a line of code is the fence that ends it.
fn closes(line: &str, fence: Fence) -> bool {
    let body = line.trim();
    body.len() >= fence.length && body.chars().all(|it| it == fence.mark)
}

#[cfg(test)]
mod tests;
