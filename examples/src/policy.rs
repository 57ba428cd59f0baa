//! A few rules in the place of a language model, so that a demo runs with no key and no network. What it answers is what the
//! tools really gave.

pub(crate) mod werewolf;

use agentscope::{FINISH_TOOL, FinishReason, ModelStream, ToolState, prelude::*};
use futures_util::{StreamExt, stream};
use std::{sync::Arc, time::Duration};

/// Between two words, so that one can watch it speak.
const PACE: Duration = Duration::from_millis(25);

/// What it says to what its rules do not know.
const ABOUT: &str = "I am no language model, only a few rules that show what an agent does. I can compute (`what is 17*23?`), look at \
                     files (`which files are here?`, which asks you first) and tell an example of the weather (`how is the weather in \
                     Oslo?`). To talk to a real model, start me with one: `cargo xtask demo friday --model ollama:qwen3`.";

/// What it says to an image.
const BLIND: &str = "I am only a few rules and cannot see. A model that can tells you when you start me with one, such as \
                     `--model openai:gpt-4o` or `--model ollama:qwen3-vl`.";

/// Arithmetic goes to Python, questions about files to the shell, the weather to the user's own tool.
pub struct Policy {
    card: ModelCard,
}

impl Policy {
    /// The rules of Friday.
    pub fn new() -> Self {
        Self { card: ModelCard::new("policy") }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self::new()
    }
}

impl ChatModel for Policy {
    fn card(&self) -> &ModelCard {
        &self.card
    }

    fn call(&self, req: ModelRequest, _: Context) -> ModelStream {
        let wants_data = req.tools.iter().any(|tool| tool.name == FINISH_TOOL);
        let deltas = match req.messages.last() {
            Some(msg) if wants_data && msg.role == Role::User => give_data(&req.messages),
            Some(msg) if msg.role == Role::User && msg.content.iter().any(|it| it.media().is_some()) => {
                vec![ModelDelta::text(BLIND)]
            }
            Some(msg) if msg.role == Role::Assistant => vec![ModelDelta::text(conclude(msg))],
            Some(msg) => begin(&msg.text()),
            None => vec![ModelDelta::text(ABOUT)],
        };
        let end = ModelDelta::Finish { reason: FinishReason::Stop };
        Box::pin(stream::iter(deltas.into_iter().flat_map(words).chain([end])).then(|delta| async move {
            tokio::time::sleep(PACE).await;
            Ok(delta)
        }))
    }
}

/// The first answer to a question: a thought and a tool call, or a word about itself.
fn begin(question: &str) -> Vec<ModelDelta> {
    let lower = question.to_lowercase();
    let (thought, tool, input) = if lower.contains("weather") {
        let city = city(question);
        (
            format!("The user wants the weather of {city}: there is a tool for it."),
            "weather",
            object("city", &city),
        )
    } else if let Some(sum) = arithmetic(question) {
        let thought = format!("{sum} is arithmetic, and I better compute it than guess it.");
        (thought, "execute_python_code", object("code", &format!("print({sum})")))
    } else if ["file", "folder", "directory"].iter().any(|word| lower.contains(word)) {
        ("That takes a look at the files.".to_owned(), "execute_shell_command", object("command", "ls -la"))
    } else {
        return vec![ModelDelta::text(ABOUT)];
    };
    vec![ModelDelta::Thinking { block: 0, delta: thought }, ModelDelta::tool_call(1, "", tool, input)]
}

/// Structured output: of the weather that a tool told before, and of nothing else.
fn give_data(messages: &[Arc<Msg>]) -> Vec<ModelDelta> {
    let results = messages.iter().rev().flat_map(|msg| msg.results());
    let Some(told) = results.into_iter().find(|result| result.name == "weather").map(ToolResult::text) else {
        return vec![ModelDelta::text(ABOUT)];
    };
    let city = told.split(':').next().unwrap_or_default();
    let degrees = told.split_whitespace().find_map(|word| word.parse::<i32>().ok()).unwrap_or_default();
    let input = serde_json::json!({"city": city, "degrees": degrees}).to_string();
    vec![ModelDelta::tool_call(0, "", FINISH_TOOL, input)]
}

