use super::{Asked, Flow, Frame, Stage, names_of, pipeline_agent, repeat::exceeded, said};
use crate::MsgHub;
use agentscope_core::{Agent, Agents, BoxFuture, Error, ErrorKind, Input, Msg, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::sync::Arc;

/// How many rounds a debate has at most, if nothing else is said.
const MAX_ROUNDS: u32 = 5;

/// How often a judge is asked in a round whose judgment is none.
const TRIES: u32 = 3;

/// What the judge of a [`Debate`] finds after a round.
///
/// ```
/// use agentscope_agent::Judgment;
///
/// let judgment: Judgment = serde_json::from_str(r#"{"decided": true, "winner": "Amy", "reason": "She had figures."}"#)?;
/// assert_eq!(judgment.winner.as_deref(), Some("Amy"));
/// # Ok::<_, serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Judgment {
    /// Whether the debate is over.
    pub decided: bool,
    /// The debater who won, if one did.
    pub winner: Option<String>,
    /// Why, or what is still open.
    pub reason: String,
}

/// A debate: the debaters speak in turn and hear each other; after each round a judge, who was told all of it, says in
/// [structured output](Judgment) whether it is decided.
///
/// As an agent it says what the judge says, with the judgment as its output. A debate that is not decided after the [most
/// rounds](Self::max_rounds) ends with [`Finish::ExceedMaxIters`](agentscope_core::Finish::ExceedMaxIters) and the last judgment.
///
/// ```
/// use agentscope_agent::Debate;
/// use agentscope_core::{AgentExt, Msg, agent_fn};
/// use serde_json::json;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let amy = agent_fn("Amy", |_, _| async { Ok(Msg::assistant("Amy", "Tabs: one key, any width.")) });
/// let bob = agent_fn("Bob", |_, _| async { Ok(Msg::assistant("Bob", "Spaces.")) });
/// let judge = agent_fn("Judge", |told, _| async move {
///     let best = told.iter().filter(|msg| msg.name != "user").max_by_key(|msg| msg.text().len()).unwrap();
///     let mut msg = Msg::assistant("Judge", format!("{} has a point.", best.name));
///     msg.output = Some(json!({"decided": true, "winner": best.name, "reason": "The longer argument."}));
///     Ok(msg)
/// });
/// let debate = Debate::new((&amy, &bob), &judge);
/// assert_eq!(debate.judge("Tabs or spaces?").await?.winner.as_deref(), Some("Amy"));
/// assert_eq!(debate.reply("Tabs or spaces?").await?.text(), "Amy has a point.");
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Debate {
    frame: Frame,
    debaters: Arc<[Arc<dyn Agent>]>,
    judge: Arc<dyn Agent>,
    max_rounds: u32,
}

pipeline_agent!(Debate);

impl Debate {
    /// A debate of these, which `judge` decides.
    pub fn new(debaters: impl Agents, judge: &(impl Agent + Clone)) -> Self {
        let judge: Arc<dyn Agent> = Arc::new(judge.clone());
        let frame = Frame::of(Some(&judge), "Debate");
        Self { frame, debaters: debaters.agents().into(), judge, max_rounds: MAX_ROUNDS }
    }

    /// At most so many rounds (5); at least one.
    #[must_use]
    pub fn max_rounds(mut self, max_rounds: u32) -> Self {
        self.max_rounds = max_rounds.max(1);
        self
    }

