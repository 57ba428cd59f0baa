//! A way into a JSON value: `choices[0].message.content`.

use serde_json::Value;
use std::fmt;

/// A way into a JSON value, such as `choices[0].message.content`; the empty one is the value itself.
#[derive(Clone, PartialEq)]
pub(crate) struct Path {
    text: String,
    steps: Vec<Step>,
}

#[derive(Clone, PartialEq)]
enum Step {
    Field(String),
    Item(usize),
}

impl Path {
    /// Fields are parted by dots; a number, in brackets or not, is the place in a list, from 0.
    pub(crate) fn of(text: &str) -> Self {
        let words = text.split(['.', '[', ']']).filter(|word| !word.is_empty());
        let step = |word: &str| word.parse().map_or_else(|_| Step::Field(word.to_owned()), Step::Item);
        Self { text: text.to_owned(), steps: words.map(step).collect() }
    }

    /// What is there; `null` is nothing.
    pub(crate) fn find<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        let mut at = value;
        for step in &self.steps {
            at = match (step, at) {
                (Step::Field(name), _) => at.get(name)?,
                // Some objects have numbers for names.
                (Step::Item(item), Value::Object(fields)) => fields.get(&item.to_string())?,
                (Step::Item(item), _) => at.get(item)?,
            };
        }
        Some(at).filter(|it| !it.is_null())
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text)
    }
}
