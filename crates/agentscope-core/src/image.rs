//! Image models: what draws.

use crate::{
    context::Context,
    error::Result,
    id::Name,
    message::{ContentBlock, Map, Media, Msg, Usage},
    model::ModelCard,
};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Something that draws what it is told, or draws a picture otherwise.
///
/// ```
/// use agentscope_core::{Context, ImageModel, ImageRequest, Images, Media, ModelCard, Result};
///
/// /// Draws a dot, whatever it is told.
/// struct Dot(ModelCard);
///
/// #[async_trait::async_trait]
/// impl ImageModel for Dot {
///     fn card(&self) -> &ModelCard { &self.0 }
///     async fn generate(&self, req: ImageRequest, _: Context) -> Result<Images> {
///         Ok(Images::new((0..req.count).map(|_| Media::base64("image/png", "iVBORw0KGgo="))))
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
/// let dot = Dot(ModelCard::new("dot"));
/// let drawn = dot.generate(ImageRequest::new("a dot").count(2), Context::new()).await?;
/// assert_eq!(drawn.into_msg("dot").content.len(), 2);
/// # Ok(()) }
/// ```
#[async_trait]
pub trait ImageModel: Send + Sync + 'static {
    /// What it is and what it gives; `input_types` has images where it can draw a picture otherwise.
    fn card(&self) -> &ModelCard;

    /// Draws. Dropping the future stops the wait, though a provider may go on and want to be paid.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Refused`] where a filter holds it back, [`crate::ErrorKind::InvalidInput`] for what the model does not
    /// take, and those of its provider.
    async fn generate(&self, req: ImageRequest, cx: Context) -> Result<Images>;
}

/// What an image model is asked.
///
/// ```
/// use agentscope_core::ImageRequest;
///
/// let new = ImageRequest::new("a lighthouse at night").size(1024, 1024).count(2);
/// let edited = ImageRequest::new("the same by day").image("lighthouse.png");
/// assert_eq!((new.images.len(), edited.images.len()), (0, 1));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ImageRequest {
    /// What to draw, or how the pictures are to be changed.
    pub prompt: String,
    /// Pictures to start from.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<Media>,
    /// Where the first picture is to be changed: a picture of its size, transparent there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mask: Option<Media>,
    /// How many pictures (1).
    pub count: u32,
    /// Width and height in pixels; left to the provider where it is not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<(u32, u32)>,
    /// Fields for this provider alone, put into the request body as they are.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub extra: Map,
}

impl Default for ImageRequest {
    fn default() -> Self {
        Self {
            prompt: String::new(),
            images: Vec::new(),
            mask: None,
            count: 1,
            size: None,
            extra: Map::new(),
        }
    }
}

impl ImageRequest {
    /// Asks for a picture of what `prompt` says.
    pub fn new(prompt: impl Into<String>) -> Self {
        Self { prompt: prompt.into(), ..Self::default() }
    }

    /// A picture to start from: its web address, or the path of a local file.
    #[must_use]
    pub fn image(self, url: impl Into<String>) -> Self {
        self.media(Media::url(url))
    }

    /// A picture to start from.
    #[must_use]
    pub fn media(mut self, image: Media) -> Self {
        self.images.push(image);
        self
    }

    /// Where the first picture is to be changed: a picture of its size, transparent there.
    #[must_use]
    pub fn mask(mut self, mask: Media) -> Self {
        self.mask = Some(mask);
        self
    }

    /// How many pictures.
    #[must_use]
    pub fn count(mut self, count: u32) -> Self {
        self.count = count;
        self
    }

    /// Width and height in pixels.
    #[must_use]
    pub fn size(mut self, width: u32, height: u32) -> Self {
        self.size = Some((width, height));
        self
    }

    /// A field for this provider alone, such as `quality`.
    #[must_use]
    pub fn extra(mut self, field: impl Into<String>, value: impl Into<serde_json::Value>) -> Self {
        self.extra.insert(field.into(), value.into());
        self
    }
}

/// Pictures that were drawn: their bytes, or where they are. Addresses of providers are good for an hour or a day.
///
/// ```
/// use agentscope_core::{Images, Media};
/// assert_eq!(Images::new([Media::url("https://example.org/a.png")]).images.len(), 1);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Images {
    /// The pictures. The field `revised_prompt` of one says what was drawn, where that is not what was asked.
    pub images: Vec<Media>,
    /// What they cost, where the provider counts tokens.
    pub usage: Usage,
}

impl Images {
    /// These pictures.
    pub fn new(images: impl IntoIterator<Item = Media>) -> Self {
        Self { images: images.into_iter().collect(), usage: Usage::default() }
    }

    /// The same, at this cost.
    #[must_use]
    pub fn with_usage(mut self, usage: Usage) -> Self {
        self.usage = usage;
        self
    }

    /// The pictures as blocks of a message.
    pub fn into_blocks(self) -> Vec<ContentBlock> {
        self.images.into_iter().map(ContentBlock::Image).collect()
    }

    /// The pictures as a message by `name`.
    pub fn into_msg(self, name: impl Into<Name>) -> Msg {
        let usage = self.usage;
        let mut msg = Msg::new(name, crate::Role::Assistant, self.into_blocks());
        msg.usage = Some(usage);
        msg
    }
}

#[async_trait]
impl<T: ImageModel + ?Sized> ImageModel for Arc<T> {
    fn card(&self) -> &ModelCard {
        (**self).card()
    }

    async fn generate(&self, req: ImageRequest, cx: Context) -> Result<Images> {
        (**self).generate(req, cx).await
    }
}
