use super::{
    openai::extend,
    settings::{Answer, Known, Settings, embedder},
    wire::Vector,
};
use crate::{gemini::SERVICE, http::Inline, picture};
use agentscope_core::{ContentBlock, Context, EmbedPurpose, EmbedRequest, Map, Result, Usage};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// Most inputs in a request (100).
const MAX_BATCH: usize = 100;

/// <https://ai.google.dev/gemini-api/docs/embeddings>
const KNOWN: [Known; 2] = [
    Known { name: "gemini-embedding-001", dimensions: 3072, max_batch: MAX_BATCH, max_input_tokens: 2048 },
    Known { name: "gemini-embedding-2", dimensions: 3072, max_batch: MAX_BATCH, max_input_tokens: 8192 },
];

/// The dimensions of which the provider gives vectors of length 1. Shorter ones it merely cuts off.
const WHOLE: usize = 3072;

/// An embedder of texts by Gemini's API, and of media where the model takes them (`gemini-embedding-2`).
///
/// The key is that of GEMINI_API_KEY or GOOGLE_API_KEY. Vectors have the length 1, those too that the provider gives cut off
/// ([`dimensions`](Self::dimensions) below 3072). The [purpose](agentscope_core::EmbedRequest::purpose) of a request is told to
/// `gemini-embedding-001`; later models want it in the words.
///
/// ```
/// use agentscope_core::Embedder;
/// use agentscope_model::GeminiTextEmbedding;
///
/// let gemini = GeminiTextEmbedding::new("gemini-embedding-001").api_key("..").dimensions(768);
/// assert_eq!((gemini.card().dimensions, gemini.card().max_batch), (768, 100));
/// ```
#[derive(Clone)]
pub struct GeminiTextEmbedding(Arc<Settings>);

impl GeminiTextEmbedding {
    /// A model such as `gemini-embedding-001`.
    pub fn new(model: impl Into<String>) -> Self {
        let settings = Settings::new(&SERVICE, model.into(), &KNOWN, MAX_BATCH);
        let all = settings.card.name.starts_with("gemini-embedding-2");
        let types: &[&str] = if all { &["image/*", "audio/*", "video/*", "application/pdf"] } else { &[] };
        Self(Arc::new(settings))
            .describe(|card| card.input_types = types.iter().map(|it| (*it).to_owned()).collect())
    }
}

embedder!(GeminiTextEmbedding, ask);

#[derive(Deserialize)]
struct Report {
    embeddings: Vec<Row>,
    #[serde(default, rename = "usageMetadata")]
    usage: Option<Cost>,
}

#[derive(Deserialize)]
struct Row {
    values: Vector,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Cost {
    prompt_token_count: u64,
}

/// <https://ai.google.dev/api/embeddings#method:-models.batchembedcontents>
async fn ask(
    settings: &Settings,
    req: &EmbedRequest,
    batch: &[ContentBlock],
    cx: &Context,
) -> Result<Answer> {
    let name = settings.card.name.trim_start_matches("models/");
    let mut requests = Vec::with_capacity(batch.len());
    for input in batch {
        requests.push(request(settings, req, name, part(input).await?));
    }
    let body = serde_json::to_vec(&json!({ "requests": requests }))?;
    let path = format!("models/{name}:batchEmbedContents");
    let report: Report = settings.endpoint.post(cx, &path, &[], body).await?;
    let cut = settings.dimensions.is_some_and(|it| it != WHOLE);
    let vectors =
        report.embeddings.into_iter().map(|row| if cut { of_length_one(row.values.0) } else { row.values.0 });
    Ok(Answer {
        vectors: vectors.enumerate().collect(),
        usage: Usage::new(report.usage.unwrap_or_default().prompt_token_count, 0),
    })
}

fn request(settings: &Settings, req: &EmbedRequest, name: &str, part: Value) -> Value {
    let mut request = Map::new();
    request.insert("model".into(), format!("models/{name}").into());
    request.insert("content".into(), json!({ "parts": [part] }));
    if let Some(purpose) = req.purpose.filter(|_| !name.starts_with("gemini-embedding-2")) {
        let task = match purpose {
            EmbedPurpose::Query => "RETRIEVAL_QUERY",
            _ => "RETRIEVAL_DOCUMENT",
        };
        request.insert("taskType".into(), task.into());
    }
    if let Some(dimensions) = settings.dimensions {
        request.insert("outputDimensionality".into(), json!(dimensions));
    }
    extend(&mut request, [&settings.extra, &req.extra]);
    Value::Object(request)
}

async fn part(input: &ContentBlock) -> Result<Value> {
    Ok(match input {
        ContentBlock::Text { text, .. } => json!({ "text": text }),
        input => match input.media() {
            Some(media) => {
                let Inline { media_type, data } = picture::inline(media).await?;
                json!({ "inlineData": { "mimeType": media_type, "data": data } })
            }
            None => Value::Null,
        },
    })
}

fn of_length_one(mut vector: Vec<f32>) -> Vec<f32> {
    let length = vector.iter().map(|it| f64::from(*it).powi(2)).sum::<f64>().sqrt();
    if length > 0.0 && length.is_finite() {
        vector.iter_mut().for_each(|it| *it = (f64::from(*it) / length) as f32);
    }
    vector
}
