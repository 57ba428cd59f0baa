//! What a person sees of a reply.

use super::{screen::Screen, stage::Stage};
use crate::clean::clean;
use agentscope_core::{
    CallId, CallState, ContentBlock, Event, EventKind, Finish, Msg, Result, ToolCall, ToolResult, ToolState,
};
use std::collections::HashMap;
use tokio::time::Instant;

/// Most characters that a pipe is shown of a tool's arguments or output; the agent sees all.
const SHOWN: usize = 600;

/// Shows the events of a reply.
#[derive(Default)]
pub(super) struct Show {
    /// When each call began.
    began: HashMap<CallId, Instant>,
    /// The call that was shown last: a result under it need not say whose it is.
    last: Option<CallId>,
    stage: Stage,
}

impl Show {
    /// `fold` is the reply with the event folded in, `before` what it was if the event is the whole reply.
    pub(super) async fn event(
        &mut self,
        screen: &mut Screen,
        fold: &Msg,
        before: &Msg,
        event: &Event,
    ) -> Result<()> {
        match &event.kind {
            EventKind::TextDelta { delta, .. } => screen.words(&fold.name, delta).await,
            EventKind::ThinkingDelta { delta, .. } => screen.thoughts(delta).await,
            EventKind::Block { block: ContentBlock::Text { text, .. } } if !self.stage.was_said(text) => {
                screen.words(&fold.name, text).await
            }
            EventKind::Resumed { .. } => {
                self.stage.missed(screen).await?;
                self.missed(screen, fold, before).await
            }
            EventKind::ToolCallState { id, state: CallState::Started, .. } => {
                match fold.calls().filter(|call| call.id == *id).last() {
                    Some(call) => self.call(screen, call).await,
                    None => Ok(()),
                }
            }
            EventKind::ToolResult(result) => self.result(screen, result).await,
            EventKind::Heard { msg } => {
                screen.note(&format!("({} heard: {})", fold.name, screen.folded(&msg.text(), 12))).await
            }
            EventKind::Inner { name, event, call_id, .. } if call_id.is_empty() => {
                self.stage.event(screen, name, event).await
            }
            EventKind::Inner { name, event, .. } => {
                self.last = None;
                match &event.kind {
                    EventKind::ReplyStart { .. } => screen.line(&format!("  {name} works ..")).await,
                    EventKind::ToolResult(result) => {
                        screen.line(&format!("  {name} used {}", result.name)).await
                    }
                    _ => Ok(()),
                }
            }
            EventKind::Output { value } => screen.line(&format!("{} {value}", fold.name)).await,
            EventKind::RequireExternal { calls } => {
                for call in calls {
                    screen
                        .line(&format!("… {} is to be done outside: {}", call.name, shown(&call.input)))
                        .await?;
                }
                Ok(())
            }
            EventKind::ReplyEnd { finish: Finish::Interrupted, .. } => screen.line("(interrupted)").await,
            EventKind::ReplyEnd { finish: Finish::ExceedMaxIters, .. } => {
                screen.line("(its rounds are used up)").await
            }
            _ => Ok(()),
        }
    }

    async fn call(&mut self, screen: &mut Screen, call: &ToolCall) -> Result<()> {
        self.began.insert(call.id.clone(), Instant::now());
        self.last = Some(call.id.clone());
        let head = format!("→ {} ", call.name);
        let input =
            if screen.look.terminal { screen.folded(&call.input, head.len()) } else { shown(&call.input) };
        screen.line(&format!("{head}{input}")).await
    }

    async fn result(&mut self, screen: &mut Screen, result: &ToolResult) -> Result<()> {
        let state = match &result.state {
            ToolState::Success => "",
            ToolState::Error => "failed: ",
            ToolState::Denied => "not allowed: ",
            ToolState::Interrupted => "interrupted: ",
            _ => "ended otherwise: ",
        };
        let text = result.text();
        let mut head = "← ".to_owned();
        if self.last.as_ref() != Some(&result.id) {
            head.push_str(&format!("{}: ", result.name));
        }
        head.push_str(state);
        if !screen.look.terminal {
            return screen.line(&format!("{head}{}", shown(&text))).await;
        }
        let mut lines = text.trim().lines();
        let first = lines.next().unwrap_or_default();
        let left_out = lines.count();
        let mut about = Vec::new();
        if left_out > 0 {
            about.push(format!("+{left_out} {}", if left_out == 1 { "line" } else { "lines" }));
        }
        if let Some(began) = self.began.remove(&result.id) {
            about.push(format!("{:.1} s", began.elapsed().as_secs_f64()));
        }
        let about = if about.is_empty() { String::new() } else { format!(" ({})", about.join(", ")) };
        let first = screen.folded(first, head.chars().count() + about.len());
        screen.line_with(&format!("{head}{first}"), &about).await
    }

    /// What happened while nobody looked: the reply as it is now tells.
    async fn missed(&mut self, screen: &mut Screen, now: &Msg, before: &Msg) -> Result<()> {
        for (at, block) in now.content.iter().enumerate() {
            match (block, before.content.get(at)) {
                (ContentBlock::Text { text, .. }, Some(ContentBlock::Text { text: seen, .. })) => {
                    let more = text.strip_prefix(seen.as_str()).unwrap_or(text);
                    if !more.is_empty() {
                        screen.words(&now.name, more).await?;
                    }
                }
                (ContentBlock::Text { text, .. }, _) => screen.words(&now.name, text).await?,
                (ContentBlock::ToolResult(result), seen) => {
                    let running = result.state == ToolState::Running;
                    let same =
                        matches!(seen, Some(ContentBlock::ToolResult(seen)) if seen.state == result.state);
                    if !running && !same {
                        self.result(screen, result).await?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
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
