use super::*;
use crate::ReActAgent;
use agentscope_core::{
    AgentCard, ContentBlock, Context, Event, EventKind, EventStream, Finish, Msg, ReplyRequest,
    ScriptedModel, Timestamp, Tool, ToolChunk, ToolRequest, ToolResult, ToolStream, agent_fn,
    testing::{Line, say},
};
use futures_util::FutureExt;
use person::{Ask, Kind, Said, Typed};
use serde_json::json;
use signals::Signal;
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

/// Who types what the test sends.
struct Typing(mpsc::Receiver<String>);

impl Person for Typing {
    fn prompts(&self) -> bool {
        false
    }
    fn say<'a>(&'a mut self, _: Ask<'a>) -> BoxFuture<'a, Result<Said>> {
        Box::pin(async { Ok(self.0.recv().await.map_or(Said::End, Said::Line)) })
    }
    fn typed(&mut self) -> BoxFuture<'_, Typed> {
        Box::pin(std::future::pending())
    }
}

/// The transcript of a talk through a pipe whose input is `lines` and then ends.
async fn talk(agent: impl Agent, lines: &[&str], sample: Option<&str>) -> String {
    let (input, receiver) = mpsc::channel(64);
    for line in lines {
        input.send((*line).to_owned()).await.unwrap();
    }
    drop(input);
    let (mut read, write) = tokio::io::duplex(1 << 20);
    let never = || Box::pin(std::future::pending());
    let screen = Screen::of(write, Look { terminal: false, color: false });
    let Console { agent, tools, .. } = console(agent);
    let mut talk = Talk::new(agent, Box::new(Typing(receiver)), screen, never);
    talk.tools = tools;
    talk.price = Some(Price::new(1.0, 2.0).cached(0.5));
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
        "> go\n(thinks) Let me act.\n? act {\"hard\":true}\n  run it? [y]es, [n]o, [a]lways, ne[v]er, [e]dit: y\n→ act {\"hard\":true}\n← \
         [2Jacted\nFriday: Done.\n> /exit\n"
    );
}

#[tokio::test]
async fn the_end_of_input_is_a_denial() {
    let text = talk(acting([say("Pity.")]), &["go"], None).await;
    assert!(text.contains("(end of input: no)") && text.contains("← act: not allowed: "), "{text}");
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
    let ctrl_c = || Box::pin(tokio::time::sleep(Duration::from_millis(1500)).map(|()| Signal::Interrupt));
    let agent = Arc::new(ReActAgent::new("Friday", model));
    let screen = Screen::of(write, Look { terminal: false, color: false });
    Talk::new(agent, Box::new(Typing(receiver)), screen, ctrl_c).run(None).await.unwrap();
    let mut text = String::new();
    read.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "> go\nFriday: one \n(interrupted)\n");
}

