use crate::flow::flow;
use agentscope_core::{
    ContentBlock, Context, Error, Tool, ToolChunk, ToolRequest, ToolSpec, ToolStream, Workspace,
};
use bytes::Bytes;
use futures_util::StreamExt;
use std::{collections::VecDeque, mem, sync::Arc};

/// Most bytes of text kept of a tool's output (64 KiB).
const KEPT: usize = 64 << 10;

/// Most bytes of text written to the workspace (16 MiB): they are held in memory until the tool ends.
const SPILLED: usize = 16 << 20;

/// How much of it is kept where an output limit is already set; a toolkit leaves such a tool alone.
const EXTRA: &str = "output_limit";

/// How much text a tool may put into the conversation, and where the rest goes.
///
/// The head and the tail are kept, half of the bytes each, cut between characters. The full text is written to the
/// workspace and its path is told to the model, because a cut without a trace makes the model guess. Pictures and other
/// media pass and do not count.
///
/// ```
/// use agentscope_core::Tool;
/// use agentscope_tool::{LocalWorkspace, OutputLimit, ToolExt, execute_shell_command};
///
/// let limit = OutputLimit::new(4096).workspace(LocalWorkspace::new("/tmp/agent"));
/// let shell = execute_shell_command().limit_output(limit);
/// assert_eq!(shell.spec().name, "execute_shell_command");
/// ```
#[derive(Clone)]
pub struct OutputLimit {
    kept: usize,
    spilled: usize,
    workspace: Option<Arc<dyn Workspace>>,
}

impl OutputLimit {
    /// Keeps at most `bytes` of text.
    pub fn new(bytes: usize) -> Self {
        Self { kept: bytes, spilled: SPILLED, workspace: None }
    }

    /// Where longer text goes, into `tool-output/<call id>.txt`. Without a workspace it is only said how much is missing.
    #[must_use]
    pub fn workspace(mut self, workspace: impl Workspace) -> Self {
        self.workspace = Some(Arc::new(workspace));
        self
    }

    /// Most bytes that are written to the workspace (16 MiB); text beyond is counted and said.
    #[must_use]
    pub fn spill_limit(mut self, bytes: usize) -> Self {
        self.spilled = bytes;
        self
    }

    pub(crate) fn set_kept(&mut self, bytes: usize) {
        self.kept = bytes;
    }
}

impl Default for OutputLimit {
    fn default() -> Self {
        Self::new(KEPT)
    }
}

impl From<usize> for OutputLimit {
    fn from(bytes: usize) -> Self {
        Self::new(bytes)
    }
}

struct OutputLimited {
    inner: Arc<dyn Tool>,
    spec: Arc<ToolSpec>,
    limit: OutputLimit,
}

/// The tool with a limit on its output; one that has a limit already keeps it.
pub(crate) fn limited(inner: Arc<dyn Tool>, limit: OutputLimit) -> Arc<dyn Tool> {
    let mut spec = inner.spec();
    if spec.extra.get(EXTRA).is_some() {
        return inner;
    }
    Arc::make_mut(&mut spec).extra.set(EXTRA, limit.kept as u64);
    Arc::new(OutputLimited { inner, spec, limit })
}

impl Tool for OutputLimited {
    fn spec(&self) -> Arc<ToolSpec> {
        Arc::clone(&self.spec)
    }

    fn call(&self, req: ToolRequest, cx: Context) -> ToolStream {
        let mut cut = Cut::new(self.limit.clone());
        let call_id = req.call_id.clone();
        let mut stream = self.inner.call(req, cx);
        flow(|emit| async move {
            let mut end = Ok(());
            while let Some(chunk) = stream.next().await {
                match chunk {
                    Ok(ToolChunk::Output { content }) => {
                        emit.blocks(content.into_iter().filter_map(|block| cut.take(block)).collect()).await;
                    }
                    Ok(other) => emit.send(other).await,
                    Err(error) => {
                        end = Err(shorter(error, cut.limit.kept));
                        break;
                    }
                }
            }
            emit.blocks(cut.end(&call_id).await).await;
            end
        })
    }
}

/// Text on its way: the head has passed, the newest bytes are held, the oldest of these are dropped when they are too many.
struct Cut {
    limit: OutputLimit,
    /// All bytes of text so far.
    total: usize,
    /// Bytes of text that have passed.
    passed: usize,
    /// Blocks other than text that stood where text was dropped.
    freed: Vec<ContentBlock>,
    held: VecDeque<ContentBlock>,
    held_bytes: usize,
    /// The head is full: nothing passes any more.
    full: bool,
    /// The whole text, as far as it is spilled.
    whole: String,
}

impl Cut {
    fn new(limit: OutputLimit) -> Self {
        let (freed, held) = (Vec::new(), VecDeque::new());
        Self { limit, total: 0, passed: 0, freed, held, held_bytes: 0, full: false, whole: String::new() }
    }

    fn head(&self) -> usize {
        self.limit.kept / 2
    }

