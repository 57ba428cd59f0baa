use super::{
    openai::{extend, texts},
    settings::{Answer, Settings, embedder},
    wire::Vector,
};
use crate::ollama::{SERVICE, found_host};
use agentscope_core::{ContentBlock, Context, EmbedRequest, Map, Result, Usage};
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

/// Most texts in a request (64). Ollama has no limit of its own, and a request is one wait.
const MAX_BATCH: usize = 64;

/// An embedder of texts that Ollama runs, on this machine unless OLLAMA_BASE_URL or OLLAMA_HOST says otherwise.
///
/// A text that is longer than the model takes is an error; `.body("truncate", true)` has Ollama cut it, as it does by itself.
///
/// ```
/// use agentscope_core::Embedder;
/// use agentscope_model::OllamaTextEmbedding;
///
/// let nomic = OllamaTextEmbedding::new("nomic-embed-text").base_url("http://gpu-1:11434").dimensions(768);
/// assert_eq!(nomic.card().spec, "ollama:nomic-embed-text");
/// ```
#[derive(Clone)]
pub struct OllamaTextEmbedding(Arc<Settings>);

impl OllamaTextEmbedding {
    /// A model that was pulled, such as `nomic-embed-text`.
    pub fn new(model: impl Into<String>) -> Self {
        let mut settings = Settings::new(&SERVICE, model.into(), &[], MAX_BATCH);
        if settings.endpoint.access.is_at_home()
            && let Some(host) = found_host()
        {
            settings.endpoint.set_address(&host);
        }
        Self(Arc::new(settings))
    }
}

embedder!(OllamaTextEmbedding, ask);

#[derive(Deserialize)]
struct Report {
    embeddings: Vec<Vector>,
    #[serde(default)]
    prompt_eval_count: u64,
}

/// <https://github.com/ollama/ollama/blob/main/docs/api.md#generate-embeddings>
async fn ask(
    settings: &Settings,
    req: &EmbedRequest,
    batch: &[ContentBlock],
    cx: &Context,
) -> Result<Answer> {
    let mut body = Map::new();
    body.insert("model".into(), settings.card.name.as_str().into());
    body.insert("input".into(), texts(batch).collect());
    body.insert("truncate".into(), false.into());
    if let Some(dimensions) = settings.dimensions {
        body.insert("dimensions".into(), json!(dimensions));
    }
    extend(&mut body, [&settings.extra, &req.extra]);
    let report: Report = settings.endpoint.post(cx, "api/embed", &[], serde_json::to_vec(&body)?).await?;
    Ok(Answer {
        vectors: report.embeddings.into_iter().map(|it| it.0).enumerate().collect(),
        usage: Usage::new(report.prompt_eval_count, 0),
    })
}
