//! The tokens of OpenAI's models, counted with their tokenizers.
//!
//! What messages and tools cost beside their words is by OpenAI's cookbook, "How to count tokens with tiktoken".

use super::{family::bare, media};
use agentscope_core::{ContentBlock, ModelRequest, Msg, Role, ToolSpec};
use serde_json::Value;
use std::sync::OnceLock;
use tiktoken_rs::{
    CoreBPE, cl100k_base_singleton, o200k_base_singleton,
    tokenizer::{Tokenizer, get_tokenizer},
};

/// Each message.
const MESSAGE: u64 = 3;

/// A name of a speaker, beside its words.
const NAME: u64 = 1;

/// What the answer begins with.
const ANSWER: u64 = 3;

/// What stands around the tools.
const TOOLS: u64 = 12;

/// Before the parameters of a tool.
const PARAMETERS: u64 = 3;

/// Each parameter.
const PARAMETER: u64 = 3;

/// Each value that a parameter may have, less this once.
const VALUE: u64 = 3;

/// Around the name and the arguments of a call. No rule is published; this is what requests were seen to cost.
const CALL: u64 = 4;

/// Longest piece that is given to the tokenizer at once (8 KiB): on longer runs of white space, its regular expression gives up. A
/// cut costs a token at most.
const PIECE: usize = 8 << 10;

/// Counts for one model.
#[derive(Clone)]
pub(super) struct Counter {
    tokenizer: Tokenizer,
    model: String,
}

static LOADED: [OnceLock<()>; 2] = [OnceLock::new(), OnceLock::new()];

impl Counter {
    /// For a model of OpenAI; none for any other.
    pub(super) fn of(model: &str) -> Option<Self> {
        let name = bare(model);
        // Those that are not in its list yet are of the latest kind.
        let known = get_tokenizer(name);
        let later = || {
            ["gpt-4.", "gpt-6", "o1", "o3", "o4"]
                .iter()
                .any(|it| name.starts_with(it))
                .then_some(Tokenizer::O200kBase)
        };
        let tokenizer = match known.or_else(later)? {
            Tokenizer::Cl100kBase => Tokenizer::Cl100kBase,
            Tokenizer::O200kBase | Tokenizer::O200kHarmony => Tokenizer::O200kBase,
            _ => return None,
        };
        Some(Self { tokenizer, model: model.to_owned() })
    }

    /// Whether the tables are there: to read them takes a tenth of a second.
    pub(super) fn is_loaded(&self) -> bool {
        self.loaded().get().is_some()
    }

    fn loaded(&self) -> &'static OnceLock<()> {
        let [newer, older] = &LOADED;
        if self.tokenizer == Tokenizer::Cl100kBase { older } else { newer }
    }

    fn tables(&self) -> &'static CoreBPE {
        let tables = if self.tokenizer == Tokenizer::Cl100kBase {
            cl100k_base_singleton()
        } else {
            o200k_base_singleton()
        };
        let _ = self.loaded().set(());
        tables
    }

    /// The tokens of a text.
    pub(super) fn text(&self, mut text: &str) -> u64 {
        let tables = self.tables();
        let mut sum = 0;
        while text.len() > PIECE {
            let most = text.floor_char_boundary(PIECE);
            // A line break is mostly where a token ends.
            let head = text.get(..most).unwrap_or(text);
            let cut = head.rfind('\n').filter(|at| *at > PIECE / 2).map_or(most, |at| at + 1);
            let (piece, rest) = text.split_at_checked(cut).unwrap_or((text, ""));
            sum += tables.count_ordinary(piece);
            text = rest;
        }
        (sum + tables.count_ordinary(text)) as u64
    }

    /// The tokens of a request.
    pub(super) fn count(&self, req: &ModelRequest) -> u64 {
        let messages = req.messages.iter().map(|msg| self.message(msg)).sum::<u64>();
        let schema = req.output_schema.as_ref().map_or(0, |schema| self.text(&schema.to_string()));
        messages + self.tools(&req.tools) + schema + ANSWER
    }

    fn message(&self, msg: &Msg) -> u64 {
        let role = match msg.role {
            Role::User => "user",
            Role::Assistant => "assistant",
            Role::System => "system",
        };
        let name = if msg.name.is_empty() { 0 } else { self.text(&msg.name) + NAME };
        MESSAGE + self.text(role) + name + self.blocks(&msg.content)
    }

    fn blocks(&self, blocks: &[ContentBlock]) -> u64 {
        let tokens = blocks.iter().map(|block| match block {
            ContentBlock::Text { text, .. } => self.text(text),
            // A message of its own, as a result and what was heard are.
            ContentBlock::Hint { text, .. } => MESSAGE + 1 + self.text(text),
            ContentBlock::ToolCall(call) => CALL + self.text(&call.name) + self.text(&call.input),
            ContentBlock::ToolResult(result) => MESSAGE + 1 + self.blocks(&result.output),
            ContentBlock::Heard(msg) => self.message(msg),
            ContentBlock::Thinking { .. } => 0, // it is not sent
            block => media(&self.model, block),
        });
        tokens.sum()
    }

    fn tools(&self, tools: &[std::sync::Arc<ToolSpec>]) -> u64 {
        if tools.is_empty() {
            return 0;
        }
        let each = if self.tokenizer == Tokenizer::Cl100kBase { 10 } else { 7 };
        let tokens = tools.iter().map(|tool| {
            let line = format!("{}:{}", tool.name, without_stop(&tool.description));
            each + self.text(&line) + self.parameters(&tool.input_schema)
        });
        TOOLS + tokens.sum::<u64>()
    }

    fn parameters(&self, schema: &Value) -> u64 {
        let Some(parameters) =
            schema.get("properties").and_then(Value::as_object).filter(|it| !it.is_empty())
        else {
            return 0;
        };
        PARAMETERS + parameters.iter().map(|(name, schema)| self.parameter(name, schema)).sum::<u64>()
    }

    fn parameter(&self, name: &str, schema: &Value) -> u64 {
        let text = |key: &str| schema.get(key).and_then(Value::as_str).unwrap_or_default();
        let line = format!("{name}:{}:{}", text("type"), without_stop(text("description")));
        let values = schema.get("enum").and_then(Value::as_array).map_or(0, |values| {
            let values = values.iter().map(|value| match value {
                Value::String(value) => VALUE + self.text(value),
                value => VALUE + self.text(&value.to_string()),
            });
            values.sum::<u64>().saturating_sub(VALUE)
        });
        // What the cookbook leaves out: objects and lists within, and choices, as they are written.
        let within =
            self.parameters(schema) + schema.get("items").map_or(0, |items| self.parameter("", items));
        let choices = ["anyOf", "oneOf", "allOf", "$ref"].iter().filter_map(|key| schema.get(*key));
        let choices = choices.map(|choice| self.text(&choice.to_string())).sum::<u64>();
        PARAMETER + self.text(&line) + values + within + choices
    }
}

