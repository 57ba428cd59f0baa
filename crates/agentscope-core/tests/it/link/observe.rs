use super::worker::{MS, Worker, beside, mend_each_cut};
use agentscope_core::{
    Agent, AgentCard, AgentExt, BoxFuture, Context, Error, ErrorKind, EventStream, Msg, ReplyRequest, Result,
    testing::Link,
};
use std::{sync::Arc, time::Duration};
use tokio::time::sleep;

/// Takes its time to hear.
struct Slow(Worker, Duration);

impl Agent for Slow {
    fn card(&self) -> &AgentCard {
        self.0.card()
    }
    fn call(&self, req: ReplyRequest, cx: Context) -> EventStream {
        self.0.call(req, cx)
    }
    fn observe(&self, msgs: Vec<Arc<Msg>>) -> BoxFuture<'static, Result<()>> {
        let (worker, time) = (self.0.clone(), self.1);
        Box::pin(async move {
            sleep(time).await;
            if msgs.iter().any(|msg| msg.text() == "boo") {
                return Err(Error::new(ErrorKind::Exhausted, "the inbox is full"));
            }
            worker.observe(msgs).await
        })
    }
}

#[tokio::test(start_paused = true)]
async fn law_5_what_is_told_over_a_link_that_is_cut_is_heard_exactly_once() {
    for cut_at in 0..30 {
        let worker = Worker::new(1, MS);
        let link = Link::serve(Slow(worker.clone(), 20 * MS));
        let agent = link.agent();
        let tell = async {
            for words in ["one", "two"] {
                agent.observe(vec![Arc::new(Msg::user(words))]).await.unwrap();
            }
        };
        let cut = async {
            sleep(cut_at * MS).await;
            link.cut();
            mend_each_cut(&link, 3 * MS).await;
        };
        beside(cut, tell).await;
        assert_eq!(worker.mailbox.heard(), 2, "cut at {cut_at} ms");
        worker.reply(()).await.unwrap();
        let state = worker.mailbox.snapshot().await.unwrap();
        let heard: Vec<_> = state.messages().take(2).map(|msg| msg.text()).collect();
        assert_eq!(heard, ["one", "two"], "cut at {cut_at} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn law_5_what_is_told_is_heard_once_if_only_the_answer_is_lost() {
    let worker = Worker::new(1, MS);
    let link = Link::serve(worker.clone());
    link.cut_after(0);
    let agent = link.agent();
    let msg = Arc::new(Msg::user("psst"));
    beside(mend_each_cut(&link, MS), agent.observe(vec![Arc::clone(&msg)])).await.unwrap();
    assert_eq!(worker.mailbox.heard(), 1);
    agent.observe(vec![msg]).await.unwrap();
    assert_eq!(worker.mailbox.heard(), 2, "who is told twice hears twice, as without a link");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_heard_is_an_error_at_the_peer() {
    let link = Link::serve(Slow(Worker::new(1, MS), MS));
    let error = link.agent().observe(vec![Arc::new(Msg::user("boo"))]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Exhausted);
    link.cut();
    let error = link.agent().observe(vec![Arc::new(Msg::user("hello"))]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}