    /// Takes a block and gives back what of it may pass at once.
    fn take(&mut self, block: ContentBlock) -> Option<ContentBlock> {
        let ContentBlock::Text { mut text, extra } = block else {
            if !self.full {
                return Some(block);
            }
            self.held.push_back(block);
            return None;
        };
        self.total = self.total.saturating_add(text.len());
        if self.limit.workspace.is_some() {
            let room = text.floor_char_boundary(self.limit.spilled.saturating_sub(self.whole.len()));
            self.whole.push_str(text.get(..room).unwrap_or_default());
        }
        let room = if self.full { 0 } else { self.head().saturating_sub(self.passed) };
        let rest = text.split_off(text.floor_char_boundary(room));
        self.passed += text.len();
        let passes = !text.is_empty();
        if !rest.is_empty() {
            self.full = true;
            self.held_bytes += rest.len();
            self.held.push_back(ContentBlock::Text { text: rest, extra: extra.clone() });
            self.drop_oldest();
        }
        passes.then_some(ContentBlock::Text { text, extra })
    }

    fn drop_oldest(&mut self) {
        if self.total <= self.limit.kept {
            return;
        }
        let tail = self.limit.kept - self.head();
        while self.held_bytes > tail {
            match self.held.front_mut() {
                None => return,
                Some(ContentBlock::Text { text, .. }) => {
                    let surplus = text.ceil_char_boundary(self.held_bytes - tail);
                    self.held_bytes -= surplus;
                    text.drain(..surplus);
                    if text.is_empty() {
                        self.held.pop_front();
                    }
                }
                Some(_) => self.freed.extend(self.held.pop_front()),
            }
        }
    }

    /// What is left at the end, after a note where text is missing.
    async fn end(mut self, call_id: &str) -> Vec<ContentBlock> {
        let missing = self.total - self.passed - self.held_bytes;
        let mut out = Vec::new();
        if missing > 0 {
            let whereabouts = self.spill(call_id).await;
            out.push(ContentBlock::text(format!(
                "\n[... {missing} of {} bytes are left out here; {whereabouts} ...]\n",
                self.total
            )));
        }
        out.append(&mut self.freed);
        out.extend(self.held);
        out
    }

    /// Writes the text to the workspace and says where it is.
    async fn spill(&mut self, call_id: &str) -> String {
        let Some(workspace) = &self.limit.workspace else {
            return "they are not kept: ask for less at a time".into();
        };
        let whole = mem::take(&mut self.whole);
        let spilled = whole.len();
        let path = unused_path(&**workspace, call_id).await;
        match workspace.write(&path, Bytes::from(whole)).await {
            Ok(path) if spilled < self.total => format!("the first {spilled} bytes are in the file {path}"),
            Ok(path) => format!("the full output is in the file {path}"),
            Err(error) => format!("they could not be kept ({error}): ask for less at a time"),
        }
    }
}

/// A path for the output of a call. Some providers give the same call id twice in a conversation; the older file stays.
async fn unused_path(workspace: &dyn Workspace, call_id: &str) -> String {
    const LONGEST: usize = 100;
    let safe = |it: char| if it.is_ascii_alphanumeric() || it == '-' || it == '_' { it } else { '_' };
    let mut stem: String = call_id.chars().take(LONGEST).map(safe).collect();
    if stem.is_empty() {
        stem.push_str("call");
    }
    let taken = workspace.list("tool-output").await.unwrap_or_default();
    let is_taken = |path: &str| taken.iter().any(|it| it == path);
    let first = format!("tool-output/{stem}.txt");
    let others = (2..).map(|n| format!("tool-output/{stem}-{n}.txt"));
    std::iter::once(first).chain(others).find(|path| !is_taken(path)).unwrap_or_default()
}

/// The head and the tail of a text that is longer than `most` bytes, and between them how much is missing.
fn shortened(text: &str, most: usize) -> Option<String> {
    if text.len() <= most {
        return None;
    }
    let head = text.get(..text.floor_char_boundary(most / 2))?;
    let tail = text.get(text.ceil_char_boundary(text.len() - (most - most / 2))..)?;
    let missing = text.len() - head.len() - tail.len();
    Some(format!("{head}\n[... {missing} of {} bytes are left out here ...]\n{tail}", text.len()))
}

fn shorter(error: Error, most: usize) -> Error {
    match shortened(error.message(), most) {
        Some(message) => Error::new(error.kind(), message).with_source(error),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn run(limit: usize, pieces: &[String]) -> (String, usize) {
        let mut cut = Cut::new(limit.into());
        let mut out = String::new();
        let mut most_held = 0;
        for piece in pieces {
            if let Some(ContentBlock::Text { text, .. }) = cut.take(ContentBlock::text(piece.clone())) {
                out.push_str(&text);
            }
            most_held = most_held.max(cut.held_bytes);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for block in runtime.block_on(cut.end("id")) {
            if let ContentBlock::Text { text, .. } = block {
                out.push_str(&text);
            }
        }
        (out, most_held)
    }

    proptest! {
        #[test]
        fn short_text_passes_whole_and_long_text_keeps_its_head_and_tail(
            pieces in prop::collection::vec(".{0,12}", 0..12), limit in 0_usize..80,
        ) {
            let whole = pieces.concat();
            let (out, most_held) = run(limit, &pieces);
            prop_assert!(most_held <= limit.max(1));
            if whole.len() <= limit {
                prop_assert_eq!(out, whole);
            } else {
                let (head, rest) = out.split_once("\n[... ").unwrap();
                let (note, tail) = rest.split_once(" ...]\n").unwrap();
                prop_assert!(whole.starts_with(head) && whole.ends_with(tail));
                prop_assert!(head.len() + tail.len() <= limit);
                let missing = whole.len() - head.len() - tail.len();
                let says = format!("{missing} of {} bytes are left out", whole.len());
                prop_assert!(note.starts_with(&says));
            }
        }
    }
}
