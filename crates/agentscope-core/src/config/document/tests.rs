use super::*;
use proptest::prelude::*;
use serde_json::json;

fn refused(text: &str) -> String {
    parse_json(text.as_bytes()).unwrap_err().message().to_owned()
}

#[test]
fn a_document_is_read_as_editors_and_hands_leave_it() {
    for text in [
        r#"{"a": [1, "x"]}"#,
        "\u{feff}{\"a\": [1, \"x\"]}",
        "{\r\n  \"a\": [\r\n1, \"x\"]\r\n}\r\n",
        "# head\n{\"a\": [1, // one\n \"x\", /* more,\n */ ] , # 名称\n}",
        "{\"a\": [1, \"x\" , ],}\n// end",
    ] {
        assert_eq!(parse_json(text.as_bytes()).unwrap(), json!({"a": [1, "x"]}), "{text}");
    }
}

#[test]
fn what_looks_like_a_comment_in_a_text_is_none() {
    let value = json!({"url": "http://a//b#c", "t": "/* , ] */ \\\" # ,}", "ü": ",]"});
    assert_eq!(parse_json(value.to_string().as_bytes()).unwrap(), value);
}

#[test]
fn wrong_syntax_is_told_with_its_place_and_without_the_text() {
    for (text, told) in [
        (
            "{\"a\": 1\n \"b\": 2}",
            "line 2, column 2 is no JSON (expected `,` or `}`): is a comma missing before it?",
        ),
        ("[1,\n  # größer\n  True]", "line 3, column 3 is no JSON (expected value): write `true`"),
        ("[None]", "line 1, column 2 is no JSON (expected value): write `null`"),
        (
            "{'a': 1}",
            "line 1, column 2 is no JSON (key must be a string): write texts in double quotation marks",
        ),
        (
            "{\"a\": {\n ...\n}}",
            "line 2, column 2 is no JSON (key must be a string): `...` stands for fields of your own: write them, or take it out",
        ),
        ("{\"größe\": x}", "line 1, column 11 is no JSON (expected value): correct it"),
        ("{\"a\": 1e999}", "line 1, column 11 is no JSON (number out of range): correct it"),
        ("{\"a\":", "line 1, column 5 is no JSON (EOF while parsing a value): correct it"),
        ("[1] 2", "line 1, column 5 is no JSON (trailing characters): correct it"),
        (
            "{\"a\": \"sk-ant-secret\"\"}",
            "line 1, column 22 is no JSON (expected `,` or `}`): is a comma missing before it?",
        ),
    ] {
        assert_eq!(refused(text), told, "{text}");
    }
    assert!(refused(&"[".repeat(10_000)).contains("recursion limit"), "{}", refused(&"[".repeat(10_000)));
}

#[test]
fn an_empty_document_and_one_in_another_encoding_say_what_to_do() {
    for text in ["", " \r\n", "\u{feff}", "# nothing\n", "/* open"] {
        assert!(refused(text).starts_with("it is empty: write a configuration"), "{text}");
    }
    let utf16: Vec<u8> = "\u{feff}[]".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(parse_json(&utf16).unwrap_err().message(), "it is UTF-16: save it as UTF-8");
    assert_eq!(
        parse_json(b"{\n\"a\": \"\xe4\"}").unwrap_err().message(),
        "line 2 is not UTF-8: save it as UTF-8"
    );
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "[\\[\\]{}\",:#/*\\\\ \n\ra1é.-]{0,60}") {
        let _ = parse_json(text.as_bytes());
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        let _ = parse_json(&bytes);
    }

    #[test]
    fn json_stays_what_it_is(text in "[ -~é\n]{0,40}", number in any::<i64>()) {
        let value = json!([{"a": text, "b": [number, text]}, text]);
        prop_assert_eq!(parse_json(value.to_string().as_bytes()).unwrap(), value.clone());
        let pretty = serde_json::to_string_pretty(&value).unwrap();
        prop_assert_eq!(parse_json(pretty.as_bytes()).unwrap(), value);
    }
}
