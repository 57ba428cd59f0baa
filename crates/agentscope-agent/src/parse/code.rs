use super::{ParseError, ParseFault, Parser, ParserConfig};
use crate::repair::code_block;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Reads a fenced code block, and gives what stands in it as text. A fence that is missing at one end is put there.
///
/// ```
/// use agentscope_agent::{MarkdownCodeBlockParser, Parser};
///
/// let parser = MarkdownCodeBlockParser::new("python");
/// assert_eq!(parser.parse("So:\n```python\nprint(1)\n```\nDone.").unwrap(), "print(1)");
/// assert_eq!(parser.parse("```python\nprint(1)").unwrap(), "print(1)", "it was not closed");
/// assert_eq!(
///     parser.parse("print(1)").unwrap_err().to_string(),
///     "the fence ```python is missing: write the code between ```python and ```"
/// );
/// ```
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MarkdownCodeBlockParser {
    /// The language, as it stands behind the opening fence.
    language: String,
    /// What the model is shown of the content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content_hint: Option<String>,
}

impl MarkdownCodeBlockParser {
    /// A parser of code in `language`, such as `python`.
    pub fn new(language: impl Into<String>) -> Self {
        Self { language: language.into(), content_hint: None }
    }

    /// What the model is shown of the content.
    #[must_use]
    pub fn content_hint(mut self, hint: impl Into<String>) -> Self {
        self.content_hint = Some(hint.into());
        self
    }
}

impl Parser for MarkdownCodeBlockParser {
    fn format_instruction(&self) -> String {
        let Self { language, content_hint } = self;
        let hint = content_hint.clone().unwrap_or_else(|| format!("${{your_{language}_code}}"));
        format!(
            "You should generate {language} code in a {language} fenced code block as follows: \n```{language}\n{hint}\n```"
        )
    }

    fn parse(&self, answer: &str) -> Result<Value, ParseError> {
        let language = self.language.trim();
        let named = code_block(answer, language).map(|block| block.content);
        let found = named.or_else(|| unnamed(answer));
        let Some(code) = found else {
            let message =
                format!("the fence ```{language} is missing: write the code between ```{language} and ```");
            return Err(ParseError::of(
                ParseFault::MissingTag { tag: format!("```{language}") },
                message,
                answer,
            ));
        };
        Ok(code.strip_suffix('\n').unwrap_or(code).into())
    }

    fn config(&self) -> Option<ParserConfig> {
        Some(ParserConfig::MarkdownCodeBlock(self.clone()))
    }
}

/// A block that names no language, or all before a fence that is only closed.
fn unnamed(answer: &str) -> Option<&str> {
    let (before, after) = answer.split_once("```")?;
    if after.trim().is_empty() {
        return Some(before).filter(|code| !code.trim().is_empty());
    }
    let (head, _) = after.split_once('\n')?;
    head.trim().is_empty().then(|| code_block(answer, "").map(|block| block.content))?
}
