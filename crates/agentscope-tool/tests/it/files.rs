use crate::{fails, ok, run_in};
use agentscope_core::{Context, ErrorKind, Interrupt, Reason, Tool};
use agentscope_tool::{insert_text_file, view_text_file, write_text_file};
use serde_json::json;
use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};
use tempfile::TempDir;

fn file(content: impl AsRef<[u8]>) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file.txt");
    fs::write(&path, content).unwrap();
    (dir, path)
}

fn numbered(count: usize) -> String {
    (1..=count).map(|n| format!("L{n}\n")).collect()
}

#[tokio::test]
async fn a_view_numbers_the_lines() {
    let (_dir, path) = file("one\ntwo\r\n\nfour");
    let shown = ok(&view_text_file(), json!({"file_path": path})).await;
    assert_eq!(shown, format!("The content of {}:\n```\n1: one\n2: two\n3: \n4: four\n```", path.display()));
    let (_dir, empty) = file("");
    let shown = ok(&view_text_file(), json!({"file_path": empty})).await;
    assert!(shown.ends_with(":\n```\n```"), "{shown}");
}

#[tokio::test]
async fn negative_lines_count_from_the_end() {
    let (_dir, path) = file(numbered(5));
    let lines = async |ranges: [i64; 2]| {
        let shown = ok(&view_text_file(), json!({"file_path": path, "ranges": ranges})).await;
        let listing = shown.split("```").nth(1).unwrap().trim().to_owned();
        listing.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(lines([-2, -1]).await, ["4: L4", "5: L5"]);
    assert_eq!(lines([2, -4]).await, ["2: L2"]);
    assert_eq!(lines([-100, -1]).await.len(), 5);
    assert_eq!(lines([-3, 3]).await, ["3: L3"]);
    assert_eq!(lines([4, 100]).await, ["4: L4", "5: L5"]);
}

#[tokio::test]
async fn a_range_that_is_none_is_an_error_that_says_why() {
    let (_dir, path) = file(numbered(5));
    let view = view_text_file();
    for (ranges, why) in [
        (json!([6, 9]), "which has 5 lines"),
        (json!([4, -3]), "which has 5 lines"),
        (json!([-9, -7]), "which has 5 lines"),
        (json!([3, 2]), "must not be after"),
        (json!([0, 2]), "numbered from 1"),
        (json!([1]), "two line numbers"),
        (json!("1-2"), "do not fit"),
    ] {
        let error = fails(&view, json!({"file_path": path, "ranges": ranges})).await;
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{ranges}");
        assert!(error.message().contains(why), "{ranges}: {error}");
    }
    let error = fails(&view, json!({"file_path": path.with_file_name("none")})).await;
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let error = fails(&view, json!({"file_path": path.parent()})).await;
    assert!(error.message().contains("is a directory"), "{error}");
    let error = fails(&view, json!({"file_path": "/dev/zero"})).await;
    assert!(error.message().contains("not a regular file"), "{error}");
}

#[tokio::test]
async fn a_view_of_a_huge_file_is_bounded_and_says_how_to_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("huge");
    let huge = fs::File::create(&path).unwrap();
    std::io::Write::write_all(&mut &huge, numbered(100_000).as_bytes()).unwrap();
    huge.set_len(64 << 20).unwrap(); // a line of 63 MiB, which takes no place on the disk
    let shown = ok(&view_text_file(), json!({"file_path": path})).await;
    assert!(shown.len() < 62_000, "{}", shown.len());
    let note = shown.rsplit("```").next().unwrap();
    let last: usize = note.split("line ").nth(1).unwrap().split(':').next().unwrap().parse().unwrap();
    assert!(shown.contains(&format!("\n{last}: L{last}\n```")), "{note}");
    assert!(note.contains(&format!("beginning at {}", last + 1)) && note.contains("61440 bytes"), "{note}");

    let shown = ok(&view_text_file(), json!({"file_path": path, "ranges": [100_000, -1]})).await;
    assert!(shown.contains("100000: L100000\n100001: \0"));
    assert!(shown.contains("more bytes in this line]"), "{}", shown.len());
    assert!(shown.len() < 10_000);
}

#[test]
fn a_view_that_nobody_waits_for_ends() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("huge");
    fs::File::create(&path).unwrap().set_len(16 << 30).unwrap(); // it takes no place on the disk, but time to read
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let began = Instant::now();
    runtime.block_on(async {
        let input = json!({"file_path": path, "ranges": [-1, -1]});
        let stop = Interrupt::new();
        let view = view_text_file();
        let run = run_in(&view, input.clone(), Context::new().with_interrupt(stop.clone()));
        let interrupt = async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            stop.trigger(Reason::User(None));
        };
        let ((_, end), ()) = tokio::join!(run, interrupt);
        assert!(end.unwrap_err().message().starts_with("interrupted"));
        tokio::time::timeout(Duration::from_millis(20), ok(&view, input)).await.unwrap_err();
    });
    drop(runtime); // waits for its threads
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
}

#[tokio::test]
async fn bytes_that_are_no_text_are_viewed_with_a_note() {
    let (_dir, path) = file(b"a\xffb\nfine\n");
    let shown = ok(&view_text_file(), json!({"file_path": path})).await;
    assert!(shown.contains("1: a\u{fffd}b\n2: fine\n") && shown.contains("not all UTF-8"), "{shown}");
    let (_dir, path) = file("ä".repeat(10));
    let shown = ok(&view_text_file().line_limit(5), json!({"file_path": path})).await;
    assert!(shown.contains("1: ää [... 16 more bytes in this line]"), "{shown}");
    assert!(!shown.contains("UTF-8"), "{shown}");
}

