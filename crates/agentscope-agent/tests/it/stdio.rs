//! People at the standard input of a process of its own.

#![cfg(all(unix, feature = "console"))]

use agentscope_agent::{Terminal, UserAgent};
use agentscope_core::{AgentExt, ErrorKind, Finish};
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
