//! Every format held to bytes that we did not write or that are built after its reference: `tests/fixtures` says whose they
//! are, and `tests/fixtures/expected` what is in them.

mod change;
mod fixture;

use super::{
    Framing,
    lines::Lines,
    testing::{Read, frames},
};
use agentscope_core::{ErrorKind, FinishReason};
use fixture::{Fixture, Wire, wires};
use serde::Deserialize;
use serde_json::Value;
use std::{collections::BTreeMap, time::Duration};

/// What a file gives.
#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
struct Expected {
    text: String,
    thoughts: String,
    /// Tool, id and arguments; a text where they are no JSON.
    calls: Vec<(String, String, Value)>,
    /// Media type and base64.
    media: Vec<(String, String)>,
    extras: Vec<(String, Value)>,
    /// Tokens: input, output, of the input those that were cached, of the output those of thoughts, and of the input those that
    /// were written to the cache.
    usage: Option<[u64; 5]>,
    finish: Option<FinishReason>,
    error: Option<ErrorKind>,
    /// How long to wait, in seconds.
    after: Option<f64>,
}

impl Expected {
    fn of(outcome: Result<Read, agentscope_core::Error>) -> Self {
        let read = match outcome {
            Ok(read) => read,
            Err(error) => {
                let after = error.retry_after().as_ref().map(Duration::as_secs_f64);
                return Self { error: Some(error.kind()), after, ..Self::default() };
            }
        };
        let input = |text: &str| match text {
            "" => Value::Object(serde_json::Map::new()),
            text => serde_json::from_str(text).unwrap_or_else(|_| text.into()),
        };
        Self {
            calls: read.calls.into_iter().map(|(_, id, name, text)| (name, id, input(&text))).collect(),
            media: read.media.into_iter().map(|(_, media_type, data)| (media_type, data)).collect(),
            extras: read.extras.into_iter().map(|(_, key, value)| (key, value)).collect(),
            usage: read.usage.map(|it| {
                let cached = [it.cached_tokens, it.reasoning_tokens, it.cache_write_tokens];
                [it.input_tokens, it.output_tokens, cached[0], cached[1], cached[2]]
            }),
            text: read.text,
            thoughts: read.thoughts,
            finish: read.finish,
            error: None,
            after: None,
        }
    }
}

/// What is compared of two outcomes: all that was said, or what failed.
fn told(outcome: Result<Read, agentscope_core::Error>) -> Result<Read, (ErrorKind, String)> {
    outcome.map_err(|error| (error.kind(), error.message().to_owned()))
}

/// The same without the usage, which may come last.
fn spoken(outcome: Result<Read, agentscope_core::Error>) -> Result<Read, ErrorKind> {
    outcome.map(|read| Read { usage: None, ..read }).map_err(|error| error.kind())
}

