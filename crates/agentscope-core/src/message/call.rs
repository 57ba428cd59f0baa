use super::{ContentBlock, Extra, Map, read};
use crate::id::{CallId, Name};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// A model asks for a tool to be run.
///
/// In JSON, as in AgentScope 1.x, `input` is the parsed object (`{}` where the text does not parse); `raw_input` is the
/// text as the model wrote it, left out where writing `input` gives the same.
///
/// ```
/// use agentscope_core::ToolCall;
///
/// let cut = ToolCall::new("c1", "weather", r#"{"city": "Os"#);
/// assert!(cut.arguments().is_err());
/// let json = serde_json::to_value(&cut)?;
/// assert_eq!((json["input"].to_string(), json["raw_input"].as_str()), ("{}".into(), Some(r#"{"city": "Os"#)));
/// # Ok::<_, serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ToolCall {
    /// Which call of the conversation.
    pub id: CallId,
    /// The tool's name, as the model wrote it.
    pub name: Name,
    /// The arguments as the model wrote them: JSON, if it made no mistake.
    pub input: String,
    /// How far it is.
    pub state: CallState,
    /// Further fields, such as a provider's `thought_signature`.
    pub extra: Extra,
}

/// How far a call is: `Pending`, then `Asking` or `Allowed`, then `Started` or `Submitted`; its result ends it. A call that is
/// denied or that cannot be run goes straight to its result.
///
/// ```
/// use agentscope_core::{CallState, ToolCall};
/// assert_eq!(ToolCall::new("c1", "weather", "{}").state, CallState::Pending);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CallState {
    /// The model asked for it.
    #[default]
    Pending,
    /// Somebody has to decide.
    Asking,
    /// It may run.
    Allowed,
    /// It runs, or it ran when the process died.
    Started,
    /// It is done outside, by whoever reads the events.
    Submitted,
    /// A state that this version does not know.
    #[serde(untagged)]
    Other(Name),
}

/// What a tool answered.
///
/// ```
/// use agentscope_core::{ToolResult, ToolState};
///
/// // As AgentScope 1.x wrote it: no state, output as a string.
/// let result: ToolResult = serde_json::from_str(r#"{"id":"c1","name":"weather","output":"sunny"}"#)?;
/// assert_eq!((result.text().as_str(), result.state), ("sunny", ToolState::Success));
/// # Ok::<_, serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ToolResult {
    /// The call that it answers.
    pub id: CallId,
    /// The tool's name.
    pub name: Name,
    /// What the tool put out. Read from a string too.
    #[serde(deserialize_with = "read::blocks")]
    pub output: Vec<ContentBlock>,
    /// How it ended.
    #[serde(default)]
    pub state: ToolState,
    /// Further fields.
    #[serde(flatten)]
    pub extra: Extra,
}

/// How a tool's run ended.
///
/// ```
/// use agentscope_core::{ToolResult, ToolState};
///
/// let denied = ToolResult::new("c1", "rm", ToolState::Denied, vec!["the user said no".into()]);
/// assert_eq!(serde_json::to_value(&denied)?["state"], "denied");
/// # Ok::<_, serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ToolState {
    /// It ran to its end.
    #[default]
    Success,
    /// It failed, or could not be run; the output says why.
    Error,
    /// It was stopped, or nobody knows whether it ran to its end.
    Interrupted,
    /// It was not allowed to run.
    Denied,
    /// It has not ended; more output comes.
    Running,
    /// A state that this version does not know.
    #[serde(untagged)]
    Other(Name),
}

impl ToolCall {
    /// A call of the tool `name` with `input`, the arguments as JSON text.
    pub fn new(id: impl Into<CallId>, name: impl Into<Name>, input: impl Into<String>) -> Self {
        let (id, name, input) = (id.into(), name.into(), input.into());
        Self { id, name, input, state: CallState::Pending, extra: Extra::default() }
    }

    /// The arguments. No text at all is no arguments.
    ///
    /// # Errors
    /// The place where the text stops being a JSON object.
    pub fn arguments(&self) -> Result<Map, serde_json::Error> {
        if self.input.trim().is_empty() {
            return Ok(Map::new());
        }
        serde_json::from_str(&self.input)
    }
}

impl ToolResult {
    /// A result of the call `id` of the tool `name`.
    pub fn new(
        id: impl Into<CallId>,
        name: impl Into<Name>,
        state: ToolState,
        output: Vec<ContentBlock>,
    ) -> Self {
        Self { id: id.into(), name: name.into(), output, state, extra: Extra::default() }
    }

    /// A tool that ran to its end and says `text`.
    pub fn success(id: impl Into<CallId>, name: impl Into<Name>, text: impl Into<String>) -> Self {
        Self::new(id, name, ToolState::Success, vec![ContentBlock::text(text)])
    }

    /// The output's words, joined by line breaks.
    pub fn text(&self) -> String {
        let texts = self.output.iter().filter_map(|block| match block {
            ContentBlock::Text { text, .. } => Some(text.as_str()),
            _ => None,
        });
        texts.collect::<Vec<_>>().join("\n")
    }
}

/// A call as JSON has it.
#[derive(Serialize, Deserialize)]
struct Written {
    id: CallId,
    name: Name,
    #[serde(default)]
    input: Value,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    raw_input: Option<String>,
    #[serde(default, skip_serializing_if = "is_pending")]
    state: CallState,
    #[serde(flatten)]
    extra: Extra,
}

fn is_pending(state: &CallState) -> bool {
    *state == CallState::Pending
}

impl Serialize for ToolCall {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let input = Value::Object(self.arguments().unwrap_or_default());
        let compact = input.to_string();
        Written {
            id: self.id.clone(),
            name: self.name.clone(),
            raw_input: (compact != self.input).then(|| self.input.clone()),
            input,
            state: self.state.clone(),
            extra: self.extra.clone(),
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ToolCall {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = Written::deserialize(deserializer)?;
        let input = match (written.raw_input, written.input) {
            (Some(raw), _) | (None, Value::String(raw)) => raw, // 2.x writes the text as `input`
            (None, Value::Null) => String::new(),
            (None, parsed) => parsed.to_string(),
        };
        Ok(Self { id: written.id, name: written.name, input, state: written.state, extra: written.extra })
    }
}
