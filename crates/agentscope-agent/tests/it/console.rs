//! The console in a real terminal: a pseudo-terminal driven from Python, and this program again in it.

mod scenes;

use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

/// Which scene a program that runs again plays.
const SCENE: &str = "AGENTSCOPE_TEST_SCENE";
/// A folder for it.
const PLACE: &str = "AGENTSCOPE_TEST_PLACE";

/// Does nothing by itself: the tests run it in a terminal.
#[test]
fn a_talk() {
    let Ok(scene) = std::env::var(SCENE) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(scenes::play(&scene, std::env::var(PLACE).unwrap_or_default().into())).unwrap();
}

/// A scene in a terminal.
struct Terminal {
    python: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// How much of what was shown is behind us.
    at: u64,
    /// The settings of the terminal before the talk.
    modes: Value,
}

impl Terminal {
    fn play(scene: &str) -> Self {
        Self::play_with(scene, json!({}))
    }

    fn play_with(scene: &str, mut env: Value) -> Self {
        let python = std::env::var("AGENTSCOPE_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/console/terminal.py");
        let mut python =
            Command::new(python).arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (commands, answers) = (python.stdin.take().unwrap(), python.stdout.take().unwrap());
        let mut terminal =
            Self { python, commands, answers: BufReader::new(answers), at: 0, modes: Value::Null };
        terminal.modes = terminal.ask(json!({"modes": true}))["modes"].clone();
        let program = std::env::current_exe().unwrap();
        env[SCENE] = scene.into();
        for (name, value) in [("TERM", "xterm-256color"), ("NO_COLOR", ""), ("RUST_BACKTRACE", "0")] {
            if env.get(name).is_none() {
                env[name] = value.into();
            }
        }
        terminal.ask(json!({"run": [program, "--exact", "console::a_talk", "--nocapture"], "env": env}));
        terminal.see("/help shows");
        terminal.see("> ");
        terminal
    }

    fn ask(&mut self, command: Value) -> Value {
        writeln!(self.commands, "{command}").unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert!(
            answer.get("error").is_none(),
            "{}\n{}",
            answer["error"],
            answer["shown"].as_str().unwrap_or_default()
        );
        answer
    }

    /// Waits until this is shown, behind what was seen before.
    fn see(&mut self, text: &str) {
        let answer = self.ask(json!({"wait": text, "after": self.at}));
        self.at = answer["at"].as_u64().unwrap();
    }

    fn send(&mut self, keys: &str) {
        self.ask(json!({"send": keys}));
    }

    /// Types a line, and waits until it is there.
    fn say(&mut self, line: &str) {
        self.send(line);
        self.see(line);
        self.send("\r");
    }

    /// What was shown and not yet seen.
    fn rest(&mut self) -> String {
        self.ask(json!({"shown": self.at}))["text"].as_str().unwrap().to_owned()
    }

    fn is_quiet(&mut self) -> bool {
        self.ask(json!({"modes": true}))["quiet"] == true
    }

    /// Waits for the end, after which the terminal is as it was before.
    fn ends(mut self) -> i64 {
        let status = self.ask(json!({"end": true}))["status"].as_i64().unwrap();
        let modes = self.ask(json!({"modes": true}))["modes"].clone();
        assert_eq!(modes, self.modes, "the terminal is not as it was");
        status
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.python.kill();
        let _ = self.python.wait();
    }
}

const CTRL_C: &str = "\x03";
const ESCAPE: &str = "\x1b";

mod needs_python3 {
    use super::*;

    #[test]
    fn words_stream_and_ctrl_c_in_the_middle_interrupts_the_reply() {
        let mut terminal = Terminal::play("stream");
        terminal.say("count");
        terminal.see("Friday: 1 2 3");
        assert!(terminal.is_quiet());
        terminal.send(CTRL_C);
        terminal.see("(interrupted)");
        terminal.see("> ");
        assert!(!terminal.rest().contains("100"));
        terminal.say("and now?");
        terminal.see("Friday: Still here.");
        terminal.see("tokens in");
        terminal.see("> ");
        terminal.say("/exit");
        assert_eq!(terminal.ends(), 0);
    }

    #[test]
    fn words_are_held_back_while_a_person_types_and_go_on_when_they_take_it_back() {
        let mut terminal = Terminal::play("stream");
        terminal.say("count");
        terminal.see("Friday: 1 2 3");
        terminal.send("\x1b[200~two\rlines\x1b[201~");
        terminal.see("(to Friday) two");
        terminal.see("lines");
        terminal.send(CTRL_C); // takes the line back, and does not interrupt
        terminal.see(" 30 ");
        terminal.send(CTRL_C);
        terminal.see("(interrupted)");
        assert!(!terminal.rest().contains("heard"));
        terminal.see("> ");
        terminal.send("\x04");
        assert_eq!(terminal.ends(), 0);
    }

    #[test]
    fn ctrl_c_interrupts_a_tool_that_runs() {
        let mut terminal = Terminal::play("tool");
        terminal.say("go");
        terminal.see("→ wait");
        terminal.send(CTRL_C);
        terminal.see("← ended (");
        terminal.see("(interrupted)");
        terminal.see("> ");
        terminal.say("/exit");
        assert_eq!(terminal.ends(), 0);
    }

