use super::{
    openai::{extend, texts},
    settings::{Answer, Known, Settings, embedder},
    wire::Vector,
};
use crate::{dashscope::ALONE, http::Inline, picture};
use agentscope_core::{
    ContentBlock, Context, EmbedPurpose, EmbedRequest, Error, ErrorKind, Map, Media, Result, Source, Usage,
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// <https://www.alibabacloud.com/help/en/model-studio/text-embedding-synchronous-api>
const TEXT: [Known; 4] = [
    Known { name: "text-embedding-v4", dimensions: 1024, max_batch: 10, max_input_tokens: 8192 },
    Known { name: "text-embedding-v3", dimensions: 1024, max_batch: 10, max_input_tokens: 8192 },
    Known { name: "text-embedding-v2", dimensions: 1536, max_batch: 25, max_input_tokens: 2048 },
    Known { name: "text-embedding-v1", dimensions: 1536, max_batch: 25, max_input_tokens: 2048 },
];

/// <https://www.alibabacloud.com/help/en/model-studio/multimodal-embedding-api-reference>. How many contents a request may have
/// differs by what they are; one is always right.
const MULTIMODAL: [Known; 5] = [
    Known { name: "tongyi-embedding-vision-plus", dimensions: 1152, max_batch: 8, max_input_tokens: 1024 },
    Known { name: "tongyi-embedding-vision-flash", dimensions: 768, max_batch: 8, max_input_tokens: 1024 },
    Known { name: "qwen3-vl-embedding", dimensions: 2560, max_batch: 1, max_input_tokens: 32_000 },
    Known { name: "qwen2.5-vl-embedding", dimensions: 1024, max_batch: 1, max_input_tokens: 32_000 },
    Known { name: "multimodal-embedding-v1", dimensions: 1024, max_batch: 1, max_input_tokens: 512 },
];

/// Texts in a request of a model that is not known (10).
const MAX_BATCH: usize = 10;

/// An embedder of texts by Alibaba Cloud's Model Studio (DashScope), by its own API.
///
/// The key is that of DASHSCOPE_API_KEY, the address that of DASHSCOPE_HTTP_BASE_URL or
/// `https://dashscope.aliyuncs.com/api/v1`. The [purpose](agentscope_core::EmbedRequest::purpose) of a request is told to the
/// model. Fields of [`body`](Self::body) go into its `parameters`, such as `instruct`.
///
/// ```
/// use agentscope_core::Embedder;
/// use agentscope_model::DashScopeTextEmbedding;
///
/// let v4 = DashScopeTextEmbedding::new("text-embedding-v4").api_key("sk-..").dimensions(512);
/// assert_eq!((v4.card().dimensions, v4.card().max_batch), (512, 10));
/// ```
#[derive(Clone)]
pub struct DashScopeTextEmbedding(Arc<Settings>);

impl DashScopeTextEmbedding {
    /// A model such as `text-embedding-v4`.
    pub fn new(model: impl Into<String>) -> Self {
        Self(Arc::new(Settings::new(&ALONE, model.into(), &TEXT, MAX_BATCH)))
    }
}

embedder!(DashScopeTextEmbedding, ask_for_texts);

/// An embedder of texts, pictures and films by Alibaba Cloud's Model Studio (DashScope), which come to lie in one space.
///
/// Key and address are those of [`DashScopeTextEmbedding`]. A local picture is sent along, up to 20 MiB; a film has to have a web
/// address, because the provider takes no other.
///
/// ```
/// use agentscope_core::Embedder;
/// use agentscope_model::DashScopeMultiModalEmbedding;
///
/// let vision = DashScopeMultiModalEmbedding::new("tongyi-embedding-vision-plus").api_key("sk-..");
/// assert_eq!(vision.card().input_types, ["image/*", "video/*"]);
/// ```
#[derive(Clone)]
pub struct DashScopeMultiModalEmbedding(Arc<Settings>);

impl DashScopeMultiModalEmbedding {
    /// A model such as `multimodal-embedding-v1`.
    pub fn new(model: impl Into<String>) -> Self {
        let settings = Settings::new(&ALONE, model.into(), &MULTIMODAL, 1);
        Self(Arc::new(settings))
            .describe(|card| card.input_types = ["image/*", "video/*"].map(str::to_owned).to_vec())
    }

    /// Whether a model is known to be one of these.
    pub(crate) fn is_one(model: &str) -> bool {
        MULTIMODAL.iter().any(|known| model.starts_with(known.name))
            || model.contains("vision")
            || model.contains("-vl-")
    }
}

embedder!(DashScopeMultiModalEmbedding, ask_for_contents);

#[derive(Deserialize)]
struct Report {
    output: Output,
    #[serde(default)]
    usage: Option<Cost>,
}

#[derive(Deserialize)]
struct Output {
    embeddings: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    #[serde(alias = "text_index")]
    index: Option<usize>,
    embedding: Vector,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Cost {
    total_tokens: u64,
    input_tokens: u64,
    image_tokens: u64,
}

async fn ask_for_texts(
    settings: &Settings,
    req: &EmbedRequest,
    batch: &[ContentBlock],
    cx: &Context,
) -> Result<Answer> {
    let mut parameters = parameters(settings);
    if let Some(purpose) = req.purpose {
        let kind = if purpose == EmbedPurpose::Query { "query" } else { "document" };
        parameters.insert("text_type".into(), kind.into());
    }
    let input = json!({ "texts": texts(batch).collect::<Vec<_>>() });
    ask(settings, req, "text-embedding/text-embedding", input, parameters, cx).await
}

async fn ask_for_contents(
    settings: &Settings,
    req: &EmbedRequest,
    batch: &[ContentBlock],
    cx: &Context,
) -> Result<Answer> {
    let mut contents = Vec::with_capacity(batch.len());
    for input in batch {
        contents.push(content(input).await?);
    }
    let input = json!({ "contents": contents });
    ask(settings, req, "multimodal-embedding/multimodal-embedding", input, parameters(settings), cx).await
}

fn parameters(settings: &Settings) -> Map {
    settings.dimensions.map(|it| ("dimension".to_owned(), json!(it))).into_iter().collect()
}

async fn ask(
    settings: &Settings,
    req: &EmbedRequest,
    path: &str,
    input: Value,
    mut parameters: Map,
    cx: &Context,
) -> Result<Answer> {
    extend(&mut parameters, [&settings.extra, &req.extra]);
    let mut body = json!({ "model": settings.card.name, "input": input });
    if let (false, Some(body)) = (parameters.is_empty(), body.as_object_mut()) {
        body.insert("parameters".into(), Value::Object(parameters));
    }
    let path = format!("services/embeddings/{path}");
    let report: Report = settings.endpoint.post(cx, &path, &[], serde_json::to_vec(&body)?).await?;
    let usage = report.usage.unwrap_or_default();
    let rows = report.output.embeddings.into_iter().enumerate();
    Ok(Answer {
        vectors: rows.map(|(at, row)| (row.index.unwrap_or(at), row.embedding.0)).collect(),
        usage: Usage::new(usage.total_tokens.max(usage.input_tokens.saturating_add(usage.image_tokens)), 0),
    })
}

async fn content(input: &ContentBlock) -> Result<Value> {
    Ok(match input {
        ContentBlock::Text { text, .. } => json!({ "text": text }),
        ContentBlock::Image(media) => json!({ "image": address(media).await? }),
        ContentBlock::Video(media) if is_on_the_web(media) => json!({ "video": address(media).await? }),
        ContentBlock::Video(_) => {
            let message = "DashScope takes a film by its web address only: put it where it can be fetched";
            return Err(Error::new(ErrorKind::InvalidInput, message));
        }
        _ => Value::Null,
    })
}

fn is_on_the_web(media: &Media) -> bool {
    matches!(&media.source, Source::Url { url, .. } if url.starts_with("http://") || url.starts_with("https://"))
}

/// What is on the web is fetched by the provider, and all else put into the request.
async fn address(media: &Media) -> Result<String> {
    match &media.source {
        Source::Url { url, .. } if is_on_the_web(media) => Ok(url.clone()),
        _ => {
            let Inline { media_type, data } = picture::inline(media).await?;
            Ok(format!("data:{media_type};base64,{data}"))
        }
    }
}