    /// The last judgment on a topic.
    ///
    /// # Errors
    /// Why a debater or the judge failed, naming it; [`ErrorKind::Protocol`] if the judge gives no judgment;
    /// [`ErrorKind::InvalidInput`] with fewer than two debaters.
    pub fn judge(&self, topic: impl Into<Input>) -> BoxFuture<'static, Result<Judgment>> {
        let (this, topic) = (self.clone(), topic.into());
        Box::pin(async move {
            let stage = Stage::unseen(&this.frame);
            let asked = stage.wait(Asked::of(topic)).await??;
            Ok(this.hold(asked, stage).await?.1)
        })
    }

    /// What the judge says at last, and the judgment.
    async fn hold(self, asked: Asked, stage: Stage) -> Result<(Arc<Msg>, Judgment)> {
        if self.debaters.len() < 2 {
            let message = format!("a debate takes two debaters, and there is {}", self.debaters.len());
            return Err(Error::new(ErrorKind::InvalidInput, message));
        }
        names_of(&self.debaters)?;
        let hub = MsgHub::new(self.debaters.to_vec())?;
        for msg in &asked.msgs {
            let _ = stage.wait(hub.broadcast(msg)).await?; // who did not hear cannot speak
        }
        let mut told: Vec<Arc<Msg>> = asked.topic().iter().map(said).collect();
        let mut round = 1;
        loop {
            for debater in self.debaters.iter() {
                stage.wait(hub.ready(&**debater)).await??;
                told.push(said(&stage.ask(debater, Asked::default()).await?));
            }
            let (reply, judgment) = self.decide(std::mem::take(&mut told), &stage).await?;
            if judgment.decided {
                return Ok((reply, judgment));
            }
            if round >= self.max_rounds {
                return Ok((exceeded(reply), judgment));
            }
            round += 1;
        }
    }

    /// Asks the judge, again where the answer is no judgment.
    async fn decide(&self, mut msgs: Vec<Arc<Msg>>, stage: &Stage) -> Result<(Arc<Msg>, Judgment)> {
        let names: Vec<&str> = self.debaters.iter().map(|agent| agent.card().name.as_str()).collect();
        let winner = json!({"anyOf": [{"type": "string", "enum": names}, {"type": "null"}], "description": "Who won, if anybody did."});
        let schema = Arc::new(json!({
            "type": "object",
            "properties": {
                "decided": {"type": "boolean", "description": "Whether the debate is over."},
                "winner": winner,
                "reason": {"type": "string", "description": "Why, or what is still open."},
            },
            "required": ["decided", "winner", "reason"],
            "additionalProperties": false,
        }));
        let mut question = "You have heard this round. Is the debate decided, and who won it?".to_owned();
        for _ in 0..TRIES {
            msgs.push(Arc::new(Msg::user(question)));
            let asked = Asked::only(std::mem::take(&mut msgs), Some(Arc::clone(&schema)));
            let reply = stage.ask(&self.judge, asked).await?;
            match judgment(&reply, &names) {
                Ok(judgment) => return Ok((reply, judgment)),
                Err(why) => question = format!("That is no judgment: {why}. Judge again."),
            }
        }
        let message = format!(
            "the judge `{}` gave no judgment in {TRIES} tries: let it give structured output by the schema that it is asked for",
            self.judge.card().name
        );
        Err(Error::new(ErrorKind::Protocol, message))
    }
}

/// The judgment in a reply, or what is wrong with it.
fn judgment(reply: &Msg, names: &[&str]) -> std::result::Result<Judgment, String> {
    let Some(output) = &reply.output else { return Err("it has no structured output".to_owned()) };
    let judgment: Judgment = serde_json::from_value(output.clone()).map_err(|error| error.to_string())?;
    match &judgment.winner {
        Some(winner) if !names.contains(&winner.as_str()) => {
            Err(format!("`{winner}` is no debater, these are: {}", names.join(", ")))
        }
        _ => Ok(judgment),
    }
}

impl Flow for Debate {
    fn frame(&self) -> &Frame {
        &self.frame
    }

    fn parts(&self) -> Vec<Arc<dyn Agent>> {
        self.debaters.iter().chain([&self.judge]).cloned().collect()
    }

    async fn run(self, asked: Asked, stage: Stage) -> Result<Arc<Msg>> {
        Ok(self.hold(asked, stage).await?.0)
    }
}

/// Lets agents debate a topic, as [`Debate`] does, for at most 5 rounds, and gives the last judgment.
///
/// # Errors
/// As [`Debate::judge`].
///
/// ```
/// use agentscope_agent::debate;
/// use agentscope_core::{ErrorKind, Msg, agent_fn};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let amy = agent_fn("Amy", |_, _| async { Ok(Msg::assistant("Amy", "Tabs!")) });
/// let bob = agent_fn("Bob", |_, _| async { Ok(Msg::assistant("Bob", "Spaces!")) });
/// let asleep = agent_fn("Judge", |_, _| async { Ok(Msg::assistant("Judge", "Zzz.")) });
/// let error = debate((&amy, &bob), &asleep, "Tabs or spaces?").await.unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Protocol, "who judges gives a judgment");
/// # }
/// ```
pub fn debate(
    debaters: impl Agents,
    judge: &(impl Agent + Clone),
    topic: impl Into<Input>,
) -> BoxFuture<'static, Result<Judgment>> {
    Debate::new(debaters, judge).judge(topic)
}
