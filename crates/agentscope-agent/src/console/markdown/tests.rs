use super::*;
use proptest::prelude::*;

fn shown(pieces: &[&str]) -> String {
    let mut out = String::new();
    let mut markdown = Markdown::new();
    pieces.iter().for_each(|piece| markdown.push(piece, 60, &mut out));
    markdown.end(60, &mut out);
    out
}

/// With styles as tags: `<1>` is bold, `<3>` italic, `<4>` underlined, `<36>` code, `<2>` dim, `<>` none.
fn tagged(text: &str) -> String {
    let mut out = String::new();
    for (at, part) in shown(&[text]).split("\x1b[0").enumerate() {
        match part.split_once('m') {
            Some((style, rest)) if at > 0 => {
                out.push_str(&format!("<{}>{rest}", style.trim_start_matches(';')));
            }
            _ => out.push_str(part),
        }
    }
    out
}

#[test]
fn marks_are_shown_as_what_they_mean() {
    for (text, expected) in [
        ("a **b** c", "a <1>b<> c"),
        ("a *b* c", "a <3>b<> c"),
        ("a _b_ c", "a <3>b<> c"),
        ("***b***", "<1;3>b<>"),
        ("**a *b***", "<1>a <1;3>b<1><>"),
        ("**a `b*` c**", "<1>a <1;36>b*<1> c<>"),
        ("~~no~~", "<9>no<>"),
        ("`` a`b ``", "<36>a`b<>"),
        ("[docs](https://a.b/c_d_e)", "<4>docs<2> (https://a.b/c_d_e)<>"),
        ("![cat](cat.jpg)", "<4>cat<2> (cat.jpg)<>"),
        ("中文**重点**内容", "中文<1>重点<>内容"),
        (r"\*not\* \(x\)", r"*not* \(x\)"),
        ("# One", "\n<1;4>One<>"),
        ("a\n## Two *x*\nb", "a\n<1>Two <1;3>x<1><>\nb"),
        ("a\n- b\n  * **c**\n1. d", "a\n• b\n  • <1>c<>\n1. d"),
        ("a\n> b\n>\nc", "a\n<2>│ <>b\n<2>│ <>\nc"),
        ("a\n---\nb", &format!("a\n<2>{}<>\nb", "─".repeat(40))),
        ("\n\na\n\nb\n", "a\n\nb\n"),
        ("a\n```rust\nlet *a* = `b`;\n\n``\n```\nc", "a\n<2>  ┄ rust<>\n  let *a* = `b`;\n\n  ``\nc"),
        ("a\n~~~\n```\n~~~\nb", "a\n  ```\nb"),
        ("```\nopen", "\n  open"),
    ] {
        assert_eq!(tagged(text), expected, "{text}");
    }
}

#[test]
fn what_only_looks_like_a_mark_is_shown_as_it_was_written() {
    for text in [
        "2*3*4 = 24",
        "2 * 3 * 4",
        "2**3**4",
        "snake_case_name",
        "_",
        "*",
        "a * b",
        "#hashtag",
        "#",
        "C# is",
        "-5 degrees",
        "+1",
        "a ** b",
        "**open",
        "`open",
        "[x] done",
        "[a](open",
        "5 > 3",
        ">5",
        "1.5 is",
        "1999",
        "~5 km ~ 6",
        "a ~b~ c",
        "***",
        "a!",
        "变量_名_字",
        "| a bar",
        "a | b",
        "-",
        "--",
        "==",
        "file_*.txt and *.rs",
        "__init__.py",
        "`",
        "``",
        "a\\b",
        "[[1]]",
        "*****",
    ] {
        if !matches!(text, "***" | "*****") {
            assert_eq!(shown(&[text]).trim_start_matches('\n').trim_end_matches('\n'), text);
        }
        assert_eq!(shown(&["so: ", text]), format!("so: {text}"));
    }
}

#[test]
fn a_table_is_aligned_when_it_is_whole() {
    let text = "a\n| name | 数 |\n|:--|--:|\n| `b|c` | 1 |\n| 北京市 | **22** |\nd";
    let lines = [
        "a",
        "<1>name<>  <2> │ <>  <1>数<>",
        "<2>───────┼─────<>",
        "<36>b|c<>   <2> │ <>   1",
        "北京市<2> │ <>  <1>22<>",
        "d",
    ];
    let shown = tagged(text);
    let shown: Vec<&str> = shown.lines().collect();
    assert_eq!(shown[0], lines[0]);
    assert_eq!(shown.len(), lines.len());
    let widths: Vec<usize> = super::tests::shown(&[text]).lines().skip(1).take(4).map(width_of).collect();
    assert!(widths.iter().all(|width| *width == widths[0]), "{widths:?} {shown:#?}");
    assert_eq!(tagged("| no table |\nb"), "\n| no table |\nb");
    let wide = format!("| a | {} |\n|--|--|\n| b | c |\n", "x".repeat(70));
    assert!(tagged(&wide).contains("b<2> │ <>c"), "{}", tagged(&wide));
}

#[test]
fn what_is_clear_is_shown_at_once() {
    let mut out = String::new();
    let mut markdown = Markdown::new();
    markdown.push("Hello, wor", 80, &mut out);
    assert_eq!(out, "Hello, wor");
    markdown.push("ld and **bo", 80, &mut out);
    assert_eq!(out, "Hello, world and ");
    markdown.push("ld** ", 80, &mut out);
    assert_eq!(out, "Hello, world and \x1b[0;1mbold\x1b[0m ");
}

#[test]
fn a_mark_that_is_never_closed_costs_no_more_than_its_length() {
    for text in [
        "*a ".repeat(10_000),
        "`".repeat(20_000),
        "[".repeat(10_000),
        "*a**b".repeat(20_000),
        "-".repeat(10_000),
    ] {
        let began = std::time::Instant::now();
        let out = shown(&["so ", &text]);
        assert!(out.len() >= text.len() / 3);
        assert!(began.elapsed().as_secs() < 20, "{:?} for {}", began.elapsed(), &text[..5]);
    }
}

/// Texts in which many marks meet.
fn texts() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        "*", "**", "_", "`", "```", "~~", "[", "](", ")", "!", "#", "# ", "- ", "> ", "1. ", "|", "|--|",
        "\n", "\n\n", " ", "a", "b c", "中文", "\\", "---", "~~~", "😀", "\t",
    ]);
    prop::collection::vec(part, 0..60).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn where_a_text_is_cut_does_not_matter(text in texts(), cuts in prop::collection::vec(0_usize..200, 0..8)) {
        let mut borders: Vec<usize> =
            cuts.into_iter().map(|cut| cut.min(text.len())).filter(|cut| text.is_char_boundary(*cut)).collect();
        borders.extend([0, text.len()]);
        borders.sort_unstable();
        let pieces: Vec<&str> = borders.windows(2).map(|pair| &text[pair[0]..pair[1]]).collect();
        prop_assert_eq!(shown(&pieces), shown(&[&text]));
    }

    #[test]
    fn words_without_marks_are_shown_as_they_are(text in "[a-zA-Z0-9 ,.;:()=/中文]{0,80}") {
        let shown = shown(&["so: ", &text]);
        prop_assert_eq!(shown, format!("so: {text}"));
    }

    #[test]
    fn no_word_is_lost(text in texts()) {
        let letters = |text: &str| text.chars().filter(|it| matches!(it, 'b' | '中' | '文' | '😀')).count();
        let code = text.contains("```") || text.contains("~~~") || text.contains("](");
        prop_assert!(code || letters(&shown(&[&text])) == letters(&text), "{}", shown(&[&text]));
    }
}
