use super::{Asked, Flow, Frame, SpeakerPolicy, Stage, names_of, pipeline_agent, said};
use crate::MsgHub;
use agentscope_core::{Agent, Agents, BoxFuture, Error, ErrorKind, Input, Msg, Result, Role};
use std::sync::Arc;

/// How often somebody speaks, if nothing else is said.
const MAX_TURNS: u32 = 10;

type Until = Arc<dyn Fn(&Msg) -> bool + Send + Sync>;
type Join = Arc<dyn Fn(Vec<Msg>) -> Result<Msg> + Send + Sync>;

/// A talk: all participants hear what is asked and what each of them says, in a hub of their own, and a
/// [policy](SpeakerPolicy) decides who speaks next.
///
/// It ends after the [most turns](Self::max_turns), when the policy names nobody, or when [`until`](Self::until) holds. As an
/// agent it says what was said last (nothing, if nobody spoke), or what [`join`](Self::join) makes of the talk; [`all`](Self::all) gives all of it.
///
/// ```
/// use agentscope_agent::GroupChat;
/// use agentscope_core::{AgentExt, Msg, agent_fn};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// // Each counts one further than the last number that it heard.
/// let counting = |name: &'static str| agent_fn(name, move |heard, _| async move {
///     let last: u32 = heard.last().and_then(|msg| msg.text().parse().ok()).unwrap_or(0);
///     Ok(Msg::assistant(name, (last + 1).to_string()))
/// });
/// let chat = GroupChat::new([&counting("Amy"), &counting("Bob"), &counting("Cat")]).max_turns(7);
/// assert_eq!(chat.reply("0").await?.text(), "7");
///
/// let talk = chat.until(|msg| msg.text() == "2").all("0").await?;
/// assert_eq!((talk.len(), talk[1].name.as_str()), (2, "Bob"));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct GroupChat {
    frame: Frame,
    participants: Arc<[Arc<dyn Agent>]>,
    speaker: SpeakerPolicy,
    max_turns: u32,
    until: Option<Until>,
    join: Option<Join>,
}

pipeline_agent!(GroupChat);

impl GroupChat {
    /// A talk of these participants. One of none fails when it is asked, with [`ErrorKind::InvalidInput`], as does one in which
    /// somebody takes part twice.
    pub fn new(participants: impl Agents) -> Self {
        Self {
            frame: Frame::new("GroupChat"),
            participants: participants.agents().into(),
            speaker: SpeakerPolicy::round_robin(),
            max_turns: MAX_TURNS,
            until: None,
            join: None,
        }
    }

    /// Who speaks next (one after the other).
    #[must_use]
    pub fn speaker(mut self, policy: SpeakerPolicy) -> Self {
        self.speaker = policy;
        self
    }

    /// How often somebody speaks, at most (10).
    #[must_use]
    pub fn max_turns(mut self, max_turns: u32) -> Self {
        self.max_turns = max_turns;
        self
    }

    /// Ends the talk when this holds of what was said last.
    #[must_use]
    pub fn until(mut self, done: impl Fn(&Msg) -> bool + Send + Sync + 'static) -> Self {
        self.until = Some(Arc::new(done));
        self
    }

    /// Says, as an agent, what this makes of the talk, instead of what was said last.
    #[must_use]
    pub fn join(mut self, join: impl Fn(Vec<Msg>) -> Result<Msg> + Send + Sync + 'static) -> Self {
        self.join = Some(Arc::new(join));
        self
    }

    /// The talk: what the participants said, in order.
    ///
    /// # Errors
    /// Why a participant failed, naming it; [`ErrorKind::InvalidInput`] if there are none, or the policy names somebody else.
    pub fn all(&self, input: impl Into<Input>) -> BoxFuture<'static, Result<Vec<Msg>>> {
        let (this, input) = (self.clone(), input.into());
        Box::pin(async move {
            let stage = Stage::unseen(&this.frame);
            let asked = stage.wait(Asked::of(input)).await??;
            this.talk(asked, stage).await
        })
    }

    async fn talk(self, asked: Asked, stage: Stage) -> Result<Vec<Msg>> {
        if self.participants.is_empty() {
            let message = "a group chat without participants cannot begin: give it at least one";
            return Err(Error::new(ErrorKind::InvalidInput, message));
        }
        let hub = MsgHub::new(self.participants.to_vec())?;
        for msg in &asked.msgs {
            let _ = stage.wait(hub.broadcast(msg)).await?; // who did not hear cannot speak
        }
        let names = names_of(&self.participants)?;
        let mut talk: Vec<Msg> = asked.topic().iter().map(|msg| msg.spoken()).collect();
        let (begun, mut told) = (talk.len(), 0);
        for turn in 0..self.max_turns as usize {
            let next = self.speaker.next(&talk, told, &names, turn, &stage).await?;
            told = talk.len();
            let Some(agent) = next.and_then(|place| self.participants.get(place)) else { break };
            stage.wait(hub.ready(&**agent)).await??;
            let reply = stage.ask(agent, Asked::only(Vec::new(), asked.schema.clone())).await?;
            let over = self.until.as_ref().is_some_and(|until| until(&reply));
            talk.push(Arc::unwrap_or_clone(said(&reply)));
            if over {
                break;
            }
        }
        Ok(talk.split_off(begun))
    }
}

impl Flow for GroupChat {
    fn frame(&self) -> &Frame {
        &self.frame
    }

    fn parts(&self) -> Vec<Arc<dyn Agent>> {
        self.participants.to_vec()
    }

    async fn run(self, asked: Asked, stage: Stage) -> Result<Arc<Msg>> {
        let join = self.join.clone();
        let mut talk = self.talk(asked, stage).await?;
        let msg = match join {
            Some(join) => join(talk)?,
            None => talk.pop().unwrap_or_else(|| Msg::new("", Role::Assistant, Vec::new())),
        };
        Ok(Arc::new(msg))
    }
}

/// Lets several agents talk, as [`GroupChat`] does, and gives what they said, in order.
///
/// # Errors
/// Why a participant failed, naming it; [`ErrorKind::InvalidInput`] if there are none, or the policy names somebody else.
///
/// ```
/// use agentscope_agent::{SpeakerPolicy, group_chat};
/// use agentscope_core::{Msg, agent_fn};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let amy = agent_fn("Amy", |_, _| async { Ok(Msg::assistant("Amy", "Good morning.")) });
/// let bob = agent_fn("Bob", |_, _| async { Ok(Msg::assistant("Bob", "Good night.")) });
/// let talk = group_chat((&amy, &bob), SpeakerPolicy::random(7), 4, "Greet each other.").await?;
/// assert_eq!(talk.len(), 4);
/// # Ok(()) }
/// ```
pub fn group_chat(
    participants: impl Agents,
    speaker: SpeakerPolicy,
    max_turns: u32,
    input: impl Into<Input>,
) -> BoxFuture<'static, Result<Vec<Msg>>> {
    GroupChat::new(participants).speaker(speaker).max_turns(max_turns).all(input)
}
