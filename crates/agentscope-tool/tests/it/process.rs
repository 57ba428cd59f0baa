use crate::{fails, ok, run_in, words};
use agentscope_core::{Context, ErrorKind, Interrupt, Reason, Tool, ToolRequest};
use agentscope_tool::{execute_python_code, execute_shell_command};
use futures_util::StreamExt;
use serde_json::json;
use std::{
    path::Path,
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

/// A number of seconds to sleep that no other process has in its command line.
fn marker() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("33.{:08}{:03}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// How many processes have the marker in their command line.
#[cfg(target_os = "linux")]
fn alive(marker: &str) -> usize {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|it| std::fs::read(it.path().join("cmdline")).ok());
    lines.filter(|line| String::from_utf8_lossy(line).contains(marker)).count()
}

#[cfg(not(target_os = "linux"))]
fn alive(marker: &str) -> usize {
    let found = std::process::Command::new("pgrep").args(["-f", marker]).output().unwrap();
    found.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count()
}

/// Killed processes are gone as soon as the kernel has come to it.
async fn assert_gone(marker: &str) {
    let end = Instant::now() + Duration::from_secs(2);
    while alive(marker) > 0 {
        assert!(Instant::now() < end, "a process survived");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn until(what: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !what() {
        assert!(Instant::now() < end, "it did not come about");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn part<'a>(tagged: &'a str, tag: &str) -> &'a str {
    let start = tagged.find(&format!("<{tag}>")).unwrap() + tag.len() + 2;
    &tagged[start..tagged.rfind(&format!("</{tag}>")).unwrap()]
}

#[tokio::test]
async fn a_command_tells_its_return_code_and_both_streams() {
    let said = ok(&execute_shell_command(), json!({"command": "echo out; echo err >&2; exit 3"})).await;
    assert_eq!(said, "<returncode>3</returncode><stdout>out\n</stdout><stderr>err\n</stderr>");
}

#[tokio::test]
async fn a_megabyte_of_output_on_either_stream_does_not_block() {
    for redirect in ["", ">&2", "| tee /dev/stderr"] {
        let began = Instant::now();
        let command = format!("yes | head -c 1000000 {redirect}");
        let said = ok(&execute_shell_command(), json!({"command": command, "timeout": 4})).await;
        assert_eq!(part(&said, "returncode"), "0");
        assert!(said.len() >= 1_000_000, "{}", said.len());
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    }
}

#[tokio::test]
async fn of_endless_output_the_head_and_the_tail_are_kept_and_the_rest_is_counted() {
    let tool = execute_shell_command().stream_limit(1000);
    let said = ok(&tool, json!({"command": "echo first; yes | head -c 50000000; echo last"})).await;
    let stdout = part(&said, "stdout");
    assert!(stdout.starts_with("first\n") && stdout.ends_with("last\n"), "{stdout}");
    assert!(stdout.contains("[... 49999011 of 50000011 bytes are left out here ...]"), "{stdout}");
    assert!(said.len() < 1200);
}

#[tokio::test]
async fn a_timeout_ends_the_grandchildren_too_and_keeps_what_was_said() {
    let marker = marker();
    let began = Instant::now();
    let command = format!("echo before; sleep {marker} & sleep {marker}");
    let said = ok(&execute_shell_command(), json!({"command": command, "timeout": 0.3})).await;
    assert!(began.elapsed() < Duration::from_millis(2500), "{:?}", began.elapsed());
    assert_eq!(
        said,
        "<returncode>-1</returncode><stdout>before\n</stdout><stderr>TimeoutError: The command execution exceeded the \
         timeout of 0.3 seconds.</stderr>"
    );
    assert_gone(&marker).await;
}

#[tokio::test]
async fn a_program_that_ignores_the_request_to_end_is_killed() {
    let marker = marker();
    let began = Instant::now();
    let command = format!("trap '' TERM; while true; do sleep {marker}; done");
    ok(&execute_shell_command(), json!({"command": command, "timeout": 0.2})).await;
    assert!(began.elapsed() < Duration::from_millis(3000), "{:?}", began.elapsed());
    assert_gone(&marker).await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn who_has_left_the_group_cannot_hold_the_call() {
    let marker = marker();
    let began = Instant::now();
    // 7 s: it leaves the group on purpose, so that nobody ends it.
    let command = format!("setsid sh -c 'sleep 7; : {marker}' & sleep 30");
    let said = ok(&execute_shell_command(), json!({"command": command, "timeout": 0.2})).await;
    assert_eq!(part(&said, "returncode"), "-1");
    assert!(began.elapsed() < Duration::from_millis(3000), "{:?}", began.elapsed());
}

#[tokio::test]
async fn an_interrupt_ends_the_program_and_all_that_it_started() {
    let marker = marker();
    let stop = Interrupt::new();
    let tool = execute_shell_command();
    let command = json!({"command": format!("echo before; sleep {marker} & sleep {marker}")});
    let run = run_in(&tool, command, Context::new().with_interrupt(stop.clone()));
    let interrupt = async {
        until(|| alive(&marker) >= 3).await;
        stop.trigger(Reason::User(None));
        Instant::now()
    };
    let ((chunks, end), at) = tokio::join!(run, interrupt);
    assert!(at.elapsed() < Duration::from_secs(2), "{:?}", at.elapsed());
    assert!(end.unwrap_err().message().starts_with("interrupted"));
    assert_eq!(part(&words(&chunks), "stdout"), "before\n");
    assert_gone(&marker).await;
}

#[tokio::test]
async fn an_interrupt_that_came_before_starts_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let stop = Interrupt::new();
    stop.trigger(Reason::User(None));
    let tool = execute_shell_command().cwd(dir.path());
    let cx = Context::new().with_interrupt(stop);
    run_in(&tool, json!({"command": "touch ran"}), cx).await.1.unwrap_err();
    assert!(!dir.path().join("ran").exists());
}

#[tokio::test]
async fn a_dropped_stream_leaves_no_process() {
    let marker = marker();
    let tool = execute_shell_command();
    let command = json!({"command": format!("trap '' TERM; sleep {marker} & sleep {marker}; true")});
    let mut stream = tool.call(ToolRequest::new("id", "execute_shell_command", command), Context::new());
    tokio::select! {
        _ = stream.next() => panic!("it ended"),
        () = until(|| alive(&marker) >= 3) => {}
    }
    drop(stream);
    assert_gone(&marker).await;
}

#[tokio::test]
async fn what_is_left_in_the_background_ends_with_the_command() {
    let marker = marker();
    let began = Instant::now();
    let said =
        ok(&execute_shell_command(), json!({"command": format!("sleep {marker} & echo started")})).await;
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    assert_eq!(part(&said, "returncode"), "0");
    assert_eq!(part(&said, "stdout"), "started\n");
    assert!(part(&said, "stderr").contains("left in the background were ended"), "{said}");
    assert_gone(&marker).await;

    let silent = format!("sleep {marker} >/dev/null 2>&1 & echo started");
    let mut quickest = Duration::MAX;
    for _ in 0..3 {
        let began = Instant::now();
        ok(&execute_shell_command(), json!({"command": silent})).await;
        quickest = quickest.min(began.elapsed());
        assert_gone(&marker).await;
    }
    assert!(quickest < Duration::from_millis(900), "who holds no pipe is not waited for: {quickest:?}");
}

#[tokio::test]
async fn bytes_that_are_no_text_do_no_harm() {
    let said = ok(&execute_shell_command(), json!({"command": "printf 'a\\377b\\303'"})).await;
    assert_eq!(part(&said, "stdout"), "a\u{fffd}b\u{fffd}");
}

#[tokio::test]
async fn a_signal_is_told_as_python_tells_it() {
    let said = ok(&execute_shell_command(), json!({"command": "kill -9 $$"})).await;
    assert_eq!(part(&said, "returncode"), "-9");
}

#[tokio::test]
async fn standard_input_is_empty() {
    let said = ok(&execute_shell_command(), json!({"command": "cat; echo done", "timeout": 5})).await;
    assert_eq!(part(&said, "stdout"), "done\n");
}

#[tokio::test]
async fn directory_and_environment_are_as_told() {
    let dir = tempfile::tempdir().unwrap();
    let tool = execute_shell_command().cwd(dir.path()).clear_env().env("WHO", "alice");
    let said = ok(&tool, json!({"command": "pwd -P; echo $WHO; echo home=$HOME"})).await;
    let place = dir.path().canonicalize().unwrap();
    assert_eq!(part(&said, "stdout"), format!("{}\nalice\nhome=\n", place.display()));
}

#[tokio::test]
async fn the_model_cannot_raise_the_timeout_above_its_limit() {
    let tool = execute_shell_command().max_timeout(Duration::from_millis(100));
    let began = Instant::now();
    let said = ok(&tool, json!({"command": "sleep 30", "timeout": 1e300})).await;
    assert!(began.elapsed() < Duration::from_secs(5));
    assert!(part(&said, "stderr").contains("timeout of 0.1 seconds"), "{said}");
    for wrong in [json!(0), json!(-1)] {
        let error = fails(&tool, json!({"command": "true", "timeout": wrong})).await;
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }
}

#[tokio::test]
async fn wrong_arguments_are_a_clear_error() {
    let error = fails(&execute_shell_command(), json!({"command": 7})).await;
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.message().contains("`execute_shell_command`"), "{error}");
    let error = fails(&execute_python_code(), json!({})).await;
    assert!(error.message().contains("`code`"), "{error}");
}

#[tokio::test(flavor = "current_thread")]
async fn a_running_program_does_not_block_the_runtime() {
    let mut worst = Duration::ZERO;
    let tool = execute_shell_command();
    let run = ok(&tool, json!({"command": "yes | head -c 20000000 >&2; sleep 0.3"}));
    let lag = async {
        loop {
            let began = Instant::now();
            tokio::time::sleep(Duration::from_millis(1)).await;
            worst = worst.max(began.elapsed());
        }
    };
    tokio::select! { _ = run => {}, () = lag => {} }
    assert!(worst < Duration::from_millis(250), "{worst:?}");
}

#[tokio::test]
async fn python_runs_and_shows_its_tracebacks() {
    let said = ok(&execute_python_code(), json!({"code": "print(17 * 23)\nprint('grüß')"})).await;
    assert_eq!(said, "<returncode>0</returncode><stdout>391\ngrüß\n</stdout><stderr></stderr>");

    let said = ok(&execute_python_code(), json!({"code": "print('so far')\n1 / 0"})).await;
    assert_eq!(part(&said, "returncode"), "1");
    assert_eq!(part(&said, "stdout"), "so far\n");
    assert!(part(&said, "stderr").contains("ZeroDivisionError: division by zero"), "{said}");
}

#[tokio::test]
async fn python_is_ended_with_what_it_started_and_its_output_is_kept() {
    let marker = marker();
    let code = format!("import subprocess\nprint('before')\nsubprocess.run(['sleep', '{marker}'])");
    let said = ok(&execute_python_code(), json!({"code": code, "timeout": 4})).await;
    assert_eq!(part(&said, "stdout"), "before\n");
    assert!(
        part(&said, "stderr").contains("TimeoutError: The code execution exceeded the timeout of 4 seconds.")
    );
    assert_gone(&marker).await;
}

#[tokio::test]
async fn no_code_is_left_on_the_disk() {
    let said = ok(&execute_python_code(), json!({"code": "print(__file__)"})).await;
    let script = Path::new(part(&said, "stdout").trim());
    assert!(script.is_absolute() && !script.parent().unwrap().exists(), "{said}");

    let dir = tempfile::tempdir().unwrap();
    let told = dir.path().join("told");
    let code = format!(
        "import os, time\nopen('{0}.new', 'w').write(__file__)\nos.rename('{0}.new', '{0}')\ntime.sleep(60)",
        told.display()
    );
    let tool = execute_python_code();
    let req = ToolRequest::new("id", "execute_python_code", json!({"code": code}));
    let mut stream = tool.call(req, Context::new());
    tokio::select! {
        _ = stream.next() => panic!("it ended"),
        () = until(|| told.exists()) => {}
    }
    let script = std::fs::read_to_string(&told).unwrap();
    assert!(Path::new(&script).exists());
    drop(stream);
    assert!(!Path::new(&script).parent().unwrap().exists());
    assert_gone(&script).await;
}

#[tokio::test]
async fn a_missing_interpreter_is_an_error_that_says_what_to_do() {
    let tool = execute_python_code().interpreter("/nowhere/python3");
    let error = fails(&tool, json!({"code": "1"})).await;
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.message().contains("AGENTSCOPE_PYTHON"), "{error}");
    let error = fails(&execute_shell_command().shell("/nowhere/sh"), json!({"command": "true"})).await;
    assert!(error.message().starts_with("cannot start `/nowhere/sh`"), "{error}");
    let error = fails(&execute_shell_command().cwd("/nowhere"), json!({"command": "true"})).await;
    assert!(error.message().starts_with("cannot start `/bin/sh` in `/nowhere`"), "{error}");
}
