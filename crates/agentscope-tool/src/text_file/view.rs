use super::{
    Place,
    lines::{absolute, counted, invalid, push_line, range},
};
use crate::{
    disk::{Abandoned, at, blocking},
    flow::{arguments, flow},
};
use agentscope_core::{
    Context, Error, ErrorKind, Result, Tool, ToolChunk, ToolRequest, ToolSpec, ToolStream,
};
use serde::Deserialize;
use serde_json::json;
use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    sync::Arc,
};

/// Most bytes of a file shown at once (60 KiB): less than what a toolkit lets pass, so that it cuts nothing more.
const OUTPUT_LIMIT: usize = 60 << 10;

/// Most bytes shown of one line (8 KiB).
const LINE_LIMIT: usize = 8 << 10;

/// The tool `view_text_file`: shows a text file, or some of its lines, with line numbers.
///
/// Lines are read one after the other, so that a file of any size can be viewed. How much is shown at once is bounded, and
/// what is left out is said. Bytes that are no UTF-8 are shown as U+FFFD.
///
/// ```
/// use agentscope_core::Tool;
/// use agentscope_tool::ViewTextFile;
///
/// let view = ViewTextFile::new().root("/srv/docs").output_limit(4096);
/// assert!(view.spec().read_only);
/// ```
#[derive(Clone)]
pub struct ViewTextFile {
    place: Place,
    output_limit: usize,
    line_limit: usize,
}

/// [`ViewTextFile`] as AgentScope 1.x has it.
pub fn view_text_file() -> ViewTextFile {
    ViewTextFile::new()
}

impl ViewTextFile {
    /// Shows any file that this program may read.
    pub fn new() -> Self {
        Self { place: Place::default(), output_limit: OUTPUT_LIMIT, line_limit: LINE_LIMIT }
    }

    /// Only files in this directory; relative paths begin there.
    #[must_use]
    pub fn root(mut self, dir: impl Into<PathBuf>) -> Self {
        self.place.root = Some(dir.into());
        self
    }

    /// Most bytes shown at once (60 KiB).
    #[must_use]
    pub fn output_limit(mut self, bytes: usize) -> Self {
        self.output_limit = bytes;
        self
    }

    /// Most bytes shown of one line (8 KiB).
    #[must_use]
    pub fn line_limit(mut self, bytes: usize) -> Self {
        self.line_limit = bytes;
        self
    }
}

impl Default for ViewTextFile {
    fn default() -> Self {
        Self::new()
    }
}

#[derive(Deserialize)]
struct Args {
    file_path: String,
    ranges: Option<Vec<i64>>,
}

impl Tool for ViewTextFile {
    fn spec(&self) -> Arc<ToolSpec> {
        let schema = json!({
            "type": "object",
            "properties": {
                "file_path": {"type": "string", "description": "The path of the file."},
                "ranges": {
                    "anyOf": [{"type": "array", "items": {"type": "integer"}}, {"type": "null"}],
                    "description": "The first and the last line to view, such as [1, 100]; the whole file if left out. \
                        Negative numbers count from the end: [-100, -1] views the last 100 lines.",
                    "default": null,
                },
            },
            "required": ["file_path"],
        });
        let description = "View a text file, or a range of its lines, with line numbers.";
        Arc::new(ToolSpec::new("view_text_file", description, schema).read_only())
    }

    fn call(&self, req: ToolRequest, cx: Context) -> ToolStream {
        let tool = self.clone();
        flow(|emit| async move {
            let args: Args = arguments(req)?;
            let range = range(args.ranges)?;
            let shown = blocking(move |abandoned| tool.show(&args.file_path, range, abandoned));
            let shown = tokio::select! {
                shown = shown => shown?,
                () = cx.interrupt().triggered() => {
                    return Err(Error::new(ErrorKind::Tool, "interrupted while it read a file"));
                }
            };
            emit.send(ToolChunk::text(shown)).await;
            Ok(())
        })
    }
}

