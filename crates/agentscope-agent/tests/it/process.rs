//! What survives the end of a process: an approval that is asked in one and given in another, and `kill -9` at any instant.

use crate::support::{Probe, results};
use agentscope_agent::ReActAgent;
use agentscope_core::{
    AgentExt, AgentState, CallState, Decision, EventKind, Finish, Input, ModelCard, ModelDelta, ModelRequest,
    Msg, Role, ScriptedModel, SessionKey, StateStore, Step, ToolSpec, ToolState, model_fn,
    testing::{FileStore, call, say},
};
use serde_json::json;
use std::{
    collections::HashMap,
    fs::OpenOptions,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

/// Tells a child process what to do, and where.
const ROLE: &str = "AGENTSCOPE_TEST_CHILD";
const PLACE: &str = "AGENTSCOPE_TEST_PLACE";

/// This program again, running only [`a_child_process`] in another role.
fn child(role: &str, place: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "process::a_child_process", "--nocapture"]).env(ROLE, role).env(PLACE, place);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command
}

/// Does nothing by itself: the tests below start it in a process of its own.
#[test]
fn a_child_process() {
    let (Ok(role), Ok(place)) = (std::env::var(ROLE), std::env::var(PLACE)) else { return };
    let place = PathBuf::from(place);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        match role.as_str() {
            "ask" => ask(&place).await,
            "ten-steps" => ten_steps(&place).await,
            decision => decide(&place, decision).await,
        }
    });
}

fn log(place: &Path, line: &str) {
    let mut file = OpenOptions::new().create(true).append(true).open(place.join("log")).unwrap();
    file.write_all(format!("{line}\n").as_bytes()).unwrap();
}

