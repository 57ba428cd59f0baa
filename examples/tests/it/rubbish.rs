//! Whatever comes in, and wherever what is said goes, a demo ends by itself and does not panic.

use super::run::{ALL, end, run, run_with, start};
use std::io::{Read, Write};

#[test]
fn an_empty_input_is_no_trouble() {
    for demo in ALL {
        assert!(run(demo, "").lines().count() > 1, "{demo} shows something");
    }
}

#[test]
fn rubbish_is_words_like_others_and_does_not_lead_the_terminal_astray() {
    let input = b"\xff\xfe\x00@\n@@ @Ann@Ben \x1b[2J\x07\n@Nobody?\r\n  \n{\"coins\": 1e99}\n\xe4\xbd\xa0\xe5\xa5\xbd\n";
    for demo in ALL {
        let output = run_with(demo, &[], input);
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(!out.contains('\x1b') && !err.contains("panicked"), "{demo}: {out}\n{err}");
        assert!(output.status.success(), "{demo}: {err}");
    }
}

#[test]
fn a_reader_that_leaves_ends_the_demo_quietly() {
    for demo in ALL {
        let mut child = start(demo, &[]);
        let mut out = child.stdout.take().unwrap();
        let mut first = [0];
        out.read_exact(&mut first).unwrap();
        drop(out);
        let _ = child.stdin.take().unwrap().write_all(b"hello\n@Ann\n");
        let output = end(child);
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(!err.contains("panicked"), "{demo}: {err}");
    }
}

#[test]
fn a_wrong_option_is_told_in_a_sentence() {
    for demo in ALL {
        let output = run_with(demo, &["--modle", "x"], b"");
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && err.contains("`--modle` is no option of this demo"),
            "{demo}: {err}"
        );
    }
}
