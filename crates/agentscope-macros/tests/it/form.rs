//! Where `#[tool]` may stand, and what it may stand beside.

use crate::{spec, text};
use agentscope_core::tool;
use serde_json::json;

/// Tools in a module of their own.
pub(crate) mod elsewhere {
    use agentscope_core::tool;

    type Answer = String;

    /// Reached by `use`.
    #[tool]
    pub(crate) async fn far(
        /// Named as a type that the expansion could have.
        args: super::Args,
    ) -> Answer {
        args.0
    }

    /// Sees the parent.
    #[tool]
    pub(super) fn near() -> &'static str {
        super::WORD
    }
}

/// An argument type whose name is a common one.
#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
pub(crate) struct Args(String);

const WORD: &str = "word";

use elsewhere::{far, near};

#[tokio::test]
async fn a_tool_is_imported_by_its_name() {
    assert_eq!(text(far, json!({"args": "hi"})).await.unwrap(), "hi");
    assert_eq!(far::run(Args("hi".into())).await, "hi");
    assert_eq!(text(near, json!({})).await.unwrap(), "word");
}

/// Raw.
#[tool]
async fn r#match(
    /// Raw too.
    r#type: String,
    /// Plain.
    #[tool(default = 1)]
    r#fn: u8,
) -> String {
    format!("{} {}", r#type, r#fn)
}

#[tokio::test]
async fn raw_identifiers_lose_their_mark() {
    assert_eq!(spec(r#match).name, "match");
    assert_eq!(text(r#match, json!({"type": "t", "fn": 2})).await.unwrap(), "t 2");
    assert_eq!(r#match::run("t".into(), 3).await, "t 3");
}

#[tokio::test]
async fn a_tool_is_written_inside_of_a_function() {
    #[derive(serde::Deserialize, schemars::JsonSchema)]
    struct Local {
        /// A word.
        word: String,
    }

    /// Local.
    #[tool]
    async fn local(
        /// Of a local type.
        it: Local,
    ) -> String {
        it.word
    }
    assert_eq!(text(local, json!({"it": {"word": "w"}})).await.unwrap(), "w");
}

/// Its own name, and names that the expansion uses.
#[tool]
#[allow(clippy::too_many_arguments)]
async fn names(
    /// 1
    names: u8,
    /// 2
    cx: u8,
    /// 3
    mut req: u8,
    /// 4
    output: u8,
    /// 5
    out: u8,
    /// 6
    item: u8,
    /// 7
    chunks: u8,
    /// 8
    #[allow(unused_variables)]
    tool: u8,
) -> u8 {
    req += 1;
    names + cx + req + output + out + item + chunks
}

#[tokio::test]
async fn no_name_collides() {
    let ones =
        json!({"names": 1, "cx": 1, "req": 1, "output": 1, "out": 1, "item": 1, "chunks": 1, "tool": 1});
    assert_eq!(text(names, ones).await.unwrap(), "8");
}

/// Calls itself.
#[tool]
fn factorial(
    /// Of what.
    n: u64,
) -> u64 {
    if n == 0 { 1 } else { n * factorial(n - 1) }
}

#[tokio::test]
async fn a_tool_calls_itself() {
    assert_eq!(text(factorial, json!({"n": 5})).await.unwrap(), "120");
}

/// Only here.
#[tool]
#[cfg(test)]
async fn present() {}

/// Never.
#[tool]
#[cfg(not(test))]
async fn present() -> Nonsense {}

/// Never used, and that is no matter.
#[tool]
#[allow(dead_code)]
async fn unused_but_allowed() {}

/// Never used, as expected.
#[tool]
#[expect(dead_code)]
async fn unused_as_expected() {}

/// Old.
#[tool]
#[deprecated]
fn old() {}

#[tool(description = "Told by its option alone.")]
async fn undocumented() {}

#[doc = concat!("Told by ", "a macro.")]
#[tool]
async fn documented_by_macro(
    #[doc = concat!("Told ", "too.")] it: u8,
    #[schemars(description = "By schemars.")] other: u8,
) -> u8 {
    it + other
}

/**
 * A block
 * of words.
 */
#[tool]
async fn documented_by_block() {}

#[test]
fn attributes_stay() {
    assert_eq!(spec(present).description, "Only here.");
    #[expect(deprecated, reason = "the attribute stays")]
    let deprecated = spec(old);
    assert_eq!(deprecated.name, "old");
    assert_eq!(spec(undocumented).description, "Told by its option alone.");
    assert_eq!(spec(documented_by_block).description, "A block of words.");
    let it = spec(documented_by_macro);
    assert_eq!(it.description, "Told by a macro.");
    assert_eq!(it.input_schema["properties"]["it"]["description"], "Told too.");
    assert_eq!(it.input_schema["properties"]["other"]["description"], "By schemars.");
}

/// Tools whose names the expansion, serde and schemars could use for variables.
mod common_names {
    use agentscope_core::tool;

    /// 1
    #[tool]
    pub(super) async fn output() {}
    /// 2
    #[tool]
    pub(super) async fn req() {}
    /// 3
    #[tool]
    pub(super) async fn cx() {}
    /// 4
    #[tool]
    pub(super) fn item(
        /** Word. */
        word: &str,
    ) -> String {
        word.into()
    }
    /// 5
    #[tool]
    pub(super) async fn value(
        /** Word. */
        word: Option<String>,
    ) -> Option<String> {
        word
    }
}

#[tokio::test]
async fn a_tool_has_any_name() {
    use common_names::{cx, item, output, req, value};
    assert_eq!(text(item, json!({"word": "w"})).await.unwrap(), "w");
    assert_eq!(text(value, json!({})).await.unwrap(), "null");
    assert_eq!([spec(output), spec(req), spec(cx)].map(|it| it.name.len()), [6, 3, 2]);
}
