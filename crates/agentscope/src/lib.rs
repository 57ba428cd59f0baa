#![doc = include_str!("../README.md")]

#[cfg(feature = "model")]
mod init;

pub use agentscope_agent::*;
pub use agentscope_core::*;
pub use agentscope_macros::tool;
/// Models of providers: `model::from_spec("ollama:qwen3")`.
#[cfg(feature = "model")]
pub use agentscope_model as model;
/// Tools: toolkits with groups, running code and commands, reading and writing files.
pub use agentscope_tool as tool;
#[cfg(feature = "model")]
pub use init::{host, init};

/// All that most programs need: `use agentscope::prelude::*;`.
pub mod prelude {
    #[cfg(feature = "model")]
    pub use crate::model::{self, ChatModelExt};
    pub use crate::tool;
    #[cfg(feature = "console")]
    pub use agentscope_agent::console;
    pub use agentscope_agent::{
        AgentTool, Debate, DialogAgent, DictDialogAgent, Fanout, ForLoop, GroupChat, Handoff, IfElse,
        Judgment, MixtureOfAgents, MsgHub, ReActAgent, Sequential, SpeakerPolicy, Switch, TextToImageAgent,
        UserAgent, WhileLoop, debate, fanout, for_loop, group_chat, handoff, if_else, mixture_of_agents,
        sequential, switch, transfer_to, while_loop,
    };
    pub use agentscope_core::{
        Agent, AgentExt, AgentState, Agents, BoxFuture, CallState, ChatModel, ContentBlock, Context,
        Decision, Error, ErrorKind, Event, EventKind, EventStream, Finish, FinishReason, Input, Interrupt,
        Middleware, ModelCard, ModelDelta, ModelRequest, ModelStream, Msg, Next, Permission,
        PermissionRequest, Reason, ReplyRequest, Result, Role, ScriptedModel, StateStore, Tool, ToolCall,
        ToolChunk, ToolRequest, ToolResult, ToolSpec, ToolState, ToolStream, Toolset, agent_fn, model_fn,
    };
}

/// The pages of the repository, whose code is compiled and run as that of the crates is.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../../../README.md")]
    struct Readme;
    #[doc = include_str!("../../../README_zh.md")]
    struct ReadmeZh;
    #[doc = include_str!("../../../docs/configurations.md")]
    struct Configurations;
    #[cfg(feature = "model")]
    #[doc = include_str!("../../../docs/budgets.md")]
    struct Budgets;
    #[cfg(feature = "console")]
    #[doc = include_str!("../../../docs/console.md")]
    struct Console;
    #[doc = include_str!("../../../docs/embeddings.md")]
    struct Embeddings;
    #[doc = include_str!("../../../docs/guide.md")]
    struct Guide;
    #[doc = include_str!("../../../docs/models.md")]
    struct Models;
    #[doc = include_str!("../../../docs/resilience.md")]
    struct Resilience;
}
