#![doc = include_str!("../README.md")]

mod agent;
mod context;
mod embedding;
mod error;
mod event;
mod id;
mod image;
mod interrupt;
mod mailbox;
mod memory;
mod message;
mod middleware;
mod model;
mod place;
mod secret;
mod state;
mod step;
mod stream;
mod timestamp;
mod tokens;
mod tool;

pub mod config;
pub mod environment;
pub mod testing;

pub use agent::{
    Agent, AgentCard, AgentExt, Agents, Audience, Decision, FnAgent, Input, Item, Lease, Reply, ReplyRef,
    ReplyRequest, Room, RunningReply, Told, Typed, Verdict, agent_fn,
};
pub use agentscope_macros::core_tool as tool;
pub use context::{Context, PathEntry};
pub use embedding::{EmbedPurpose, EmbedRequest, Embedder, EmbedderCard, Embeddings, embedder_fn};
pub use environment::{Environment, EnvironmentExt, World};
pub use error::{Error, ErrorKind, Failure, Result};
pub use event::{Event, EventKind};
#[doc(no_inline)]
pub use futures_core::{Stream, future::BoxFuture};
pub use id::{AgentId, CallId, MsgId, Name, ReplyId};
pub use image::{ImageModel, ImageRequest, Images};
pub use interrupt::{Interrupt, Reason};
pub use mailbox::{ALLOWED_SLOT, Limits, Mailbox, Opened, Queued, Turn};
pub use memory::{Memory, Recalled, Workspace};
pub use message::{
    CallState, ContentBlock, Extra, FINISH_TOOL, Finish, Map, Media, Msg, Role, Round, SAID_AS, Source,
    ToolCall, ToolResult, ToolState, Usage,
};
pub use middleware::{CompactRequest, Compaction, Middleware, Next, Permission, PermissionRequest};
pub use model::{
    ChatModel, Currency, FinishReason, IntoAnswer, LongPrice, ModelCard, ModelDelta, ModelOptions,
    ModelRequest, ModelStream, Price, ToolChoice, Transcript, model_fn,
};
pub use place::{AgentTypes, Host, Place};
pub use secret::Secret;
pub use state::{
    AgentState, Change, Entry, InboxSeq, MemoryStore, OpenReply, SessionFilter, SessionKey, Slot, StateStore,
    Stored, Version, View,
};
pub use step::Step;
pub use stream::{EventSink, EventStream};
pub use testing::ScriptedModel;
pub use timestamp::Timestamp;
pub use tokens::estimate_tokens;
pub use tool::{
    IntoToolOutput, Plain, Serialized, Tool, ToolChunk, ToolRequest, ToolSpec, ToolStream, Toolset,
    TypedTool, limit_blocking_tools, schema_of,
};

/// For the code that `#[tool]` writes; no part of the interface.
#[doc(hidden)]
pub mod __private {
    pub use crate::tool::written::*;
    pub use schemars;
    pub use serde;
}
