//! Requests that async-openai writes, sent by the rules of this crate.
//!
//! It writes the paths, the bodies and the forms. Who is asked, with which key, how often and how long is the endpoint's, as is
//! reading the answer: async-openai loses the wait that a refusal asks for, and puts a body that it cannot read into a log.

use super::Endpoint;
use crate::resilience::retry::{Failure, retrying_whole};
use agentscope_core::{Context, Error, ErrorKind, Result};
use agentscope_net::reqwest::{Request, Response, header::AUTHORIZATION};
use async_openai::{Client, config::OpenAIConfig, error::OpenAIError, middleware::HttpRequestFactory};
use bytes::Bytes;
use futures_core::future::BoxFuture;
use serde::de::IgnoredAny;
use std::{
    sync::{Arc, Mutex, PoisonError},
    task::{self, Poll},
};

/// What stands for the base URL in what async-openai writes.
const BASE: &str = "http://endpoint.invalid";

impl Endpoint {
    /// Sends what `call` asks of a client, again where that may help, and gives the answer as it came.
    pub(crate) async fn openai<'a>(
        &self,
        cx: &Context,
        call: impl Fn(Client<OpenAIConfig>) -> BoxFuture<'a, Result<IgnoredAny, OpenAIError>>,
    ) -> Result<Bytes> {
        let config =
            OpenAIConfig::new().with_api_base(BASE).with_api_key("").with_org_id("").with_project_id("");
        let (call, config) = (&call, &config);
        retrying_whole(&self.retry, cx, || async move {
            let written = Written::default();
            let (http, _, _) = self.target("")?;
            let client = Client::build(http, config.clone()).with_http_service(written.clone());
            let error = match call(client).await {
                Err(error) => error,
                Ok(_) => return Err(Error::new(ErrorKind::Internal, "async-openai sent nothing").into()),
            };
            let request = written.0.lock().unwrap_or_else(PoisonError::into_inner).take();
            match request {
                Some(request) => self.send(cx, request).await,
                None => Err(Error::new(
                    ErrorKind::InvalidInput,
                    format!("the request cannot be written: {error}"),
                )
                .into()),
            }
        })
        .await
    }

    async fn send(&self, cx: &Context, mut request: Request) -> Result<Bytes, Failure> {
        let path = request.url().path().to_owned();
        let (client, url, headers) = self.target(&path)?;
        *request.url_mut() = url;
        request.headers_mut().remove(AUTHORIZATION);
        request.headers_mut().extend(headers);
        self.exchange(cx, &client, request).await
    }
}

/// Keeps the request that was written, in place of sending it.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Option<Request>>>);

impl tower::Service<HttpRequestFactory> for Written {
    type Response = Response;
    type Error = OpenAIError;
    type Future = BoxFuture<'static, Result<Response, OpenAIError>>;

    fn poll_ready(&mut self, _: &mut task::Context<'_>) -> Poll<Result<(), OpenAIError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: HttpRequestFactory) -> Self::Future {
        let written = Arc::clone(&self.0);
        Box::pin(async move {
            let request = request.build().await?;
            *written.lock().unwrap_or_else(PoisonError::into_inner) = Some(request);
            Err(OpenAIError::InvalidArgument("it is sent elsewhere".to_owned()))
        })
    }
}
