//! A person as an agent.

mod channel;
mod form;
mod input;
#[cfg(feature = "console")]
mod place;
#[cfg(feature = "console")]
mod terminal;

pub use channel::{Questions, UserChannel, user_channel};
pub use form::{Form, Prompt};
pub use input::{Answer, Question, UserInput, user_fn};
#[cfg(feature = "console")]
pub use place::UserConfig;
#[cfg(feature = "console")]
pub use terminal::Terminal;

use crate::{
    identity::{Identity, conversation},
    schema::Validators,
};
use agentscope_core::{
    Agent, AgentCard, Audience, BoxFuture, ContentBlock, Context, Error, ErrorKind, EventKind, EventSink,
    EventStream, Finish, Mailbox, Media, Msg, Name, Opened, Queued, ReplyRequest, Result, Role, Turn,
};
use serde_json::Value;
use std::sync::Arc;

/// How often a person is asked again for output that does not fit.
const TRIES: u32 = 20;

/// A person as an agent: whoever takes part in a talk, a pipeline or a graph of agents may be one.
///
/// Asked to reply, it shows the person what was said since, through a [`UserInput`], and waits for the answer; interrupts and
/// deadlines stop it as they stop any agent, and nothing blocks meanwhile. Where a type is asked for, the person fills in its
/// fields. The message has [`Role::User`], as AgentScope 1.x has it: models read it as said by a person.
///
/// What it hears and says is its conversation, kept in its store if it has one; what it hears while the person is asked is shown
/// at the next question. Where nobody is there (the end of the input, a
/// page that is gone) the reply fails with [`ErrorKind::Unavailable`]: an empty message would be taken for an answer, and a loop
/// that goes on until the person has enough would never end.
///
/// ```
/// use agentscope_agent::{ReActAgent, UserAgent, user_fn};
/// use agentscope_core::{AgentExt, ScriptedModel, testing::say};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let friday = ReActAgent::new("Friday", ScriptedModel::new([say("Hello, who are you?"), say("Hello, Bob.")]));
/// let bob = UserAgent::new("Bob", user_fn(|question| async move {
///     Ok(if question.messages.is_empty() { "Hello." } else { "I am Bob." })
/// }));
/// let mut msg = bob.reply(()).await?; // nothing was said so far
/// for _ in 0..2 {
///     let answer = friday.reply(msg).await?;
///     println!("{}", answer.text());
///     msg = bob.reply(answer).await?;
/// }
/// assert_eq!((msg.name.as_str(), msg.text().as_str()), ("Bob", "I am Bob."));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct UserAgent {
    config: Arc<Config>,
    mailbox: Mailbox,
}

/// What all conversations of a person share.
#[derive(Clone)]
struct Config {
    identity: Identity,
    input: Arc<dyn UserInput>,
    tries: u32,
    local_files: bool,
    /// They sit at the terminal of this program.
    #[cfg(feature = "console")]
    is_terminal: bool,
    validators: Arc<Validators>,
}

impl UserAgent {
    /// A person called `name`, who is asked through `input`.
    pub fn new(name: impl Into<Name>, input: impl UserInput) -> Self {
        let config = Config {
            identity: Identity::new(name),
            input: Arc::new(input),
            tries: TRIES,
            local_files: false,
            #[cfg(feature = "console")]
            is_terminal: false,
            validators: Arc::default(),
        };
        Self { config: Arc::new(config), mailbox: Mailbox::new() }
    }

    /// A person at the terminal of this program: [`Terminal::stdio`].
    ///
    /// ```no_run
    /// use agentscope_agent::{ReActAgent, UserAgent};
    /// use agentscope_core::{AgentExt, ScriptedModel};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
    /// let (friday, bob) = (ReActAgent::new("Friday", ScriptedModel::new([])), UserAgent::terminal("Bob"));
    /// let mut msg = bob.reply(()).await?;
    /// while msg.text() != "exit" {
    ///     msg = bob.reply(friday.reply(msg).await?).await?;
    /// }
    /// # Ok(()) }
    /// ```
    #[cfg(feature = "console")]
    pub fn terminal(name: impl Into<Name>) -> Self {
        Self::new(name, Terminal::stdio()).with(|config| config.is_terminal = true)
    }

    /// How often they are asked for structured output (20) before the reply fails with [`ErrorKind::Refused`]; at least once.
    #[must_use]
    pub fn tries(self, tries: u32) -> Self {
        self.with(|config| config.tries = tries.max(1))
    }

    /// Lets their answers name files of this machine, for people who sit at it. What others send comes as data or as a web
    /// address, because a path would let them read what is not theirs.
    #[must_use]
    pub fn local_files(self) -> Self {
        self.with(|config| config.local_files = true)
    }

    fn with(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(Arc::make_mut(&mut self.config));
        self
    }

    fn in_mailbox(&self, mailbox: Mailbox) -> Self {
        Self { config: Arc::clone(&self.config), mailbox }
    }

