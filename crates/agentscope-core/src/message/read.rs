//! Reading what other versions write in another form.

use super::ContentBlock;
use serde::{Deserialize, Deserializer, de};
use serde_json::Value;

/// A list of blocks, or a string, which is one text block (none if it is empty).
pub(super) fn blocks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<ContentBlock>, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Null => Ok(Vec::new()),
        Value::String(text) if text.is_empty() => Ok(Vec::new()),
        Value::String(text) => Ok(vec![ContentBlock::text(text)]),
        Value::Array(blocks) => blocks
            .into_iter()
            .map(|block| <ContentBlock as Deserialize>::deserialize(block).map_err(de::Error::custom))
            .collect(),
        _ => Err(de::Error::custom("content is neither a string nor a list of blocks")),
    }
}

/// A text, or a list of blocks of which the texts count.
pub(super) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let texts = blocks(deserializer)?.into_iter().filter_map(|block| match block {
        ContentBlock::Text { text, .. } => Some(text),
        _ => None,
    });
    Ok(texts.collect::<Vec<_>>().join("\n"))
}

/// What is there, also if it is `null`.
pub(super) fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// The value, or the default where there is `null`.
pub(super) fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}
