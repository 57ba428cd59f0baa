//! Sounds that a model makes: pieces of base64, each padded by itself, become pieces that can be joined.

use agentscope_core::ModelDelta;
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;

pub(crate) struct Sound {
    /// Its block, once a piece of it was given away.
    block: Option<u32>,
    media_type: String,
    /// Bytes that do not make four characters yet.
    rest: Vec<u8>,
    id: Option<String>,
}

impl Sound {
    pub(crate) fn new(media_type: String) -> Self {
        Self { block: None, media_type, rest: Vec::new(), id: None }
    }

    /// More of it. What is no base64 is left out. `begin` gives the number of a new block.
    pub(crate) fn add(&mut self, data: &str, begin: impl FnOnce() -> u32) -> Option<ModelDelta> {
        self.rest.extend(STANDARD.decode(data).unwrap_or_default());
        let whole = self.rest.len() / 3 * 3;
        if whole == 0 {
            return None;
        }
        let bytes: Vec<u8> = self.rest.drain(..whole).collect();
        Some(self.piece(&bytes, begin))
    }

    /// By what the provider knows it, to be sent back.
    pub(crate) fn named(&mut self, id: String) -> Option<ModelDelta> {
        let block = self.block?;
        if self.id.as_ref() == Some(&id) {
            return None;
        }
        self.id = Some(id.clone());
        Some(ModelDelta::Extra { block, key: "id".to_owned(), value: Value::String(id) })
    }

    pub(crate) fn last(mut self, begin: impl FnOnce() -> u32) -> Option<ModelDelta> {
        let rest = std::mem::take(&mut self.rest);
        (!rest.is_empty()).then(|| self.piece(&rest, begin))
    }

    fn piece(&mut self, bytes: &[u8], begin: impl FnOnce() -> u32) -> ModelDelta {
        let delta = STANDARD.encode(bytes);
        let block = *self.block.get_or_insert_with(begin);
        ModelDelta::Media { block, media_type: self.media_type.clone(), delta }
    }
}
