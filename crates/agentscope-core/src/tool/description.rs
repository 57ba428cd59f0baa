//! Doc comments as descriptions for a model.

/// The text of a doc comment, given as its `///` lines or its blocks: the lines of a paragraph are joined, an empty line
/// parts two paragraphs; lists, headings, tables, quotes and code keep their lines.
pub fn description(docs: &[&str]) -> String {
    let mut text = String::new();
    let (mut in_code, mut parted) = (false, true);
    for line in docs.iter().flat_map(|doc| unstarred(doc)) {
        let line = line.strip_prefix(' ').unwrap_or(line).trim_end();
        let word = line.trim_start();
        let is_fence = word.starts_with("```");
        if word.is_empty() && !in_code {
            parted = true;
            continue;
        }
        if !text.is_empty() {
            text.push_str(match () {
                () if in_code => "\n",
                () if parted => "\n\n",
                () if is_fence || keeps_line(word) => "\n",
                () => " ",
            });
        }
        text.push_str(if in_code || is_fence { line } else { word });
        in_code ^= is_fence;
        parted = false;
        if (is_fence && !in_code) || word.starts_with('#') {
            parted = true;
        }
    }
    text
}

/// The lines of a block comment without the stars before them.
fn unstarred(doc: &str) -> Vec<&str> {
    let lines: Vec<&str> = doc.split('\n').collect(); // unlike `lines`, one for an empty `///`
    let starred = |line: &&str| line.trim().is_empty() || line.trim_start().starts_with('*');
    if lines.len() > 1 && lines.iter().skip(1).all(starred) {
        let bare = |line: &'_ _| -> &str {
            let line: &&str = line;
            let line = line.trim_start();
            line.strip_prefix('*').unwrap_or(line)
        };
        return lines.iter().map(bare).collect();
    }
    lines
}

/// Whether Markdown starts something new with this line.
fn keeps_line(word: &str) -> bool {
    let after_number = word.trim_start_matches(|it: char| it.is_ascii_digit());
    let is_numbered = after_number.len() < word.len() && after_number.starts_with(". ");
    is_numbered || ["- ", "* ", "+ ", "#", "|", ">"].iter().any(|mark| word.starts_with(mark))
}

#[cfg(test)]
mod tests {
    use super::description;

    #[test]
    fn lines_are_joined_and_paragraphs_are_parted() {
        assert_eq!(description(&[" Tells the", " weather.", "", " Slow."]), "Tells the weather.\n\nSlow.");
        assert_eq!(
            description(&["*\n * Tells the\n * weather.\n *\n * Slow.\n "]),
            "Tells the weather.\n\nSlow."
        );
        assert_eq!(description(&[" One line"]), "One line");
        assert_eq!(description(&["", ""]), "");
    }

    #[test]
    fn lists_and_code_keep_their_lines() {
        let docs = [
            " Either",
            " - one that is",
            "   long, or",
            " - two.",
            " ```",
            " if x:",
            "     y",
            "",
            " z",
            " ```",
            " End",
        ];
        assert_eq!(
            description(&docs),
            "Either\n- one that is long, or\n- two.\n```\nif x:\n    y\n\nz\n```\n\nEnd"
        );
    }
}
