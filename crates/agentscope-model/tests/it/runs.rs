//! What is left of a run.

use agentscope_agent::ReActAgent;
use agentscope_core::{
    AgentExt, ChatModel, Context, Error, ErrorKind, FinishReason, ModelCard, ModelDelta, ModelRequest, Msg,
    PathEntry, ScriptedModel, Usage, model_fn,
    testing::{Line, conformance, fail, say},
};
use agentscope_model::{RunDir, RunSummary};
use futures_util::StreamExt;
use serde_json::{Value, json};
use std::{fs, path::Path, sync::Arc};
use tempfile::{TempDir, tempdir};

fn run() -> (TempDir, RunDir) {
    let parent = tempdir().unwrap();
    let run = RunDir::create(parent.path().join("runs")).unwrap();
    (parent, run)
}

fn read(path: impl AsRef<Path>) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn names(path: &Path) -> Vec<String> {
    let entries = fs::read_dir(path).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_run_has_a_directory_of_its_own_that_only_its_user_can_read() {
    let (parent, one) = run();
    let two = RunDir::create(parent.path().join("runs")).unwrap();
    assert_ne!(one.id(), two.id());
    let pattern: String =
        one.id().chars().map(|it| if it.is_ascii_digit() { '0' } else { it }).take(20).collect();
    assert_eq!(pattern, "run_00000000-000000_");
    assert_eq!(one.id().len(), 26);
    assert_eq!(names(one.path()), [".config", "file", "invoke"]);
    let config = read(one.path().join(".config"));
    assert_eq!(config["run_id"], one.id());
    assert_eq!(config["pid"], std::process::id());
    assert!(one.files().is_dir());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(one.path()), mode(&one.path().join(".config"))), (0o700, 0o600));
    }
    let summary = two.close().await.unwrap();
    assert_eq!(read(two.path().join("summary.json")), json!({"written": 0, "dropped": 0, "failed": 0}));
    assert!(summary.is_complete());
    assert_eq!(two.close().await.unwrap_err().kind(), ErrorKind::Conflict);
}

#[test]
fn a_directory_that_cannot_be_made_is_an_error_that_names_it() {
    let parent = tempdir().unwrap();
    let file = parent.path().join("taken");
    fs::write(&file, "").unwrap();
    let error = RunDir::create(&file).unwrap_err();
    assert!(error.message().contains("taken"), "{error}");
}

