#![doc = include_str!("../README.md")]

mod anthropic;
mod conversation;
mod gemini;
mod http;
mod ollama;
mod openai;
mod spec;
mod wire;

pub use anthropic::AnthropicChatModel;
pub use gemini::GeminiChatModel;
pub use ollama::OllamaChatModel;
pub use openai::{OpenAIChatModel, Provider};
pub use spec::{from_env, from_spec};