#[tokio::test]
async fn each_answer_decides_and_what_is_none_is_a_denial() {
    let twice = || {
        let again = Line::new().call("c2", "act", json!({}));
        acting([again, say("Done.")])
    };
    let ran = |text: &str| text.matches("→ act").count();
    let question = |text: &str| text.matches("run it?").count();
    for (answers, runs, questions) in [
        (&["go", "y", "n"][..], 1, 2),
        (&["go", "a"], 2, 1),
        (&["go", "v"], 0, 1),
        (&["go", "n too early", "YES"], 1, 2),
        (&["go", "e", r#"{"soft": 1}"#, "n"], 1, 2),
        (&["go", "e", "soft", "n"], 0, 2),
        (&["go", "perhaps", "y"], 1, 2),
    ] {
        let text = talk(twice(), answers, None).await;
        assert_eq!((ran(&text), question(&text)), (runs, questions), "{answers:?}: {text}");
        assert!(text.ends_with("Friday: Done.\n"), "{answers:?}: {text}");
    }
    let text = talk(twice(), &["go", "e", r#"{"soft": 1}"#, "n not twice"], None).await;
    assert!(text.contains("→ act {\"soft\": 1}") && text.contains("not twice"), "{text}");
    let text = talk(twice(), &["go", "v"], None).await;
    assert!(text.contains("do not call it again") && text.contains("denied for the rest"), "{text}");
}

#[tokio::test]
async fn commands_work_in_a_pipe() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).display().to_string();
    let (markdown, json) = (file("talk.md"), file("talk.json"));
    let save = format!("/save {markdown}");
    let (replace, as_json) = (format!("/save! {markdown}"), format!("/save {json}"));
    let agent = ReActAgent::new("Friday", ScriptedModel::new([say("Hello.")])).tool(Act);
    let lines = [
        "/last", "hi", "/tools", "/history", "/usage", &save, &save, &replace, &as_json, "/hitsory", "/exit",
        "no",
    ];
    let text = talk(agent, &lines, None).await;
    assert!(text.contains("> /tools\n  act  Acts.\n> /history\n> hi\nFriday: Hello.\n"), "{text}");
    assert!(text.contains("this talk: 10 tokens in · 5 out · cost 0.0000\n"), "{text}");
    assert_eq!(text.matches("saved in").count(), 3, "{text}");
    assert!(text.contains(&format!("is there already: give another name, or `/save! {markdown}`")), "{text}");
    assert!(text.contains("did you mean /history?") && !text.contains("> no"), "{text}");
    assert!(text.contains("no tool gave a result yet"), "{text}");
    assert_eq!(std::fs::read_to_string(markdown).unwrap(), "## user\n\nhi\n\n## Friday\n\nHello.\n\n");
    let saved: Vec<Msg> = serde_json::from_str(&std::fs::read_to_string(json).unwrap()).unwrap();
    assert_eq!((saved.len(), saved[1].text().as_str()), (2, "Hello."));
}

#[tokio::test]
async fn the_last_result_is_shown_in_full() {
    let text = talk(acting([say("Done.")]), &["go", "y", "/last", "/last 2"], None).await;
    assert!(text.contains("> /last\nact:\n[2Jacted\n"), "{text}");
    assert!(text.contains("there are not 2 results yet"), "{text}");
}

#[tokio::test]
async fn a_slash_twice_is_a_message() {
    let echo = agent_fn("Echo", |msgs, _| async move { Ok(Msg::assistant("Echo", msgs[0].text())) });
    assert_eq!(talk(echo, &["//etc", "/tools"], None).await.lines().nth(1), Some("Echo: /etc"));
}

/// Somebody before a terminal who says and types what a script says.
struct Actor {
    says: Vec<Said>,
    /// What is typed while the agent works, and when.
    types: Vec<(Duration, Typed)>,
    began: Option<tokio::time::Instant>,
}

fn actor<const N: usize>(says: [Said; N]) -> Actor {
    Actor { says: says.into(), types: Vec::new(), began: None }
}

impl Actor {
    fn types(mut self, millis: u64, text: &str, entered: bool) -> Self {
        self.types.push((Duration::from_millis(millis), Typed { text: text.to_owned(), entered }));
        self
    }
}

impl Person for Actor {
    fn prompts(&self) -> bool {
        true
    }
    fn say<'a>(&'a mut self, ask: Ask<'a>) -> BoxFuture<'a, Result<Said>> {
        let said = if self.says.is_empty() { Said::End } else { self.says.remove(0) };
        let said = match said {
            Said::Line(line) if ask.kind == Kind::Steer => Said::Line(format!("{}{line}", ask.text)),
            said => said,
        };
        Box::pin(async { Ok(said) })
    }
    fn typed(&mut self) -> BoxFuture<'_, Typed> {
        Box::pin(async {
            match self.types.first() {
                Some((time, _)) => {
                    let began = *self.began.get_or_insert_with(tokio::time::Instant::now);
                    tokio::time::sleep_until(began + *time).await;
                }
                None => std::future::pending().await,
            }
            self.types.remove(0).1
        })
    }
}

/// What somebody before a terminal of 80 columns sees. `color`: with its styles.
async fn act(agent: ReActAgent, actor: Actor, color: bool) -> String {
    let (mut read, write) = tokio::io::duplex(1 << 20);
    let screen = Screen::of(write, Look { terminal: true, color });
    let never = || Box::pin(std::future::pending());
    let mut talk = Talk::new(Arc::new(agent), Box::new(actor), screen, never);
    talk.interactive = true;
    talk.run(None).await.unwrap();
    let mut text = String::new();
    read.read_to_string(&mut text).await.unwrap();
    text
}

fn line(text: &str) -> Said {
    Said::Line(text.to_owned())
}

/// A tool that takes a second and needs no approval.
struct Slow;

impl Tool for Slow {
    fn spec(&self) -> Arc<ToolSpec> {
        Arc::new(ToolSpec::new("slow", "Takes its time.", json!({"type": "object"})).read_only())
    }
    fn call(&self, _: ToolRequest, _: Context) -> ToolStream {
        Box::pin(futures_util::stream::once(async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok(ToolChunk::text("one\ntwo\nthree"))
        }))
    }
}

