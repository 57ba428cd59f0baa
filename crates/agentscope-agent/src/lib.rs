#![doc = include_str!("../README.md")]

mod agent_tool;
mod answer;
#[cfg(feature = "console")]
mod clean;
mod configs;
#[cfg(feature = "console")]
mod console;
mod dialog;
mod dict;
mod errand;
mod hub;
mod identity;
#[cfg(feature = "console")]
mod lines;
mod onion;
mod parse;
mod pipeline;
mod react;
mod repair;
mod schema;
mod text_to_image;
mod user;

pub use agent_tool::AgentTool;
pub use configs::{AgentConfigs, AgentList, agent_types};
#[cfg(feature = "console")]
pub use console::{Console, console};
pub use dialog::{DialogAgent, DialogConfig};
pub use dict::{DictDialogAgent, DictDialogConfig};
pub use hub::{HubFault, MsgHub};
pub use parse::{
    Filter, Keys, MarkdownCodeBlockParser, MarkdownJsonDictParser, MarkdownJsonObjectParser,
    MultiTaggedContentParser, ParseError, ParseFault, Parser, ParserConfig, RegexTaggedContentParser,
    TaggedContent, parser_fn,
};
pub use pipeline::{
    Debate, Fanout, ForLoop, GroupChat, Handoff, IfElse, Judgment, MixtureOfAgents, Sequential,
    SpeakerPolicy, Switch, WhileLoop, debate, fanout, for_loop, group_chat, handoff, if_else,
    mixture_of_agents, sequential, switch, transfer_to, while_loop,
};
pub use react::{ReActAgent, ReActConfig};
pub use text_to_image::{TextToImageAgent, TextToImageConfig};
pub use user::{
    Answer, Form, Prompt, Question, Questions, UserAgent, UserChannel, UserInput, user_channel, user_fn,
};
#[cfg(feature = "console")]
pub use user::{Terminal, UserConfig};
