//! A talk: what the person says is asked, the reply is shown, and so on.

use super::{
    Tools,
    command::Command,
    person::{Ask, Kind, Person, Said, Typed},
    screen::Screen,
    show::Show,
    signals::Signal,
    tally::spent,
    transcript::Transcript,
};
use crate::clean::clean;
use agentscope_core::{
    Agent, AgentExt, Error, EventKind, EventStream, Finish, Input, Interrupt, Msg, Name, Price, Reason,
    Result, Role, ToolCall,
};
use std::{collections::BTreeSet, future::Future, sync::Arc, time::Duration};
use tokio::time::Instant;

/// How soon a second Ctrl-C leaves.
const TWICE: Duration = Duration::from_secs(2);

/// A talk between a person and an agent.
pub(super) struct Talk<S> {
    pub(super) agent: Arc<dyn Agent>,
    pub(super) person: Box<dyn Person>,
    pub(super) screen: Screen,
    /// Waits for the next signal.
    pub(super) signals: S,
    /// Whether somebody is there who can be asked again.
    pub(super) interactive: bool,
    /// Whether prompts are shown where the person does not show them.
    pub(super) prompts: bool,
    pub(super) price: Option<Price>,
    pub(super) tools: Option<Tools>,
    pub(super) transcript: Transcript,
    /// The tools that are denied for the rest of the talk.
    pub(super) denied: BTreeSet<Name>,
    /// Whether the program was told to end.
    ending: bool,
    /// When Ctrl-C was pressed last.
    pressed: Option<Instant>,
    /// How long the agent has worked on the reply, without the person's time.
    worked: Duration,
    /// What the agent was told while it worked, and did not yet hear.
    told: Vec<Msg>,
}

/// A reply that ended, or waits.
struct Shown {
    reply: Msg,
    asking: Vec<ToolCall>,
    /// The person wants to leave.
    leave: bool,
}

