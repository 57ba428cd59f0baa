use super::*;
use crate::message::FINISH_TOOL;
use crate::{
    event::EventKind,
    message::{ToolResult, ToolState},
    testing::arbitrary::{any_reply, event, reply_start},
};
use proptest::prelude::*;
use serde_json::json;
use std::sync::Arc;

const MAX_ITERS: u32 = 2;

const CALL_STATES: [CallState; 5] =
    [CallState::Pending, CallState::Asking, CallState::Allowed, CallState::Started, CallState::Submitted];

/// What may have become of a call: nothing, one of its states, or a result.
fn fates() -> Vec<Option<EventKind>> {
    let state = |state| EventKind::ToolCallState { id: "a".into(), state, input: None };
    let result = |state| EventKind::ToolResult(ToolResult::new("a", "f", state, Vec::new()));
    let states = CALL_STATES.into_iter().chain([CallState::Other("paused".into())]).map(state);
    let results = [ToolState::Success, ToolState::Error, ToolState::Running, ToolState::Denied].map(result);
    [None].into_iter().chain(states.chain(results).map(Some)).collect()
}

fn with_id(kind: EventKind, call: &str) -> EventKind {
    match kind {
        EventKind::ToolCallState { state, input, .. } => {
            EventKind::ToolCallState { id: call.into(), state, input }
        }
        EventKind::ToolResult(it) => {
            EventKind::ToolResult(ToolResult::new(call, "f", it.state.clone(), it.output))
        }
        other => other,
    }
}

/// Blocks that may stand last, nothing among them.
fn last_blocks() -> Vec<Vec<ContentBlock>> {
    let finish = ToolCall::new("z", FINISH_TOOL, "{}");
    vec![
        Vec::new(),
        vec!["said".into()],
        vec![ContentBlock::thinking("hm")],
        vec!["said".into(), ContentBlock::thinking("signed")],
        vec![ContentBlock::url("sun.png")],
        vec![ContentBlock::Hint { text: "h".into(), extra: Default::default() }],
        vec![ContentBlock::Heard(Msg::user("psst").into()), ContentBlock::thinking("hm")],
        vec![finish.into(), ToolResult::success("z", FINISH_TOOL, "ok").into()],
        vec![ContentBlock::Other(json!({"type": "hologram"}))],
    ]
}

/// Every small state: two calls, each with every fate; every last block; with and without a wish for output, and with it
/// given; every count of rounds.
fn all_states() -> Vec<AgentState> {
    let mut states = Vec::new();
    for (a, b) in fates().iter().flat_map(|a| fates().into_iter().map(move |b| (a.clone(), b))) {
        for last in last_blocks() {
            for (schema, output) in [(false, false), (true, false), (true, true)] {
                for (iters, max_iters) in [(0, 0), (9, 0), (0, 2), (1, 2), (2, 2), (3, 2), (9, 2)] {
                    states.push(state(a.clone(), b.clone(), &last, (schema, output), (iters, max_iters)));
                }
            }
        }
    }
    states
}

fn state(
    a: Option<EventKind>,
    b: Option<EventKind>,
    last: &[ContentBlock],
    (schema, output): (bool, bool),
    (iters, max_iters): (u32, u32),
) -> AgentState {
    let fated = |fate: Option<EventKind>, id: &str| {
        let call = fate.is_some().then(|| EventKind::ToolCall(ToolCall::new(id, "f", "{}")));
        call.into_iter().chain(fate.map(|fate| with_id(fate, id)))
    };
    let blocks = last.iter().map(|block| EventKind::Block { block: block.clone() });
    let output = output.then(|| EventKind::Output { value: json!({}) });
    let kinds =
        [reply_start()].into_iter().chain(fated(a, "a")).chain(fated(b, "b")).chain(blocks).chain(output);
    let mut state = AgentState::default();
    (0..).zip(kinds).for_each(|(seq, kind)| state.apply_event(&event(seq, kind)));
    let open = state.open.as_mut().unwrap();
    (open.iters, open.max_iters) = (iters, max_iters);
    open.output_schema = schema.then(|| Arc::new(json!({"type": "object"})));
    state
}

fn calls_of(step: &Step) -> &[ToolCall] {
    match step {
        Step::Check(calls) | Step::Act(calls) | Step::Recover(calls) | Step::Wait(calls) => calls,
        Step::Reason | Step::End(_) => &[],
    }
}

