use super::*;
use proptest::prelude::*;

/// The frames of some bytes that come in pieces.
fn frames<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<(String, String)> {
    let (mut parser, mut found) = (Frames::default(), Vec::new());
    let mut frame = |event: &[u8], data: &[u8]| {
        found.push((String::from_utf8_lossy(event).into_owned(), String::from_utf8_lossy(data).into_owned()));
        Ok(())
    };
    for piece in pieces {
        parser.feed(piece, &mut frame).unwrap();
    }
    parser.end(&mut frame).unwrap();
    found
}

fn data(text: &str) -> Vec<String> {
    frames([text.as_bytes()]).into_iter().map(|(_, data)| data).collect()
}

#[test]
fn frames_are_found_whatever_their_line_ends_are() {
    for end in ["\n", "\r\n", "\r"] {
        let text = [
            "data: a",
            "data: b",
            "",
            ": stay",
            "event: error",
            "id: 7",
            "data:c",
            "",
            "",
            "data",
            "",
            "nonsense",
            "",
        ]
        .join(end)
            + end;
        assert_eq!(
            frames([text.as_bytes()]),
            [("".into(), "a\nb".into()), ("error".into(), "c".into()), ("".into(), "".into())],
            "{end:?}"
        );
    }
}

#[test]
fn a_last_frame_counts_if_its_line_is_complete() {
    assert_eq!(data("data: a\n\ndata: [DONE]\n"), ["a", "[DONE]"]);
    assert_eq!(data("data: a\n\ndata: [DO"), ["a"]);
    assert_eq!(data("data: a\n\ndata: b\ndata: c"), ["a"]);
    assert_eq!(data("\u{feff}data: a\n\n"), ["a"], "a byte order mark is none of it");
    assert_eq!(data(""), [""; 0]);
}

#[test]
fn a_frame_has_a_limit() {
    let mut parser = Frames::default();
    let mut feed = |bytes: &[u8]| parser.feed(bytes, |_, _| Ok(()));
    let piece = vec![b'x'; 1 << 20];
    let error = (0..20).find_map(|_| feed(&piece).err()).unwrap();
    assert_eq!(error.kind(), ErrorKind::Protocol);
}

proptest! {
    #[test]
    fn frames_are_the_same_whatever_the_bytes_are_cut_at(
        lines in prop::collection::vec("(data: ?|event:|:|)[a-z\u{e9}]{0,4}", 0..20),
        ends in prop::collection::vec(prop::sample::select(vec!["\n", "\r\n", "\r"]), 20),
        cuts in prop::collection::vec(0usize..200, 0..8),
    ) {
        let text: String = lines.iter().zip(&ends).flat_map(|(line, end)| [line.as_str(), end]).collect();
        let bytes = text.as_bytes();
        let mut cuts: Vec<_> = cuts.into_iter().filter(|at| *at <= bytes.len()).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|it| &bytes[it[0]..it[1]]);
        prop_assert_eq!(frames(pieces), frames([bytes]));
    }

    #[test]
    fn no_bytes_make_it_fail(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        frames([bytes.as_slice()]);
    }
}

#[test]
fn what_may_be_frames_is_told_from_what_cannot() {
    for bytes in ["", "d", "data: x", "data", ": hi", "event: error\n", "\r\n", "id", "\u{feff}data:"] {
        assert!(Frames::may_begin_with(bytes.as_bytes()), "{bytes:?}");
    }
    for bytes in ["{\"id\":1}", "ok", "<!doctype html>", "dot", " {"] {
        assert!(!Frames::may_begin_with(bytes.as_bytes()), "{bytes:?}");
    }
}
