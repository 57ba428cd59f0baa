#![doc = include_str!("../README.md")]

mod agent_tool;
#[cfg(feature = "console")]
mod clean;
#[cfg(feature = "console")]
mod console;
#[cfg(feature = "console")]
mod lines;
#[cfg(feature = "population")]
pub mod population;
mod react;
mod schema;
mod user;

pub use agent_tool::AgentTool;
#[cfg(feature = "console")]
pub use console::{Console, console};
pub use react::ReActAgent;
#[cfg(feature = "console")]
pub use user::Terminal;
pub use user::{
    Answer, Form, Prompt, Question, Questions, UserAgent, UserChannel, UserInput, user_channel, user_fn,
};
