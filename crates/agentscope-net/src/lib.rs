#![doc = include_str!("../README.md")]

mod client;
mod fetch;
mod guard;
mod trouble;

pub use client::{client, guarded_client};
pub use fetch::{Fetched, fetch};
pub use guard::{Guard, is_public};
pub use trouble::{shown, trouble};

/// What the responses, bodies and headers of this crate's clients are made of.
pub use reqwest;
pub use url::Url;
