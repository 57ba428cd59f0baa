use super::{
    settings::{Answer, Known, Settings, embedder},
    wire::Vector,
};
use crate::Provider;
use agentscope_core::{ContentBlock, Context, EmbedRequest, Map, Result, Usage};
use agentscope_net::shown;
use async_openai::Client;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// Most tokens in all inputs of a request (240,000, by estimate). The limit is 300,000.
const BATCH_TOKENS: u64 = 240_000;

/// Most inputs in a request to a server that is not OpenAI's (64). Text Embeddings Inference takes 32 by default and says so.
const OTHER_BATCH: usize = 64;

/// <https://platform.openai.com/docs/guides/embeddings>
const KNOWN: [Known; 3] = [
    Known { name: "text-embedding-3-small", dimensions: 1536, max_batch: 2048, max_input_tokens: 8192 },
    Known { name: "text-embedding-3-large", dimensions: 3072, max_batch: 2048, max_input_tokens: 8192 },
    Known { name: "text-embedding-ada-002", dimensions: 1536, max_batch: 2048, max_input_tokens: 8192 },
];

/// An embedder of texts behind an API that is compatible with OpenAI's: OpenAI itself, vLLM, Text Embeddings Inference,
/// llama.cpp and others.
///
/// Any number of texts is taken: they are sent in parts, by 2048 or 240,000 tokens, four parts at a time. A part that the server
/// takes no more for now (429, with its `Retry-After` up to a minute), or that does not arrive, is sent again, twice by default.
/// Where one part fails, the others are given up.
///
/// Errors are those of [`OpenAIChatModel`](crate::OpenAIChatModel); a text that is too long is
/// [`ErrorKind::ContextOverflow`](agentscope_core::ErrorKind).
///
/// ```
/// use agentscope_core::Embedder;
/// use agentscope_model::OpenAITextEmbedding;
///
/// let small = OpenAITextEmbedding::new("text-embedding-3-small").api_key("sk-..").dimensions(512);
/// assert_eq!((small.card().dimensions, small.card().max_batch), (512, 2048));
///
/// let local = OpenAITextEmbedding::compatible("http://gpu-1:8000/v1", "BAAI/bge-m3").concurrency(8);
/// assert_eq!(local.card().dimensions, 0, "known once it has given a vector");
/// ```
#[derive(Clone)]
pub struct OpenAITextEmbedding(Arc<Settings>);

impl OpenAITextEmbedding {
    /// A model of OpenAI, such as `text-embedding-3-small`. The key is that of OPENAI_API_KEY, the address that of
    /// OPENAI_BASE_URL or `https://api.openai.com/v1`.
    pub fn new(model: impl Into<String>) -> Self {
        Self::of(Provider::OpenAi, model)
    }

    /// A model of a server that is compatible with OpenAI's. The key is that of AGENTSCOPE_API_KEY, where it asks for one.
    pub fn compatible(base_url: impl AsRef<str>, model: impl Into<String>) -> Self {
        let (url, model) = (base_url.as_ref(), model.into());
        let spec = format!("{}#{model}", shown(url));
        Self::of(Provider::Other, model)
            .change(|settings| settings.endpoint.set_address(url))
            .describe(|card| card.spec = spec)
    }

    /// A model of a provider by its API that is compatible with OpenAI's. Key and address are found in the provider's variables, see
    /// [`Provider`].
    pub fn of(provider: Provider, model: impl Into<String>) -> Self {
        let mut settings = Settings::new(&provider.ways().service, model.into(), &KNOWN, OTHER_BATCH);
        settings.batch_tokens = BATCH_TOKENS;
        Self(Arc::new(settings))
    }
}

embedder!(OpenAITextEmbedding, ask);

#[derive(Deserialize)]
struct Report {
    data: Vec<Row>,
    #[serde(default)]
    usage: Option<Cost>,
}

#[derive(Deserialize)]
struct Row {
    index: Option<usize>,
    embedding: Vector,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Cost {
    prompt_tokens: u64,
}

async fn ask(
    settings: &Settings,
    req: &EmbedRequest,
    batch: &[ContentBlock],
    cx: &Context,
) -> Result<Answer> {
    let body = &body(settings, req, batch);
    let endpoint = &settings.endpoint;
    let create =
        |client: Client<_>| Box::pin(async move { client.embeddings().create_byot(body).await }) as _;
    let answer = endpoint.openai(cx, create).await?;
    let report: Report = endpoint.read(&answer)?;
    let rows = report.data.into_iter().enumerate();
    Ok(Answer {
        vectors: rows.map(|(at, row)| (row.index.unwrap_or(at), row.embedding.0)).collect(),
        usage: Usage::new(report.usage.unwrap_or_default().prompt_tokens, 0),
    })
}

fn body(settings: &Settings, req: &EmbedRequest, batch: &[ContentBlock]) -> Value {
    let mut body = Map::new();
    body.insert("model".into(), settings.card.name.as_str().into());
    body.insert("input".into(), texts(batch).collect());
    // A third of the bytes, and quicker to read. Not everyone who is compatible knows it.
    let format = if settings.endpoint.access.is_at_home() { "base64" } else { "float" };
    body.insert("encoding_format".into(), format.into());
    if let Some(dimensions) = settings.dimensions {
        body.insert("dimensions".into(), json!(dimensions));
    }
    extend(&mut body, [&settings.extra, &req.extra]);
    Value::Object(body)
}

/// The words of a batch, which has been checked.
pub(super) fn texts(batch: &[ContentBlock]) -> impl Iterator<Item = &str> {
    batch.iter().filter_map(|input| match input {
        ContentBlock::Text { text, .. } => Some(text.as_str()),
        _ => None,
    })
}

/// Puts further fields in; `null` takes one out.
pub(super) fn extend(fields: &mut Map, extras: [&Map; 2]) {
    for (field, value) in extras.into_iter().flatten() {
        match value {
            Value::Null => drop(fields.shift_remove(field)),
            value => drop(fields.insert(field.clone(), value.clone())),
        }
    }
}
