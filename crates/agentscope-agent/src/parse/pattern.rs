use super::{Filter, Keys, ParseError, ParseFault, Parser, ParserConfig, json::required, keys::keys, listed};
use agentscope_core::{Error, ErrorKind, Map, Result};
use regex::{Regex, RegexBuilder};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::HashMap;

/// Reads parts of an answer whose names are not known before: `<name>content</name>`, or what a pattern says.
///
/// Content that is JSON becomes that, all other a text. A required part that is not closed ends where the next one begins, or with
/// the answer. Of parts with one name the last counts.
///
/// ```
/// use agentscope_agent::{Parser, RegexTaggedContentParser};
/// use serde_json::json;
///
/// let parser = RegexTaggedContentParser::new().required_keys(["speak"]);
/// let answer = parser.parse("<thought>hm</thought><speak>Eve.</speak><score>3</score>").unwrap();
/// assert_eq!(answer, json!({"thought": "hm", "speak": "Eve.", "score": 3}));
///
/// let lines = RegexTaggedContentParser::new().pattern(r"(?P<name>\w+): (?P<content>[^\n]*)")?;
/// assert_eq!(lines.parse("vote: Eve\nspeak: She is one.").unwrap()["vote"], "Eve");
/// # Ok::<_, agentscope_core::Error>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RegexTaggedContentParser {
    /// A regular expression with the groups `name` and `content`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    tagged_content_pattern: Option<Pattern>,
    /// What the model is told of the form.
    #[serde(skip_serializing_if = "Option::is_none")]
    format_instruction: Option<String>,
    /// Whether content that is JSON becomes that.
    try_parse_json: bool,
    /// The fields that have to be there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    required_keys: Vec<String>,
    /// Which fields the agent remembers.
    keys_to_memory: Keys,
    /// Which fields the agent says.
    keys_to_content: Keys,
    /// Which fields are put into the metadata.
    keys_to_metadata: Keys,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
struct Pattern(Regex);

impl TryFrom<String> for Pattern {
    type Error = Error;

    fn try_from(pattern: String) -> Result<Self> {
        let wrong = |why: &dyn std::fmt::Display| {
            let message = format!("the pattern of a parser cannot be used: {why}");
            Error::new(ErrorKind::InvalidInput, message)
        };
        let regex =
            RegexBuilder::new(&pattern).dot_matches_new_line(true).build().map_err(|error| wrong(&error))?;
        for group in ["name", "content"] {
            if !regex.capture_names().any(|name| name == Some(group)) {
                return Err(wrong(&format_args!("it has no group `{group}`, add `(?P<{group}>..)`")));
            }
        }
        Ok(Self(regex))
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.0.as_str().to_owned()
    }
}

impl Default for RegexTaggedContentParser {
    fn default() -> Self {
        let Filter { memory, content, metadata } = Filter::default();
        Self {
            tagged_content_pattern: None,
            format_instruction: None,
            try_parse_json: true,
            required_keys: Vec::new(),
            keys_to_memory: memory,
            keys_to_content: content,
            keys_to_metadata: metadata,
        }
    }
}

keys!(RegexTaggedContentParser);

impl RegexTaggedContentParser {
    /// A parser of `<name>content</name>`.
    pub fn new() -> Self {
        Self::default()
    }

    /// A regular expression with the groups `name` and `content`, in place of tags. A dot stands for a line break too. There are no
    /// backward references, so that no answer takes long to read.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if it is no regular expression or lacks a group.
    pub fn pattern(mut self, pattern: impl Into<String>) -> Result<Self> {
        self.tagged_content_pattern = Some(Pattern::try_from(pattern.into())?);
        Ok(self)
    }

    /// What the model is told of the form; needed with a pattern.
    #[must_use]
    pub fn instruction(mut self, instruction: impl Into<String>) -> Self {
        self.format_instruction = Some(instruction.into());
        self
    }

    /// Whether content that is JSON becomes that (it does).
    #[must_use]
    pub fn try_parse_json(mut self, try_it: bool) -> Self {
        self.try_parse_json = try_it;
        self
    }

    /// The fields that have to be there, beside those that the keys name.
    #[must_use]
    pub fn required_keys<S: Into<String>>(mut self, keys: impl IntoIterator<Item = S>) -> Self {
        self.required_keys = keys.into_iter().map(Into::into).collect();
        self
    }

    fn required(&self) -> Vec<String> {
        self.required_keys.iter().chain(self.to_filter().names()).cloned().collect()
    }

