use super::*;
use crate::{
    event::{Event, EventKind},
    testing::arbitrary::{Written, any_reply, event, reply_start},
};
use proptest::prelude::*;

fn fold<'a>(events: impl IntoIterator<Item = &'a Event>) -> Msg {
    let mut msg = Msg::new("", Role::Assistant, Vec::new());
    events.into_iter().for_each(|event| msg.apply(event));
    msg
}

fn fold_kinds(kinds: impl IntoIterator<Item = EventKind>) -> Msg {
    let kinds = [reply_start()].into_iter().chain(kinds);
    fold(&(0..).zip(kinds).map(|(seq, kind)| event(seq, kind)).collect::<Vec<_>>())
}

fn state(id: &str, state: CallState) -> EventKind {
    EventKind::ToolCallState { id: id.into(), state, input: None }
}

fn output(id: &str, text: &str) -> EventKind {
    EventKind::ToolResultDelta { id: id.into(), name: "f".into(), delta: vec![text.into()] }
}

/// The calls and results of a message, such as `a b -a -b`; a running result is `~a`.
fn shape(msg: &Msg) -> String {
    let parts = msg.content.iter().map(|block| match block {
        ContentBlock::ToolCall(call) => call.id.to_string(),
        ContentBlock::ToolResult(it) if it.state == ToolState::Running => format!("~{}", it.id),
        ContentBlock::ToolResult(it) => format!("-{}", it.id),
        ContentBlock::Text { text, .. } => format!("'{text}'"),
        _ => "?".to_owned(),
    });
    parts.collect::<Vec<_>>().join(" ")
}

