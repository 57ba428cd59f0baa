use super::*;
use std::collections::BTreeSet;

fn key() -> SessionKey {
    SessionKey::new("s")
}

fn said(text: &str) -> Vec<Change> {
    vec![Change::message(Msg::user(text))]
}

fn file(dir: &Path) -> PathBuf {
    dir.join(file_name(&key()))
}

#[tokio::test]
async fn a_file_cut_at_any_byte_is_what_was_committed_before_and_takes_the_next_write() {
    let place = tempfile::tempdir().unwrap();
    let store = FileStore::new(place.path());
    store.commit(&key(), Version(0), &said("one")).await.unwrap();
    let one = fs::read(file(place.path())).unwrap().len();
    store.enqueue(&key(), &[Msg::user("two").into(), Msg::user("three").into()]).await.unwrap();
    let two = fs::read(file(place.path())).unwrap().len();
    store.commit(&key(), Version(1), &said("four")).await.unwrap();
    let whole = fs::read(file(place.path())).unwrap();

    for cut in 0..=whole.len() {
        fs::write(file(place.path()), &whole[..cut]).unwrap();
        let found = store.load(&key()).await.unwrap();
        let (version, heard) = found.map_or((0, 0), |it| (it.version.0, it.inbox.len()));
        let committed = u64::from(cut >= one) + u64::from(cut == whole.len());
        assert_eq!((version, heard), (committed, if cut >= two { 2 } else { 0 }), "cut at {cut}");
        // A shorter line than what is left of the cut one.
        store.commit(&key(), Version(version), &[]).await.unwrap();
        assert!(fs::read(file(place.path())).unwrap().ends_with(b"\n"), "the rest of it is gone");
        let next = store.load(&key()).await.unwrap().unwrap();
        assert_eq!((next.version.0, next.inbox.len()), (version + 1, heard), "cut at {cut}");
    }
}

#[tokio::test]
async fn two_stores_in_one_directory_see_each_other_and_one_of_two_commits_wins() {
    let place = tempfile::tempdir().unwrap();
    let (a, b) = (FileStore::new(place.path()), FileStore::new(place.path()));
    for version in 0..20 {
        let (key, one, two, version) = (key(), said("a"), said("b"), Version(version));
        let (a, b) = tokio::join!(a.commit(&key, version, &one), b.commit(&key, version, &two));
        assert!(a.is_ok() != b.is_ok(), "{a:?} {b:?}");
    }
    assert_eq!(a.load(&key()).await.unwrap().unwrap().state.context.len(), 20);
}

#[tokio::test]
async fn a_file_that_somebody_edited_is_an_error_that_names_file_and_line() {
    let place = tempfile::tempdir().unwrap();
    let store = FileStore::new(place.path());
    store.commit(&key(), Version(0), &said("one")).await.unwrap();
    let text = fs::read_to_string(file(place.path())).unwrap();
    let twice = format!("{text}{}\n", text.lines().last().unwrap());
    for broken in [text.clone() + "{}\n", twice, text.replace("\"session\":\"s\"", "\"session\":\"t\"")] {
        fs::write(file(place.path()), &broken).unwrap();
        let error = store.load(&key()).await.unwrap_err();
        assert!(error.message().contains("line ") && error.message().contains(".jsonl"), "{error}");
        assert!(store.commit(&key(), Version(1), &said("two")).await.is_err());
        assert_eq!(fs::read_to_string(file(place.path())).unwrap(), broken, "it is left as it is");
    }
}

#[test]
fn names_of_files_are_plain_short_and_never_meet() {
    let long = "x".repeat(5_000);
    let parts =
        ["", ".", "..", "/", "../x", "a", "A", "a.b", "%2e", "e\u{301}", "\u{e9}", "\0", "CON", &long];
    let mut names = BTreeSet::new();
    for a in parts {
        for b in parts {
            let name = file_name(&SessionKey::new(b).tenant(a));
            assert!(name.len() <= 255 && !name.starts_with('/') && !name.contains("/"), "{name}");
            assert!(name.bytes().all(|byte| !byte.is_ascii_uppercase()), "{name}");
            assert!(names.insert(name.clone()), "{name} is the name of two keys");
        }
    }
    let other_end = format!("{long}y");
    assert_ne!(file_name(&SessionKey::new(&*long)), file_name(&SessionKey::new(&*other_end)));
}

#[tokio::test]
async fn a_directory_that_cannot_be_made_is_an_error_that_names_it() {
    let place = tempfile::NamedTempFile::new().unwrap();
    let error = FileStore::new(place.path()).load(&key()).await.unwrap_err();
    assert!(error.message().starts_with("cannot make "), "{error}");
}
