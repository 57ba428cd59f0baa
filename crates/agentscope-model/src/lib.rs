#![doc = include_str!("../README.md")]

mod conversation;
mod dashscope;
mod http;
mod nearest;
mod openai;
mod post_api;
mod spec;
mod wire;

pub use dashscope::DashScopeChatModel;
pub use openai::{OpenAIChatModel, Provider};
pub use post_api::PostApiChatModel;
pub use spec::{from_env, from_spec};
