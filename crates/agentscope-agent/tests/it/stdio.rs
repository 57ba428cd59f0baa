//! People at the standard input of a process of its own.

#![cfg(all(unix, feature = "console"))]

use agentscope_agent::{Terminal, UserAgent, console};
use agentscope_core::{AgentExt, ErrorKind, Finish, Msg, agent_fn};
use std::{
    io::{BufRead, BufReader, Read, Write},
    process::{Child, ChildStdout, Command, Stdio},
};

/// Tells a child process what to do.
const ROLE: &str = "AGENTSCOPE_TEST_STDIO";

/// Does nothing by itself: the tests below start it in a process of its own.
#[test]
fn a_child_process() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    match role.as_str() {
        "share" => runtime.block_on(share()),
        "talk" => runtime.block_on(talk()),
        _ => runtime.block_on(interrupt()),
    }
    std::process::exit(0); // a read of a terminal cannot be called off
}

fn child(role: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "stdio::a_child_process", "--nocapture"])
        .env(ROLE, role)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

async fn share() {
    let (alice, bob) = (UserAgent::terminal("Alice"), UserAgent::terminal("Bob"));
    let (first, second) = (alice.reply("1?").await.unwrap(), bob.reply("2?").await.unwrap());
    let mut others = String::new();
    std::io::stdin().lock().read_line(&mut others).unwrap();
    let third = alice.reply("3?").await.unwrap();
    println!("\n{} {} {} {}", first.text(), second.text(), others.trim(), third.text());
    assert_eq!(bob.reply("4?").await.unwrap_err().kind(), ErrorKind::Unavailable);
}

#[test]
fn people_and_the_program_share_one_standard_input_and_each_line_is_read_once() {
    let mut child = child("share");
    child.stdin.take().unwrap().write_all(b"a\nb\nc\nd\n").unwrap();
    let mut shown = String::new();
    child.stdout.take().unwrap().read_to_string(&mut shown).unwrap();
    assert!(shown.contains("user: 1?\nAlice> a\nuser: 2?\nBob> b\n"), "{shown}");
    assert!(shown.contains("\na b c d\n"), "{shown}");
    assert!(child.wait().unwrap().success(), "{shown}");
}

async fn talk() {
    let echo = agent_fn("Echo", |msgs, _| async move {
        Ok(Msg::assistant("Echo", format!("{} bytes", msgs[0].text().len())))
    });
    console(echo).await.unwrap();
}

#[test]
fn a_line_that_is_too_long_is_refused_whole_and_the_talk_goes_on() {
    let mut child = child("talk");
    let mut input = child.stdin.take().unwrap();
    let limit = 16 << 20;
    let (fits, long) = ("x".repeat(limit - 1) + "\n", "x".repeat(3 * limit) + "\n");
    let write = std::thread::spawn(move || {
        for text in [fits.as_str(), &long, "after\n", &long[1..=limit], "y"] {
            input.write_all(text.as_bytes()).unwrap();
        }
    });
    let mut shown = String::new();
    child.stdout.take().unwrap().read_to_string(&mut shown).unwrap();
    write.join().unwrap();
    let shown: Vec<&str> = shown.lines().filter(|it| !it.starts_with("> x")).collect();
    let refused = "error: a line of more than 16 MiB was not taken: put it in a file and say where that is";
    let at = shown.iter().position(|it| it.ends_with("Echo: 16777215 bytes")).unwrap();
    assert_eq!(shown[at + 1..at + 5], [refused, "> after", "Echo: 5 bytes", refused]);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_talk_whose_output_nobody_reads_any_more_ends_without_an_error() {
    let mut child = child("talk");
    let mut input = child.stdin.take().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    input.write_all(b"hi\n").unwrap();
    shown_until(&mut out, "2 bytes\n");
    drop(out);
    input.write_all(b"hi\n").unwrap(); // the input stays open: the talk is over all the same
    assert!(child.wait().unwrap().success());
}

async fn interrupt() {
    let bob = UserAgent::new("Bob", Terminal::stdio().ctrl_c());
    assert_eq!(bob.reply("1?").await.unwrap().finish, Some(Finish::Interrupted));
    assert_eq!(bob.reply("2?").await.unwrap().text(), "here");
    println!("\nit goes on");
}

#[test]
fn ctrl_c_interrupts_the_person_and_not_the_program_where_it_was_made_to() {
    let mut child = child("interrupt");
    let mut out = BufReader::new(child.stdout.take().unwrap());
    shown_until(&mut out, "Bob> ");
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    shown_until(&mut out, "2?\nBob> ");
    child.stdin.take().unwrap().write_all(b"here\n").unwrap();
    shown_until(&mut out, "it goes on");
    assert!(child.wait().unwrap().success());
}

fn shown_until(out: &mut BufReader<ChildStdout>, end: &str) {
    let mut shown = Vec::new();
    while !shown.ends_with(end.as_bytes()) {
        let mut byte = [0];
        assert_eq!(out.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&shown));
        shown.extend(byte);
    }
}
