use super::*;
use crate::testing::arbitrary::{any_events, any_reply, event, one_of_each};
use crate::{
    message::Role,
    state::{AgentState, Change},
};
use proptest::prelude::*;
use serde_json::json;

/// How JSON names an event. A new variant does not compile until it is named here; the tests then want one of it.
fn name_of(kind: &EventKind) -> &str {
    match kind {
        EventKind::ReplyStart { .. } => "REPLY_START",
        EventKind::Resumed { .. } => "RESUMED",
        EventKind::ModelStart { .. } => "MODEL_START",
        EventKind::ModelEnd { .. } => "MODEL_END",
        EventKind::TextDelta { .. } => "TEXT_DELTA",
        EventKind::ThinkingDelta { .. } => "THINKING_DELTA",
        EventKind::MediaDelta { .. } => "MEDIA_DELTA",
        EventKind::Extra { .. } => "EXTRA",
        EventKind::ToolCallDelta { .. } => "TOOL_CALL_DELTA",
        EventKind::ToolCall(_) => "TOOL_CALL",
        EventKind::ToolCallState { .. } => "TOOL_CALL_STATE",
        EventKind::ToolResultDelta { .. } => "TOOL_RESULT_DELTA",
        EventKind::ToolResult(_) => "TOOL_RESULT",
        EventKind::Block { .. } => "BLOCK",
        EventKind::Slot { .. } => "SLOT",
        EventKind::Hint { .. } => "HINT",
        EventKind::Heard { .. } => "HEARD",
        EventKind::Inner { .. } => "INNER",
        EventKind::RequireConfirm { .. } => "REQUIRE_CONFIRM",
        EventKind::RequireExternal { .. } => "REQUIRE_EXTERNAL",
        EventKind::Output { .. } => "OUTPUT",
        EventKind::Rewind { .. } => "REWIND",
        EventKind::ReplyEnd { .. } => "REPLY_END",
        EventKind::Custom { .. } => "CUSTOM",
        EventKind::Other(_) => "HOLOGRAM",
    }
}

fn through_json<T: Serialize + serde::de::DeserializeOwned>(value: &T) -> T {
    serde_json::from_str(&serde_json::to_string(value).unwrap()).unwrap()
}

#[test]
fn every_kind_is_written_under_its_name_and_read_back_the_same() {
    for kind in one_of_each() {
        let written = event(7, kind);
        let json = serde_json::to_value(&written).unwrap();
        assert_eq!((json["type"].as_str(), json["seq"].as_u64()), (Some(name_of(&written.kind)), Some(7)));
        assert_eq!(through_json(&written), written, "{json}");
    }
}

#[test]
fn the_list_of_known_types_is_that_of_the_variants() {
    let mut named: Vec<String> = one_of_each().iter().map(|kind| name_of(kind).to_owned()).collect();
    assert_eq!(named.pop().as_deref(), Some("HOLOGRAM"));
    assert_eq!(named, KNOWN);
}

#[test]
fn an_unknown_event_is_carried_whole_and_skipped() {
    let json =
        json!({"reply_id": "r1", "epoch": 0, "seq": 4, "type": "HOLOGRAM", "depth": {"b": 1, "a": [2]}});
    let event: Event = serde_json::from_value(json.clone()).unwrap();
    assert_eq!(serde_json::to_string(&event).unwrap(), json.to_string());
    let mut msg = Msg::new("Friday", Role::Assistant, Vec::new());
    let before = msg.clone();
    msg.apply(&event);
    assert_eq!(msg, before);
}

#[test]
fn a_known_event_with_a_wrong_field_is_an_error_that_names_it() {
    let json = json!({"reply_id": "r1", "epoch": 0, "seq": 4, "type": "TEXT_DELTA", "block": 0});
    let error = serde_json::from_value::<Event>(json).unwrap_err().to_string();
    assert!(error.contains("event `TEXT_DELTA`") && error.contains("`delta`"), "{error}");
    let error = serde_json::from_value::<EventKind>(json!({"block": 0})).unwrap_err().to_string();
    assert_eq!(error, "an event needs a `type`");
}

