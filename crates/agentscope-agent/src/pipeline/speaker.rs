use super::{Asked, Stage};
use crate::ReActAgent;
use agentscope_core::{Agent, ChatModel, Error, ErrorKind, Msg, Name, Result};
use serde_json::{Value, json};
use std::sync::Arc;

/// How often a chooser is asked again who does not name a participant.
const TRIES: u32 = 3;

/// What a model is told that chooses.
const MODERATE: &str = "You moderate a talk and only decide who speaks next: whoever has been asked, or has most to say. You \
                        never speak yourself.";

/// How a chooser says that the talk is over.
const NOBODY: &str = "nobody";

type Choice = Arc<dyn Fn(&[Msg], &[Name]) -> Option<Name> + Send + Sync>;

/// Who speaks next in a [`GroupChat`](crate::GroupChat).
///
/// ```
/// use agentscope_agent::{GroupChat, SpeakerPolicy};
/// use agentscope_core::{Msg, agent_fn};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let host = agent_fn("Host", |_, _| async { Ok(Msg::assistant("Host", "What do you think, @Bob?")) });
/// let amy = agent_fn("Amy", |_, _| async { Ok(Msg::assistant("Amy", "Hm.")) });
/// let bob = agent_fn("Bob", |_, _| async { Ok(Msg::assistant("Bob", "I agree.")) });
///
/// let chat = GroupChat::new((&host, &amy, &bob)).speaker(SpeakerPolicy::mention()).max_turns(5);
/// let names = |talk: Vec<Msg>| talk.iter().map(|msg| msg.name.to_string()).collect::<Vec<_>>();
/// assert_eq!(names(chat.all("Let us begin, @Host.").await?), ["Host", "Bob"], "Bob mentions nobody: it is over");
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct SpeakerPolicy {
    policy: Policy,
    otherwise: Option<Name>,
}

#[derive(Clone)]
enum Policy {
    RoundRobin,
    Random(u64),
    Mention,
    Model(Arc<dyn ChatModel>),
    Chooser(Arc<dyn Agent>),
    Function(Choice),
}

impl SpeakerPolicy {
    /// One after the other, in the order of the participants.
    pub fn round_robin() -> Self {
        Policy::RoundRobin.into()
    }

    /// Anybody but who spoke last; the same ones for the same seed.
    pub fn random(seed: u64) -> Self {
        Policy::Random(seed).into()
    }

    /// Who is first mentioned in what was said last, as `@Name`; nobody, if that mentions no participant but its speaker.
    pub fn mention() -> Self {
        Policy::Mention.into()
    }

    /// Whom a model names, that is shown what is said.
    pub fn model(model: impl ChatModel) -> Self {
        Policy::Model(Arc::new(model)).into()
    }

    /// Whom an agent names, in structured output with the field `speaker`. It is told what is said, and takes no part.
    pub fn agent(chooser: &(impl Agent + Clone)) -> Self {
        Policy::Chooser(Arc::new(chooser.clone())).into()
    }

    /// Whom a function names, which is given what was said so far and the names of the participants. `None` ends the talk.
    pub fn by(choose: impl Fn(&[Msg], &[Name]) -> Option<Name> + Send + Sync + 'static) -> Self {
        Policy::Function(Arc::new(choose)).into()
    }

    /// Names `name` where nobody else is named: the person to whom the talk comes back.
    ///
    /// ```
    /// use agentscope_agent::{GroupChat, SpeakerPolicy};
    /// use agentscope_core::{Msg, agent_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
    /// let amy = agent_fn("Amy", |_, _| async { Ok(Msg::assistant("Amy", "It is noon.")) });
    /// let bob = agent_fn("Bob", |_, _| async { Ok(Msg::assistant("Bob", "Thank you.")) });
    /// let chat = GroupChat::new((&amy, &bob)).speaker(SpeakerPolicy::mention().otherwise("Bob")).max_turns(2);
    /// assert_eq!(chat.all("What time is it, @Amy?").await?[1].name.as_str(), "Bob");
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn otherwise(mut self, name: impl Into<Name>) -> Self {
        self.otherwise = Some(name.into());
        self
    }

    /// The place of who speaks next; `None` if nobody does. `talk` is what was said so far, beginning with what came in; the
    /// first `told` of it a chooser knows.
    pub(super) async fn next(
        &self,
        talk: &[Msg],
        told: usize,
        names: &[Name],
        turn: usize,
        stage: &Stage,
    ) -> Result<Option<usize>> {
        let at = |place: usize| names.get(place).cloned();
        let named = match &self.policy {
            Policy::RoundRobin => return Ok(Some(turn % names.len().max(1))),
            Policy::Random(seed) => return Ok(random(*seed, turn, talk, names)),
            Policy::Mention => talk.last().and_then(|msg| mentioned(msg, names)).and_then(at),
            Policy::Model(model) => {
                // Made each time, and told all each time: it has no other talk in mind, and keeps none.
                let chooser = ReActAgent::new("Moderator", Arc::clone(model)).prompt(MODERATE);
                let chooser: Arc<dyn Agent> = Arc::new(chooser);
                choose(&chooser, talk, names, stage).await?
            }
            Policy::Chooser(chooser) => {
                choose(chooser, talk.get(told..).unwrap_or_default(), names, stage).await?
            }
            Policy::Function(choose) => choose(talk, names),
        };
        let Some(named) = named.or_else(|| self.otherwise.clone()) else { return Ok(None) };
        let place = names.iter().position(|name| *name == named);
        place.map(Some).ok_or_else(|| {
            let message = format!("the speaker policy names `{named}`, who takes no part: {}", listed(names));
            Error::new(ErrorKind::InvalidInput, message)
        })
    }
}

