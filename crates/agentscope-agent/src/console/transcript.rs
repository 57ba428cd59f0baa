//! What was said in a talk, to look it up and to keep it.

use agentscope_core::{ContentBlock, Error, ErrorKind, Msg, Result, Role, ToolResult, Usage};
use std::{fmt::Write, io::Write as _, path::Path};

/// The messages of a talk, in order.
#[derive(Default)]
pub(super) struct Transcript(Vec<Msg>);

impl Transcript {
    /// Adds a message, or more of the one that is there.
    pub(super) fn add(&mut self, msg: &Msg) {
        match self.0.iter_mut().rev().find(|known| known.id == msg.id) {
            Some(known) => known.clone_from(msg),
            None => self.0.push(msg.clone()),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What was said in words: by whom, if by an agent, and what.
    pub(super) fn said(&self) -> impl Iterator<Item = (Option<&str>, String)> {
        self.0.iter().flat_map(|msg| {
            let who = (msg.role == Role::Assistant).then_some(msg.name.as_str());
            msg.content.iter().filter_map(move |block| match block {
                ContentBlock::Text { text, .. } if !text.trim().is_empty() => {
                    Some((who, text.trim().to_owned()))
                }
                ContentBlock::Heard(heard) => Some((None, heard.text())),
                _ => None,
            })
        })
    }

    /// The last result of a tool, or the one so many before it, counted from 1.
    pub(super) fn last_result(&self, back: usize) -> Option<&ToolResult> {
        let results: Vec<&ToolResult> = self.0.iter().flat_map(Msg::results).collect();
        results.len().checked_sub(back).and_then(|at| results.get(at)).copied()
    }

    pub(super) fn usage(&self) -> Usage {
        let mut sum = Usage::default();
        self.0.iter().filter_map(|msg| msg.usage).for_each(|usage| sum += usage);
        sum
    }

    /// The name of a file for this talk: when it began.
    pub(super) fn file_name(&self) -> String {
        let began = self.0.first().map(|msg| msg.timestamp.to_string()).unwrap_or_default();
        let digits: String = began.chars().filter(char::is_ascii_digit).take(14).collect();
        format!("talk-{digits}.md")
    }

    /// Writes the talk to a file: its messages if that is JSON, otherwise Markdown.
    pub(super) async fn save(&self, file: String, replace: bool) -> Result<String> {
        let json = Path::new(&file).extension().is_some_and(|it| it.eq_ignore_ascii_case("json"));
        let text = if json {
            serde_json::to_string_pretty(&self.0).map_err(|error| {
                Error::new(ErrorKind::Internal, format!("the talk cannot be written as JSON: {error}"))
            })?
        } else {
            self.markdown()
        };
        let path = file.clone();
        let write = move || {
            let mut options = std::fs::OpenOptions::new();
            options.write(true);
            if replace {
                options.create(true).truncate(true)
            } else {
                options.create_new(true)
            };
            options.open(path)?.write_all(text.as_bytes())
        };
        let written = tokio::task::spawn_blocking(write).await;
        match written.map_err(std::io::Error::other).flatten() {
            Ok(()) => Ok(file),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                let message =
                    format!("{file} is there already: give another name, or `/save! {file}` to replace it");
                Err(Error::new(ErrorKind::Conflict, message))
            }
            Err(error) => {
                let message = format!("{file} cannot be written: {error}; give another name");
                Err(Error::new(ErrorKind::Unavailable, message).with_source(error))
            }
        }
    }

    fn markdown(&self) -> String {
        let mut out = String::new();
        for msg in &self.0 {
            let _ = writeln!(out, "## {}\n", msg.name); // a string takes everything
            for block in &msg.content {
                let _ = match block {
                    ContentBlock::Text { text, .. } => writeln!(out, "{}\n", text.trim_end()),
                    ContentBlock::ToolCall(call) => {
                        writeln!(out, "`{}` was called with `{}`\n", call.name, call.input)
                    }
                    ContentBlock::ToolResult(result) => {
                        let text = result.text();
                        let fence = fence(&text);
                        writeln!(out, "{fence}text\n{}\n{fence}\n", text.trim_end())
                    }
                    ContentBlock::Heard(heard) => {
                        writeln!(out, "> {}: {}\n", heard.name, heard.text().replace('\n', "\n> "))
                    }
                    _ => Ok(()),
                };
            }
        }
        out
    }
}

/// A fence that the text does not close.
fn fence(text: &str) -> String {
    let longest = text.split(|it| it != '`').map(str::len).max().unwrap_or(0);
    "`".repeat(longest.max(2) + 1)
}
