//! What the tests of all wire formats need.

use super::{Ask, Decode, Format, Framing, Inlined, lines::Lines, sse::Frames};
use agentscope_core::{ErrorKind, Map, ModelCard, ModelDelta, ModelRequest, Result};
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