#[tokio::test(start_paused = true)]
async fn in_a_terminal_results_are_folded_and_the_tokens_told() {
    let model =
        ScriptedModel::new([Line::new().call("c1", "slow", json!({"long": "x".repeat(200)})), say("Done.")]);
    let agent = ReActAgent::new("Friday", model).tool(Slow);
    let text = act(agent, actor([line("go")]), false).await;
    let lines: Vec<&str> = text.lines().skip(1).collect();
    assert!(lines[0].starts_with("→ slow {\"long\":\"xxx") && lines[0].ends_with('…'), "{text}");
    assert!(lines[0].chars().count() <= 80, "{text}");
    assert_eq!(lines[1..3], ["← one (+2 lines, 1.0 s)", "Friday: Done."]);
    assert_eq!(lines[3], "20 tokens in · 10 out · 1.0 s");
}

#[tokio::test(start_paused = true)]
async fn what_is_typed_while_the_agent_works_is_heard_before_its_next_thought() {
    let model = ScriptedModel::new([Line::new().call("c1", "slow", json!({})), say("Quickly.")]);
    let agent = ReActAgent::new("Friday", model.clone()).tool(Slow);
    let actor = actor([line("go"), line("urry")]).types(500, "h", false);
    let text = act(agent, actor, false).await;
    assert!(text.contains("(Friday heard: hurry)\nFriday: Quickly.\n"), "{text}");
    assert!(format!("{:?}", model.requests()[1].messages).contains("hurry"));
}

#[tokio::test(start_paused = true)]
async fn what_comes_too_late_to_be_heard_is_asked_next() {
    let model = ScriptedModel::new([say("one two three").every(Duration::from_secs(1)), say("Yes.")]);
    let agent = ReActAgent::new("Friday", model.clone());
    let actor = actor([line("count")]).types(1500, "and four?", true);
    let text = act(agent, actor, false).await;
    let said: Vec<&str> =
        text.lines().filter(|it| !it.contains("tokens") && !it.is_empty()).skip(1).collect();
    assert_eq!(said, ["Friday: one ", "(to Friday) and four?", "two three", "Friday: Yes."]);
}

#[tokio::test(start_paused = true)]
async fn a_line_that_is_taken_back_is_not_told() {
    let model = ScriptedModel::new([say("one two").every(Duration::from_secs(1))]);
    let agent = ReActAgent::new("Friday", model);
    let actor = actor([line("count"), Said::Interrupt]).types(1500, "sto", false);
    let text = act(agent, actor, false).await;
    assert!(text.contains("Friday: one \ntwo\n"), "{text}");
}

#[tokio::test]
async fn at_a_question_ctrl_c_ends_the_reply_and_a_wrong_answer_is_asked_again() {
    let says = [line("go"), line("perhaps"), Said::Interrupt, line("go on"), Said::End];
    let text = act(acting([say("Well.")]), actor(says), false).await;
    assert!(text.contains("? act {\"hard\":true}\n← act: interrupted: "), "{text}");
    assert!(text.contains("(interrupted)\n") && text.contains("Friday: Well.\n"), "{text}");
}

#[tokio::test]
async fn what_cannot_be_taken_is_told_and_is_no_permission() {
    let refused = || Said::Refused("too long".to_owned());
    let text = act(acting([say("Well.")]), actor([refused(), line("go"), refused()]), false).await;
    assert!(text.contains("\nerror: too long\n") && !text.contains("→ act"), "{text}");
    assert!(text.contains("← act: not allowed: ") && text.contains("too long\nFriday: Well."), "{text}");
}

