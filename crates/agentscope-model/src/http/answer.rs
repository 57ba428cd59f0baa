//! One answer: the request is sent, again where that may help, and what comes back is decoded as it comes.

use super::{
    Settings,
    endpoint::Endpoint,
    fault::{Key, Peer, Response as Refusal, Server, retry_after},
    format::{Decode, Framing},
    lines::Lines,
    media::Inlined,
    sse::Frames,
};
use agentscope_core::{Context, Error, ErrorKind, ModelDelta, ModelRequest, ModelStream, Result, ToolChoice};
use agentscope_net::{
    client,
    reqwest::{
        Response,
        header::{CONTENT_ENCODING, LOCATION, RETRY_AFTER},
    },
    trouble,
};
use bytes::Bytes;
use std::{
    collections::VecDeque,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, SystemTime},
};
use tokio::time::{sleep, timeout};

/// Longest `Retry-After` that is waited for (1 min); for a longer one the caller decides.
const RETRY_AFTER_LIMIT: Duration = Duration::from_secs(60);

/// The first wait before a request is sent again is at most this long (0.5 s), each further one twice as long as the one before.
const BACKOFF: Duration = Duration::from_millis(500);

/// Longest wait between two requests (8 s), where the server does not say how long.
const BACKOFF_LIMIT: Duration = Duration::from_secs(8);

/// How long the end of a stream is waited for (2 s) when the model has said why it stopped. Only its usage is to come.
const AFTER_FINISH: Duration = Duration::from_secs(2);

/// How long the end of a body is waited for (250 ms) when the answer is complete: a connection that is read to its end can be
/// used again.
const DRAIN: Duration = Duration::from_millis(250);

/// Largest answer that is not streamed (64 MiB).
const BODY_LIMIT: usize = 64 << 20;

/// Most that is read of an error's body (64 KiB).
const ERROR_LIMIT: usize = 64 << 10;

pub(crate) struct Answer {
    model: Arc<Settings>,
    req: ModelRequest,
    cx: Context,
    phase: Phase,
    out: VecDeque<ModelDelta>,
    /// Something was given away: it cannot be said again otherwise.
    said: bool,
    tries: u32,
    /// The request was sent without being told which tool to call.
    free_choice: bool,
}

enum Phase {
    Ask,
    Read(Box<Reading>),
    /// The answer is complete, but the body may not be.
    Drain(Response),
    /// It failed, which is told when what came before is.
    Failed(Error),
    Over,
}

struct Reading {
    response: Response,
    decoder: Box<dyn Decode>,
    body: Body,
}

/// What a body is. Its first bytes tell, and nothing else does: some servers stream though they were not asked to, some do not
/// though they were, and some refuse by JSON under the content type of a stream.
enum Body {
    /// Nothing but white space has come, by which some keep a connection alive.
    Unknown,
    Events(Frames),
    Lines(Lines),
    Whole(Vec<u8>),
}

/// What failed, and whether the same request may be sent again.
struct Failure {
    error: Error,
    again: bool,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        // What took its time would take it again.
        Self { again: error.is_retryable() && error.kind() != ErrorKind::Timeout, error }
    }
}

impl Answer {
    pub(super) fn stream(model: Arc<Settings>, req: ModelRequest, cx: Context) -> ModelStream {
        let answer = Self {
            model,
            req,
            cx,
            phase: Phase::Ask,
            out: VecDeque::new(),
            said: false,
            tries: 0,
            free_choice: false,
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
            let failure = match &mut self.phase {
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
                Phase::Ask => self.ask().await.err(),
                Phase::Read(_) => self.read().await.err(),
            };
            if let Some(failure) = failure
                && let Err(error) = self.again(failure).await
            {
                self.phase = Phase::Failed(error);
            }
        }
    }

