//! The tokens of a request, as the provider counts them.

use super::{Settings, answer::refused, endpoint::Endpoint, format::Counting, media::Inlined};
use crate::tokens;
use agentscope_core::{Error, ErrorKind, ModelRequest, Result};
use agentscope_net::{client, trouble};
use bytes::Bytes;
use serde_json::Value;
use std::time::Duration;
use tokio::time::timeout;

/// Longest wait for the sum (30 s): nothing is thought about.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Most that is read of an answer (64 KiB).
const LIMIT: usize = 64 << 10;

impl Settings {
    /// The tokens of a request, roughly and at once, images by their size.
    pub(crate) fn estimate_tokens(&self, req: &ModelRequest) -> u64 {
        tokens::estimate(&self.card.name, req)
    }

    /// The tokens of a request: as the provider counts them, else as they can be counted here.
    ///
    /// # Errors
    /// Those of a request; it is not sent again.
    pub(crate) async fn count_tokens(&self, req: &ModelRequest) -> Result<u64> {
        match self.counted(req).await? {
            Some(tokens) => Ok(tokens),
            None => tokens::count(&self.card.name, req).await,
        }
    }

    /// The tokens of a request, as the provider counts them; `None` if it does not.
    async fn counted(&self, req: &ModelRequest) -> Result<Option<u64>> {
        let Endpoint { counting: Some(Counting { url, field }), headers, peer, .. } = self.endpoint()? else {
            return Ok(None);
        };
        let media = Inlined::of(req, self.format.manners()).await?;
        let body = Bytes::from(self.format.encode_counted(&self.ask(req, &media, false))?);
        let ask = async {
            let sent = client(url)?.post(url.clone()).headers(headers.clone()).body(body).send();
            let mut response = sent.await.map_err(|error| trouble(error, peer))?;
            match response.status().as_u16() {
                // Servers that are compatible with the provider's need not have it.
                404 | 405 | 501 => Ok(None),
                200 => {
                    let mut counted = Vec::new();
                    while let Some(chunk) = response.chunk().await.map_err(|error| trouble(error, peer))? {
                        counted.extend_from_slice(&chunk);
                        if counted.len() > LIMIT {
                            return Ok(None);
                        }
                    }
                    let counted: Value = serde_json::from_slice(&counted).unwrap_or_default();
                    Ok(counted.get(*field).and_then(Value::as_u64))
                }
                _ => Err(refused(self, response).await.0),
            }
        };
        let counted = timeout(TIMEOUT, ask).await.unwrap_or_else(|_| {
            let message =
                format!("{peer} did not count the tokens within {} s: try again", TIMEOUT.as_secs());
            Err(Error::new(ErrorKind::Timeout, message))
        });
        counted.map_err(|error| self.without_secrets(error))
    }
}
