#![doc = include_str!("../README.md")]

mod media;
mod openai;
mod spec;
mod sse;

pub use openai::{OpenAIChatModel, Provider};
pub use spec::{from_env, from_spec};
