//! Letters that a server has torn in two. One that cuts its text by UTF-16 units, as JavaScript does, sends half an emoji as
//! `\ud83d` and the other half in the next chunk. Each half alone is JSON, and no Unicode text.

/// The first half of a letter, until the second comes.
#[derive(Default)]
pub(crate) struct Surrogates(Option<[u8; 4]>);

impl Surrogates {
    /// The JSON with its letters whole: a first half that is last in its text is kept for the next chunk, a second half is put behind the first
    /// that was kept. A half without its other half is the replacement character.
    pub(crate) fn mend(&mut self, json: &[u8]) -> Vec<u8> {
        let mut mended = Vec::with_capacity(json.len() + 12);
        let mut rest = json;
        while let Some((byte, after)) = rest.split_first() {
            let Some((unit, tail)) = escape(rest) else {
                // A backslash takes the next byte with it, which may be a backslash too.
                let taken = if *byte == b'\\' { rest.len().min(2) } else { 1 };
                mended.extend_from_slice(rest.get(..taken).unwrap_or(rest));
                rest = after.get(taken - 1..).unwrap_or_default();
                continue;
            };
            rest = tail;
            match (half(&unit), escape(tail).filter(|(next, _)| half(next) == Half::Second)) {
                (Half::First, Some((second, tail))) => {
                    put(&mut mended, &unit);
                    put(&mut mended, &second);
                    rest = tail;
                }
                (Half::First, None) if tail.starts_with(b"\"") => {
                    if self.0.replace(unit).is_some() {
                        put(&mut mended, b"fffd");
                    }
                }
                (Half::First, None) => put(&mut mended, b"fffd"),
                (Half::Second, _) => match self.0.take() {
                    Some(first) => {
                        put(&mut mended, &first);
                        put(&mut mended, &unit);
                    }
                    None => put(&mut mended, b"fffd"),
                },
                (Half::None, _) => put(&mut mended, &unit),
            }
        }
        mended
    }
}

#[derive(PartialEq)]
enum Half {
    None,
    First,
    Second,
}

fn half(digits: &[u8; 4]) -> Half {
    let text = std::str::from_utf8(digits).unwrap_or_default();
    match u16::from_str_radix(text, 16) {
        Ok(0xd800..=0xdbff) => Half::First,
        Ok(0xdc00..=0xdfff) => Half::Second,
        _ => Half::None,
    }
}

/// The digits of a `\uXXXX` at the beginning, and what comes after it.
fn escape(json: &[u8]) -> Option<([u8; 4], &[u8])> {
    let (digits, tail) = json.strip_prefix(b"\\u")?.split_first_chunk::<4>()?;
    Some((*digits, tail))
}

fn put(json: &mut Vec<u8>, digits: &[u8; 4]) {
    json.extend_from_slice(b"\\u");
    json.extend_from_slice(digits);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mend(chunks: &[&str]) -> Vec<String> {
        let mut surrogates = Surrogates::default();
        chunks.iter().map(|chunk| String::from_utf8(surrogates.mend(chunk.as_bytes())).unwrap()).collect()
    }

    #[test]
    fn halves_of_two_chunks_become_one_letter() {
        assert_eq!(mend(&[r#"["a\ud83d"]"#, r#"["\ude00b"]"#]), [r#"["a"]"#, r#"["\ud83d\ude00b"]"#]);
    }

    #[test]
    fn what_is_whole_stays_as_it_is() {
        for whole in [r#"["\ud83d\ude00 \u00e9 \\ud83d \" \n \\"]"#, r#""\u12"#, "\\"] {
            assert_eq!(mend(&[whole]), [whole]);
        }
    }

    #[test]
    fn a_half_alone_is_a_replacement_character() {
        assert_eq!(mend(&[r#""\ude00x""#]), [r#""\ufffdx""#]);
        assert_eq!(mend(&[r#""\ud83dx""#, r#""\ude00""#]), [r#""\ufffdx""#, r#""\ufffd""#]);
        assert_eq!(
            mend(&[r#""a\ud83d""#, r#""b\ud83d""#, r#""\ude00""#]),
            [r#""a""#, r#""b\ufffd""#, r#""\ud83d\ude00""#]
        );
    }
}
