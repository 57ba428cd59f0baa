use super::{Filter, Keys, ParseError, ParseFault, Parser, ParserConfig, json::required, keys::keys};
use crate::repair::repaired_and_closed;
use agentscope_core::Map;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

/// A part of an answer between two tags.
///
/// ```
/// use agentscope_agent::TaggedContent;
///
/// let speak = TaggedContent::new("speak", "[SPEAK]", "what you say", "[/SPEAK]");
/// assert_eq!(speak.to_string(), "[SPEAK]what you say[/SPEAK]");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TaggedContent {
    /// The field that it becomes.
    name: String,
    /// What stands before it.
    tag_begin: String,
    /// What the model is shown of it.
    content_hint: String,
    /// What stands behind it.
    tag_end: String,
    /// Whether it is JSON.
    #[serde(default, skip_serializing_if = "crate::identity::is_default")]
    parse_json: bool,
}

impl TaggedContent {
    /// The field `name`: what stands between `tag_begin` and `tag_end`, of which the model is shown `content_hint`.
    pub fn new(
        name: impl Into<String>,
        tag_begin: impl Into<String>,
        content_hint: impl Into<String>,
        tag_end: impl Into<String>,
    ) -> Self {
        let (name, tag_begin) = (name.into(), tag_begin.into());
        Self {
            name,
            tag_begin,
            content_hint: content_hint.into(),
            tag_end: tag_end.into(),
            parse_json: false,
        }
    }

    /// It has to be JSON, and is read as such.
    #[must_use]
    pub fn parse_json(mut self) -> Self {
        self.parse_json = true;
        self
    }
}

impl fmt::Display for TaggedContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{}", self.tag_begin, self.content_hint, self.tag_end)
    }
}

/// Reads several parts of an answer, each between tags of its own, as the fields of an object. Models that are bad at JSON, or write
/// long texts, do better with tags than with quotation marks.
///
/// A tag that is missing at one end of its part is put there: before the next part, or at the end of the answer. Space around a part
/// is left out.
///
/// ```
/// use agentscope_agent::{MultiTaggedContentParser, Parser, TaggedContent};
/// use serde_json::json;
///
/// let parser = MultiTaggedContentParser::new([
///     TaggedContent::new("thought", "[THOUGHT]", "what you think", "[/THOUGHT]"),
///     TaggedContent::new("votes", "[VOTES]", "{\"name\": number}", "[/VOTES]").parse_json(),
/// ]);
/// let answer = parser.parse("[THOUGHT]Eve, perhaps.\n[VOTES]{\"Eve\": 1}[/VOTES]").unwrap();
/// assert_eq!(answer, json!({"thought": "Eve, perhaps.", "votes": {"Eve": 1}}));
/// ```
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MultiTaggedContentParser {
    /// The parts.
    tagged_contents: Vec<TaggedContent>,
    /// The fields that may be missing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    keys_allow_missing: Vec<String>,
    /// Which fields the agent remembers.
    #[serde(default = "all")]
    keys_to_memory: Keys,
    /// Which fields the agent says.
    #[serde(default = "all")]
    keys_to_content: Keys,
    /// Which fields are put into the metadata.
    #[serde(default = "none")]
    keys_to_metadata: Keys,
}

fn all() -> Keys {
    Keys::All
}

fn none() -> Keys {
    Keys::None
}

keys!(MultiTaggedContentParser);

impl MultiTaggedContentParser {
    /// A parser of these parts.
    pub fn new(tagged_contents: impl IntoIterator<Item = TaggedContent>) -> Self {
        Self {
            tagged_contents: tagged_contents.into_iter().collect(),
            keys_allow_missing: Vec::new(),
            keys_to_memory: all(),
            keys_to_content: all(),
            keys_to_metadata: none(),
        }
    }

    /// The fields that may be missing.
    #[must_use]
    pub fn keys_allow_missing<S: Into<String>>(mut self, keys: impl IntoIterator<Item = S>) -> Self {
        self.keys_allow_missing = keys.into_iter().map(Into::into).collect();
        self
    }

    /// What stands between the tags of a part, and where the answer goes on behind it.
    fn part<'a>(&self, part: &TaggedContent, answer: &'a str, from: usize) -> Option<(&'a str, usize)> {
        let Some(begin) = answer.find(&part.tag_begin) else {
            // The opening tag alone is missing: the part begins where the one before it ended.
            let rest = answer.get(from..)?;
            let end = rest.find(&part.tag_end)?;
            return Some((rest.get(..end)?, from + end + part.tag_end.len()));
        };
        let begin = begin + part.tag_begin.len();
        let rest = answer.get(begin..)?;
        if let Some(end) = rest.find(&part.tag_end) {
            return Some((rest.get(..end)?, begin + end + part.tag_end.len()));
        }
        let others = self.tagged_contents.iter().filter(|other| other.tag_begin != part.tag_begin);
        let end = others.filter_map(|other| rest.find(&other.tag_begin)).min().unwrap_or(rest.len());
        Some((rest.get(..end)?, begin + end))
    }
}

impl Parser for MultiTaggedContentParser {
    fn format_instruction(&self) -> String {
        let json = self.tagged_contents.iter().filter(|part| part.parse_json);
        let json: Vec<String> = json.map(|part| format!("{} and {}", part.tag_begin, part.tag_end)).collect();
        let hint = match json.is_empty() {
            true => ": ".to_owned(),
            false => format!(", and the content between {} MUST be a JSON object:", json.join(", ")),
        };
        let lines: Vec<String> = self.tagged_contents.iter().map(TaggedContent::to_string).collect();
        format!("Respond with specific tags as outlined below{hint}\n{}", lines.join("\n"))
    }

    fn parse(&self, answer: &str) -> Result<Value, ParseError> {
        let mut fields = Map::new();
        let mut from = 0;
        for part in &self.tagged_contents {
            let Some((content, next)) = self.part(part, answer, from) else {
                if self.keys_allow_missing.contains(&part.name) {
                    continue;
                }
                let tag = part.tag_begin.clone();
                let message = format!("the tag `{tag}` is missing: write {part}");
                return Err(ParseError::of(ParseFault::MissingTag { tag }, message, answer));
            };
            from = next;
            let content = content.trim();
            let value = match part.parse_json {
                true => repaired_and_closed(content).map_err(|error| {
                    let (begin, end) = (&part.tag_begin, &part.tag_end);
                    let message = format!(
                        "between {begin} and {end} is no JSON ({error}): write JSON there alone, with texts in double quotation marks"
                    );
                    ParseError::of(ParseFault::NoJson, message, answer)
                })?,
                false => content.into(),
            };
            fields.insert(part.name.clone(), value);
        }
        let filter = self.to_filter();
        let named = filter.names().filter(|name| !self.keys_allow_missing.contains(name));
        required(&fields, named, answer)?;
        Ok(Value::Object(fields))
    }

    fn filter(&self) -> Filter {
        self.to_filter()
    }

    fn config(&self) -> Option<ParserConfig> {
        Some(ParserConfig::MultiTaggedContent(self.clone()))
    }
}