#[test]
fn a_reply_is_said_in_the_role_that_its_start_names_an_assistants_where_it_names_none() {
    let start = r#"{"type":"REPLY_START","name":"Alice","timestamp":"2026-01-01 10:00:00.000"}"#;
    let older: EventKind = serde_json::from_str(start).unwrap();
    assert_eq!(fold(&[event(0, older)]).role, Role::Assistant);
    let newer: EventKind = serde_json::from_str(&start.replacen('{', r#"{"role":"user","#, 1)).unwrap();
    assert_eq!(fold(&[event(0, newer)]).role, Role::User);
    assert!(
        !serde_json::to_string(&reply_start()).unwrap().contains("role"),
        "an older reader sees no change"
    );
}

#[test]
fn results_stand_after_the_calls_of_their_round_in_the_order_of_the_calls() {
    for order in
        [["a", "b", "c"], ["a", "c", "b"], ["b", "a", "c"], ["b", "c", "a"], ["c", "a", "b"], ["c", "b", "a"]]
    {
        for delta_first in [false, true] {
            let calls = ["a", "b", "c"].map(|id| EventKind::ToolCall(call(id)));
            let deltas = order.iter().rev().filter(|_| delta_first).map(|id| output(id, "x"));
            let results = order.map(|id| EventKind::ToolResult(result(id)));
            let msg = fold_kinds(calls.into_iter().chain(deltas).chain(results));
            assert_eq!(shape(&msg), "a b c -a -b -c", "{order:?}");
        }
    }
}

#[test]
fn the_results_of_a_later_round_stay_in_it_also_if_ids_come_again() {
    let round = |text: &str| {
        [
            EventKind::Block { block: text.into() },
            EventKind::ToolCall(call("a")),
            EventKind::ToolCall(call("b")),
            EventKind::ToolResult(result("b")),
            EventKind::ToolResult(result("a")),
        ]
    };
    let msg = fold_kinds([round("1"), round("2")].concat());
    assert_eq!(shape(&msg), "'1' a b -a -b '2' a b -a -b");
}

#[test]
fn a_hint_between_results_does_not_part_them_from_their_calls() {
    let hint = EventKind::Hint { text: "h".into() };
    let [a, b] = ["a", "b"].map(|id| EventKind::ToolCall(call(id)));
    let [ra, rb] = ["a", "b"].map(|id| EventKind::ToolResult(result(id)));
    assert_eq!(shape(&fold_kinds([a, b, ra, hint, rb])), "a b -a -b ?");
}

#[test]
fn output_that_comes_after_a_result_changes_nothing() {
    let msg =
        fold_kinds([EventKind::ToolCall(call("a")), EventKind::ToolResult(result("a")), output("a", "late")]);
    assert_eq!(msg.results().next(), Some(&result("a")));
}

#[test]
fn a_run_that_begins_again_forgets_the_output_of_the_former() {
    let started = || state("a", CallState::Started);
    let msg = fold_kinds([
        EventKind::ToolCall(call("a")),
        started(),
        output("a", "old"),
        started(),
        output("a", "n"),
        output("a", "ew"),
    ]);
    assert_eq!(msg.results().next().map(ToolResult::text).as_deref(), Some("new"));
}

#[test]
fn a_delta_that_names_no_block_of_its_kind_is_not_lost() {
    let text = |block, delta: &str| EventKind::TextDelta { block, delta: delta.into() };
    let thought = EventKind::ThinkingDelta { block: 0, delta: "hm".into() };
    assert_eq!(shape(&fold_kinds([text(7, "a"), text(7, "b")])), "'ab'");
    assert_eq!(shape(&fold_kinds([thought, text(0, "a"), text(0, "b"), text(2, "c")])), "? 'ab' 'c'");
}

#[test]
fn a_result_that_replaced_a_running_one_is_taken_back() {
    let result = |id: &str| EventKind::ToolResult(result(id));
    let kinds = [
        EventKind::ToolCall(call("a")),
        EventKind::ToolCall(call("b")),
        output("a", "x"),
        result("b"), // 4
        result("a"),
        EventKind::Rewind { to_seq: 4 },
    ];
    let msg = fold_kinds(kinds);
    assert_eq!(shape(&msg), "a b ~a -b");
    assert_eq!(msg.open_calls().count(), 1);
}

#[test]
fn arguments_that_were_edited_are_taken_back() {
    let edit =
        EventKind::ToolCallState { id: "a".into(), state: CallState::Allowed, input: Some("edited".into()) };
    let msg = fold_kinds([EventKind::ToolCall(call("a")), edit, EventKind::Rewind { to_seq: 1 }]);
    assert_eq!(msg.calls().next(), Some(&call("a")));
}

#[test]
fn an_output_that_replaced_another_is_taken_back() {
    let output = |n: i32| EventKind::Output { value: n.into() };
    assert_eq!(fold_kinds([output(1), output(2), EventKind::Rewind { to_seq: 1 }]).output, Some(1.into()));
}

/// What `Rewind` promises: results that were still running are empty, all else is as it was.
fn running_emptied(mut msg: Msg) -> Msg {
    for block in &mut msg.content {
        if let ContentBlock::ToolResult(result) = block
            && result.state == ToolState::Running
        {
            result.output.clear();
        }
    }
    msg
}

fn rewind(to: usize) -> Event {
    event(to as u64 + 1, EventKind::Rewind { to_seq: to as u64 })
}

/// A commit of the reply, and one at or before it.
fn two_commits(reply: &Written, at: prop::sample::Index, before: prop::sample::Index) -> (usize, usize) {
    let late = at.index(reply.commits.len());
    (reply.commits[late], reply.commits[before.index(late + 1)])
}

proptest! {
    #[test]
    fn a_rewind_gives_the_message_as_it_was(
        reply in any_reply(), at: prop::sample::Index, before: prop::sample::Index, lost: prop::sample::Index,
    ) {
        let (to, earlier) = two_commits(&reply, at, before);
        let seen = to + lost.index(reply.events.len() - to);
        let as_it_was = fold(&reply.events[..=to]);
        let mut msg = fold(&reply.events[..=seen]);
        msg.apply(&rewind(to));
        prop_assert_eq!(&msg, &running_emptied(as_it_was));

        let without_the_lost = fold(reply.events[..=to].iter().chain([&rewind(to)]));
        prop_assert_eq!(&msg, &without_the_lost, "who saw what was lost has what the others have");

        reply.events[to + 1..].iter().for_each(|event| msg.apply(event));
        msg.apply(&rewind(earlier));
        prop_assert_eq!(msg, running_emptied(fold(&reply.events[..=earlier])), "also when it happens again");
    }

    #[test]
    fn an_event_that_changes_no_message_may_be_left_out(reply in any_reply()) {
        let folded = reply.events.iter().filter(|event| event.kind.changes_message());
        prop_assert_eq!(fold(folded), fold(&reply.events));
    }

    #[test]
    fn every_prefix_of_a_reply_reads_back_and_folds_on(reply in any_reply(), at: prop::sample::Index) {
        let (seen, rest) = reply.events.split_at(at.index(reply.events.len()) + 1);
        let json = serde_json::to_string(&fold(seen)).unwrap();
        let mut msg: Msg = serde_json::from_str(&json).unwrap();
        rest.iter().for_each(|event| msg.apply(event));
        prop_assert_eq!(msg, fold(&reply.events));
    }

    #[test]
    fn results_keep_the_order_of_their_calls_whatever_happens(reply in any_reply()) {
        let msg = fold(&reply.events);
        for round in msg.rounds() {
            let calls: Vec<&str> = round.said.iter().filter_map(|block| match block {
                ContentBlock::ToolCall(call) => Some(call.id.as_str()),
                _ => None,
            }).collect();
            let places: Vec<_> = round.results.iter().map(|block| match block {
                ContentBlock::ToolResult(it) => calls.iter().position(|id| *id == it.id.as_str()),
                _ => None,
            }).collect();
            prop_assert!(places.is_sorted() && !places.contains(&None), "{}", shape(&msg));
        }
    }
}
