//! What the answers of providers have in common.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{
    Deserialize, Deserializer,
    de::{self, SeqAccess, Visitor},
};
use std::fmt;

/// A vector as a list of numbers, or as base64 of its 32-bit numbers, the least significant byte first.
#[derive(Debug, PartialEq)]
pub(super) struct Vector(pub(super) Vec<f32>);

impl<'de> Deserialize<'de> for Vector {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Numbers;
        impl<'de> Visitor<'de> for Numbers {
            type Value = Vector;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of numbers, or base64")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vector, A::Error> {
                let mut numbers = Vec::with_capacity(list.size_hint().unwrap_or(1536));
                while let Some(number) = list.next_element()? {
                    numbers.push(number);
                }
                Ok(Vector(numbers))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Vector, E> {
                let bytes = STANDARD.decode(text).map_err(|_| E::custom("a vector is no base64"))?;
                let (numbers, rest) = bytes.as_chunks::<4>();
                if !rest.is_empty() {
                    return Err(E::custom("a vector is no whole number of numbers"));
                }
                Ok(Vector(numbers.iter().copied().map(f32::from_le_bytes).collect()))
            }
        }
        deserializer.deserialize_any(Numbers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_is_read_as_numbers_and_as_base64() {
        let read = |json: &str| serde_json::from_str::<Vector>(json).map(|it| it.0);
        assert_eq!(read("[1, -0.5, 2e-3]").unwrap(), [1.0, -0.5, 0.002]);
        assert_eq!(read(r#""AACAPwAAAL8=""#).unwrap(), [1.0, -0.5]);
        for wrong in [
            "null",
            "{}",
            "[null]",
            "[[1]]",
            r#"["1"]"#,
            r#""AACA""#,
            r#""?""#,
            "[1",
            "NaN",
            "[NaN]",
            "[1e300]",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
