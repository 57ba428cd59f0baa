use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// A JSON object that keeps its order.
///
/// ```
/// let map: agentscope_core::Map = serde_json::from_str(r#"{"z":1,"a":2}"#)?;
/// assert_eq!(serde_json::to_string(&map)?, r#"{"z":1,"a":2}"#);
/// # Ok::<_, serde_json::Error>(())
/// ```
pub type Map = serde_json::Map<String, Value>;

/// Fields beside the ones we know: a provider's signature, or what a newer version wrote. Carried, never dropped; one
/// pointer wide, because there are mostly none.
///
/// ```
/// use agentscope_core::ContentBlock;
///
/// let json = r#"{"type":"thinking","thinking":"hm","signature":"c2ln"}"#;
/// let block: ContentBlock = serde_json::from_str(json)?;
/// assert_eq!(block.extra().unwrap().get("signature").unwrap(), "c2ln");
/// assert_eq!(serde_json::to_string(&block)?, json);
/// # Ok::<_, serde_json::Error>(())
/// ```
#[derive(Clone, Default, PartialEq)]
pub struct Extra(Option<Box<Map>>);

impl Extra {
    /// The field `key`, if there is one.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.as_ref()?.get(key)
    }

    /// Sets the field `key`.
    pub fn set(&mut self, key: impl Into<String>, value: impl Into<Value>) {
        self.0.get_or_insert_default().insert(key.into(), value.into());
    }

    /// Takes the field `key` out.
    pub(super) fn take(&mut self, key: &str) -> Option<Value> {
        let value = self.0.as_mut()?.shift_remove(key);
        self.0.take_if(|map| map.is_empty());
        value
    }

    /// All fields, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.0.iter().flat_map(|map| map.iter())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.as_ref().is_none_or(|map| map.is_empty())
    }
}

impl std::fmt::Debug for Extra {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl From<Map> for Extra {
    fn from(map: Map) -> Self {
        Self(Some(map).filter(|map| !map.is_empty()).map(Box::new))
    }
}

impl Serialize for Extra {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Extra {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Map::deserialize(deserializer).map(Self::from)
    }
}
