//! The remote halves of the laws: what holds of an agent here holds of it over a link that is cut.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod observe;
mod wire;
mod worker;

use agentscope_core::{
    AgentExt, Error, ErrorKind, Finish, Interrupt, Msg, Reason, ToolState, agent_fn, testing::Link,
};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};
use worker::{MS, Seen, Worker, beside, gist, joined, mend_each_cut};

const S: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn law_1_a_linked_agent_gives_the_same_events_and_the_same_message_as_a_local_one() {
    let local = Seen::all(Worker::new(3, MS).reply("go").stream()).await;
    let worker = Worker::new(3, MS);
    let linked = Seen::all(Link::serve(worker.clone()).agent().reply("go").stream()).await;
    assert_eq!(joined(&local.events), joined(&linked.events));
    let (local, linked) = (local.checked(), linked.checked());
    assert_eq!(gist(&local), gist(&linked));
    assert_eq!(*worker.saved().await, linked, "what was seen is what was saved");
}

#[tokio::test(start_paused = true)]
async fn law_1_nothing_is_sent_before_a_linked_reply_is_polled_or_started() {
    let worker = Worker::new(1, MS);
    let link = Link::serve(worker.clone());
    let agent = link.agent();
    let stream = agent.reply("go").stream();
    sleep(S).await;
    assert_eq!((link.frames_up(), worker.mailbox.waiting()), (0, 0));
    let stream = stream.start();
    sleep(S).await;
    assert_eq!(worker.saved().await.finish, Some(Finish::Completed), "it runs without being polled");
    assert_eq!(*worker.saved().await, stream.await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn law_1_an_error_keeps_its_kind_its_words_its_wait_and_its_causes_over_a_link() {
    let fail = agent_fn("Fail", |_, _| async {
        let cause = Error::new(ErrorKind::Unavailable, "connection refused");
        Err(Error::new(ErrorKind::RateLimited, "wait a bit").with_retry_after(2 * S).with_source(cause))
    });
    let seen = Seen::all(Link::serve(fail).agent().reply("hi").stream()).await;
    let error = seen.reply.unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::RateLimited, "wait a bit"));
    assert_eq!(error.retry_after(), Some(2 * S));
    assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "connection refused");
    let end = worker::fold(&seen.events).finish;
    assert!(matches!(end, Some(Finish::Failed(failure)) if failure.kind == ErrorKind::RateLimited));
}

#[tokio::test(start_paused = true)]
async fn law_1_an_agent_that_is_asked_by_itself_through_a_link_refuses() {
    let (send, receive) = tokio::sync::oneshot::channel::<Link>();
    let receive = std::sync::Arc::new(tokio::sync::Mutex::new(Some(receive)));
    let narcissus = agent_fn("Narcissus", move |_, _| {
        let receive = std::sync::Arc::clone(&receive);
        async move {
            let link = receive.lock().await.take().unwrap().await.unwrap();
            let inner = link.agent().reply("and you?").await.map(|_| "no refusal".to_owned());
            Ok(Msg::assistant("Narcissus", inner.unwrap_or_else(|error| format!("{:?}", error.kind()))))
        }
    });
    let link = Link::serve(narcissus);
    assert!(send.send(link.clone()).is_ok());
    let reply = timeout(S, link.agent().reply("who is there?")).await.unwrap().unwrap();
    assert_eq!(reply.text(), "Conflict");
}

#[tokio::test(start_paused = true)]
async fn law_4_a_deadline_travels_and_is_an_error_on_both_sides() {
    let worker = Worker::new(10, S);
    let link = Link::serve(worker.clone());
    let began = Instant::now();
    let seen = Seen::all(link.agent().reply("go").deadline(5 * S).stream()).await;
    assert_eq!(seen.reply.unwrap_err().kind(), ErrorKind::Timeout);
    assert_eq!(began.elapsed().as_secs(), 5);
    let saved = worker.saved().await.finish.clone();
    assert!(matches!(saved, Some(Finish::Failed(failure)) if failure.kind == ErrorKind::Timeout));
}

