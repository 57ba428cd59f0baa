use super::*;
use crate::ReActAgent;
use agentscope_core::{
    Context, ScriptedModel, Tool, ToolChunk, ToolRequest, ToolSpec, ToolStream,
    testing::{Line, say},
};
use serde_json::json;
use std::{sync::Arc, time::Duration};
use tokio::{io::AsyncReadExt, sync::mpsc};

struct Act;

impl Tool for Act {
    fn spec(&self) -> Arc<ToolSpec> {
        Arc::new(ToolSpec::new("act", "Acts.", json!({"type": "object"})))
    }
    fn call(&self, _: ToolRequest, _: Context) -> ToolStream {
        Box::pin(futures_util::stream::iter([Ok(ToolChunk::text("\x1b[2Jacted"))]))
    }
}

/// The transcript of a talk whose input is `lines` and then ends.
async fn talk(agent: ReActAgent, lines: &[&str], sample: Option<&str>) -> String {
    let (input, receiver) = mpsc::channel(64);
    for line in lines {
        input.send((*line).to_owned()).await.unwrap();
    }
    drop(input);
    let (mut read, write) = tokio::io::duplex(1 << 20);
    let ctrl_c = || Box::pin(std::future::pending());
    let talk = Talk {
        agent: Box::new(agent),
        lines: Lines::of(receiver),
        screen: Screen::of(write),
        interactive: false,
        ctrl_c,
    };
    talk.run(sample.map(str::to_owned)).await.unwrap();
    let mut text = String::new();
    read.read_to_string(&mut text).await.unwrap();
    text
}

fn acting(rest: impl IntoIterator<Item = Line>) -> ReActAgent {
    let first = Line::new().think("Let me act.").call("c1", "act", json!({"hard": true}));
    ReActAgent::new("Friday", ScriptedModel::new([first].into_iter().chain(rest))).tool(Act)
}

#[tokio::test]
async fn a_tool_that_asks_takes_the_next_line() {
    let text = talk(acting([say("Done.")]), &["go", "y", "/exit"], None).await;
    assert_eq!(
        text,
        "> go\n(thinks) Let me act.\n? act {\"hard\":true}\n  run it? [y]es, [n]o, [a]lways: y\n→ act {\"hard\":true}\n← \
         [2Jacted\nFriday: Done.\n> /exit\n"
    );
}

#[tokio::test]
async fn the_end_of_input_is_a_denial() {
    let text = talk(acting([say("Pity.")]), &["go"], None).await;
    assert!(text.contains("(end of input: no)") && text.contains("← not allowed: "), "{text}");
    assert!(text.ends_with("Friday: Pity.\n"), "{text}");
}

#[tokio::test]
async fn an_empty_input_asks_the_sample_once() {
    let agent = ReActAgent::new("Friday", ScriptedModel::new([say("Hello.")]));
    assert_eq!(talk(agent, &[], Some("Who are you?")).await, "> Who are you?\nFriday: Hello.\n");
    let agent = ReActAgent::new("Friday", ScriptedModel::new([]));
    assert_eq!(talk(agent, &["/exit"], Some("Who are you?")).await, "> /exit\n");
}

#[tokio::test]
async fn an_error_is_shown_and_the_talk_goes_on() {
    let model = ScriptedModel::new([
        Line::new().fail(agentscope_core::Error::new(ErrorKind::Unavailable, "no route to the model")),
        say("Back."),
    ]);
    let text = talk(ReActAgent::new("Friday", model), &["a", "b"], None).await;
    assert_eq!(text, "> a\nerror: no route to the model\n> b\nFriday: Back.\n");
}

#[tokio::test(start_paused = true)]
async fn ctrl_c_interrupts_the_reply_and_then_leaves() {
    let (_input, receiver) = mpsc::channel(1);
    _input.send("go".to_owned()).await.unwrap();
    let (mut read, write) = tokio::io::duplex(1 << 20);
    let model = ScriptedModel::new([say("one two three").every(Duration::from_secs(1))]);
    let ctrl_c = || Box::pin(tokio::time::sleep(Duration::from_millis(1500)));
    let agent = Box::new(ReActAgent::new("Friday", model));
    Talk { agent, lines: Lines::of(receiver), screen: Screen::of(write), interactive: false, ctrl_c }
        .run(None)
        .await
        .unwrap();
    let mut text = String::new();
    read.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "> go\nFriday: one \n(interrupted)\n");
}
