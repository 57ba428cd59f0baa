use super::{Filter, Keys, ParseError, ParseFault, Parser, ParserConfig, keys::keys, listed};
use crate::{
    repair::{code_block, repaired, repaired_and_closed},
    schema::Validators,
};
use agentscope_core::{Map, schema_of};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;

/// Reads JSON in a fenced code block, of any kind.
///
/// JSON without fences, between other words, with a comma too many or without its last brackets is read as well; what was cut
/// inside of a text or a number is not.
///
/// ```
/// use agentscope_agent::{MarkdownJsonObjectParser, Parser};
/// use serde_json::json;
///
/// let parser = MarkdownJsonObjectParser::new().content_hint(json!(["a city"]));
/// assert_eq!(
///     parser.format_instruction(),
///     "You should respond a json object in a json fenced code block as follows:\n```json\n[\"a city\"]\n```"
/// );
/// assert_eq!(parser.parse("```json\n[\"Oslo\"]\n```").unwrap(), json!(["Oslo"]));
/// ```
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MarkdownJsonObjectParser {
    /// What the model is shown of the content: words, or an example.
    #[serde(skip_serializing_if = "Option::is_none")]
    content_hint: Option<Value>,
}

impl MarkdownJsonObjectParser {
    /// A parser of any JSON.
    pub fn new() -> Self {
        Self::default()
    }

    /// What the model is shown of the content: words, or an example in JSON.
    #[must_use]
    pub fn content_hint(mut self, hint: impl Into<Value>) -> Self {
        self.content_hint = Some(hint.into());
        self
    }
}

impl Parser for MarkdownJsonObjectParser {
    fn format_instruction(&self) -> String {
        let hint = hint(self.content_hint.as_ref(), "{your_json_object}");
        format!(
            "You should respond a json object in a json fenced code block as follows:\n```json\n{hint}\n```"
        )
    }

    fn parse(&self, answer: &str) -> Result<Value, ParseError> {
        json_in(answer)
    }

    fn config(&self) -> Option<ParserConfig> {
        Some(ParserConfig::MarkdownJsonObject(self.clone()))
    }
}

