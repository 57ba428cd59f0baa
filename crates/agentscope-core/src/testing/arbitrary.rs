//! What the laws of folds are tried on: one event of each kind, any events at all, and replies as an agent makes them.

use crate::{
    error::Failure,
    event::{Event, EventKind},
    id::{CallId, ReplyId},
    message::{
        CallState, ContentBlock, Finish, Map, Media, Msg, Role, ToolCall, ToolResult, ToolState, Usage,
    },
    model::FinishReason,
    state::{AgentState, SessionKey},
    step::Step,
    timestamp::Timestamp,
};
use proptest::{collection::vec, prelude::*};
use serde_json::json;
use std::sync::Arc;

pub(crate) const REPLY: &str = "r1";

pub(crate) fn event(seq: u64, kind: EventKind) -> Event {
    Event { reply_id: ReplyId::from(REPLY), epoch: 0, seq, kind }
}

pub(crate) fn reply_start() -> EventKind {
    EventKind::ReplyStart {
        name: "Friday".into(),
        role: Role::Assistant,
        timestamp: Timestamp::from_unix_millis(1_700_000_000_000),
        max_iters: 4,
        output_schema: None,
    }
}

/// One event of each kind, in the order of their declaration.
pub(crate) fn one_of_each() -> Vec<EventKind> {
    let mut call = ToolCall::new("c1", "weather", r#"{"city": "Oslo"}"#);
    call.state = CallState::Asking;
    call.extra.set("thought_signature", "c2ln");
    let heard = Msg::user("stop").named("Alice").url("cat.png");
    vec![
        EventKind::ReplyStart {
            name: "Alice".into(),
            role: Role::User,
            timestamp: Timestamp::now(),
            max_iters: 3,
            output_schema: Some(Arc::new(json!({"type": "object", "required": ["b", "a"]}))),
        },
        EventKind::Resumed { msg: Arc::new(Msg::assistant("Friday", "so far")), dropped: 2 },
        EventKind::ModelStart { model: "qwen3".into() },
        EventKind::ModelEnd { usage: Some(Usage::new(7, u64::MAX)), finish_reason: FinishReason::Length },
        EventKind::TextDelta { block: 0, delta: "Hel\"lo\n".into() },
        EventKind::ThinkingDelta { block: u32::MAX, delta: "hm".into() },
        EventKind::MediaDelta { block: 1, media_type: "audio/wav".into(), delta: "AAAA".into() },
        EventKind::Extra { block: 0, key: "signature".into(), value: json!({"a": [null, 1.5]}) },
        EventKind::ToolCallDelta { block: 1, id: "c1".into(), name: "weather".into(), delta: "{".into() },
        EventKind::ToolCall(call.clone()),
        EventKind::ToolCallState {
            id: "c1".into(),
            state: CallState::Other("paused".into()),
            input: Some("{}".into()),
        },
        EventKind::ToolResultDelta { id: "c1".into(), name: "weather".into(), delta: vec!["sun".into()] },
        EventKind::ToolResult(ToolResult::new("c1", "weather", ToolState::Denied, vec!["no".into()])),
        EventKind::Block { block: Media::base64("image/png", "AAAA").into() },
        EventKind::Slot { call_id: "c1".into(), key: "plan".into(), value: json!(null) },
        EventKind::Hint { text: "the plan is ..".into() },
        EventKind::Heard { msg: Arc::new(heard) },
        EventKind::Inner {
            agent: "a1".into(),
            name: "Writer".into(),
            call_id: "c1".into(),
            event: Box::new(event(3, EventKind::TextDelta { block: 0, delta: "x".into() })),
        },
        EventKind::RequireConfirm { calls: vec![call.clone()] },
        EventKind::RequireExternal { calls: vec![call] },
        EventKind::Output { value: json!({"answer": 391}) },
        EventKind::Rewind { to_seq: 9 },
        EventKind::ReplyEnd {
            finish: Finish::Failed(Box::new(failure())),
            metadata: Box::new(Map::from_iter([("k".into(), json!(1))])),
        },
        EventKind::Custom { name: "progress".into(), value: json!(0.5) },
        EventKind::Other(json!({"type": "HOLOGRAM", "depth": 3})),
    ]
}

fn failure() -> Failure {
    (&crate::Error::new(crate::ErrorKind::RateLimited, "wait")
        .with_retry_after(std::time::Duration::from_millis(20))
        .with_source("too many requests"))
        .into()
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![3 => "[a-c]{0,3}", 1 => any::<String>()]
}

fn call_id() -> impl Strategy<Value = CallId> {
    "[a-c]".prop_map(CallId::from)
}

fn output() -> impl Strategy<Value = Vec<ContentBlock>> {
    let with_extra = text().prop_map(|text| {
        let mut block = ContentBlock::text(text);
        if let Some(extra) = block.extra_mut() {
            extra.set("cited", true);
        }
        block
    });
    let image = Just(ContentBlock::from(Media::base64("image/png", "AAAA")));
    vec(prop_oneof![4 => text().prop_map(ContentBlock::text), 1 => with_extra, 1 => image], 0..3)
}

fn call_state() -> impl Strategy<Value = CallState> {
    prop_oneof![
        Just(CallState::Pending),
        Just(CallState::Asking),
        Just(CallState::Allowed),
        Just(CallState::Started),
        Just(CallState::Submitted),
        Just(CallState::Other("paused".into())),
    ]
}

fn tool_state() -> impl Strategy<Value = ToolState> {
    prop_oneof![
        Just(ToolState::Success),
        Just(ToolState::Error),
        Just(ToolState::Running),
        Just(ToolState::Other("lost".into()))
    ]
}

/// Any event, whether it makes sense or not; deltas are frequent and name few blocks, so that they meet.
fn any_kind() -> impl Strategy<Value = EventKind> {
    let block = 0..4_u32;
    prop_oneof![
        4 => (block.clone(), text()).prop_map(|(block, delta)| EventKind::TextDelta { block, delta }),
        4 => (block.clone(), text()).prop_map(|(block, delta)| EventKind::ThinkingDelta { block, delta }),
        2 => (block.clone(), "audio/wav|image/png", "(AAAA)?").prop_map(|(block, media_type, delta)| {
            EventKind::MediaDelta { block, media_type, delta }
        }),
        4 => (block, call_id(), text()).prop_map(|(block, id, delta)| {
            EventKind::ToolCallDelta { block, id, name: "f".into(), delta }
        }),
        4 => (call_id(), output()).prop_map(|(id, delta)| {
            EventKind::ToolResultDelta { id, name: "f".into(), delta }
        }),
        1 => (call_id(), output(), tool_state()).prop_map(|(id, output, state)| {
            EventKind::ToolResult(ToolResult::new(id, "f", state, output))
        }),
        1 => (call_id(), call_state(), proptest::option::of(text())).prop_map(|(id, state, input)| {
            EventKind::ToolCallState { id, state, input }
        }),
        1 => (call_id(), 0..9_u64).prop_map(|(call_id, value)| {
            EventKind::Slot { call_id, key: "plan".into(), value: value.into() }
        }),
        1 => (0..40_u64).prop_map(|to_seq| EventKind::Rewind { to_seq }),
        2 => proptest::sample::select(one_of_each()),
    ]
}

/// Any events, numbered from 0.
pub(crate) fn any_events() -> impl Strategy<Value = Vec<Event>> {
    vec(any_kind(), 0..40).prop_map(|kinds| (0..).zip(kinds).map(|(seq, kind)| event(seq, kind)).collect())
}

/// A reply as an agent makes it, up to some point.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    pub(crate) events: Vec<Event>,
    /// After which events a step ended, so that what came before was committed.
    pub(crate) commits: Vec<usize>,
}

