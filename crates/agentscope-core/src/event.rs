//! Events: what happens during a reply, as it happens. A message is the fold of its events.

use crate::{
    id::{AgentId, CallId, Name, ReplyId},
    message::{CallState, ContentBlock, Finish, Map, Msg, Role, ToolCall, ToolResult, Usage},
    model::FinishReason,
    timestamp::Timestamp,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Value;
use std::sync::Arc;

/// Something that happened during a reply.
///
/// ```
/// use agentscope_core::{Event, EventKind, Msg, Role};
///
/// let event: Event = serde_json::from_str(
///     r#"{"reply_id":"r1","epoch":0,"seq":1,"type":"TEXT_DELTA","block":0,"delta":"Hello"}"#,
/// )?;
/// let mut msg = Msg::new("Friday", Role::Assistant, vec![]);
/// msg.apply(&event);
/// assert_eq!(msg.text(), "Hello");
/// # Ok::<_, serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// The reply, which is the id of the message that it becomes.
    pub reply_id: ReplyId,
    /// How often the reply was taken up again: after it waited, or after a crash.
    pub epoch: u64,
    /// Its place in the reply, from 0 without gaps, but that joined deltas keep the place of the last one.
    pub seq: u64,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What happened. A delta names its block by its place in the message's content.
///
/// ```
/// use agentscope_core::EventKind;
///
/// let kind: EventKind = serde_json::from_str(r#"{"type":"TEXT_DELTA","block":0,"delta":"Hello"}"#)?;
/// assert_eq!(kind, EventKind::TextDelta { block: 0, delta: "Hello".into() });
/// # Ok::<_, serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", tag = "type", rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum EventKind {
    /// A reply begins.
    ReplyStart {
        /// Who replies.
        name: Name,
        /// In which role: an assistant, but for an agent that is a person.
        #[serde(default = "assistant", skip_serializing_if = "is_assistant")]
        role: Role,
        /// When.
        timestamp: Timestamp,
        /// Most calls of the model, not counting the summary that follows them; `0` where there is no such limit.
        #[serde(default)]
        max_iters: u32,
        /// The JSON schema of the structured output that was asked for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        output_schema: Option<Arc<Value>>,
    },
    /// The reply as it stands: it was taken up again, or the reader was too slow for all its events.
    Resumed {
        /// The whole reply.
        msg: Arc<Msg>,
        /// How many `Custom` and `Inner` events were left out.
        #[serde(default)]
        dropped: u64,
    },
    /// A model is asked.
    ModelStart {
        /// Which one.
        model: Name,
    },
    /// It ended its answer.
    ModelEnd {
        /// What it cost, if the provider says so.
        usage: Option<Usage>,
        /// Why it ended.
        finish_reason: FinishReason,
    },
    /// More words.
    TextDelta {
        /// The block's place in the content.
        block: u32,
        /// What is added.
        delta: String,
    },
    /// More thoughts.
    ThinkingDelta {
        /// The block's place in the content.
        block: u32,
        /// What is added.
        delta: String,
    },
    /// More of a picture, sound or film.
    MediaDelta {
        /// The block's place in the content.
        block: u32,
        /// Such as `audio/wav`.
        media_type: String,
        /// Base64, a multiple of four characters.
        delta: String,
    },
    /// A further field of a block, such as a provider's signature.
    Extra {
        /// The block's place in the content.
        block: u32,
        /// The field.
        key: String,
        /// Its value.
        value: Value,
    },
    /// More of a tool call's arguments; the first one begins the call.
    ToolCallDelta {
        /// The block's place in the content.
        block: u32,
        /// Which call.
        id: CallId,
        /// Which tool.
        name: Name,
        /// What is added to the arguments.
        delta: String,
    },
    /// A whole tool call; in JSON its field `call`, so that no field of its own collides with the event's.
    #[serde(with = "nested::call")]
    ToolCall(ToolCall),
    /// A tool call moves on. `Started` forgets the output of an earlier run.
    ToolCallState {
        /// Which call.
        id: CallId,
        /// Its new state.
        state: CallState,
        /// Its new arguments, where somebody edited them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        input: Option<String>,
    },
    /// More output of a tool.
    ToolResultDelta {
        /// Which call.
        id: CallId,
        /// Which tool.
        name: Name,
        /// What is added; words join the words before them.
        delta: Vec<ContentBlock>,
    },
    /// The result of a tool call: after the calls of its round, in the order of the calls.
    /// In JSON its field `result`.
    #[serde(with = "nested::result")]
    ToolResult(ToolResult),
    /// A whole block at once.
    Block {
        /// The block.
        block: ContentBlock,
    },
    /// A tool sets a slot of the state; it takes effect with the success of its call.
    Slot {
        /// The call.
        call_id: CallId,
        /// The slot.
        key: Name,
        /// Its new value.
        value: Value,
    },
    /// What the program tells the model in between.
    Hint {
        /// The words.
        text: String,
    },
    /// The agent heard a message while it worked.
    Heard {
        /// The message.
        msg: Arc<Msg>,
    },
    /// What another agent did while it worked for this one. Skipped by the fold.
    Inner {
        /// The other agent.
        agent: AgentId,
        /// Its name.
        name: Name,
        /// The tool call in which it works; empty where it works in a pipeline.
        call_id: CallId,
        /// What happened there.
        event: Box<Event>,
    },
    /// These calls wait for a decision.
    RequireConfirm {
        /// The calls.
        calls: Vec<ToolCall>,
    },
    /// These calls are to be done outside, and their results brought back.
    RequireExternal {
        /// The calls.
        calls: Vec<ToolCall>,
    },
    /// The structured output, valid by its schema.
    Output {
        /// The output.
        value: Value,
    },
    /// A step is done again after a crash: what came after `to_seq` did not happen.
    Rewind {
        /// The last event that did happen.
        to_seq: u64,
    },
    /// The reply ends, or pauses if `finish` is `Waiting`.
    ReplyEnd {
        /// How.
        finish: Finish,
        /// Joins the message's metadata.
        #[serde(default, skip_serializing_if = "no_metadata")]
        metadata: Box<Map>,
    },
    /// Anything else that a tool, a middleware or an agent wants to tell. Skipped by the fold.
    Custom {
        /// What it is.
        name: Name,
        /// What it says.
        value: Value,
    },
    /// An event of a type that this version does not know, whole. Skipped by the fold.
    #[serde(skip)]
    Other(Value),
}

