use super::*;
use crate::{
    event::{Event, EventKind},
    message::{CallState, Finish, ToolCall, ToolResult, ToolState},
    testing::arbitrary::{any_events, any_reply, event, reply_start},
};
use proptest::{collection::vec, prelude::*};
use serde_json::json;

fn fold<'a>(changes: impl IntoIterator<Item = &'a Change>) -> AgentState {
    let mut state = AgentState::new(SessionKey::new("s"));
    changes.into_iter().for_each(|change| state.apply(change));
    state
}

fn of_events(kinds: impl IntoIterator<Item = EventKind>) -> AgentState {
    let kinds = [reply_start(), EventKind::ToolCall(ToolCall::new("a", "f", "{}"))].into_iter().chain(kinds);
    let mut state = AgentState::new(SessionKey::new("s"));
    (0..).zip(kinds).for_each(|(seq, kind)| state.apply_event(&event(seq, kind)));
    state
}

fn slot(call: &str, value: i32) -> EventKind {
    EventKind::Slot { call_id: call.into(), key: "plan".into(), value: value.into() }
}

fn ended(call: &str, state: ToolState) -> EventKind {
    EventKind::ToolResult(ToolResult::new(call, "f", state, Vec::new()))
}

fn started(call: &str) -> EventKind {
    EventKind::ToolCallState { id: call.into(), state: CallState::Started, input: None }
}

fn messages(n: usize) -> Vec<Change> {
    let msg = |at| {
        let mut msg = Msg::user(format!("{at}"));
        msg.id = format!("m{at}").into();
        Change::message(msg)
    };
    (0..n).map(msg).collect()
}

#[test]
fn a_slot_takes_effect_with_the_success_of_its_call_and_not_before() {
    let waiting = of_events([slot("a", 1)]);
    assert!(waiting.slots.is_empty());
    assert_eq!(of_events([slot("a", 1), slot("a", 2), ended("a", ToolState::Success)]).slots["plan"], 2);
    for state in
        [ToolState::Error, ToolState::Interrupted, ToolState::Denied, ToolState::Other("lost".into())]
    {
        let state = of_events([slot("a", 1), ended("a", state), ended("a", ToolState::Success)]);
        assert!(state.slots.is_empty(), "it went with its call");
    }
    let other = of_events([slot("a", 1), ended("b", ToolState::Success)]);
    assert!(other.slots.is_empty(), "another's success is not this one's");
}

#[test]
fn a_slot_that_was_not_settled_survives_json() {
    let waiting = of_events([slot("a", 1)]);
    let mut copy: AgentState = serde_json::from_value(serde_json::to_value(&waiting).unwrap()).unwrap();
    assert_eq!(copy, waiting);
    copy.apply_event(&event(9, ended("a", ToolState::Success)));
    assert_eq!(copy.slots["plan"], 1);
}

#[test]
fn a_run_that_begins_again_forgets_the_slots_of_the_former() {
    let state = of_events([started("a"), slot("a", 1), started("a"), ended("a", ToolState::Success)]);
    assert!(state.slots.is_empty());
}

#[test]
fn null_removes_a_slot_and_a_slot_that_does_not_fit_its_type_is_an_error() {
    #[derive(Debug, Default, Serialize, Deserialize)]
    struct Count(u32);
    impl Slot for Count {
        const KEY: &'static str = "count";
    }
    let set = |value| Change::Slot { key: "count".into(), value };
    assert_eq!(fold(&[set(json!(3))]).slot::<Count>().unwrap().0, 3);
    assert!(fold(&[set(json!(3)), set(Value::Null)]).slots.is_empty());
    assert!(fold(&[set(json!("x"))]).slot::<Count>().unwrap_err().message().contains("slot `count`"));
}

#[test]
fn a_reply_joins_the_conversation_when_it_ends_and_stays_open_while_it_waits() {
    let end = |finish| EventKind::ReplyEnd { finish, metadata: Box::default() };
    let waiting = of_events([end(Finish::Waiting)]);
    assert!(waiting.open.is_some() && waiting.context.is_empty());
    let over = of_events([ended("a", ToolState::Success), end(Finish::Completed)]);
    assert!(over.open.is_none() && over.context.len() == 1 && over.is_well_formed());

    let mut reopened = waiting.clone();
    reopened.apply(&Change::Reopen { reply_id: "r1".into(), epoch: 1 });
    let open = reopened.open.as_ref().unwrap();
    assert_eq!((open.epoch, &open.msg.finish), (1, &None));
    let mut other = waiting.clone();
    other.apply(&Change::Reopen { reply_id: "r2".into(), epoch: 1 });
    assert_eq!(other, waiting, "another reply is not taken up");
}

#[test]
fn events_of_another_reply_change_nothing() {
    let state = of_events([]);
    let mut after = state.clone();
    let stray = Event { reply_id: "r2".into(), ..event(9, EventKind::Hint { text: "x".into() }) };
    after.apply_event(&stray);
    assert_eq!(after, state);
}