/// What to say when the tools have answered.
fn conclude(reply: &Msg) -> String {
    let Some(result) = reply.results().last() else { return ABOUT.to_owned() };
    let text = result.text();
    match (&result.state, result.name.as_str()) {
        (ToolState::Success, "execute_python_code") => match between(&text, "<stdout>", "</stdout>") {
            Some(out) if !out.trim().is_empty() => format!("The result is {}.", out.trim()),
            _ => format!("Python could not compute it: {text}"),
        },
        (ToolState::Success, "execute_shell_command") => {
            let out = between(&text, "<stdout>", "</stdout>").unwrap_or(&text).trim();
            format!("This is what is there:\n{out}")
        }
        (ToolState::Success, _) => text,
        (ToolState::Denied, _) => "As you like; then I cannot tell.".to_owned(),
        _ => format!("That did not work: {text}"),
    }
}

/// The longest piece of the question that is a sum: digits with an operator between them.
fn arithmetic(question: &str) -> Option<String> {
    let fits = |it: char| it.is_ascii_digit() || "+-*/().% ×÷^".contains(it);
    let pieces = question.split(|it| !fits(it)).map(|piece| piece.trim().trim_end_matches(['.', ' ']));
    let sum = pieces.max_by_key(|piece| piece.len())?;
    let digits = sum.chars().filter(char::is_ascii_digit).count();
    let operators = sum.trim_start_matches('-').chars().filter(|it| "+-*/%×÷^".contains(*it)).count();
    let power_is_small = !sum.contains("**") && !sum.contains('^');
    (digits >= 2 && operators >= 1 && power_is_small).then(|| sum.replace('×', "*").replace('÷', "/"))
}

/// The word after "in", or the last one.
fn city(question: &str) -> String {
    let words: Vec<&str> =
        question.split_whitespace().map(|word| word.trim_matches(|it: char| !it.is_alphanumeric())).collect();
    let after_in =
        words.iter().zip(words.iter().skip(1)).rfind(|(word, _)| **word == "in").map(|(_, city)| *city);
    after_in.or(words.last().copied()).unwrap_or("here").to_owned()
}

fn between<'a>(text: &'a str, begin: &str, end: &str) -> Option<&'a str> {
    text.split_once(begin)?.1.split_once(end).map(|(inner, _)| inner)
}

/// A JSON object of one string.
fn object(field: &str, value: &str) -> String {
    let escaped: String = value
        .chars()
        .flat_map(|it| if it == '"' || it == '\\' { vec!['\\', it] } else { vec![it] })
        .collect();
    format!("{{\"{field}\":\"{escaped}\"}}")
}

/// A piece of an answer, word by word.
pub(crate) fn words(delta: ModelDelta) -> Vec<ModelDelta> {
    match delta {
        ModelDelta::Text { block, delta } => delta
            .split_inclusive(' ')
            .map(|word| ModelDelta::Text { block, delta: word.to_owned() })
            .collect(),
        ModelDelta::Thinking { block, delta } => delta
            .split_inclusive(' ')
            .map(|word| ModelDelta::Thinking { block, delta: word.to_owned() })
            .collect(),
        other => vec![other],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_found_and_other_numbers_are_not() {
        assert_eq!(arithmetic("what is 17*23?").as_deref(), Some("17*23"));
        assert_eq!(arithmetic("compute (1 + 2) / 3.").as_deref(), Some("(1 + 2) / 3"));
        assert_eq!(arithmetic("in 2026 there were 12 of them"), None);
        assert_eq!(arithmetic("9**9**9"), None, "that would take for ever");
    }

    #[test]
    fn a_city_is_the_word_after_in() {
        assert_eq!(city("How is the weather in Oslo today?"), "Oslo");
        assert_eq!(city("weather Bergen"), "Bergen");
    }

    #[test]
    fn arguments_are_json_whatever_was_asked() {
        let input: serde_json::Value = serde_json::from_str(&object("city", "O\"sl\\o")).unwrap();
        assert_eq!(input["city"], "O\"sl\\o");
    }

    #[tokio::test(start_paused = true)]
    async fn the_rules_keep_the_laws_of_models() {
        agentscope::testing::conformance::chat_model(|| std::sync::Arc::new(Policy::new())).await;
    }
}
