//! Streams that other programs sent, split and cut at every byte; `tests/fixtures/recorded` says by whom.

use super::*;
use crate::http::testing::frames;
use proptest::prelude::*;
use std::{fs, path::PathBuf, sync::LazyLock};

/// The recorded answers: name, status and body, its chunks joined.
fn recorded() -> Vec<(String, u16, Vec<u8>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/recorded");
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let mut recorded: Vec<_> = files
        .filter(|path| path.extension().is_some_and(|it| it == "http"))
        .map(|path| {
            let bytes = fs::read(&path).unwrap();
            let head = memchr::memmem::find(&bytes, b"\r\n\r\n").map_or(bytes.len(), |at| at + 4);
            let text = String::from_utf8_lossy(&bytes[..head]).to_lowercase();
            let status = text.split(' ').nth(1).map_or(0, |status| status.parse().unwrap());
            let body = if text.contains("transfer-encoding: chunked") {
                joined(&bytes[head..])
            } else {
                bytes[head..].to_vec()
            };
            (path.file_stem().unwrap().to_str().unwrap().to_owned(), status, body)
        })
        .collect();
    recorded.sort();
    recorded
}

/// A body without the sizes of its chunks.
fn joined(mut chunked: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = memchr::memmem::find(chunked, b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&chunked[..end]).unwrap().trim(), 16).unwrap();
        let rest = &chunked[end + 2..];
        body.extend_from_slice(&rest[..size.min(rest.len())]);
        chunked = rest.get(size + 2..).unwrap_or_default();
    }
    body
}

fn streams() -> impl Iterator<Item = (String, Vec<u8>)> {
    let streams = recorded()
        .into_iter()
        .filter(|(name, status, _)| name.ends_with("-stream") | name.ends_with("-usage") && *status == 200);
    streams.map(|(name, _, body)| (name, body)).filter(|(_, body)| body.starts_with(b"data"))
}

#[test]
fn recorded_streams_are_the_same_split_at_every_byte() {
    let mut count = 0;
    for (name, body) in streams() {
        count += 1;
        let expected = frames([&body[..]]);
        for at in 0..=body.len() {
            assert_eq!(frames([&body[..at], &body[at..]]), expected, "{name} split at {at}");
        }
        let read = |pieces: &[&[u8]]| stream(pieces.iter().copied()).map_err(|error| error.to_string());
        let bytes: Vec<_> = body.chunks(1).collect();
        assert_eq!(read(&bytes), read(&[&body]), "{name}, byte by byte");
    }
    assert!(count >= 15, "only {count} streams were recorded");
}

#[test]
fn recorded_streams_cut_at_any_byte_are_whole_or_an_error() {
    for (name, body) in streams() {
        let Ok(complete) = stream([&body[..]]).map(read) else { continue };
        let mut wholes = 0;
        let mut before = None;
        for at in 0..body.len() {
            // Within a frame, a cut anywhere is the same to the decoder.
            let seen = Some(frames([&body[..at]]));
            if seen != before {
                match stream([&body[..at]]) {
                    Ok(deltas) => {
                        let read = read(deltas);
                        wholes += 1;
                        assert_eq!(
                            (&read.text, &read.calls, &read.thoughts),
                            (&complete.text, &complete.calls, &complete.thoughts),
                            "{name} at {at}"
                        );
                        assert_eq!(read.finish, complete.finish, "{name} at {at}");
                    }
                    Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable, "{name} at {at}: {error}"),
                }
            }
            before = seen;
        }
        // Once the reason of the end has come, only the usage and the last word can be missing.
        assert!((1..=3).contains(&wholes), "{name} was taken for whole at {wholes} places");
    }
}

#[test]
fn recorded_answers_are_what_they_say() {
    let read_of = |wanted: &str| {
        let (name, _, body) = recorded().into_iter().find(|(name, ..)| name == wanted).unwrap();
        read(if name.contains("stream") { stream([&body[..]]) } else { whole(&body) }.unwrap())
    };
    let pairs = [
        "aimock-text",
        "aimock-tool-call",
        "aimock-tool-calls",
        "aimock-text-and-tool-call",
        "aimock-reasoning",
    ];
    for name in pairs {
        let (whole, streamed) = (read_of(name), read_of(&format!("{name}-stream")));
        assert_eq!(
            (&whole.text, &whole.thoughts, whole.finish.as_ref()),
            (&streamed.text, &streamed.thoughts, streamed.finish.as_ref()),
            "{name}"
        );
        let input =
            |read: &Read| read.calls.iter().map(|call| (call.2.clone(), call.3.clone())).collect::<Vec<_>>();
        assert_eq!(input(&whole), input(&streamed), "{name}");
    }
    assert_eq!(read_of("aimock-tool-calls-stream").calls.len(), 2);
    assert!(!read_of("aimock-reasoning-stream").thoughts.is_empty());
    assert_eq!(read_of("aimock-length-stream").finish, Some(FinishReason::Length));
    assert_eq!(read_of("aimock-content-filter-stream").finish, Some(FinishReason::ContentFilter));
    assert_eq!(read_of("aimock-broken-arguments-stream").finish, Some(FinishReason::Length));
    assert_eq!(read_of("llama-forced-tool-cut-stream").finish, Some(FinishReason::Length));
    for name in ["aimock-usage-details", "aimock-usage-details-stream"] {
        assert_eq!(read_of(name).usage, Some(Usage::new(11, 7)), "{name}");
    }
    assert!(read_of("llama-text").usage.unwrap().input_tokens > 0);
    let emoji = read_of("aimock-split-surrogates-stream").text;
    assert!(emoji.contains(|letter: char| letter as u32 > 0xffff) && !emoji.contains('\u{fffd}'), "{emoji}");
    let call: Value = serde_json::from_str(&read_of("llama-forced-tool-stream").calls[0].3).unwrap();
    assert!(call.is_object(), "{call}");
    for cut in ["aimock-cut-text-stream", "aimock-cut-call-stream"] {
        let (_, _, body) = recorded().into_iter().find(|(name, ..)| name == cut).unwrap();
        assert_eq!(stream([&body[..]]).unwrap_err().kind(), ErrorKind::Unavailable, "{cut}");
    }
}

proptest! {
    /// Bytes of a recorded stream, changed at random: a message, or a typed error.
    #[test]
    fn no_bytes_make_a_decoder_panic(at in 0usize..4000, byte in any::<u8>(), cut in 0usize..4000, which in 0usize..40) {
        static STREAMS: LazyLock<Vec<(String, Vec<u8>)>> = LazyLock::new(|| streams().collect());
        let streams = &*STREAMS;
        let mut body = streams[which % streams.len()].1.clone();
        let length = body.len();
        body[at % length] = byte;
        body.drain(..cut % length / 3);
        drop(stream([&body[..]]).map(read));
        drop(whole(&body));
    }
}
