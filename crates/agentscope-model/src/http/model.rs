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

    fn estimate_tokens(&self, req: &ModelRequest) -> u64 {
        self.0.estimate_tokens(req)
    }

    fn count_tokens<'a>(&'a self, req: &'a ModelRequest) -> BoxFuture<'a, Result<u64>> {
        Box::pin(self.0.count_tokens(req))
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
                self.change(|settings| settings.access.set_key(key.into()))
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
                self.change(|settings| settings.access.headers.push((name.into(), value.into())))
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
                self.change(|settings| settings.retry = settings.retry.clone().retries(retries))
            }

            /// How often, when, and after which errors a request is sent again.
            #[must_use]
            pub fn retry(self, policy: $crate::RetryPolicy) -> Self {
                self.change(|settings| settings.retry = policy)
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

            /// So many tokens fit into a request and its answer; without it, what [`cards`](crate::cards) know of the model.
            #[must_use]
            pub fn context_size(self, tokens: u64) -> Self {
                self.describe(|card| card.context_size = tokens)
            }

            /// What a million tokens cost. Without it, what [`cards`](crate::cards) know of the model, as long as it is asked at the
            /// provider's own address.
            #[must_use]
            pub fn price(self, price: agentscope_core::Price) -> Self {
                self.change(|settings| {
                    settings.found_price = false;
                    std::sync::Arc::make_mut(&mut settings.card).price = Some(price);
                })
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

            /// The body that is sent for a request: JSON, for logs and tests.
            ///
            /// # Errors
            /// [`ErrorKind::InvalidInput`](agentscope_core::ErrorKind) if it has nothing to say, and those of reading its files.
            pub async fn request_body(
                &self,
                req: &agentscope_core::ModelRequest,
            ) -> agentscope_core::Result<Vec<u8>> {
                self.0.request_body(req).await
            }

            /// What the model says in an answer that has this body, a stream or a whole one: for answers that were recorded.
            ///
            /// # Errors
            /// What the server reports in it; [`ErrorKind::Unavailable`](agentscope_core::ErrorKind) if it breaks off,
            /// [`ErrorKind::Protocol`](agentscope_core::ErrorKind) if it is no answer.
            pub fn read_answer(
                &self,
                body: &[u8],
            ) -> agentscope_core::Result<Vec<agentscope_core::ModelDelta>> {
                self.0.read_answer(body)
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

            fn estimate_tokens(&self, req: &agentscope_core::ModelRequest) -> u64 {
                self.0.estimate_tokens(req)
            }

            fn count_tokens<'a>(
                &'a self,
                req: &'a agentscope_core::ModelRequest,
            ) -> futures_core::future::BoxFuture<'a, agentscope_core::Result<u64>> {
                Box::pin(self.0.count_tokens(req))
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
