//! What every [`Tool`] has to do.

use super::{STEP_LIMIT, broken, require};
use crate::{
    context::Context,
    error::Error,
    id::Name,
    interrupt::{Interrupt, Reason},
    tool::{Tool, ToolChunk, ToolRequest, ToolSpec, ToolStream},
};
use futures_util::FutureExt;
use serde_json::{Value, json};
use std::{future::poll_fn, panic::AssertUnwindSafe, sync::Arc, task::Poll, time::Duration};

/// How long a tool may go on after an interrupt before it is dropped (2 s, as an agent does by default).
const GRACE: Duration = Duration::from_secs(2);

/// How many calls are made at the same time.
const AT_ONCE: usize = 4;

/// After how many polls a call is interrupted or dropped, at most.
const POLLS: usize = 12;

/// Longest name of a tool that all providers take.
const NAME_LIMIT: usize = 64;

/// Runs the suite of a tool. `good` are arguments with which it succeeds; it is called with them some thirty times, and with
/// bad ones, so give it nothing that matters to work on.
///
/// It holds the tool to this: its spec is one that providers take, and stays the same; a good call succeeds; bad arguments end
/// in an error or in success, never in a panic, and never hang; an interrupt ends the call, or lets it be dropped after the
/// grace; a call can be dropped at each poll; calls at the same time are independent; it sets only the slots that it declares.
///
/// ```
/// use agentscope_core::{Context, ToolSpec, TypedTool, schema_of, testing::conformance};
/// use std::sync::Arc;
///
/// #[derive(serde::Deserialize, schemars::JsonSchema)]
/// struct Args {
///     /// What to add up.
///     numbers: Vec<f64>,
/// }
///
/// #[derive(Clone)]
/// struct Add;
///
/// impl TypedTool for Add {
///     type Args = Args;
///     type Output = String;
///     fn spec(&self) -> Arc<ToolSpec> {
///         Arc::new(ToolSpec::new("add", "Adds numbers.", schema_of::<Args>()).read_only())
///     }
///     async fn run(&self, args: Args, _: Context) -> String {
///         args.numbers.iter().sum::<f64>().to_string()
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// conformance::tool(Arc::new(Add), serde_json::json!({"numbers": [17, 23]})).await;
/// # }
/// ```
///
/// # Panics
/// With the law that the tool breaks.
pub async fn tool(tool: Arc<dyn Tool>, good: Value) {
    let spec = tool.spec();
    the_spec_is_one_that_providers_take(&spec);
    succeeds(&*tool, &spec, &good).await;
    for bad in bad_arguments(&spec, &good) {
        bad_arguments_end(&*tool, &spec, bad).await;
    }
    for polls in 0..POLLS {
        interrupted_after(&*tool, &spec, &good, polls).await;
        dropped_after(&*tool, &spec, &good, polls).await;
    }
    futures_util::future::join_all((0..AT_ONCE).map(|_| succeeds(&*tool, &spec, &good))).await;
    require(tool.spec() == spec, "the spec of a tool stays the same", || format!("it is {:?}", tool.spec()));
}

pub(super) fn the_spec_is_one_that_providers_take(spec: &ToolSpec) {
    let fits = (1..=NAME_LIMIT).contains(&spec.name.len())
        && spec.name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    require(fits, "the name of a tool is 1 to 64 letters, digits, `_` and `-`", || {
        format!("it is `{}`", spec.name)
    });
    require(!spec.description.trim().is_empty(), "a tool has a description", || "it is empty".to_owned());
    let schema = &*spec.input_schema;
    let is_object = schema.get("type").is_some_and(|kind| kind == "object")
        && schema.get("properties").is_none_or(Value::is_object);
    require(is_object, "the schema of a tool's arguments is one of an object", || format!("it is {schema}"));
    let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
    for name in required.filter_map(Value::as_str) {
        let known = schema.get("properties").is_some_and(|it| it.get(name).is_some());
        require(known, "what a tool requires is among its properties", || format!("`{name}` is not"));
    }
}

/// How a call ended.
#[derive(Debug)]
enum End {
    Success,
    Failure(Error),
    Panic,
    /// It took longer than the limit.
    Late,
    /// It was polled as often as it may.
    Polled,
    /// It set a slot that it did not declare.
    Undeclared(Name),
}

/// A call of which the suite sees every poll.
struct Run<'a> {
    spec: &'a ToolSpec,
    cx: Context,
    stream: Option<ToolStream>,
}

impl<'a> Run<'a> {
    fn new(tool: &dyn Tool, spec: &'a ToolSpec, input: Value) -> Self {
        let cx = Context::new().with_interrupt(Interrupt::new());
        let request = ToolRequest::new("call-1", spec.name.clone(), input);
        let call = || cx.sync_scope(|| tool.call(request, cx.clone()));
        let stream = std::panic::catch_unwind(AssertUnwindSafe(call));
        let Ok(stream) = stream else {
            broken("a call does nothing before it is polled", "the tool panicked")
        };
        Self { spec, cx, stream: Some(stream) }
    }

