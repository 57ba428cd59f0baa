//! An agent with a conversation that does a bit of everything, and what its tests have in common.

use agentscope_core::{
    Agent, AgentCard, BoxFuture, CallState, ContentBlock, Context, Event, EventKind, EventSink, EventStream,
    Finish, FinishReason, Mailbox, Msg, Opened, ReplyRequest, Result, ToolCall, ToolResult, Turn, Usage,
    testing::Link,
};
use serde_json::json;
use std::{sync::Arc, time::Duration};

pub(super) const MS: Duration = Duration::from_millis(1);

/// Thinks, speaks, calls a tool, hears its output and speaks again; waits `pause` before each of its `words` of a kind.
#[derive(Clone)]
pub(super) struct Worker {
    card: Arc<AgentCard>,
    pub(super) mailbox: Mailbox,
    words: usize,
    pause: Duration,
}

impl Worker {
    pub(super) fn new(words: usize, pause: Duration) -> Self {
        Self { card: Arc::new(AgentCard::new("Worker")), mailbox: Mailbox::new(), words, pause }
    }

    /// What it kept of its last reply.
    pub(super) async fn saved(&self) -> Arc<Msg> {
        let state = self.mailbox.snapshot().await.unwrap();
        assert!(state.is_well_formed(), "law 6 does not hold: {state:?}");
        assert!(state.open.is_none(), "a reply is still open: {state:?}");
        let saved = state.messages().next_back().cloned();
        saved.unwrap()
    }

    async fn drive(self, req: ReplyRequest, cx: Context, sink: EventSink) -> Result<()> {
        let mut turn = match self.mailbox.open(&self.card.name, req, 0, &cx, sink).await? {
            Opened::Turn(turn) => turn,
            Opened::Aborted(turn) => return turn.end(Finish::Interrupted, None).await,
            Opened::Left => return Ok(()),
        };
        let _ = self.work(&mut turn, &cx).await;
        let (finish, error) = turn.finish_of(&cx, Finish::Completed);
        turn.end(finish, error).await
    }

    /// `None` if it was interrupted.
    async fn work(&self, turn: &mut Turn, cx: &Context) -> Option<()> {
        turn.emit(EventKind::ModelStart { model: "none".into() });
        for word in 0..self.words {
            self.pause(cx).await?;
            turn.emit(EventKind::ThinkingDelta { block: 0, delta: format!("hm {word} ") });
        }
        for word in 0..self.words {
            self.pause(cx).await?;
            turn.emit(EventKind::TextDelta { block: 1, delta: format!("let me see {word} ") });
        }
        for (block, id) in [(2, "c1"), (3, "c2")] {
            for delta in ["{\"city\":", "\"Oslo\"}"] {
                self.pause(cx).await?;
                let (id, name, delta) = (id.into(), "weather".into(), delta.to_owned());
                turn.emit(EventKind::ToolCallDelta { block, id, name, delta });
            }
        }
        let (usage, finish_reason) = (Some(Usage::new(10, 5)), FinishReason::Stop);
        turn.emit(EventKind::ModelEnd { usage, finish_reason });
        for id in ["c1", "c2"] {
            let started = EventKind::ToolCallState { id: id.into(), state: CallState::Started, input: None };
            turn.emit(started);
        }
        for word in 0..self.words {
            self.pause(cx).await?;
            turn.emit(EventKind::Custom { name: "progress".into(), value: json!({"at": word}) });
            let (id, name) = ("c2".into(), "weather".into());
            let delta = vec![ContentBlock::text(format!("sun {word} "))];
            turn.emit(EventKind::ToolResultDelta { id, name, delta });
        }
        for id in ["c2", "c1"] {
            self.pause(cx).await?;
            turn.emit(EventKind::ToolResult(ToolResult::success(id, "weather", "sunny")));
        }
        for word in 0..self.words {
            self.pause(cx).await?;
            turn.emit(EventKind::TextDelta { block: 6, delta: format!("it is sunny {word} ") });
        }
        Some(())
    }

    async fn pause(&self, cx: &Context) -> Option<()> {
        tokio::select! {
            biased;
            () = cx.interrupt().triggered() => None,
            () = tokio::time::sleep(self.pause) => Some(()),
        }
    }
}

impl Agent for Worker {
    fn card(&self) -> &AgentCard {
        &self.card
    }

    fn call(&self, req: ReplyRequest, cx: Context) -> EventStream {
        let cx = match cx.enter(&self.card.id, &self.mailbox.session()) {
            Ok(cx) => cx,
            Err(error) => return EventStream::fail(error),
        };
        let this = self.clone();
        EventStream::spawn(cx, move |sink, cx| this.drive(req, cx, sink))
    }

    fn observe(&self, msgs: Vec<Arc<Msg>>) -> BoxFuture<'static, Result<()>> {
        self.mailbox.observe(msgs)
    }
}

