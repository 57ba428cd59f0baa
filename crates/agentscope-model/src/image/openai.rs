use super::settings::{Settings, image_model};
use crate::{Provider, picture, picture::is_of_the_web};
use agentscope_core::{Context, ImageRequest, Images, Map, Media, Result, Source, Usage};
use agentscope_net::{
    Guard,
    reqwest::multipart::{Form, Part},
    shown,
};
use async_openai::{Client, error::OpenAIError, traits::AsyncTryFrom};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;

/// Image models of OpenAI, and of servers that are compatible with its API: `gpt-image-2`, `dall-e-3`.
///
/// A request with pictures is an edit of them. Whether pictures come as bytes or as an address is the model's to decide, and
/// `.body("response_format", "b64_json")` asks DALL·E for bytes. The key is that of OPENAI_API_KEY, the address that of
/// OPENAI_BASE_URL or `https://api.openai.com/v1`.
///
/// ```
/// use agentscope_core::{ImageModel, ImageRequest};
/// use agentscope_model::OpenAIImageModel;
///
/// let painter = OpenAIImageModel::new("gpt-image-2").api_key("sk-..").body("quality", "low");
/// let request = ImageRequest::new("a lighthouse at night").size(1024, 1024);
/// # let _ = async {
/// let drawn = painter.generate(request, agentscope_core::Context::current()).await?;
/// # Ok::<_, agentscope_core::Error>(drawn) };
/// ```
#[derive(Clone)]
pub struct OpenAIImageModel(Arc<Settings>);

impl OpenAIImageModel {
    /// A model such as `gpt-image-2`.
    pub fn new(model: impl Into<String>) -> Self {
        Self::of(Provider::OpenAi, model)
    }

    /// A model of a server that is compatible with OpenAI's. The key is that of AGENTSCOPE_API_KEY, where it asks for one.
    pub fn compatible(base_url: impl AsRef<str>, model: impl Into<String>) -> Self {
        let (url, model) = (base_url.as_ref(), model.into());
        let spec = format!("{}#{model}", shown(url));
        Self::of(Provider::Other, model).change(|settings| {
            settings.endpoint.set_address(url);
            Arc::make_mut(&mut settings.card).spec = spec;
        })
    }

    pub(crate) fn of(provider: Provider, model: impl Into<String>) -> Self {
        let model = model.into();
        let edits = !model.starts_with("dall-e-3");
        Self(Arc::new(Settings::new(&provider.ways().service, model, edits)))
    }
}

image_model!(OpenAIImageModel, ask);

#[derive(Deserialize)]
struct Report {
    data: Vec<Picture>,
    output_format: Option<String>,
    usage: Option<Cost>,
}

#[derive(Deserialize)]
struct Picture {
    b64_json: Option<String>,
    url: Option<String>,
    revised_prompt: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Cost {
    input_tokens: u64,
    output_tokens: u64,
}

async fn ask(settings: &Settings, req: &ImageRequest, cx: &Context) -> Result<Images> {
    let mut fields = Map::new();
    fields.insert("model".into(), settings.card.name.as_str().into());
    fields.insert("prompt".into(), req.prompt.as_str().into());
    fields.insert("n".into(), req.count.into());
    if let Some((width, height)) = req.size {
        fields.insert("size".into(), format!("{width}x{height}").into());
    }
    settings.extend(&mut fields, req);
    let answer = if req.images.is_empty() {
        let fields = &fields;
        let generate =
            |client: Client<_>| Box::pin(async move { client.images().generate_byot(fields).await }) as _;
        settings.endpoint.openai(cx, generate).await?
    } else {
        let edit = Edit::of(fields, req).await?;
        let edit = &edit;
        let send =
            |client: Client<_>| Box::pin(async move { client.images().edit_byot(edit.clone()).await }) as _;
        settings.endpoint.openai(cx, send).await?
    };
    let report: Report = settings.endpoint.read(&answer)?;
    let format = report.output_format.as_deref().unwrap_or_else(|| asked_format(settings, req));
    let media_type = format!("image/{format}");
    if report.data.iter().filter_map(|picture| picture.url.as_deref()).any(|url| !is_of_the_web(url)) {
        return Err(settings.endpoint.nonsense("an address that is none of the web"));
    }
    let images = report.data.into_iter().filter_map(|picture| {
        let mut media = match (picture.b64_json, picture.url) {
            (Some(data), _) => Media::base64(&media_type, data),
            (None, Some(url)) => Media::from(Source::Url { url, media_type: Some(media_type.clone()) }),
            (None, None) => return None,
        };
        if let Some(prompt) = picture.revised_prompt {
            media.extra.set("revised_prompt", prompt);
        }
        Some(media)
    });
    let Cost { input_tokens, output_tokens } = report.usage.unwrap_or_default();
    Ok(Images::new(images).with_usage(Usage::new(input_tokens, output_tokens)))
}

/// The format of pictures where the answer does not name it.
fn asked_format<'a>(settings: &'a Settings, req: &'a ImageRequest) -> &'a str {
    let asked = req.extra.get("output_format").or_else(|| settings.extra.get("output_format"));
    asked.and_then(Value::as_str).unwrap_or("png")
}

/// A form with files.
#[derive(Clone)]
struct Edit {
    fields: Arc<Map>,
    files: Arc<[File]>,
}

struct File {
    /// The field of the form.
    field: &'static str,
    media_type: String,
    bytes: Bytes,
}

impl Edit {
    async fn of(fields: Map, req: &ImageRequest) -> Result<Self> {
        let field = if req.images.len() == 1 { "image" } else { "image[]" };
        let images = req.images.iter().map(|media| (field, media));
        let mut files = Vec::new();
        for (field, media) in images.chain(req.mask.iter().map(|mask| ("mask", mask))) {
            let (media_type, bytes) = picture::bytes(media, Guard::public()).await?;
            files.push(File { field, media_type, bytes: bytes.into() });
        }
        Ok(Self { fields: Arc::new(fields), files: files.into() })
    }
}

impl AsyncTryFrom<Edit> for Form {
    type Error = OpenAIError;

    async fn try_from(edit: Edit) -> Result<Self, OpenAIError> {
        let mut form = Self::new();
        for (field, value) in &*edit.fields {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            form = form.text(field.clone(), text);
        }
        for (at, file) in edit.files.iter().enumerate() {
            // The server wants a name, by whose end it tells what is in it.
            let name = format!("{at}.{}", file.media_type.rsplit('/').next().unwrap_or("png"));
            let part = Part::stream_with_length(file.bytes.clone(), file.bytes.len() as u64).file_name(name);
            form = form.part(file.field, part.mime_str(&file.media_type)?);
        }
        Ok(form)
    }
}
