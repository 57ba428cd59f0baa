use super::{Asked, Fanout, Flow, Frame, Stage, pipeline_agent, run_unseen};
use agentscope_core::{Agent, Agents, BoxFuture, Input, Msg, Result};
use std::{fmt::Write, sync::Arc};

/// What the aggregator is told, before the answers.
const AGGREGATE: &str = "Several assistants were asked the question below. Weigh their answers, which may be wrong or one-sided, and give \
                         one answer of your own that is better than each of them: correct, complete and well put. Do not mention \
                         the assistants.";

/// What the others are told in a further round, before the answers.
const IMPROVE: &str = "Several assistants, you among them, answered the question below. Take what is good in their answers, correct what is \
                       wrong, and answer the question again.";

/// A mixture of agents (arXiv 2406.04692): several answer, in one or more rounds, each of which knows the answers of the round
/// before; then one makes an answer of theirs.
///
/// Who fails among the several is left out, as long as one answers.
///
/// ```
/// use agentscope_agent::MixtureOfAgents;
/// use agentscope_core::{AgentExt, Msg, agent_fn};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let a = agent_fn("A", |_, _| async { Ok(Msg::assistant("A", "about 8 thousand")) });
/// let b = agent_fn("B", |_, _| async { Ok(Msg::assistant("B", "8,849 m")) });
/// let editor = agent_fn("Editor", |told, _| async move {
///     let last = told[0].text().lines().last().unwrap_or_default().to_owned();
///     Ok(Msg::assistant("Editor", last.trim_start_matches("2. ")))
/// });
/// let mixture = MixtureOfAgents::new(&editor, (&a, &b));
/// assert_eq!(mixture.reply("How high is Mount Everest?").await?.text(), "8,849 m");
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct MixtureOfAgents {
    frame: Frame,
    aggregator: Arc<dyn Agent>,
    references: Fanout,
    rounds: u32,
    prompt: Arc<str>,
}

pipeline_agent!(MixtureOfAgents);

impl MixtureOfAgents {
    /// `aggregator` makes an answer of those of `references`, and gives the pipeline its name.
    pub fn new(aggregator: &(impl Agent + Clone), references: impl Agents) -> Self {
        let aggregator: Arc<dyn Agent> = Arc::new(aggregator.clone());
        Self {
            frame: Frame::of(Some(&aggregator), "MixtureOfAgents"),
            aggregator,
            references: Fanout::new(references).collect_failures(),
            rounds: 1,
            prompt: AGGREGATE.into(),
        }
    }

    /// How many rounds of answers there are (1); at least one.
    #[must_use]
    pub fn rounds(mut self, rounds: u32) -> Self {
        self.rounds = rounds.max(1);
        self
    }

    /// What the aggregator is told before the question and the answers.
    #[must_use]
    pub fn prompt(mut self, prompt: impl Into<Arc<str>>) -> Self {
        self.prompt = prompt.into();
        self
    }
}

impl Flow for MixtureOfAgents {
    fn frame(&self) -> &Frame {
        &self.frame
    }

    fn parts(&self) -> Vec<Arc<dyn Agent>> {
        self.references.parts().into_iter().chain([Arc::clone(&self.aggregator)]).collect()
    }

    async fn run(self, asked: Asked, stage: Stage) -> Result<Arc<Msg>> {
        let question: Vec<String> = asked.topic().iter().map(|msg| msg.text()).collect();
        let question = question.join("\n");
        let mut told = asked.plain();
        for round in 1.. {
            let replies = self.references.clone().replies(told, stage.clone()).await?;
            let last = round >= self.rounds;
            let prompt = if last { &*self.prompt } else { IMPROVE };
            told = Asked::only(vec![Arc::new(answers(prompt, &question, replies)?)], None);
            if last {
                break;
            }
        }
        told.schema = asked.schema;
        stage.ask(&self.aggregator, told).await
    }
}

/// A question and the answers to it, numbered; an error if there are none.
fn answers(prompt: &str, question: &str, replies: Vec<Result<Msg>>) -> Result<Msg> {
    let mut text = format!("{prompt}\n\nThe question:\n{question}\n\nThe answers:");
    let (mut number, mut failed) = (0, None);
    let mut media = Vec::new();
    for reply in replies {
        match reply {
            Err(error) => failed = failed.or(Some(error)),
            Ok(msg) => {
                number += 1;
                let _ = write!(text, "\n{number}. {}", msg.text());
                media.extend(msg.spoken().content.into_iter().filter(|block| block.media().is_some()));
            }
        }
    }
    if let (0, Some(error)) = (number, failed) {
        return Err(error);
    }
    let mut msg = Msg::user(text);
    msg.content.extend(media);
    Ok(msg)
}

/// Asks several agents, and one that makes an answer of theirs, as [`MixtureOfAgents`] does.
///
/// # Errors
/// Why all of the several, or the one, failed.
///
/// ```
/// use agentscope_agent::mixture_of_agents;
/// use agentscope_core::{Msg, agent_fn};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let a = agent_fn("A", |_, _| async { Ok(Msg::assistant("A", "Yes.")) });
/// let b = agent_fn("B", |_, _| async { Ok(Msg::assistant("B", "No.")) });
/// let judge = agent_fn("Judge", |told, _| async move { Ok(Msg::assistant("Judge", told[0].text())) });
/// let text = mixture_of_agents(&judge, (&a, &b), "Is it?").await?.text();
/// assert!(text.ends_with("The question:\nIs it?\n\nThe answers:\n1. Yes.\n2. No."));
/// # Ok(()) }
/// ```
pub fn mixture_of_agents(
    aggregator: &(impl Agent + Clone),
    references: impl Agents,
    input: impl Into<Input>,
) -> BoxFuture<'static, Result<Msg>> {
    run_unseen(MixtureOfAgents::new(aggregator, references), input.into())
}