    /// Waits and starts again, where that may help.
    async fn again(&mut self, failure: Failure) -> Result<()> {
        let Failure { error, again } = failure;
        if !again || self.said || self.tries >= self.model.retries {
            return Err(self.told(error));
        }
        let wait = match error.retry_after() {
            Some(wait) if wait > RETRY_AFTER_LIMIT => return Err(self.told(error)),
            Some(wait) => wait,
            None => {
                let most = BACKOFF.saturating_mul(1 << self.tries.min(8)).min(BACKOFF_LIMIT);
                most.mul_f64(fastrand::f64())
            }
        };
        if self.cx.time_left().is_some_and(|left| left <= wait) {
            return Err(self.told(error));
        }
        self.tries += 1;
        self.out.clear();
        self.phase = Phase::Ask;
        sleep(wait).await;
        Ok(())
    }

    /// The error, with how often it was tried, and without the secrets that a server has repeated.
    fn told(&self, error: Error) -> Error {
        let error = self.model.format.advised(error, &self.model.card.name);
        let error = self.model.without_secrets(error);
        match self.tries {
            0 => error,
            tries => error.context(format!("asked {} times", tries + 1)),
        }
    }

    /// Sends the request and sees to the head of the response.
    async fn ask(&mut self) -> Result<(), Failure> {
        let model = Arc::clone(&self.model);
        let Endpoint { url, headers, peer, .. } = model.endpoint()?;
        let media = Inlined::of(&self.req, model.format.manners()).await?;
        self.free_choice = model.free_choice.load(Relaxed);
        let ask = model.ask(&self.req, &media, self.free_choice);
        let body = Bytes::from(model.format.encode(&ask)?);
        let teller = Peer { address: peer.clone(), service: model.format.service() };
        let decoder = model.format.decoder(teller.clone(), &ask);
        let sent = client(url)?.post(url.clone()).headers(headers.clone()).body(body).send();
        let response = match timeout(model.first_byte_timeout, sent).await {
            Ok(response) => response.map_err(|error| trouble(error, peer))?,
            Err(_) => return Err(self.silent(peer, model.first_byte_timeout, "did not answer")),
        };
        if !response.status().is_success() {
            return Err(self.refused(response).await);
        }
        let coding = response.headers().get(CONTENT_ENCODING).and_then(|it| it.to_str().ok());
        if let Some(coding) = coding.filter(|it| !it.is_empty() && *it != "identity") {
            return Err(teller.compressed(coding).into());
        }
        self.phase = Phase::Read(Box::new(Reading { response, decoder, body: Body::Unknown }));
        Ok(())
    }

