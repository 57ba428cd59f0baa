#![doc = include_str!("../README.md")]

mod agent_tool;

mod react;

pub use agent_tool::AgentTool;

pub use react::ReActAgent;