#[test]
fn while_calls_are_open_the_step_is_about_some_of_them_and_otherwise_about_none() {
    for state in all_states() {
        let step = Step::of(&state);
        let open: Vec<ToolCall> = state.open.as_ref().unwrap().msg.open_calls().cloned().collect();
        let calls = calls_of(&step);
        assert_eq!(calls.is_empty(), open.is_empty(), "{step:?} of {state:?}");
        assert!(calls.iter().all(|call| open.contains(call)), "{step:?} of {state:?}");
    }
}

#[test]
fn a_step_fits_the_state_of_each_of_its_calls_and_started_ones_come_first() {
    for state in all_states() {
        let step = Step::of(&state);
        for call in calls_of(&step) {
            let fits = match &step {
                Step::Recover(_) => call.state == CallState::Started,
                Step::Check(_) => call.state == CallState::Pending,
                Step::Act(_) => call.state == CallState::Allowed,
                _ => matches!(call.state, CallState::Asking | CallState::Submitted | CallState::Other(_)),
            };
            assert!(fits, "{step:?} of {state:?}");
        }
        let open = state.open.as_ref().unwrap();
        if open.msg.open_calls().any(|call| call.state == CallState::Started) {
            assert!(matches!(step, Step::Recover(_)), "{step:?} of {state:?}");
        }
    }
}

#[test]
fn a_reply_ends_only_with_what_was_asked_of_it_or_when_its_rounds_are_used_up() {
    for state in all_states() {
        let open = state.open.as_ref().unwrap();
        let used_up = open.max_iters > 0 && open.iters > open.max_iters;
        match Step::of(&state) {
            Step::End(Finish::Completed) => {
                assert!(!used_up && (open.output_schema.is_none() || open.msg.output.is_some()), "{state:?}");
            }
            Step::End(finish) => assert!(finish == Finish::ExceedMaxIters && used_up, "{state:?}"),
            Step::Reason => assert!(!used_up, "{state:?}"),
            _ => {}
        }
    }
}

#[test]
fn a_step_is_the_same_after_json() {
    for state in all_states().into_iter().step_by(7) {
        let copy: AgentState = serde_json::from_value(serde_json::to_value(&state).unwrap()).unwrap();
        assert_eq!(Step::of(&copy), Step::of(&state));
    }
}

/// Does what a step asks for as an agent does that never gets anywhere: its model only calls tools.
fn stubborn(state: &mut AgentState, step: Step) {
    let seq = state.open.as_ref().unwrap().next_seq;
    let to = |call: ToolCall, state| EventKind::ToolCallState { id: call.id, state, input: None };
    let kinds: Vec<EventKind> = match step {
        Step::Reason => {
            let call = ToolCall::new(format!("n{seq}"), "f", "{}");
            vec![EventKind::ModelStart { model: "m".into() }, EventKind::ToolCall(call)]
        }
        Step::Check(calls) => calls.into_iter().map(|call| to(call, CallState::Allowed)).collect(),
        Step::Act(calls) => calls.into_iter().map(|call| to(call, CallState::Started)).collect(),
        Step::Recover(calls) | Step::Wait(calls) => {
            let result = |call: ToolCall| ToolResult::new(call.id, "f", ToolState::Error, Vec::new());
            calls.into_iter().map(|call| EventKind::ToolResult(result(call))).collect()
        }
        Step::End(finish) => vec![EventKind::ReplyEnd { finish, metadata: Box::default() }],
    };
    (seq..).zip(kinds).for_each(|(seq, kind)| state.apply_event(&event(seq, kind)));
}

#[test]
fn every_limited_reply_comes_to_its_end() {
    let limited = all_states().into_iter().filter(|state| state.open.as_ref().unwrap().max_iters > 0);
    for mut state in limited {
        let began = state.clone();
        let steps = (0..).find(|_| {
            let step = Step::of(&state);
            let end = matches!(step, Step::End(_));
            stubborn(&mut state, step);
            end || state.open.as_ref().is_some_and(|open| open.next_seq > 200)
        });
        let bound = 4 + 4 * (MAX_ITERS as usize + 1);
        assert!(steps.is_some_and(|steps| steps <= bound), "{steps:?} steps from {began:?}");
        assert!(state.open.is_none() && state.is_well_formed(), "{began:?}");
    }
}

proptest! {
    #[test]
    fn a_reply_asks_for_a_thought_only_when_no_call_is_open(reply in any_reply()) {
        let mut state = AgentState::default();
        for event in &reply.events {
            state.apply_event(event);
            let step = Step::of(&state);
            let open = state.open.as_ref().unwrap().msg.open_calls().count();
            prop_assert_eq!(calls_of(&step).is_empty(), open == 0);
        }
    }
}
