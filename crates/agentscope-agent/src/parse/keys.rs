use agentscope_core::Map;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::borrow::Cow;

/// Which fields of what a model answered. In JSON as AgentScope 0.x has them: `false`, `true`, a name, or a list of names.
///
/// ```
/// use agentscope_agent::Keys;
/// use serde_json::json;
///
/// let answer = json!({"thought": "hm", "speak": "Eve.", "vote": "Eve"});
/// assert_eq!(Keys::from(false).select(&answer), None);
/// assert_eq!(Keys::from(true).select(&answer).as_ref(), Some(&answer));
/// assert_eq!(Keys::from("speak").select(&answer), Some(json!("Eve.")), "the value alone");
/// assert_eq!(Keys::from(["vote"]).select(&answer), Some(json!({"vote": "Eve"})), "an object");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Form", into = "Form")]
pub enum Keys {
    /// None.
    None,
    /// All, the object as it is.
    All,
    /// The value of this field alone.
    One(String),
    /// An object of these fields.
    Some(Vec<String>),
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
enum Form {
    Flag(bool),
    One(String),
    Some(Vec<String>),
}

impl Keys {
    /// What of `answer` they name; a field that is not there is left out.
    pub fn select(&self, answer: &Value) -> Option<Value> {
        match self {
            Self::None => None,
            Self::All => Some(answer.clone()),
            Self::One(name) => answer.get(name).cloned(),
            Self::Some(_) => Some(Value::Object(self.fields(answer))),
        }
    }

    /// The fields of `answer` that they name, by name.
    pub(crate) fn fields(&self, answer: &Value) -> Map {
        let Value::Object(fields) = answer else { return Map::new() };
        let is_named = |name: &String| match self {
            Self::None => false,
            Self::All => true,
            _ => self.names().contains(name),
        };
        fields
            .iter()
            .filter(|(name, _)| is_named(name))
            .map(|(name, it)| (name.clone(), it.clone()))
            .collect()
    }

    /// The names in it.
    fn names(&self) -> &[String] {
        match self {
            Self::None | Self::All => &[],
            Self::One(name) => std::slice::from_ref(name),
            Self::Some(names) => names,
        }
    }
}

impl From<Form> for Keys {
    fn from(form: Form) -> Self {
        match form {
            Form::Flag(false) => Self::None,
            Form::Flag(true) => Self::All,
            Form::One(name) => Self::One(name),
            Form::Some(names) => Self::Some(names),
        }
    }
}

impl From<Keys> for Form {
    fn from(keys: Keys) -> Self {
        match keys {
            Keys::None => Self::Flag(false),
            Keys::All => Self::Flag(true),
            Keys::One(name) => Self::One(name),
            Keys::Some(names) => Self::Some(names),
        }
    }
}

impl JsonSchema for Keys {
    fn schema_name() -> Cow<'static, str> {
        "Keys".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Form::json_schema(generator)
    }
}

impl From<bool> for Keys {
    fn from(all: bool) -> Self {
        if all { Self::All } else { Self::None }
    }
}

impl From<&str> for Keys {
    fn from(name: &str) -> Self {
        Self::One(name.to_owned())
    }
}

impl<const N: usize> From<[&str; N]> for Keys {
    fn from(names: [&str; N]) -> Self {
        Self::Some(names.map(str::to_owned).into())
    }
}

impl From<Vec<String>> for Keys {
    fn from(names: Vec<String>) -> Self {
        Self::Some(names)
    }
}

/// What of an answer goes where.
///
/// ```
/// use agentscope_agent::{Filter, Keys};
/// assert_eq!(Filter::default(), Filter { memory: Keys::All, content: Keys::All, metadata: Keys::None });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// What the agent itself remembers.
    pub memory: Keys,
    /// What it says: what others hear, and who awaits the reply gets.
    pub content: Keys,
    /// What is put into the message's metadata, for the program.
    pub metadata: Keys,
}

impl Default for Filter {
    fn default() -> Self {
        Self { memory: Keys::All, content: Keys::All, metadata: Keys::None }
    }
}

impl Filter {
    /// The fields that it names, each once.
    pub(crate) fn names(&self) -> impl Iterator<Item = &String> {
        let all = [&self.memory, &self.content, &self.metadata];
        all.into_iter().flat_map(|keys| keys.names())
    }
}

/// The three options of a parser whose answers have fields.
macro_rules! keys {
    ($parser:ident) => {
        impl $parser {
            /// Which fields the agent remembers (all). Named fields are required.
            #[must_use]
            pub fn keys_to_memory(mut self, keys: impl Into<crate::Keys>) -> Self {
                self.keys_to_memory = keys.into();
                self
            }

            /// Which fields the agent says: others hear them, and who awaits the reply gets them (all). Named fields are required.
            #[must_use]
            pub fn keys_to_content(mut self, keys: impl Into<crate::Keys>) -> Self {
                self.keys_to_content = keys.into();
                self
            }

            /// Which fields are put into the metadata of the message, for the program (none). Named fields are required.
            #[must_use]
            pub fn keys_to_metadata(mut self, keys: impl Into<crate::Keys>) -> Self {
                self.keys_to_metadata = keys.into();
                self
            }

            fn to_filter(&self) -> crate::Filter {
                crate::Filter {
                    memory: self.keys_to_memory.clone(),
                    content: self.keys_to_content.clone(),
                    metadata: self.keys_to_metadata.clone(),
                }
            }
        }
    };
}
pub(super) use keys;
