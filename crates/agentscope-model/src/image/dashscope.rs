use super::settings::{Settings, image_model};
use crate::{dashscope::ALONE, http::Inline, picture, picture::is_of_the_web};
use agentscope_core::{Context, Error, ErrorKind, ImageRequest, Images, Map, Media, Result, Source};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, sleep};

/// How the names of models begin that draw while the request waits.
const AT_ONCE: [&str; 4] = ["qwen-image", "wan2.6", "z-image", "qwen3-image"];

/// Image models of Alibaba Cloud's Model Studio (DashScope): `qwen-image-plus`, `wan2.2-t2i-flash` and others.
///
/// Those of Qwen draw while the request waits. Those of Wan take a task, after which is asked every second, later every five.
/// Pictures come as addresses that are good for a day: [`save_image`](crate::save_image) keeps one. A request with pictures is an
/// edit, by models such as `qwen-image-edit` and `wan2.5-i2i-preview`. The key is that of DASHSCOPE_API_KEY, the address that of
/// DASHSCOPE_HTTP_BASE_URL or `https://dashscope.aliyuncs.com/api/v1`. Fields of [`body`](Self::body) go into `parameters`.
///
/// ```
/// use agentscope_core::ImageModel;
/// use agentscope_model::DashScopeImageModel;
///
/// let painter = DashScopeImageModel::new("wan2.2-t2i-flash").api_key("sk-..").body("watermark", false);
/// assert_eq!(painter.card().spec, "dashscope:wan2.2-t2i-flash");
/// ```
#[derive(Clone)]
pub struct DashScopeImageModel(Arc<Settings>);

impl DashScopeImageModel {
    /// A model such as `qwen-image-plus`.
    pub fn new(model: impl Into<String>) -> Self {
        let model = model.into();
        let edits = model.contains("edit") || model.contains("i2i") || model.starts_with("wan2.6");
        Self(Arc::new(Settings::new(&ALONE, model, edits)))
    }

    /// First wait before the provider is asked how far a task is (1 s); it grows to five times that.
    #[must_use]
    pub fn poll(self, wait: Duration) -> Self {
        self.change(|settings| settings.poll = wait)
    }
}

image_model!(DashScopeImageModel, ask);

