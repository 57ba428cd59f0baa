use super::{Agent, AgentCard, Audience, ReplyRequest};
use crate::{
    context::Context,
    error::Result,
    event::EventKind,
    id::Name,
    mailbox::{Mailbox, Opened, Queued},
    message::{Finish, Msg},
    stream::{EventSink, EventStream},
};
use futures_core::future::BoxFuture;
use std::{future::Future, pin::pin, sync::Arc, time::Duration};

/// How long a function that was interrupted may go on, to end by itself.
const GRACE: Duration = Duration::from_secs(2);

type Answer = dyn Fn(Vec<Arc<Msg>>, Context) -> BoxFuture<'static, Result<Msg>> + Send + Sync;

/// Your own agent: a function from what it heard since its last reply to what it says.
///
/// It streams, queues, can be interrupted and be passed on like any other. It remembers nothing; for that, hold a
/// [`Mailbox`].
///
/// ```
/// use agentscope_core::{AgentExt, Msg, agent_fn};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let shout = agent_fn("Shout", |msgs, _cx| async move {
///     let heard: Vec<_> = msgs.iter().map(|msg| msg.text().to_uppercase()).collect();
///     Ok(Msg::assistant("Shout", heard.join("! ")))
/// });
/// assert_eq!(shout.reply("hello").await?.text(), "HELLO");
/// # Ok(()) }
/// ```
pub fn agent_fn<F, Fut>(name: impl Into<Name>, answer: F) -> FnAgent
where
    F: Fn(Vec<Arc<Msg>>, Context) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Msg>> + Send + 'static,
{
    FnAgent {
        card: Arc::new(AgentCard::new(name)),
        mailbox: Mailbox::new(),
        answer: Arc::new(move |msgs, cx| Box::pin(answer(msgs, cx))),
    }
}

/// An agent made by [`agent_fn`]. Clones are the same agent.
///
/// ```
/// use agentscope_core::{Agent, Msg, agent_fn};
///
/// let echo = agent_fn("Echo", |msgs, _| async move { Ok(Msg::assistant("Echo", msgs[0].text())) });
/// assert_eq!(echo.describe("Says it again.").card().description, "Says it again.");
/// ```
#[derive(Clone)]
pub struct FnAgent {
    card: Arc<AgentCard>,
    mailbox: Mailbox,
    answer: Arc<Answer>,
}

impl FnAgent {
    /// The same, said to be for this.
    #[must_use]
    pub fn describe(mut self, description: impl Into<String>) -> Self {
        Arc::make_mut(&mut self.card).description = description.into();
        self
    }

    async fn drive(self, queued: Queued, cx: Context, sink: EventSink) -> Result<()> {
        let mut turn = match queued.open(&self.card.name, 0, &cx, sink).await? {
            Opened::Turn(turn) => turn,
            Opened::Aborted(turn) => return turn.end(Finish::Interrupted, None).await,
            Opened::Left => return Ok(()),
        };
        turn.forget_at_end();
        let heard = turn.heard();
        let answer = (self.answer)(heard, cx.clone());
        let result = within_grace(answer, &cx).await;
        match result {
            None => {}
            Some(Ok(msg)) => {
                for block in msg.content {
                    turn.emit(EventKind::Block { block });
                }
                if let Some(value) = msg.output {
                    turn.emit(EventKind::Output { value });
                }
                turn.set_metadata(msg.metadata);
            }
            Some(Err(error)) if !cx.interrupt().is_triggered() => {
                return turn.end(Finish::Failed((&error).into()), Some(error)).await;
            }
            Some(Err(_)) => {}
        }
        let (finish, error) = turn.finish_of(&cx, Finish::Completed);
        turn.end(finish, error).await
    }
}

/// The result of `work`, or `None` if it was interrupted and did not end by itself in the grace that it has.
async fn within_grace<T>(work: impl Future<Output = T>, cx: &Context) -> Option<T> {
    let mut work = pin!(work);
    tokio::select! {
        biased;
        result = &mut work => return Some(result),
        () = cx.interrupt().triggered() => {}
    }
    tokio::time::timeout(GRACE, work).await.ok()
}

impl Agent for FnAgent {
    fn card(&self) -> &AgentCard {
        &self.card
    }

    fn call(&self, req: ReplyRequest, cx: Context) -> EventStream {
        match cx.enter(&self.card.id, &self.mailbox.session()) {
            Err(error) => EventStream::fail(error),
            Ok(cx) => {
                let this = self.clone();
                EventStream::spawn(cx, move |sink, cx| {
                    let queued = this.mailbox.queue(req);
                    this.drive(queued, cx, sink)
                })
            }
        }
    }

    fn observe(&self, msgs: Vec<Arc<Msg>>) -> BoxFuture<'static, Result<()>> {
        self.mailbox.observe(msgs)
    }

    fn audience(&self) -> Option<Audience> {
        Some(self.mailbox.audience())
    }
}
