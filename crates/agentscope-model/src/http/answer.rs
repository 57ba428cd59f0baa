//! One answer: the request is sent, and what comes back is decoded as it comes.

use super::{Settings, endpoint::Endpoint, fault::compressed, media::Inlined, reader::Reader};
use agentscope_core::{
    ContentBlock, Error, ErrorKind, ModelDelta, ModelRequest, ModelStream, Msg, Result, ToolChoice,
};
use agentscope_net::{
    client,
    reqwest::{Response, header::CONTENT_ENCODING},
    trouble,
};
use bytes::Bytes;
use std::{
    collections::VecDeque,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};
use tokio::time::timeout;

/// How long the end of a stream is waited for (2 s) when the model has said why it stopped. Only its usage is to come.
const AFTER_FINISH: Duration = Duration::from_secs(2);

/// How long the end of a body is waited for (250 ms) when the answer is complete: a connection that is read to its end can be
/// used again.
const DRAIN: Duration = Duration::from_millis(250);

pub(crate) struct Answer {
    model: Arc<Settings>,
    /// None when it was sent and an answer comes: who asked may want to change it without a copy.
    req: Option<Arc<ModelRequest>>,
    phase: Phase,
    out: VecDeque<ModelDelta>,
    /// Something was given away: it cannot be said again otherwise.
    said: bool,
    /// The request was sent without being told which tool to call.
    free_choice: bool,
    /// The request was sent without thoughts.
    without_thoughts: bool,
}

enum Phase {
    Ask,
    Read(Response, Box<Reader>),
    /// The answer is complete, but the body may not be.
    Drain(Response),
    /// It failed, which is told when what came before is.
    Failed(Error),
    Over,
}

impl Answer {
    pub(super) fn stream(model: Arc<Settings>, req: Arc<ModelRequest>) -> ModelStream {
        let answer = Self {
            model,
            req: Some(req),
            phase: Phase::Ask,
            out: VecDeque::new(),
            said: false,
            free_choice: false,
            without_thoughts: false,
        };
        Box::pin(futures_util::stream::unfold(Box::new(answer), |mut answer| async move {
            let next = answer.next().await?;
            Some((next, answer))
        }))
    }

    async fn next(&mut self) -> Option<Result<ModelDelta>> {
        loop {
            if let Some(delta) = self.out.pop_front() {
                self.said = true;
                return Some(Ok(delta));
            }
            let done = match &mut self.phase {
                Phase::Over => return None,
                Phase::Failed(_) => match std::mem::replace(&mut self.phase, Phase::Over) {
                    Phase::Failed(error) => return Some(Err(error)),
                    _ => return None,
                },
                Phase::Drain(response) => {
                    drop(timeout(DRAIN, async { while let Ok(Some(_)) = response.chunk().await {} }).await);
                    self.phase = Phase::Over;
                    return None;
                }
                Phase::Ask => self.ask().await,
                Phase::Read(..) => self.read().await,
            };
            if let Err(error) = done {
                let error = self.model.format.advised(error, &self.model.card.name);
                self.phase = Phase::Failed(self.model.without_secrets(error));
            }
        }
    }

    /// Sends the request and sees to the head of the response.
    async fn ask(&mut self) -> Result<()> {
        let model = Arc::clone(&self.model);
        let Endpoint { url, headers, peer, .. } = model.endpoint()?;
        let Some(req) = self.req.clone() else { return Ok(()) };
        let media = Inlined::of(&req, model.format.manners()).await?;
        self.free_choice = model.free_choice.load(Relaxed);
        let mut ask = model.ask(&req, &media, self.free_choice);
        ask.without_thoughts |= self.without_thoughts;
        self.without_thoughts = ask.without_thoughts;
        let body = Bytes::from(model.format.encode(&ask)?);
        let reader = model.reader(peer.clone(), &ask);
        let sent = client(url)?.post(url.clone()).headers(headers.clone()).body(body).send();
        let response = match timeout(model.first_byte_timeout, sent).await {
            Ok(response) => response.map_err(|error| trouble(error, peer))?,
            Err(_) => return Err(self.silent(peer, model.first_byte_timeout, "did not answer")),
        };
        if !response.status().is_success() {
            // Where there is no error, it is asked again, otherwise.
            return self.refused(response).await.map_or(Ok(()), Err);
        }
        if self.without_thoughts {
            model.without_thoughts.store(true, Relaxed);
        }
        let coding = response.headers().get(CONTENT_ENCODING).and_then(|it| it.to_str().ok());
        if let Some(coding) = coding.filter(|it| !it.is_empty() && *it != "identity") {
            return Err(compressed(peer, coding));
        }
        self.phase = Phase::Read(response, Box::new(reader));
        self.req = None;
        Ok(())
    }

