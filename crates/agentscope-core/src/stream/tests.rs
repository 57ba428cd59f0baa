use super::*;
use crate::{agent::AgentExt, agent::agent_fn, message::Finish};
use futures_util::StreamExt;
use std::time::Duration;

#[tokio::test]
async fn a_panic_of_the_agent_is_an_error_and_the_next_reply_works() {
    let agent = agent_fn("Shaky", |msgs, _| async move {
        assert!(msgs[0].text() != "boom", "planted");
        Ok(Msg::assistant("Shaky", "fine"))
    });
    let error = agent.reply("boom").await.unwrap_err();
    assert!(error.kind() == ErrorKind::Internal && error.message().contains("panicked"), "{error}");
    assert_eq!(agent.reply("hi").await.unwrap().text(), "fine");
}

#[test]
fn a_reply_outside_of_a_runtime_says_so() {
    let agent = agent_fn("A", |_, _| async { Ok(Msg::assistant("A", "hi")) });
    let error = futures_util::FutureExt::now_or_never(IntoFuture::into_future(agent.reply("hi")))
        .unwrap()
        .unwrap_err();
    assert!(error.message().contains("outside of one"), "{error}");
}

#[test]
fn a_runtime_that_is_shut_down_tells_who_waits() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let agent = agent_fn("A", |_, _| std::future::pending());
    let reply = runtime.block_on(async {
        let reply = agent.reply("hi").stream().start();
        tokio::task::yield_now().await;
        reply
    });
    drop(runtime);
    let error = futures_util::FutureExt::now_or_never(IntoFuture::into_future(reply)).unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
}

#[tokio::test]
async fn awaiting_gives_the_whole_message_also_after_events_were_taken() {
    let agent = agent_fn("A", |_, _| async { Ok(Msg::assistant("A", "one").with("two")) });
    let mut stream = agent.reply("hi").stream();
    for _ in 0..2 {
        stream.next().await.unwrap().unwrap();
    }
    assert_eq!(stream.await.unwrap().text(), "one\ntwo");
}

#[tokio::test]
async fn what_is_unread_becomes_one_event_that_counts_what_it_leaves_out_but_not_what_was_asked() {
    const TOLD: usize = 3000;
    let stream = EventStream::spawn(Context::new(), |mut sink, _| async move {
        let mut msg = Arc::new(Msg::new("A", Role::Assistant, Vec::new()));
        sink.emit(&mut msg, EventKind::RequireConfirm { calls: Vec::new() });
        for n in 0..TOLD {
            sink.emit(&mut msg, EventKind::Custom { name: "n".into(), value: n.into() });
        }
        sink.end(msg, EventKind::ReplyEnd { finish: Finish::Waiting, metadata: Default::default() });
        Ok(())
    });
    let stream = stream.start();
    tokio::task::yield_now().await;
    let events: Vec<Event> = stream.map(|event| event.unwrap()).collect().await;
    let count = |wanted: fn(&EventKind) -> u64| events.iter().map(|event| wanted(&event.kind)).sum::<u64>();
    let asked = count(|kind| u64::from(matches!(kind, EventKind::RequireConfirm { .. })));
    let seen = count(|kind| u64::from(matches!(kind, EventKind::Custom { .. })));
    let left_out = count(|kind| if let EventKind::Resumed { dropped, .. } = kind { *dropped } else { 0 });
    assert_eq!((asked, seen + left_out), (1, TOLD as u64));
    assert!(events.len() <= 1026 && left_out > 0, "{} events were kept", events.len());
}

#[tokio::test]
async fn a_wrapped_stream_that_ends_early_is_an_error() {
    let error = EventStream::wrap(futures_util::stream::empty()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol);
}

#[tokio::test(start_paused = true)]
async fn a_running_reply_is_awaited_by_many_and_interrupted_by_the_last_one_who_leaves() {
    let stopped = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&stopped);
    let agent = agent_fn("A", move |msgs, cx: Context| {
        let count = Arc::clone(&count);
        async move {
            tokio::select! {
                () = cx.interrupt().triggered() => { count.fetch_add(1, Ordering::SeqCst); }
                () = tokio::time::sleep(Duration::from_secs(1)) => {}
            }
            Ok(Msg::assistant("A", msgs[0].text()))
        }
    });
    let running = agent.reply("hi").start();
    let (one, two) = tokio::join!(running.clone().into_future(), (&running).into_future());
    assert_eq!((one.unwrap().text(), two.unwrap().text()), ("hi".to_owned(), "hi".to_owned()));

    let running = agent.reply("hi").start();
    tokio::task::yield_now().await;
    let other = running.clone();
    drop(running);
    tokio::task::yield_now().await;
    assert_eq!(stopped.load(Ordering::SeqCst), 0, "one is left");
    drop(other);
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(stopped.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn a_detached_reply_goes_on_when_its_stream_is_dropped() {
    let agent = agent_fn("A", |_, cx: Context| async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok(Msg::assistant("A", format!("{:?}", cx.interrupt().reason())))
    });
    let stream = agent.reply("hi").detached().stream().start();
    drop(stream);
    let next = agent.reply("and?").await.unwrap();
    assert_eq!((next.text().as_str(), next.finish), ("None", Some(Finish::Completed)));
}

#[tokio::test]
async fn the_context_is_current_inside_a_reply_and_in_what_it_calls() {
    let inner = agent_fn("Inner", |_, cx: Context| async move {
        Ok(Msg::assistant("Inner", cx.path().len().to_string()))
    });
    let outer = agent_fn("Outer", move |_, _| {
        let inner = inner.clone();
        async move { inner.reply("hi").await }
    });
    assert_eq!(outer.reply("go").await.unwrap().text(), "2");
}
