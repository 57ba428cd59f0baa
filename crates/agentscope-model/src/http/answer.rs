//! One answer: the request is sent, and what comes back is decoded as it comes.

use super::{
    Settings, endpoint::Endpoint, fault::compressed, media::Inlined, patience::Patience, reader::Reader,
};
use agentscope_core::{
    ContentBlock, Error, ErrorKind, ModelDelta, ModelRequest, ModelStream, Msg, Result, Stream, ToolChoice,
};
use agentscope_net::{
    reqwest::{self, Response, header::CONTENT_ENCODING},
    trouble,
};
use bytes::Bytes;
use futures_core::future::BoxFuture;
use std::{
    collections::VecDeque,
    future::Future,
    pin::{Pin, pin},
    sync::{Arc, atomic::Ordering::Relaxed},
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::timeout;

/// How long the end of a stream is waited for (2 s) when the model has said why it stopped. Only its usage is to come.
const AFTER_FINISH: Duration = Duration::from_secs(2);

/// How long the end of a body is waited for (250 ms) when the answer is complete: a connection that is read to its end can be
/// used again.
const DRAIN: Duration = Duration::from_millis(250);

/// A state machine written by hand: a compiler makes one that is larger, and moves it about with each piece.
pub(crate) struct Answer {
    model: Arc<Settings>,
    phase: Phase,
    out: VecDeque<ModelDelta>,
    /// Something was given away: it cannot be said again otherwise.
    said: bool,
    patience: Patience,
}

enum Phase {
    /// It holds the request, which who asked may want to change without a copy when an answer comes.
    Ask(BoxFuture<'static, Result<(Response, Reader)>>),
    Read(Response, Reader),
    /// The answer is complete, but the body may not be.
    Drain(Response),
    /// It failed, which is told when what came before is.
    Failed(Error),
    Over,
}

impl Answer {
    pub(super) fn stream(model: Arc<Settings>, req: Arc<ModelRequest>) -> ModelStream {
        let asked = Arc::clone(&model);
        Box::pin(Self {
            model,
            phase: Phase::Ask(Box::pin(async move { ask(&asked, &req).await })),
            out: VecDeque::new(),
            said: false,
            patience: Patience::default(),
        })
    }

    /// Takes in the next bytes.
    fn read(&mut self, task: &mut Context<'_>) -> Poll<Result<()>> {
        let Phase::Read(response, reader) = &mut self.phase else { return Poll::Ready(Ok(())) };
        let finished = reader.is_finished();
        let chunk = match poll_chunk(response, task) {
            Poll::Ready(chunk) => {
                self.patience.renew();
                match chunk {
                    Ok(chunk) => chunk,
                    // The model has said that it is done; what was to come is no part of its answer.
                    Err(_) if finished => None,
                    Err(error) => return Poll::Ready(Err(broke_off(&self.model, error))),
                }
            }
            Poll::Pending => {
                let limit = match (finished, self.said) {
                    (true, _) => AFTER_FINISH,
                    (false, true) => self.model.chunk_timeout,
                    (false, false) => self.model.first_byte_timeout,
                };
                ready!(self.patience.poll(limit, task));
                if !finished {
                    return Poll::Ready(Err(silent(&self.model, limit, "said nothing more", self.said)));
                }
                None
            }
        };
        match &chunk {
            Some(chunk) => reader.feed(chunk, &mut self.out)?,
            None => reader.end(&mut self.out)?,
        }
        if reader.is_ended()
            && let Phase::Read(response, _) = std::mem::replace(&mut self.phase, Phase::Over)
            && chunk.is_some()
        {
            self.phase = Phase::Drain(response);
        }
        Poll::Ready(Ok(()))
    }
}

impl Stream for Answer {
    type Item = Result<ModelDelta>;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if let Some(delta) = this.out.pop_front() {
                this.said = true;
                return Poll::Ready(Some(Ok(delta)));
            }
            let done = match &mut this.phase {
                Phase::Read(..) => ready!(this.read(task)),
                Phase::Ask(asking) => ready!(asking.as_mut().poll(task)).map(|(response, reader)| {
                    this.phase = Phase::Read(response, reader);
                }),
                Phase::Drain(response) => {
                    match poll_chunk(response, task) {
                        Poll::Ready(Ok(Some(_))) => continue,
                        Poll::Ready(_) => {}
                        Poll::Pending => ready!(this.patience.poll(DRAIN, task)),
                    }
                    this.phase = Phase::Over;
                    return Poll::Ready(None);
                }
                Phase::Failed(_) | Phase::Over => match std::mem::replace(&mut this.phase, Phase::Over) {
                    Phase::Failed(error) => return Poll::Ready(Some(Err(error))),
                    _ => return Poll::Ready(None),
                },
            };
            if let Err(error) = done {
                let error = this.model.format.advised(error, &this.model.card.name);
                this.phase = Phase::Failed(this.model.without_secrets(error));
            }
        }
    }
}

