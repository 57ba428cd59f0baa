//! What no Rust file of ours contains: long rooms, names that say nothing, and work left undone.

use super::{Finding, Source, Token};

/// Lines past which a file is a large room.
const LARGE: usize = 500;
/// Lines past which it is two.
const TOO_LARGE: usize = 800;

/// As the first or last word of a type's name, these say nothing of what it is.
const EMPTY_WORDS: [&str; 8] = ["Base", "Manager", "Handler", "Helper", "Utils", "Impl", "Info", "Data"];

pub(super) fn check(source: &Source, tokens: &[Token<'_>]) -> Vec<Finding> {
    let mut findings: Vec<_> = size(source).into_iter().collect();
    for (at, token) in tokens.iter().enumerate() {
        let text = |offset: usize| tokens.get(at + offset).map_or("", |token| token.text);
        let message = match token.text {
            "struct" | "enum" | "trait" | "type" => empty_word(text(1)),
            "pub" => public_function(tokens.get(at + 1..).unwrap_or_default()).and_then(getter),
            "todo" | "unimplemented" | "dbg" if text(1) == "!" => {
                Some(format!("`{}!` is work left undone: do it or drop it", token.text))
            }
            "#" if text(1) == "[" && text(2) == "ignore" => Some(
                "an ignored test proves nothing: repair it, or name it `needs_SERVICE` (see xtask test)"
                    .to_owned(),
            ),
            _ => None,
        };
        findings.extend(message.map(|message| Finding::new(&source.path, token.line, message)));
    }
    findings
}

fn size(source: &Source) -> Option<Finding> {
    let lines = source.text.lines().count();
    let message = format!("{lines} lines: a file is one room of about 300, so divide it by what it is about");
    let finding = Finding::new(&source.path, lines, message);
    (lines > LARGE).then_some(Finding { warning: lines <= TOO_LARGE || source.is_test(), ..finding })
}

fn empty_word(name: &str) -> Option<String> {
    let words = camel_words(name);
    let word = [words.first(), words.last()].into_iter().flatten().find(|word| EMPTY_WORDS.contains(word))?;
    Some(format!("`{name}`: the word `{word}` says nothing of what it is, so name the concept"))
}

/// `ToolCallState` as `Tool`, `Call`, `State`.
fn camel_words(name: &str) -> Vec<&str> {
    let mut borders: Vec<_> = name.match_indices(char::is_uppercase).map(|(at, _)| at).collect();
    borders.push(name.len());
    borders.array_windows().filter_map(|&[from, to]| name.get(from..to)).collect()
}

/// The name of the function that is declared after a `pub`.
fn public_function<'a>(after: &[Token<'a>]) -> Option<&'a str> {
    let mut after = after.iter().map(|token| token.text);
    let word = after.find(|word| !["async", "const", "unsafe", "extern"].contains(word))?;
    if word == "fn" { after.next() } else { None }
}

fn getter(name: &str) -> Option<String> {
    let noun = name.strip_prefix("get_")?;
    Some(format!("`{name}`: a function is named for what it gives, so call it `{noun}`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tokens::tokens;

    fn findings(path: &str, text: &str) -> Vec<String> {
        let source = Source { path: path.to_owned(), text: text.to_owned() };
        check(&source, &tokens(&source.text)).iter().map(Finding::to_string).collect()
    }

    #[test]
    fn names_that_say_nothing_are_found() {
        let found = |text| findings("a.rs", text).len();
        for name in ["struct BaseTool;", "enum ToolInfo {}", "pub trait Helper {}", "type StateData = u8;"] {
            assert_eq!(found(name), 1, "{name}");
        }
        for name in [
            "struct Database;",
            "enum Information {}",
            "trait Handle {}",
            "struct ToolDataLink;",
            "fn base() {}",
        ] {
            assert_eq!(found(name), 0, "{name}");
        }
    }

    #[test]
    fn getters_are_found_where_they_are_public() {
        let text =
            "pub fn get_name() {}\nfn get_inner() {}\npub(crate) fn get_more() {}\npub async fn get_all() {}";
        let found = findings("a.rs", text);
        assert_eq!(found.len(), 2, "{found:#?}");
        assert!(
            found[0].starts_with("a.rs:1: `get_name`") && found[1].starts_with("a.rs:4: `get_all`"),
            "{found:#?}"
        );
    }

    #[test]
    fn work_left_undone_is_found_in_code_alone() {
        let text = "fn a() {\n todo!()\n}\nfn b() { unimplemented!(\"x\"); dbg!(1); }\n#[ignore = \"slow\"]\nfn c() {}";
        let lines: Vec<_> = findings("a.rs", text)
            .iter()
            .map(|finding| finding.split(':').nth(1).unwrap().to_owned())
            .collect();
        assert_eq!(lines, ["2", "4", "4", "5"]);
        assert_eq!(
            findings("a.rs", "// todo!()\nconst A: &str = \"dbg!(1) #[ignore]\"; fn todo() {}"),
            [""; 0]
        );
    }

    #[test]
    fn large_files_are_warned_of_and_larger_ones_refused() {
        let size = |path: &str, lines: usize| findings(path, &"\n".repeat(lines)).concat();
        assert_eq!(size("src/a.rs", LARGE), "");
        assert!(size("src/a.rs", LARGE + 1).starts_with("src/a.rs:501: warning: 501 lines"));
        assert!(size("src/a.rs", TOO_LARGE + 1).starts_with("src/a.rs:801: 801 lines"));
        assert!(size("src/a/tests.rs", TOO_LARGE + 1).contains("warning"));
        assert!(size("tests/it/main.rs", TOO_LARGE + 1).contains("warning"));
    }
}
