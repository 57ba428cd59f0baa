use crate::{fails, ok, run_in, words};
use agentscope_core::{
    ContentBlock, Context, Error, ErrorKind, Interrupt, Media, Name, Reason, Result, Tool, ToolChunk,
    ToolRequest, ToolSpec, ToolStream, Workspace,
};
use agentscope_tool::{LocalWorkspace, OutputLimit, ToolExt};
use futures_util::stream;
use serde_json::{Value, json};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// A tool made of what it says.
struct Says<F>(Value, F);

impl<F: Fn(ToolRequest, Context) -> ToolStream + Send + Sync + 'static> Tool for Says<F> {
    fn spec(&self) -> Arc<ToolSpec> {
        Arc::new(ToolSpec::new("says", "Says.", self.0.clone()))
    }
    fn call(&self, req: ToolRequest, cx: Context) -> ToolStream {
        (self.1)(req, cx)
    }
}

fn echo() -> impl Tool {
    let schema = json!({
        "type": "object",
        "properties": {"user_id": {"type": "string"}, "city": {"type": "string"}},
        "required": ["user_id"],
        "examples": [{"user_id": "bob", "city": "Rome"}],
    });
    Says(schema, |req: ToolRequest, _| {
        let chunk = ToolChunk::text(format!("{} {}", req.name, req.input));
        Box::pin(stream::iter([Ok(chunk)])) as ToolStream
    })
}

fn says(items: impl Fn() -> Vec<Result<ToolChunk>> + Send + Sync + 'static) -> impl Tool {
    Says(json!({"type": "object"}), move |_, _| Box::pin(stream::iter(items())) as ToolStream)
}

#[tokio::test]
async fn a_preset_can_neither_be_seen_nor_changed_by_the_model() {
    let tool = echo().preset("user_id", "alice");
    let schema = tool.spec().input_schema.to_string();
    assert!(!schema.contains("user_id") && !schema.contains("required"), "{schema}");
    assert!(schema.contains("city"));

    assert_eq!(ok(&tool, json!({"city": "Rome"})).await, r#"says {"city":"Rome","user_id":"alice"}"#);
    assert_eq!(ok(&tool, Value::Null).await, r#"says {"user_id":"alice"}"#);
    let error = fails(&tool, json!({"city": "Rome", "user_id": "mallory"})).await;
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.message().contains("leave it out"), "{error}");
    assert!(!error.message().contains("alice"), "{error}");
}

#[tokio::test]
async fn a_misspelled_preset_runs_nothing() {
    let error = fails(&echo().preset("userid", "alice"), json!({})).await;
    assert!(error.message().contains("`says` has no argument `userid`"), "{error}");
    let error = fails(&echo().preset("user_id", "alice").preset("user_id", "bob"), json!({})).await;
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

#[tokio::test]
async fn a_renamed_tool_is_called_by_its_own_name() {
    let tool = echo().rename("parrot").describe("Repeats.").rename("bird");
    assert_eq!((tool.spec().name.as_str(), tool.spec().description.as_str()), ("bird", "Repeats."));
    assert_eq!(ok(&tool, json!({})).await, "says {}");
}

#[tokio::test]
async fn post_processing_sees_the_whole_output_of_a_success() {
    let tool = says(|| {
        let slot = ToolChunk::Slot { key: "k".into(), value: json!(1) };
        vec![Ok(ToolChunk::text("a")), Ok(slot), Ok(ToolChunk::text("b"))]
    });
    let tool = tool.post(|req, content| {
        assert_eq!(content, vec![ContentBlock::text("ab")]);
        Ok(vec![format!("{}: done", req.name).into()])
    });
    let (chunks, end) = run_in(&tool, json!({}), Context::new()).await;
    end.unwrap();
    assert!(matches!(&chunks[0], ToolChunk::Slot { .. }));
    assert_eq!(words(&chunks), "says: done");
}

#[tokio::test]
async fn post_processing_may_fail_and_is_not_run_for_a_failure() {
    let refuse = |_: ToolRequest, _: Vec<_>| Err(Error::new(ErrorKind::Refused, "secret found"));
    let (chunks, end) = run_in(&echo().post(refuse), json!({}), Context::new()).await;
    assert!(chunks.is_empty());
    assert_eq!(end.unwrap_err().kind(), ErrorKind::Refused);

    let failing = || says(|| vec![Ok(ToolChunk::text("half")), Err(Error::new(ErrorKind::Tool, "broken"))]);
    let (chunks, end) = run_in(&failing().post(refuse), json!({}), Context::new()).await;
    assert!(chunks.is_empty(), "what should have been processed is not shown");
    assert_eq!(end.unwrap_err().message(), "broken");
}

#[tokio::test(start_paused = true)]
async fn a_tool_whose_time_is_over_is_asked_to_end_and_then_dropped() {
    let asked = Arc::new(AtomicBool::new(false));
    let seen = asked.clone();
    let tool = Says(json!({}), move |_, cx: Context| {
        let seen = seen.clone();
        let words = stream::iter([Ok(ToolChunk::text("so far"))]);
        let never = stream::once(async move {
            cx.interrupt().triggered().await;
            // Whatever it starts meanwhile is stopped too.
            let reasons = (cx.interrupt().reason(), Context::current().interrupt().reason());
            seen.store(reasons == (Some(Reason::Deadline), Some(Reason::Deadline)), Ordering::Relaxed);
            std::future::pending().await
        });
        Box::pin(futures_util::StreamExt::chain(words, never)) as ToolStream
    });
    let tool = tool.limit_time(Duration::from_secs(5));
    assert_eq!(tool.spec().timeout_ms, Some(5000));
    let began = tokio::time::Instant::now();
    let outer = Interrupt::new();
    let (chunks, end) = run_in(&tool, json!({}), Context::new().with_interrupt(outer.clone())).await;
    assert_eq!(began.elapsed().as_secs(), 7);
    assert_eq!(words(&chunks), "so far");
    let error = end.unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::Timeout, "`says` timed out after 5s"));
    assert!(asked.load(Ordering::Relaxed));
    assert!(!outer.is_triggered());
}