impl<S, F> Talk<S>
where
    S: Fn() -> F + Send,
    F: Future<Output = Signal> + Send + Unpin,
{
    pub(super) fn new(agent: Arc<dyn Agent>, person: Box<dyn Person>, screen: Screen, signals: S) -> Self {
        Self {
            agent,
            person,
            screen,
            signals,
            interactive: false,
            prompts: false,
            price: None,
            tools: None,
            transcript: Transcript::default(),
            denied: BTreeSet::new(),
            ending: false,
            pressed: None,
            worked: Duration::ZERO,
            told: Vec::new(),
        }
    }

    /// Talks until the person leaves. Also who reads the output may leave: then it is over too.
    pub(super) async fn run(self, sample: Option<String>) -> Result<()> {
        self.go(sample).await.or_else(|error| if is_unread(&error) { Ok(()) } else { Err(error) })
    }

    async fn go(mut self, sample: Option<String>) -> Result<()> {
        let mut question = sample.clone().filter(|_| self.interactive);
        let mut asked = false;
        if self.interactive {
            self.screen
                .note("Type a message; /help shows what else there is, /exit or Ctrl-D leaves.")
                .await?;
        }
        loop {
            let said = match question.take() {
                Some(sample) => {
                    self.screen.echo(&sample).await?;
                    Said::Line(sample)
                }
                None => self.next_line().await?,
            };
            let line = match said {
                Said::Line(line) => line,
                // An empty input: show something all the same.
                Said::End if !asked && !self.interactive && sample.is_some() => {
                    question.clone_from(&sample);
                    asked = true;
                    continue;
                }
                Said::Interrupt if self.interactive && !self.pressed_again() => {
                    self.screen.note("(Ctrl-C again leaves)").await?;
                    continue;
                }
                Said::Refused(why) => {
                    asked = true;
                    self.screen.line(&format!("error: {why}")).await?;
                    continue;
                }
                Said::End | Said::Interrupt => return Ok(()),
            };
            asked = true;
            match Command::read(&line) {
                Command::Nothing => {}
                Command::Exit => return Ok(()),
                Command::Say(text) => {
                    let msg = Msg::user(text);
                    self.transcript.add(&msg);
                    if !self.ask(Input::from(msg)).await? {
                        return Ok(());
                    }
                    if self.screen.look.terminal {
                        self.screen.line("").await?;
                    }
                }
                command => self.obey(command).await?,
            }
        }
    }

    async fn next_line(&mut self) -> Result<Said> {
        let said = self.listen(Ask { prompt: "> ", text: "", kind: Kind::Message }).await?;
        match &said {
            Said::Line(line) if !self.interactive => self.screen.echo(line).await?,
            Said::Interrupt | Said::End if self.interactive && !self.person.prompts() => {
                self.screen.line("").await?
            }
            _ => {}
        }
        Ok(said)
    }

    /// What the person answers, or the system.
    pub(super) async fn listen(&mut self, ask: Ask<'_>) -> Result<Said> {
        self.screen.end_line().await?;
        if !self.person.prompts() && (self.prompts || ask.kind == Kind::Answer) {
            self.screen.put(ask.prompt).await?;
        }
        let edits = self.person.prompts();
        let said = self.person.say(ask);
        tokio::pin!(said);
        loop {
            let signal = tokio::select! {
                said = &mut said => return said,
                signal = (self.signals)() => signal,
            };
            match signal {
                // A line editor sees the key; that it is a signal is an accident, and its line must not be lost.
                Signal::Interrupt if edits => {}
                Signal::Interrupt => return Ok(Said::Interrupt),
                Signal::Terminate => {
                    self.ending = true;
                    if edits {
                        // The editor is left behind in the middle of its line. The terminal may be gone.
                        let _ = self.screen.line("").await;
                    }
                    return Ok(Said::End);
                }
            }
        }
    }

    /// Whether Ctrl-C was pressed a moment ago too.
    fn pressed_again(&mut self) -> bool {
        let before = self.pressed.replace(Instant::now());
        before.is_some_and(|before| before.elapsed() <= TWICE)
    }

    /// Asks the agent until it needs no more decisions. False if the person wants to leave.
    async fn ask(&mut self, mut input: Input) -> Result<bool> {
        let mut reply = self.new_reply();
        loop {
            let shown = self.show_reply(input, reply).await?;
            reply = shown.reply;
            if shown.leave {
                return Ok(false);
            }
            if shown.asking.is_empty() {
                let unheard = std::mem::take(&mut self.told);
                unheard.iter().for_each(|msg| self.transcript.add(msg));
                if !unheard.is_empty() && reply.finish == Some(Finish::Completed) {
                    // It was told too late for this reply: now it is asked.
                    input = Input::Continue;
                    reply = self.new_reply();
                    continue;
                }
                return Ok(true);
            }
            let answer = self.decide_all(&reply, shown.asking).await?;
            if answer.leave {
                // Who is told to end does not wait for what the model says to a denial.
                let input = if self.ending { Input::Abort } else { answer.input };
                self.show_reply(input, reply).await?;
                return Ok(false);
            }
            input = answer.input;
        }
    }

    fn new_reply(&mut self) -> Msg {
        self.worked = Duration::ZERO;
        Msg::new(self.agent.card().name.clone(), Role::Assistant, Vec::new())
    }

    /// Shows a reply, or more of one. What is typed meanwhile is told to the agent.
    async fn show_reply(&mut self, input: Input, mut reply: Msg) -> Result<Shown> {
        let began = Instant::now();
        let stop = Interrupt::new();
        let mut events: EventStream = self.agent.reply(input).interrupt(&stop).stream();
        let mut show = Show::default();
        let mut asking = Vec::new();
        let mut leave = false;
        let mut signal = (self.signals)();
        loop {
            let event = tokio::select! {
                biased;
                told = &mut signal => {
                    signal = (self.signals)();
                    if leave {
                        return Ok(Shown { reply, asking: Vec::new(), leave }); // dropping the events stops what still runs
                    }
                    leave = told == Signal::Terminate || stop.reason().is_some();
                    self.pressed = Some(Instant::now());
                    stop.trigger(if told == Signal::Terminate { Reason::Shutdown } else { Reason::User(None) });
                    let told = if leave { "(leaves when what runs has ended; Ctrl-C leaves at once)" } else { "^C" };
                    if leave || self.screen.look.terminal {
                        self.screen.note(told).await?;
                    }
                    continue;
                }
                event = events.next() => event,
                typed = self.person.typed() => {
                    if !self.steer(typed).await? {
                        leave = true;
                        stop.trigger(Reason::User(None));
                    }
                    continue;
                }
            };
            match event {
                None => break,
                Some(Err(error)) => self.screen.error(&error).await?,
                Some(Ok(event)) => {
                    let resumed = matches!(event.kind, EventKind::Resumed { .. });
                    let before = resumed.then(|| reply.clone());
                    reply.apply(&event);
                    show.event(&mut self.screen, &reply, before.as_ref().unwrap_or(&reply), &event).await?;
                    match event.kind {
                        EventKind::RequireConfirm { calls } => asking.extend(calls),
                        EventKind::Heard { msg } => self.told.retain(|told| told.id != msg.id),
                        _ => {}
                    }
                }
            }
        }
        self.screen.end_line().await?;
        self.transcript.add(&reply);
        self.worked += began.elapsed();
        if self.screen.look.terminal && asking.is_empty() {
            let usage = reply.usage.map(|usage| spent(usage, Some(self.worked), self.price));
            if let Some(usage) = usage {
                self.screen.note(&usage).await?;
            }
        }
        Ok(Shown { reply, asking, leave })
    }

    /// Tells the agent that works what the person types. What streams is held back meanwhile. False if they want to leave.
    async fn steer(&mut self, typed: Typed) -> Result<bool> {
        let prompt = clean(&format!("(to {}) ", self.agent.card().name));
        self.screen.pause().await?;
        let line = if typed.entered {
            self.screen.between(&format!("{prompt}{}", typed.text)).await?;
            typed.text
        } else {
            // Not `listen`: that a signal came is seen by whoever shows the reply.
            match self.person.say(Ask { prompt: &prompt, text: &typed.text, kind: Kind::Steer }).await? {
                Said::Line(line) => line,
                Said::Interrupt | Said::End | Said::Refused(_) => return Ok(true),
            }
        };
        match Command::read(&line) {
            Command::Nothing => {}
            Command::Exit => return Ok(false),
            Command::Say(text) => {
                let msg = Msg::user(text);
                self.told.push(msg.clone());
                if let Err(error) = self.agent.observe(vec![Arc::new(msg)]).await {
                    self.screen.between(&format!("error: {error}")).await?;
                }
            }
            _ => self.screen.between("(a command is taken when the reply is over: type it then)").await?,
        }
        Ok(true)
    }
}

/// Whether an error is that nobody reads the output any more. Errors of the agent do not come here: they are shown.
fn is_unread(error: &Error) -> bool {
    let source = std::error::Error::source(error).and_then(|it| it.downcast_ref::<std::io::Error>());
    source.is_some_and(|it| it.kind() == std::io::ErrorKind::BrokenPipe)
}