    fn value(&self, content: &str) -> Value {
        let content = content.trim();
        let json = self.try_parse_json.then(|| serde_json::from_str(content).ok()).flatten();
        json.unwrap_or_else(|| content.into())
    }
}

impl Parser for RegexTaggedContentParser {
    fn format_instruction(&self) -> String {
        if let Some(instruction) = &self.format_instruction {
            return instruction.clone();
        }
        if let Some(Pattern(pattern)) = &self.tagged_content_pattern {
            return format!("Respond in parts that each match this regular expression: {pattern}");
        }
        let named = self.required();
        let tags = named.iter().map(|name| format!("<{name}>{{{name}}}</{name}>"));
        let tags: Vec<String> = match named.is_empty() {
            true => {
                vec!["<{name1}>{content1}</{name1}>".to_owned(), "<{name2}>{content2}</{name2}>".to_owned()]
            }
            false => tags.collect(),
        };
        format!("Respond with specific tags as outlined below: \n{}", tags.join("\n"))
    }

    fn parse(&self, answer: &str) -> std::result::Result<Value, ParseError> {
        let named = self.required();
        let mut fields = Map::new();
        match &self.tagged_content_pattern {
            Some(Pattern(pattern)) => {
                for found in pattern.captures_iter(answer) {
                    if let (Some(name), Some(content)) = (found.name("name"), found.name("content")) {
                        fields.insert(name.as_str().to_owned(), self.value(content.as_str()));
                    }
                }
            }
            None => {
                for (name, content) in tagged(answer) {
                    fields.insert(name.to_owned(), self.value(content));
                }
                for name in &named {
                    if !fields.contains_key(name)
                        && let Some(content) = unclosed(answer, name, &named)
                    {
                        fields.insert(name.clone(), self.value(content));
                    }
                }
                if let Some(missing) = named.iter().find(|name| !fields.contains_key(*name)) {
                    let seen = match fields.is_empty() {
                        true => "none".to_owned(),
                        false => listed(fields.keys().map(String::as_str)),
                    };
                    let tag = format!("<{missing}>");
                    let message = format!(
                        "the tag `{tag}` is missing, and the parts that were found are {seen}: write {tag}..</{missing}>"
                    );
                    return Err(ParseError::of(ParseFault::MissingTag { tag }, message, answer));
                }
            }
        }
        required(&fields, named.iter(), answer)?;
        Ok(Value::Object(fields))
    }

    fn filter(&self) -> Filter {
        self.to_filter()
    }

    fn config(&self) -> Option<ParserConfig> {
        Some(ParserConfig::RegexTaggedContent(self.clone()))
    }
}

/// The parts `<name>content</name>`, one behind the other. A part may also be closed by `</>`. In one pass, however many tags there
/// are that are never closed.
fn tagged(answer: &str) -> Vec<(&str, &str)> {
    let mut closing: HashMap<&str, Vec<usize>> = HashMap::new();
    for (at, _) in answer.match_indices("</") {
        if let Some(name) = tag_name(answer, at + 2) {
            closing.entry(name).or_default().push(at);
        }
    }
    let next = |name: &str, from: usize| {
        let places = closing.get(name)?;
        places.get(places.partition_point(|at| *at < from)).copied()
    };
    let mut parts = Vec::new();
    let mut from = 0;
    for (at, _) in answer.match_indices('<') {
        let Some(name) = tag_name(answer, at + 1).filter(|name| !name.is_empty() && !name.starts_with('/'))
        else {
            continue;
        };
        if at < from {
            continue;
        }
        let begin = at + name.len() + 2;
        let Some(end) = next(name, begin).into_iter().chain(next("", begin)).min() else { continue };
        parts.extend(answer.get(begin..end).map(|content| (name, content)));
        from = end;
    }
    parts
}

/// The name of the tag, up to its `>`.
fn tag_name(answer: &str, from: usize) -> Option<&str> {
    let rest = answer.get(from..)?;
    let end =
        rest.find(['<', '>']).filter(|end| rest.get(*end..).is_some_and(|rest| rest.starts_with('>')))?;
    rest.get(..end)
}

/// The part `name` that is never closed: up to the next part that has to be there.
fn unclosed<'a>(answer: &'a str, name: &str, named: &[String]) -> Option<&'a str> {
    let (_, content) = answer.split_once(&format!("<{name}>"))?;
    let others = named.iter().filter(|other| *other != name);
    let end = others.filter_map(|other| content.find(&format!("<{other}>"))).min();
    content.get(..end.unwrap_or(content.len()))
}