#[tokio::test(start_paused = true)]
async fn a_tool_in_time_is_not_touched_and_the_shorter_limit_holds() {
    assert_eq!(ok(&echo().limit_time(Duration::from_secs(5)), json!({})).await, "says {}");
    let twice = echo().limit_time(Duration::from_secs(1)).limit_time(Duration::from_secs(5));
    assert_eq!(twice.spec().timeout_ms, Some(1000));
}

fn long(text: &str) -> impl Tool {
    let text = text.to_owned();
    says(move || text.split_inclusive(' ').map(|word| Ok(ToolChunk::text(word))).collect())
}

#[tokio::test]
async fn long_output_is_spilled_whole_and_the_model_is_told_where() {
    let dir = tempfile::tempdir().unwrap();
    let workspace = LocalWorkspace::new(dir.path());
    let text = format!("begin {} end", "grüß ".repeat(1000));
    let tool = long(&text).limit_output(OutputLimit::new(100).workspace(workspace.clone()));
    let shown = ok(&tool, json!({})).await;
    assert!(shown.starts_with("begin grüß") && shown.ends_with("grüß  end"), "{shown}");
    let path = shown.split("the full output is in the file ").nth(1).unwrap().split(" ...]").next().unwrap();
    assert!(path.ends_with("tool-output/call-1.txt"), "{path}");
    assert_eq!(std::fs::read_to_string(path).unwrap(), text);
    assert!(shown.contains(&format!("of {} bytes are left out here", text.len())), "{shown}");

    // Some providers give an id twice: the first file stays as the model was told.
    let again = long(&"x ".repeat(100)).limit_output(OutputLimit::new(10).workspace(workspace.clone()));
    assert!(ok(&again, json!({})).await.contains("tool-output/call-1-2.txt"));
    assert_eq!(std::fs::read_to_string(path).unwrap(), text);

    let evil = ToolRequest::new("../../evil", "says", json!({}));
    let mut stream = again.call(evil, Context::new());
    while futures_util::StreamExt::next(&mut stream).await.is_some() {}
    assert!(workspace.list("").await.unwrap().contains(&"tool-output/______evil.txt".to_owned()));
}