impl ViewTextFile {
    fn show(&self, path: &str, range: Option<[i64; 2]>, abandoned: &Abandoned) -> Result<String> {
        let file = self.place.existing(path)?;
        let [mut first, mut last] = range.unwrap_or([1, i64::MAX]);
        if first < 0 || last < 0 {
            let count = Lines::open(&file)?.skip(usize::MAX, abandoned)?;
            // The last 100 lines of a file with 40 lines are all of them.
            (first, last) = (absolute(first, count).max(1), absolute(last, count));
            if last < first {
                return Err(beyond(path, range, count));
            }
        }
        let mut lines = Lines::open(&file)?;
        let before = usize::try_from(first - 1).unwrap_or(usize::MAX);
        let skipped = lines.skip(before, abandoned)?;
        let mut out = match range {
            None => format!("The content of {path}:\n```\n"),
            Some([start, end]) => format!("The content of {path} in [{start}, {end}] lines:\n```\n"),
        };
        let (start, mut number) = (out.len(), skipped);
        let mut notes = String::new();
        while i64::try_from(number).is_ok_and(|number| number < last) {
            abandoned.check()?;
            let Some((line, missing)) = lines.next(self.line_limit)? else { break };
            let room = self.output_limit.saturating_sub(out.len() - start);
            if line.len() > room && number > before {
                notes = format!(
                    "\nStopped after line {number}: at most {} bytes are shown at once. View the next lines with ranges \
                     beginning at {}.",
                    self.output_limit,
                    number + 1
                );
                break;
            }
            number += 1;
            push_line(&mut out, number, &line, missing);
        }
        if number == before && before > 0 || skipped < before {
            return Err(beyond(path, range, skipped));
        }
        if !lines.is_utf8 {
            notes.push_str("\nThe file is not all UTF-8: the other bytes are shown as U+FFFD.");
        }
        out.push_str("```");
        out.push_str(&notes);
        Ok(out)
    }
}

fn beyond(path: &str, range: Option<[i64; 2]>, count: usize) -> Error {
    let [start, end] = range.unwrap_or([1, -1]);
    invalid(format!("there are no lines [{start}, {end}] in `{path}`, which has {}", counted(count)))
}

/// Reads a file line by line, none of them longer than it has to.
struct Lines<'a> {
    path: &'a Path,
    reader: BufReader<File>,
    is_utf8: bool,
}

impl<'a> Lines<'a> {
    fn open(path: &'a Path) -> Result<Self> {
        let file = File::open(path).map_err(|error| at(path, error))?;
        Ok(Self { path, reader: BufReader::with_capacity(64 << 10, file), is_utf8: true })
    }

    /// Passes over up to `count` lines and says how many there were.
    fn skip(&mut self, count: usize, abandoned: &Abandoned) -> Result<usize> {
        let mut passed = 0;
        let mut in_line = false;
        while passed < count {
            abandoned.check()?;
            let buffer = self.reader.fill_buf().map_err(|error| at(self.path, error))?;
            if buffer.is_empty() {
                return Ok(passed + usize::from(in_line));
            }
            let mut used = 0;
            for line in buffer.split_inclusive(|byte| *byte == b'\n') {
                used += line.len();
                in_line = !line.ends_with(b"\n");
                passed += usize::from(!in_line);
                if passed == count {
                    break;
                }
            }
            self.reader.consume(used);
        }
        Ok(passed)
    }

    /// The next line, at most `limit` bytes of it and how many more it has.
    fn next(&mut self, limit: usize) -> Result<Option<(Vec<u8>, usize)>> {
        let mut line = Vec::new();
        let mut length = 0;
        loop {
            let buffer = self.reader.fill_buf().map_err(|error| at(self.path, error))?;
            let part = buffer.split_inclusive(|byte| *byte == b'\n').next().unwrap_or_default();
            let text = part.strip_suffix(b"\n").unwrap_or(part);
            let room = limit.saturating_sub(line.len()).min(text.len());
            line.extend_from_slice(text.get(..room).unwrap_or_default());
            length += text.len();
            let (used, ended) = (part.len(), text.len() < part.len());
            self.reader.consume(used);
            if ended || used == 0 {
                if !ended && length == 0 {
                    return Ok(None);
                }
                let whole = std::str::from_utf8(&line);
                // A character that was cut by the limit is no fault of the file.
                if let Err(error) = whole {
                    let cut = error.error_len().is_none() && length > line.len();
                    let valid = error.valid_up_to();
                    self.is_utf8 &= cut;
                    if cut {
                        line.truncate(valid);
                    }
                }
                let missing = length - line.len();
                return Ok(Some((line, missing)));
            }
        }
    }
}
