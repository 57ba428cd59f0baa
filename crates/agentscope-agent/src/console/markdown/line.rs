//! What a line is, by its beginning.

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    /// Its beginning may still become several of these.
    Unclear,
    Words,
    Blank,
    Heading(usize),
    Quote,
    /// Of a list; the mark of a numbered one is shown as it is.
    Item,
    Numbered,
    Rule,
    /// The beginning of code.
    Fence,
    /// A row of a table.
    Row,
}

/// What a line is that begins with `head`. In a quote there are neither tables nor fences.
pub(super) fn kind(head: &str, quoted: bool) -> Kind {
    let body = head.trim_start();
    let Some(first) = body.chars().next() else { return Kind::Unclear };
    let rest = body.trim_start_matches(first);
    let run = body.len() - rest.len();
    match first {
        '#' => match rest.chars().next() {
            _ if run > 6 => Kind::Words,
            None => Kind::Unclear,
            Some(' ') => Kind::Heading(run),
            Some(_) => Kind::Words,
        },
        '>' if run == 1 && rest.is_empty() => Kind::Unclear,
        '>' if run == 1 && rest.starts_with(' ') => Kind::Quote,
        '-' | '*' | '+' if run == 1 && rest.starts_with(' ') => Kind::Item,
        '-' | '*' | '_' | '+' if rest.is_empty() => Kind::Unclear,
        '-' | '*' | '_' if run >= 3 && rest.trim().is_empty() => Kind::Unclear,
        '`' | '~' if !quoted && rest.is_empty() => Kind::Unclear,
        '`' if !quoted && run >= 3 && !rest.contains('`') => Kind::Fence,
        '~' if !quoted && run >= 3 => Kind::Fence,
        '|' if !quoted => Kind::Row,
        '0'..='9' => numbered(body),
        _ => Kind::Words,
    }
}

fn numbered(body: &str) -> Kind {
    let rest = body.trim_start_matches(|it: char| it.is_ascii_digit());
    if body.len() - rest.len() > 9 {
        return Kind::Words; // no list is that long
    }
    let mut rest = rest.chars();
    match (rest.next(), rest.next()) {
        (None, _) | (Some('.' | ')'), None) => Kind::Unclear,
        (Some('.' | ')'), Some(' ')) => Kind::Numbered,
        _ => Kind::Words,
    }
}

/// What a line is that is held back to its end.
pub(super) fn whole(line: &str, quoted: bool) -> Kind {
    let body = line.trim();
    let Some(first) = body.chars().next() else { return Kind::Blank };
    let run = body.len() - body.trim_start_matches(first).len();
    match first {
        '-' | '*' | '_' if run >= 3 && run == body.len() => Kind::Rule,
        '`' | '~'
            if run >= 3
                && !quoted
                && !(first == '`' && body.get(run..).is_some_and(|it| it.contains('`'))) =>
        {
            Kind::Fence
        }
        '|' if !quoted => Kind::Row,
        '>' if body.len() == 1 => Kind::Quote,
        _ => Kind::Words,
    }
}
