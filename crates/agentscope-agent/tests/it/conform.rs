//! Agents of this crate keep the laws of every agent.

use crate::support::Probe;
use agentscope_agent::ReActAgent;
use agentscope_core::{
    AgentState, ChatModel, Context, Error, ErrorKind, FinishReason, IntoAnswer, ModelCard, ModelDelta,
    ModelRequest, ModelStream, Msg, Result, ToolSpec, agent_fn, model_fn,
    testing::conformance::{Subject, agent},
};
use futures_util::{StreamExt, stream};
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

/// A model that calls two tools at once, then a third that changes things, then speaks; a millisecond a piece.
#[derive(Clone)]
struct Busy(ModelCard);

impl ChatModel for Busy {
    fn card(&self) -> &ModelCard {
        &self.0
    }
    fn call(&self, req: ModelRequest, _: Context) -> ModelStream {
        let results = req.messages.last().map_or(0, |msg| msg.results().count());
        let mut answer = match results {
            0 => vec![
                ModelDelta::text("Let "),
                ModelDelta::text("me see. "),
                ModelDelta::tool_call(1, "a", "look", "{\"n\""),
                ModelDelta::tool_call(1, "a", "look", ": 1}"),
                ModelDelta::tool_call(2, "b", "look", "{}"),
            ],
            2 => vec![ModelDelta::tool_call(0, "c", "act", "{}"), ModelDelta::tool_call(1, "d", "act", "{}")],
            _ => "All is done.".split_inclusive(' ').map(ModelDelta::text).collect(),
        };
        answer.push(ModelDelta::Finish { reason: FinishReason::Stop });
        Box::pin(stream::iter(answer.into_answer()).then(|delta| async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            Ok(delta)
        }))
    }
}

fn subject_of(agent: ReActAgent, tools: [Probe; 2]) -> Subject {
    let (saved, template) = (agent.clone(), agent.clone());
    let counted = tools.clone();
    Subject::new(agent)
        .snapshot(move || {
            let agent = saved.clone();
            async move { agent.snapshot().await }
        })
        .tool_ends(move || counted.iter().map(|tool| tool.ended.load(Ordering::SeqCst)).sum())
        .resume(move |state: AgentState| subject_of(template.resumed(state), tools.clone()))
}

fn busy(asks: bool) -> Subject {
    // It stops when it is told to; the other one comes to its end.
    let look = Probe::new("look", |_, cx: Context| async move {
        tokio::select! {
            () = cx.interrupt().triggered() => Err(Error::new(ErrorKind::Tool, "stopped before it had looked")),
            () = tokio::time::sleep(Duration::from_millis(3)) => Ok("looked".into()),
        }
    })
    .with(ToolSpec::read_only);
    let act = Probe::new("act", |_, _| async {
        tokio::time::sleep(Duration::from_millis(3)).await;
        Ok("acted".into())
    });
    let agent = ReActAgent::new("Busy", Busy(ModelCard::new("busy"))).tool(look.clone()).tool(act.clone());
    let agent = if asks { agent } else { agent.allow("act") };
    subject_of(agent, [look, act])
}

#[tokio::test(start_paused = true)]
async fn an_agent_with_tools_keeps_the_laws() {
    agent(|| busy(false)).await;
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_asks_keeps_the_laws() {
    agent(|| busy(true)).await;
}

#[tokio::test(start_paused = true)]
async fn an_agent_of_a_model_fn_keeps_the_laws() {
    agent(|| {
        let model = model_fn(ModelCard::new("rule"), |_| async { Ok("hello") });
        let agent = ReActAgent::new("Rule", model);
        let saved = agent.clone();
        Subject::new(agent).snapshot(move || {
            let agent = saved.clone();
            async move { agent.snapshot().await }
        })
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_agent_fn_keeps_the_laws() {
    agent(|| {
        Subject::new(agent_fn("Slow", |msgs: Vec<Arc<Msg>>, _| async move {
            tokio::time::sleep(Duration::from_millis(5)).await;
            Result::Ok(Msg::assistant("Slow", format!("{} messages", msgs.len())))
        }))
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_boss_and_its_sub_agent_keep_the_laws() {
    agent(|| {
        let inner = ReActAgent::new(
            "Worker",
            model_fn(ModelCard::new("rule"), |_| async {
                tokio::time::sleep(Duration::from_millis(2)).await;
                Ok("worked")
            }),
        );
        let model = model_fn(ModelCard::new("boss"), |req: ModelRequest| async move {
            Ok(match req.messages.last().map_or(0, |msg| msg.results().count()) {
                0 => vec![ModelDelta::tool_call(0, "c1", "Worker", r#"{"task":"work"}"#)],
                _ => vec![ModelDelta::text("It worked.")],
            })
        });
        let agent = ReActAgent::new("Boss", model).agent(inner);
        let saved = agent.clone();
        Subject::new(agent).snapshot(move || {
            let agent = saved.clone();
            async move { agent.snapshot().await }
        })
    })
    .await;
}
