//! What servers change: any JSON in place of any field of any answer, fields that are gone or there twice, pieces that are lost,
//! come twice or come too early.
//!
//! `AGENTSCOPE_SWEEP` is how many changes each format is held to, `AGENTSCOPE_SEED` the first; what fails prints its seed and
//! the answer.

use super::{
    fixture::{Fixture, Wire, wires},
    seen, told,
};
use crate::http::{Framing, testing::Read};
use agentscope_core::ErrorKind;
use fastrand::Rng;
use serde_json::{Value, json};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// What is told of bytes that were changed.
const BYTES: &str = "bytes";

/// Behind the name of a field that is written twice: as JSON it has no other form.
const TWICE: char = '\u{1}';

/// The first seed, and how many there are.
fn rounds() -> (u64, u64) {
    let number = |name: &str| std::env::var(name).ok().and_then(|it| it.parse().ok());
    (number("AGENTSCOPE_SEED").unwrap_or(0), number("AGENTSCOPE_SWEEP").unwrap_or(600))
}

#[test]
fn sweep_changed_answers_are_answers_or_typed_errors() {
    let (first, rounds) = rounds();
    for seed in first..first + rounds {
        for wire in wires() {
            let mut rng = Rng::with_seed(seed);
            let (fixture, changes) = changed(wire, &mut rng);
            let at = rng.usize(0..=fixture.body.len());
            // Where the first bytes are no known field, what comes with them tells what the body is.
            let split = (!changes.iter().any(|it| it == BYTES)).then_some(at);
            let held = || holds(wire, &fixture, split);
            if let Err(panic) = catch_unwind(AssertUnwindSafe(held)) {
                let body = String::from_utf8_lossy(&fixture.body);
                eprintln!("seed {seed}, {}, {changes:?}:\n{body}", fixture.name);
                resume_unwind(panic);
            }
        }
    }
}

/// Fields that stand beside what is said. Ids of calls are none: they tell calls apart.
const BESIDE: [&str; 23] = [
    "/annotations",
    "/citations",
    "/completion_tokens_details",
    "/created",
    "/created_at",
    "/item_id",
    "/logprobs",
    "/model",
    "/modelVersion",
    "/obfuscation",
    "/request_id",
    "/responseId",
    "/role",
    "/safetyRatings",
    "/sequence_number",
    "/service_tier",
    "/stop_sequence",
    "/system_fingerprint",
    "/total_duration",
    "/usage",
    "/usageMetadata",
    "/eval_count",
    "/prompt_eval_count",
];

#[test]
fn sweep_a_field_beside_what_is_said_may_be_anything() {
    let said = |outcome: agentscope_core::Result<Read>| {
        outcome
            .map(|read| (read.text, read.thoughts, read.calls, read.media, read.finish))
            .map_err(|it| it.kind())
    };
    let (first, rounds) = rounds();
    let mut count = 0;
    for seed in first..first + rounds {
        for wire in wires() {
            let mut rng = Rng::with_seed(seed);
            let fixture = rng.choice(&wire.fixtures).unwrap();
            let mut pieces = Pieces::of(wire, fixture);
            let at = rng.usize(0..pieces.pieces.len().max(1));
            let Some((_, Ok(value))) = pieces.pieces.get_mut(at) else { continue };
            let mut paths = Vec::new();
            paths_of(value, &mut String::new(), &mut paths);
            paths.retain(|path| {
                BESIDE.iter().any(|it| path.ends_with(it) || path.contains(&format!("{it}/")))
            });
            // What is in the arguments of a call is the model's.
            paths.retain(|path| !["/args/", "/arguments/", "/input/"].iter().any(|it| path.contains(it)));
            let Some(path) = rng.choice(&paths).filter(|_| fixture.is_success()) else { continue };
            *value.pointer_mut(path).unwrap() = any(&mut rng);
            count += 1;
            let changed = fixture.with(pieces.written());
            let given = said(wire.answer(&changed, &[&changed.body]));
            let name = &fixture.name;
            assert_eq!(
                given,
                said(wire.answer(fixture, &[&fixture.body])),
                "seed {seed}, {name}, {at}{path}"
            );
        }
    }
    assert!(count > rounds, "only {count} fields were changed");
}

/// An answer with something changed in it, and what that is.
fn changed(wire: &Wire, rng: &mut Rng) -> (Fixture, Vec<String>) {
    let fixture = rng.choice(&wire.fixtures).unwrap();
    let mut pieces = Pieces::of(wire, fixture);
    let mut changes: Vec<_> = (0..rng.usize(1..4)).filter_map(|_| pieces.change(rng)).collect();
    let mut body = pieces.written();
    // Bytes that are no text, and a beginning that is missing.
    if !body.is_empty() && rng.u8(0..8) == 0 {
        let at = rng.usize(0..body.len());
        body[at] = rng.u8(..);
        body.drain(..rng.usize(0..=body.len() / 2));
        changes.push(BYTES.to_owned());
    }
    (fixture.with(body), changes)
}

