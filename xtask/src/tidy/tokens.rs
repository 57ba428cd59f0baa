//! Rust text as words and marks. Comments and literals are left out, so that no rule stumbles over what they
//! say.

/// A name, keyword, lifetime, number or mark. `::`, `->` and `=>` are one mark each.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Token<'a> {
    pub(super) text: &'a str,
    /// Counted from 1.
    pub(super) line: usize,
}

impl Token<'_> {
    /// Whether it is a name or a keyword.
    pub(super) fn is_word(&self) -> bool {
        self.text.starts_with(is_word_start)
    }
}

pub(super) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let (mut rest, mut line) = (text, 1);
    while !rest.is_empty() {
        let (length, kept) = lexeme(rest);
        // Always a border of a letter; if ever it were not, the file ends here.
        let Some((text, after)) = rest.split_at_checked(length.max(1)) else { break };
        if kept {
            tokens.push(Token { text, line });
        }
        line += text.matches('\n').count();
        rest = after;
    }
    tokens
}

/// The length in bytes of what `rest` begins with, and whether it is a token.
fn lexeme(rest: &str) -> (usize, bool) {
    if let Some(blank) = comment(rest).or_else(|| string(rest)).or_else(|| character(rest)) {
        return (blank, false);
    }
    let first = rest.chars().next().unwrap_or_default();
    let word = |start: usize| start + prefix(rest.get(start..).unwrap_or_default(), is_word_part);
    if first.is_whitespace() {
        (prefix(rest, char::is_whitespace), false)
    } else if let Some(name) = rest.strip_prefix("r#").filter(|name| name.starts_with(is_word_start)) {
        (word(rest.len() - name.len()), true)
    } else if is_word_part(first) {
        (word(0), true)
    } else if first == '\'' {
        (word(1), true)
    } else if ["::", "->", "=>"].iter().any(|mark| rest.starts_with(mark)) {
        (2, true)
    } else {
        (first.len_utf8(), true)
    }
}

fn is_word_start(letter: char) -> bool {
    letter.is_alphabetic() || letter == '_'
}

fn is_word_part(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

fn prefix(text: &str, belongs: fn(char) -> bool) -> usize {
    text.find(|letter| !belongs(letter)).unwrap_or(text.len())
}

fn comment(rest: &str) -> Option<usize> {
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    let mut body = rest.strip_prefix("/*")?;
    let mut depth = 1;
    while depth > 0 {
        let Some(mark) = body.find(['/', '*']) else { return Some(rest.len()) };
        body = body.get(mark..).unwrap_or_default();
        let (length, change) = match body {
            _ if body.starts_with("/*") => (2, 1),
            _ if body.starts_with("*/") => (2, -1),
            _ => (1, 0),
        };
        depth += change;
        body = body.get(length..).unwrap_or_default();
    }
    Some(rest.len() - body.len())
}

/// A string of any kind: `".."`, `b".."`, `c".."`, `r"..", `r#".."#` and so on.
fn string(rest: &str) -> Option<usize> {
    let text = rest.strip_prefix(['b', 'c']).unwrap_or(rest);
    if let Some(raw) = text.strip_prefix('r') {
        let body = raw.trim_start_matches('#');
        let end = format!("\"{}", "#".repeat(raw.len() - body.len()));
        let body = body.strip_prefix('"')?;
        return Some(body.find(&end).map_or(rest.len(), |at| rest.len() - body.len() + at + end.len()));
    }
    let body = text.strip_prefix('"')?;
    let mut letters = body.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' => {
                letters.next();
            }
            '"' => return Some(rest.len() - body.len() + at + 1),
            _ => {}
        }
    }
    Some(rest.len())
}

/// A letter such as `'a'`, `'\''` or `b'\x7f'`. A lifetime has no second quote after one letter.
fn character(rest: &str) -> Option<usize> {
    let body = rest.strip_prefix('b').unwrap_or(rest).strip_prefix('\'')?;
    let mut letters = body.char_indices();
    let (_, first) = letters.next()?;
    let (mut at, mut letter) = letters.next()?;
    if first == '\\' {
        (at, letter) = letters.find(|(_, letter)| *letter == '\'')?;
    }
    (letter == '\'').then_some(rest.len() - body.len() + at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<&str> {
        tokens(text).iter().map(|token| token.text).collect()
    }

    #[test]
    fn comments_and_literals_are_left_out() {
        let text = r####"
            /// todo!()
            a /* b /* c */ d **/ e // f
            "g \" h" b"i" r"j\" k r#"l " m"# br##"n "# o"## c"p" q 'r' '\'' '"' b'\\' '\u{1F600}' 'é' s
        "####;
        assert_eq!(texts(text), ["a", "e", "k", "q", "s"]);
    }

    #[test]
    fn lifetimes_raw_names_and_marks_are_tokens() {
        assert_eq!(
            texts("fn f<'a>(x: &'a str) -> r#type::B { 1..2_u8 }"),
            [
                "fn", "f", "<", "'a", ">", "(", "x", ":", "&", "'a", "str", ")", "->", "r#type", "::", "B",
                "{", "1", ".", ".", "2_u8", "}"
            ]
        );
        assert_eq!(texts("impl X<'_> { b'a' }"), ["impl", "X", "<", "'_", ">", "{", "}"]);
    }

    #[test]
    fn lines_are_counted_through_literals() {
        let lines: Vec<_> =
            tokens("a\n\"b\n\\\nc\" d\n/*\n*/ e").iter().map(|token| (token.text, token.line)).collect();
        assert_eq!(lines, [("a", 1), ("d", 4), ("e", 6)]);
    }

    #[test]
    fn a_broken_file_ends_somewhere() {
        for text in ["\"", "r#\"", "/* /*", "'", "b'", "'\\", "r#", "é'é", "\\"] {
            let _ = tokens(text);
        }
    }
}
