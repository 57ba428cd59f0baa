//! Where a talk is shown: lines, words that stream, and what they look like.

use super::{
    io_error,
    markdown::{Markdown, width_of},
};
use crate::clean::{clean, misleads};
use agentscope_core::{Error, Result};
use tokio::io::{AsyncWrite, AsyncWriteExt};

/// How wide a screen is that does not say so, in columns.
const WIDTH: usize = 80;

const DIM: &str = "\x1b[2m";
const BOLD: &str = "\x1b[1m";
const PLAIN: &str = "\x1b[0m";

/// How a talk looks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Look {
    /// Prompts, folded calls, times and tokens: what a person wants to see, and a program that reads it does not.
    pub(super) terminal: bool,
    /// Colors, and Markdown as what it means. Without them each text is shown as it was written.
    pub(super) color: bool,
}

/// Where a talk is shown.
pub(super) struct Screen {
    out: Box<dyn AsyncWrite + Send + Unpin>,
    pub(super) look: Look,
    width: fn() -> usize,
    place: Place,
}

/// What stands at the cursor.
enum Place {
    LineStart,
    Words(Option<Box<Markdown>>),
    Thoughts,
}

impl Screen {
    pub(super) fn stdout(look: Look) -> Self {
        Self { out: Box::new(tokio::io::stdout()), look, width: terminal_width, place: Place::LineStart }
    }

    #[cfg(test)]
    pub(super) fn of(out: impl AsyncWrite + Send + Unpin + 'static, look: Look) -> Self {
        Self { out: Box::new(out), look, width: || WIDTH, place: Place::LineStart }
    }

    pub(super) fn width(&self) -> usize {
        (self.width)()
    }

    /// What was asked, where it was not typed here.
    pub(super) async fn echo(&mut self, line: &str) -> Result<()> {
        self.line(&format!("> {line}")).await
    }

    pub(super) async fn line(&mut self, text: &str) -> Result<()> {
        self.end_line().await?;
        self.put(&format!("{}\n", clean(text))).await
    }

    /// A line about the talk, which is no part of it.
    pub(super) async fn note(&mut self, text: &str) -> Result<()> {
        self.end_line().await?;
        let text = format!("{}{}{}\n", self.style(DIM), clean(text), self.style(PLAIN));
        self.put(&text).await
    }

    /// A line, and something about it.
    pub(super) async fn line_with(&mut self, text: &str, about: &str) -> Result<()> {
        self.end_line().await?;
        let text = format!("{}{}{}{}\n", clean(text), self.style(DIM), clean(about), self.style(PLAIN));
        self.put(&text).await
    }

    pub(super) async fn error(&mut self, error: &Error) -> Result<()> {
        self.line(&format!("error: {error}")).await
    }

    /// Goes to the beginning of a line.
    pub(super) async fn end_line(&mut self) -> Result<()> {
        let mut end = String::new();
        match std::mem::replace(&mut self.place, Place::LineStart) {
            Place::LineStart => return Ok(()),
            Place::Thoughts => {
                end.push_str(self.style(PLAIN));
                end.push('\n');
            }
            Place::Words(None) => end.push('\n'),
            Place::Words(Some(mut markdown)) => {
                markdown.end(self.width(), &mut end);
                if !markdown.at_line_start() {
                    end.push('\n');
                }
            }
        }
        self.put(&end).await
    }

    /// Goes to the beginning of a line for something in between; what streams goes on after it.
    pub(super) async fn pause(&mut self) -> Result<()> {
        let at_line_start = match &self.place {
            Place::LineStart => true,
            Place::Words(Some(markdown)) => markdown.at_line_start(),
            _ => false,
        };
        let end = if at_line_start { "" } else { "\n" };
        self.put(&format!("{}{end}", self.style(PLAIN))).await
    }

    /// A line in between, see [`pause`](Self::pause).
    pub(super) async fn between(&mut self, text: &str) -> Result<()> {
        self.put(&format!("{}\n", clean(text))).await
    }

    /// More words of `name`.
    pub(super) async fn words(&mut self, name: &str, text: &str) -> Result<()> {
        let text = clean(text);
        let mut out = String::new();
        if !matches!(self.place, Place::Words(_)) {
            self.end_line().await?;
            out = format!("{}{}:{} ", self.style(BOLD), clean(name), self.style(PLAIN));
            self.place = Place::Words(self.look.color.then(|| Box::new(Markdown::new())));
        }
        let width = self.width();
        match &mut self.place {
            Place::Words(Some(markdown)) => markdown.push(&text, width, &mut out),
            _ => out.push_str(&text),
        }
        self.put(&out).await
    }

    /// More thoughts.
    pub(super) async fn thoughts(&mut self, text: &str) -> Result<()> {
        if !matches!(self.place, Place::Thoughts) {
            self.end_line().await?;
            let head = format!("{}(thinks) ", self.style(DIM));
            self.put(&head).await?;
            self.place = Place::Thoughts;
        }
        let text = format!("{}{}", self.style(DIM), clean(text));
        self.put(&text).await
    }

    /// `text` as one line that fits beside `taken` columns.
    pub(super) fn folded(&self, text: &str, taken: usize) -> String {
        let text = clean(text.trim());
        let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let room = self.width().saturating_sub(taken).max(16);
        if width_of(&line) <= room {
            return line;
        }
        let mut cut = String::new();
        let mut columns = 1;
        for each in line.chars() {
            columns += width_of(each.encode_utf8(&mut [0; 4]));
            if columns > room {
                break;
            }
            cut.push(each);
        }
        cut + "…"
    }

    fn style(&self, style: &'static str) -> &'static str {
        if self.look.color { style } else { "" }
    }

    /// Puts text at the cursor.
    pub(super) async fn put(&mut self, text: &str) -> Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        self.out.write_all(text.as_bytes()).await.map_err(io_error)?;
        self.out.flush().await.map_err(io_error)
    }
}

#[cfg(unix)]
fn terminal_width() -> usize {
    let size = rustix::termios::tcgetwinsize(rustix::stdio::stdout());
    size.map_or(WIDTH, |size| usize::from(size.ws_col)).max(1)
}

#[cfg(not(unix))]
fn terminal_width() -> usize {
    WIDTH
}

/// Arguments in JSON with those characters as JSON writes them: nobody approves what they do not see.
pub(super) fn escaped(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for each in json.chars() {
        if misleads(each) {
            out.push_str(&format!("\\u{:04x}", u32::from(each)));
        } else {
            out.push(each);
        }
    }
    out
}
