//! Under which name a vector is kept, and how it is written.

use crate::http::FILE_LIMIT;
use agentscope_core::{ContentBlock, EmbedRequest, EmbedderCard, Result};
use ring::digest::{Context as Hasher, SHA256, digest};
use std::{fmt, io::Read};

/// What a file begins with: the format and its version.
const MAGIC: [u8; 4] = *b"ASV1";

/// Bytes before the numbers: the magic and 8 bytes of a checksum.
const HEAD: usize = 12;

/// The SHA-256 of all on which a vector depends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key([u8; 32]);

/// In hexadecimal digits.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Makes the keys of a request.
#[derive(Clone)]
pub(super) struct Keys(Hasher);

impl Keys {
    pub(super) fn new(card: &EmbedderCard, namespace: &str, req: &EmbedRequest) -> Result<Self> {
        let mut hasher = Hasher::new(&SHA256);
        let model = (namespace, &card.spec, &card.name, card.dimensions, &card.extra);
        let common = serde_json::to_vec(&(model, req.purpose, &req.extra))?;
        part(&mut hasher, &common);
        Ok(Self(hasher))
    }

    /// The key of an input; none for one that may be another thing tomorrow, or a file that cannot be read.
    pub(super) fn key(&self, input: &ContentBlock) -> Option<Key> {
        let mut hasher = self.0.clone();
        match input {
            _ if !super::is_lasting(input) => return None,
            ContentBlock::Text { text, .. } => {
                part(&mut hasher, b"text");
                part(&mut hasher, text.as_bytes());
            }
            input => {
                part(&mut hasher, b"block");
                part(&mut hasher, &serde_json::to_vec(input).ok()?);
                if let Some(path) = input.media().and_then(|media| media.local_path()) {
                    let file = std::fs::File::open(path).ok()?;
                    // A device or a pipe has no end, and a file that is too large is refused anyway.
                    let metadata = file.metadata().ok()?;
                    if !metadata.is_file() || metadata.len() > FILE_LIMIT as u64 {
                        return None;
                    }
                    let mut file = file.take(FILE_LIMIT as u64);
                    let mut buffer = vec![0; 64 << 10];
                    loop {
                        let length = file.read(&mut buffer).ok()?;
                        if length == 0 {
                            break;
                        }
                        hasher.update(buffer.get(..length)?);
                    }
                }
            }
        }
        Some(Key(hasher.finish().as_ref().try_into().ok()?))
    }
}

/// With its length, so that two parts are not one other.
fn part(hasher: &mut Hasher, bytes: &[u8]) {
    hasher.update(&(bytes.len() as u64).to_le_bytes());
    hasher.update(bytes);
}

/// A vector as a file.
pub(super) fn written(key: &Key, vector: &[f32]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEAD + 4 * vector.len());
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&[0; 8]);
    vector.iter().for_each(|number| bytes.extend_from_slice(&number.to_le_bytes()));
    let sum = bytes.get(HEAD..).map(|numbers| checksum(key, numbers)).unwrap_or_default();
    if let Some(place) = bytes.get_mut(MAGIC.len()..HEAD) {
        place.copy_from_slice(&sum);
    }
    bytes
}

/// The vector in a file; none where it is not what was written under this key.
pub(super) fn read(key: &Key, bytes: &[u8]) -> Option<Vec<f32>> {
    let (head, numbers) = bytes.split_at_checked(HEAD)?;
    let (magic, sum) = head.split_at_checked(MAGIC.len())?;
    if magic != MAGIC || sum != checksum(key, numbers) {
        return None;
    }
    let (numbers, rest) = numbers.as_chunks::<4>();
    (rest.is_empty() && !numbers.is_empty())
        .then(|| numbers.iter().copied().map(f32::from_le_bytes).collect())
}

/// Of the key too: a file under a wrong name is no entry.
fn checksum(key: &Key, numbers: &[u8]) -> [u8; 8] {
    let sum = digest(&SHA256, &[&key.0, numbers].concat());
    sum.as_ref().first_chunk().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(text: &str) -> Key {
        let keys = Keys::new(&EmbedderCard::new("m", 2), "", &EmbedRequest::default()).unwrap();
        keys.key(&text.into()).unwrap()
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_and_what_was_changed_is_not(
            vector in prop::collection::vec(any::<f32>(), 1..50), at in any::<prop::sample::Index>(), bit in 0..8u8,
        ) {
            let bits = |vector: &[f32]| vector.iter().map(|it| it.to_bits()).collect::<Vec<_>>();
            let mut bytes = written(&key("a"), &vector);
            prop_assert_eq!(bits(&read(&key("a"), &bytes).unwrap()), bits(&vector));
            prop_assert_eq!(read(&key("b"), &bytes), None, "a file under a wrong name");
            prop_assert_eq!(read(&key("a"), &bytes[..at.index(bytes.len())]), None, "a file that is cut");
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            prop_assert_eq!(read(&key("a"), &bytes), None, "a bit that is another one");
        }
    }

    #[test]
    fn all_on_which_a_vector_depends_is_in_its_key() {
        let card = EmbedderCard::new("m", 2);
        let key = |card: &EmbedderCard, namespace, req: EmbedRequest| {
            Keys::new(card, namespace, &req).unwrap().key(&"a".into()).unwrap()
        };
        let mut spec = card.clone();
        spec.spec = "openai:m".to_owned();
        let mut extra = card.clone();
        extra.extra.set("instruct", "x");
        let keys = [
            key(&card, "", EmbedRequest::default()),
            key(&EmbedderCard::new("n", 2), "", EmbedRequest::default()),
            key(&EmbedderCard::new("m", 3), "", EmbedRequest::default()),
            key(&spec, "", EmbedRequest::default()),
            key(&extra, "", EmbedRequest::default()),
            key(&card, "n", EmbedRequest::default()),
            key(&card, "", EmbedRequest::default().purpose(agentscope_core::EmbedPurpose::Query)),
            key(&card, "", EmbedRequest::default().extra("title", "x")),
        ];
        let different: std::collections::HashSet<_> = keys.into_iter().collect();
        assert_eq!(different.len(), keys.len());
        assert_eq!(key(&card, "", EmbedRequest::default()), keys[0], "and nothing else");
    }

    #[test]
    fn a_file_is_known_by_its_bytes_and_an_address_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        let keys = Keys::new(&EmbedderCard::new("m", 2), "", &EmbedRequest::default()).unwrap();
        let block = ContentBlock::url(path.to_str().unwrap());
        assert_eq!(keys.key(&block), None, "there is no such file");
        std::fs::write(&path, "one").unwrap();
        let one = keys.key(&block).unwrap();
        std::fs::write(&path, "two").unwrap();
        assert_ne!(keys.key(&block).unwrap(), one);
        assert_eq!(keys.key(&ContentBlock::url("https://example.org/a.png")), None);
        assert!(keys.key(&ContentBlock::url("data:image/png;base64,AAAA")).is_some());
    }
}
