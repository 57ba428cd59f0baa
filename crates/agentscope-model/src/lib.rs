#![doc = include_str!("../README.md")]

mod anthropic;
mod conversation;
mod http;
mod openai;
mod responses;
mod spec;
mod wire;

pub use anthropic::AnthropicChatModel;
pub use openai::{OpenAIChatModel, Provider};
pub use responses::OpenAIResponseModel;
pub use spec::{from_env, from_spec};
