//! Tools, models and agents that the tests share.

use agentscope_core::{Context, Msg, Result, Tool, ToolChunk, ToolRequest, ToolSpec, ToolStream};
use serde_json::{Value, json};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// A tool made of a closure, that counts how often it began and how often it ran to its end.
#[derive(Clone)]
pub(crate) struct Probe {
    spec: Arc<ToolSpec>,
    run: Arc<dyn Fn(ToolRequest, Context) -> ToolStream + Send + Sync>,
    pub(crate) began: Arc<AtomicUsize>,
    pub(crate) ended: Arc<AtomicUsize>,
}

impl Probe {
    /// A tool `name` that gives what `answer` gives.
    pub(crate) fn new<F, Fut>(name: &str, answer: F) -> Self
    where
        F: Fn(ToolRequest, Context) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<String>> + Send + 'static,
    {
        let began = Arc::new(AtomicUsize::new(0));
        let ended = Arc::new(AtomicUsize::new(0));
        let (starts, ends) = (Arc::clone(&began), Arc::clone(&ended));
        let answer = Arc::new(answer);
        let run = move |req: ToolRequest, cx: Context| -> ToolStream {
            let (starts, ends, answer) = (Arc::clone(&starts), Arc::clone(&ends), Arc::clone(&answer));
            Box::pin(futures_util::stream::once(async move {
                starts.fetch_add(1, Ordering::SeqCst);
                let text = answer(req, cx).await?;
                ends.fetch_add(1, Ordering::SeqCst);
                Ok(ToolChunk::text(text))
            }))
        };
        let schema = json!({"type": "object", "properties": {"n": {"type": "integer"}}});
        Self { spec: Arc::new(ToolSpec::new(name, "A probe.", schema)), run: Arc::new(run), began, ended }
    }

    pub(crate) fn with(mut self, change: impl FnOnce(ToolSpec) -> ToolSpec) -> Self {
        self.spec = Arc::new(change((*self.spec).clone()));
        self
    }

    pub(crate) fn runs(&self) -> (usize, usize) {
        (self.began.load(Ordering::SeqCst), self.ended.load(Ordering::SeqCst))
    }
}

impl Tool for Probe {
    fn spec(&self) -> Arc<ToolSpec> {
        Arc::clone(&self.spec)
    }
    fn call(&self, req: ToolRequest, cx: Context) -> ToolStream {
        (self.run)(req, cx)
    }
}

/// A read-only tool that says its argument.
pub(crate) fn echo() -> Probe {
    Probe::new(
        "echo",
        |req, _| async move { Ok(format!("echo {}", req.input.get("n").unwrap_or(&Value::Null))) },
    )
    .with(ToolSpec::read_only)
}

/// The texts of all results of a message, with their states.
pub(crate) fn results(msg: &Msg) -> Vec<(String, agentscope_core::ToolState, String)> {
    msg.results().map(|it| (it.id.to_string(), it.state.clone(), it.text())).collect()
}
