use super::*;
use crate::{
    agent::{Input, ReplyRequest},
    context::Context,
    event::EventKind,
    message::Finish,
    state::MemoryStore,
    stream::EventStream,
};
use async_trait::async_trait;
use futures_util::StreamExt;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64};

/// A reply by an agent that says nothing.
async fn reply(mailbox: &Mailbox, input: impl Into<Input>) -> Result<Msg> {
    events(mailbox, input).await
}

fn events(mailbox: &Mailbox, input: impl Into<Input>) -> EventStream {
    let (mailbox, req) = (mailbox.clone(), ReplyRequest::from(input.into()));
    let run = move |sink, cx: Context| async move {
        match mailbox.open(&"A".into(), req, 0, &cx, sink).await? {
            Opened::Turn(turn) | Opened::Aborted(turn) => turn.end(Finish::Completed, None).await,
            Opened::Left => Ok(()),
        }
    };
    EventStream::spawn(Context::new(), run)
}

/// A store that can be told to be away, to be another's, or to be slow.
#[derive(Default)]
struct Moody {
    inner: MemoryStore,
    away: AtomicU32,
    /// How long a commit takes, in milliseconds.
    slow: AtomicU64,
    /// The next commit is done, and its answer gets lost.
    forgets: AtomicBool,
}

#[async_trait]
impl StateStore for Moody {
    async fn load(&self, key: &SessionKey) -> Result<Option<crate::Stored>> {
        self.inner.load(key).await
    }
    async fn commit(&self, key: &SessionKey, expected: Version, changes: &[Change]) -> Result<Version> {
        tokio::time::sleep(Duration::from_millis(self.slow.load(Ordering::SeqCst))).await;
        if self.away.load(Ordering::SeqCst) > 0 {
            self.away.fetch_sub(1, Ordering::SeqCst);
            return Err(Error::new(ErrorKind::Unavailable, "the store is away"));
        }
        let done = self.inner.commit(key, expected, changes).await?;
        if self.forgets.swap(false, Ordering::SeqCst) {
            return Err(Error::new(ErrorKind::Unavailable, "the answer got lost"));
        }
        Ok(done)
    }
    async fn enqueue(&self, key: &SessionKey, msgs: &[Arc<Msg>]) -> Result<InboxSeq> {
        self.inner.enqueue(key, msgs).await
    }
    async fn list(&self, filter: &crate::SessionFilter) -> Result<Vec<SessionKey>> {
        self.inner.list(filter).await
    }
    async fn fork(&self, from: &SessionKey, to: &SessionKey) -> Result<()> {
        self.inner.fork(from, to).await
    }
    async fn rewind(&self, key: &SessionKey, to: Version) -> Result<Version> {
        self.inner.rewind(key, to).await
    }
    async fn delete(&self, key: &SessionKey) -> Result<bool> {
        self.inner.delete(key).await
    }
}

fn moody() -> (Arc<Moody>, Mailbox) {
    let store = Arc::new(Moody::default());
    (Arc::clone(&store), Mailbox::stored("s".into(), store))
}

