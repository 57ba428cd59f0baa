//! What configurations have in common that people write by hand: JSON with comments, and names that are misspelt.

mod document;
mod nearest;

pub use document::{parse_json, read_json};
pub use nearest::nearest;
