use super::{
    MarkdownCodeBlockParser, MarkdownJsonDictParser, MarkdownJsonObjectParser, MultiTaggedContentParser,
    Parser, RegexTaggedContentParser,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A parser as data, for configurations. The fields are those of AgentScope 0.x.
///
/// ```
/// use agentscope_agent::{Parser, ParserConfig};
///
/// let config: ParserConfig = serde_json::from_str(
///     r#"{"type": "markdown_json_dict", "content_hint": {"vote": "whom"}, "keys_to_content": "vote", "keys_to_metadata": ["vote"]}"#,
/// )?;
/// let error = config.parser().parse("{}").unwrap_err();
/// assert_eq!(error.to_string(), "fields are missing: `vote`; there are none at all: give all that are required");
/// # Ok::<_, serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum ParserConfig {
    /// JSON in a code block.
    MarkdownJsonObject(MarkdownJsonObjectParser),
    /// A JSON object in a code block.
    MarkdownJsonDict(MarkdownJsonDictParser),
    /// Code in a code block.
    MarkdownCodeBlock(MarkdownCodeBlockParser),
    /// Parts between known tags.
    MultiTaggedContent(MultiTaggedContentParser),
    /// Parts with names that are not known before.
    RegexTaggedContent(RegexTaggedContentParser),
}

impl ParserConfig {
    /// The parser.
    pub fn parser(self) -> Arc<dyn Parser> {
        match self {
            Self::MarkdownJsonObject(parser) => Arc::new(parser),
            Self::MarkdownJsonDict(parser) => Arc::new(parser),
            Self::MarkdownCodeBlock(parser) => Arc::new(parser),
            Self::MultiTaggedContent(parser) => Arc::new(parser),
            Self::RegexTaggedContent(parser) => Arc::new(parser),
        }
    }
}

impl Default for ParserConfig {
    fn default() -> Self {
        Self::MarkdownJsonDict(MarkdownJsonDictParser::default())
    }
}

/// By what they look like as JSON.
impl PartialEq for ParserConfig {
    fn eq(&self, other: &Self) -> bool {
        serde_json::to_value(self).ok() == serde_json::to_value(other).ok()
    }
}