#[tokio::test(start_paused = true)]
async fn law_4_a_deadline_that_passes_while_the_link_is_cut_is_not_waited_for_much_longer() {
    let worker = Worker::new(10, S);
    let link = Link::serve(worker.clone());
    let reply = link.agent().reply("go").deadline(5 * S).start();
    sleep(S).await;
    link.cut();
    let began = Instant::now();
    sleep(5 * S).await;
    assert_eq!(worker.mailbox.waiting(), 0, "the host knows the deadline by itself");
    assert_eq!(reply.await.unwrap_err().kind(), ErrorKind::Timeout);
    assert!(began.elapsed() < 9 * S, "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn law_2_what_is_seen_over_a_link_cut_after_any_frame_is_what_was_saved() {
    let local = Worker::new(3, MS).reply("go").await.unwrap();
    for frames in 0.. {
        let worker = Worker::new(3, MS);
        let link = Link::serve(worker.clone());
        link.cut_after(frames);
        let seen = Seen::all(link.agent().reply("go").stream());
        let msg = beside(mend_each_cut(&link, 7 * MS), seen).await.checked();
        assert_eq!(gist(&msg), gist(&local), "cut after {frames} frames");
        assert_eq!(*worker.saved().await, msg, "cut after {frames} frames");
        if link.frames_down() < frames {
            assert!(frames > 20, "a sweep over {frames} frames is none");
            break;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn law_2_what_is_seen_over_a_link_that_is_cut_again_and_again_is_what_was_saved() {
    let local = Worker::new(20, 2 * MS).reply("go").await.unwrap();
    for seed in 1..150_u32 {
        let worker = Worker::new(20, 2 * MS);
        let link = Link::serve(worker.clone());
        let saboteur = async {
            let mut random = seed.wrapping_mul(0x9E37_79B9);
            loop {
                for limit in [40, 70] {
                    random ^= random << 13;
                    random ^= random >> 17;
                    random ^= random << 5;
                    sleep((1 + random % limit) * MS).await;
                    if limit == 40 { link.cut() } else { link.mend() }
                }
            }
        };
        let msg = beside(saboteur, Seen::all(link.agent().reply("go").stream())).await.checked();
        assert_eq!(gist(&msg), gist(&local), "seed {seed}");
        assert_eq!(*worker.saved().await, msg, "seed {seed}");
    }
}

#[tokio::test(start_paused = true)]
async fn law_4_interrupting_at_any_millisecond_over_a_link_leaves_good_state() {
    for cut_for in [0, 1, 25] {
        let mut completed = 0;
        for at in 0..100 {
            let worker = Worker::new(20, MS);
            let link = Link::serve(worker.clone());
            let stop = Interrupt::new();
            let agent = link.agent();
            let seen = Seen::all(agent.reply("go").interrupt(&stop).stream());
            let interrupt = async {
                sleep(at * MS).await;
                if cut_for > 0 {
                    link.cut();
                }
                stop.trigger(Reason::User(Some("wrong city".into())));
                sleep(cut_for * MS).await;
                link.mend();
                std::future::pending().await
            };
            let msg = beside(interrupt, seen).await.checked();
            assert_eq!(*worker.saved().await, msg, "interrupted at {at} ms, cut for {cut_for} ms");
            match msg.finish {
                Some(Finish::Completed) => completed += 1,
                Some(Finish::Interrupted) => {
                    let open = msg.results().filter(|result| result.state == ToolState::Running).count();
                    assert_eq!(open, 0);
                }
                other => panic!("ended as {other:?}"),
            }
            assert_eq!(link.agent().reply("again").await.unwrap().finish, Some(Finish::Completed));
        }
        assert!((5..70).contains(&completed), "the sweep missed the reply: {completed} of 100 completed");
    }
}

#[tokio::test(start_paused = true)]
async fn law_4_dropping_the_stream_of_a_linked_reply_interrupts_it_on_the_host() {
    for cut_for in [0, 20] {
        let worker = Worker::new(100, MS);
        let link = Link::serve(worker.clone());
        let stream = link.agent().reply("go").stream().start();
        sleep(20 * MS).await;
        if cut_for > 0 {
            link.cut();
        }
        drop(stream);
        sleep(cut_for * MS).await;
        link.mend();
        sleep(100 * MS).await;
        assert_eq!(worker.mailbox.waiting(), 0);
        assert_eq!(worker.saved().await.finish, Some(Finish::Interrupted));
    }
}

#[tokio::test(start_paused = true)]
async fn law_4_a_detached_linked_reply_goes_on_when_its_stream_is_dropped() {
    let worker = Worker::new(10, MS);
    let link = Link::serve(worker.clone());
    drop(link.agent().reply("go").detached().stream().start());
    sleep(S).await;
    assert_eq!(worker.saved().await.finish, Some(Finish::Completed));
}

#[tokio::test(start_paused = true)]
async fn law_5_a_connection_lost_for_less_than_the_lease_is_no_interrupt() {
    let worker = Worker::new(4, S);
    let link = Link::serve(worker.clone());
    let agent = link.agent().lease(5 * S);
    let reply = agent.reply("go").start();
    for _ in 0..3 {
        sleep(S).await;
        link.cut();
        sleep(4500 * MS).await;
        assert_eq!(worker.mailbox.waiting(), 1, "the reply goes on");
        link.mend();
    }
    let msg = reply.await.unwrap();
    assert_eq!(msg.finish, Some(Finish::Completed));
    assert_eq!(worker.saved().await, msg);
}

#[tokio::test(start_paused = true)]
async fn law_5_a_connection_lost_for_longer_than_the_lease_is_an_interrupt_and_the_peer_is_told() {
    let worker = Worker::new(10, S);
    let link = Link::serve(worker.clone());
    let agent = link.agent().lease(5 * S);
    let reply = tokio::spawn(Seen::all(agent.reply("go").stream()));
    sleep(2500 * MS).await;
    link.cut();
    sleep(4900 * MS).await;
    assert_eq!(worker.mailbox.waiting(), 1, "a lost connection is no interrupt");
    sleep(200 * MS).await;
    assert_eq!(worker.mailbox.waiting(), 0, "the lease has run out");
    assert_eq!(worker.saved().await.finish, Some(Finish::Interrupted));
    sleep(5 * S).await;
    link.mend();
    let seen = reply.await.unwrap();
    worker::assert_strictly_increasing(&seen.events);
    let error = seen.reply.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.message().contains("longer than its lease"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn law_5_a_peer_whose_patience_ends_before_the_connection_is_back_fails_as_unavailable() {
    let worker = Worker::new(10, S);
    let link = Link::serve(worker.clone());
    let reply = link.agent().lease(5 * S).patience(3 * S).reply("go").start();
    sleep(S).await;
    link.cut();
    let began = Instant::now();
    let error = reply.await.unwrap_err();
    assert_eq!((error.kind(), began.elapsed().as_secs()), (ErrorKind::Unavailable, 3));
    sleep(3 * S).await;
    assert_eq!(worker.saved().await.finish, Some(Finish::Interrupted));
}

#[tokio::test(start_paused = true)]
async fn law_5_the_end_of_a_reply_is_kept_while_the_connection_is_lost() {
    let worker = Worker::new(3, MS);
    let link = Link::serve(worker.clone());
    let agent = link.agent();
    let reply = agent.reply("go").start();
    sleep(3 * MS).await;
    link.cut();
    sleep(30 * S).await;
    let saved = worker.saved().await;
    link.mend();
    assert_eq!(reply.await.unwrap(), saved);
}

#[tokio::test(start_paused = true)]
async fn law_5_a_request_whose_answer_is_lost_is_not_done_twice() {
    let worker = Worker::new(3, MS);
    let link = Link::serve(worker.clone());
    link.cut_after(0);
    let agent = link.agent();
    let msg = beside(mend_each_cut(&link, 10 * S), async { agent.reply("go").await }).await.unwrap();
    assert_eq!(*worker.saved().await, msg);
    assert_eq!(worker.mailbox.snapshot().await.unwrap().context.len(), 2, "one question, one answer");
}

#[tokio::test(start_paused = true)]
async fn law_7_a_reply_whose_end_was_seen_is_no_longer_kept_by_the_host() {
    let link = Link::serve(Worker::new(3, MS));
    let stream = link.agent().reply("go").stream();
    let call_id = stream.reply_id().clone();
    stream.await.unwrap();
    sleep(MS).await;
    let mut connection = link.connect().unwrap();
    let attach = format!(r#"{{"attach":{{"call_id":"{call_id}","after":null}}}}"#);
    assert!(connection.send(&attach).await);
    assert!(connection.recv().await.unwrap().contains("its end was acknowledged"));
}
