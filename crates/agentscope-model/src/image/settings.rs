//! What all image models have in common, and what can be set.

use crate::{http::Service, json_call::Endpoint};
use agentscope_core::{Error, ErrorKind, ImageRequest, Map, ModelCard, Result};
use serde_json::Value;
use std::{sync::Arc, time::Duration};

/// Longest time for one answer (5 min).
const TIMEOUT: Duration = Duration::from_secs(300);

/// Largest answer (256 MiB): ten pictures of 3840 × 2160 pixels in base64.
const ANSWER_LIMIT: usize = 256 << 20;

/// First wait before a provider is asked how far a task is (1 s); it grows to five times that.
const POLL: Duration = Duration::from_secs(1);

/// What an image model was told.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) endpoint: Endpoint,
    pub(super) card: Arc<ModelCard>,
    pub(super) extra: Map,
    pub(super) poll: Duration,
}

impl Settings {
    pub(super) fn new(service: &'static Service, model: String, edits: bool) -> Self {
        let mut card = ModelCard::new(model.as_str());
        card.tools = false;
        card.spec = format!("{}:{model}", service.name);
        card.output_types = vec!["image/*".to_owned()];
        if edits {
            card.input_types = vec!["image/*".to_owned()];
        }
        let mut endpoint = Endpoint::new(service, model, "the prompt", TIMEOUT, ANSWER_LIMIT);
        // A picture that was drawn is paid for, whether it arrives or not.
        endpoint.again = false;
        Self { endpoint, card: Arc::new(card), extra: Map::new(), poll: POLL }
    }

    /// What no provider takes is refused before anything is sent.
    pub(super) fn check(&self, req: &ImageRequest) -> Result<()> {
        let wrong = |why: String| Err(Error::new(ErrorKind::InvalidInput, why));
        if req.prompt.trim().is_empty() {
            return wrong("an image model has to be told what to draw: give a prompt".to_owned());
        }
        if req.count == 0 {
            return wrong("no picture was asked for: ask for at least one".to_owned());
        }
        if !req.images.is_empty() && self.card.input_types.is_empty() {
            return wrong(format!(
                "`{}` draws from words only: leave the pictures out, or use another model",
                self.card.name
            ));
        }
        if req.mask.is_some() && req.images.is_empty() {
            return wrong("a mask says where a picture is to be changed: give the picture too".to_owned());
        }
        Ok(())
    }

    /// Further fields, those of the request behind those of the model; `null` takes one out.
    pub(super) fn extend(&self, fields: &mut Map, req: &ImageRequest) {
        for (field, value) in self.extra.iter().chain(&req.extra) {
            match value {
                Value::Null => drop(fields.shift_remove(field)),
                value => drop(fields.insert(field.clone(), value.clone())),
            }
        }
    }
}

/// The builders of an image model that has its settings in an `Arc`, and what it shows of itself.
macro_rules! image_model {
    ($name:ident, $ask:path) => {
        impl $name {
            fn change(mut self, change: impl FnOnce(&mut $crate::image::settings::Settings)) -> Self {
                change(::std::sync::Arc::make_mut(&mut self.0));
                self
            }

            /// As a model that can be asked at all.
            pub(crate) fn checked(
                self,
            ) -> ::agentscope_core::Result<::std::sync::Arc<dyn ::agentscope_core::ImageModel>> {
                self.0.endpoint.check()?;
                Ok(::std::sync::Arc::new(self))
            }

            /// With what a configuration says of the connection.
            pub(crate) fn connected(self, connect: impl FnOnce(&mut $crate::json_call::Endpoint)) -> Self {
                self.change(|settings| connect(&mut settings.endpoint))
            }

            /// The key, instead of that of the environment.
            #[must_use]
            pub fn api_key(self, key: impl Into<::agentscope_core::Secret>) -> Self {
                self.change(|settings| settings.endpoint.set_key(key.into()))
            }

            /// The address of the API. A key that was found in the environment is not sent there: it is that of the provider.
            #[must_use]
            pub fn base_url(self, url: impl AsRef<str>) -> Self {
                self.change(|settings| settings.endpoint.set_base_url(url.as_ref()))
            }

            /// A further header of each request. Its value is treated as a secret.
            #[must_use]
            pub fn header(
                self,
                name: impl Into<String>,
                value: impl Into<::agentscope_core::Secret>,
            ) -> Self {
                self.change(|settings| settings.endpoint.add_header(name.into(), value.into()))
            }

            /// A further field of each request, where the provider has its options, such as `quality`. It replaces one that
            /// would be there, and `null` takes it out. [`ImageRequest::extra`](agentscope_core::ImageRequest) comes before it.
            #[must_use]
            pub fn body(self, field: impl Into<String>, value: impl Into<::serde_json::Value>) -> Self {
                self.change(|settings| drop(settings.extra.insert(field.into(), value.into())))
            }

            /// How often a request is sent again that was not taken up (2). One that was is not, because it would be paid for
            /// twice.
            #[must_use]
            pub fn retries(self, retries: u32) -> Self {
                self.change(|settings| {
                    settings.endpoint.retry = settings.endpoint.retry.clone().retries(retries);
                })
            }

            /// How often, when, and after which errors a request is sent again.
            #[must_use]
            pub fn retry(self, policy: $crate::RetryPolicy) -> Self {
                self.change(|settings| settings.endpoint.retry = policy)
            }

            /// Longest time for the pictures (5 min).
            #[must_use]
            pub fn timeout(self, timeout: ::std::time::Duration) -> Self {
                self.change(|settings| settings.endpoint.timeout = timeout)
            }
        }

        #[::async_trait::async_trait]
        impl ::agentscope_core::ImageModel for $name {
            fn card(&self) -> &::agentscope_core::ModelCard {
                &self.0.card
            }

            async fn generate(
                &self,
                req: ::agentscope_core::ImageRequest,
                cx: ::agentscope_core::Context,
            ) -> ::agentscope_core::Result<::agentscope_core::Images> {
                self.0.check(&req)?;
                let images = $ask(&self.0, &req, &cx).await?;
                if images.images.is_empty() {
                    return Err(self.0.endpoint.nonsense("no picture"));
                }
                Ok(images)
            }
        }

        impl ::std::fmt::Debug for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.debug_struct(stringify!($name))
                    .field("model", &self.0.card.name)
                    .field("base_url", &self.0.endpoint.shown())
                    .finish_non_exhaustive()
            }
        }
    };
}
pub(super) use image_model;