/// Replies as an agent makes them: thoughts, words, media, calls that are asked about, denied, edited, submitted, run side by
/// side with output and slots, and things heard in between.
pub(crate) fn any_reply() -> impl Strategy<Value = Written> {
    vec(any::<u8>(), 1..160).prop_map(|dice| Author::new(dice).write())
}

struct Author {
    dice: std::vec::IntoIter<u8>,
    state: AgentState,
    events: Vec<Event>,
    commits: Vec<usize>,
    calls: u32,
}

impl Author {
    fn new(dice: Vec<u8>) -> Self {
        let state = AgentState::new(SessionKey::new("s"));
        Self { dice: dice.into_iter(), state, events: Vec::new(), commits: Vec::new(), calls: 0 }
    }

    fn roll(&mut self, sides: u8) -> u8 {
        self.dice.next().map_or(0, |die| die % sides)
    }

    fn emit(&mut self, kind: EventKind) {
        let event = event(self.events.len() as u64, kind);
        self.state.apply_event(&event);
        self.events.push(event);
    }

    fn commit(&mut self) {
        self.commits.push(self.events.len() - 1);
    }

    fn write(mut self) -> Written {
        self.emit(reply_start());
        self.commit();
        while self.dice.len() > 0 {
            match Step::of(&self.state) {
                Step::Reason => self.reason(),
                Step::Check(calls) => calls.into_iter().for_each(|call| self.decide(call, false)),
                Step::Wait(calls) => calls.into_iter().for_each(|call| self.decide(call, true)),
                Step::Act(calls) | Step::Recover(calls) => self.act(calls),
                Step::End(_) => {
                    self.emit(EventKind::Output { value: json!({"n": self.events.len()}) });
                    break;
                }
            }
        }
        Written { events: self.events, commits: self.commits }
    }

