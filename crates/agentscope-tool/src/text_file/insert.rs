use super::{
    AROUND, EDIT_LIMIT, Place, edit_options,
    lines::{counted, insert, invalid, snippet, split},
    load,
};
use crate::{
    disk::{blocking, write_whole},
    flow::{arguments, flow},
};
use agentscope_core::{Context, Result, Tool, ToolChunk, ToolRequest, ToolSpec, ToolStream};
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

/// The tool `insert_text_file`: inserts lines into a text file.
///
/// The file is written whole or not at all and keeps its permissions and line ends; lines are never glued together, and no
/// blank line is added.
///
/// ```
/// use agentscope_core::Tool;
/// use agentscope_tool::InsertTextFile;
///
/// let insert = InsertTextFile::new().root("/srv/docs");
/// assert_eq!(insert.spec().input_schema["required"][2], "line_number");
/// ```
#[derive(Clone)]
pub struct InsertTextFile {
    place: Place,
    edit_limit: u64,
}

/// [`InsertTextFile`] as AgentScope 1.x has it.
///
/// ```
/// use agentscope_core::Tool;
/// assert_eq!(agentscope_tool::insert_text_file().root("/tmp/agent").spec().name, "insert_text_file");
/// ```
pub fn insert_text_file() -> InsertTextFile {
    InsertTextFile::new()
}

impl InsertTextFile {
    /// Inserts into any file that this program may write.
    pub fn new() -> Self {
        Self { place: Place::default(), edit_limit: EDIT_LIMIT }
    }

    edit_options!();
}

impl Default for InsertTextFile {
    fn default() -> Self {
        Self::new()
    }
}

#[derive(Deserialize)]
struct Args {
    file_path: String,
    content: String,
    line_number: i64,
}

impl Tool for InsertTextFile {
    fn spec(&self) -> Arc<ToolSpec> {
        let schema = json!({
            "type": "object",
            "properties": {
                "file_path": {"type": "string", "description": "The path of the file."},
                "content": {"type": "string", "description": "The content to insert, one or more lines."},
                "line_number": {
                    "type": "integer",
                    "description": "The line before which the content is inserted, from 1; one more than the file has lines \
                        appends it.",
                },
            },
            "required": ["file_path", "content", "line_number"],
        });
        let description = "Insert content into a text file before the given line.";
        Arc::new(ToolSpec::new("insert_text_file", description, schema))
    }

    fn call(&self, req: ToolRequest, _: Context) -> ToolStream {
        let tool = self.clone();
        flow(|emit| async move {
            let args: Args = arguments(req)?;
            emit.send(ToolChunk::text(blocking(move |_| tool.insert(&args)).await?)).await;
            Ok(())
        })
    }
}

impl InsertTextFile {
    fn insert(&self, Args { file_path, content, line_number }: &Args) -> Result<String> {
        let file = self.place.existing(file_path)?;
        let text = load(&file, self.edit_limit)?;
        let count = split(&text).len();
        let Some(number) = usize::try_from(*line_number).ok().filter(|n| (1..=count + 1).contains(n)) else {
            return Err(invalid(format!(
                "cannot insert at line {line_number} of `{file_path}`, which has {}: name a line from 1 to {}",
                counted(count),
                count + 1
            )));
        };
        let text = insert(&text, number, content);
        write_whole(&file, &text)?;
        let last = number + content.lines().count().saturating_sub(1);
        let snippet = snippet(&text, number, last, AROUND);
        Ok(format!(
            "Insert content into {file_path} at line {number} successfully. The new content around it:\n{snippet}"
        ))
    }
}
