//! Vectors that were paid for once, over a wire and on a disk.

use crate::{
    embedding::{embedder, embeddings},
    server::{Answer, Request, Server},
};
use agentscope_core::{
    ContentBlock, Context, EmbedPurpose, EmbedRequest, Embedder, EmbedderCard, Embeddings, embedder_fn,
};
use agentscope_model::{CachedEmbedder, VectorCache};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, SystemTime},
};

async fn embed(
    embedder: &impl Embedder,
    inputs: impl IntoIterator<Item = impl Into<ContentBlock>>,
) -> Embeddings {
    embedder.embed(EmbedRequest::new(inputs), Context::new()).await.unwrap()
}

/// The files of a cache.
fn files(folder: &Path) -> Vec<PathBuf> {
    let folders = fs::read_dir(folder).into_iter().flatten().flatten().filter(|it| it.path().is_dir());
    folders.flat_map(|folder| fs::read_dir(folder.path()).unwrap().flatten()).map(|it| it.path()).collect()
}

fn size(folder: &Path) -> u64 {
    files(folder).iter().map(|file| file.metadata().unwrap().len()).sum()
}

/// Vectors of `dimensions` numbers, which are all the length of the text; counts the texts.
fn lengths(dimensions: usize) -> (impl Embedder + Clone, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let embedder = embedder_fn(EmbedderCard::new("lengths", 0), move |text| {
        counted.fetch_add(1, SeqCst);
        vec![text.len() as f32; dimensions]
    });
    (embedder, count)
}

#[tokio::test]
async fn only_what_is_new_is_asked_for_and_each_text_once() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::raw(embeddings);
    let cached = CachedEmbedder::new(embedder(&server), VectorCache::new(folder.path()));
    let first = embed(&cached, ["a 1", "b 2", "a 1"]).await;
    let second = embed(&cached, ["c 3", "b 2", "c 3", "a 1"]).await;
    assert_eq!(first.values(), [3.0, 1.0, 3.0, 2.0, 3.0, 1.0]);
    assert_eq!(second.values(), [3.0, 3.0, 3.0, 2.0, 3.0, 3.0, 3.0, 1.0]);
    let asked: Vec<_> = server.requests().iter().map(|it| it.json()["input"].to_string()).collect();
    assert_eq!(asked, [r#"["a 1","b 2"]"#, r#"["c 3"]"#]);
    assert_eq!((first.usage.input_tokens, second.usage.input_tokens), (2, 1));
    // Another program, later.
    let cache = VectorCache::new(folder.path());
    let again = embed(&CachedEmbedder::new(embedder(&server), cache.clone()), ["a 1", "c 3"]).await;
    assert_eq!((again.usage.input_tokens, server.count(), cache.hits(), cache.misses()), (0, 2, 2, 0));
}

#[tokio::test]
async fn what_a_vector_depends_on_keeps_it_apart() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::raw(embeddings);
    let cache = VectorCache::new(folder.path());
    let asked = async |embedder: &dyn Embedder, req: EmbedRequest| {
        let before = server.count();
        embedder.embed(req, Context::new()).await.unwrap();
        server.count() - before
    };
    let req = || EmbedRequest::new(["a"]);
    let plain = CachedEmbedder::new(embedder(&server), cache.clone());
    let optioned = CachedEmbedder::new(embedder(&server).body("user", "u"), cache.clone());
    let short = CachedEmbedder::new(embedder(&server).dimensions(2), cache.clone());
    let named = plain.clone().namespace("n");
    for turn in [1, 0] {
        assert_eq!(asked(&plain, req()).await, turn);
        assert_eq!(asked(&plain, req().purpose(EmbedPurpose::Query)).await, turn);
        assert_eq!(asked(&plain, req().extra("x", 1)).await, turn);
        assert_eq!(asked(&optioned, req()).await, turn);
        assert_eq!(asked(&short, req()).await, turn);
        assert_eq!(asked(&named, req()).await, turn);
    }
}

#[tokio::test]
async fn a_broken_file_is_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    let (lengths, count) = lengths(3);
    let cached = CachedEmbedder::new(lengths, VectorCache::new(folder.path()));
    let whole = embed(&cached, ["abc"]).await;
    let [file] = &files(folder.path())[..] else { panic!("one file") };
    let good = fs::read(file).unwrap();
    for bad in
        [Vec::new(), good[..good.len() - 1].to_vec(), [&good[..], b"x"].concat(), b"nonsense".to_vec(), {
            let mut bad = good.clone();
            bad[15] ^= 1;
            bad
        }]
    {
        fs::write(file, bad).unwrap();
        let before = count.load(SeqCst);
        assert_eq!(embed(&cached, ["abc"]).await, whole);
        assert_eq!(count.load(SeqCst), before + 1);
        assert_eq!(fs::read(file).unwrap(), good, "it was written anew");
    }
}