    /// Takes in the next bytes.
    async fn read(&mut self) -> Result<()> {
        let Phase::Read(response, reader) = &mut self.phase else { return Ok(()) };
        let out = &mut self.out;
        let peer = &self.model.endpoint()?.peer;
        let limit = match (reader.is_finished(), self.said) {
            (true, _) => AFTER_FINISH,
            (false, true) => self.model.chunk_timeout,
            (false, false) => self.model.first_byte_timeout,
        };
        let chunk = match timeout(limit, response.chunk()).await {
            Ok(Ok(chunk)) => chunk,
            // The model has said that it is done; what was to come is no part of its answer.
            Ok(Err(_)) | Err(_) if reader.is_finished() => None,
            Ok(Err(error)) => {
                let what = format!("the answer of `{}` broke off", self.model.card.name);
                return Err(trouble(error, peer).context(what));
            }
            Err(_) => return Err(self.silent(peer, limit, "said nothing more")),
        };
        match &chunk {
            Some(chunk) => reader.feed(chunk, out)?,
            None => reader.end(out)?,
        }
        if reader.is_ended()
            && let Phase::Read(response, _) = std::mem::replace(&mut self.phase, Phase::Over)
            && chunk.is_some()
        {
            self.phase = Phase::Drain(response);
        }
        Ok(())
    }

    /// What the server says in place of an answer; nothing if the same can be asked in another way.
    async fn refused(&mut self, response: Response) -> Option<Error> {
        let (error, status, body) = refused(&self.model, response).await;
        // A server that does not let itself be told which tool to call is asked again, and leaves it to the model.
        let choice = self.req.as_ref().map(|req| &req.tool_choice);
        let told = matches!(choice, Some(ToolChoice::Required | ToolChoice::Tool(_)));
        if status == 400 && told && !self.free_choice && body_names(&body, "tool_choice") {
            self.model.free_choice.store(true, Relaxed);
            return None;
        }
        // Thoughts that another service has sealed are refused for ever: it is asked without any, once.
        let sealed = ["signature", "encrypted_content"].into_iter().any(|word| body_names(&body, word));
        let thinks = self.req.as_ref().is_some_and(|req| req.messages.iter().any(|msg| has_thoughts(msg)));
        if status == 400 && sealed && thinks && self.model.format.seals_thoughts() && !self.without_thoughts {
            self.without_thoughts = true;
            return None;
        }
        Some(error)
    }

    fn silent(&self, peer: &str, limit: Duration, what: &str) -> Error {
        let message = format!(
            "{peer} {what} for {} s: try again, or allow more by `.{}(..)`",
            limit.as_secs_f64(),
            if self.said { "chunk_timeout" } else { "first_byte_timeout" }
        );
        Error::new(ErrorKind::Timeout, message)
    }
}

/// Reads why a server has refused: the error, the status and the body.
pub(super) async fn refused(model: &Settings, response: Response) -> (Error, u16, Vec<u8>) {
    match model.endpoint() {
        Ok(Endpoint { peer, .. }) => {
            model.access.refused("the conversation", &model.card.name, peer, response).await
        }
        Err(error) => (error, response.status().as_u16(), Vec::new()),
    }
}

fn has_thoughts(msg: &Msg) -> bool {
    msg.content.iter().any(|block| matches!(block, ContentBlock::Thinking { .. }))
}

fn body_names(body: &[u8], word: &str) -> bool {
    memchr::memmem::find(body, word.as_bytes()).is_some()
}
