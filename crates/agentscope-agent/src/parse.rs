//! Answers in a form that a program can read: how a model is told of the form, and how its answer is read.

mod code;
mod data;
mod error;
mod json;
mod keys;
mod pattern;
mod tagged;

pub use code::MarkdownCodeBlockParser;
pub use data::ParserConfig;
pub use error::{ParseError, ParseFault};
pub(crate) use json::kind_of;
pub use json::{MarkdownJsonDictParser, MarkdownJsonObjectParser};
pub use keys::{Filter, Keys};
pub use pattern::RegexTaggedContentParser;
pub use tagged::{MultiTaggedContentParser, TaggedContent};

use serde_json::Value;
use std::sync::Arc;

/// Reads the answer of a model: what the model is told of the form, and what its words say in that form.
///
/// What a rule can mend is mended, such as a fence that was not closed; for what is left there is an error that the model
/// understands. A function is a parser by [`parser_fn`].
///
/// ```
/// use agentscope_agent::{MarkdownJsonDictParser, Parser};
/// use serde_json::json;
///
/// let parser = MarkdownJsonDictParser::new().content_hint(json!({"thought": "what you think", "vote": "whom"}));
/// assert!(parser.format_instruction().ends_with("```json\n{\"thought\":\"what you think\",\"vote\":\"whom\"}\n```"));
///
/// let answer = "Sure:\n```json\n{\"thought\": \"hm\", \"vote\": \"Eve\",}"; // a comma too many, and no closing fence
/// assert_eq!(parser.parse(answer).unwrap()["vote"], "Eve");
/// ```
pub trait Parser: Send + Sync + 'static {
    /// What the model is told of the form, behind all other words.
    fn format_instruction(&self) -> String;

    /// What the answer says.
    ///
    /// # Errors
    /// What is wrong with the answer, in words for the model.
    fn parse(&self, answer: &str) -> Result<Value, ParseError>;

    /// Which of its fields an agent remembers, says and puts into the metadata: all, all and none if nothing else is said.
    fn filter(&self) -> Filter {
        Filter::default()
    }

    /// The parser as data, if it can be written down.
    fn config(&self) -> Option<ParserConfig> {
        None
    }
}

impl<P: Parser + ?Sized> Parser for Arc<P> {
    fn format_instruction(&self) -> String {
        (**self).format_instruction()
    }
    fn parse(&self, answer: &str) -> Result<Value, ParseError> {
        (**self).parse(answer)
    }
    fn filter(&self) -> Filter {
        (**self).filter()
    }
    fn config(&self) -> Option<ParserConfig> {
        (**self).config()
    }
}

/// A parser made of what the model is told and a function that reads its answer: the `parse_func` of AgentScope 0.x.
///
/// ```
/// use agentscope_agent::{ParseError, Parser, parser_fn};
///
/// let number = parser_fn("Answer with a number alone.", |answer| {
///     let number = answer.trim().parse::<u64>();
///     number.map(Into::into).map_err(|_| ParseError::new("this is no number: write digits alone", answer))
/// });
/// assert_eq!(number.parse(" 42 ").unwrap(), 42);
/// assert_eq!(number.parse("many").unwrap_err().to_string(), "this is no number: write digits alone");
/// ```
pub fn parser_fn(
    instruction: impl Into<String>,
    parse: impl Fn(&str) -> Result<Value, ParseError> + Send + Sync + 'static,
) -> impl Parser {
    FnParser { instruction: instruction.into(), parse }
}

struct FnParser<F> {
    instruction: String,
    parse: F,
}

impl<F: Fn(&str) -> Result<Value, ParseError> + Send + Sync + 'static> Parser for FnParser<F> {
    fn format_instruction(&self) -> String {
        self.instruction.clone()
    }
    fn parse(&self, answer: &str) -> Result<Value, ParseError> {
        (self.parse)(answer)
    }
}

/// Names for a sentence.
fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}