    #[test]
    fn ctrl_c_twice_leaves_when_idle_and_while_the_agent_works() {
        let mut terminal = Terminal::play("stream");
        terminal.send(CTRL_C);
        terminal.see("(Ctrl-C again leaves)");
        terminal.see("> ");
        terminal.send(CTRL_C);
        assert_eq!(terminal.ends(), 0);

        let mut terminal = Terminal::play("stubborn");
        terminal.say("go");
        terminal.see("→ stubborn");
        terminal.send(CTRL_C);
        terminal.see("^C"); // the terminal has passed it on
        terminal.send(CTRL_C);
        terminal.see("(leaves when what runs has ended");
        assert_eq!(terminal.ends(), 0);
    }

    #[test]
    fn all_five_answers_to_a_tool_that_asks() {
        let mut terminal = Terminal::play("approve");
        let question = "ne[v]er, [e]dit: ";
        terminal.say("go");
        terminal.see("? act {\"n\":1}");
        terminal.see(question);
        terminal.send("y\r");
        terminal.see("→ act {\"n\":1}");
        terminal.see("? act {\"n\":2}");
        terminal.see(question);
        terminal.send("n not that one\r");
        terminal.see("not that one");
        terminal.see("? act {\"n\":3}");
        terminal.see(question);
        terminal.send("e\r");
        terminal.see("arguments: {\"n\":3}");
        terminal.send("\x7f\x7f33}x\r");
        terminal.see("no JSON object");
        terminal.see("arguments: {\"n\":33}x");
        terminal.send("\x7f\r");
        terminal.see("→ act {\"n\":33}");
        terminal.see("? wipe {\"n\":4}");
        terminal.see(question);
        terminal.send("v\r");
        terminal.see("? wipe {\"n\":5}");
        terminal.see("denied for the rest of this talk");
        terminal.see("? act {\"n\":6}");
        terminal.see(question);
        terminal.send("what?\r");
        terminal.see(question);
        terminal.send("a\r");
        terminal.see("→ act {\"n\":6}");
        terminal.see("→ act {\"n\":7}");
        assert!(!terminal.rest().contains("? act"));
        terminal.see("Friday: Done.");
        terminal.see("> ");
        terminal.say("/exit");
        assert_eq!(terminal.ends(), 0);
    }

    #[test]
    fn what_was_typed_before_a_question_was_seen_is_no_answer_to_it() {
        let mut terminal = Terminal::play("approve");
        terminal.send("go\ry\r");
        terminal.see("? act {\"n\":1}");
        terminal.see("[e]dit: ");
        terminal.send("n seen\r");
        terminal.see("seen");
        terminal.see("← act: not allowed: ");
        terminal.see("? act {\"n\":2}");
        terminal.see("[e]dit: ");
        assert!(!terminal.rest().contains("→"));
        terminal.send(CTRL_C);
        terminal.see("(interrupted)");
        terminal.send("\x04");
    }

    #[test]
    fn lines_that_are_typed_in_one_go_are_taken_one_after_the_other() {
        let mut terminal = Terminal::play("echo");
        terminal.send("/usage\r/nope\rone\r");
        terminal.see("this talk: ");
        terminal.see("> /nope");
        terminal.see("there is no command /nope");
        terminal.see("> one");
        terminal.see("Friday: one (1 lines)");
        terminal.see("> ");
        terminal.say("/exit");
        assert_eq!(terminal.ends(), 0);
    }

    #[test]
    fn what_is_typed_while_a_tool_runs_is_heard_before_the_next_thought() {
        let mut terminal = Terminal::play("steer");
        terminal.say("go");
        terminal.see("→ told");
        terminal.send("x");
        terminal.see("(to Friday) x");
        terminal.send(ESCAPE);
        terminal.see("\n"); // it was taken back
        terminal.send("快");
        terminal.see("(to Friday) 快");
        terminal.send("一点\r");
        terminal.see("(Friday heard: 快一点)");
        terminal.see("Friday: I heard: 快一点");
        terminal.see("> ");
        terminal.say("/exit");
        assert_eq!(terminal.ends(), 0);
    }

    #[test]
    fn a_chinese_conversation_is_edited_by_characters_and_a_resize_loses_nothing() {
        let mut terminal = Terminal::play("echo");
        terminal.send("你好世界");
        terminal.see("你好世界");
        terminal.send("\x1b[D\x1b[D大\r");
        terminal.see("Friday: 你好大世界 (1 lines)");
        terminal.see("> ");
        terminal.send("这是一个很长很长很长的");
        terminal.see("这是一个很长很长很长的");
        terminal.ask(json!({"resize": [24, 20]}));
        terminal.see("> 这是一个"); // the line is shown again
        terminal.send("句子\r");
        terminal.see("Friday: 这是一个很长很长很长的句子");
        terminal.see("> ");
        terminal.say("look");
        terminal.see("→ look {\"");
        terminal.see("\n");
        let line = terminal.rest();
        terminal.see("> ");
        assert!(!line.contains("x".repeat(30).as_str()), "folded to 20 columns: {line}");
        terminal.say("/exit");
        assert_eq!(terminal.ends(), 0);
    }

