//! Holding what a model wrote, or a person, to a JSON schema.

use jsonschema::Validator;
use serde_json::Value;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// Most schemas that are kept ready.
const CACHE_LIMIT: usize = 256;

/// Most violations that are told at once.
const TOLD: usize = 5;

/// Schemas made ready, by the place of the schema in memory, which is kept so that the place stays its own.
#[derive(Default)]
pub(crate) struct Validators(Mutex<HashMap<usize, (Arc<Value>, Arc<Validator>)>>);

impl Validators {
    /// What is wrong with `value` by `schema`, in words; nothing if it is valid.
    pub(crate) fn check(&self, schema: &Arc<Value>, value: &Value) -> Result<(), String> {
        let validator = self.ready(schema)?;
        if validator.is_valid(value) {
            return Ok(());
        }
        let mut errors = validator.iter_errors(value);
        let told: Vec<String> = errors.by_ref().take(TOLD).map(|error| told(&error)).collect();
        match errors.count() {
            0 => Err(told.join("; ")),
            more => Err(format!("{}; and {more} more", told.join("; "))),
        }
    }

    /// Makes the schema ready, and says what is wrong with it.
    pub(crate) fn ready(&self, schema: &Arc<Value>) -> Result<Arc<Validator>, String> {
        let place = Arc::as_ptr(schema) as usize;
        let mut cache = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, validator)) = cache.get(&place) {
            return Ok(Arc::clone(validator));
        }
        let validator = jsonschema::validator_for(schema)
            .map_err(|error| format!("the schema itself is wrong, which its author has to mend: {error}"))?;
        if cache.len() >= CACHE_LIMIT {
            cache.clear();
        }
        let validator = Arc::new(validator);
        cache.insert(place, (Arc::clone(schema), Arc::clone(&validator)));
        Ok(validator)
    }
}

/// An error in words, with its place.
pub(crate) fn told(error: &jsonschema::ValidationError<'_>) -> String {
    let place = error.instance_path().to_string();
    if place.is_empty() { error.to_string() } else { format!("at `{place}`: {error}") }
}
