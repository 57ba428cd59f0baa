//! Any history of any speakers, for the tests of all wire formats: each has to make a conversation of it that its provider
//! accepts, and to lose nothing that was said.

use agentscope_core::{
    ContentBlock, Extra, Media, ModelRequest, Msg, Role, ToolCall, ToolResult, ToolState, Transcript,
};
use proptest::{collection::vec, prelude::*};
use serde_json::{Value, json};
use std::collections::HashMap;

/// A request of Friday's with these messages.
pub(crate) fn asked(msgs: impl IntoIterator<Item = Msg>) -> ModelRequest {
    let mut req = ModelRequest::new(msgs);
    req.speaker = "Friday".into();
    req
}

/// A request of Friday's with any history, told in any way.
pub(crate) fn request() -> impl Strategy<Value = ModelRequest> {
    (history(), 0usize..3).prop_map(|(history, which)| {
        let mut req = asked(history);
        req.options.transcript = [Transcript::Auto, Transcript::Always, Transcript::Never][which];
        req
    })
}

/// What was said in a request, but for thoughts, which stay with who thought them: each piece has to be on the wire.
pub(crate) fn words_of(req: &ModelRequest) -> Vec<&str> {
    let mut words = Vec::new();
    req.messages.iter().for_each(|msg| said(&msg.content, &mut words));
    words
}

/// Whether it is a tool's name as most providers take it.
pub(crate) fn is_tool_name(name: &Value) -> bool {
    let name = name.as_str().unwrap();
    (1..=64).contains(&name.len())
        && name.bytes().all(|it| it.is_ascii_alphanumeric() || matches!(it, b'_' | b'-'))
}

/// How often each id is there.
pub(crate) fn count<'a>(ids: impl Iterator<Item = &'a Value>) -> HashMap<String, usize> {
    ids.fold(HashMap::new(), |mut counts, id| {
        *counts.entry(id.as_str().unwrap().to_owned()).or_default() += 1;
        counts
    })
}

fn words() -> impl Strategy<Value = String> {
    prop_oneof![1 => Just(String::new()), 5 => "w[0-9]{6}"]
}

fn media() -> impl Strategy<Value = ContentBlock> {
    let url = "https://example\\.com/a\\.(png|wav|mp4|pdf)".prop_map(ContentBlock::url);
    let types = proptest::sample::select(vec!["image/png", "audio/wav", "video/mp4", "application/pdf"]);
    let inline = types.prop_map(|kind| {
        let media = Media::base64(kind, "AAAA");
        match kind {
            "image/png" => ContentBlock::Image(media),
            "audio/wav" => ContentBlock::Audio(media),
            "video/mp4" => ContentBlock::Video(media),
            _ => ContentBlock::File(media),
        }
    });
    prop_oneof![url, inline]
}

fn tool() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(vec!["look", "", "two words", "browser.open", "名字", "functions.look:0"])
}

fn block() -> impl Strategy<Value = ContentBlock> {
    let id = "c[1-3]";
    let output = vec(prop_oneof![3 => words().prop_map(ContentBlock::text), 1 => media()], 0..3);
    prop_oneof![
        4 => words().prop_map(ContentBlock::text),
        1 => words().prop_map(ContentBlock::thinking),
        4 => (id, tool(), "\\{\\}|\\{|").prop_map(|(id, name, input)| ToolCall::new(id, name, input).into()),
        4 => (id, tool(), output).prop_map(|(id, name, output)| ToolResult::new(id, name, ToolState::Success, output).into()),
        2 => media(),
        1 => words().prop_map(|text| ContentBlock::Hint { text, extra: Extra::default() }),
        1 => Just(ContentBlock::Other(json!({"type": "hologram"}))),
    ]
}

fn plain(block: impl Strategy<Value = ContentBlock>) -> impl Strategy<Value = Msg> {
    let role = proptest::sample::select(vec![Role::User, Role::Assistant, Role::System]);
    let name = proptest::sample::select(vec!["Friday", "user", "Bob", "Al <i>ce", ""]);
    (name, role, vec(block, 0..6)).prop_map(|(name, role, content)| Msg::new(name, role, content))
}

fn history() -> impl Strategy<Value = Vec<Msg>> {
    let heard = plain(block()).prop_map(|msg| ContentBlock::Heard(msg.into()));
    vec(plain(prop_oneof![8 => block(), 1 => heard]), 1..6)
}

fn said<'a>(blocks: &'a [ContentBlock], all: &mut Vec<&'a str>) {
    for block in blocks {
        match block {
            ContentBlock::Text { text, .. } | ContentBlock::Hint { text, .. } => all.push(text),
            ContentBlock::ToolResult(result) => said(&result.output, all),
            ContentBlock::Heard(msg) => said(&msg.content, all),
            _ => {}
        }
    }
}
