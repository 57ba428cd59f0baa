//! Agents that tell their audience something else than what they say.

use agentscope_core::{
    Agent, AgentCard, Audience, BoxFuture, ContentBlock, Context, Error, ErrorKind, EventKind, EventStream,
    Finish, Msg, ReplyRequest, Result, Role,
    testing::conformance::{Subject, agent},
};
use std::sync::Arc;

/// How an agent tells what it says.
#[derive(Clone, Copy, PartialEq)]
enum Tells {
    Well,
    Late,
    Twice,
    Nothing,
    Thoughts,
    Failures,
}

/// Thinks, then speaks; without a mailbox.
#[derive(Clone)]
struct Teller {
    card: AgentCard,
    audience: Audience,
    tells: Tells,
}

impl Agent for Teller {
    fn card(&self) -> &AgentCard {
        &self.card
    }

    fn call(&self, req: ReplyRequest, cx: Context) -> EventStream {
        let Self { audience, tells, .. } = self.clone();
        let cx = match cx.enter(&self.card.id, &"".into()) {
            Err(error) => return EventStream::fail(error),
            Ok(cx) => cx,
        };
        EventStream::spawn(cx, move |mut sink, cx| async move {
            req.resolve().await?;
            let mut msg = Arc::new(Msg::new("Teller", Role::Assistant, vec![]));
            Arc::make_mut(&mut msg).id = sink.reply_id().clone();
            sink.emit(
                &mut msg,
                EventKind::ReplyStart {
                    name: "Teller".into(),
                    role: Role::Assistant,
                    timestamp: agentscope_core::Timestamp::now(),
                    max_iters: 0,
                    output_schema: None,
                },
            );
            sink.emit(&mut msg, EventKind::Block { block: ContentBlock::thinking("secret") });
            sink.emit(&mut msg, EventKind::Block { block: "Hello.".into() });
            tokio::task::yield_now().await;
            let (finish, error) = match cx.interrupt().reason() {
                None => (Finish::Completed, None),
                Some(agentscope_core::Reason::Deadline) => {
                    let error = Error::new(ErrorKind::Timeout, "too late");
                    (Finish::Failed((&error).into()), Some(error))
                }
                Some(_) => (Finish::Interrupted, None),
            };
            let mut told = (*msg).clone();
            if tells == Tells::Thoughts {
                told.content = vec!["secret".into(), "Hello.".into()];
            }
            let times = match tells {
                Tells::Late | Tells::Nothing => 0,
                _ if error.is_some() && tells != Tells::Failures => 0,
                Tells::Twice => 2,
                _ => 1,
            };
            for _ in 0..times {
                audience.tell(&told).await;
            }
            sink.end(msg, EventKind::ReplyEnd { finish, metadata: Default::default() });
            if tells == Tells::Late {
                tokio::task::yield_now().await;
                audience.tell(&told).await;
            }
            error.map_or(Ok(()), Err)
        })
    }

    fn observe(&self, _: Vec<Arc<Msg>>) -> BoxFuture<'static, Result<()>> {
        Box::pin(async { Ok(()) })
    }

    fn audience(&self) -> Option<Audience> {
        Some(self.audience.clone())
    }
}

async fn teller(tells: Tells) {
    agent(|| Subject::new(Teller { card: AgentCard::new("Teller"), audience: Audience::new(), tells })).await;
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_tells_its_audience_what_it_says_passes() {
    teller(Tells::Well).await;
}

macro_rules! planted {
    ($($name:ident: $tells:expr => $law:literal;)*) => {$(
        #[tokio::test(start_paused = true)]
        #[should_panic(expected = $law)]
        async fn $name() {
            teller($tells).await;
        }
    )*};
}

planted! {
    an_agent_that_tells_after_its_end: Tells::Late => "before the reply is seen to end";
    an_agent_that_tells_twice: Tells::Twice => "told each reply once";
    an_agent_that_tells_nothing: Tells::Nothing => "told each reply";
    an_agent_that_tells_what_it_thinks: Tells::Thoughts => "what is spoken and no more";
    an_agent_that_tells_of_failures: Tells::Failures => "that failed, waits or says nothing";
}