    #[test]
    fn two_hundred_pasted_lines_are_one_message() {
        let mut terminal = Terminal::play("echo");
        let lines: Vec<String> = (1..=200).map(|at| format!("line {at}")).collect();
        terminal.send(&format!("\x1b[200~{}\x1b[201~", lines.join("\r")));
        terminal.see("line 200");
        terminal.send("\r");
        terminal.see("line 200 (200 lines)");
        terminal.see("> ");
        terminal.send("one\x1b\rtwo\x0athree\r");
        terminal.see("three (3 lines)");
        terminal.see("> ");
        terminal.say("/exit");
        assert_eq!(terminal.ends(), 0);
    }

    #[test]
    fn the_lines_of_the_last_talk_are_remembered() {
        let place = tempfile::tempdir().unwrap();
        let env = json!({PLACE: place.path()});
        let mut terminal = Terminal::play_with("echo", env.clone());
        terminal.say("remember me");
        terminal.see("(1 lines)");
        terminal.see("> ");
        terminal.send("\x04");
        assert_eq!(terminal.ends(), 0);
        let mut terminal = Terminal::play_with("echo", env);
        terminal.send("\x1b[A");
        terminal.see("remember me");
        terminal.send("\r");
        terminal.see("Friday: remember me (1 lines)");
        terminal.see("> ");
        terminal.send("\x04");
        assert_eq!(terminal.ends(), 0);
    }

    #[test]
    fn the_terminal_is_put_right_after_a_signal_and_after_a_panic() {
        let mut terminal = Terminal::play("echo");
        assert!(terminal.is_quiet());
        terminal.ask(json!({"signal": 15}));
        assert_eq!(terminal.ends(), 0);
        let mut terminal = Terminal::play("approve");
        terminal.say("go");
        terminal.see("[e]dit: ");
        terminal.ask(json!({"signal": 15}));
        terminal.see("\n← act: interrupted:");
        assert_eq!(terminal.ends(), 0);
        let mut terminal = Terminal::play("panic");
        terminal.say("hi");
        assert_eq!(terminal.ends(), 101);
    }

    /// A program that waits at its end for a tool that never ends, after the talk.
    fn waiting_for_ever() -> Terminal {
        let mut terminal = Terminal::play("endless");
        terminal.say("go");
        terminal.see("→ endless");
        terminal.send(CTRL_C);
        terminal.see("^C");
        terminal.send(CTRL_C);
        terminal.see("(the talk is over)");
        terminal
    }

    #[test]
    fn after_the_talk_ctrl_c_and_the_other_signals_end_a_program_that_waits_for_a_tool() {
        let mut terminal = waiting_for_ever();
        terminal.send(CTRL_C);
        assert_eq!(terminal.ends(), 130);
        for (signal, status) in [(1, 129), (15, 143)] {
            let mut terminal = waiting_for_ever();
            terminal.ask(json!({"signal": signal}));
            assert_eq!(terminal.ends(), status);
        }
    }

    #[test]
    fn a_second_talk_listens_as_the_first_did() {
        let mut terminal = Terminal::play("twice");
        terminal.say("/exit");
        terminal.see("(the talk is over)");
        terminal.see("> ");
        terminal.send(CTRL_C);
        terminal.see("(Ctrl-C again leaves)");
        terminal.see("> ");
        terminal.ask(json!({"signal": 15}));
        assert_eq!(terminal.ends(), 0);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_listener_that_was_there_before_the_talk_still_hears_after_it() {
        let mut terminal = Terminal::play("listener");
        terminal.say("/exit");
        terminal.see("(the talk is over)");
        terminal.ask(json!({"signal": 15}));
        terminal.see("(told to end)");
        assert_eq!(terminal.ends(), 0);
    }

    #[test]
    fn markdown_and_a_table_are_shown_as_what_they_mean() {
        let mut terminal = Terminal::play("markdown");
        terminal.say("compare");
        terminal.see("Three ways");
        terminal.see("• Shanghai is the largest");
        terminal.see("城市     │   人口");
        terminal.see("Beijing  │ 21.9 M");
        terminal.see("┄ rust");
        terminal.see("  let population = 24.9;");
        terminal.see("> ");
        terminal.say("/exit");
        assert_eq!(terminal.ends(), 0);
    }

    #[test]
    fn without_color_and_on_a_dumb_terminal_words_are_shown_as_they_were_written() {
        let mut terminal = Terminal::play_with("echo", json!({"NO_COLOR": "1"}));
        terminal.say("so **bold**");
        terminal.see("Friday: so **bold** (1 lines)");
        terminal.see("> ");
        terminal.say("/exit");
        assert_eq!(terminal.ends(), 0);
        let mut terminal = Terminal::play_with("echo", json!({"TERM": "dumb"}));
        assert!(!terminal.is_quiet());
        terminal.send("so **bold**\n");
        terminal.see("Friday: so **bold** (1 lines)");
        terminal.send("/exit\n");
        assert_eq!(terminal.ends(), 0);
    }
}
