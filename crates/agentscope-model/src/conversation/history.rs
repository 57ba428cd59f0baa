//! What several speakers said, as one text with their names: providers know only a user and an assistant.

use super::part::{Part, is_reachable, unseen};
use crate::http::Ask;
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
    /// The text so far, and the files: behind it, or where they came if the provider wants them there.
    parts: Vec<Part<'a>>,
    text: String,
    /// Whether some of it was put down already: the header stands before the first part only.
    begun: bool,
    /// Whether the text has lines in its parts already.
    open: bool,
}

impl<'a> History<'a> {
    pub(super) fn add(&mut self, ask: &Ask<'a>, name: &str, blocks: &'a [ContentBlock], own: bool) {
        for block in blocks {
            match if own { Part::own(block) } else { Part::of(ask, block) } {
                Some(Part::Text(text)) => self.say(name, text),
                Some(media) if ask.manners.media_in_order => {
                    self.cut();
                    self.parts.push(media);
                }
                Some(media) => self.parts.push(media),
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

    /// Ends a piece of the text, because a file comes behind it.
    fn cut(&mut self) {
        if self.text.is_empty() && self.open {
            return;
        }
        let text = std::mem::take(&mut self.text);
        let text = if self.open { text } else { format!("{}{text}", self.head()) };
        self.open = true;
        self.parts.push(Part::Text(text.trim_end_matches('\n').to_owned().into()));
    }

    fn head(&mut self) -> String {
        let header = if std::mem::replace(&mut self.begun, true) { "" } else { HEADER };
        format!("{header}<history>\n")
    }

    /// What is put down of it now; `None` if nothing was said.
    pub(super) fn take(&mut self) -> Option<Vec<Part<'a>>> {
        let (text, mut parts) = (std::mem::take(&mut self.text), std::mem::take(&mut self.parts));
        if text.is_empty() && parts.is_empty() {
            return None;
        }
        if std::mem::take(&mut self.open) {
            let text = if text.is_empty() { text } else { text + "\n" };
            parts.push(Part::Text((text + "</history>").into()));
        } else if !text.is_empty() {
            let head = self.head();
            parts.insert(0, Part::Text(format!("{head}{text}\n</history>").into()));
        }
        self.begun = true;
        Some(parts)
    }
}

/// A tool's result in words.
pub(super) fn result_text<'a>(ask: &Ask<'a>, result: &'a ToolResult) -> Cow<'a, str> {
    let shown = ask.manners.images_of_results != super::ImagesOfResults::Told && ask.sees();
    let mut lines = result.output.iter().filter_map(|block| match block {
        ContentBlock::Text { text, .. } => Some(Cow::Borrowed(text.as_str())),
        ContentBlock::Image(media) if shown && is_reachable(ask, media) => {
            Some("[an image, shown below]".into())
        }
        _ => block.media().map(|media| found(media).into()),
    });
    let Some(first) = lines.next() else { return NO_OUTPUT.into() };
    let text = lines.fold(first, |text, line| (text.into_owned() + "\n" + &line).into());
    if text.is_empty() { NO_OUTPUT.into() } else { text }
}

/// A tool's result with its images where they came; nothing if it has none that are shown.
pub(super) fn result_parts<'a>(ask: &Ask<'a>, result: &'a ToolResult) -> Vec<Part<'a>> {
    if !ask.sees() || !result.output.iter().any(|block| Part::image_of_result(ask, block).is_some()) {
        return Vec::new();
    }
    let part = |block| match Part::image_of_result(ask, block) {
        Some(image) => Some(image),
        None => match block {
            ContentBlock::Text { text, .. } => (!text.is_empty()).then(|| Part::Text(text.into())),
            _ => block.media().map(|media| Part::Text(found(media).into())),
        },
    };
    result.output.iter().filter_map(part).collect()
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

/// The images of a result as words of a user, from whom alone some providers take them.
pub(super) fn promote<'a>(ask: &Ask<'a>, result: &'a ToolResult, promoted: &mut Vec<Part<'a>>) {
    let images: Vec<_> = result.output.iter().filter_map(|block| Part::image_of_result(ask, block)).collect();
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
