//! A few rules for each demo, in the place of a language model. They see what a model would be shown, and nothing else.

mod auction;
mod concurrent;
mod conversation;
mod debate;
mod group_chat;
mod handoff;
mod routing;

use crate::policy::words;
use agentscope::{FINISH_TOOL, FinishReason, ModelStream, prelude::*};
pub use auction::auction;
pub use concurrent::concurrent;
pub use conversation::conversation;
pub use debate::debate;
use futures_util::{StreamExt, stream};
pub use group_chat::group_chat;
pub use handoff::handoff;
pub use routing::routing;
use serde_json::Value;
use std::{io::IsTerminal, sync::Arc, time::Duration};

/// Between two words in a terminal, so that one can watch them speak. Nobody watches a pipe.
const PACE: Duration = Duration::from_millis(25);

/// A model of a function from what it is shown to what it answers.
#[derive(Clone)]
pub struct Rules {
    card: Arc<ModelCard>,
    file: &'static str,
    answer: fn(&ModelRequest) -> Vec<ModelDelta>,
    pace: Duration,
    delay: Duration,
}

impl Rules {
    /// The rules of `answer`, which stand in `file`.
    pub fn new(file: &'static str, answer: fn(&ModelRequest) -> Vec<ModelDelta>) -> Self {
        let pace = if std::io::stdout().is_terminal() { PACE } else { Duration::ZERO };
        Self { card: Arc::new(ModelCard::new("rules")), file, answer, pace, delay: Duration::ZERO }
    }

    /// Takes so long until the first word (no time), as a model does.
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Where they stand, from the root of the repository.
    pub fn file(&self) -> &'static str {
        self.file
    }
}

impl ChatModel for Rules {
    fn card(&self) -> &ModelCard {
        &self.card
    }

    fn call(&self, req: ModelRequest, _: Context) -> ModelStream {
        let end = ModelDelta::Finish { reason: FinishReason::Stop };
        let pieces = (self.answer)(&req).into_iter().flat_map(words).chain([end]);
        let (pace, delay) = (self.pace, self.delay);
        Box::pin(stream::iter(pieces.enumerate()).then(move |(at, piece)| async move {
            let wait = if at == 0 { delay } else { pace };
            if !wait.is_zero() {
                tokio::time::sleep(wait).await;
            }
            Ok(piece)
        }))
    }
}

/// An answer in words.
fn say(words: impl Into<String>) -> Vec<ModelDelta> {
    vec![ModelDelta::text(words)]
}

/// An answer in structured output, after words where there are any.
fn give(words: &str, output: Value) -> Vec<ModelDelta> {
    if words.is_empty() {
        return call(FINISH_TOOL, output);
    }
    vec![ModelDelta::text(words), ModelDelta::tool_call(1, "", FINISH_TOOL, output.to_string())]
}

/// A call of a tool.
fn call(tool: &str, input: Value) -> Vec<ModelDelta> {
    vec![ModelDelta::tool_call(0, "", tool, input.to_string())]
}

/// What is asked for is structured output.
fn wants_output(req: &ModelRequest) -> bool {
    req.tools.iter().any(|tool| tool.name == FINISH_TOOL)
}

/// What the system prompt says.
fn prompt(req: &ModelRequest) -> String {
    let first = req.messages.first().filter(|msg| msg.role == Role::System);
    first.map(|msg| msg.text()).unwrap_or_default()
}

/// What was said last.
fn last(req: &ModelRequest) -> String {
    req.messages.last().map(|msg| msg.text()).unwrap_or_default()
}

/// How often the speaker has spoken.
fn spoken(req: &ModelRequest) -> usize {
    req.messages.iter().filter(|msg| msg.role == Role::Assistant && msg.name == req.speaker).count()
}

/// Whether a word of a text begins with one of these.
fn has(text: &str, words: &[&str]) -> bool {
    let text: String =
        text.to_lowercase().chars().map(|it| if it.is_alphanumeric() { it } else { ' ' }).collect();
    words.iter().any(|word| format!(" {text}").contains(&format!(" {word}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn all_rules_keep_the_laws_of_models() {
        let all = [auction, concurrent, conversation, debate, group_chat, handoff, routing];
        for rules in all {
            agentscope::testing::conformance::chat_model(|| Arc::new(rules())).await;
        }
    }

    #[test]
    fn a_word_is_found_by_its_beginning() {
        assert!(has("Was it (charged) twice?", &["refund", "charge"]));
        assert!(!has("this", &["hi"]));
    }

    #[test]
    fn rules_say_where_they_stand() {
        assert_eq!(debate().file(), "examples/src/rules/debate.rs");
    }
}
