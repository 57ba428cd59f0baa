//! One server for all rows: each request tells by a header whose it is.

use super::{ALL, cells::Row};
use crate::{
    said::{self, Said},
    server::{Answer, Request, Server},
};
use agentscope_core::{ChatModel, ModelRequest, Msg, Result};
use agentscope_model::RetryPolicy;
use futures_util::{FutureExt, StreamExt, stream};
use serde_json::Value;
use std::{
    collections::HashMap,
    fmt,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex},
    time::Duration,
};

/// The header by which the server knows whose request it is.
const CASE: &str = "x-case";

/// What a model is set to.
#[derive(Clone)]
pub(super) struct Set {
    pub(super) stream: bool,
    pub(super) key: String,
    pub(super) case: String,
    pub(super) retry: RetryPolicy,
    pub(super) first_byte: Duration,
    pub(super) gap: Duration,
    pub(super) fields: Vec<(String, Value)>,
}

impl Set {
    pub(super) fn on(&self, model: impl Settable) -> Arc<dyn ChatModel> {
        model.set(self)
    }
}

/// The settings that all models have, each by a method of its own type.
pub(super) trait Settable {
    fn set(self, set: &Set) -> Arc<dyn ChatModel>;
}

macro_rules! settable {
    ($($model:ident)*) => {$(
        impl Settable for agentscope_model::$model {
            fn set(self, set: &Set) -> Arc<dyn ChatModel> {
                let model = self
                    .stream(set.stream)
                    .api_key(set.key.as_str())
                    .header(CASE, set.case.as_str())
                    .retry(set.retry.clone())
                    .first_byte_timeout(set.first_byte)
                    .chunk_timeout(set.gap);
                Arc::new(set.fields.iter().fold(model, |model, (name, value)| model.body(name, value.clone())))
            }
        }
    )*};
}

settable! {
    AnthropicChatModel DashScopeChatModel GeminiChatModel OllamaChatModel OpenAIChatModel OpenAIResponseModel PostApiChatModel
}

/// The server, and how many requests each case has made.
pub(super) struct Stage {
    pub(super) server: Server,
    counts: Arc<Mutex<HashMap<String, usize>>>,
}

/// A model of the table, streamed or whole.
pub(super) struct Case {
    pub(super) row: &'static Row,
    pub(super) stream: bool,
    pub(super) stage: Arc<Stage>,
    /// What is tried with it, where it is more than one thing.
    what: String,
}

impl Case {
    pub(super) fn all(stage: &Arc<Stage>) -> Vec<Self> {
        let ways = ALL.iter().flat_map(|row| [(row, true), (row, false)]);
        let can = ways.filter(|(row, stream)| !stream || row.streams.yes());
        can.map(|(row, stream)| Self { row, stream, stage: Arc::clone(stage), what: String::new() }).collect()
    }

    /// The same with something else that is tried.
    pub(super) fn trying(&self, what: impl Into<String>) -> Self {
        Self { what: what.into(), stage: Arc::clone(&self.stage), ..*self }
    }

    pub(super) fn what(&self) -> &str {
        &self.what
    }

    pub(super) fn key(&self) -> String {
        format!("key-of-{}", self.row.name.replace([' ', ','], "-"))
    }

    pub(super) fn model(&self) -> Arc<dyn ChatModel> {
        self.model_with(|_| {})
    }

    pub(super) fn model_with(&self, change: impl FnOnce(&mut Set)) -> Arc<dyn ChatModel> {
        let mut set = Set {
            stream: self.stream,
            key: self.key(),
            case: self.to_string(),
            retry: RetryPolicy::default().retries(0),
            first_byte: Duration::from_secs(30),
            gap: Duration::from_secs(30),
            fields: Vec::new(),
        };
        change(&mut set);
        (self.row.make)(&self.stage.server.at(""), &set)
    }

    /// The answer to a request.
    pub(super) async fn ask(&self, req: ModelRequest) -> Result<Said> {
        said::ask(&self.model(), req).await
    }

    /// The answer to some words.
    pub(super) async fn say(&self, words: &str) -> Said {
        self.ask(ModelRequest::new([Msg::user(words)]))
            .await
            .unwrap_or_else(|error| panic!("{self}: {error:?}"))
    }

    /// Its requests so far.
    pub(super) fn requests(&self) -> Vec<Request> {
        let mine = self.to_string();
        self.stage
            .server
            .requests()
            .into_iter()
            .filter(|request| request.header(CASE) == Some(&mine))
            .collect()
    }

    /// How many those are.
    pub(super) fn count(&self) -> usize {
        self.stage.counts.lock().unwrap().get(&self.to_string()).copied().unwrap_or(0)
    }

    pub(super) fn last(&self) -> Request {
        self.requests().pop().unwrap_or_else(|| panic!("{self} asked nothing"))
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let way = if self.stream { "streamed" } else { "whole" };
        write!(f, "{}, {way}{}{}", self.row.name, if self.what.is_empty() { "" } else { ": " }, self.what)
    }
}

/// A server whose script also knows which of its case's requests it answers, counted from 0.
pub(super) fn serve(script: impl Fn(&Request, usize) -> Answer + Send + Sync + 'static) -> Arc<Stage> {
    let counts: Arc<Mutex<HashMap<String, usize>>> = Arc::default();
    let counted = Arc::clone(&counts);
    let script = move |request: &Request| {
        let nth = {
            let mut counts = counted.lock().unwrap();
            let count = counts.entry(case_of(request).to_owned()).or_default();
            *count += 1;
            *count - 1
        };
        script(request, nth)
    };
    Arc::new(Stage { server: Server::start(script), counts })
}

/// Whose request it is.
pub(super) fn case_of(request: &Request) -> &str {
    request.header(CASE).unwrap_or_default()
}

/// Tries all models of the table at the same time on one server.
pub(super) async fn each(
    script: impl Fn(&Request) -> Answer + Send + Sync + 'static,
    test: impl AsyncFn(&Case),
) {
    run(&Case::all(&serve(move |request, _| script(request))), test).await;
}

/// How many are tried at the same time: all rows, and no more than a small machine can serve without a delay.
const AT_ONCE: usize = 48;

/// Tries these at the same time, and tells which have failed.
pub(super) async fn run(cases: &[Case], test: impl AsyncFn(&Case)) {
    assert!(!cases.is_empty());
    let tried = cases.iter().map(|case| AssertUnwindSafe(test(case)).catch_unwind());
    let results: Vec<_> = stream::iter(tried).buffered(AT_ONCE).collect().await;
    let failed = cases.iter().zip(results).filter(|(_, result)| result.is_err());
    let failed: Vec<_> = failed.map(|(case, _)| case.to_string()).collect();
    assert!(
        failed.is_empty(),
        "{} of {} failed, see above:\n{}",
        failed.len(),
        cases.len(),
        failed.join("\n")
    );
}