fn without_stop(text: &str) -> &str {
    text.strip_suffix('.').unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::{sync::Arc, time::Instant};

    fn count(model: &str, req: &ModelRequest) -> u64 {
        Counter::of(model).unwrap().count(req)
    }

    fn said(name: &str, role: Role, text: &str) -> Msg {
        Msg::new(name, role, vec![text.into()])
    }

    // https://cookbook.openai.com/examples/how_to_count_tokens_with_tiktoken, whose counts are those of the API.
    #[test]
    fn messages_have_as_many_tokens_as_the_api_counts() {
        let req = ModelRequest::new([
            said(
                "",
                Role::System,
                "You are a helpful, pattern-following assistant that translates corporate jargon into plain English.",
            ),
            said("example_user", Role::System, "New synergies will help drive top-line growth."),
            said("example_assistant", Role::System, "Things working well together will increase revenue."),
            said(
                "example_user",
                Role::System,
                "Let's circle back when we have more bandwidth to touch base on opportunities for increased leverage.",
            ),
            said(
                "example_assistant",
                Role::System,
                "Let's talk later when we're less busy about how to do better.",
            ),
            said(
                "",
                Role::User,
                "This late pivot means we don't have time to boil the ocean for the client deliverable.",
            ),
        ]);
        assert_eq!(count("gpt-3.5-turbo", &req), 129);
        assert_eq!(count("gpt-4-0613", &req), 129);
        assert_eq!(count("gpt-4o", &req), 124);
        assert_eq!(count("gpt-4o-mini", &req), 124);
    }

    #[test]
    fn tools_have_as_many_tokens_as_the_api_counts() {
        let schema = json!({"type": "object", "required": ["location"], "properties": {
            "location": {"type": "string", "description": "The city and state, e.g. San Francisco, CA"},
            "unit": {"type": "string", "description": "The unit of temperature to return", "enum": ["celsius", "fahrenheit"]}}});
        let mut req = ModelRequest::new([
            said(
                "",
                Role::System,
                "You are a helpful assistant that can answer to questions about the weather.",
            ),
            said("", Role::User, "What's the weather like in San Francisco?"),
        ]);
        req.tools = [Arc::new(ToolSpec::new(
            "get_current_weather",
            "Get the current weather in a given location",
            schema,
        ))]
        .into();
        assert_eq!(count("gpt-4", &req), 105);
        assert_eq!(count("gpt-4o", &req), 101);
    }

    #[test]
    fn each_model_has_its_tokenizer() {
        let tokens = |model: &str| Counter::of(model).map(|it| it.text("敏捷的棕色狐狸"));
        let (newer, older) = (tokens("gpt-4o"), tokens("gpt-4"));
        assert!(newer < older, "{newer:?} {older:?}");
        for model in [
            "gpt-4.1-mini",
            "gpt-5.1",
            "o1",
            "o4",
            "gpt-oss-120b",
            "openai/gpt-4o",
            "ft:gpt-4o:a:b:c",
            "chatgpt-4o-latest",
        ] {
            assert_eq!(tokens(model), newer, "{model}");
        }
        for model in ["gpt-3.5-turbo", "text-embedding-3-small"] {
            assert_eq!(tokens(model), older, "{model}");
        }
        for model in ["claude-sonnet-4-5", "qwen-max", "gemini-2.5-pro", "davinci", ""] {
            assert!(Counter::of(model).is_none(), "{model}");
        }
    }

    #[test]
    fn nothing_that_is_long_makes_it_fail_or_slow() {
        let counter = Counter::of("gpt-4o").unwrap();
        counter.text("x");
        let start = Instant::now();
        for unit in [" ", "\n", "a", "ab ", "\u{3000}", "é", "敏", "🦊", "\t \n", "<|endoftext|>"] {
            let tokens = counter.text(&unit.repeat(200_000 / unit.len()));
            assert!(tokens > 0, "{unit:?}");
        }
        assert!(start.elapsed().as_secs() < 60, "{:?}", start.elapsed());
    }

    #[test]
    fn a_long_text_has_the_tokens_of_its_pieces() {
        let counter = Counter::of("gpt-4o").unwrap();
        let text = include_str!("../../README.md").repeat(8);
        let whole = counter.tables().count_ordinary(&text) as u64;
        let pieces = counter.text(&text);
        assert!(pieces.abs_diff(whole) <= text.len() as u64 / (PIECE as u64 / 2), "{pieces} {whole}");
    }
}
