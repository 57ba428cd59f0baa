#![doc = include_str!("../README.md")]

mod agent_tool;
#[cfg(feature = "console")]
mod clean;
#[cfg(feature = "console")]
mod console;
mod errand;
mod hub;
#[cfg(feature = "console")]
mod lines;
mod pipeline;
mod react;
mod schema;
mod user;

pub use agent_tool::AgentTool;
#[cfg(feature = "console")]
pub use console::{Console, console};
pub use hub::{HubFault, MsgHub};
pub use pipeline::{
    Debate, Fanout, ForLoop, GroupChat, Handoff, IfElse, Judgment, MixtureOfAgents, Sequential,
    SpeakerPolicy, Switch, WhileLoop, debate, fanout, for_loop, group_chat, handoff, if_else,
    mixture_of_agents, sequential, switch, transfer_to, while_loop,
};
pub use react::ReActAgent;
#[cfg(feature = "console")]
pub use user::Terminal;
pub use user::{
    Answer, Form, Prompt, Question, Questions, UserAgent, UserChannel, UserInput, user_channel, user_fn,
};
