//! A model that draws, by its configuration.

use super::entry::ModelConfig;
use crate::save_image;
use agentscope_core::{Context, ImageModel, ImageRequest, Images, Map, ModelCard, Result};
use async_trait::async_trait;
use serde_json::Value;
use std::{path::PathBuf, sync::Arc};

/// The folder of the working directory in which pictures are kept.
const FOLDER: &str = "images";

/// A model that draws with the options of its configuration, which are used where a request says nothing.
pub(super) struct Drawing {
    model: Arc<dyn ImageModel>,
    /// How many pictures, where one is asked for.
    count: Option<u32>,
    size: Option<(u32, u32)>,
    extra: Map,
    /// Where pictures are kept, if they are.
    folder: Option<PathBuf>,
}

impl Drawing {
    pub(super) fn new(model: Arc<dyn ImageModel>, config: &ModelConfig) -> Self {
        let mut extra = config.options.extra.clone();
        let count = extra.get("n").and_then(Value::as_u64).and_then(|it| u32::try_from(it).ok());
        let size = extra.get("size").and_then(Value::as_str).and_then(size_of);
        // What a request can say itself must not stand in its way; a word such as `auto` stays.
        if count.is_some() {
            extra.shift_remove("n");
        }
        if size.is_some() {
            extra.shift_remove("size");
        }
        let folder = config.save_local.then(|| PathBuf::from(FOLDER));
        Self { model, count, size, extra, folder }
    }

    fn filled(&self, mut req: ImageRequest) -> ImageRequest {
        if req.count == 1 {
            req.count = self.count.unwrap_or(1);
        }
        req.size = req.size.or(self.size);
        for (field, value) in &self.extra {
            let is_said = req.extra.contains_key(field) || (field == "size" && req.size.is_some());
            if !is_said {
                req.extra.insert(field.clone(), value.clone());
            }
        }
        req
    }
}

#[async_trait]
impl ImageModel for Drawing {
    fn card(&self) -> &ModelCard {
        self.model.card()
    }

    async fn generate(&self, req: ImageRequest, cx: Context) -> Result<Images> {
        let mut images = self.model.generate(self.filled(req), cx).await?;
        let Some(folder) = &self.folder else { return Ok(images) };
        for image in &mut images.images {
            match save_image(image, folder).await {
                Ok(kept) => *image = kept,
                // It was paid for.
                Err(error) => image.extra.set("save_error", error.message()),
            }
        }
        Ok(images)
    }
}

/// `1024x1024` or `1024*1024`.
fn size_of(size: &str) -> Option<(u32, u32)> {
    let (width, height) = size.split_once(['x', 'X', '*', '×'])?;
    Some((width.trim().parse().ok()?, height.trim().parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use agentscope_core::{Error, ErrorKind, Media};
    use std::sync::Mutex;

    /// Keeps what it is asked.
    struct Asked(ModelCard, Mutex<Vec<ImageRequest>>, Media);

    #[async_trait]
    impl ImageModel for Asked {
        fn card(&self) -> &ModelCard {
            &self.0
        }

        async fn generate(&self, req: ImageRequest, _: Context) -> Result<Images> {
            self.1.lock().map_err(|_| Error::new(ErrorKind::Internal, "broken"))?.push(req);
            Ok(Images::new([self.2.clone()]))
        }
    }

    fn config(more: Value) -> ModelConfig {
        let mut entry = serde_json::json!({"config_name": "a", "model_type": "openai_dall_e"});
        entry.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        crate::Configs::from_value(entry).unwrap().config("a").unwrap().clone()
    }

    #[tokio::test]
    async fn the_options_of_a_configuration_count_where_a_request_says_nothing() {
        let model =
            Arc::new(Asked(ModelCard::new("m"), Mutex::default(), Media::base64("image/png", "YWJj")));
        let config =
            config(serde_json::json!({"generate_args": {"n": 3, "size": "512x256", "quality": "low"}}));
        let drawing = Drawing::new(model.clone(), &config);
        let own = ImageRequest::new("a").count(2).size(1, 2).extra("quality", "high");
        for req in [ImageRequest::new("a"), own] {
            let drawn = drawing.generate(req, Context::new()).await.unwrap();
            assert_eq!(drawn.images, [Media::base64("image/png", "YWJj")]);
        }
        let asked = model.1.lock().unwrap();
        let said: Vec<_> = asked.iter().map(|it| (it.count, it.size, it.extra["quality"].clone())).collect();
        assert_eq!(said, [(3, Some((512, 256)), "low".into()), (2, Some((1, 2)), "high".into())]);
    }

    #[tokio::test]
    async fn a_picture_is_kept_as_a_file_and_one_that_cannot_be_is_not_lost() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(serde_json::json!({"save_local": true}));
        let drawn = async |media: Media, folder: PathBuf| {
            let mut drawing =
                Drawing::new(Arc::new(Asked(ModelCard::new("m"), Mutex::default(), media)), &config);
            assert_eq!(drawing.folder.as_deref(), Some("images".as_ref()));
            drawing.folder = Some(folder);
            drawing.generate(ImageRequest::new("a"), Context::new()).await.unwrap().images.remove(0)
        };
        let kept = drawn(Media::base64("image/png", "YWJj"), folder.path().join("new")).await;
        assert_eq!(std::fs::read(kept.local_path().unwrap()).unwrap(), b"abc");
        let gone = drawn(Media::url("http://127.0.0.1:1/a.png"), folder.path().to_owned()).await;
        assert!(gone.extra.get("save_error").is_some() && gone.local_path().is_none());
    }
}
