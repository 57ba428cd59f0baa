//! A model by script, that counts what is asked of it and what of it is still open.

use agentscope_core::{
    ChatModel, Context, Error, ErrorKind, FinishReason, ModelCard, ModelDelta, ModelRequest, ModelStream,
    Msg, Result, Usage,
};
use futures_util::StreamExt;
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};
use tokio::time::{Instant, sleep};

/// What a model does next.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Give(ModelDelta),
    Wait(Duration),
    /// Comes back once, without having done anything.
    Yield,
    Hang,
    Fail(Error),
}

pub(super) fn text(text: &str) -> Step {
    Step::Give(ModelDelta::text(text))
}

pub(super) fn usage(input: u64, output: u64) -> Step {
    Step::Give(ModelDelta::Usage(Usage::new(input, output)))
}

pub(super) fn finish() -> Step {
    Step::Give(ModelDelta::Finish { reason: FinishReason::Stop })
}

pub(super) fn wait(millis: u64) -> Step {
    Step::Wait(Duration::from_millis(millis))
}

pub(super) fn fail(kind: ErrorKind) -> Step {
    Step::Fail(Error::new(kind, format!("{kind:?} happened")))
}

pub(super) fn away() -> Vec<Step> {
    vec![fail(ErrorKind::Unavailable)]
}

pub(super) fn fine() -> Vec<Step> {
    vec![text("fine"), usage(10, 1), finish()]
}

pub(super) fn often(times: usize, steps: &[Step]) -> Vec<Step> {
    std::iter::repeat_n(steps, times).flatten().cloned().collect()
}

pub(super) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Plays one script a call; the last one again and again.
#[derive(Clone)]
pub(super) struct Stage(Arc<Inner>);

struct Inner {
    card: ModelCard,
    scripts: Vec<Vec<Step>>,
    asked: Mutex<Vec<Instant>>,
    requests: Mutex<Vec<ModelRequest>>,
    open: AtomicUsize,
    most_open: AtomicUsize,
}

impl Stage {
    pub(super) fn new(scripts: impl IntoIterator<Item = Vec<Step>>) -> Self {
        Self::with_card(ModelCard::new("staged"), scripts)
    }

    pub(super) fn with_card(card: ModelCard, scripts: impl IntoIterator<Item = Vec<Step>>) -> Self {
        Self(Arc::new(Inner {
            card,
            scripts: scripts.into_iter().collect(),
            asked: Mutex::default(),
            requests: Mutex::default(),
            open: AtomicUsize::new(0),
            most_open: AtomicUsize::new(0),
        }))
    }

    /// How often it was asked.
    pub(super) fn asked(&self) -> usize {
        self.0.asked.lock().unwrap().len()
    }

    /// When it was asked.
    pub(super) fn times(&self) -> Vec<Instant> {
        self.0.asked.lock().unwrap().clone()
    }

    /// The words of the last message of each request.
    pub(super) fn heard(&self) -> Vec<String> {
        let requests = self.0.requests.lock().unwrap();
        requests.iter().map(|req| req.messages.last().map(|msg| msg.text()).unwrap_or_default()).collect()
    }

    /// How many answers were begun and are neither at their end nor dropped.
    pub(super) fn open(&self) -> usize {
        self.0.open.load(SeqCst)
    }

    pub(super) fn most_open(&self) -> usize {
        self.0.most_open.load(SeqCst)
    }
}

struct Open(Arc<Inner>);

impl Open {
    fn new(stage: Arc<Inner>) -> Self {
        let open = stage.open.fetch_add(1, SeqCst) + 1;
        stage.most_open.fetch_max(open, SeqCst);
        Self(stage)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, SeqCst);
    }
}

impl ChatModel for Stage {
    fn card(&self) -> &ModelCard {
        &self.0.card
    }

    fn call(&self, req: ModelRequest, _: Context) -> ModelStream {
        let stage = Arc::clone(&self.0);
        let begin = async move {
            let at = {
                let mut asked = stage.asked.lock().unwrap();
                asked.push(Instant::now());
                stage.requests.lock().unwrap().push(req);
                asked.len() - 1
            };
            let script = stage.scripts.get(at).or(stage.scripts.last()).cloned().unwrap_or_default();
            let play = (script.into_iter(), Open::new(stage));
            futures_util::stream::unfold(play, |(mut script, open)| async move {
                loop {
                    match script.next()? {
                        Step::Give(delta) => return Some((Ok(delta), (script, open))),
                        Step::Fail(error) => return Some((Err(error), (script, open))),
                        Step::Wait(time) => sleep(time).await,
                        Step::Yield => tokio::task::yield_now().await,
                        Step::Hang => std::future::pending().await,
                    }
                }
            })
        };
        Box::pin(futures_util::stream::once(begin).flatten())
    }
}

pub(super) fn request(words: &str) -> ModelRequest {
    ModelRequest::new([Msg::user(words)])
}

pub(super) async fn ask(model: &dyn ChatModel) -> Vec<Result<ModelDelta>> {
    ask_within(model, Context::new()).await
}

pub(super) async fn ask_within(model: &dyn ChatModel, cx: Context) -> Vec<Result<ModelDelta>> {
    model.call(request("hi"), cx).collect().await
}

/// The pieces of an answer that came to its end.
pub(super) fn whole(answer: Vec<Result<ModelDelta>>) -> Vec<ModelDelta> {
    answer.into_iter().collect::<Result<_>>().unwrap()
}

/// The pieces of an answer that failed, and how.
pub(super) fn failed(mut answer: Vec<Result<ModelDelta>>) -> (Vec<ModelDelta>, Error) {
    let error = answer.pop().expect("an answer that failed says so").unwrap_err();
    (whole(answer), error)
}

pub(super) async fn error(model: &dyn ChatModel) -> Error {
    let mut answer = ask(model).await;
    answer.pop().expect("an answer that failed says so").unwrap_err()
}

pub(super) fn deltas(steps: &[Step]) -> Vec<ModelDelta> {
    let delta = |step: &Step| match step {
        Step::Give(delta) => Some(delta.clone()),
        _ => None,
    };
    steps.iter().filter_map(delta).collect()
}

/// All tasks that can do something have done it.
pub(super) async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}