#[test]
fn each_file_gives_what_is_in_it() {
    let mut wrong = Vec::new();
    for wire in wires() {
        let expected: BTreeMap<String, Expected> = serde_json::from_str(wire.expected).unwrap();
        let found: Vec<_> = wire.fixtures.iter().map(|fixture| fixture.name.as_str()).collect();
        assert_eq!(found, expected.keys().collect::<Vec<_>>(), "the files of {}", wire.name);
        for fixture in &wire.fixtures {
            let given = Expected::of(wire.answer(fixture, &[&fixture.body]));
            let expected = &expected[&fixture.name];
            if given != *expected {
                wrong.push(format!("{}: {given:?}\ninstead of {expected:?}\n", fixture.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The frames of a stream that comes in these pieces and then ends: all that a decoder sees of it.
fn seen(framing: Framing, pieces: &[&[u8]]) -> Vec<(Vec<u8>, Vec<u8>)> {
    if framing == Framing::Events {
        return frames(pieces.iter().copied());
    }
    let (mut lines, mut seen) = (Lines::default(), Vec::new());
    let mut see = |line: &[u8]| {
        seen.push((Vec::new(), line.to_vec()));
        Ok(())
    };
    for piece in pieces {
        lines.feed(piece, &mut see).unwrap();
    }
    lines.end(&mut see).unwrap();
    seen
}

fn streams() -> impl Iterator<Item = (&'static Wire, &'static Fixture, Framing)> {
    wires()
        .iter()
        .flat_map(|wire| wire.fixtures.iter().filter_map(move |it| Some((wire, it, wire.framing(it)?))))
}

/// Where the frames of a stream begin. What comes before is nothing to what finds the frames.
fn starts(framing: Framing, body: &[u8]) -> Vec<usize> {
    let end = if framing == Framing::Events { &b"\n\n"[..] } else { b"\n" };
    // A carriage return is looked at as if it were not there, because no fixture has it without a line feed.
    let ends = (1..=body.len()).filter(|at| {
        let head: Vec<u8> =
            body[..*at].iter().rev().filter(|it| **it != b'\r').take(end.len()).copied().collect();
        head == end && body[*at - 1] == b'\n'
    });
    std::iter::once(0).chain(ends).collect()
}

#[test]
fn streams_are_the_same_wherever_they_are_split() {
    for (wire, fixture, framing) in streams() {
        let Fixture { name, body, .. } = fixture;
        let starts = starts(framing, body);
        for (at, start) in starts.iter().enumerate() {
            let end = starts.get(at + 2).copied().unwrap_or(body.len());
            let frames = &body[*start..end];
            let whole = seen(framing, &[frames]);
            for at in 0..=frames.len() {
                assert_eq!(
                    seen(framing, &[&frames[..at], &frames[at..]]),
                    whole,
                    "{name} split at {start} + {at}"
                );
            }
        }
        let complete = told(wire.answer(fixture, &[body]));
        for size in [1, 2, 3, 7, 64] {
            let pieces: Vec<_> = body.chunks(size).collect();
            assert_eq!(told(wire.answer(fixture, &pieces)), complete, "{name} by {size} bytes");
        }
        // The first bytes tell what it is.
        for at in 0..body.len().min(16) {
            let (head, tail) = body.split_at(at);
            assert_eq!(told(wire.answer(fixture, &[head, tail])), complete, "{name} split at {at}");
        }
    }
}

#[test]
fn streams_cut_at_any_byte_are_whole_or_an_error() {
    for (wire, fixture, framing) in streams() {
        let Fixture { name, body, .. } = fixture;
        let complete = spoken(wire.answer(fixture, &[body]));
        let starts = starts(framing, body);
        let mut before = None;
        for at in 0..body.len() {
            // Within a frame, a cut anywhere is the same to the decoder.
            let start = starts.iter().rfind(|start| **start <= at).unwrap();
            let now = Some((start, seen(framing, &[&body[*start..at]])));
            if now != before {
                match spoken(wire.answer(fixture, &[&body[..at]])) {
                    Err(kind) => assert!(
                        kind == ErrorKind::Unavailable || complete == Err(kind),
                        "{name} cut at {at}: {kind:?}"
                    ),
                    whole => assert_eq!(whole, complete, "{name} cut at {at}"),
                }
            }
            before = now;
        }
    }
}

#[test]
fn answers_and_refusals_cut_at_any_byte_are_errors() {
    for (wire, fixture) in wires().iter().flat_map(|wire| wire.fixtures.iter().map(move |it| (wire, it))) {
        let Fixture { name, body, .. } = fixture;
        if wire.framing(fixture).is_some() {
            continue;
        }
        for at in 0..body.trim_ascii_end().len() {
            let error = wire.answer(fixture, &[&body[..at]]).expect_err(name);
            let is_known =
                !matches!(error.kind(), ErrorKind::Internal | ErrorKind::Tool | ErrorKind::Conflict);
            let is_cut = matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Protocol);
            assert!(is_known && (is_cut || !fixture.is_success()), "{name} cut at {at}: {error:?}");
        }
    }
}
