//! Names and identifiers: short shared strings that are cheap to clone.

mod chance;

use serde::{Deserialize, Serialize};
use std::{
    borrow::Borrow,
    fmt,
    ops::Deref,
    sync::{Arc, LazyLock},
};

macro_rules! shared_text {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl Deref for $name {
            type Target = str;
            fn deref(&self) -> &str {
                &self.0
            }
        }
        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
        impl<T: Into<Arc<str>>> From<T> for $name {
            fn from(text: T) -> Self {
                Self(text.into())
            }
        }
        impl From<&$name> for $name {
            fn from(other: &$name) -> Self {
                other.clone()
            }
        }
        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                &*self.0 == other
            }
        }
        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                &*self.0 == *other
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

shared_text! {
    /// What something is called: an agent, a tool, a slot, a mark.
    ///
    /// ```
    /// let name = agentscope_core::Name::from("Friday");
    /// assert_eq!(name, "Friday");
    /// ```
    Name
}
shared_text! {
    /// Tells one message from all others.
    ///
    /// ```
    /// use agentscope_core::MsgId;
    /// assert_ne!(MsgId::random(), MsgId::random());
    /// ```
    MsgId
}
shared_text! {
    /// Tells one agent from all others, across restarts and nodes, also from those of the same name.
    ///
    /// ```
    /// use agentscope_core::AgentId;
    /// assert_eq!(AgentId::from("writer-1"), "writer-1");
    /// ```
    AgentId
}
shared_text! {
    /// Tells one tool call from the others of its conversation, as the model provider named it.
    ///
    /// ```
    /// use agentscope_core::CallId;
    /// assert_eq!(CallId::from("call_1"), "call_1");
    /// ```
    CallId
}

/// A reply is known by the message it becomes.
///
/// ```
/// let reply = agentscope_core::ReplyId::random();
/// assert_eq!(reply.len(), 32);
/// ```
pub type ReplyId = MsgId;

macro_rules! random {
    ($($name:ident),*) => {$(
        impl $name {
            /// A new identifier: 32 hexadecimal digits of a UUID version 7 (RFC 9562), which sort by time, to the millisecond,
            /// and of which 74 bits are random, so that nobody guesses one.
            pub fn random() -> Self {
                let mut text = [0; 32];
                Self::from(&*chance::uuid().simple().encode_lower(&mut text))
            }
        }
    )*};
}
random!(MsgId, AgentId, CallId);

/// The text of all that have none: many names are empty, and an empty text of its own is an allocation all the same.
static EMPTY: LazyLock<Arc<str>> = LazyLock::new(Arc::default);

impl Default for Name {
    fn default() -> Self {
        Self(Arc::clone(&EMPTY))
    }
}

impl Default for CallId {
    fn default() -> Self {
        Self(Arc::clone(&EMPTY))
    }
}
