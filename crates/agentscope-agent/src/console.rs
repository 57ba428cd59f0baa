//! Talking to an agent in a terminal or through a pipe, line by line.

mod input;
mod show;

use agentscope_core::{
    Agent, AgentExt, BoxFuture, Decision, Error, ErrorKind, Event, EventKind, EventStream, Input, Interrupt,
    Msg, Name, Reason, ReplyId, Result, Role, ToolCall,
};
use input::Lines;
use show::Screen;
use std::{
    future::{Future, IntoFuture},
    io::IsTerminal,
};

/// Lets a person talk to `agent`: what it thinks, says and does is shown as it happens, a tool that asks is put to the person,
/// Ctrl-C interrupts the reply and, when none runs, leaves. `/exit` or the end of the input leaves too.
///
/// Through a pipe it takes one line after the other; a tool that asks takes the next line, and the end of the input is a denial.
///
/// ```no_run
/// use agentscope_agent::{ReActAgent, console};
/// use agentscope_core::ScriptedModel;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// console(ReActAgent::new("Friday", ScriptedModel::new([]))).await
/// # }
/// ```
pub fn console(agent: impl Agent) -> Console {
    Console { agent: Box::new(agent), sample: None }
}

/// A talk that is about to begin; await it. See [`console`].
#[must_use = "a console does nothing until it is awaited"]
pub struct Console {
    agent: Box<dyn Agent>,
    sample: Option<String>,
}

impl Console {
    /// Asks this first, in a terminal and where the input is empty, so that there is something to see at once.
    pub fn sample(mut self, question: impl Into<String>) -> Self {
        self.sample = Some(question.into());
        self
    }

    async fn run(self) -> Result<()> {
        let interactive = std::io::stdin().is_terminal();
        let screen = Screen::stdout(interactive && std::io::stdout().is_terminal());
        let ctrl_c = || Box::pin(async { drop(tokio::signal::ctrl_c().await) });
        Talk { agent: self.agent, lines: Lines::stdin()?, screen, interactive, ctrl_c }.run(self.sample).await
    }
}

