#![doc = include_str!("../README.md")]

mod agent_tool;
#[cfg(feature = "console")]
mod console;
mod react;

pub use agent_tool::AgentTool;
#[cfg(feature = "console")]
pub use console::{Console, console};
pub use react::ReActAgent;
