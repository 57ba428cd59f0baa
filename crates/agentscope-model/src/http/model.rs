//! The public types of models over HTTP: one for each wire format, with the same settings.

use super::Settings;
use agentscope_core::{ChatModel, Context, ModelCard, ModelRequest, ModelStream, Result};
use futures_core::future::BoxFuture;
use std::sync::Arc;

/// A model over HTTP whose format only the line of configuration knows.
pub(crate) struct HttpChatModel(pub(crate) Arc<Settings>);

impl ChatModel for HttpChatModel {
    fn card(&self) -> &ModelCard {
        &self.0.card
    }

    fn call(&self, req: ModelRequest, cx: Context) -> ModelStream {
        self.0.call(req, cx)
    }

    fn count_tokens<'a>(&'a self, req: &'a ModelRequest) -> BoxFuture<'a, Result<u64>> {
        Box::pin(
            async move { Ok(self.0.count_tokens(req).await?.unwrap_or_else(|| self.estimate_tokens(req))) },
        )
    }
}

/// A public type of a model over HTTP, with the settings that all of them have. What only one has stands beside its format.
macro_rules! http_chat_model {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name(pub(crate) std::sync::Arc<$crate::http::Settings>);

        impl $name {
            fn change(self, change: impl FnOnce(&mut $crate::http::Settings)) -> Self {
                Self($crate::http::Settings::change(self.0, change))
            }

            fn describe(self, change: impl FnOnce(&mut agentscope_core::ModelCard)) -> Self {
                self.change(|settings| change(std::sync::Arc::make_mut(&mut settings.card)))
            }

            /// The key, instead of that of the environment.
            #[must_use]
            pub fn api_key(self, key: impl Into<agentscope_core::Secret>) -> Self {
                self.change(|settings| (settings.key, settings.found_key) = (Some(key.into()), None))
            }

            /// The address of the API, without the path of its method. A key that was found in the environment is not sent there:
            /// it is that of the provider. Give one by [`api_key`](Self::api_key) where it is needed.
            #[must_use]
            pub fn base_url(self, url: impl Into<String>) -> Self {
                self.change(|settings| settings.set_base_url(url.into()))
            }

            /// A further header of each request, such as one that names a project. Its value is treated as a secret.
            #[must_use]
            pub fn header(self, name: impl Into<String>, value: impl Into<agentscope_core::Secret>) -> Self {
                self.change(|settings| settings.headers.push((name.into(), value.into())))
            }

            /// A further field of each request's body, such as `enable_thinking`. It replaces one that would be there, and `null`
            /// takes it out. Those of [`ModelOptions::extra`](agentscope_core::ModelOptions) come before it.
            #[must_use]
            pub fn body(self, field: impl Into<String>, value: impl Into<serde_json::Value>) -> Self {
                self.change(|settings| drop(settings.extra.insert(field.into(), value.into())))
            }

            /// From 0, always the likeliest, upwards; a request's own comes first.
            #[must_use]
            pub fn temperature(self, temperature: f64) -> Self {
                self.change(|settings| settings.temperature = Some(temperature))
            }

            /// Most tokens to write; a request's own limit comes first.
            #[must_use]
            pub fn max_tokens(self, tokens: u64) -> Self {
                self.change(|settings| settings.max_tokens = Some(tokens))
            }

            /// Whether the answer is asked for piece by piece (the default) or as a whole.
            #[must_use]
            pub fn stream(self, stream: bool) -> Self {
                self.change(|settings| settings.stream = stream)
            }

            /// How often a request is sent again that may succeed later (2).
            #[must_use]
            pub fn retries(self, retries: u32) -> Self {
                self.change(|settings| settings.retries = retries)
            }

            /// Longest wait for the first byte of an answer (5 min).
            #[must_use]
            pub fn first_byte_timeout(self, timeout: std::time::Duration) -> Self {
                self.change(|settings| settings.first_byte_timeout = timeout)
            }

            /// Longest silence within an answer (2 min).
            #[must_use]
            pub fn chunk_timeout(self, timeout: std::time::Duration) -> Self {
                self.change(|settings| settings.chunk_timeout = timeout)
            }

            /// So many tokens fit into a request and its answer.
            #[must_use]
            pub fn context_size(self, tokens: u64) -> Self {
                self.describe(|card| card.context_size = tokens)
            }

            /// What a million tokens cost.
            #[must_use]
            pub fn price(self, price: agentscope_core::Price) -> Self {
                self.describe(|card| card.price = Some(price))
            }

            /// The media types that it takes beside text, such as `image/*`. What is in a message is sent in any case; the images
            /// of a tool's result are shown to a model that is known to take them.
            #[must_use]
            pub fn input_types(self, types: impl IntoIterator<Item = impl Into<String>>) -> Self {
                self.describe(|card| card.input_types = types.into_iter().map(Into::into).collect())
            }

            /// Whether the server can hold the model to a JSON schema. Where it cannot, structured output goes by a tool.
            #[must_use]
            pub fn native_output_schema(self, native: bool) -> Self {
                self.describe(|card| card.output_schema = native)
            }
        }

        impl agentscope_core::ChatModel for $name {
            fn card(&self) -> &agentscope_core::ModelCard {
                &self.0.card
            }

            fn call(
                &self,
                req: agentscope_core::ModelRequest,
                cx: agentscope_core::Context,
            ) -> agentscope_core::ModelStream {
                self.0.call(req, cx)
            }

            fn count_tokens<'a>(
                &'a self,
                req: &'a agentscope_core::ModelRequest,
            ) -> futures_core::future::BoxFuture<'a, agentscope_core::Result<u64>> {
                Box::pin(async move {
                    Ok(self.0.count_tokens(req).await?.unwrap_or_else(|| self.estimate_tokens(req)))
                })
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

pub(crate) use http_chat_model;