#[tokio::test]
async fn past_the_limit_those_go_that_were_used_longest_ago() {
    let folder = tempfile::tempdir().unwrap();
    let (lengths, count) = lengths(247); // 1000 bytes a file
    let limit = 20_000;
    let cached = CachedEmbedder::new(lengths, VectorCache::new(folder.path()).max_bytes(limit));
    let text = |at: usize| format!("text number {at:03}");
    for at in 0..15 {
        embed(&cached, [text(at)]).await;
    }
    // All are of last week, and then the first five are used.
    let week = SystemTime::now() - Duration::from_secs(7 * 24 * 3600);
    for (at, file) in files(folder.path()).iter().enumerate() {
        fs::File::options()
            .write(true)
            .open(file)
            .unwrap()
            .set_modified(week + Duration::from_secs(at as u64))
            .unwrap();
    }
    embed(&cached, (0..5).map(text)).await;
    assert_eq!(count.load(SeqCst), 15);
    for at in 15..27 {
        embed(&cached, [text(at)]).await;
        assert!(size(folder.path()) <= limit, "{} bytes", size(folder.path()));
    }
    let before = count.load(SeqCst);
    embed(&cached, (0..5).map(text)).await;
    assert_eq!(count.load(SeqCst), before, "what was used is there");
    embed(&cached, (5..15).map(text)).await;
    assert!(count.load(SeqCst) >= before + 7, "what was not is gone");
}

#[tokio::test]
async fn nothing_else_in_the_folder_is_touched() {
    let folder = tempfile::tempdir().unwrap();
    let photos = folder.path().join("ph");
    fs::create_dir(&photos).unwrap();
    fs::write(photos.join("holiday.jpg"), vec![0; 5000]).unwrap();
    fs::write(folder.path().join("notes.txt"), vec![0; 5000]).unwrap();
    let (lengths, _) = lengths(247);
    let cache = VectorCache::new(folder.path()).max_bytes(1500);
    let cached = CachedEmbedder::new(lengths, cache.clone());
    embed(&cached, (0..10).map(|at| format!("{at}"))).await;
    cache.clear().await.unwrap();
    assert!(photos.join("holiday.jpg").exists() && folder.path().join("notes.txt").exists());
    assert_eq!(files(folder.path()).len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_who_share_a_folder_see_whole_vectors() {
    let folder = tempfile::tempdir().unwrap();
    let tasks = (0..16).map(|task: usize| {
        // Each as another process would have it; the limit is small, so that all take away what others read.
        let cache = VectorCache::new(folder.path()).max_bytes(30_000);
        tokio::spawn(async move {
            let cached = CachedEmbedder::new(lengths(247).0, cache.clone());
            for round in 0..30 {
                let texts: Vec<String> = (0..8).map(|at| "x".repeat((task + round + at) % 60 + 1)).collect();
                let vectors = embed(&cached, texts.iter().map(String::as_str)).await;
                for (text, row) in texts.iter().zip(vectors.rows()) {
                    assert!(row.len() == 247 && row.iter().all(|it| *it == text.len() as f32));
                }
            }
            cache.faults()
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        assert_eq!(task.await.unwrap(), 0);
    }
    assert!(files(folder.path()).iter().all(|file| file.extension().is_none()), "nothing is left unfinished");
    assert!(size(folder.path()) <= 30_000 + 16 * 30_000 / 16, "{}", size(folder.path()));
}

#[tokio::test]
async fn where_nothing_can_be_kept_vectors_come_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "no folder").unwrap();
    let cache = VectorCache::new(file.join("cache"));
    let (lengths, count) = lengths(2);
    let cached = CachedEmbedder::new(lengths, cache.clone());
    assert_eq!(embed(&cached, ["abc"]).await.values(), [3.0, 3.0]);
    embed(&cached, ["abc"]).await;
    assert_eq!((count.load(SeqCst), cache.faults()), (2, 2));
}

#[tokio::test]
async fn vectors_of_a_model_that_was_exchanged_are_asked_for_again() {
    let folder = tempfile::tempdir().unwrap();
    let old = CachedEmbedder::new(lengths(2).0, VectorCache::new(folder.path()));
    embed(&old, ["a", "bb"]).await;
    let new = CachedEmbedder::new(lengths(3).0, VectorCache::new(folder.path()));
    assert_eq!(embed(&new, ["a", "ccc", "bb"]).await.values(), [1.0, 1.0, 1.0, 3.0, 3.0, 3.0, 2.0, 2.0, 2.0]);
}

#[tokio::test]
async fn what_came_before_a_failure_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let fails = |request: &Request| {
        let body = request.json();
        let last = body["input"].as_array().unwrap().iter().any(|it| it == "text 1100");
        if last { Answer::json(400, &serde_json::json!({})) } else { embeddings(request) }
    };
    let (broken, server) = (Server::raw(fails), Server::raw(embeddings));
    let texts: Vec<String> = (0..1101).map(|at| format!("text {at}")).collect();
    let req = EmbedRequest::new(texts.iter().map(String::as_str));
    let cache = VectorCache::new(folder.path());
    // The same server, before and after it was repaired.
    let cached = |server: &Server| {
        let at = embedder(server);
        CachedEmbedder::new(Renamed(at, EmbedderCard::new("m", 0)), cache.clone())
    };
    cached(&broken).embed(req.clone(), Context::new()).await.unwrap_err();
    let vectors = cached(&server).embed(req, Context::new()).await.unwrap();
    assert_eq!((vectors.len(), vectors.usage.input_tokens), (1101, 77));
}

/// An embedder under another card.
struct Renamed<E>(E, EmbedderCard);

#[async_trait::async_trait]
impl<E: Embedder> Embedder for Renamed<E> {
    fn card(&self) -> &EmbedderCard {
        &self.1
    }
    async fn embed(&self, req: EmbedRequest, cx: Context) -> agentscope_core::Result<Embeddings> {
        self.0.embed(req, cx).await
    }
}
