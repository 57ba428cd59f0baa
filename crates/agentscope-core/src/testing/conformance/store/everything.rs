use crate::{
    event::{Event, EventKind},
    id::Name,
    message::{
        CallState, ContentBlock, Finish, Map, Media, Msg, Role, ToolCall, ToolResult, ToolState, Usage,
    },
    model::FinishReason,
    state::{Change, InboxSeq},
    timestamp::Timestamp,
};
use serde_json::json;
use std::sync::Arc;

/// A conversation in which everything happens that can, cut into commits.
pub(super) fn everything() -> Vec<Vec<Change>> {
    let mut heard = Msg::user("hi \u{1F600} \"quoted\"\n\0 line").named("Alice").url("cat.png");
    heard.metadata.insert("big".into(), json!(u64::MAX));
    let id = heard.id.clone();
    let mut call = ToolCall::new("c1", "weather", r#"{"city": "Os"#);
    call.extra.set("thought_signature", json!({"b": 1, "a": [null, true, 1.5]}));
    let mut seq = 0;
    let mut event = |kind| {
        let event = Event { reply_id: "r1".into(), epoch: 0, seq, kind };
        seq += 1;
        Change::Event { event }
    };
    let state = |state, input| EventKind::ToolCallState { id: "c1".into(), state, input };
    let name = Name::from("weather");
    let output = |text: &str| vec![ContentBlock::text(text), Media::base64("image/png", "AAAA").into()];
    let result = ToolResult::new("c1", "weather", ToolState::Success, output("sunny"));
    let inner = Event { reply_id: "r9".into(), epoch: 2, seq: 7, kind: EventKind::Hint { text: "x".into() } };
    vec![
        vec![Change::message(heard), Change::Taken { upto: InboxSeq(0) }],
        vec![event(EventKind::ReplyStart {
            name: "Alice".into(),
            role: Role::User,
            timestamp: Timestamp::now(),
            max_iters: 10,
            output_schema: Some(Arc::new(json!({"type": "object", "properties": {"z": {}, "a": {}}}))),
        })],
        vec![
            event(EventKind::ModelStart { model: "m".into() }),
            event(EventKind::ThinkingDelta { block: 0, delta: "hm".into() }),
            event(EventKind::Extra { block: 0, key: "signature".into(), value: json!("c2ln") }),
            event(EventKind::TextDelta { block: 1, delta: "let me".into() }),
            event(EventKind::MediaDelta { block: 2, media_type: "audio/wav".into(), delta: "AAAA".into() }),
            event(EventKind::ToolCall(call)),
            event(EventKind::ToolCallDelta { block: 4, id: "c2".into(), name, delta: "{}".into() }),
            event(EventKind::ModelEnd {
                usage: Some(Usage::new(10, 5)),
                finish_reason: FinishReason::Other("odd".into()),
            }),
        ],
        vec![event(EventKind::RequireConfirm { calls: Vec::new() }), event(state(CallState::Asking, None))],
        vec![Change::Reopen { reply_id: "r1".into(), epoch: 1 }],
        vec![event(state(CallState::Allowed, Some("{}".into()))), event(state(CallState::Started, None))],
        vec![
            event(EventKind::Slot { call_id: "c1".into(), key: "plan".into(), value: json!({"n": 1}) }),
            event(EventKind::Slot { call_id: "c2".into(), key: "lost".into(), value: json!(1) }),
            event(EventKind::ToolResultDelta {
                id: "c1".into(),
                name: "weather".into(),
                delta: output("sun"),
            }),
            event(EventKind::ToolResult(result)),
        ],
        vec![
            event(EventKind::ToolResult(ToolResult::new("c2", "weather", ToolState::Denied, Vec::new()))),
            event(EventKind::Heard { msg: Arc::new(Msg::user("and?")) }),
            event(EventKind::Hint { text: "go on".into() }),
            event(EventKind::Block { block: ContentBlock::Other(json!({"type": "hologram", "depth": 3})) }),
            event(EventKind::RequireExternal { calls: Vec::new() }),
            event(EventKind::Inner {
                agent: "a".into(),
                name: "W".into(),
                call_id: "c1".into(),
                event: Box::new(inner),
            }),
            event(EventKind::Custom { name: "progress".into(), value: json!([0.25]) }),
            event(EventKind::Other(json!({"type": "FROM_THE_FUTURE"}))),
        ],
        vec![event(EventKind::Rewind { to_seq: 20 }), event(EventKind::Output { value: json!({"z": 1}) })],
        vec![Change::Slot { key: "theme".into(), value: json!("dark") }],
        vec![event(EventKind::ReplyEnd {
            finish: Finish::Completed,
            metadata: Box::new(Map::from_iter([("k".to_owned(), json!("v"))])),
        })],
        vec![],
        vec![Change::Mark { ids: vec![id.clone()], mark: "seen".into(), on: true }, super::said("more")],
        vec![Change::Slot { key: "theme".into(), value: json!(null) }],
        vec![Change::Compact { summary: "they met".into(), upto: id }],
    ]
}
