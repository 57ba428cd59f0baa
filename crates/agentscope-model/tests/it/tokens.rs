//! The estimate of tokens beside the true count, for texts that are at hand.

use agentscope_core::{
    ChatModel, ContentBlock, Media, ModelCard, ModelRequest, Msg, ToolSpec, estimate_tokens, model_fn,
};
use agentscope_model::tokens;
use serde_json::json;
use std::{fmt::Write, sync::Arc};

const CHINESE: &str = "智能体先想一想,再决定要不要用工具。工具运行之前,它会把要做的事情写进日志;运行之后,结果会按照调用的顺序\
交还给模型。如果网络断开,连接恢复以后会从断开的地方继续,每个事件只会看到一次。用户可以随时打断回答,已经说出的话不会丢失,\
没有完成的调用会得到一个说明原因的结果。下一次提问时,模型能看到这一切,因此不会重复已经做过的事情。价格、次数和时间都有上限,\
超过上限时会明确地告诉用户。";

/// Texts of the kinds that agents have to do with.
fn samples() -> Vec<(&'static str, String)> {
    let mut log = String::new();
    for at in 0..200_u64 {
        let hash = at.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        writeln!(
            log,
            "2026-11-{:02}T10:{:02}:{:02}Z INFO id={hash:016x} took {}.{:03} ms",
            at % 28 + 1,
            at % 60,
            at * 7 % 60,
            at * 13 % 997,
            at * 31 % 1000
        )
        .unwrap();
    }
    vec![
        ("English", include_str!("../../README.md").to_owned()),
        ("Chinese", CHINESE.to_owned()),
        ("code", include_str!("../../src/tokens/openai.rs").to_owned()),
        ("JSON", include_str!("../fixtures/aimock.json").to_owned()),
        ("log", log),
    ]
}

#[test]
fn the_estimate_is_near_the_count() {
    for (kind, text) in samples() {
        let (estimate, count) = (estimate_tokens(&text), tokens::count_text("gpt-4o", &text));
        let ratio = estimate as f64 / count as f64;
        println!(
            "{kind}: {count} tokens, estimated {ratio:.3}, by bytes {:.3}",
            text.len() as f64 / 4.0 / count as f64
        );
        assert!((0.85..1.15).contains(&ratio), "{kind}: {estimate} for {count}");
    }
}

#[tokio::test]
async fn a_request_is_counted_the_same_at_once_and_on_a_thread_of_its_own() {
    let short = ModelRequest::new([Msg::user("Hello there.")]);
    let first = tokens::count("gpt-4o", &short).await.unwrap();
    assert_eq!(tokens::count("gpt-4o", &short).await.unwrap(), first, "once the tables are read");
    let text = &include_str!("../../README.md").repeat(8);
    let long = ModelRequest::new([Msg::user("Hello there."), Msg::user(text)]);
    let all = tokens::count("gpt-4o", &long).await.unwrap();
    assert_eq!(
        all - first,
        tokens::count_text("gpt-4o", text) + 3 + 2 * tokens::count_text("gpt-4o", "user") + 1
    );
}

#[tokio::test]
async fn what_nobody_can_count_is_estimated() {
    let req = ModelRequest::new([Msg::user("Hello there."), Msg::assistant("Friday", "Hello.")]);
    for model in ["qwen-max", "claude-sonnet-4-5", "no-such-model"] {
        assert_eq!(tokens::count(model, &req).await.unwrap(), tokens::estimate(model, &req), "{model}");
    }
}

#[tokio::test]
async fn images_are_counted_by_their_size_and_tools_by_their_schema() {
    let mut gif = *b"GIF89a\0\0\0\0";
    gif[6..8].copy_from_slice(&1024_u16.to_le_bytes());
    gif[8..10].copy_from_slice(&1024_u16.to_le_bytes());
    let gif = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, gif);
    let with = |media: Media| {
        let mut msg = Msg::user("What is this?");
        msg.content.push(ContentBlock::Image(media));
        ModelRequest::new([msg])
    };
    let plain = ModelRequest::new([Msg::user("What is this?")]);
    let mut small = Media::base64("image/gif", &*gif);
    small.extra.set("detail", "low");
    for (model, media, cost) in [
        ("gpt-4o", Media::base64("image/gif", &*gif), 765),
        ("gpt-4o", Media::url(format!("data:image/gif;base64,{gif}")), 765),
        ("gpt-4o", small, 85),
        ("gpt-4o", Media::url("https://example.org/a.png"), 765),
        ("claude-sonnet-4-5", Media::base64("image/gif", &*gif), 1399),
        ("qwen-vl-max", Media::base64("image/gif", "not base64"), 1282),
    ] {
        let added =
            tokens::count(model, &with(media)).await.unwrap() - tokens::count(model, &plain).await.unwrap();
        assert_eq!(added, cost, "{model}");
    }
    let mut equipped = plain.clone();
    let schema = json!({"type": "object", "properties": {"city": {"type": "object", "properties": {
        "name": {"type": "string", "description": "Its name"}}}, "days": {"type": "array", "items": {"type": "integer"}}}});
    equipped.tools = [Arc::new(ToolSpec::new("weather", "The weather of a city.", schema))].into();
    for model in ["gpt-4o", "qwen-max"] {
        let added =
            tokens::count(model, &equipped).await.unwrap() - tokens::count(model, &plain).await.unwrap();
        assert!((20..80).contains(&added), "{model}: {added}");
    }
    let any = model_fn(ModelCard::new("any"), |_| async { Ok("") });
    assert!((20..80).contains(&(any.estimate_tokens(&equipped) - any.estimate_tokens(&plain))));
}