fn assistant() -> Role {
    Role::Assistant
}

fn is_assistant(role: &Role) -> bool {
    *role == Role::Assistant
}

// What serde asks for takes a reference to the field's own type.
#[expect(clippy::borrowed_box, reason = "the field is boxed to keep events small: most have no metadata")]
fn no_metadata(metadata: &Box<Map>) -> bool {
    metadata.is_empty()
}

/// The types of event that this version knows, as JSON names them.
const KNOWN: [&str; 24] = [
    "REPLY_START",
    "RESUMED",
    "MODEL_START",
    "MODEL_END",
    "TEXT_DELTA",
    "THINKING_DELTA",
    "MEDIA_DELTA",
    "EXTRA",
    "TOOL_CALL_DELTA",
    "TOOL_CALL",
    "TOOL_CALL_STATE",
    "TOOL_RESULT_DELTA",
    "TOOL_RESULT",
    "BLOCK",
    "SLOT",
    "HINT",
    "HEARD",
    "INNER",
    "REQUIRE_CONFIRM",
    "REQUIRE_EXTERNAL",
    "OUTPUT",
    "REWIND",
    "REPLY_END",
    "CUSTOM",
];

impl Serialize for EventKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Other(value) => value.serialize(serializer),
            known => Self::serialize(known, serializer),
        }
    }
}

impl<'de> Deserialize<'de> for EventKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = Map::deserialize(deserializer)?;
        let Some(kind) = fields.get("type").and_then(Value::as_str).map(str::to_owned) else {
            return Err(de::Error::custom("an event needs a `type`"));
        };
        if !KNOWN.contains(&kind.as_str()) {
            return Ok(Self::Other(Value::Object(fields)));
        }
        Self::deserialize(Value::Object(fields))
            .map_err(|error| de::Error::custom(format!("event `{kind}`: {error}")))
    }
}

/// Calls and results carry fields that we do not know; in an event they have a place of their own.
mod nested {
    macro_rules! nested {
        ($module:ident, $field:ident, $type:ty) => {
            pub(super) mod $module {
                use serde::{Deserialize, Deserializer, Serialize, Serializer};

                pub(in super::super) fn serialize<S: Serializer>(
                    $field: &$type,
                    serializer: S,
                ) -> Result<S::Ok, S::Error> {
                    #[derive(Serialize)]
                    struct Nested<'a> {
                        $field: &'a $type,
                    }
                    Nested { $field }.serialize(serializer)
                }

                pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
                    deserializer: D,
                ) -> Result<$type, D::Error> {
                    #[derive(Deserialize)]
                    struct Nested {
                        $field: $type,
                    }
                    Nested::deserialize(deserializer).map(|nested| nested.$field)
                }
            }
        };
    }
    nested!(call, call, crate::message::ToolCall);
    nested!(result, result, crate::message::ToolResult);
}

impl Event {
    /// Takes `next` into this event if it is a further delta of the same block; otherwise gives it back.
    ///
    /// The fold of the joined event is the fold of the two, and its place that of the last; provided that deltas name a block that
    /// is there or the next one, as those of agents do.
    ///
    /// # Errors
    /// `next` itself, where the two do not join.
    #[expect(clippy::result_large_err, reason = "it gives back what it was given")]
    pub fn join(&mut self, next: Event) -> Result<(), Event> {
        use EventKind::{MediaDelta, TextDelta, ThinkingDelta, ToolCallDelta, ToolResultDelta};
        if self.epoch != next.epoch || self.reply_id != next.reply_id {
            return Err(next);
        }
        match (&mut self.kind, &next.kind) {
            (TextDelta { block, delta }, TextDelta { block: same, delta: more })
            | (ThinkingDelta { block, delta }, ThinkingDelta { block: same, delta: more })
                if block == same =>
            {
                delta.push_str(more);
            }
            (MediaDelta { block, delta, .. }, MediaDelta { block: same, delta: more, .. })
                if block == same =>
            {
                delta.push_str(more);
            }
            (
                ToolCallDelta { block, id, delta, .. },
                ToolCallDelta { block: same, id: same_id, delta: more, .. },
            ) if block == same && id == same_id => {
                delta.push_str(more);
            }
            (ToolResultDelta { id, delta, .. }, ToolResultDelta { id: same, delta: more, .. })
                if id == same =>
            {
                for block in more {
                    ContentBlock::append(delta, block);
                }
            }
            _ => return Err(next),
        }
        self.seq = next.seq;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
