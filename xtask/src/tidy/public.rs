//! Core's public signatures name no type of a crate whose next major version would then be ours.

use std::collections::BTreeMap;

use super::{
    Finding, Source,
    surface::{Surface, Tokens, group_length, inside, split_commas},
};
use crate::cargo::Package;

pub(super) const CRATE: &str = "agentscope-core";

/// What they may name beside std and ours. `async_trait` is a macro: what it writes names only std.
const SHOWN: [&str; 8] =
    ["agentscope-macros", "async-trait", "bytes", "futures-core", "http", "schemars", "serde", "serde_json"];

/// The other crates that core is built with, as code writes them.
pub(super) fn foreign_crates(packages: &[Package]) -> Vec<String> {
    let core = packages.iter().find(|package| package.name == CRATE);
    let dependencies = core.into_iter().flat_map(|core| &core.dependencies);
    dependencies.filter(|name| !SHOWN.contains(&name.as_str())).map(|name| name.replace('-', "_")).collect()
}

pub(super) fn check(source: &Source, tokens: Tokens<'_>, foreign: &[String]) -> Vec<Finding> {
    let surface = Surface::of(tokens);
    let is_foreign = |name: &str| foreign.iter().any(|foreign| foreign == name);
    let mut findings = Vec::new();
    // Which crate a name of this file comes from.
    let mut origins: BTreeMap<&str, &str> =
        foreign.iter().map(|name| (name.as_str(), name.as_str())).collect();
    for declaration in &surface.uses {
        for import in imports(declaration.tree, None).into_iter().filter(|import| is_foreign(import.origin)) {
            let Import { origin, name, line } = import;
            let problem = if declaration.public {
                format!("`{name}` of `{origin}` is exported: {ADVICE}")
            } else if name == "*" {
                format!(
                    "everything of `{origin}` is imported, which hides what comes from it: import by name"
                )
            } else {
                origins.insert(name, origin);
                continue;
            };
            findings.push(Finding::new(&source.path, line, problem));
        }
    }
    for signature in surface.signatures {
        for (name, line) in names(signature) {
            if let Some(origin) = origins.get(name) {
                let of = if *origin == name { String::new() } else { format!(" of `{origin}`") };
                let problem = format!("`{name}`{of} is named in a public signature: {ADVICE}");
                findings.push(Finding::new(&source.path, line, problem));
            }
        }
    }
    findings
}

const ADVICE: &str = "wrap it in a type of ours, because its next major version must not be ours";

/// A name that a `use` brings into the file.
struct Import<'a> {
    /// The first word of its path, a crate or a module.
    origin: &'a str,
    name: &'a str,
    line: usize,
}

/// The names that a `use` tree brings; `stem` is the first and the last word of the path before it.
fn imports<'a>(tree: Tokens<'a>, stem: Option<(&'a str, &'a str)>) -> Vec<Import<'a>> {
    let mut found = Vec::new();
    for branch in split_commas(tree) {
        let braces = branch.iter().position(|token| token.text == "{").unwrap_or(branch.len());
        let (path, group) = branch.split_at(braces);
        let mut words = path.iter().filter(|token| token.text != "::" && token.text != "as");
        let (first, last) = (words.clone().next(), words.next_back());
        let path = match (first, last) {
            (Some(first), Some(last)) => Some((stem.map_or(first.text, |(origin, _)| origin), last.text)),
            _ => stem,
        };
        if !group.is_empty() {
            found.extend(imports(inside(group), path));
        } else if let (Some(first), Some((origin, last))) = (first, path) {
            let name = if last == "self" { stem.map_or(last, |(_, stem)| stem) } else { last };
            found.push(Import { origin, name, line: first.line });
        }
    }
    found
}

