//! Which parts of a Rust file its users see: the signatures of its public items.
//!
//! Every `pub` item counts, in whichever module: rustc's `unreachable_pub` sees to it that `pub` means what
//! it says. What a macro writes is not seen.

use super::tokens::Token;

pub(super) type Tokens<'a> = &'a [Token<'a>];

/// What a file shows, and what its names stand for.
#[derive(Debug, Default)]
pub(super) struct Surface<'a> {
    pub(super) uses: Vec<Use<'a>>,
    /// The types and bounds of public items, without the items' own names and bodies.
    pub(super) signatures: Vec<Tokens<'a>>,
}

/// A `use` declaration among the items of a module.
#[derive(Debug)]
pub(super) struct Use<'a> {
    /// What stands between `use` and `;`.
    pub(super) tree: Tokens<'a>,
    pub(super) public: bool,
}

impl<'a> Surface<'a> {
    pub(super) fn of(tokens: Tokens<'a>) -> Self {
        let mut surface = Self::default();
        surface.items(tokens, false);
        surface
    }

    /// `public`: they are so without saying it, as those of a public trait are.
    fn items(&mut self, mut rest: Tokens<'a>, public: bool) {
        while !rest.is_empty() {
            let (attributes, item) = split_attributes(rest);
            let (visible, item) = split_visibility(item);
            let (item, after) = split_item(skip_qualifiers(item));
            if !is_test(attributes) {
                self.item(item, public || visible);
            }
            rest = after;
        }
    }

    fn item(&mut self, item: Tokens<'a>, public: bool) {
        let Some((keyword, item)) = item.split_first() else { return };
        let (head, body) = split_body(item);
        let types = from(head, 1);
        match keyword.text {
            "use" => self.uses.push(Use { tree: until(item, ";"), public }),
            "mod" => self.items(body, false),
            "impl" if !is_trait_impl(head) => self.items(body, false),
            _ if !public => {}
            "fn" | "type" => self.signatures.push(types),
            "const" | "static" => self.signatures.push(until(types, "=")),
            "trait" => {
                self.signatures.push(types);
                self.items(body, true);
            }
            "struct" => {
                // The fields of a tuple stand in the head.
                let tuple =
                    outside(types).find(|(_, token)| token.text == "(").map_or(types.len(), |(at, _)| at);
                let (types, fields) = types.split_at(tuple);
                let (fields, bounds) = fields.split_at(group_length(fields));
                self.signatures.extend([types, bounds]);
                self.fields(inside(fields));
                self.fields(body);
            }
            "enum" => {
                self.signatures.push(types);
                // A variant's fields are as public as its enum.
                let variants =
                    split_commas(body).into_iter().map(|variant| from(split_attributes(variant).1, 1));
                self.signatures.extend(variants);
            }
            _ => {}
        }
    }

    fn fields(&mut self, fields: Tokens<'a>) {
        for field in split_commas(fields) {
            let (visible, field) = split_visibility(split_attributes(field).1);
            if visible {
                self.signatures.push(field);
            }
        }
    }
}

/// The tokens in no bracket of any kind, angle brackets among them; an opening bracket is itself outside.
fn outside<'a>(tokens: Tokens<'a>) -> impl Iterator<Item = (usize, &'a Token<'a>)> {
    let (mut groups, mut angles) = (0_usize, 0_usize);
    tokens.iter().enumerate().filter(move |(_, token)| {
        let outside = groups == 0 && angles == 0;
        match token.text {
            "(" | "[" | "{" => groups += 1,
            ")" | "]" | "}" => groups = groups.saturating_sub(1),
            "<" if groups == 0 => angles += 1,
            ">" if groups == 0 => angles = angles.saturating_sub(1),
            _ => {}
        }
        outside
    })
}

/// The parts between the commas that are in no bracket.
pub(super) fn split_commas<'a>(tokens: Tokens<'a>) -> Vec<Tokens<'a>> {
    let mut parts = Vec::new();
    let mut start = 0;
    for (at, _) in outside(tokens).filter(|(_, token)| token.text == ",") {
        parts.push(tokens.get(start..at).unwrap_or_default());
        start = at + 1;
    }
    parts.push(from(tokens, start));
    parts
}

