#![doc = include_str!("../README.md")]

mod conversation;
mod dashscope;
mod http;
mod openai;
mod spec;
mod wire;

pub use dashscope::DashScopeChatModel;
pub use openai::{OpenAIChatModel, Provider};
pub use spec::{from_env, from_spec};
