//! Messages: what agents, people and tools say to each other.
//!
//! The JSON is that of AgentScope 1.x (`text`, `thinking`, `tool_use`, `tool_result`, `image`, `audio`, `video`) with
//! additions that 1.x ignores; the names of 2.x are read as well. Nothing that was read is dropped: an unknown block is
//! carried as [`ContentBlock::Other`], an unknown field as [`Extra`].

mod block;
mod call;
mod extra;
mod fold;
mod read;

pub use block::{ContentBlock, Media, Source};
pub use call::{CallState, ToolCall, ToolResult, ToolState};
pub use extra::{Extra, Map};
use fold::Trail;

use crate::{
    error::{Error, ErrorKind, Failure, Result},
    id::{MsgId, Name},
    timestamp::Timestamp,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};
use serde_json::Value;
use std::ops::AddAssign;

/// The tool by which a model gives structured output, where it has no native way. Its result does not count as one after
/// which the agent's words begin, because it ends the reply.
pub const FINISH_TOOL: &str = "generate_response";

/// The metadata by which a message that says again what another one said, as a pipeline does for its last agent, names that one
/// by its id. Who has heard the one is not told the other.
pub const SAID_AS: &str = "said_as";

/// One message: who said it, and what, in blocks. A reply of an agent is one message, tool calls and results included.
///
/// ```
/// use agentscope_core::{ContentBlock, Msg};
///
/// let msg = Msg::user("What is in this picture?").named("Alice").url("cat.jpg");
/// assert_eq!(msg.text(), "What is in this picture?");
/// assert!(matches!(msg.content[1], ContentBlock::Image(_)));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self")]
#[non_exhaustive]
pub struct Msg {
    /// Tells it from all others; new for each message.
    #[serde(default = "MsgId::random")]
    pub id: MsgId,
    /// Who said it.
    pub name: Name,
    /// In which role.
    pub role: Role,
    /// What was said, in order. Read from a string too, which is one text block.
    #[serde(deserialize_with = "read::blocks")]
    pub content: Vec<ContentBlock>,
    /// Free data beside the content, for programs.
    #[serde(default, deserialize_with = "read::or_default")]
    pub metadata: Map,
    /// When it was begun.
    #[serde(default = "Timestamp::now", alias = "created_at")]
    pub timestamp: Timestamp,
    /// Tokens spent on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// How a reply ended; `None` while it goes on, and for what is no reply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finish: Option<Finish>,
    /// The structured output, where the request asked for one; it may be `null`.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "read::present")]
    pub output: Option<Value>,
    /// Fields that this version does not know, carried along.
    #[serde(flatten)]
    pub extra: Extra,
    #[serde(skip)]
    trail: Trail,
}

/// In which role a message was said.
///
/// ```
/// use agentscope_core::{Msg, Role};
/// assert_eq!(Msg::assistant("Friday", "hi").role, Role::Assistant);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// A person, or whoever the agent works for.
    User,
    /// An agent.
    Assistant,
    /// The program.
    System,
}

/// How a reply ended.
///
/// ```
/// use agentscope_core::Finish;
///
/// let later: Finish = serde_json::from_str(r#""paused""#)?;
/// assert_eq!(later, Finish::Other(Box::new("paused".into())), "what a newer version wrote is carried along");
/// # Ok::<_, serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Finish {
    /// The agent said all it had to say.
    Completed,
    /// It was told to stop, or nobody listened any more.
    Interrupted,
    /// It used up its rounds; what it says is a summary of how far it came.
    ExceedMaxIters,
    /// It waits for decisions or for results from outside, and goes on when they come.
    Waiting,
    /// It failed.
    Failed(Box<Failure>),
    /// A way of ending that this version does not know.
    #[serde(untagged)]
    Other(Box<Value>),
}

/// Tokens that a model read and wrote.
///
/// ```
/// use agentscope_core::Usage;
///
/// let mut total = Usage::new(100, 20);
/// total += Usage::new(120, 5);
/// assert_eq!((total.input_tokens, total.output_tokens), (220, 25));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Usage {
    /// Tokens read, those from the provider's cache and those put into it included.
    pub input_tokens: u64,
    /// Tokens written, thinking included.
    pub output_tokens: u64,
    /// Of the tokens read, those that came from the provider's cache.
    pub cached_tokens: u64,
    /// Of the tokens read, those that were put into the provider's cache, where it has a price for that.
    #[serde(skip_serializing_if = "is_zero")]
    pub cache_write_tokens: u64,
    /// Of the tokens written, those that were thinking.
    pub reasoning_tokens: u64,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Usage {
    /// So many tokens read and written.
    pub fn new(input_tokens: u64, output_tokens: u64) -> Self {
        Self { input_tokens, output_tokens, ..Self::default() }
    }
}