#[derive(Deserialize)]
struct Report {
    output: Output,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Output {
    choices: Vec<Choice>,
    task_id: String,
    task_status: String,
    results: Vec<Drawn>,
    code: String,
    message: String,
}

#[derive(Deserialize)]
struct Choice {
    message: Message,
}

#[derive(Deserialize)]
struct Message {
    content: Vec<Value>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Drawn {
    url: Option<String>,
    actual_prompt: Option<String>,
    code: String,
    message: String,
}

async fn ask(settings: &Settings, req: &ImageRequest, cx: &Context) -> Result<Images> {
    if req.mask.is_some() {
        let message = "DashScope's models take no mask: say in words what to change";
        return Err(Error::new(ErrorKind::InvalidInput, message));
    }
    let mut parameters = Map::new();
    if let Some((width, height)) = req.size {
        parameters.insert("size".into(), format!("{width}*{height}").into());
    }
    parameters.insert("n".into(), req.count.into());
    settings.extend(&mut parameters, req);
    let name = settings.card.name.as_str();
    if AT_ONCE.iter().any(|it| name.starts_with(it)) {
        at_once(settings, req, parameters, cx).await
    } else {
        by_task(settings, req, parameters, cx).await
    }
}

/// <https://www.alibabacloud.com/help/en/model-studio/qwen-image-api>
async fn at_once(settings: &Settings, req: &ImageRequest, parameters: Map, cx: &Context) -> Result<Images> {
    let mut content = Vec::new();
    for image in &req.images {
        content.push(json!({ "image": address(image).await? }));
    }
    content.push(json!({ "text": req.prompt }));
    let body = json!({
        "model": settings.card.name,
        "input": { "messages": [{ "role": "user", "content": content }] },
        "parameters": parameters,
    });
    let path = "services/aigc/multimodal-generation/generation";
    let report: Report = settings.endpoint.post(cx, path, &[], serde_json::to_vec(&body)?).await?;
    let parts = report.output.choices.into_iter().flat_map(|choice| choice.message.content);
    let of_the_web = parts
        .filter_map(|part| Some(part.get("image")?.as_str()?.to_owned()))
        .filter(|url| is_of_the_web(url));
    Ok(Images::new(of_the_web.map(picture)))
}

/// <https://www.alibabacloud.com/help/en/model-studio/text-to-image-v2-api-reference>
async fn by_task(settings: &Settings, req: &ImageRequest, parameters: Map, cx: &Context) -> Result<Images> {
    let mut input = json!({ "prompt": req.prompt });
    let mut path = "services/aigc/text2image/image-synthesis";
    if !req.images.is_empty() {
        let mut images = Vec::new();
        for image in &req.images {
            images.push(address(image).await?);
        }
        path = "services/aigc/image2image/image-synthesis";
        input = json!({ "prompt": req.prompt, "images": images });
    }
    let body = json!({ "model": settings.card.name, "input": input, "parameters": parameters });
    let endpoint = &settings.endpoint;
    let started = Instant::now();
    let later = [("x-dashscope-async", "enable")];
    let mut report: Report = endpoint.post(cx, path, &later, serde_json::to_vec(&body)?).await?;
    let task = std::mem::take(&mut report.output.task_id);
    // It becomes a part of an address.
    if task.is_empty() || !task.bytes().all(|it| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_')) {
        return Err(endpoint.nonsense("no identifier of a task"));
    }
    let mut wait = settings.poll;
    loop {
        match report.output.task_status.as_str() {
            "SUCCEEDED" => return drawn(settings, report.output),
            "FAILED" | "CANCELED" | "UNKNOWN" => {
                return Err(failed(settings, &report.output.code, &report.output.message));
            }
            _ => {}
        }
        let left = endpoint.timeout.saturating_sub(started.elapsed());
        if left.min(cx.time_left().unwrap_or(left)) <= wait {
            let message = format!(
                "`{}` was still at work after {} s (task {task}): allow more by `.timeout(..)`",
                settings.card.name,
                started.elapsed().as_secs()
            );
            return Err(Error::new(ErrorKind::Timeout, message));
        }
        sleep(wait).await;
        wait = (wait * 3 / 2).min(settings.poll * 5);
        report = endpoint.get(cx, &format!("tasks/{task}")).await?;
    }
}

/// The pictures of a task; an error only where none was drawn.
fn drawn(settings: &Settings, output: Output) -> Result<Images> {
    let why =
        output.results.iter().find(|it| it.url.is_none()).map(|it| failed(settings, &it.code, &it.message));
    let is_elsewhere =
        output.results.iter().filter_map(|it| it.url.as_deref()).any(|url| !is_of_the_web(url));
    let images = output.results.into_iter().filter_map(|drawn| {
        let mut media = picture(drawn.url.filter(|url| is_of_the_web(url))?);
        if let Some(prompt) = drawn.actual_prompt {
            media.extra.set("revised_prompt", prompt);
        }
        Some(media)
    });
    let images = Images::new(images);
    let why = why
        .or_else(|| is_elsewhere.then(|| settings.endpoint.nonsense("an address that is none of the web")));
    match why {
        Some(why) if images.images.is_empty() => Err(why),
        _ => Ok(images),
    }
}

fn failed(settings: &Settings, code: &str, said: &str) -> Error {
    let (kind, remedy) = match code {
        "DataInspectionFailed" => (ErrorKind::Refused, "word it otherwise"),
        code if code.starts_with("InvalidParameter") || code.starts_with("InvalidURL") => {
            (ErrorKind::InvalidInput, "correct the request")
        }
        code if code.starts_with("Throttling") => (ErrorKind::RateLimited, "wait, or use another model"),
        _ => (ErrorKind::Unavailable, "try again, or use another model"),
    };
    let said: String =
        format!("{code} {said}").chars().map(|it| if it.is_control() { ' ' } else { it }).take(300).collect();
    let said = said.trim();
    let said = if said.is_empty() { "does not say why" } else { said };
    Error::new(kind, format!("`{}` drew nothing: {said}: {remedy}", settings.card.name))
}

fn picture(url: String) -> Media {
    let media = Media::url(url);
    match media.media_type() {
        "application/octet-stream" => match media.source {
            Source::Url { url, .. } => {
                Media::from(Source::Url { url, media_type: Some("image/png".to_owned()) })
            }
            source => Media::from(source),
        },
        _ => media,
    }
}

/// What is on the web is fetched by the provider, and all else put into the request.
async fn address(media: &Media) -> Result<String> {
    match &media.source {
        Source::Url { url, .. } if url.starts_with("http://") || url.starts_with("https://") => {
            Ok(url.clone())
        }
        _ => {
            let Inline { media_type, data } = picture::inline(media).await?;
            Ok(format!("data:{media_type};base64,{data}"))
        }
    }
}