fn logged(place: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(place.join("log")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn logging(name: &str, place: &Path) -> Probe {
    let place = place.to_owned();
    let name_of_run = name.to_owned();
    Probe::new(name, move |req, _| {
        let (place, name) = (place.clone(), name_of_run.clone());
        async move {
            log(&place, &format!("begin {name} {}", req.input["n"]));
            tokio::time::sleep(Duration::from_millis(1)).await;
            log(&place, &format!("end {name} {}", req.input["n"]));
            Ok("done".into())
        }
    })
}

async fn ask(place: &Path) {
    let model = ScriptedModel::new([call("c1", "look", json!({"n": 0})), call("c2", "act", json!({"n": 1}))]);
    let agent = ReActAgent::new("Friday", model)
        .tool(logging("look", place).with(ToolSpec::read_only))
        .tool(logging("act", place));
    let msg = agent.reply("go").await.unwrap();
    assert_eq!(msg.finish, Some(Finish::Waiting));
    let state = agent.snapshot().await.unwrap();
    std::fs::write(place.join("state.json"), serde_json::to_vec(&state).unwrap()).unwrap();
}

async fn decide(place: &Path, decision: &str) {
    let state: AgentState =
        serde_json::from_slice(&std::fs::read(place.join("state.json")).unwrap()).unwrap();
    let agent = ReActAgent::new("Friday", ScriptedModel::new([say("over")]))
        .tool(logging("look", place).with(ToolSpec::read_only))
        .tool(logging("act", place))
        .resumed(state);
    let decision = match decision {
        "allow" => Decision::allow("c2"),
        "edit" => Decision::allow("c2").edited(r#"{"n": 42}"#),
        _ => Decision::deny("c2"),
    };
    let msg = agent.reply(decision).await.unwrap();
    assert_eq!((msg.text().as_str(), msg.finish.clone()), ("over", Some(Finish::Completed)));
    let state = agent.snapshot().await.unwrap();
    assert!(state.is_well_formed());
    assert_eq!(state.context.len(), 2, "one question and one reply, across both processes");
    std::fs::write(place.join("reply.json"), serde_json::to_vec(&*state.context[1].msg).unwrap()).unwrap();
}

#[test]
fn an_approval_is_given_by_another_process_and_nothing_runs_twice() {
    let cases = [
        ("allow", ToolState::Success, Some("begin act 1")),
        ("edit", ToolState::Success, Some("begin act 42")),
        ("deny", ToolState::Denied, None),
    ];
    for (decision, state, began) in cases {
        let place = tempfile::tempdir().unwrap();
        assert!(child("ask", place.path()).status().unwrap().success());
        assert!(child(decision, place.path()).status().unwrap().success(), "{decision}");
        let reply: Msg =
            serde_json::from_slice(&std::fs::read(place.path().join("reply.json")).unwrap()).unwrap();
        assert_eq!(results(&reply)[1].1, state, "{decision}");
        let log = logged(place.path());
        assert_eq!(
            log.iter().filter(|line| line.starts_with("begin look")).count(),
            1,
            "{decision}: {log:?}"
        );
        let acts: Vec<_> =
            log.iter().filter(|line| line.starts_with("begin act")).map(String::as_str).collect();
        assert_eq!(acts, began.into_iter().collect::<Vec<_>>(), "{decision}");
    }
}

const STEPS: usize = 10;

/// An agent of ten steps, each of which runs a tool that may not be run twice beside one that may.
fn stepper(place: &Path) -> ReActAgent {
    let model = model_fn(ModelCard::new("steps"), |req: ModelRequest| async move {
        let done = req.messages.last().map_or(0, |msg| msg.results().count()) / 2;
        Ok(if done < STEPS {
            let input = json!({"n": done}).to_string();
            vec![
                ModelDelta::text(format!("Step {done}. ")),
                ModelDelta::tool_call(1, format!("once-{done}"), "once", &*input),
                ModelDelta::tool_call(2, format!("again-{done}"), "again", &*input),
            ]
        } else {
            vec![ModelDelta::text("All is done.")]
        })
    });
    ReActAgent::new("Stepper", model)
        .tool(logging("once", place))
        .allow("once")
        .tool(logging("again", place).with(|spec| spec.idempotent().parallel(true)))
        .allow("again")
        .max_iters(100)
        .store(FileStore::new(place))
        .session("task")
}

/// Begins the task, or goes on with it, and writes down what is wrong with what it sees.
async fn ten_steps(place: &Path) {
    let agent = stepper(place);
    let before = agent.snapshot().await.unwrap();
    let input = match (&before.open, before.context.is_empty()) {
        (Some(_), _) => Input::Continue,
        (None, true) => Input::from("Do ten steps."),
        (None, false) => return,
    };
    let mut events = agent.reply(input).stream();
    let mut fold = Msg::new("", Role::Assistant, Vec::new());
    let mut first = None;
    while let Some(event) = events.next().await {
        let event = event.unwrap();
        fold.apply(&event);
        first.get_or_insert(event);
    }
    let first = first.unwrap();
    match (&before.open, &first.kind) {
        (None, EventKind::ReplyStart { .. }) => {}
        (Some(open), EventKind::Rewind { to_seq })
            if *to_seq + 1 == open.next_seq && first.epoch == open.epoch + 1 => {}
        other => log(place, &format!("WRONG beginning {other:?}")),
    }
    let after = agent.snapshot().await.unwrap();
    if after.messages().next_back().map(|msg| &msg.content) != Some(&fold.content) {
        log(place, "WRONG: what was seen is not what was saved");
    }
}

/// Kills the task at random instants until it is done, and then looks at what is left.
fn kill_until_done(place: &Path, random: &mut impl FnMut() -> u64) -> usize {
    let mut kills = 0;
    loop {
        let mut process = child("ten-steps", place).spawn().unwrap();
        // On a machine that is busy with other things a process does not even begin in so short a time: it gets more of it,
        // the longer this takes.
        let patience = 40_000 * (1 + kills as u64 / 20);
        std::thread::sleep(Duration::from_micros(2_000 + random() % patience));
        let over = process.try_wait().unwrap();
        process.kill().unwrap(); // SIGKILL
        process.wait().unwrap();
        match over {
            Some(status) => {
                assert!(status.success());
                return kills;
            }
            None => kills += 1,
        }
        assert!(kills < 1000, "the task does not get on");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let stored =
            runtime.block_on(FileStore::new(place).load(&SessionKey::new("task").agent("Stepper"))).unwrap();
        let Some(stored) = stored else { continue };
        assert!(stored.state.is_well_formed(), "law 6: {:#?}", stored.state);
        let copy: AgentState = serde_json::from_value(serde_json::to_value(&stored.state).unwrap()).unwrap();
        assert_eq!(Step::of(&copy), Step::of(&stored.state), "law 3: the state alone says what comes next");
    }
}

/// What is left when the task is done; how many calls were cut off by a kill.
fn examine(place: &Path) -> usize {
    let log = logged(place);
    assert!(!log.iter().any(|line| line.starts_with("WRONG")), "law 2: {log:#?}");
    let count = |line: &str| log.iter().filter(|it| *it == line).count();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let state = runtime.block_on(stepper(place).snapshot()).unwrap();
    assert_eq!(state.context.len(), 2, "one question and one reply, however often it was killed");
    let reply = &state.context[1].msg;
    assert_eq!((reply.text().as_str(), &reply.finish), ("All is done.", &Some(Finish::Completed)));
    let mut seen: HashMap<String, usize> = HashMap::new();
    for (id, state, _) in results(reply) {
        let (tool, n) = id.split_once('-').unwrap();
        let (began, ended) = (count(&format!("begin {tool} {n}")), count(&format!("end {tool} {n}")));
        match state {
            ToolState::Success => assert!(ended >= 1, "law 6: success means that it ran to its end: {id}"),
            ToolState::Interrupted => assert!(tool == "once" && began <= 1, "{id}"),
            other => panic!("{id} ended as {other:?}"),
        }
        assert!(tool == "again" || began <= 1, "law 6: never silently twice: {id} began {began} times");
        *seen.entry(id).or_default() += 1;
    }
    assert_eq!(seen.len(), 2 * STEPS);
    assert!(seen.values().all(|results| *results == 1), "law 6: exactly one result each: {seen:?}");
    assert!(reply.calls().all(|call| call.state == CallState::Started));
    reply.results().filter(|result| result.state == ToolState::Interrupted).count()
}

/// Law 2, 3 and 6 under `kill -9`: `cargo xtask sweep kill --n 200` for 200 kills.
#[test]
fn sweep_kill_nine_loses_nothing_that_was_saved_and_runs_nothing_twice() {
    let wanted: usize = std::env::var("AGENTSCOPE_SWEEP").ok().and_then(|it| it.parse().ok()).unwrap_or(25);
    let mut seed: u64 = 0x5eed;
    let mut random = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        seed >> 33
    };
    let (mut kills, mut cut_off) = (0, 0);
    while kills < wanted {
        let place = tempfile::tempdir().unwrap();
        kills += kill_until_done(place.path(), &mut random);
        cut_off += examine(place.path());
    }
    println!("{kills} kills, {cut_off} of them while a tool ran that may not be run twice");
}
