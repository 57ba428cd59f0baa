//! Against aimock: vectors and pictures, as a program that we did not write gives them.

use crate::aimock::Aimock;
use agentscope_core::{Context, EmbedRequest, Embedder, ImageModel, ImageRequest, Media};
use agentscope_model::{CachedEmbedder, OpenAIImageModel, OpenAITextEmbedding, VectorCache};

/// Its pictures, chosen by the words of the prompt.
const PICTURES: &str =
    concat!("--fixtures ", env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/aimock-images.json");

#[tokio::test]
async fn texts_have_the_same_vectors_in_any_parts_and_from_the_cache() {
    let Some(aimock) = Aimock::start("") else { return };
    let texts: Vec<String> = (0..50).map(|at| format!("text number {at}")).collect();
    let req = || EmbedRequest::new(texts.iter().map(String::as_str));
    let embedder = |most: usize| {
        OpenAITextEmbedding::new("text-embedding-3-small")
            .api_key("k")
            .base_url(&aimock.url)
            .dimensions(64)
            .max_batch(most)
    };
    let whole = embedder(2048).embed(req(), Context::new()).await.unwrap();
    assert_eq!((whole.len(), whole.dimensions()), (50, 64));
    assert_ne!(whole.row(0), whole.row(1));
    let parts = embedder(7).embed(req(), Context::new()).await.unwrap();
    assert_eq!(parts.values(), whole.values());
    let folder = tempfile::tempdir().unwrap();
    let cache = VectorCache::new(folder.path());
    let cached = CachedEmbedder::new(embedder(7), cache.clone());
    for _ in 0..2 {
        assert_eq!(cached.embed(req(), Context::new()).await.unwrap().values(), whole.values());
    }
    assert_eq!((cache.misses(), cache.hits()), (50, 50));
}

#[tokio::test]
async fn a_server_that_gives_numbers_in_place_of_base64_is_understood() {
    let Some(aimock) = Aimock::start("") else { return };
    let embedder = OpenAITextEmbedding::compatible(&aimock.url, "m").api_key("k");
    let numbers = embedder.embed(EmbedRequest::new(["a"]), Context::new()).await.unwrap();
    let asked = embedder
        .body("encoding_format", "base64")
        .embed(EmbedRequest::new(["a"]), Context::new())
        .await
        .unwrap();
    assert_eq!(asked.values(), numbers.values());
}

#[tokio::test]
async fn a_picture_is_drawn_and_edited() {
    let Some(aimock) = Aimock::start(PICTURES) else { return };
    let painter = OpenAIImageModel::new("gpt-image-2").api_key("k").base_url(&aimock.url);
    for req in [
        ImageRequest::new("a dot"),
        ImageRequest::new("a dot").media(Media::base64("image/png", "iVBORw0KGgo=")),
    ] {
        let drawn = painter.generate(req, Context::new()).await.unwrap();
        let mut dot = Media::base64("image/png", "iVBORw0KGgo=");
        dot.extra.set("revised_prompt", "a round dot");
        assert_eq!(drawn.images, [dot]);
    }
}
