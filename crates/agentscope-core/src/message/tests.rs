//! Messages as JSON, what they say, and how they come to be.

mod fold;
mod json;

use super::*;

fn call(id: &str) -> ToolCall {
    ToolCall::new(id, "f", "{}")
}

fn result(id: &str) -> ToolResult {
    ToolResult::success(id, "f", "done")
}

#[test]
fn text_is_what_was_said_after_the_last_tool_result() {
    let msg = Msg::assistant("Friday", "Let me see.")
        .with(call("a"))
        .with(result("a"))
        .with("It is")
        .with("sunny.");
    assert_eq!(msg.text(), "It is\nsunny.");
    assert_eq!(msg.with(call("b")).with(result("b")).text(), "", "nothing was said since");
}

#[test]
fn the_result_of_the_finish_tool_does_not_silence_the_words_before_it() {
    let finish = ToolResult::success("z", FINISH_TOOL, "ok");
    let msg =
        Msg::assistant("Friday", "Here it is.").with(ToolCall::new("z", FINISH_TOOL, "{}")).with(finish);
    assert_eq!(msg.text(), "Here it is.");
}

#[test]
fn only_what_an_agent_says_leaves_it() {
    let mut msg = Msg::assistant("Friday", "secretly looking")
        .with(ContentBlock::thinking("hm"))
        .with(call("a"))
        .with(result("a"))
        .with(ContentBlock::Hint { text: "plan".into(), extra: Extra::default() })
        .with(ContentBlock::Heard(Msg::user("psst").into()))
        .with(ContentBlock::thinking("so"))
        .with("It is sunny.")
        .url("sun.png");
    msg.output = Some(serde_json::json!({"sunny": true}));
    msg.usage = Some(Usage::new(1, 2));
    let spoken = msg.spoken();
    assert_eq!(spoken.content, ["It is sunny.".into(), ContentBlock::url("sun.png")]);
    assert_eq!((&spoken.id, &spoken.name, &spoken.output), (&msg.id, &msg.name, &msg.output));
    assert_eq!(spoken.usage, None);
}

#[test]
fn a_round_is_what_was_said_and_then_what_the_tools_answered() {
    let msg = Msg::new("Friday", Role::Assistant, Vec::new())
        .with(call("a"))
        .with(call("b"))
        .with(result("a"))
        .with(result("b"))
        .with(ContentBlock::Heard(Msg::user("and?").into()))
        .with("done");
    let rounds: Vec<_> = msg.rounds().map(|round| (round.said.len(), round.results.len())).collect();
    assert_eq!(rounds, [(2, 2), (2, 0)]);
    assert_eq!(Msg::new("x", Role::User, Vec::new()).rounds().count(), 0);
}

#[test]
fn a_call_is_open_until_a_result_after_it_that_is_not_running() {
    let open = |msg: &Msg| msg.open_calls().map(|call| call.id.to_string()).collect::<Vec<_>>();
    let running = ToolResult::new("b", "f", ToolState::Running, Vec::new());
    let msg = Msg::new("Friday", Role::Assistant, Vec::new())
        .with(call("a"))
        .with(call("b"))
        .with(call("c"))
        .with(result("a"))
        .with(running);
    assert_eq!(open(&msg), ["b", "c"]);
    let again =
        Msg::new("Friday", Role::Assistant, Vec::new()).with(call("a")).with(result("a")).with(call("a"));
    assert_eq!(open(&again), ["a"], "a provider may give the ids of a former round again");
}

#[test]
fn what_a_provider_counts_cannot_overflow() {
    let mut usage = Usage::new(u64::MAX, 1);
    usage += Usage::new(u64::MAX, 1);
    assert_eq!((usage.input_tokens, usage.output_tokens), (u64::MAX, 2));
}

#[test]
fn the_extension_says_what_a_file_is() {
    for (url, kind) in
        [("a/cat.JPG", "image"), ("x.wav?y=1.png", "audio"), ("f.webm#t=3", "video"), ("x", "application")]
    {
        let media_type = ContentBlock::url(url).media().unwrap().media_type().to_owned();
        assert!(media_type.starts_with(kind), "{url}: {media_type}");
    }
}

#[test]
fn a_path_is_local_and_a_web_address_is_not() {
    for (url, path) in [
        ("pic.jpg", Some("pic.jpg")),
        ("C:\\pic.jpg", Some("C:\\pic.jpg")),
        ("file:///tmp/pic.jpg", Some("/tmp/pic.jpg")),
        ("file://localhost/tmp/pic.jpg", Some("/tmp/pic.jpg")),
        ("https://example.org/pic.jpg", None),
        ("data:image/png;base64,AAAA", None),
    ] {
        assert_eq!(Media::url(url).local_path(), path, "{url}");
    }
    assert_eq!(Media::base64("image/png", "AAAA").local_path(), None);
}