async fn saved(store: &Moody) -> Vec<String> {
    let stored = store.load(&"s".into()).await.unwrap();
    stored.map(|it| it.state.messages().map(|msg| msg.text()).collect()).unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_for_a_moment_is_asked_again() {
    let (store, mailbox) = moody();
    store.away.store(2, Ordering::SeqCst);
    reply(&mailbox, "hi").await.unwrap();
    assert_eq!(saved(&store).await, ["hi", ""]);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_stays_away_ends_the_reply_and_what_it_missed_is_saved_before_the_next_one() {
    let (store, mailbox) = moody();
    store.away.store(8, Ordering::SeqCst); // all tries of the beginning and of the end
    let error = reply(&mailbox, "one").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(saved(&store).await, Vec::<String>::new());
    let state = mailbox.snapshot().await.unwrap();
    assert!(matches!(state.context[1].msg.finish, Some(Finish::Failed(_))), "{state:?}");
    reply(&mailbox, "two").await.unwrap();
    assert_eq!(saved(&store).await, ["one", "", "two", ""]);
    let stored = store.load(&"s".into()).await.unwrap().unwrap();
    assert_eq!(stored.state, mailbox.snapshot().await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn an_end_that_could_not_be_saved_is_told_as_failed_and_saved_as_it_was_told() {
    let (store, mailbox) = moody();
    let (goes, mine) = (Arc::clone(&store), mailbox.clone());
    let run = move |sink, cx: Context| async move {
        let req = ReplyRequest::from(Input::from("hi"));
        let Opened::Turn(turn) = mine.open(&"A".into(), req, 0, &cx, sink).await? else { return Ok(()) };
        goes.away.store(4, Ordering::SeqCst); // all tries of the end
        turn.end(Finish::Completed, None).await
    };
    let mut events = EventStream::spawn(Context::new(), run);
    let mut told = None;
    while let Some(event) = events.next().await {
        if let Ok(EventKind::ReplyEnd { finish, .. }) = event.map(|event| event.kind) {
            told = Some(finish);
        }
    }
    assert!(matches!(told, Some(Finish::Failed(_))), "{told:?}");
    reply(&mailbox, "and now?").await.unwrap();
    let stored = store.load(&"s".into()).await.unwrap().unwrap();
    assert_eq!(stored.state.context[1].msg.finish, told);
    assert_eq!(stored.state, mailbox.snapshot().await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_answer_is_not_waited_for_for_ever() {
    let (store, mailbox) = moody();
    store.slow.store(u64::MAX, Ordering::SeqCst);
    let reply = tokio::time::timeout(Duration::from_secs(120), reply(&mailbox, "hi")).await;
    assert_eq!(reply.unwrap().unwrap_err().kind(), ErrorKind::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn what_anybody_sees_of_an_end_is_saved_however_slow_the_store_is() {
    let (store, mailbox) = moody();
    store.slow.store(50, Ordering::SeqCst);
    let mut events = events(&mailbox, "hi").start();
    let read = async {
        while let Some(event) = events.next().await {
            if matches!(event.unwrap().kind, EventKind::ReplyEnd { .. }) {
                assert_eq!(saved(&store).await, ["hi", ""], "the end was seen before it was saved");
            }
        }
    };
    let look = async {
        tokio::task::yield_now().await; // the reply has its turn
        let state = mailbox.snapshot().await.unwrap();
        assert_eq!(state.context.len(), 2, "the reply is over");
        let stored = store.load(&"s".into()).await.unwrap().unwrap();
        assert_eq!(stored.state, state, "the conversation was given on before it was saved");
    };
    tokio::join!(read, look);
}

#[tokio::test(start_paused = true)]
async fn of_two_hosts_the_one_that_comes_late_gets_a_conflict_and_loads_again() {
    let (store, mine) = moody();
    let theirs = Mailbox::stored("s".into(), Arc::clone(&store) as Arc<dyn StateStore>);
    reply(&mine, "mine").await.unwrap();
    theirs.snapshot().await.unwrap();
    reply(&mine, "mine again").await.unwrap();
    let error = reply(&theirs, "theirs").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert_eq!(saved(&store).await, ["mine", "", "mine again", ""], "the loser wrote nothing");
    reply(&theirs, "theirs").await.unwrap();
    assert_eq!(saved(&store).await, ["mine", "", "mine again", "", "theirs", ""]);
}

#[tokio::test]
async fn what_is_heard_is_in_the_store_before_anybody_takes_it_and_is_taken_once() {
    let (store, mailbox) = moody();
    mailbox.observe(vec![Arc::new(Msg::user("psst"))]).await.unwrap();
    assert_eq!(store.load(&"s".into()).await.unwrap().unwrap().inbox.len(), 1);
    let heir = Mailbox::stored("s".into(), Arc::clone(&store) as Arc<dyn StateStore>);
    reply(&heir, "hi").await.unwrap();
    assert_eq!(saved(&store).await, ["psst", "hi", ""]);
    assert!(store.load(&"s".into()).await.unwrap().unwrap().inbox.is_empty());
    reply(&heir, ()).await.unwrap();
    assert_eq!(saved(&store).await, ["psst", "hi", "", ""]);
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_is_interrupted_in_the_queue_leaves_what_it_brought_in_the_inbox() {
    let mailbox = Mailbox::new();
    let running = mailbox.0.held.clone().lock_owned().await;
    let stop = crate::Interrupt::new();
    let (waiting, cx) = (mailbox.clone(), Context::new().with_interrupt(stop.clone()));
    let run = move |sink, cx: Context| async move {
        match waiting.open(&"A".into(), ReplyRequest::from(Input::from("me too")), 0, &cx, sink).await? {
            Opened::Left => Ok(()),
            _ => Err(Error::new(ErrorKind::Internal, "it was not its turn")),
        }
    };
    let queued = EventStream::spawn(cx, run).start();
    tokio::task::yield_now().await;
    stop.trigger(crate::Reason::User(None));
    assert_eq!(queued.await.unwrap().finish, Some(Finish::Interrupted));
    assert_eq!((mailbox.heard(), mailbox.waiting()), (1, 0));
    drop(running);
    reply(&mailbox, ()).await.unwrap();
    assert_eq!(mailbox.snapshot().await.unwrap().context[0].msg.text(), "me too");
}

#[tokio::test]
async fn what_another_handle_of_the_conversation_heard_is_not_passed_over() {
    let (store, mailbox) = moody();
    reply(&mailbox, "hi").await.unwrap(); // from now on the conversation is held here
    let other = Mailbox::stored("s".into(), Arc::clone(&store) as Arc<dyn StateStore>);
    other.observe(vec![Arc::new(Msg::user("one"))]).await.unwrap();
    mailbox.observe(vec![Arc::new(Msg::user("two"))]).await.unwrap();
    reply(&mailbox, "and?").await.unwrap();
    assert_eq!(saved(&store).await, ["hi", "", "one", "two", "and?", ""]);
}

#[tokio::test(start_paused = true)]
async fn a_commit_whose_answer_got_lost_is_no_conflict() {
    let (store, mailbox) = moody();
    for text in ["one", "two"] {
        store.forgets.store(true, Ordering::SeqCst);
        reply(&mailbox, text).await.unwrap();
    }
    assert_eq!(saved(&store).await, ["one", "", "two", ""]);
}

#[tokio::test]
async fn a_reply_that_another_host_took_over_does_not_say_that_it_waits() {
    let (store, mailbox) = moody();
    let other = Arc::clone(&store);
    let run = move |sink, cx: Context| async move {
        let req = ReplyRequest::from(Input::from("hi"));
        let Opened::Turn(turn) = mailbox.open(&"A".into(), req, 0, &cx, sink).await? else { return Ok(()) };
        reply(&Mailbox::stored("s".into(), other), "mine now").await?;
        turn.end(Finish::Waiting, None).await
    };
    let seen: Vec<_> = EventStream::spawn(Context::new(), run).collect().await;
    let [.., Ok(end), Err(error)] = seen.as_slice() else { panic!("{seen:?}") };
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(matches!(&end.kind, EventKind::ReplyEnd { finish: Finish::Failed(_), .. }), "{end:?}");
}

#[tokio::test]
async fn a_reply_has_the_role_that_it_was_queued_with_also_if_its_turn_never_comes() {
    let mailbox = Mailbox::new();
    let said = |cx: Context| {
        let queued = mailbox.queue(ReplyRequest::from(Input::from("hi"))).role(crate::Role::User);
        EventStream::spawn(cx, move |sink, cx| async move {
            match queued.open(&"Alice".into(), 0, &cx, sink).await? {
                Opened::Turn(turn) | Opened::Aborted(turn) => turn.end(Finish::Completed, None).await,
                Opened::Left => Ok(()),
            }
        })
    };
    assert_eq!(said(Context::new()).await.unwrap().role, crate::Role::User);
    assert_eq!(mailbox.snapshot().await.unwrap().context[1].msg.role, crate::Role::User);
    let busy = mailbox.0.held.lock().await;
    let left = Context::new();
    left.interrupt().trigger(crate::Reason::User(None));
    assert_eq!(said(left).await.unwrap().role, crate::Role::User);
    drop(busy);
}

/// Calls `each` with every order of `rest`, after `before`.
fn orders(before: &mut Vec<u64>, rest: &[u64], each: &mut impl FnMut(&[u64])) {
    if rest.is_empty() {
        each(before);
    }
    for at in 0..rest.len() {
        before.push(rest[at]);
        orders(before, &[&rest[..at], &rest[at + 1..]].concat(), each);
        before.pop();
    }
}

#[test]
fn what_is_heard_is_taken_once_and_in_order_however_the_store_gives_out_its_places() {
    let text = |place: u64| Arc::new(Msg::user(place.to_string()));
    for taken_at in 0..5 {
        orders(&mut Vec::new(), &[1, 2, 3, 4, 5], &mut |order| {
            let (mut inbox, mut heard) = (Inbox::default(), Vec::new());
            let mut take = |inbox: &mut Inbox| {
                if let Some((upto, msgs)) = inbox.take() {
                    heard.extend(msgs.iter().map(|(_, msg)| msg.text()));
                    assert_eq!(upto.0, heard.len() as u64, "{order:?}");
                }
            };
            for (at, place) in order.iter().enumerate() {
                inbox.add(vec![text(*place)], InboxSeq(*place));
                inbox.add(vec![text(*place)], InboxSeq(*place)); // told by the store, too
                if at >= taken_at {
                    take(&mut inbox);
                }
            }
            take(&mut inbox);
            assert_eq!(heard, ["1", "2", "3", "4", "5"], "{order:?}");
            assert!(!inbox.has_gap() && inbox.msgs.is_empty());
            let back = inbox.put_back(vec![text(4), text(5)]);
            inbox.add(vec![text(6)], InboxSeq(6));
            assert_eq!((back, inbox.take().unwrap().1.len()), (InboxSeq(3), 3));
        });
    }
}