#[test]
fn deltas_of_different_blocks_calls_replies_and_epochs_do_not_join() {
    let text = |block| EventKind::TextDelta { block, delta: "x".into() };
    let call =
        |id: &str| EventKind::ToolCallDelta { block: 0, id: id.into(), name: "f".into(), delta: "x".into() };
    let other_reply = Event { reply_id: "r2".into(), ..event(1, text(0)) };
    let other_epoch = Event { epoch: 1, ..event(1, text(0)) };
    let pairs = [
        (event(0, text(0)), event(1, text(1))),
        (event(0, call("a")), event(1, call("b"))),
        (event(0, text(0)), event(1, EventKind::ThinkingDelta { block: 0, delta: "x".into() })),
        (event(0, text(0)), other_reply),
        (event(0, text(0)), other_epoch),
    ];
    for (mut first, second) in pairs {
        let before = first.clone();
        assert_eq!(first.join(second.clone()), Err(second));
        assert_eq!(first, before, "what does not join is left alone");
    }
}

/// Joins neighbors, but never across one of `borders`.
fn joined(events: &[Event], borders: &[usize]) -> Vec<Event> {
    let mut joined: Vec<Event> = Vec::new();
    for (at, event) in events.iter().enumerate() {
        let may = at > 0 && !borders.contains(&(at - 1));
        let rest = match joined.last_mut().filter(|_| may) {
            Some(newest) => newest.join(event.clone()).err(),
            None => Some(event.clone()),
        };
        joined.extend(rest);
    }
    joined
}

/// Without rewinds, since one that points between two deltas points at nothing that was committed; deltas name a block that is
/// there, be it of another kind, or the next one.
fn grounded(mut events: Vec<Event>) -> Vec<Event> {
    use EventKind::{MediaDelta, TextDelta, ThinkingDelta, ToolCallDelta};
    events.retain(|event| !matches!(event.kind, EventKind::Rewind { .. }));
    let mut msg = fold(&[]);
    for event in &mut events {
        if let TextDelta { block, .. }
        | ThinkingDelta { block, .. }
        | MediaDelta { block, .. }
        | ToolCallDelta { block, .. } = &mut event.kind
        {
            *block = (*block).min(msg.content.len() as u32);
        }
        msg.apply(event);
    }
    events
}

fn fold(events: &[Event]) -> Msg {
    let mut msg = Msg::new("Friday", Role::Assistant, Vec::new());
    (msg.id, msg.timestamp) =
        (events.first().map_or("r1".into(), |event| event.reply_id.clone()), Timestamp::from_unix_millis(0));
    events.iter().for_each(|event| msg.apply(event));
    msg
}

proptest! {
    #[test]
    fn any_event_reads_back_as_it_was_written(events in any_events()) {
        prop_assert_eq!(through_json(&events), events);
    }

    #[test]
    fn the_fold_of_a_joined_event_is_the_fold_of_the_two(events in any_events()) {
        let events = grounded(events);
        prop_assert_eq!(fold(&joined(&events, &[])), fold(&events));
    }

    #[test]
    fn joined_events_fold_to_the_same_state(reply in any_reply()) {
        let fold = |events: &[Event]| {
            let mut state = AgentState::default();
            events.iter().for_each(|event| state.apply(&Change::Event { event: event.clone() }));
            state
        };
        prop_assert_eq!(fold(&joined(&reply.events, &[])), fold(&reply.events));
    }

    /// A reader who was slow before a crash has the same message after it as one who was not.
    #[test]
    fn rewinding_joined_events_is_rewinding_the_events(reply in any_reply(), at: prop::sample::Index) {
        let to = reply.commits[at.index(reply.commits.len())];
        let rewind = event(to as u64 + 1, EventKind::Rewind { to_seq: to as u64 });
        let slow = [joined(&reply.events, &[to]), vec![rewind.clone()]].concat();
        let quick = [reply.events.clone(), vec![rewind]].concat();
        prop_assert_eq!(fold(&slow), fold(&quick));
    }

    #[test]
    fn folding_anything_never_panics_and_what_comes_of_it_reads_back(events in any_events()) {
        let mut msg = fold(&events);
        msg.content.retain(|block| !matches!(block, ContentBlock::Other(_)));
        prop_assert_eq!(through_json(&msg), msg);
    }
}

#[test]
fn an_unknown_field_of_a_call_does_not_collide_with_the_event() {
    let mut call = ToolCall::new("c1", "f", "{}");
    for field in ["seq", "epoch", "reply_id", "type"] {
        call.extra.set(field, "mine");
    }
    let event = Event { reply_id: "r".into(), epoch: 0, seq: 1, kind: EventKind::ToolCall(call) };
    let read: Event = serde_json::from_str(&serde_json::to_string(&event).unwrap()).unwrap();
    assert_eq!(read, event);
}