#[tokio::test]
async fn without_a_workspace_it_is_said_what_is_missing() {
    let shown = ok(&long(&"x ".repeat(100)).limit_output(10), json!({})).await;
    assert_eq!(
        shown,
        "x x x\n[... 190 of 200 bytes are left out here; they are not kept: ask for less at a time ...]\n x x "
    );
    assert_eq!(ok(&long("x x x x x ").limit_output(10), json!({})).await, "x x x x x ");
}

#[tokio::test]
async fn a_spill_is_bounded_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let limit = OutputLimit::new(10).workspace(LocalWorkspace::new(dir.path())).spill_limit(50);
    let shown = ok(&long(&"x ".repeat(100)).limit_output(limit), json!({})).await;
    assert!(shown.contains("the first 50 bytes are in the file"), "{shown}");
    assert_eq!(std::fs::read(dir.path().join("tool-output/call-1.txt")).unwrap().len(), 50);
}

#[tokio::test]
async fn media_and_slots_pass_and_do_not_count() {
    let picture = ContentBlock::Image(Media::base64("image/png", "A".repeat(5000)));
    let tool = {
        let picture = picture.clone();
        says(move || {
            let slot = ToolChunk::Slot { key: Name::from("k"), value: json!("v".repeat(500)) };
            let content =
                vec!["a".into(), picture.clone(), "b".repeat(50).into(), picture.clone(), "c".into()];
            vec![Ok(slot), Ok(content.into())]
        })
    };
    let (chunks, end) = run_in(&tool.limit_output(20), json!({}), Context::new()).await;
    end.unwrap();
    assert!(matches!(&chunks[0], ToolChunk::Slot { .. }));
    let blocks = chunks.iter().flat_map(|chunk| match chunk {
        ToolChunk::Output { content } => content.clone(),
        _ => vec![],
    });
    assert_eq!(blocks.filter(|block| *block == picture).count(), 2);
    assert!(words(&chunks).contains("32 of 52 bytes"), "{}", words(&chunks));
}

#[tokio::test]
async fn of_a_failure_the_output_and_the_message_are_bounded() {
    let tool = says(|| {
        let error = Error::new(ErrorKind::NotFound, "long ".repeat(1000));
        vec![Ok(ToolChunk::text("x".repeat(1000))), Err(error)]
    });
    let (chunks, end) = run_in(&tool.limit_output(100), json!({}), Context::new()).await;
    assert!(words(&chunks).len() < 250);
    let error = end.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.message().len() < 250 && error.message().contains("4900 of 5000 bytes"), "{error}");
}

#[tokio::test]
async fn output_streams_until_the_head_is_full() {
    let (send, receive) = tokio::sync::mpsc::unbounded_channel::<&str>();
    let receive = Arc::new(tokio::sync::Mutex::new(receive));
    let tool = Says(json!({}), move |_, _| {
        let next = |receive: Arc<tokio::sync::Mutex<tokio::sync::mpsc::UnboundedReceiver<_>>>| async {
            let word: &str = receive.lock().await.recv().await?;
            Some((Ok(ToolChunk::text(word)), receive))
        };
        Box::pin(stream::unfold(receive.clone(), next)) as ToolStream
    });
    let mut stream = tool.limit_output(20).call(ToolRequest::default(), Context::new());
    for word in ["one", "two"] {
        send.send(word).unwrap();
        let chunk = futures_util::StreamExt::next(&mut stream).await.unwrap().unwrap();
        assert_eq!(chunk, ToolChunk::text(word));
    }
}