/// The next bytes of a body. What waits for them holds nothing, so that it is made anew for each look.
fn poll_chunk(response: &mut Response, task: &mut Context<'_>) -> Poll<reqwest::Result<Option<Bytes>>> {
    pin!(response.chunk()).poll(task)
}

/// Sends a request, if need be more than once, and sees to the head of the response.
async fn ask(model: &Settings, req: &ModelRequest) -> Result<(Response, Reader)> {
    let endpoint = model.endpoint()?;
    let Endpoint { peer, .. } = endpoint;
    let media = if req.messages.iter().any(|msg| has_media(msg)) {
        Box::pin(Inlined::of(req, model.format.manners())).await?
    } else {
        Inlined::default()
    };
    let mut without_thoughts = false;
    loop {
        let mut ask = model.ask(req, &media, model.free_choice.load(Relaxed));
        ask.without_thoughts |= without_thoughts;
        without_thoughts = ask.without_thoughts;
        let body = Bytes::from(model.format.encode(&ask)?);
        let sent = endpoint.send(body)?;
        let response = match timeout(model.first_byte_timeout, sent).await {
            Ok(response) => response.map_err(|error| trouble(error, peer))?,
            Err(_) => return Err(silent(model, model.first_byte_timeout, "did not answer", false)),
        };
        if !response.status().is_success() {
            // Where there is no error, it is asked again, otherwise.
            match Box::pin(refused_for_good(model, req, response, ask.free_choice, &mut without_thoughts))
                .await
            {
                Some(error) => return Err(error),
                None => continue,
            }
        }
        if without_thoughts {
            model.without_thoughts.store(true, Relaxed);
        }
        let coding = response.headers().get(CONTENT_ENCODING).and_then(|it| it.to_str().ok());
        if let Some(coding) = coding.filter(|it| !it.is_empty() && *it != "identity") {
            return Err(compressed(peer, coding));
        }
        return Ok((response, model.reader(peer.clone(), &ask)));
    }
}

/// What the server says in place of an answer; nothing if the same can be asked in another way.
async fn refused_for_good(
    model: &Settings,
    req: &ModelRequest,
    response: Response,
    free_choice: bool,
    without_thoughts: &mut bool,
) -> Option<Error> {
    let (error, status, body) = refused(model, response).await;
    // A server that does not let itself be told which tool to call is asked again, and leaves it to the model.
    let told = matches!(req.tool_choice, ToolChoice::Required | ToolChoice::Tool(_));
    if status == 400 && told && !free_choice && body_names(&body, "tool_choice") {
        model.free_choice.store(true, Relaxed);
        return None;
    }
    // Thoughts that another service has sealed are refused for ever: it is asked without any, once.
    let sealed = ["signature", "encrypted_content"].into_iter().any(|word| body_names(&body, word));
    let thinks = req.messages.iter().any(|msg| has_thoughts(msg));
    if status == 400 && sealed && thinks && model.format.seals_thoughts() && !*without_thoughts {
        *without_thoughts = true;
        return None;
    }
    Some(error)
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

/// The error of a server that says nothing, `said` when it has said something before.
#[cold]
fn silent(model: &Settings, limit: Duration, what: &str, said: bool) -> Error {
    let message = format!(
        "{} {what} for {} s: try again, or allow more by `.{}(..)`",
        peer(model),
        limit.as_secs_f64(),
        if said { "chunk_timeout" } else { "first_byte_timeout" }
    );
    Error::new(ErrorKind::Timeout, message)
}

#[cold]
fn broke_off(model: &Settings, error: reqwest::Error) -> Error {
    trouble(error, peer(model)).context(format_args!("the answer of `{}` broke off", model.card.name))
}

fn peer(model: &Settings) -> &str {
    model.endpoint().map_or("the server", |endpoint| &endpoint.peer)
}

fn has_media(msg: &Msg) -> bool {
    msg.content.iter().any(|block| match block {
        ContentBlock::Heard(heard) => has_media(heard),
        block => block.media().is_some(),
    })
}

fn has_thoughts(msg: &Msg) -> bool {
    msg.content.iter().any(|block| matches!(block, ContentBlock::Thinking { .. }))
}

fn body_names(body: &[u8], word: &str) -> bool {
    memchr::memmem::find(body, word.as_bytes()).is_some()
}