/// A changed answer is an answer, or an error that says what it is; and it is the same however it comes.
fn holds(wire: &Wire, fixture: &Fixture, split: Option<usize>) {
    let outcome = told(wire.answer(fixture, &[&fixture.body]));
    if let Err((kind, message)) = &outcome {
        assert!(!matches!(kind, ErrorKind::Internal | ErrorKind::Tool | ErrorKind::Conflict), "{kind:?}");
        assert!(!message.is_empty());
    }
    if let Some(at) = split {
        let (head, tail) = fixture.body.split_at(at);
        assert_eq!(told(wire.answer(fixture, &[head, tail])), outcome);
    }
}

/// An answer, taken apart.
struct Pieces {
    framing: Option<Framing>,
    /// The name of the event, and what is in it.
    pieces: Vec<(Vec<u8>, Result<Value, Vec<u8>>)>,
}

impl Pieces {
    fn of(wire: &Wire, fixture: &Fixture) -> Self {
        let framing = wire.framing(fixture);
        let frames = match framing {
            Some(framing) => seen(framing, &[&fixture.body]),
            None => vec![(Vec::new(), fixture.body.clone())],
        };
        let read = |data: Vec<u8>| serde_json::from_slice(&data).map_err(|_| data);
        Self { framing, pieces: frames.into_iter().map(|(event, data)| (event, read(data))).collect() }
    }

    fn written(&self) -> Vec<u8> {
        let mut body = Vec::new();
        for (event, data) in &self.pieces {
            let data = match data {
                Ok(value) => value.to_string().replace("\\u0001", "").into_bytes(),
                Err(bytes) => bytes.clone(),
            };
            if self.framing == Some(Framing::Events) {
                body.extend([b"event: ", &event[..], b"\ndata: ", &data, b"\n\n"].concat());
            } else {
                body.extend([&data[..], b"\n"].concat());
            }
        }
        body
    }

    /// Changes something; tells what.
    fn change(&mut self, rng: &mut Rng) -> Option<String> {
        let count = self.pieces.len();
        let at = rng.usize(0..count.max(1));
        if count > 1 && rng.u8(0..10) == 0 {
            let piece = self.pieces.remove(at);
            match rng.u8(0..3) {
                0 => return Some(format!("{at} is lost")),
                1 => {
                    self.pieces.insert(at, piece.clone());
                    self.pieces.insert(at, piece);
                    return Some(format!("{at} comes twice"));
                }
                _ => self.pieces.insert(rng.usize(0..count), piece),
            }
            return Some(format!("{at} comes at another time"));
        }
        let Ok(value) = &mut self.pieces.get_mut(at)?.1 else { return None };
        let mut paths = Vec::new();
        paths_of(value, &mut String::new(), &mut paths);
        let path = rng.choice(&paths)?.clone();
        match rng.u8(0..8) {
            0 => remove(value, &path),
            1 => double(value, &path),
            _ => *value.pointer_mut(&path)? = any(rng),
        }
        Some(format!("{at}{path}"))
    }
}

/// The places of all values.
fn paths_of(value: &Value, path: &mut String, paths: &mut Vec<String>) {
    paths.push(path.clone());
    let mut enter = |key: &str, value: &Value| {
        let length = path.len();
        *path += &format!("/{}", key.replace('~', "~0").replace('/', "~1"));
        paths_of(value, path, paths);
        path.truncate(length);
    };
    match value {
        Value::Object(fields) => fields.iter().for_each(|(key, value)| enter(key, value)),
        Value::Array(items) => items.iter().enumerate().for_each(|(at, it)| enter(&at.to_string(), it)),
        _ => {}
    }
}

fn remove(value: &mut Value, path: &str) {
    let Some((parent, key)) = path.rsplit_once('/') else { return };
    match value.pointer_mut(parent) {
        Some(Value::Object(fields)) => drop(fields.shift_remove(key)),
        Some(Value::Array(items)) => drop(items.remove(key.parse().unwrap())),
        _ => {}
    }
}

fn double(value: &mut Value, path: &str) {
    let Some((parent, key)) = path.rsplit_once('/') else { return };
    match value.pointer_mut(parent) {
        Some(Value::Object(fields)) => {
            let twin = fields.get(key).cloned().unwrap_or_default();
            fields.insert(format!("{key}{TWICE}"), twin);
        }
        Some(Value::Array(items)) => items.push(items[key.parse::<usize>().unwrap()].clone()),
        _ => {}
    }
}

/// JSON of any type.
fn any(rng: &mut Rng) -> Value {
    let values = [
        Value::Null,
        json!(true),
        json!(false),
        json!(0),
        json!(1),
        json!(-7),
        json!(1.5),
        json!(1e300),
        json!(u64::MAX),
        json!(""),
        json!("x"),
        json!("7"),
        json!("stop"),
        json!("error"),
        json!("{\"a\":"),
        json!("}"),
        json!("é\u{1f600}\""),
        json!([]),
        json!({}),
        json!([null]),
        json!([1, "x", {"text": "y"}]),
        json!([[[]]]),
        json!({"text": "x", "type": "text", "name": "f", "arguments": "{", "index": 3}),
        json!({"message": "no luck", "code": 429}),
        json!({"a": {"b": [{}]}}),
    ];
    rng.choice(values).unwrap_or_default()
}
