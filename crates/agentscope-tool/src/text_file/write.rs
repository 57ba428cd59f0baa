use super::{
    AROUND, EDIT_LIMIT, Place, edit_options,
    lines::{absolute, counted, invalid, range, replace, snippet, split},
    load,
};
use crate::{
    disk::{blocking, write_whole},
    flow::{arguments, flow},
};
use agentscope_core::{
    Context, Error, ErrorKind, Result, Tool, ToolChunk, ToolRequest, ToolSpec, ToolStream,
};
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

/// The tool `write_text_file`: creates or overwrites a text file, or replaces some of its lines.
///
/// A file is written whole or not at all and keeps its permissions; where lines are replaced it keeps its line ends, and a
/// missing line end is added where the next line would be glued on. Missing directories are made, which is said.
///
/// ```
/// use agentscope_core::Tool;
/// use agentscope_tool::WriteTextFile;
///
/// let write = WriteTextFile::new().root("/srv/docs");
/// assert!(!write.spec().read_only);
/// ```
#[derive(Clone)]
pub struct WriteTextFile {
    place: Place,
    edit_limit: u64,
}

/// [`WriteTextFile`] as AgentScope 1.x has it.
///
/// ```
/// use agentscope_core::Tool;
/// assert_eq!(agentscope_tool::write_text_file().root("/tmp/agent").spec().name, "write_text_file");
/// ```
pub fn write_text_file() -> WriteTextFile {
    WriteTextFile::new()
}

impl WriteTextFile {
    /// Writes any file that this program may write.
    pub fn new() -> Self {
        Self { place: Place::default(), edit_limit: EDIT_LIMIT }
    }

    edit_options!();
}

impl Default for WriteTextFile {
    fn default() -> Self {
        Self::new()
    }
}

#[derive(Deserialize)]
struct Args {
    file_path: String,
    content: String,
    ranges: Option<Vec<i64>>,
}

const DESCRIPTION: &str = "\
Create, overwrite or edit a text file. With `ranges`, only these lines of an existing file are replaced by the content; without \
it the content becomes the whole file.";

impl Tool for WriteTextFile {
    fn spec(&self) -> Arc<ToolSpec> {
        let schema = json!({
            "type": "object",
            "properties": {
                "file_path": {"type": "string", "description": "The path of the file."},
                "content": {"type": "string", "description": "The content to write; empty to delete the lines in `ranges`."},
                "ranges": {
                    "anyOf": [{"type": "array", "items": {"type": "integer"}}, {"type": "null"}],
                    "description": "The first and the last line to replace, such as [3, 5]. Negative numbers count from the \
                        end: [-1, -1] is the last line.",
                    "default": null,
                },
            },
            "required": ["file_path", "content"],
        });
        Arc::new(ToolSpec::new("write_text_file", DESCRIPTION, schema))
    }

    fn call(&self, req: ToolRequest, _: Context) -> ToolStream {
        let tool = self.clone();
        flow(|emit| async move {
            let args: Args = arguments(req)?;
            let range = range(args.ranges)?;
            let done = blocking(move |_| match range {
                None => tool.write(&args.file_path, &args.content),
                Some(range) => tool.replace(&args.file_path, range, &args.content),
            });
            emit.send(ToolChunk::text(done.await?)).await;
            Ok(())
        })
    }
}

impl WriteTextFile {
    fn write(&self, path: &str, content: &str) -> Result<String> {
        let file = self.place.find(path)?;
        let existed = file.exists();
        let made = write_whole(&file, content.as_bytes())?;
        let mut done = match existed {
            true => format!("Overwrite {path} successfully."),
            false => format!("Create and write {path} successfully."),
        };
        if let Some(made) = made {
            done.push_str(&format!(" The directory {} was missing and has been made.", made.display()));
        }
        Ok(done)
    }

    fn replace(&self, path: &str, [start, end]: [i64; 2], content: &str) -> Result<String> {
        if !self.place.find(path)?.exists() {
            let message =
                format!("there is no file `{path}` to replace lines in: leave out `ranges` to create it");
            return Err(Error::new(ErrorKind::NotFound, message));
        }
        let file = self.place.existing(path)?;
        let text = load(&file, self.edit_limit)?;
        let (first, last) = lines_of(path, &text, start, end)?;
        let text = replace(&text, first, last, content);
        write_whole(&file, &text)?;
        Ok(told(path, &text, first, content))
    }
}

/// The lines that are meant. Unlike a view, a change of lines that are not there is refused: the model has another file in mind.
fn lines_of(path: &str, text: &[u8], start: i64, end: i64) -> Result<(usize, usize)> {
    let count = split(text).len();
    let number = |n| usize::try_from(absolute(n, count)).ok().filter(|n| (1..=count).contains(n));
    match (number(start), number(end)) {
        (Some(first), Some(last)) if first <= last => Ok((first, last)),
        _ => Err(invalid(format!(
            "there are no lines [{start}, {end}] in `{path}`, which has {}",
            counted(count)
        ))),
    }
}

fn told(path: &str, text: &[u8], first: usize, content: &str) -> String {
    let last = first + content.lines().count().saturating_sub(1);
    let snippet = snippet(text, first, last, AROUND);
    format!("Write {path} successfully. The new content snippet:\n{snippet}")
}