impl IntoFuture for Console {
    type Output = Result<()>;
    type IntoFuture = BoxFuture<'static, Result<()>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

/// The calls of a reply that wait for a decision.
struct Waiting {
    reply: ReplyId,
    calls: Vec<ToolCall>,
}

struct Talk<C> {
    agent: Box<dyn Agent>,
    lines: Lines,
    screen: Screen,
    interactive: bool,
    /// Waits for the next Ctrl-C.
    ctrl_c: C,
}

impl<C, F> Talk<C>
where
    C: Fn() -> F,
    F: Future<Output = ()>,
{
    async fn run(mut self, sample: Option<String>) -> Result<()> {
        let mut question = sample.clone().filter(|_| self.interactive);
        let mut asked = false;
        if self.interactive {
            self.screen.line("Type a message; /exit or Ctrl-D leaves, Ctrl-C interrupts.").await?;
        }
        loop {
            let next = match question.take() {
                Some(sample) => {
                    self.screen.echo(&sample).await?;
                    Some(sample)
                }
                None => self.next_line().await?,
            };
            let line = match next {
                Some(line) => line,
                // An empty input: show something all the same.
                None if !asked && !self.interactive && sample.is_some() => {
                    question.clone_from(&sample);
                    asked = true;
                    continue;
                }
                None => return Ok(()),
            };
            asked = true;
            match line.trim() {
                "" => {}
                "/exit" => return Ok(()),
                text => {
                    if !self.ask(Input::from(Msg::user(text))).await? {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// The next line of the person; `None` at the end of the input or at Ctrl-C.
    async fn next_line(&mut self) -> Result<Option<String>> {
        self.screen.prompt().await?;
        let line = tokio::select! {
            line = self.lines.next() => line,
            () = (self.ctrl_c)() => None,
        };
        match &line {
            Some(line) if !self.interactive => self.screen.echo(line).await?,
            None if self.interactive => self.screen.line("").await?,
            _ => {}
        }
        Ok(line)
    }

    /// Asks the agent until it needs no more decisions. False if the person wants to leave.
    async fn ask(&mut self, mut input: Input) -> Result<bool> {
        loop {
            let waiting = self.show_reply(input).await?;
            if waiting.calls.is_empty() {
                return Ok(true);
            }
            let mut decisions = Vec::new();
            let mut leave = false;
            let mut allowed: Vec<Name> = Vec::new();
            for call in waiting.calls {
                if allowed.contains(&call.name) {
                    continue; // it was just allowed for good
                }
                let decision =
                    if leave { Some(Decision::deny(call.id.clone())) } else { self.decide(&call).await? };
                let decision = decision.unwrap_or_else(|| {
                    leave = true;
                    Decision::deny(call.id.clone()).note("nobody is there to approve it")
                });
                allowed.extend(decision.rules.iter().cloned());
                decisions.push(decision.of_reply(&waiting.reply));
            }
            if leave {
                self.show_reply(Input::Decisions(decisions)).await?;
                return Ok(false);
            }
            input = Input::Decisions(decisions);
        }
    }

    /// What the person decides about a call; `None` if they leave.
    async fn decide(&mut self, call: &ToolCall) -> Result<Option<Decision>> {
        loop {
            self.screen.ask(call).await?;
            let Some(answer) = self.next_answer().await? else { return Ok(None) };
            return Ok(match answer.trim().to_lowercase().as_str() {
                "y" | "yes" => Some(Decision::allow(call.id.clone())),
                "a" | "always" => Some(Decision::allow(call.id.clone()).always(call.name.clone())),
                "n" | "no" => Some(Decision::deny(call.id.clone())),
                "/exit" => None,
                _ if self.interactive => continue,
                // Through a pipe, what is no answer is no permission.
                other => Some(Decision::deny(call.id.clone()).note(format!("the answer was: {other}"))),
            });
        }
    }

    async fn next_answer(&mut self) -> Result<Option<String>> {
        let answer = tokio::select! {
            line = self.lines.next() => line,
            () = (self.ctrl_c)() => None,
        };
        if !self.interactive {
            self.screen.line(answer.as_deref().unwrap_or("(end of input: no)")).await?;
        }
        Ok(answer)
    }

    /// Shows a reply, and gives the calls that wait for a decision.
    async fn show_reply(&mut self, input: Input) -> Result<Waiting> {
        let stop = Interrupt::new();
        let mut events: EventStream = self.agent.reply(input).interrupt(&stop).stream();
        let mut fold = Msg::new(self.agent.card().name.clone(), Role::Assistant, Vec::new());
        let mut asking = Vec::new();
        let mut ctrl_c = Box::pin((self.ctrl_c)());
        loop {
            let event = tokio::select! {
                biased;
                event = events.next() => event,
                () = &mut ctrl_c => {
                    stop.trigger(Reason::User(None));
                    ctrl_c = Box::pin((self.ctrl_c)());
                    continue;
                }
            };
            match event {
                None => break,
                Some(Ok(event)) => {
                    self.show(&mut fold, &event).await?;
                    match event.kind {
                        EventKind::RequireConfirm { calls } => asking.extend(calls),
                        EventKind::RequireExternal { calls } => self.screen.outside(&calls).await?,
                        _ => {}
                    }
                }
                Some(Err(error)) => self.screen.error(&error).await?,
            }
        }
        self.screen.end_line().await?;
        Ok(Waiting { reply: fold.id, calls: asking })
    }

    async fn show(&mut self, fold: &mut Msg, event: &Event) -> Result<()> {
        fold.apply(event);
        self.screen.show(fold, event).await
    }
}

fn io_error(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, format!("the terminal cannot be used: {error}")).with_source(error)
}

#[cfg(test)]
mod tests;
