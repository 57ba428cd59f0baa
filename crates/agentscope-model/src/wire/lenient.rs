//! Fields of what servers send, read with patience: they leave fields out, or fill them with `null` or with lists.

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};
use serde_json::{Map, Number, Value};
use std::{borrow::Cow, fmt, marker::PhantomData, ops::Deref};

/// What stands in a field, whatever its type is. All fields whose type may be another are read by this one piece of code: most of
/// an answer is read by code that is not in the processor's cache.
enum Found<'a> {
    /// `null`, or a flag.
    Nothing,
    Text(Cow<'a, str>),
    Number(Number),
    List(Vec<Value>),
    Object(Map<String, Value>),
}

impl<'de> Deserialize<'de> for Found<'de> {
    #[inline(never)]
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FoundVisitor)
    }
}

struct FoundVisitor;

impl<'de> Visitor<'de> for FoundVisitor {
    type Value = Found<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or a number")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Found::Text(text.into()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Found::Text(text.to_owned().into()))
    }

    fn visit_string<E>(self, text: String) -> Result<Self::Value, E> {
        Ok(Found::Text(text.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Found::Number(number.into()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Found::Number(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Number::from_f64(number).map_or(Found::Nothing, Found::Number))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Found::Nothing)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Found::Nothing)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Found::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
        let mut object = Map::new();
        while let Some((key, value)) = fields.next_entry()? {
            object.insert(key, value);
        }
        Ok(Found::Object(object))
    }
}

/// A name or an id, borrowed where nothing in it is escaped. A number is its digits, and what is neither is empty: a name of
/// another type than it should be costs less than the answer.
pub(crate) struct Text<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(match Found::deserialize(deserializer)? {
            Found::Text(text) => text,
            Found::Number(number) => digits(&number).into(),
            _ => Cow::Borrowed(""),
        }))
    }
}

/// The number of an item, which some write as a text; what is none is nothing.
pub(crate) fn index<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    Ok(match Found::deserialize(deserializer)? {
        Found::Number(number) => number.as_u64().and_then(|it| u32::try_from(it).ok()),
        Found::Text(digits) => digits.parse().ok(),
        _ => None,
    })
}

/// Whether something is so; what is of another type is not so, unless it says so in words.
pub(crate) fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    let value = Value::deserialize(deserializer)?;
    Ok(value == true || value == "true" || value == 1)
}

impl Deref for Text<'_> {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

/// JSON. That the bytes are UTF-8 is seen at once and not text by text, which is quicker.
pub(crate) fn read<'a, T: Deserialize<'a>>(data: &'a [u8]) -> Result<T, serde_json::Error> {
    match std::str::from_utf8(data) {
        Ok(json) => serde_json::from_str(json),
        Err(_) => serde_json::from_slice(data), // says where
    }
}

/// `null` is nothing.
pub(crate) fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// A list; `null` is an empty one. Most have one item, and items are large: there is room for no more until another comes.
pub(crate) fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    deserializer.deserialize_option(ListVisitor(PhantomData))
}

struct ListVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ListVisitor<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a sequence")
    }

    fn visit_none<E>(self) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            if list.is_empty() {
                list.reserve_exact(1);
            }
            list.push(item);
        }
        Ok(list)
    }
}

/// An object; what is of another type than it should be is nothing: an answer is worth more than the count of its tokens.
pub(crate) fn object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    deserializer.deserialize_any(ObjectVisitor(PhantomData))
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(fields)).map(Some)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }
}

/// A number of tokens; what is none is nothing.
#[derive(Default)]
pub(crate) struct Count(pub(crate) Option<u64>);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Found::Number(number) = Found::deserialize(deserializer)? else { return Ok(Self(None)) };
        // Some servers write `12.0`; a cast stops at the borders, so that nonsense is a very large number or none.
        let rounded = || number.as_f64().filter(|count| *count >= 0.0).map(|count| count as u64);
        Ok(Self(number.as_u64().or_else(rounded)))
    }
}

/// A text; `null` is none, a list of parts is the texts of the parts, an object or a number is its JSON.
#[derive(Default)]
pub(crate) struct Words<'a>(pub(crate) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Words<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Content::deserialize(deserializer).map(|content| Words(content.text))
    }
}

/// A text as [`Words`], and the thoughts that Mistral puts among its parts.
#[derive(Default)]
pub(crate) struct Content<'a> {
    pub(crate) text: Cow<'a, str>,
    pub(crate) thoughts: String,
}

impl<'de: 'a, 'a> Deserialize<'de> for Content<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = match Found::deserialize(deserializer)? {
            Found::Nothing => return Ok(Self::default()),
            Found::Text(text) => text,
            Found::Number(number) => digits(&number).into(),
            Found::Object(object) => Value::Object(object).to_string().into(),
            Found::List(parts) => return Ok(Self::of_parts(&parts)),
        };
        Ok(Self { text, thoughts: String::new() })
    }
}

impl Content<'_> {
    #[cold]
    fn of_parts(parts: &[Value]) -> Self {
        let (mut text, mut thoughts) = (String::new(), String::new());
        for part in parts {
            match part.get("thinking") {
                Some(Value::Array(parts)) => thoughts.extend(parts.iter().filter_map(text_of)),
                Some(thinking) => thoughts.extend(text_of(thinking)),
                None => text.extend(text_of(part)),
            }
        }
        Self { text: text.into(), thoughts }
    }
}

fn digits(number: &Number) -> String {
    match number.as_f64() {
        Some(real) if number.is_f64() => real.to_string(),
        _ => number.to_string(),
    }
}

fn text_of(part: &Value) -> Option<&str> {
    part.as_str().or_else(|| part.get("text")?.as_str())
}