#[tokio::test]
async fn writing_creates_the_file_and_its_directories_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("new/deep/file.txt");
    let said = ok(&write_text_file(), json!({"file_path": path, "content": "hi"})).await;
    assert_eq!(fs::read_to_string(&path).unwrap(), "hi");
    assert!(said.starts_with("Create and write") && said.contains("has been made"), "{said}");
    let said = ok(&write_text_file(), json!({"file_path": path, "content": "ho\n"})).await;
    assert!(said.starts_with("Overwrite") && !said.contains("made"), "{said}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "ho\n");
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no temporary file is left");
}

#[tokio::test]
async fn replaced_lines_are_not_glued_to_the_next() {
    let (_dir, path) = file(numbered(3));
    let said = ok(&write_text_file(), json!({"file_path": path, "content": "X", "ranges": [2, 2]})).await;
    assert_eq!(fs::read_to_string(&path).unwrap(), "L1\nX\nL3\n");
    assert!(said.contains("```\n1: L1\n2: X\n3: L3\n```"), "{said}");
    ok(&write_text_file(), json!({"file_path": path, "content": "Y\n", "ranges": [-1, -1]})).await;
    assert_eq!(fs::read_to_string(&path).unwrap(), "L1\nX\nY\n");
}

#[tokio::test]
async fn lines_that_are_not_there_are_not_replaced() {
    let (_dir, path) = file(numbered(3));
    for ranges in [[3, 4], [4, 4], [-4, -1], [3, -2]] {
        let error =
            fails(&write_text_file(), json!({"file_path": path, "content": "X", "ranges": ranges})).await;
        assert!(error.message().contains("which has 3 lines"), "{error}");
    }
    let none = path.with_file_name("none");
    let error = fails(&write_text_file(), json!({"file_path": none, "content": "X", "ranges": [1, 1]})).await;
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(fs::read_to_string(&path).unwrap(), numbered(3));
    assert!(!none.exists());
}

#[tokio::test]
async fn an_insertion_stands_before_its_line_or_at_the_end() {
    let (_dir, path) = file("a\nb\n");
    let insert = insert_text_file();
    ok(&insert, json!({"file_path": path, "content": "first", "line_number": 1})).await;
    let said = ok(&insert, json!({"file_path": path, "content": "last", "line_number": 4})).await;
    assert_eq!(fs::read_to_string(&path).unwrap(), "first\na\nb\nlast\n");
    assert!(said.contains("4: last\n```"), "{said}");
    for wrong in [0, -1, 6] {
        let error = fails(&insert, json!({"file_path": path, "content": "x", "line_number": wrong})).await;
        assert!(error.message().contains("which has 4 lines: name a line from 1 to 5"), "{error}");
    }
    let error = fails(&insert, json!({"file_path": "none", "content": "x", "line_number": 1})).await;
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[cfg(unix)]
#[tokio::test]
async fn a_changed_file_keeps_its_permissions_and_its_link() {
    use std::os::unix::fs::PermissionsExt;
    let (dir, path) = file(numbered(3));
    let link = dir.path().join("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    ok(&write_text_file(), json!({"file_path": link, "content": "X\n", "ranges": [1, 1]})).await;
    assert_eq!(fs::read_to_string(&path).unwrap(), "X\nL2\nL3\n");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o755);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
}

#[cfg(unix)]
#[tokio::test]
async fn the_root_is_not_left() {
    let (dir, path) = file("secret\n");
    let root = dir.path().join("root");
    fs::create_dir(&root).unwrap();
    fs::write(root.join("inside"), "inside\n").unwrap();
    std::os::unix::fs::symlink(&path, root.join("link")).unwrap();
    std::os::unix::fs::symlink(dir.path(), root.join("up")).unwrap();
    std::os::unix::fs::symlink(dir.path().join("new"), root.join("dangling")).unwrap();
    let view = view_text_file().root(&root);
    let write = write_text_file().root(&root);
    let insert = insert_text_file().root(&root);
    let tools: [&dyn Tool; 3] = [&view, &write, &insert];
    let outside = ["../file.txt", "link", "up/file.txt", "up/new", "dangling", "../none", "a/../../file.txt"];
    for bad in outside.map(str::to_owned).into_iter().chain([path.display().to_string(), "~/x".into()]) {
        for tool in tools {
            let error = fails(tool, json!({"file_path": bad, "content": "x", "line_number": 1})).await;
            let kind = error.kind();
            assert!(matches!(kind, ErrorKind::InvalidInput | ErrorKind::NotFound), "{bad}: {error}");
            assert!(!error.message().contains("secret"));
        }
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), "secret\n");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "nothing was made outside");
    for good in ["inside".to_owned(), "./inside".into(), root.join("inside").display().to_string()] {
        assert!(ok(&view, json!({"file_path": good})).await.contains("1: inside"));
    }
}

#[tokio::test]
async fn a_tilde_is_the_home_directory() {
    let home = std::env::home_dir().unwrap();
    let error = fails(&view_text_file(), json!({"file_path": "~/no/such/file"})).await;
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let error = fails(&view_text_file(), json!({"file_path": "~"})).await;
    assert!(error.message().contains(&home.canonicalize().unwrap().display().to_string()), "{error}");
}