#[test]
fn compaction_drops_what_it_covers_and_marks_stay_with_their_messages() {
    let ids = vec!["m1".into(), "m2".into(), "nobody".into()];
    let mark = |on| Change::Mark { ids: ids.clone(), mark: "kept".into(), on };
    let compact = Change::Compact { summary: "they met".into(), upto: "m1".into() };
    let mut changes = messages(3);
    changes.extend([mark(true), mark(true), compact]);
    let state = fold(&changes);
    let left: Vec<_> = state.context.iter().map(|entry| (entry.msg.text(), entry.marks.len())).collect();
    assert_eq!((state.summary.as_str(), left), ("they met", vec![("2".to_owned(), 1)]));
    changes.push(mark(false));
    assert!(fold(&changes).context[0].marks.is_empty());
}

#[test]
fn what_was_taken_from_the_inbox_stays_taken() {
    let taken = |n| Change::Taken { upto: InboxSeq(n) };
    assert_eq!(fold(&[taken(5), taken(3)]).taken, InboxSeq(5));
}

#[test]
fn a_message_whose_call_has_no_result_is_not_well_formed() {
    let open = Msg::assistant("Friday", "hm").with(ToolCall::new("a", "f", "{}"));
    assert!(!fold(&[Change::message(open.clone())]).is_well_formed());
    assert!(fold(&[Change::message(open.with(ToolResult::success("a", "f", "x")))]).is_well_formed());
}

/// Any change: those of a conversation, and events that may make no sense.
fn any_changes() -> impl Strategy<Value = Vec<Change>> {
    let id = || (0..4_usize).prop_map(|at| crate::MsgId::from(format!("m{at}")));
    let one = prop_oneof![
        (0..4_usize).prop_map(|at| messages(at + 1).remove(at)),
        (any::<bool>(), "[ab]", 0..9_i32).prop_map(|(set, key, n)| Change::Slot {
            key: key.into(),
            value: if set { n.into() } else { Value::Null },
        }),
        (vec(id(), 0..3), "[xy]", any::<bool>()).prop_map(|(ids, mark, on)| Change::Mark {
            ids,
            mark: mark.into(),
            on
        }),
        (id(), ".{0,5}").prop_map(|(upto, summary)| Change::Compact { summary, upto }),
        any::<u64>().prop_map(|upto| Change::Taken { upto: InboxSeq(upto) }),
        (0..4_u64).prop_map(|epoch| Change::Reopen { reply_id: "r1".into(), epoch }),
    ];
    let events = prop_oneof![any_reply().prop_map(|reply| reply.events), any_events()];
    (vec(one, 0..12), events, any::<prop::sample::Index>()).prop_map(|(mut changes, events, at)| {
        let at = at.index(changes.len() + 1);
        let events = events.into_iter().map(|event| Change::Event { event });
        changes.splice(at..at, events);
        changes
    })
}

proptest! {
    #[test]
    fn the_fold_of_changes_that_went_through_json_is_the_same_state(changes in any_changes()) {
        let read: Vec<Change> = serde_json::from_str(&serde_json::to_string(&changes).unwrap()).unwrap();
        prop_assert_eq!(&read, &changes);
        prop_assert_eq!(fold(&read), fold(&changes));
    }

    #[test]
    fn a_state_that_went_through_json_is_the_same_and_goes_on_the_same(
        changes in any_changes(), at: prop::sample::Index,
    ) {
        let changes: Vec<Change> = changes.into_iter().filter(|change| {
            // What a message forgets as it is written is how to take back, which a state is never asked to do.
            !matches!(change, Change::Event { event: Event { kind: EventKind::Rewind { .. }, .. } })
        }).collect();
        let (before, after) = changes.split_at(at.index(changes.len() + 1));
        let saved = fold(before);
        let mut loaded: AgentState = serde_json::from_str(&serde_json::to_string(&saved).unwrap()).unwrap();
        prop_assert_eq!(&loaded, &saved);
        after.iter().for_each(|change| loaded.apply(change));
        prop_assert_eq!(loaded, fold(&changes));
    }

    #[test]
    fn joined_changes_fold_to_the_same_state(reply in any_reply()) {
        let changes: Vec<Change> = reply.events.into_iter().map(|event| Change::Event { event }).collect();
        let mut joined: Vec<Change> = Vec::new();
        for change in changes.clone() {
            let rest = match joined.last_mut() {
                Some(newest) => newest.join(change).err(),
                None => Some(change),
            };
            joined.extend(rest);
        }
        prop_assert_eq!(fold(&joined), fold(&changes));
    }

    #[test]
    fn a_view_is_the_state_as_it_was(changes in any_changes()) {
        let mut state = fold(&changes);
        let view = state.view();
        let (slots, said) = (state.slots.clone(), state.context.len());
        state.apply(&Change::Slot { key: "a".into(), value: json!("later") });
        state.apply(&Change::message(Msg::user("later")));
        prop_assert_eq!(view.slot_value("a"), slots.get("a"));
        let open = view.messages().len() - said;
        prop_assert!(open <= 1, "the open reply at most comes on top");
    }
}
