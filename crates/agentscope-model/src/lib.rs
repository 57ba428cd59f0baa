#![doc = include_str!("../README.md")]

mod configs;
mod keys;
mod media;
mod nearest;
mod openai;
mod spec;
mod sse;

pub use configs::{Api, Configs, Details, ModelConfig, Purpose};
pub use openai::{OpenAIChatModel, Provider};
pub use spec::{from_env, from_spec};