/// The words of a signature that stand for a type, a trait or the start of a path, each with its line. Others
/// are a parameter's or field's own name, a later part of a path, or in an attribute.
fn names<'a>(signature: Tokens<'a>) -> Vec<(&'a str, usize)> {
    let mut found = Vec::new();
    let text = |at: Option<usize>| at.and_then(|at| signature.get(at)).map_or("", |token| token.text);
    let mut at = 0;
    while let Some(token) = signature.get(at) {
        if token.text == "#" {
            at += 1 + group_length(signature.get(at + 1..).unwrap_or_default());
            continue;
        }
        let after_path = text(at.checked_sub(1)) == "::" && {
            let before = at.checked_sub(2).and_then(|at| signature.get(at));
            before.is_some_and(|before| before.is_word() || before.text == ">")
        };
        if token.is_word() && !after_path && text(Some(at + 1)) != ":" {
            found.push((token.text, token.line));
        }
        at += 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tokens::tokens;

    fn findings(text: &str) -> Vec<String> {
        let source = Source { path: "core.rs".to_owned(), text: text.to_owned() };
        let foreign = ["chrono", "futures_util", "tokio", "tokio_util", "uuid"].map(str::to_owned);
        check(&source, &tokens(text), &foreign).iter().map(Finding::to_string).collect()
    }

    /// The lines of the findings.
    fn lines(text: &str) -> Vec<usize> {
        findings(text).iter().map(|finding| finding.split(':').nth(1).unwrap().parse().unwrap()).collect()
    }

    #[test]
    fn foreign_crates_are_what_core_uses_and_does_not_show() {
        let core = Package {
            name: CRATE.to_owned(),
            dependencies: ["serde", "tokio-util", "async-trait", "uuid"].map(str::to_owned).to_vec(),
            ..Package::default()
        };
        assert_eq!(foreign_crates(&[core]), ["tokio_util", "uuid"]);
    }

    #[test]
    fn each_place_of_a_signature_is_searched() {
        for text in [
            "pub fn a(x: tokio::sync::Mutex<u8>) {}",
            "pub fn a() -> Vec<::uuid::Uuid> {}",
            "pub async fn a<T: tokio::io::AsyncRead>() {}",
            "pub const fn a() -> impl Trait where u8: tokio::X {}",
            "pub struct A { x: u8, pub y: chrono::Utc }",
            "pub struct A<T: tokio::X>(T);",
            "pub struct A(u8, pub uuid::Uuid);",
            "pub struct A<F>(pub F) where F: Fn(tokio::X);",
            "pub enum A { B(u8), C { x: HashMap<u8, uuid::Uuid> } }",
            "pub type A = tokio::sync::Notify;",
            "pub const A: chrono::Utc = make();",
            "pub static A: tokio::X = X { a: 1 };",
            "pub trait A: tokio::X {}",
            "pub trait A { fn b(&self, c: uuid::Uuid) { body() } }",
            "pub trait A { type B: futures_util::Sink<u8>; }",
            "impl A { fn b() {} pub fn c() -> uuid::Uuid {} }",
            "impl<T> A<T> where T: for<'a> Fn(&'a u8) { pub fn c() -> uuid::Uuid {} }",
            "mod a { pub fn b(c: uuid::Uuid) {} }",
            "pub use tokio::sync::Notify;",
            "use tokio::sync::*;",
            "#[cfg(any(test, feature = \"testing\"))] pub mod testing { pub fn a() -> uuid::Uuid {} }",
        ] {
            assert_eq!(lines(text), [1], "{text}");
        }
    }

    #[test]
    fn what_users_do_not_see_is_free() {
        for text in [
            "fn a(x: tokio::X) {}",
            "pub(crate) fn a(x: tokio::X) {}",
            "pub fn a() { let b: uuid::Uuid = tokio::spawn(c); }",
            "pub struct A { x: tokio::X, pub(crate) y: uuid::Uuid, pub z: Vec<u8> }",
            "pub struct A(uuid::Uuid, pub(super) tokio::X);",
            "struct A { pub x: uuid::Uuid }",
            "trait A { fn b(c: uuid::Uuid); }",
            "impl From<uuid::Uuid> for A { fn from(id: uuid::Uuid) -> A { b } }",
            "#[cfg(test)] mod tests { pub fn a(x: tokio::X) {} use tokio::*; }",
            "#[cfg(test)]\npub fn a(x: tokio::X) {}",
            "#[cfg(all(test, unix))] use tokio::*;",
            "pub const A: u8 = uuid::X;",
            "pub static A: X = X { a: tokio::b() };",
            "pub fn a(tokio: u8) -> crate::uuid::Id {}",
            "pub enum A { #[serde(with = \"x\", default = tokio)] B { #[tokio::x] c: u8 }, tokio }",
            "macro_rules! a { () => { pub fn b(c: uuid::Uuid) {} }; }",
            "a! { pub fn b(c: uuid::Uuid) {} }",
            "use async_trait::async_trait; pub use serde_json::Value; #[async_trait] pub trait A {}",
            "/// `tokio::X`\npub fn a(b: &str) -> serde_json::Value { \"pub fn a(b: tokio::X)\" }",
        ] {
            assert_eq!(findings(text), [""; 0], "{text}");
        }
    }

    #[test]
    fn an_imported_name_is_as_foreign_as_its_crate() {
        let text = "
            use std::{fmt, time::Instant};
            use tokio::{self, sync::{mpsc, oneshot as once}, time::{self as clock, Interval}};
            use {uuid::Uuid, crate::X};
            pub fn a(b: mpsc::Sender<u8>) {}
            pub fn c() -> (once::Sender<fmt::Error>, Instant, X) {}
            pub struct D { pub e: clock::Sleep }
            pub fn f(
                mpsc: u8,
                g: &mut Interval,
            ) -> Option<Uuid> {}
            pub fn h(i: oneshot::X, j: time::X, k: std::mpsc::X) {}
        ";
        assert_eq!(lines(text), [5, 6, 7, 10, 11]);
    }

    #[test]
    fn a_finding_says_what_to_do() {
        assert_eq!(
            findings("use tokio::sync::mpsc;\npub fn a(b: mpsc::Sender<u8>) {}"),
            [
                "core.rs:2: `mpsc` of `tokio` is named in a public signature: wrap it in a type of ours, because its next \
              major version must not be ours"
            ]
        );
    }

    #[test]
    fn a_broken_file_ends_somewhere() {
        for text in [
            "pub",
            "pub fn",
            "pub fn a(",
            "}",
            "# [",
            "pub struct A(",
            "impl",
            "use a::{",
            "pub enum {",
            ">>",
            "mod {",
        ] {
            let _ = findings(text);
        }
    }
}
