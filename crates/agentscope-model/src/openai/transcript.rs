//! What several speakers said, as one text with their names: providers know only a user and an assistant.

use super::{
    encode::Body,
    part::{Part, address, unseen},
    provider::Ways,
};
use agentscope_core::{ContentBlock, Media, ModelRequest, Role, Source, ToolResult, Transcript};
use std::borrow::Cow;

/// The words of AgentScope 1.x, which its users' prompts may refer to.
const HEADER: &str = "# Conversation History\nThe content between <history></history> tags contains your conversation history\n";

/// What a tool's result is that has no words; some providers refuse an empty message.
const NO_OUTPUT: &str = "(no output)";

/// Whether the conversation is told as a text: if the request says so or, where it leaves that open, if more than one speaks
/// beside who shall answer.
pub(super) fn is_wanted(req: &ModelRequest) -> bool {
    match req.options.transcript {
        Transcript::Always => true,
        Transcript::Never => false,
        _ => has_several(req),
    }
}

/// Nobody in particular is called `user`: hints and summaries are, beside a person with a name. With another agent it is someone.
fn has_several(req: &ModelRequest) -> bool {
    let mut other: Option<&str> = None;
    let (mut agents, mut nobody) = (false, false);
    for msg in &req.messages {
        match msg.role {
            Role::User if msg.name == "user" => {
                nobody = true;
                continue;
            }
            Role::User => {}
            Role::Assistant if !req.speaker.is_empty() && msg.name != req.speaker => agents = true,
            _ => continue,
        }
        match other {
            Some(other) if *other != *msg.name => return true,
            _ => other = Some(&msg.name),
        }
    }
    agents && nobody
}

/// What was said since the last tool call.
#[derive(Default)]
pub(super) struct History<'a> {
    text: String,
    media: Vec<Part<'a>>,
    /// Whether some of it was put down already: the header stands before the first part only.
    begun: bool,
}

impl<'a> History<'a> {
    pub(super) fn add(&mut self, cx: &'a Body<'a>, name: &str, blocks: &'a [ContentBlock], assistant: bool) {
        for block in blocks {
            match Part::of(cx, block, assistant) {
                Some(Part::Text(text)) => self.say(name, text),
                Some(media) => self.media.push(media),
                None => {}
            }
        }
    }

    pub(super) fn say(&mut self, name: &str, text: impl AsRef<str>) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text.push_str(name);
        self.text.push_str(": ");
        self.text.push_str(text.as_ref());
    }

    /// What is put down of it now; `None` if nothing was said.
    pub(super) fn take(&mut self, _: &Ways) -> Option<Vec<Part<'a>>> {
        let (text, mut media) = (std::mem::take(&mut self.text), std::mem::take(&mut self.media));
        if text.is_empty() && media.is_empty() {
            return None;
        }
        let header = if self.begun { "" } else { HEADER };
        self.begun = true;
        if !text.is_empty() {
            media.insert(0, Part::Text(format!("{header}<history>\n{text}\n</history>").into()));
        }
        Some(media)
    }
}

/// A tool's result in words.
pub(super) fn result_text<'a>(cx: &Body<'a>, result: &'a ToolResult) -> Cow<'a, str> {
    let mut lines = result.output.iter().filter_map(|block| match block {
        ContentBlock::Text { text, .. } => Some(Cow::Borrowed(text.as_str())),
        ContentBlock::Image(media) if cx.sees && is_reachable(media) => {
            Some("[an image, shown below]".into())
        }
        _ => block.media().map(|media| found(media).into()),
    });
    let Some(first) = lines.next() else { return NO_OUTPUT.into() };
    let text = lines.fold(first, |text, line| (text.into_owned() + "\n" + &line).into());
    if text.is_empty() { NO_OUTPUT.into() } else { text }
}

/// Where a file of a result is, as 1.x says it.
fn found(media: &Media) -> String {
    match &media.source {
        Source::Url { url, .. } if !url.starts_with("data:") => {
            let kind = media.media_type().split('/').next().unwrap_or("file");
            let kind = if kind == "application" { "file" } else { kind };
            format!("The returned {kind} can be found at: {url}")
        }
        _ => unseen(media),
    }
}

/// Whether a provider can see a result's image: it is in the message, or on the web. A local file is not read because a tool
/// names it.
fn is_reachable(media: &Media) -> bool {
    media.local_path().is_none()
}

/// Shows the images of a result to the model, which takes them from a user only.
pub(super) fn promote<'a>(cx: &'a Body<'a>, result: &'a ToolResult, promoted: &mut Vec<Part<'a>>) {
    let images = result.output.iter().filter_map(|block| match block {
        ContentBlock::Image(media) if is_reachable(media) => Some(Part::Image(address(cx, media))),
        _ => None,
    });
    let images: Vec<_> = images.collect();
    if images.is_empty() {
        return;
    }
    let head = format!(
        "<system-info>The following are the image contents from the tool result of '{}':",
        result.name
    );
    promoted.push(Part::Text(head.into()));
    promoted.extend(images);
    promoted.push(Part::Text("</system-info>".into()));
}