    async fn drive(self, queued: Queued, cx: Context, sink: EventSink) -> Result<()> {
        if let Some(schema) = &queued.request().output_schema {
            let wrong = |wrong| Error::new(ErrorKind::InvalidInput, format!("structured output: {wrong}"));
            self.config.validators.ready(schema).map_err(wrong)?;
        }
        let mut turn =
            match queued.role(Role::User).open(&self.config.identity.card.name, 0, &cx, sink).await? {
                Opened::Turn(turn) => turn,
                Opened::Aborted(turn) => return turn.end(Finish::Interrupted, None).await,
                Opened::Left => return Ok(()),
            };
        let answer = tokio::select! {
            biased;
            answer = self.ask(&turn, &cx) => Some(answer),
            () = cx.interrupt().triggered() => None,
        };
        match answer {
            Some(Ok(answer)) => say(&mut turn, answer),
            Some(Err(error)) if !cx.interrupt().is_triggered() => {
                return turn.end(Finish::Failed((&error).into()), Some(error)).await;
            }
            _ => {}
        }
        let (finish, error) = turn.finish_of(&cx, Finish::Completed);
        turn.end(finish, error).await
    }

    /// Asks until the answer fits.
    async fn ask(&self, turn: &Turn, cx: &Context) -> Result<Answer> {
        let Config { identity: Identity { card, .. }, input, tries, .. } = &*self.config;
        let Some(open) = turn.open() else {
            return Err(Error::new(ErrorKind::Internal, "a turn without an open reply"));
        };
        let messages = self.heard(turn);
        let mut wrong = None;
        for attempt in 1..=*tries {
            let question = Question {
                id: format!("{}-{attempt}", open.msg.id),
                agent: card.id.clone(),
                name: card.name.clone(),
                session: self.mailbox.session(),
                messages: messages.clone(),
                output_schema: open.output_schema.clone(),
                attempt,
                wrong: wrong.take(),
            };
            let answer = input.ask(question, cx.clone()).await?;
            match self.fitting(answer, open.output_schema.as_ref())? {
                Ok(answer) => return Ok(answer),
                Err(why) => wrong = Some(why),
            }
        }
        let why = wrong.unwrap_or_default();
        let message =
            format!("`{}` gave no output that fits in {tries} tries; the last one: {why}", card.name);
        Err(Error::new(ErrorKind::Refused, message))
    }

    /// What was said to the person since they were asked last, or what they have not answered because the program ended.
    fn heard(&self, turn: &Turn) -> Vec<Arc<Msg>> {
        let mut heard = turn.heard();
        if turn.open().is_some_and(|open| open.epoch > 0) {
            let own = |msg: &Msg| {
                msg.role == Role::User && msg.name == self.config.identity.card.name && msg.finish.is_some()
            };
            let msgs: Vec<_> = turn.state().messages().cloned().collect();
            let from = msgs.iter().rposition(|msg| own(msg)).map_or(0, |at| at + 1);
            heard = msgs.into_iter().skip(from).collect();
        }
        heard.iter().map(|msg| Arc::new(msg.spoken())).collect()
    }

    /// The answer, held to the schema; or what the person has to be told.
    fn fitting(&self, mut answer: Answer, schema: Option<&Arc<Value>>) -> Result<Result<Answer, String>> {
        if !answer.content.iter().all(|block| block.is_text() || block.media().is_some()) {
            let message =
                "the answer of a person is text and media, but the input gave a block of another kind";
            return Err(Error::new(ErrorKind::Protocol, message));
        }
        let paths = answer.content.iter().filter_map(ContentBlock::media).find_map(Media::local_path);
        if let (Some(path), false) = (paths, self.config.local_files) {
            let message = format!(
                "the answer names `{path}`, a file of this machine: send its bytes, or allow it by `.local_files()`"
            );
            return Err(Error::new(ErrorKind::Refused, message));
        }
        let Some(schema) = schema else { return Ok(Ok(answer)) };
        let check = |value: &Value| self.config.validators.check(schema, value);
        let Some(output) = &answer.output else {
            // Words alone: they are the output if they say it, as JSON or as the text that is wanted.
            let text = Msg::new("", Role::User, answer.content.clone()).text();
            let json = serde_json::from_str(&text).map_err(|error| format!("it is no JSON: {error}"));
            let json = json.and_then(|value| check(&value).map(|()| value));
            let value = json.or_else(|wrong| {
                let text = Value::String(text);
                check(&text).map(|()| text).map_err(|_| wrong)
            });
            return Ok(value.map(|value| {
                answer.output = Some(value);
                answer
            }));
        };
        Ok(check(output).map(|()| answer))
    }
}

/// Says the answer. Output that comes without words is said as JSON too, because other agents read words.
fn say(turn: &mut Turn, answer: Answer) {
    let Answer { mut content, output } = answer;
    if let (Some(output), false) = (&output, content.iter().any(ContentBlock::is_text)) {
        content.insert(0, ContentBlock::text(output.to_string()));
    }
    for block in content {
        turn.emit(EventKind::Block { block });
    }
    if let Some(value) = output {
        turn.emit(EventKind::Output { value });
    }
}

conversation!(UserAgent, "person");

impl Agent for UserAgent {
    fn card(&self) -> &AgentCard {
        &self.config.identity.card
    }

    fn call(&self, req: ReplyRequest, cx: Context) -> EventStream {
        match cx.enter(&self.config.identity.card.id, &self.mailbox.session()) {
            Err(error) => EventStream::fail(error),
            Ok(cx) => {
                let this = self.clone();
                EventStream::spawn(cx, move |sink, cx| {
                    let queued = this.mailbox.queue(req);
                    this.drive(queued, cx, sink)
                })
            }
        }
    }

    fn observe(&self, msgs: Vec<Arc<Msg>>) -> BoxFuture<'static, Result<()>> {
        self.mailbox.observe(msgs)
    }

    fn audience(&self) -> Option<Audience> {
        Some(self.mailbox.audience())
    }
}