/// An event of each kind there is.
pub(super) fn one_of_each_kind() -> Vec<EventKind> {
    let call = ToolCall::new("c1", "weather", r#"{"city": "Os"#);
    let msg = Arc::new(Msg::user("psst").with(call.clone()).url("cat.png"));
    let inner =
        Event { reply_id: "r2".into(), epoch: 1, seq: 2, kind: EventKind::Hint { text: "hint".into() } };
    serde_json::from_value::<Vec<EventKind>>(json!([
        {"type": "REPLY_START", "name": "A", "timestamp": "2026-11-20T07:41:54.120Z", "max_iters": 3,
         "output_schema": {"type": "object"}},
        {"type": "RESUMED", "msg": {"name": "A", "role": "assistant", "content": "hi", "future": [1]}, "dropped": 2},
        {"type": "MODEL_END", "usage": null, "finish_reason": "from_the_future"},
        {"type": "FROM_THE_FUTURE", "depth": 3},
    ]))
    .unwrap()
    .into_iter()
    .chain([
        EventKind::ModelStart { model: "m".into() },
        EventKind::ModelEnd { usage: Some(Usage::new(u64::MAX, 1)), finish_reason: FinishReason::Length },
        EventKind::TextDelta { block: 0, delta: "\u{1F600}\n\"\\".into() },
        EventKind::ThinkingDelta { block: 1, delta: String::new() },
        EventKind::MediaDelta { block: 1, media_type: "audio/wav".into(), delta: "AAAA".into() },
        EventKind::Extra { block: 1, key: "signature".into(), value: json!([0.1, null]) },
        EventKind::ToolCallDelta { block: 2, id: "c".into(), name: "t".into(), delta: "{".into() },
        EventKind::ToolCall(call.clone()),
        EventKind::ToolCallState { id: "c".into(), state: CallState::Asking, input: Some("{}".into()) },
        EventKind::ToolResultDelta { id: "c".into(), name: "t".into(), delta: vec!["out".into()] },
        EventKind::ToolResult(ToolResult::success("c", "t", "out")),
        EventKind::Block { block: ContentBlock::Heard(Arc::clone(&msg)) },
        EventKind::Slot { call_id: "c".into(), key: "k".into(), value: json!(null) },
        EventKind::Hint { text: "h".into() },
        EventKind::Heard { msg },
        EventKind::Inner { agent: "a".into(), name: "A".into(), call_id: "c".into(), event: Box::new(inner) },
        EventKind::RequireConfirm { calls: vec![call.clone()] },
        EventKind::RequireExternal { calls: vec![call] },
        EventKind::Output { value: json!({"id": u64::MAX, "x": 1.5e300}) },
        EventKind::Rewind { to_seq: 3 },
        EventKind::ReplyEnd {
            finish: Finish::Failed((&agentscope_core::Error::new(agentscope_core::ErrorKind::Tool, "no")).into()),
            metadata: json!({"a": 1}).as_object().cloned().unwrap(),
        },
        EventKind::Custom { name: "c".into(), value: json!("v") },
    ])
    .collect()
}

/// What a reader saw, and what the reply came to.
pub(super) struct Seen {
    pub(super) events: Vec<Event>,
    pub(super) reply: Result<Msg>,
}

impl Seen {
    pub(super) async fn all(mut stream: EventStream) -> Self {
        let mut events = Vec::new();
        while let Some(item) = stream.next().await {
            match item {
                Ok(event) => events.push(event),
                Err(error) => return Self { events, reply: Err(error) },
            }
        }
        Self { events, reply: stream.await }
    }

    /// The message, if each event came once, in order, and the events say the same as the message.
    pub(super) fn checked(self) -> Msg {
        assert_strictly_increasing(&self.events);
        let reply = self.reply.unwrap();
        assert_eq!(fold(&self.events), reply, "a message is the fold of its events");
        reply
    }
}

pub(super) fn assert_strictly_increasing(events: &[Event]) {
    assert!(
        events.is_sorted_by(|a, b| (a.epoch, a.seq) < (b.epoch, b.seq)),
        "an event came twice or out of order: {events:?}"
    );
}

pub(super) fn fold(events: &[Event]) -> Msg {
    let mut msg = Msg::assistant("", "");
    msg.content.clear();
    events.iter().for_each(|event| msg.apply(event));
    msg
}

/// What is the same of two replies that say the same.
pub(super) fn gist(msg: &Msg) -> serde_json::Value {
    let mut json = serde_json::to_value(msg).unwrap();
    for own in ["id", "timestamp"] {
        json.as_object_mut().unwrap().remove(own);
    }
    json
}

/// The kinds of the events with deltas joined as far as they can be, which a reader cannot count on either way.
pub(super) fn joined(events: &[Event]) -> Vec<serde_json::Value> {
    let mut joined: Vec<Event> = Vec::new();
    for event in events.iter().cloned() {
        let rest = match joined.last_mut() {
            Some(last) => last.join(event).err(),
            None => Some(event),
        };
        joined.extend(rest);
    }
    let plain = |event: Event| {
        let mut json = serde_json::to_value(&event).unwrap();
        for own in ["reply_id", "timestamp"] {
            json.as_object_mut().unwrap().remove(own);
        }
        json
    };
    joined.into_iter().map(plain).collect()
}

/// Mends the link `after` so long, whenever it is cut.
pub(super) async fn mend_each_cut(link: &Link, after: Duration) {
    loop {
        tokio::time::sleep(MS).await;
        if link.is_cut() {
            tokio::time::sleep(after).await;
            link.mend();
        }
    }
}

/// What `work` gives, while `beside` goes on.
pub(super) async fn beside<T>(beside: impl Future<Output = ()>, work: impl Future<Output = T>) -> T {
    tokio::select! {
        () = beside => panic!("it ended first"),
        done = work => done,
    }
}