impl From<Policy> for SpeakerPolicy {
    fn from(policy: Policy) -> Self {
        Self { policy, otherwise: None }
    }
}

fn listed(names: &[Name]) -> String {
    let names: Vec<&str> = names.iter().map(Name::as_str).collect();
    format!("there are {}", names.join(", "))
}

/// One who did not speak last, by a number that follows from the seed and the turn (splitmix64).
fn random(seed: u64, turn: usize, talk: &[Msg], names: &[Name]) -> Option<usize> {
    let last = talk.last().map(|msg| &msg.name);
    let mut others: Vec<usize> =
        names.iter().enumerate().filter(|(_, name)| Some(*name) != last).map(|(at, _)| at).collect();
    if others.is_empty() {
        others = (0..names.len()).collect();
    }
    let mut z = seed.wrapping_add((turn as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let at = (z ^ (z >> 31)) % others.len().max(1) as u64;
    others.get(usize::try_from(at).unwrap_or_default()).copied()
}

/// The participant that is mentioned first, the one of the longest name where several begin alike; not the speaker.
fn mentioned(msg: &Msg, names: &[Name]) -> Option<usize> {
    let text = msg.text();
    text.match_indices('@').find_map(|(at, _)| {
        let rest = text.get(at + 1..)?;
        let fits = |name: &Name| {
            !name.is_empty()
                && *name != msg.name
                && rest.strip_prefix(name.as_str()).is_some_and(|after| {
                    // A name goes on with letters of the same kind only: `@Bob` is not in `@Bobby`, but it is in `@Bob's` and `@Bob你好`.
                    !after.starts_with(|next: char| next.is_ascii_alphanumeric() || next == '_')
                })
        };
        let fitting = names.iter().enumerate().filter(|(_, name)| fits(name));
        fitting.max_by_key(|(_, name)| name.len()).map(|(place, _)| place)
    })
}

/// Asks who speaks next, again where the answer is none.
async fn choose(
    chooser: &Arc<dyn Agent>,
    news: &[Msg],
    names: &[Name],
    stage: &Stage,
) -> Result<Option<Name>> {
    let allowed: Vec<&str> = names.iter().map(Name::as_str).chain([NOBODY]).collect();
    let schema = json!({
        "type": "object",
        "properties": {"speaker": {
            "type": "string",
            "enum": allowed,
            "description": format!("Who speaks next; {NOBODY} if everything has been said."),
        }},
        "required": ["speaker"],
        "additionalProperties": false,
    });
    let mut msgs: Vec<Arc<Msg>> = news.iter().cloned().map(Arc::new).collect();
    let mut question = format!("Who shall speak next? One of: {}.", allowed.join(", "));
    for _ in 0..TRIES {
        msgs.push(Arc::new(Msg::user(question)));
        let asked = Asked::only(std::mem::take(&mut msgs), Some(Arc::new(schema.clone())));
        let reply = stage.ask(chooser, asked).await?;
        let speaker = reply.output.as_ref().and_then(|output| output.get("speaker")).and_then(Value::as_str);
        match speaker {
            Some(NOBODY) => return Ok(None),
            Some(name) if allowed.contains(&name) => return Ok(Some(name.into())),
            _ => question = format!("That names no participant. Name one of: {}.", allowed.join(", ")),
        }
    }
    let message = format!(
        "`{}` did not name who speaks next in {TRIES} tries ({}): let it give structured output with the field `speaker`",
        chooser.card().name,
        listed(names)
    );
    Err(Error::new(ErrorKind::Protocol, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mention_is_a_whole_name_and_never_of_oneself() {
        let names: Vec<Name> = ["Bob", "Bobby", "Ann Lee", "小明"].map(Name::from).into();
        let in_text = |text: &str| mentioned(&Msg::assistant("Bobby", text), &names);
        assert_eq!(in_text("what about @Bob?"), Some(0));
        assert_eq!(in_text("@Bobby, that is me, but @Ann Lee's turn"), Some(2));
        assert_eq!(in_text("mail bob@Bobs.org"), None);
        assert_eq!(in_text("请@小明说"), Some(3));
        assert_eq!(in_text("@ nobody @"), None);
    }

    #[test]
    fn chance_is_the_same_for_a_seed_and_leaves_out_who_spoke_last() {
        let names: Vec<Name> = ["a", "b", "c"].map(Name::from).into();
        let run = |seed| (0..50).map(|turn| random(seed, turn, &[], &names).unwrap()).collect::<Vec<_>>();
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
        assert!((0..3).all(|who| run(7).contains(&who)));
        let last = [Msg::assistant("b", "I spoke.")];
        assert!((0..50).all(|turn| random(7, turn, &last, &names) != Some(1)));
        assert_eq!(random(7, 0, &[Msg::assistant("a", "x")], &names[..1]), Some(0), "who is alone speaks on");
    }
}
