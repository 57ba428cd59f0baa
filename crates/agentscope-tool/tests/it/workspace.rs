use agentscope_core::{ErrorKind, Workspace};
use agentscope_tool::LocalWorkspace;
use std::fs;

#[tokio::test]
async fn what_was_written_is_read_and_listed() {
    let dir = tempfile::tempdir().unwrap();
    let workspace = LocalWorkspace::new(dir.path().join("made/later"));
    assert!(workspace.list("").await.unwrap().is_empty());
    let path = workspace.write("b/two.txt", "two".into()).await.unwrap();
    workspace.write("a.txt", "one".into()).await.unwrap();
    workspace.write("b/two.txt", "again".into()).await.unwrap();
    assert_eq!(fs::read_to_string(path).unwrap(), "again");
    assert_eq!(workspace.read("b/two.txt").await.unwrap(), "again");
    assert_eq!(workspace.list("").await.unwrap(), ["a.txt", "b/two.txt"]);
    assert_eq!(workspace.list("b").await.unwrap(), ["b/two.txt"]);
    assert_eq!(workspace.read("none").await.unwrap_err().kind(), ErrorKind::NotFound);
    assert!(workspace.read_limit(2).read("a.txt").await.unwrap_err().message().contains("3 bytes"));
}

#[cfg(unix)]
#[tokio::test]
async fn the_directory_is_not_left() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("secret"), "secret").unwrap();
    let root = dir.path().join("root");
    fs::create_dir(&root).unwrap();
    std::os::unix::fs::symlink(dir.path(), root.join("up")).unwrap();
    std::os::unix::fs::symlink(dir.path().join("secret"), root.join("link")).unwrap();
    let workspace = LocalWorkspace::new(&root);
    let absolute = dir.path().join("secret").display().to_string();
    for bad in ["../secret", "a/../../secret", "up/secret", "link", "up/new/file", &absolute] {
        for error in
            [workspace.write(bad, "x".into()).await.unwrap_err(), workspace.read(bad).await.unwrap_err()]
        {
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{bad}");
        }
    }
    assert_eq!(workspace.list("up").await.unwrap_err().kind(), ErrorKind::InvalidInput);
    assert!(workspace.list("").await.unwrap().is_empty(), "links are no files of the workspace");
    assert_eq!(fs::read_to_string(dir.path().join("secret")).unwrap(), "secret");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
}
