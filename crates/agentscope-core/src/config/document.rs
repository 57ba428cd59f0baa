//! From the bytes of a file to JSON: what editors and hands leave in such files is read, and what cannot be is told with its place.

use crate::error::{Error, ErrorKind, Result};
use serde_json::Value;
use std::{fs::File, io::Read, path::Path};

/// Most bytes that are read of a file (16 MiB).
const MOST: u64 = 16 << 20;

/// What the JSON file at `path` holds, read as [`parse_json`] reads a text. It blocks for as long as the file takes.
///
/// # Errors
/// [`ErrorKind::NotFound`] if there is no such file, [`ErrorKind::Unauthorized`] if it may not be read, and
/// [`ErrorKind::InvalidInput`] if it has more than 16 MiB or is no JSON, with line and column.
///
/// ```
/// let error = agentscope_core::config::read_json("no such file.json").unwrap_err();
/// assert!(error.message().starts_with("`no such file.json`: there is no such file (looked for from "));
/// ```
pub fn read_json(path: impl AsRef<Path>) -> Result<Value> {
    let path = path.as_ref();
    let told = path.display();
    let failed = |error: std::io::Error| {
        let advice = match error.kind() {
            std::io::ErrorKind::NotFound => {
                let from = std::env::current_dir().unwrap_or_default();
                format!("there is no such file (looked for from {}): give the path of one", from.display())
            }
            std::io::ErrorKind::PermissionDenied => {
                "it may not be read: give this user the right to".to_owned()
            }
            std::io::ErrorKind::IsADirectory => "it is a folder: name a file in it".to_owned(),
            _ => format!("it cannot be read: {error}"),
        };
        Error::new(Error::from(error).kind(), format!("`{told}`: {advice}"))
    };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failed)?;
    if file.metadata().is_ok_and(|it| it.is_dir()) {
        return Err(failed(std::io::ErrorKind::IsADirectory.into()));
    }
    file.take(MOST + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MOST {
        return Err(invalid(format!(
            "`{told}`: it has more than {} MiB: name a file of configurations",
            MOST >> 20
        )));
    }
    parse_json(&bytes).map_err(|error| error.context(format_args!("`{told}`")))
}

/// The JSON in `bytes`, in UTF-8. Comments (`#`, `//`, `/* */`) and a comma before a closing bracket are allowed.
///
/// ```
/// let list = agentscope_core::config::parse_json(b"[1, 2,] # two numbers")?;
/// assert_eq!(list, serde_json::json!([1, 2]));
/// # Ok::<_, agentscope_core::Error>(())
/// ```
///
/// # Errors
/// [`ErrorKind::InvalidInput`] if it is no JSON, with line, column and what to do. Nothing of the text is repeated, which may hold a key.
pub fn parse_json(bytes: &[u8]) -> Result<Value> {
    if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
        return Err(invalid("it is UTF-16: save it as UTF-8".to_owned()));
    }
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let line = 1 + before.iter().filter(|it| **it == b'\n').count();
        invalid(format!("line {line} is not UTF-8: save it as UTF-8"))
    })?;
    let plain = plain(text);
    if plain.trim().is_empty() {
        return Err(invalid("it is empty: write a configuration, or a list of them".to_owned()));
    }
    serde_json::from_str(&plain).map_err(|error| invalid(syntax(text, &plain, &error)))
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidInput, message)
}

/// What is wrong with the JSON, and where. Its message repeats nothing of the text, which may hold a key.
fn syntax(text: &str, plain: &str, error: &serde_json::Error) -> String {
    let line = plain.lines().nth(error.line().saturating_sub(1)).unwrap_or_default();
    // The parser counts bytes, editors count characters.
    let before = line.get(..error.column().saturating_sub(1)).unwrap_or(line);
    let (place, column) = (error.line(), before.chars().count() + 1);
    let what = error.to_string();
    let what = what.split(" at line ").next().unwrap_or_default();
    let word: String = text
        .lines()
        .nth(place.saturating_sub(1))
        .unwrap_or_default()
        .chars()
        .skip(column.saturating_sub(1))
        .take_while(|it| it.is_ascii_alphabetic() || *it == '\'' || *it == '.')
        .take(5)
        .collect();
    let advice = match word.as_str() {
        "True" => "write `true`",
        "False" => "write `false`",
        "None" => "write `null`",
        word if word.starts_with('\'') => "write texts in double quotation marks",
        word if word.starts_with("..") => "`...` stands for fields of your own: write them, or take it out",
        _ if what.starts_with("expected `,`") => "is a comma missing before it?",
        _ => "correct it",
    };
    format!("line {place}, column {column} is no JSON ({what}): {advice}")
}

/// The text with blanks where comments (`#`, `//`, `/* */`) and the commas before a closing bracket were, so that each character
/// stays in its line and column. Such templates are in the first README of AgentScope, and in many a file since.
fn plain(text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let mut at = 0;
    let mut comma = None;
    let is =
        |bytes: &[u8], at: usize, what: &[u8]| bytes.get(at..).is_some_and(|rest| rest.starts_with(what));
    while let Some(&byte) = bytes.get(at) {
        let end = match byte {
            b'"' => {
                comma = None;
                at = after_text(&bytes, at);
                continue;
            }
            b'#' => line_end(&bytes, at),
            b'/' if is(&bytes, at, b"//") => line_end(&bytes, at),
            b'/' if is(&bytes, at, b"/*") => {
                let rest = bytes.get(at + 2..).unwrap_or_default();
                rest.windows(2).position(|it| it == b"*/").map_or(bytes.len(), |it| at + 2 + it + 2)
            }
            _ => {
                match byte {
                    b',' => comma = Some(at),
                    b']' | b'}' => {
                        if let Some(byte) = comma.take().and_then(|at| bytes.get_mut(at)) {
                            *byte = b' ';
                        }
                    }
                    byte if byte.is_ascii_whitespace() => {}
                    _ => comma = None,
                }
                at += 1;
                continue;
            }
        };
        for byte in bytes.get_mut(at..end).into_iter().flatten().filter(|it| !it.is_ascii_whitespace()) {
            *byte = b' ';
        }
        at = end;
    }
    // Whole comments were blanked, and these begin and end between characters.
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

fn line_end(bytes: &[u8], from: usize) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    rest.iter().position(|it| *it == b'\n').map_or(bytes.len(), |it| from + it)
}

/// The place behind the closing quotation mark of the text that begins at `from`.
fn after_text(bytes: &[u8], from: usize) -> usize {
    let mut at = from + 1;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests;