/// Reads a JSON object (a dictionary) in a fenced code block, and which of its fields an agent remembers, says and puts into the
/// metadata. It mends what [`MarkdownJsonObjectParser`] mends.
///
/// ```
/// use agentscope_agent::{MarkdownJsonDictParser, Parser};
///
/// /// Who is out.
/// #[derive(schemars::JsonSchema)]
/// #[expect(dead_code)]
/// struct Vote {
///     /// Why.
///     thought: String,
///     /// Whom you vote for.
///     vote: String,
/// }
///
/// let parser = MarkdownJsonDictParser::of::<Vote>().keys_to_content("vote").keys_to_metadata(["vote"]);
/// assert!(parser.format_instruction().contains("Whom you vote for."));
/// let error = parser.parse("```json\n{\"thought\": \"hm\", \"vote\": 3}\n```").unwrap_err();
/// assert_eq!(error.to_string(), "the JSON does not fit its schema: at `/vote`: 3 is not of type \"string\"");
/// ```
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MarkdownJsonDictParser {
    /// What the model is shown of the content: words, or an example.
    #[serde(skip_serializing_if = "Option::is_none")]
    content_hint: Option<Value>,
    /// The JSON schema that it has to fit.
    #[serde(skip_serializing_if = "Option::is_none")]
    schema: Option<Arc<Value>>,
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

impl Default for MarkdownJsonDictParser {
    fn default() -> Self {
        let Filter { memory, content, metadata } = Filter::default();
        Self {
            content_hint: None,
            schema: None,
            required_keys: Vec::new(),
            keys_to_memory: memory,
            keys_to_content: content,
            keys_to_metadata: metadata,
        }
    }
}

keys!(MarkdownJsonDictParser);

impl MarkdownJsonDictParser {
    /// A parser of any JSON object.
    pub fn new() -> Self {
        Self::default()
    }

    /// A parser of objects that fit the type `T`. Its schema is shown to the model, and the answer is held to it.
    pub fn of<T: JsonSchema>() -> Self {
        Self::new().schema(schema_of::<T>())
    }

    /// The JSON schema that the answer has to fit. It is shown to the model.
    #[must_use]
    pub fn schema(mut self, schema: impl Into<Value>) -> Self {
        self.schema = Some(Arc::new(schema.into()));
        self
    }

    /// What the model is shown of the content: words, or an example in JSON.
    #[must_use]
    pub fn content_hint(mut self, hint: impl Into<Value>) -> Self {
        self.content_hint = Some(hint.into());
        self
    }

    /// The fields that have to be there, beside those that the keys name.
    #[must_use]
    pub fn required_keys<S: Into<String>>(mut self, keys: impl IntoIterator<Item = S>) -> Self {
        self.required_keys = keys.into_iter().map(Into::into).collect();
        self
    }
}

impl Parser for MarkdownJsonDictParser {
    fn format_instruction(&self) -> String {
        let hint = hint(self.content_hint.as_ref(), "{your_json_dictionary}");
        let told = format!(
            "Respond a JSON dictionary in a markdown's fenced code block as follows:\n```json\n{hint}\n```"
        );
        match &self.schema {
            Some(schema) => {
                format!("{told}\nThe generated JSON dictionary MUST follow this schema: \n{schema}")
            }
            None => told,
        }
    }

    fn parse(&self, answer: &str) -> Result<Value, ParseError> {
        let value = json_in(answer)?;
        let Value::Object(fields) = &value else {
            let message = format!(
                "the JSON is {}, and has to be a dictionary: write one, such as {{\"field\": \"value\"}}",
                kind_of(&value)
            );
            return Err(ParseError::of(ParseFault::NoObject, message, answer));
        };
        let filter = self.to_filter();
        required(fields, self.required_keys.iter().chain(filter.names()), answer)?;
        if let Some(schema) = &self.schema {
            Validators::default().check(schema, &value).map_err(|wrong| {
                let message = format!("the JSON does not fit its schema: {wrong}");
                ParseError::of(ParseFault::Schema, message, answer)
            })?;
        }
        Ok(value)
    }

    fn filter(&self) -> Filter {
        self.to_filter()
    }

    fn config(&self) -> Option<ParserConfig> {
        Some(ParserConfig::MarkdownJsonDict(self.clone()))
    }
}

fn hint(hint: Option<&Value>, or: &str) -> String {
    match hint {
        Some(Value::String(words)) => words.clone(),
        Some(example) => example.to_string(),
        None => or.to_owned(),
    }
}

/// That all `names` are there.
pub(super) fn required<'a>(
    fields: &Map,
    names: impl Iterator<Item = &'a String>,
    answer: &str,
) -> Result<(), ParseError> {
    let mut missing: Vec<String> = Vec::new();
    for name in names {
        if !fields.contains_key(name) && !missing.contains(name) {
            missing.push(name.clone());
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let seen = match fields.is_empty() {
        true => "none at all".to_owned(),
        false => listed(fields.keys().map(String::as_str)),
    };
    let lacks = listed(missing.iter().map(String::as_str));
    let message = format!("fields are missing: {lacks}; there are {seen}: give all that are required");
    Err(ParseError::of(ParseFault::MissingFields { fields: missing }, message, answer))
}

/// The JSON in an answer. The block that says to be JSON comes first.
fn json_in(answer: &str) -> Result<Value, ParseError> {
    let found = match code_block(answer, "json") {
        Some(block) => {
            let ended = if block.is_whole { repaired_and_closed } else { repaired };
            ended(block.content).or_else(|_| repaired_and_closed(block.rest))
        }
        None => repaired_and_closed(answer),
    };
    found.map_err(|error| {
        let message = format!(
            "there is no JSON in the answer ({error}): write it whole, between ```json and ```, with texts in double quotation marks"
        );
        ParseError::of(ParseFault::NoJson, message, answer)
    })
}

/// What a value is, in words.
pub(crate) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