impl AddAssign for Usage {
    fn add_assign(&mut self, more: Self) {
        let sum = u64::saturating_add; // a provider may tell nonsense
        self.input_tokens = sum(self.input_tokens, more.input_tokens);
        self.output_tokens = sum(self.output_tokens, more.output_tokens);
        self.cached_tokens = sum(self.cached_tokens, more.cached_tokens);
        self.cache_write_tokens = sum(self.cache_write_tokens, more.cache_write_tokens);
        self.reasoning_tokens = sum(self.reasoning_tokens, more.reasoning_tokens);
    }
}

impl Msg {
    /// A message of `content` by `name`.
    pub fn new(name: impl Into<Name>, role: Role, content: Vec<ContentBlock>) -> Self {
        Self::with_id(MsgId::random(), name.into(), role, content)
    }

    pub(crate) fn with_id(id: MsgId, name: Name, role: Role, content: Vec<ContentBlock>) -> Self {
        Self {
            id,
            name,
            role,
            content,
            metadata: Map::new(),
            timestamp: Timestamp::now(),
            usage: None,
            finish: None,
            output: None,
            extra: Extra::default(),
            trail: Trail::default(),
        }
    }

    /// What a person says; named `user` until [`Msg::named`] says otherwise.
    pub fn user(text: impl Into<String>) -> Self {
        Self::new("user", Role::User, vec![ContentBlock::text(text)])
    }

    /// What the agent `name` says.
    pub fn assistant(name: impl Into<Name>, text: impl Into<String>) -> Self {
        Self::new(name, Role::Assistant, vec![ContentBlock::text(text)])
    }

    /// What the program says.
    pub fn system(text: impl Into<String>) -> Self {
        Self::new("system", Role::System, vec![ContentBlock::text(text)])
    }

    /// The same message, said by `name`.
    #[must_use]
    pub fn named(mut self, name: impl Into<Name>) -> Self {
        self.name = name.into();
        self
    }

    /// Adds a block.
    #[must_use]
    pub fn with(mut self, block: impl Into<ContentBlock>) -> Self {
        self.content.push(block.into());
        self
    }

    /// Adds what lies at a web address or in a local file: an image, a sound, a video or a file, by its extension.
    ///
    /// A local file is looked for when an agent is asked, and an agent says which one is missing before it changes
    /// anything.
    #[must_use]
    pub fn url(self, url: impl Into<String>) -> Self {
        self.with(ContentBlock::url(url))
    }

    /// What was said in words after the last tool result; blocks are joined by a line break.
    pub fn text(&self) -> String {
        let mut texts = self.said().filter_map(|block| match block {
            ContentBlock::Text { text, .. } => Some(text.as_str()),
            _ => None,
        });
        let mut joined = texts.next().unwrap_or_default().to_owned();
        for text in texts {
            joined.push('\n');
            joined.push_str(text);
        }
        joined
    }

    /// What leaves the agent: its words and media after the last tool result, and its structured output. Never its
    /// thinking, its tool calls, or what tools put out.
    #[must_use]
    pub fn spoken(&self) -> Msg {
        let said = self.said().filter(|block| block.is_text() || block.media().is_some()).cloned().collect();
        Msg {
            id: self.id.clone(),
            name: self.name.clone(),
            role: self.role,
            content: said,
            metadata: self.metadata.clone(),
            timestamp: self.timestamp.clone(),
            usage: None,
            finish: self.finish.clone(),
            output: self.output.clone(),
            extra: Extra::default(),
            trail: Trail::default(),
        }
    }

    /// The structured output as a `T`, as [`Reply::typed`](crate::Reply::typed) gives it: for a reply that was streamed.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`] if there is none, [`ErrorKind::Protocol`] if it is no `T`.
    ///
    /// ```
    /// use agentscope_core::{ErrorKind, Msg};
    ///
    /// let mut msg = Msg::assistant("Adder", "done");
    /// assert_eq!(msg.output_as::<u32>().unwrap_err().kind(), ErrorKind::Refused);
    /// msg.output = Some(40.into());
    /// assert_eq!(msg.output_as::<u32>()?, 40);
    /// # Ok::<_, agentscope_core::Error>(())
    /// ```
    pub fn output_as<T: DeserializeOwned>(&self) -> Result<T> {
        let name = &self.name;
        let Some(output) = &self.output else {
            let why = match self.finish {
                Some(Finish::Interrupted) => "it was interrupted",
                Some(Finish::Waiting) => "a tool call waits for a decision",
                Some(Finish::ExceedMaxIters) => "its rounds were used up",
                _ => "it does not know how",
            };
            return Err(Error::new(ErrorKind::Refused, format!("`{name}` gave no structured output: {why}")));
        };
        T::deserialize(output).map_err(|error| {
            let message = format!("the structured output of `{name}` does not fit the type: {error}");
            Error::new(ErrorKind::Protocol, message).with_source(error)
        })
    }

