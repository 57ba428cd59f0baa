use agentscope_core::{Error, ErrorKind};
use std::fmt;

/// Why an answer could not be read. Its words are written for the model: what is missing, what was seen, what to do.
///
/// The answer itself is in [`raw`](Self::raw), and in no message: it may be long, and others may read the message.
///
/// ```
/// use agentscope_agent::{MultiTaggedContentParser, ParseFault, Parser, TaggedContent};
///
/// let parser = MultiTaggedContentParser::new([TaggedContent::new("speak", "[SPEAK]", "what you say", "[/SPEAK]")]);
/// let error = parser.parse("Hello.").unwrap_err();
/// assert_eq!(error.fault(), &ParseFault::MissingTag { tag: "[SPEAK]".into() });
/// assert_eq!(error.to_string(), "the tag `[SPEAK]` is missing: write [SPEAK]what you say[/SPEAK]");
/// assert_eq!(error.raw(), "Hello.");
/// ```
#[derive(Clone, PartialEq)]
pub struct ParseError {
    fault: ParseFault,
    message: String,
    raw: String,
}

/// What is wrong with an answer.
///
/// ```
/// use agentscope_agent::{MarkdownJsonDictParser, ParseFault, Parser};
///
/// let parser = MarkdownJsonDictParser::new().required_keys(["vote"]);
/// let error = parser.parse(r#"{"thought": "hm"}"#).unwrap_err();
/// assert_eq!(error.fault(), &ParseFault::MissingFields { fields: vec!["vote".into()] });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParseFault {
    /// It lacks a tag or a fence.
    MissingTag {
        /// Which one.
        tag: String,
    },
    /// It lacks fields.
    MissingFields {
        /// Which ones.
        fields: Vec<String>,
    },
    /// What has to be JSON is none.
    NoJson,
    /// It is JSON, but no object.
    NoObject,
    /// It does not fit its schema.
    Schema,
    /// It was cut by the limit of tokens.
    Cut,
    /// Something else.
    Other,
}

impl ParseError {
    /// Something that a parser of your own found wrong with the answer `raw`, in words for the model.
    pub fn new(message: impl Into<String>, raw: impl Into<String>) -> Self {
        Self::of(ParseFault::Other, message.into(), &raw.into())
    }

    pub(crate) fn of(fault: ParseFault, message: String, raw: &str) -> Self {
        Self { fault, message, raw: raw.to_owned() }
    }

    /// What is wrong, for programs.
    pub fn fault(&self) -> &ParseFault {
        &self.fault
    }

    /// The whole answer.
    pub fn raw(&self) -> &str {
        &self.raw
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Without the answer.
impl fmt::Debug for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParseError")
            .field("fault", &self.fault)
            .field("message", &self.message)
            .finish_non_exhaustive()
    }
}

impl std::error::Error for ParseError {}

/// Nobody mended it: whoever answered did not do as it was told.
impl From<ParseError> for Error {
    fn from(error: ParseError) -> Self {
        Self::new(ErrorKind::Refused, error.message.clone()).with_source(error)
    }
}
