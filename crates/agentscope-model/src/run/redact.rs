//! Keys, taken out of what is written down.

use agentscope_core::Secret;
use serde_json::Value;
use std::{
    env,
    sync::{PoisonError, RwLock},
};

/// What stands in place of a secret.
const HIDDEN: &str = "***";

/// Fewest bytes of a secret that is looked for (4): shorter ones are in any text.
const SECRET_LENGTH: usize = 4;

/// Fewest bytes of a variable's value that is looked for (8): shorter ones are words.
const VARIABLE_LENGTH: usize = 8;

/// With these, the names of variables end whose values are secret.
const SECRET_NAMES: [&str; 4] = ["KEY", "TOKEN", "SECRET", "PASSWORD"];

/// How keys and tokens begin, and how many more letters they have at least.
const BEGINNINGS: [(&str, usize); 14] = [
    ("sk-", 12),
    ("sk_live_", 12),
    ("xai-", 20),
    ("AIza", 30),
    ("gsk_", 20),
    ("hf_", 20),
    ("ghp_", 20),
    ("github_pat_", 20),
    ("glpat-", 16),
    ("xoxb-", 16),
    ("AKIA", 16),
    ("LTAI", 12),
    ("Bearer ", 8),
    ("bearer ", 8),
];

/// What is secret.
#[derive(Default)]
pub(super) struct Redaction(RwLock<Vec<String>>);

impl Redaction {
    /// The secrets among the environment's variables.
    pub(super) fn of_environment() -> Self {
        let redaction = Self::default();
        for (name, value) in env::vars_os() {
            let (name, value) = (name.to_string_lossy().to_uppercase(), value.to_string_lossy());
            if SECRET_NAMES.iter().any(|end| name.ends_with(end)) && value.trim().len() >= VARIABLE_LENGTH {
                redaction.add(&Secret::from(value.trim()));
            }
        }
        redaction
    }

    pub(super) fn add(&self, secret: &Secret) {
        let secret = secret.expose();
        if secret.len() < SECRET_LENGTH {
            return;
        }
        // Within JSON that is itself a text, such as the arguments of a call.
        let escaped = Value::from(secret).to_string();
        let escaped = escaped.trim_matches('"');
        let mut secrets = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for form in [secret, escaped] {
            if !secrets.iter().any(|known| known == form) {
                secrets.push(form.to_owned());
            }
        }
        // One that is a part of another must not leave the rest of that.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    }

    /// The same without secrets, in names of fields as well.
    pub(super) fn of(&self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.of_text(text)),
            Value::Array(values) => values.into_iter().map(|value| self.of(value)).collect(),
            Value::Object(fields) => {
                fields.into_iter().map(|(key, value)| (self.of_text(key), self.of(value))).collect()
            }
            value => value,
        }
    }

    fn of_text(&self, mut text: String) -> String {
        for secret in self.0.read().unwrap_or_else(PoisonError::into_inner).iter() {
            if text.contains(secret) {
                text = text.replace(secret, HIDDEN);
            }
        }
        for (beginning, letters) in BEGINNINGS {
            if text.contains(beginning) {
                text = without_keys(&text, beginning, letters);
            }
        }
        text
    }
}

/// The text with the rest of each word hidden that begins so, if it has at least so many letters.
fn without_keys(text: &str, beginning: &str, letters: usize) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(beginning) {
        let (before, key) = rest.split_at(at);
        clean.push_str(before);
        let within_a_word = clean.ends_with(|letter: char| letter.is_ascii_alphanumeric());
        let (begun, key) = key.split_at(beginning.len());
        clean.push_str(begun);
        let is_of_key = |letter: char| letter.is_ascii_alphanumeric() || "-_.~+/=".contains(letter);
        let end = key.find(|letter| !is_of_key(letter)).unwrap_or(key.len());
        // A full stop ends a sentence.
        let (word, _) = key.split_at(end);
        let word = word.trim_end_matches('.');
        if !within_a_word && word.len() >= letters {
            clean.push_str(HIDDEN);
            rest = key.get(word.len()..).unwrap_or_default();
        } else {
            rest = key;
        }
    }
    clean.push_str(rest);
    clean
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn clean(text: &str) -> String {
        Redaction::default().of_text(text.to_owned())
    }

    #[test]
    fn what_looks_like_a_key_is_hidden_and_what_does_not_stays() {
        for (text, told) in [
            ("use sk-proj-abc_DEF-0123456789.", "use sk-***."),
            ("two: sk-1234567890abcdef, sk-ant-api03-xyzxyzxyz", "two: sk-***, sk-***"),
            ("\"Authorization\": \"Bearer eyJhbGciOi.J9.x-y_z\"", "\"Authorization\": \"Bearer ***\""),
            ("-H 'authorization: bearer abcdefgh'", "-H 'authorization: bearer ***'"),
            ("key=AIzaSyA1234567890123456789012345678901", "key=AIza***"),
            ("AKIAIOSFODNN7EXAMPLE", "AKIA***"),
            ("a risk-assessment-of-great-length", "a risk-assessment-of-great-length"),
            ("ask sk-learn about it", "ask sk-learn about it"),
            ("the bearer of bad news; Bearer bonds", "the bearer of bad news; Bearer bonds"),
            ("sk-", "sk-"),
            ("ü sk-12345678901234ü", "ü sk-***ü"),
        ] {
            assert_eq!(clean(text), told);
        }
    }

    #[test]
    fn named_secrets_are_hidden_wherever_they_stand() {
        let redaction = Redaction::default();
        for secret in ["p\"w\\d", "hunter2", "hunter2-long", "abc", ""] {
            redaction.add(&Secret::from(secret));
        }
        let value = json!({
            "hunter2": [{"text": "say hunter2-long abc"}],
            "raw_input": json!({"password": "p\"w\\d"}).to_string(),
            "n": 2
        });
        assert_eq!(
            redaction.of(value),
            json!({"***": [{"text": "say *** abc"}], "raw_input": "{\"password\":\"***\"}", "n": 2})
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_text_makes_it_panic_and_no_key_is_left(before in any::<String>(), key in "[A-Za-z0-9]{24}", after in any::<String>()) {
            let key = format!("sk-{key}");
            let cleaned = clean(&format!("{before} {key} {after}"));
            prop_assert!(!cleaned.contains(&key));
            let any = format!("{before}{after}");
            prop_assert_eq!(clean(&clean(&any)), clean(&any));
        }
    }
}