    fn reason(&mut self) {
        self.emit(EventKind::ModelStart { model: "m".into() });
        for _ in 0..self.roll(4) {
            let block = self.state.open.as_ref().map_or(0, |open| open.msg.content.len()) as u32;
            let kind = self.roll(6);
            self.calls += u32::from(kind > 2);
            let id = CallId::from(format!("c{}", self.calls));
            for n in 0..=self.roll(3) {
                let delta = format!("{n}");
                self.emit(match kind {
                    0 => EventKind::TextDelta { block, delta },
                    1 => EventKind::ThinkingDelta { block, delta },
                    2 => {
                        EventKind::MediaDelta { block, media_type: "audio/wav".into(), delta: "AAAA".into() }
                    }
                    _ => EventKind::ToolCallDelta { block, id: id.clone(), name: "f".into(), delta },
                });
            }
            if self.roll(3) == 0 {
                self.emit(EventKind::Extra { block, key: "signature".into(), value: json!(block) });
            }
        }
        let usage = (self.roll(2) == 0).then(|| Usage::new(3, 4));
        self.emit(EventKind::ModelEnd { usage, finish_reason: FinishReason::Stop });
        self.commit();
    }

    fn decide(&mut self, call: ToolCall, waited: bool) {
        let state = match self.roll(if waited { 3 } else { 5 }) {
            0 => CallState::Allowed,
            1 => {
                let denied = ToolResult::new(call.id, call.name, ToolState::Denied, vec!["no".into()]);
                self.emit(EventKind::ToolResult(denied));
                return self.commit();
            }
            2 => {
                let input = Some(format!("edited {}", self.events.len()));
                self.emit(EventKind::ToolCallState { id: call.id, state: CallState::Allowed, input });
                return self.commit();
            }
            3 => CallState::Submitted,
            _ => CallState::Asking,
        };
        self.emit(EventKind::ToolCallState { id: call.id, state, input: None });
        self.commit();
    }

    fn act(&mut self, mut calls: Vec<ToolCall>) {
        for call in &calls {
            self.emit(EventKind::ToolCallState {
                id: call.id.clone(),
                state: CallState::Started,
                input: None,
            });
        }
        self.commit();
        while !calls.is_empty() && self.dice.len() > 0 {
            let at = usize::from(self.roll(calls.len() as u8));
            let ToolCall { id, name, .. } = calls[at].clone();
            let n = self.events.len();
            match self.roll(7) {
                0 => {
                    let state = if n.is_multiple_of(3) { ToolState::Error } else { ToolState::Success };
                    self.emit(EventKind::ToolResult(ToolResult::new(id, name, state, vec!["end".into()])));
                    self.commit();
                    calls.remove(at);
                }
                1 => self.emit(EventKind::Slot { call_id: id, key: name, value: json!(n) }),
                2 => self.emit(EventKind::Heard { msg: Arc::new(Msg::user(format!("{n}"))) }),
                3 => self.emit(EventKind::Custom { name, value: json!(n) }),
                _ => {
                    let delta = vec![ContentBlock::text(format!("{n} "))];
                    self.emit(EventKind::ToolResultDelta { id, name, delta });
                }
            }
        }
    }
}