#[tokio::test]
async fn ctrl_c_twice_leaves_where_none_runs() {
    let says = [Said::Interrupt, Said::Interrupt, line("no")];
    let agent = ReActAgent::new("Friday", ScriptedModel::new([]));
    let text = act(agent, actor(says), false).await;
    assert_eq!(text.lines().nth(1), Some("(Ctrl-C again leaves)"));
}

#[tokio::test]
async fn markdown_is_rendered_only_with_color() {
    let agent = || ReActAgent::new("Friday", ScriptedModel::new([say("It is **so** easy.")]));
    let actor = || actor([line("hi")]);
    assert!(act(agent(), actor(), true).await.contains("It is \x1b[0;1mso\x1b[0m easy.\n"));
    assert!(act(agent(), actor(), false).await.contains("Friday: It is **so** easy.\n"));
}

#[tokio::test]
async fn what_was_said_before_a_question_is_not_said_again_after_it() {
    let first = Line::new().say("Let me act.").call("c1", "act", json!({}));
    let agent = ReActAgent::new("Friday", ScriptedModel::new([first, say("Done.")])).tool(Act);
    let text = talk(agent, &["go", "y"], None).await;
    assert_eq!((text.matches("Let me act.").count(), text.matches("Done.").count()), (1, 1), "{text}");
}

#[tokio::test]
async fn what_a_reader_missed_is_shown_once() {
    struct Hasty(AgentCard);
    impl Agent for Hasty {
        fn card(&self) -> &AgentCard {
            &self.0
        }
        fn call(&self, _: ReplyRequest, _: Context) -> EventStream {
            let result = ToolResult::success("c1", "act", "acted");
            let whole = Msg::assistant("Hasty", "one two").with(result).with(ContentBlock::text("three"));
            let kinds = [
                EventKind::ReplyStart {
                    name: "Hasty".into(),
                    timestamp: Timestamp::now(),
                    max_iters: 0,
                    output_schema: None,
                    role: agentscope_core::Role::Assistant,
                },
                EventKind::TextDelta { block: 0, delta: "one ".into() },
                EventKind::Resumed { msg: Arc::new(whole.clone()), dropped: 7 },
                EventKind::Resumed { msg: Arc::new(whole.clone()), dropped: 0 },
                EventKind::ReplyEnd { finish: Finish::Completed, metadata: Box::default() },
            ];
            let event = move |(seq, kind)| Ok(Event { reply_id: "r1".into(), epoch: 0, seq, kind });
            EventStream::wrap(futures_util::stream::iter((0..).zip(kinds).map(event)))
        }
        fn observe(&self, _: Vec<Arc<Msg>>) -> BoxFuture<'static, Result<()>> {
            Box::pin(async { Ok(()) })
        }
    }
    let text = talk(Hasty(AgentCard::new("Hasty")), &["go"], None).await;
    assert_eq!(text, "> go\nHasty: one two\n← act: acted\nHasty: three\n");
}

#[test]
fn what_misleads_the_eye_is_approved_as_it_is() {
    assert_eq!(crate::clean::clean("a\u{202e}b\x1b[2J\n"), "ab[2J\n");
    let json = "{\"file\":\"a\u{202e}txt.exe\"}";
    assert_eq!(screen::escaped(json), r#"{"file":"a\u202etxt.exe"}"#);
    let same = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    assert_eq!(same(&screen::escaped(json)), same(json));
}

#[tokio::test]
async fn in_a_pipeline_each_is_heard_in_turn_and_the_last_words_once() {
    let says =
        |name: &'static str, text: &'static str| ReActAgent::new(name, ScriptedModel::new([say(text)]));
    let (amy, bob, cat) = (says("Amy", "one two"), says("Bob", "three"), says("Cat", "four"));
    let both = crate::Fanout::new((&amy, &bob)).join(|_| Ok(Msg::assistant("both", "both spoke")));
    let text = talk(crate::Sequential::new((&both, &cat)), &["go"], None).await;
    for words in ["Amy: one two\n", "Bob: three\n", "Fanout: both spoke\n", "Cat: four\n"] {
        assert_eq!(text.matches(words).count(), 1, "{words:?} in {text}");
    }
    assert!(!text.contains("works .."), "{text}");
}
