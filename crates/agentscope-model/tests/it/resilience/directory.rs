use super::stage::{Stage, ask, deltas, fine, whole};
use agentscope_core::{ErrorKind, ModelDelta};
use agentscope_model::{AnswerStore, ChatModelExt, DirectoryAnswers};
use bytes::Bytes;
use futures_util::future::join_all;
use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

fn files(path: &Path) -> Vec<PathBuf> {
    fs::read_dir(path).into_iter().flatten().map(|entry| entry.unwrap().path()).collect()
}

fn answer(byte: u8, len: usize) -> Bytes {
    Bytes::from(vec![byte; len])
}

#[tokio::test]
async fn answers_outlive_the_process() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("answers");
    let stage = Stage::new([fine()]);
    for asked in [1, 1, 1] {
        let answer = whole(ask(&stage.clone().cached(DirectoryAnswers::new(&path))).await);
        assert_eq!(answer[0], deltas(&fine())[0]);
        assert_eq!(stage.asked(), asked);
    }
    assert_eq!(files(&path).len(), 1);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(&files(&path)[0])), (0o700, 0o600), "nobody else reads them");
    }
}

#[tokio::test]
async fn a_file_that_was_damaged_is_taken_for_none() {
    let dir = tempfile::tempdir().unwrap();
    let stage = Stage::new([fine()]);
    let model = stage.clone().cached(DirectoryAnswers::new(dir.path()));
    whole(ask(&model).await);
    let file = files(dir.path()).remove(0);
    let good = fs::read(&file).unwrap();
    let mut flipped = good.clone();
    *flipped.iter_mut().rfind(|byte| **byte == b'f').unwrap() = b'd';
    let damaged =
        [vec![], good[..good.len() - 1].to_vec(), good[..40].to_vec(), flipped, [&good[..], b" "].concat()];
    for (times, damaged) in damaged.into_iter().enumerate() {
        fs::write(&file, damaged).unwrap();
        assert_eq!(whole(ask(&model).await)[0], ModelDelta::text("fine"));
        assert_eq!(stage.asked(), times + 2);
        assert_eq!(fs::read(&file).unwrap(), good, "and it is there again");
    }
}

#[tokio::test]
async fn there_are_no_more_than_may_be_and_the_oldest_go() {
    let dir = tempfile::tempdir().unwrap();
    let store = DirectoryAnswers::new(dir.path()).max_entries(10);
    for n in 0..10_u8 {
        store.save(&format!("k{n}"), answer(n, 10)).await.unwrap();
        let past = SystemTime::now() - Duration::from_secs(1000 - u64::from(n));
        fs::File::open(dir.path().join(format!("k{n}.agentscope-answer")))
            .unwrap()
            .set_modified(past)
            .unwrap();
    }
    assert_eq!(store.load("k0").await.unwrap(), Some(answer(0, 10)));
    store.save("new", answer(7, 10)).await.unwrap();
    assert!(files(dir.path()).len() <= 10);
    let mut there = Vec::new();
    for key in ["k0", "k1", "k9", "new"] {
        there.push(store.load(key).await.unwrap().is_some());
    }
    assert_eq!(there, [true, false, true, true], "what was asked for stays");

    let store = DirectoryAnswers::new(dir.path()).max_bytes(1000);
    for n in 0..50_u8 {
        store.save(&format!("b{n}"), answer(n, 100)).await.unwrap();
        let bytes: u64 = files(dir.path()).iter().map(|file| fs::metadata(file).unwrap().len()).sum();
        assert!(bytes <= 1000, "{bytes} after {n}");
    }
    store.save("huge", answer(1, 2000)).await.unwrap();
    assert_eq!(store.load("huge").await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_at_the_same_time_see_whole_answers_or_none() {
    let dir = tempfile::tempdir().unwrap();
    let stores = [0, 1].map(|_| DirectoryAnswers::new(dir.path()).max_entries(5));
    join_all((0..200_usize).map(|n| {
        let store = stores[n % 2].clone();
        async move {
            let key = format!("k{}", n % 8);
            if n % 3 == 0 {
                store.save(&key, answer((n % 8) as u8, 2000)).await.unwrap();
            } else if let Some(found) = store.load(&key).await.unwrap() {
                assert_eq!(found, answer((n % 8) as u8, 2000));
            }
        }
    }))
    .await;
    let unfinished =
        files(dir.path()).into_iter().filter(|file| file.extension().unwrap() != "agentscope-answer").count();
    assert_eq!(unfinished, 0);
}

#[tokio::test]
async fn what_was_never_finished_is_cleared_away() {
    let dir = tempfile::tempdir().unwrap();
    let [old, new] = ["old", "new"].map(|name| dir.path().join(format!(".{name}.agentscope-unfinished")));
    let others = dir.path().join("others.json");
    for path in [&old, &new, &others] {
        fs::write(path, "half").unwrap();
    }
    let past = SystemTime::now() - Duration::from_secs(7200);
    fs::File::options().write(true).open(&old).unwrap().set_modified(past).unwrap();
    DirectoryAnswers::new(dir.path()).save("k", answer(1, 1)).await.unwrap();
    assert_eq!((old.exists(), new.exists()), (false, true));
    DirectoryAnswers::new(dir.path()).max_entries(1).save("l", answer(1, 1)).await.unwrap();
    assert!(others.exists(), "what is not ours is not removed");
}

#[tokio::test]
async fn a_key_does_not_lead_out_of_the_directory() {
    let dir = tempfile::tempdir().unwrap();
    let store = DirectoryAnswers::new(dir.path().join("answers"));
    for key in ["", "../x", "a/b", "..", "a.b", "é"] {
        assert_eq!(store.save(key, answer(1, 1)).await.unwrap_err().kind(), ErrorKind::InvalidInput);
        assert_eq!(store.load(key).await.unwrap_err().kind(), ErrorKind::InvalidInput);
    }
    assert!(files(dir.path()).is_empty());
}

#[tokio::test]
async fn a_directory_that_cannot_be_made_costs_nothing_but_the_cache() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let stage = Stage::new([fine()]);
    let model = stage.clone().cached(DirectoryAnswers::new(file.join("answers")));
    for asked in 1..3 {
        assert_eq!(whole(ask(&model).await), deltas(&fine()));
        assert_eq!(stage.asked(), asked);
    }
}
