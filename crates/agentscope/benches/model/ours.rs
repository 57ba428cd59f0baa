//! The same workloads by this library.

use crate::server_of;
use agentscope::{AgentExt, EventKind, ReActAgent, SessionKey, prelude::*};
use agentscope_model::OpenAIChatModel;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Tells the current weather of a city.
#[tool(read_only)]
async fn weather(
    /// The city's name.
    city: String,
) -> String {
    format!("{city}: sunny, 21 degrees")
}

pub(crate) struct Ours {
    agent: ReActAgent,
    sessions: AtomicUsize,
}

impl Ours {
    /// Of the workload that has this path.
    pub(crate) fn new(origin: &str, workload: &str) -> Self {
        let streams = workload.starts_with("stream") || workload == "burst";
        let model = OpenAIChatModel::new("gpt-4o")
            .api_key("sk-test")
            .base_url(server_of(origin, workload))
            .stream(streams);
        let agent = ReActAgent::new("Friday", model);
        let agent = if workload.ends_with("turn") || workload == "crowd" {
            agent.prompt("Say how the weather is.").tool(weather)
        } else {
            agent.prompt("Talk.")
        };
        Self { agent, sessions: AtomicUsize::new(0) }
    }

    /// The agent in a conversation that has not begun.
    pub(crate) fn session(&self) -> ReActAgent {
        self.agent.session(SessionKey::new(self.sessions.fetch_add(1, Ordering::Relaxed).to_string()))
    }

    /// A turn of requests and calls of the tool, until the model has said something.
    pub(crate) async fn turn(&self) -> (String, u64) {
        let answer = self.session().reply("How is it in Oslo?").await.unwrap();
        let spent = answer.usage.map_or(0, |usage| usage.input_tokens + usage.output_tokens);
        (answer.text(), spent)
    }

    /// An answer of many pieces: how many of them were seen, and bytes of text.
    pub(crate) async fn stream(&self) -> (usize, usize) {
        let session = self.session();
        let mut events = session.reply("Talk.").stream();
        let (mut pieces, mut text) = (0, String::new());
        while let Some(event) = events.next().await {
            if let EventKind::TextDelta { delta, .. } = event.unwrap().kind {
                pieces += 1;
                text.push_str(&delta);
            }
        }
        (pieces, text.len())
    }

    /// So many turns at once, each of an agent of its own.
    pub(crate) async fn crowd(&self, many: usize) {
        let agents: Vec<_> = (0..many).map(|_| self.session()).collect();
        let replies: Vec<_> =
            agents.iter().map(|agent| agent.reply("How is it in Oslo?").stream().start()).collect();
        for reply in replies {
            assert!(reply.await.unwrap().text().contains("sunny"));
        }
    }
}