#[tokio::test]
async fn a_call_is_written_with_what_was_asked_and_what_was_answered() {
    let (_parent, run) = run();
    let run = run.redact("hunter2");
    let mut card = ModelCard::new("org/gpt:4o");
    card.context_size = 1_000;
    let deltas = vec![
        ModelDelta::Thinking { block: 0, delta: "hm".to_owned() },
        ModelDelta::Extra { block: 0, key: "signature".to_owned(), value: json!("c2ln") },
        ModelDelta::Text { block: 1, delta: "Your password is ".to_owned() },
        ModelDelta::Text { block: 1, delta: "hunter2.".to_owned() },
        ModelDelta::tool_call(2, "c1", "login", r#"{"password":"#),
        ModelDelta::tool_call(2, "c1", "login", r#""hunter2"}"#),
        ModelDelta::Media { block: 3, media_type: "audio/wav".to_owned(), delta: "AAAA".to_owned() },
        ModelDelta::Media { block: 3, media_type: "audio/wav".to_owned(), delta: "BBBB".to_owned() },
        ModelDelta::Usage(Usage::new(7, 3)),
        ModelDelta::Finish { reason: FinishReason::Stop },
    ];
    let given = deltas.clone();
    let model = run.log(model_fn(card, move |_| {
        let deltas = deltas.clone();
        async move { Ok(deltas) }
    }));
    let mut req = ModelRequest::new([Msg::user("I am Bob, hunter2, and sk-1234567890abcdef.")]);
    req.speaker = "Friday".into();
    let cx = Context::new().with_path([PathEntry { agent: "f".into(), session: "chat-1".into() }]);
    let taken: Vec<_> = model.call(req, cx).map(Result::unwrap).collect().await;
    assert_eq!(taken, given, "the caller sees all as it is");
    run.close().await.unwrap();

    assert_eq!(names(&run.path().join("invoke")), ["000001_org-gpt-4o.json"]);
    let path = run.path().join("invoke/000001_org-gpt-4o.json");
    let text = fs::read_to_string(&path).unwrap();
    assert!(!text.contains("hunter2") && !text.contains("1234567890"), "{text}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let call = read(&path);
    assert_eq!(
        (&call["number"], &call["outcome"], &call["finish"]),
        (&json!(1), &json!("ended"), &json!("stop"))
    );
    assert_eq!(call["error"], Value::Null);
    assert_eq!(call["usage"]["input_tokens"], 7);
    assert_eq!(call["path"], json!([{"agent": "f", "session": "chat-1"}]));
    assert_eq!(call["model"]["context_size"], 1_000);
    assert_eq!(call["request"]["messages"][0]["content"][0]["text"], "I am Bob, ***, and sk-***.");
    assert!(call["duration_ms"].as_f64().unwrap() >= call["first_piece_ms"].as_f64().unwrap());
    let content = &call["answer"]["content"];
    assert_eq!(content[0], json!({"type": "thinking", "thinking": "hm", "signature": "c2ln"}));
    assert_eq!(content[1]["text"], "Your password is ***.");
    assert_eq!(content[2]["input"], json!({"password": "***"}));
    assert_eq!(content[3]["source"]["data"], "AAAABBBB");
    let message: Msg = serde_json::from_value(call["answer"].clone()).unwrap();
    assert_eq!((&*message.name, message.content.len()), ("Friday", 4));
}

#[tokio::test]
async fn calls_that_fail_are_dropped_or_never_begin_are_told_apart() {
    let (_parent, run) = run();
    let model = run.log(ScriptedModel::new([
        fail(Error::new(ErrorKind::Unavailable, "away").with_source("refused with sk-1234567890abcdef")),
        Line::new().say("one two three").chunks(4),
        say("to its finish"),
    ]));
    let ask = || model.call(ModelRequest::new([Msg::user("hi")]), Context::new());
    drop(ask());
    ask().collect::<Vec<_>>().await;
    ask().next().await.unwrap().unwrap();
    let mut answer = ask();
    while !matches!(answer.next().await.unwrap().unwrap(), ModelDelta::Finish { .. }) {}
    drop(answer);
    assert_eq!(run.close().await.unwrap().written, 3);
    let call = |number: u32| read(run.path().join(format!("invoke/{number:06}_scripted.json")));
    assert_eq!((&call(1)["outcome"], &call(1)["error"]["kind"]), (&json!("failed"), &json!("unavailable")));
    assert_eq!(call(1)["error"]["causes"], json!(["refused with sk-***"]));
    assert_eq!((&call(2)["outcome"], &call(2)["finish"]), (&json!("dropped"), &Value::Null));
    assert_eq!(call(2)["answer"]["content"][0]["text"], "one ");
    assert_eq!(call(3)["outcome"], "ended");
}

#[tokio::test]
async fn what_finds_no_place_is_counted_and_keeps_no_call_waiting() {
    let (_parent, run) = run();
    let run = run.most_waiting(0);
    let model = run.log(ScriptedModel::new([say("one"), say("two")]));
    for _ in 0..2 {
        model.call(ModelRequest::default(), Context::new()).collect::<Vec<_>>().await;
    }
    let summary = run.close().await.unwrap();
    assert_eq!((summary.written, summary.dropped, summary.is_complete()), (0, 2, false));
    let told: RunSummary = serde_json::from_value(read(run.path().join("summary.json"))).unwrap();
    assert_eq!(told, summary);
}

#[tokio::test]
async fn a_file_that_cannot_be_written_is_counted_and_told() {
    let (_parent, run) = run();
    fs::remove_dir(run.path().join("invoke")).unwrap();
    let model = run.log(ScriptedModel::new([say("one")]));
    let answer: Vec<_> = model.call(ModelRequest::default(), Context::new()).collect().await;
    assert!(answer.iter().all(Result::is_ok), "the call itself goes well");
    let summary = run.close().await.unwrap();
    assert_eq!((summary.written, summary.failed), (0, 1));
    assert!(summary.failure.unwrap().contains("000001_scripted.json"));
}

#[tokio::test]
async fn without_a_close_all_is_written_when_the_run_is_dropped() {
    let (_parent, run) = run();
    let path = run.path().to_owned();
    let friday = ReActAgent::new("Friday", run.log(ScriptedModel::new((0..20).map(|_| say("hi")))));
    for _ in 0..20 {
        friday.reply("hi").await.unwrap();
    }
    drop((run, friday));
    let summary = path.join("summary.json");
    let ended = async {
        while !fs::read(&summary).is_ok_and(|text| text.ends_with(b"\n")) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), ended).await.unwrap();
    assert_eq!(read(summary)["written"], 20);
    assert_eq!(names(&path.join("invoke")).len(), 20);
}

#[tokio::test]
async fn a_logged_model_is_a_model() {
    let (_parent, run) = run();
    conformance::chat_model(move || {
        Arc::new(run.log(ScriptedModel::new((0..16).map(|_| say("Hello, you."))).may_leave_lines()))
    })
    .await;
}