    /// Takes in the next bytes.
    async fn read(&mut self) -> Result<(), Failure> {
        let Phase::Read(reading) = &mut self.phase else { return Ok(()) };
        let Reading { response, decoder, body } = &mut **reading;
        let out = &mut self.out;
        let peer = &self.model.endpoint()?.peer;
        let limit = match (decoder.is_finished(), self.said) {
            (true, _) => AFTER_FINISH,
            (false, true) => self.model.chunk_timeout,
            (false, false) => self.model.first_byte_timeout,
        };
        let chunk = match timeout(limit, response.chunk()).await {
            Ok(Ok(chunk)) => chunk,
            // The model has said that it is done; what was to come is no part of its answer.
            Ok(Err(_)) | Err(_) if decoder.is_finished() => None,
            Ok(Err(error)) => {
                let error = trouble(error, peer);
                return Err(error
                    .context(format!("the answer of `{}` broke off", self.model.card.name))
                    .into());
            }
            Err(_) => return Err(self.silent(peer, limit, "said nothing more")),
        };
        if let (Some(chunk), Body::Unknown) = (&chunk, &*body) {
            let begun = chunk.trim_ascii_start();
            if begun.is_empty() {
                return Ok(());
            }
            *body = match self.model.format.framing() {
                Framing::Events if Frames::may_begin_with(begun) => Body::Events(Frames::default()),
                Framing::Lines if self.model.stream => Body::Lines(Lines::default()),
                _ => Body::Whole(Vec::new()),
            };
        }
        let is_read = chunk.is_none();
        match (chunk, body) {
            (Some(chunk), Body::Whole(whole)) if whole.len() + chunk.len() > BODY_LIMIT => {
                let message = format!("the answer of {peer} has more than {BODY_LIMIT} bytes");
                return Err(Error::new(ErrorKind::Protocol, message).into());
            }
            (Some(chunk), Body::Whole(whole)) => {
                whole.extend_from_slice(&chunk);
                return Ok(());
            }
            (None, Body::Whole(whole)) => decoder.whole(whole, out)?,
            (Some(chunk), Body::Events(frames)) => {
                frames.feed(&chunk, |event, data| decoder.frame(event, data, out))?
            }
            (Some(chunk), Body::Lines(lines)) => lines.feed(&chunk, |line| decoder.frame(b"", line, out))?,
            (None, Body::Events(frames)) => {
                frames.end(|event, data| decoder.frame(event, data, out))?;
                decoder.end(out)?;
            }
            (None, Body::Lines(lines)) => {
                lines.end(|line| decoder.frame(b"", line, out))?;
                decoder.end(out)?;
            }
            (None, Body::Unknown) => decoder.end(out)?,
            (Some(_), Body::Unknown) => {}
        }
        if decoder.is_ended()
            && let Phase::Read(reading) = std::mem::replace(&mut self.phase, Phase::Over)
        {
            self.phase = if is_read { Phase::Over } else { Phase::Drain(reading.response) };
        }
        Ok(())
    }

    async fn refused(&self, response: Response) -> Failure {
        let (error, status, body) = refused(&self.model, response).await;
        // A server that does not let itself be told which tool to call is asked again, and leaves it to the model.
        let told = matches!(self.req.tool_choice, ToolChoice::Required | ToolChoice::Tool(_));
        if status == 400 && told && !self.free_choice && body_names(&body, "tool_choice") {
            self.model.free_choice.store(true, Relaxed);
            return Failure { error: error.with_retry_after(Duration::ZERO), again: true };
        }
        error.into()
    }

    fn silent(&self, peer: &str, limit: Duration, what: &str) -> Failure {
        let message = format!(
            "{peer} {what} for {} s: try again, or allow more by `.{}(..)`",
            limit.as_secs_f64(),
            if self.said { "chunk_timeout" } else { "first_byte_timeout" }
        );
        // The model may be at work: asked again, it would do the work twice.
        Failure { error: Error::new(ErrorKind::Timeout, message), again: false }
    }
}

/// Reads why a server has refused: the error, the status and the body.
pub(super) async fn refused(model: &Settings, mut response: Response) -> (Error, u16, Vec<u8>) {
    let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
    let retry_after = header(RETRY_AFTER).and_then(|value| retry_after(value, SystemTime::now()));
    let location = header(LOCATION).map(str::to_owned);
    let status = response.status().as_u16();
    let mut body = Vec::new();
    let read = async {
        while let Ok(Some(chunk)) = response.chunk().await {
            body.extend_from_slice(&chunk);
            if body.len() > ERROR_LIMIT {
                break;
            }
        }
    };
    drop(timeout(model.chunk_timeout.min(AFTER_FINISH), read).await);
    let address = match model.endpoint() {
        Ok(endpoint) => endpoint.peer.as_str(),
        Err(error) => return (error, status, body),
    };
    let key = match &model.key {
        Some(_) => Key::Sent,
        None if model.own_address => Key::OfTheProgram,
        None => Key::Missing,
    };
    let server = Server { service: model.format.service(), model: &model.card.name, address, key };
    let error = server.refused(&Refusal { status, retry_after, location: location.as_deref(), body: &body });
    (error, status, body)
}

fn body_names(body: &[u8], word: &str) -> bool {
    memchr::memmem::find(body, word.as_bytes()).is_some()
}