/// The tokens before the first `mark` that is in no bracket, or all.
fn until<'a>(tokens: Tokens<'a>, mark: &str) -> Tokens<'a> {
    let end = outside(tokens).find(|(_, token)| token.text == mark).map_or(tokens.len(), |(at, _)| at);
    tokens.get(..end).unwrap_or_default()
}

fn from<'a>(tokens: Tokens<'a>, start: usize) -> Tokens<'a> {
    tokens.get(start..).unwrap_or_default()
}

/// How many tokens the group takes that opens with the first, its closing bracket included.
pub(super) fn group_length(tokens: Tokens<'_>) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate() {
        match token.text {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    tokens.len()
}

/// A group without its brackets.
pub(super) fn inside<'a>(group: Tokens<'a>) -> Tokens<'a> {
    group.get(1..group.len().saturating_sub(1)).unwrap_or_default()
}

fn split_attributes<'a>(tokens: Tokens<'a>) -> (Tokens<'a>, Tokens<'a>) {
    let mut end = 0;
    while tokens.get(end).is_some_and(|token| token.text == "#") {
        let inner = tokens.get(end + 1).is_some_and(|token| token.text == "!");
        let open = end + 1 + usize::from(inner);
        end = (open + group_length(from(tokens, open))).min(tokens.len());
    }
    tokens.split_at(end)
}

/// Takes off the visibility, and says whether it is a plain `pub`.
fn split_visibility<'a>(tokens: Tokens<'a>) -> (bool, Tokens<'a>) {
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text);
    if text(0) != "pub" {
        (false, tokens)
    } else if text(1) == "(" && ["crate", "super", "self", "in"].contains(&text(2)) {
        (false, from(tokens, 1 + group_length(from(tokens, 1))))
    } else {
        (true, from(tokens, 1))
    }
}

/// Takes off what may stand before `fn`, `impl` and `trait`.
fn skip_qualifiers<'a>(tokens: Tokens<'a>) -> Tokens<'a> {
    let is_qualifier = |at: usize, word: &str| match word {
        "async" | "unsafe" | "extern" | "default" => true,
        "const" => {
            tokens.get(at + 1).is_some_and(|next| ["async", "unsafe", "extern", "fn"].contains(&next.text))
        }
        _ => false,
    };
    let end = tokens.iter().enumerate().position(|(at, token)| !is_qualifier(at, token.text));
    from(tokens, end.unwrap_or(tokens.len()))
}

/// The first item, which ends with its body or a semicolon, and what follows it.
fn split_item<'a>(tokens: Tokens<'a>) -> (Tokens<'a>, Tokens<'a>) {
    let keyword = tokens.first().map_or("", |token| token.text);
    let has_body = !["use", "type", "const", "static"].contains(&keyword);
    let mut end = 0;
    while let Some(token) = tokens.get(end) {
        end += group_length(from(tokens, end));
        if token.text == ";" || (token.text == "{" && has_body) {
            break;
        }
    }
    tokens.split_at(end)
}

/// An item's head, and its body without the braces.
fn split_body<'a>(item: Tokens<'a>) -> (Tokens<'a>, Tokens<'a>) {
    let mut at = 0;
    while let Some(token) = item.get(at).filter(|token| token.text != ";") {
        let length = group_length(from(item, at));
        if token.text == "{" && at + length == item.len() {
            return (item.get(..at).unwrap_or_default(), inside(from(item, at)));
        }
        at += length;
    }
    (item.get(..at).unwrap_or_default(), &[])
}

/// Whether the head of an `impl` goes on with `Trait for Type`; `for<'a>` is of a bound.
fn is_trait_impl(head: Tokens<'_>) -> bool {
    outside(head)
        .any(|(at, token)| token.text == "for" && head.get(at + 1).is_some_and(|next| next.text != "<"))
}

/// Whether an item with these attributes is compiled for tests alone.
fn is_test(attributes: Tokens<'_>) -> bool {
    let has = |word| attributes.iter().any(|token| token.text == word);
    has("cfg") && has("test") && !has("not") && !has("any")
}