    /// The blocks after the last tool result.
    fn said(&self) -> impl Iterator<Item = &ContentBlock> {
        let last = self.content.iter().rposition(|block| match block {
            ContentBlock::ToolResult(result) => result.name != FINISH_TOOL,
            _ => false,
        });
        self.content.iter().skip(last.map_or(0, |at| at + 1))
    }

    /// The calls that have no result yet, or one that is still running. A result counts for the calls before it, because some
    /// providers give the same ids in each round.
    pub fn open_calls(&self) -> impl Iterator<Item = &ToolCall> {
        let mut rest = self.content.iter();
        std::iter::from_fn(move || {
            loop {
                let ContentBlock::ToolCall(call) = rest.next()? else { continue };
                let closes = |block: &ContentBlock| matches!(block, ContentBlock::ToolResult(it) if it.id == call.id && it.state != ToolState::Running);
                // Results come soon after their calls, so this looks at few blocks.
                if !rest.as_slice().iter().any(closes) {
                    return Some(call);
                }
            }
        })
    }

    /// All tool calls, in order.
    pub fn calls(&self) -> impl Iterator<Item = &ToolCall> {
        self.content.iter().filter_map(|block| match block {
            ContentBlock::ToolCall(call) => Some(call),
            _ => None,
        })
    }

    /// All tool results, in the order of their calls.
    pub fn results(&self) -> impl Iterator<Item = &ToolResult> {
        self.content.iter().filter_map(|block| match block {
            ContentBlock::ToolResult(result) => Some(result),
            _ => None,
        })
    }

    /// The reply cut where a model spoke again: what it said and called, then what the tools answered, as AgentScope 1.x
    /// and all providers lay a conversation out.
    ///
    /// ```
    /// use agentscope_core::{ContentBlock, Msg, ToolCall, ToolResult};
    ///
    /// let reply = Msg::assistant("Friday", "Let me see.")
    ///     .with(ToolCall::new("c1", "weather", r#"{"city":"Oslo"}"#))
    ///     .with(ToolResult::success("c1", "weather", "sunny"))
    ///     .with(ContentBlock::text("It is sunny."));
    /// let rounds: Vec<_> = reply.rounds().collect();
    /// assert_eq!((rounds[0].said.len(), rounds[0].results.len()), (2, 1));
    /// assert_eq!((rounds[1].said.len(), rounds[1].results.len()), (1, 0));
    /// ```
    pub fn rounds(&self) -> impl Iterator<Item = Round<'_>> {
        let mut rest = self.content.as_slice();
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let is_result = |block: &ContentBlock| matches!(block, ContentBlock::ToolResult(_));
            let (said, tail) = rest.split_at(rest.iter().position(is_result).unwrap_or(rest.len()));
            let end = tail.iter().position(|block| !is_result(block)).unwrap_or(tail.len());
            let (results, after) = tail.split_at(end);
            rest = after;
            Some(Round { said, results })
        })
    }
}

/// A part of a reply, see [`Msg::rounds`].
///
/// ```
/// use agentscope_core::{Msg, ToolCall};
///
/// let msg = Msg::assistant("Friday", "Let me see.").with(ToolCall::new("c1", "weather", "{}"));
/// let last = msg.rounds().last().unwrap();
/// assert_eq!((last.said.len(), last.results.len()), (2, 0), "the tool has not yet answered");
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Round<'a> {
    /// What the agent thought, said and called; what it heard in between.
    pub said: &'a [ContentBlock],
    /// What the tools answered, in the order of the calls.
    pub results: &'a [ContentBlock],
}

impl Serialize for Msg {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for Msg {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut msg = Self::deserialize(deserializer)?;
        // As 2.x names it, where `null` is none.
        let output = msg.extra.take("structured_output").filter(|value| !value.is_null());
        msg.output = msg.output.or(output);
        Ok(msg)
    }
}

impl<T: Into<String>> From<T> for Msg {
    fn from(text: T) -> Self {
        Self::user(text)
    }
}

#[cfg(test)]
mod tests;
