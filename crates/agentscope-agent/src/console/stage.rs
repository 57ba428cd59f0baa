//! What a person sees of the agents in a pipeline.

use super::screen::Screen;
use agentscope_core::{ContentBlock, Event, EventKind, Name, ReplyId, Result};
use std::collections::{HashSet, VecDeque};

/// The agents that speak in a pipeline. One is heard as it speaks; what others say at the same time is shown when it has ended.
#[derive(Default)]
pub(super) struct Stage {
    speaking: VecDeque<Speech>,
    /// What was said last: the pipeline says it again, as its own.
    last: String,
    /// The replies of pipelines within.
    pipelines: HashSet<ReplyId>,
}

struct Speech {
    reply_id: ReplyId,
    name: Name,
    said: String,
    shown: usize,
    over: bool,
}

impl Stage {
    /// Whether this was the last that an agent of the pipeline said.
    pub(super) fn was_said(&self, text: &str) -> bool {
        !self.last.is_empty() && self.last.trim() == text.trim()
    }

    /// Some of what happened was not seen, perhaps the end of a speech: what comes is shown as it comes.
    pub(super) async fn missed(&mut self, screen: &mut Screen) -> Result<()> {
        self.speaking.iter_mut().for_each(|speech| speech.over = true);
        self.show(screen).await?;
        *self = Self::default();
        Ok(())
    }

    /// What happens in the reply of the agent `name`.
    pub(super) async fn event(&mut self, screen: &mut Screen, name: &Name, event: &Event) -> Result<()> {
        match &event.kind {
            EventKind::TextDelta { delta, .. } => self.says(screen, name, event, delta).await,
            EventKind::Block { block: ContentBlock::Text { text, .. } }
                if !self.pipelines.contains(&event.reply_id) || !self.was_said(text) =>
            {
                self.says(screen, name, event, text).await
            }
            EventKind::ToolResult(result) => screen.line(&format!("  {name} used {}", result.name)).await,
            EventKind::Inner { name, call_id, event: inner, .. } if call_id.is_empty() => {
                self.pipelines.insert(event.reply_id.clone());
                let event = inner;
                Box::pin(self.event(screen, name, event)).await
            }
            EventKind::ReplyEnd { .. } => {
                self.pipelines.remove(&event.reply_id);
                self.ends(screen, &event.reply_id).await
            }
            _ => Ok(()),
        }
    }

    async fn says(&mut self, screen: &mut Screen, name: &Name, event: &Event, text: &str) -> Result<()> {
        match self.speaking.iter_mut().find(|speech| speech.reply_id == event.reply_id) {
            Some(speech) => speech.said.push_str(text),
            None => self.speaking.push_back(Speech {
                reply_id: event.reply_id.clone(),
                name: name.clone(),
                said: text.to_owned(),
                shown: 0,
                over: false,
            }),
        }
        self.show(screen).await
    }

    async fn ends(&mut self, screen: &mut Screen, reply_id: &ReplyId) -> Result<()> {
        if let Some(speech) = self.speaking.iter_mut().find(|speech| speech.reply_id == *reply_id) {
            speech.over = true;
            self.last.clone_from(&speech.said);
        }
        self.show(screen).await
    }

    /// Shows what is new of who has the word, and gives it to the next one.
    async fn show(&mut self, screen: &mut Screen) -> Result<()> {
        while let Some(speech) = self.speaking.front_mut() {
            let news = speech.said.get(speech.shown..).unwrap_or_default();
            if !news.is_empty() {
                screen.words(&speech.name, news).await?;
            }
            speech.shown = speech.said.len();
            if !speech.over {
                break;
            }
            screen.end_line().await?;
            self.speaking.pop_front();
        }
        Ok(())
    }
}
