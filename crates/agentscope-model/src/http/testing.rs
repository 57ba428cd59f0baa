//! What the tests of all wire formats need.

use super::{Ask, Decode, Format, Framing, Inlined, lines::Lines, sse::Frames};
use agentscope_core::{ErrorKind, FinishReason, Map, ModelCard, ModelDelta, ModelRequest, Result, Usage};
use proptest::prelude::*;
use serde_json::Value;
use std::collections::VecDeque;

/// The body of a request for a model that is not known to see, at the provider's own address.
pub(crate) fn encoded(
    format: &dyn Format,
    req: &ModelRequest,
    change: impl FnOnce(&mut Ask<'_>),
) -> Result<Value> {
    let (extra, media, card) = (Map::new(), Inlined::default(), ModelCard::new("m"));
    let mut ask = Ask {
        req,
        card: &card,
        manners: format.manners(),
        extra: &extra,
        media: &media,
        stream: false,
        at_home: true,
        free_choice: false,
        without_thoughts: false,
    };
    change(&mut ask);
    Ok(serde_json::from_slice(&format.encode(&ask)?)?)
}

/// The same for a model that sees.
pub(crate) fn encoded_seeing(format: &dyn Format, req: &ModelRequest) -> Result<Value> {
    let mut card = ModelCard::new("m");
    card.input_types = vec!["image/*".to_owned()];
    encoded(format, req, |ask| ask.card = Box::leak(Box::new(card)))
}

/// What a decoder makes of the bytes of a stream, in these pieces; then they end.
pub(crate) fn decoded<'a>(
    decoder: &mut dyn Decode,
    framing: Framing,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Vec<ModelDelta>> {
    let (mut frames, mut lines, mut out) = (Frames::default(), Lines::default(), VecDeque::new());
    for piece in pieces {
        match framing {
            Framing::Events => frames.feed(piece, |event, data| decoder.frame(event, data, &mut out))?,
            Framing::Lines => lines.feed(piece, |line| decoder.frame(b"", line, &mut out))?,
        }
    }
    match framing {
        Framing::Events => frames.end(|event, data| decoder.frame(event, data, &mut out))?,
        Framing::Lines => lines.end(|line| decoder.frame(b"", line, &mut out))?,
    }
    decoder.end(&mut out)?;
    Ok(out.into())
}

/// What a decoder makes of a whole answer.
pub(crate) fn decoded_whole(decoder: &mut dyn Decode, body: &[u8]) -> Result<Vec<ModelDelta>> {
    let mut out = VecDeque::new();
    decoder.whole(body, &mut out)?;
    Ok(out.into())
}

/// Sees that a stream is the same whatever it is cut into, and that a part of it is a typed error, or all but its usage.
pub(crate) fn hold_at_every_byte(decoder: &dyn Fn() -> Box<dyn Decode>, framing: Framing, bytes: &[u8]) {
    let read = |pieces: Vec<&[u8]>| decoded(&mut *decoder(), framing, pieces);
    let whole = read(vec![bytes]).unwrap();
    assert_eq!(read(bytes.chunks(1).collect()).unwrap(), whole);
    let spoken = |deltas: &[ModelDelta]| -> Vec<ModelDelta> {
        deltas.iter().filter(|it| !matches!(it, ModelDelta::Usage(_))).cloned().collect()
    };
    for at in 0..bytes.len() {
        let (head, tail) = bytes.split_at(at);
        assert_eq!(read(vec![head, tail]).unwrap(), whole, "split at {at}");
        match read(vec![head]) {
            Ok(part) => assert_eq!(spoken(&part), spoken(&whole), "cut at {at}"),
            Err(error) => assert!(
                matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Protocol),
                "cut at {at}: {error:?}"
            ),
        }
    }
}

/// An answer as the one who reads it has it: its blocks joined, its calls checked.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Read {
    pub(crate) text: String,
    pub(crate) thoughts: String,
    /// Block, id, tool and arguments.
    pub(crate) calls: Vec<(u32, String, String, String)>,
    /// Further fields of blocks.
    pub(crate) extras: Vec<(u32, String, Value)>,
    /// Block, media type and base64.
    pub(crate) media: Vec<(u32, String, String)>,
    pub(crate) usage: Option<Usage>,
    pub(crate) finish: Option<FinishReason>,
}

pub(crate) fn read(deltas: Vec<ModelDelta>) -> Read {
    let mut read = Read::default();
    let mut begun: Vec<u32> = Vec::new();
    for delta in deltas {
        let block = match &delta {
            ModelDelta::Text { block, .. }
            | ModelDelta::Thinking { block, .. }
            | ModelDelta::ToolCall { block, .. }
            | ModelDelta::Media { block, .. } => Some(*block),
            _ => None,
        };
        if let Some(block) = block.filter(|block| !begun.contains(block)) {
            assert_eq!(block as usize, begun.len(), "blocks begin in order");
            begun.push(block);
        }
        assert_eq!(read.finish, None, "nothing comes after the finish");
        match delta {
            ModelDelta::Text { delta, .. } => read.text += &delta,
            ModelDelta::Thinking { delta, .. } => read.thoughts += &delta,
            ModelDelta::ToolCall { block, id, name, delta } => {
                match read.calls.iter_mut().find(|call| call.0 == block) {
                    Some(call) => {
                        assert_eq!((call.1.as_str(), call.2.as_str()), (id.as_str(), name.as_str()));
                        call.3 += &delta;
                    }
                    None => read.calls.push((block, id.to_string(), name.to_string(), delta)),
                }
            }
            ModelDelta::Extra { block, key, value } => {
                assert!(begun.contains(&block), "a field of a block that has not begun");
                read.extras.push((block, key, value));
            }
            ModelDelta::Media { block, media_type, delta } => {
                assert_eq!(delta.len() % 4, 0, "base64 comes in pieces that can be joined");
                match read.media.iter_mut().find(|media| media.0 == block) {
                    Some(media) => media.2 += &delta,
                    None => read.media.push((block, media_type, delta)),
                }
            }
            ModelDelta::Usage(usage) => read.usage = Some(usage),
            ModelDelta::Finish { reason } => read.finish = Some(reason),
            other => panic!("{other:?}"),
        }
    }
    read
}

/// The frames of a stream of events that comes in these pieces and then ends: all that a decoder sees of it.
pub(crate) fn frames<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<(Vec<u8>, Vec<u8>)> {
    let (mut frames, mut seen) = (Frames::default(), Vec::new());
    let mut see = |event: &[u8], data: &[u8]| {
        seen.push((event.to_vec(), data.to_vec()));
        Ok(())
    };
    for piece in pieces {
        frames.feed(piece, &mut see).unwrap();
    }
    frames.end(&mut see).unwrap();
    seen
}

/// Any JSON, to stand in place of any field.
pub(crate) fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z{}\"]{0,4}".prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            proptest::collection::hash_map("[a-z]{1,3}|text|id|name|function|index|message", inner, 0..3)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}
