//! What a person sees of a reply.

use super::io_error;
use agentscope_core::{
    CallState, Error, Event, EventKind, Finish, Msg, Result, ToolCall, ToolResult, ToolState,
};
use tokio::io::{AsyncWrite, AsyncWriteExt};

/// Most characters that are shown of a tool's arguments or output; the agent sees all.
const SHOWN: usize = 600;

const DIM: &str = "\x1b[2m";
const BOLD: &str = "\x1b[1m";
const PLAIN: &str = "\x1b[0m";

/// Where a talk is shown.
pub(super) struct Screen {
    out: Box<dyn AsyncWrite + Send + Unpin>,
    terminal: bool,
    color: bool,
    place: Place,
}

/// What stands at the cursor.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    LineStart,
    Words,
    Thoughts,
}

impl Screen {
    pub(super) fn stdout(terminal: bool) -> Self {
        let color = terminal && std::env::var_os("NO_COLOR").is_none_or(|it| it.is_empty());
        Self { out: Box::new(tokio::io::stdout()), terminal, color, place: Place::LineStart }
    }

    #[cfg(test)]
    pub(super) fn of(out: impl AsyncWrite + Send + Unpin + 'static) -> Self {
        Self { out: Box::new(out), terminal: false, color: false, place: Place::LineStart }
    }

    pub(super) async fn prompt(&mut self) -> Result<()> {
        if self.terminal { self.put("> ").await } else { Ok(()) }
    }

    /// What was asked, where it was not typed here.
    pub(super) async fn echo(&mut self, line: &str) -> Result<()> {
        self.line(&format!("> {line}")).await
    }

    pub(super) async fn line(&mut self, text: &str) -> Result<()> {
        self.end_line().await?;
        self.put(&format!("{}\n", clean(text))).await
    }

    /// Goes to the beginning of a line.
    pub(super) async fn end_line(&mut self) -> Result<()> {
        if self.place == Place::LineStart {
            return Ok(());
        }
        let end =
            if self.place == Place::Thoughts { format!("{}\n", self.style(PLAIN)) } else { "\n".to_owned() };
        self.place = Place::LineStart;
        self.put(&end).await
    }

    /// Puts a call to the person, whole: nobody approves what they do not see.
    pub(super) async fn ask(&mut self, call: &ToolCall) -> Result<()> {
        self.end_line().await?;
        let text =
            format!("? {} {}\n  run it? [y]es, [n]o, [a]lways: ", clean(&call.name), clean(&call.input));
        self.put(&text).await
    }

    pub(super) async fn outside(&mut self, calls: &[ToolCall]) -> Result<()> {
        for call in calls {
            self.line(&format!("… {} is to be done outside: {}", call.name, shown(&call.input))).await?;
        }
        Ok(())
    }

    pub(super) async fn error(&mut self, error: &Error) -> Result<()> {
        self.line(&format!("error: {error}")).await
    }

    /// `fold` is the reply with the event folded in.
    pub(super) async fn show(&mut self, fold: &Msg, event: &Event) -> Result<()> {
        match &event.kind {
            EventKind::TextDelta { delta, .. } => self.words(&fold.name, delta).await,
            EventKind::ThinkingDelta { delta, .. } => self.thoughts(delta).await,
            EventKind::Block { block: agentscope_core::ContentBlock::Text { text, .. } } => {
                self.words(&fold.name, text).await
            }
            EventKind::ToolCallState { id, state: CallState::Started, .. } => {
                match fold.calls().find(|call| call.id == *id) {
                    Some(call) => self.line(&format!("→ {} {}", call.name, shown(&call.input))).await,
                    None => Ok(()),
                }
            }
            EventKind::ToolResult(result) => self.result(result).await,
            EventKind::Inner { name, event, .. } => match &event.kind {
                EventKind::ReplyStart { .. } => self.line(&format!("  {name} works ..")).await,
                EventKind::ToolResult(result) => self.line(&format!("  {name} used {}", result.name)).await,
                _ => Ok(()),
            },
            EventKind::Output { value } => self.line(&format!("{} {value}", fold.name)).await,
            EventKind::ReplyEnd { finish: Finish::Interrupted, .. } => self.line("(interrupted)").await,
            EventKind::ReplyEnd { finish: Finish::ExceedMaxIters, .. } => {
                self.line("(its rounds are used up)").await
            }
            _ => Ok(()),
        }
    }

    async fn words(&mut self, name: &str, text: &str) -> Result<()> {
        if self.place != Place::Words {
            self.end_line().await?;
            let head = format!("{}{}:{} ", self.style(BOLD), clean(name), self.style(PLAIN));
            self.put(&head).await?;
            self.place = Place::Words;
        }
        self.put(&clean(text)).await
    }

    async fn thoughts(&mut self, text: &str) -> Result<()> {
        if self.place != Place::Thoughts {
            self.end_line().await?;
            let head = format!("{}(thinks) ", self.style(DIM));
            self.put(&head).await?;
            self.place = Place::Thoughts;
        }
        self.put(&clean(text)).await
    }

    async fn result(&mut self, result: &ToolResult) -> Result<()> {
        let state = match &result.state {
            ToolState::Success => "",
            ToolState::Error => "failed: ",
            ToolState::Denied => "not allowed: ",
            ToolState::Interrupted => "interrupted: ",
            _ => "ended otherwise: ",
        };
        self.line(&format!("← {state}{}", shown(&result.text()))).await
    }

    fn style(&self, style: &'static str) -> &'static str {
        if self.color { style } else { "" }
    }

    async fn put(&mut self, text: &str) -> Result<()> {
        self.out.write_all(text.as_bytes()).await.map_err(io_error)?;
        self.out.flush().await.map_err(io_error)
    }
}

/// The beginning of a text, on few lines.
fn shown(text: &str) -> String {
    let text = clean(text.trim());
    match text.char_indices().nth(SHOWN) {
        None => text,
        Some((cut, _)) => format!("{} … ({} bytes in all)", text.get(..cut).unwrap_or(&text), text.len()),
    }
}

/// Without the characters by which a model or a tool could write elsewhere on the screen, or make a text look like another.
fn clean(text: &str) -> String {
    let turns =
        |it: char| matches!(it, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().filter(|it| (!it.is_control() || matches!(it, '\n' | '\t')) && !turns(*it)).collect()
}