    /// Goes on until the call ends, for `polls` polls and for `limit` at most.
    async fn go_on(&mut self, mut polls: usize, limit: Duration) -> End {
        let (spec, stream) = (self.spec, &mut self.stream);
        let polled = poll_fn(|task| {
            let Some(stream) = stream else { return Poll::Ready(End::Success) };
            loop {
                if polls == 0 {
                    return Poll::Ready(End::Polled);
                }
                polls -= 1;
                match stream.as_mut().poll_next(task) {
                    Poll::Pending if polls == 0 => return Poll::Ready(End::Polled),
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(None) => return Poll::Ready(End::Success),
                    Poll::Ready(Some(Err(error))) => return Poll::Ready(End::Failure(error)),
                    Poll::Ready(Some(Ok(ToolChunk::Slot { key, .. }))) if !spec.slots.contains(&key) => {
                        return Poll::Ready(End::Undeclared(key));
                    }
                    Poll::Ready(Some(Ok(_))) => {}
                }
            }
        });
        let caught = self.cx.scope(AssertUnwindSafe(polled).catch_unwind());
        match tokio::time::timeout(limit, caught).await {
            Ok(Ok(End::Undeclared(key))) => {
                broken("a tool sets only the slots that it declares", format_args!("it set `{key}`"))
            }
            Ok(Ok(end)) => end,
            Ok(Err(_)) => End::Panic,
            Err(_) => End::Late,
        }
    }

    /// Lets go of the call.
    fn let_go(mut self, law: &str) {
        let stream = self.stream.take();
        if std::panic::catch_unwind(AssertUnwindSafe(|| drop(stream))).is_err() {
            broken(law, "the tool panicked");
        }
    }
}

async fn succeeds(tool: &dyn Tool, spec: &ToolSpec, good: &Value) {
    const LAW: &str = "a call with good arguments succeeds";
    let mut run = Run::new(tool, spec, good.clone());
    match run.go_on(usize::MAX, STEP_LIMIT).await {
        End::Success => run.let_go(LAW),
        other => broken(LAW, said(&other)),
    }
}

async fn bad_arguments_end(tool: &dyn Tool, spec: &ToolSpec, bad: Value) {
    const LAW: &str = "bad arguments end in an error or in success";
    let mut run = Run::new(tool, spec, bad.clone());
    match run.go_on(usize::MAX, STEP_LIMIT).await {
        End::Success | End::Failure(_) => run.let_go(LAW),
        other => broken(LAW, format_args!("with {bad} {}", said(&other))),
    }
}

async fn interrupted_after(tool: &dyn Tool, spec: &ToolSpec, good: &Value, polls: usize) {
    const LAW: &str = "an interrupt ends a call, or lets it be dropped after the grace";
    let mut run = Run::new(tool, spec, good.clone());
    let before = run.go_on(polls, STEP_LIMIT).await;
    if matches!(before, End::Polled) {
        run.cx.interrupt().trigger(Reason::User(None));
        let after = run.go_on(usize::MAX, GRACE).await;
        require(!matches!(after, End::Panic), LAW, || format!("after {polls} polls {}", said(&after)));
    }
    run.let_go(LAW);
}

async fn dropped_after(tool: &dyn Tool, spec: &ToolSpec, good: &Value, polls: usize) {
    const LAW: &str = "a call can be dropped at each poll";
    let mut run = Run::new(tool, spec, good.clone());
    let end = run.go_on(polls, STEP_LIMIT).await;
    require(!matches!(end, End::Panic | End::Late), LAW, || format!("after {polls} polls {}", said(&end)));
    run.let_go(LAW);
}

fn said(end: &End) -> String {
    match end {
        End::Success => "it succeeded".to_owned(),
        End::Failure(error) => format!("it failed: {error}"),
        End::Panic => "the tool panicked".to_owned(),
        End::Late => "it did not end in time".to_owned(),
        End::Polled => "it did not end".to_owned(),
        End::Undeclared(key) => format!("it set the slot `{key}`"),
    }
}

/// Arguments that do not fit: no object, nothing, one missing, one of another type, one too many.
fn bad_arguments(spec: &ToolSpec, good: &Value) -> Vec<Value> {
    let others = [
        json!(null),
        json!(true),
        json!(-1.5),
        json!(u64::MAX),
        json!("\0\u{1F600}"),
        json!([[]]),
        json!({"x": {}}),
    ];
    let mut bad = others.to_vec();
    bad.push(json!({}));
    let with = |key: &str, value: Option<&Value>| {
        let mut input = good.as_object().cloned().unwrap_or_default();
        match value {
            Some(value) => input.insert(key.to_owned(), value.clone()),
            None => input.shift_remove(key),
        };
        Value::Object(input)
    };
    bad.push(with("an_argument_that_no_tool_has", Some(&json!(1))));
    let properties = spec.input_schema.get("properties").and_then(Value::as_object);
    for key in properties.into_iter().flat_map(|it| it.keys()) {
        bad.push(with(key, None));
        bad.extend(others.iter().map(|other| with(key, Some(other))));
    }
    bad
}
