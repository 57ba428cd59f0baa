//! Talking to an agent, in a terminal or through a pipe.

mod approval;
mod command;
#[cfg(unix)]
pub(crate) mod ending;
mod lines;
mod markdown;
mod orders;
mod person;
mod screen;
mod show;
mod signals;
mod stage;
mod talk;
mod tally;
mod terminal;
mod transcript;

use crate::ReActAgent;
use agentscope_core::{Agent, BoxFuture, Error, ErrorKind, Price, Result, ToolSpec};
use lines::Piped;
use person::Person;
use screen::{Look, Screen};
use signals::signals;
use std::{any::Any, future::IntoFuture, io::IsTerminal, path::PathBuf, sync::Arc};
use talk::Talk;
use terminal::Terminal;

/// Lets a person talk to `agent`: what it thinks, says and does is shown as it happens, and a tool that asks is put to the
/// person. Ctrl-C interrupts the reply; twice, it leaves. So do `/exit` and the end of the input; `/help` tells the rest.
///
/// In a terminal, lines are edited, Markdown is shown as what it means, and what is typed while the agent works is told to it at
/// once. Through a pipe it takes one line after the other and shows each text as it was written; a tool that asks takes the next
/// line, and the end of the input is a denial. `NO_COLOR` and `TERM=dumb` are respected. Where nobody reads the output any more,
/// as behind `| head -1`, the talk ends as if the person had left.
///
/// On Unix, a signal that a talk listens to, which is SIGINT and in a terminal SIGTERM and SIGHUP too, ends the program at once
/// whenever no talk runs, with status 130, 143 or 129: a tool that never ends cannot keep the program. That holds for listeners
/// that the program makes after its first talk began, too. A signal that it listens to or ignores by then stays its own: make
/// your `tokio::signal::unix::signal(..)` before the talk. Systems without `/proc` do not tell that, so that there it ends the
/// program all the same.
///
/// See [docs/console.md](https://github.com/agentscope-ai/agentscope-rs/blob/main/docs/console.md) for keys and commands.
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
    // An agent is three verbs, also if it lives elsewhere; what it can call is no part of that. This one is known to tell.
    let any: &dyn Any = &agent;
    let react =
        any.downcast_ref::<ReActAgent>().or_else(|| any.downcast_ref::<Arc<ReActAgent>>().map(|it| &**it));
    let price = react.and_then(ReActAgent::price);
    let tools = react.cloned().map(|react| -> Tools {
        Box::new(move || {
            let react = react.clone();
            Box::pin(async move { react.tools().await })
        })
    });
    Console { agent: Arc::new(agent), sample: None, history: None, price, tools }
}

/// Values of `TERM` of terminals in which no line can be edited.
const PLAIN_TERMINALS: [&str; 3] = ["dumb", "cons25", "emacs"];

/// Tells what the agent can call.
type Tools = Box<dyn Fn() -> BoxFuture<'static, Result<Vec<Arc<ToolSpec>>>> + Send + Sync>;

/// A talk that is about to begin; await it. See [`console`].
///
/// ```no_run
/// use agentscope_agent::console;
/// use agentscope_core::{Msg, Price, agent_fn};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let echo = agent_fn("Echo", |msgs, _| async move { Ok(Msg::assistant("Echo", msgs[0].text())) });
/// console(echo).history(".echo_history").price(Price::new(0.4, 1.2).cached(0.1)).await
/// # }
/// ```
#[must_use = "a console does nothing until it is awaited"]
pub struct Console {
    agent: Arc<dyn Agent>,
    sample: Option<String>,
    history: Option<PathBuf>,
    price: Option<Price>,
    tools: Option<Tools>,
}

impl Console {
    /// Asks this first, in a terminal and where the input is empty, so that there is something to see at once.
    pub fn sample(mut self, question: impl Into<String>) -> Self {
        self.sample = Some(question.into());
        self
    }

    /// Keeps the lines that are typed in this file, the last 1,000 of them, for the arrow keys of the next talk. Without it they
    /// are forgotten with the talk. Nothing is read or written where there is no terminal.
    ///
    /// When awaited, a file that cannot be used is [`ErrorKind::InvalidInput`].
    pub fn history(mut self, file: impl Into<PathBuf>) -> Self {
        self.history = Some(file.into());
        self
    }

    /// What tokens cost, for the line under each reply and for `/usage`. The price of a [`ReActAgent`] is that of its model's
    /// card, where it has one.
    pub fn price(mut self, price: Price) -> Self {
        self.price = Some(price);
        self
    }

    /// What `/tools` shows. A [`ReActAgent`] tells it by itself; of any other agent, only whoever made it knows.
    pub fn tools(mut self, specs: impl IntoIterator<Item = Arc<ToolSpec>>) -> Self {
        let specs: Vec<_> = specs.into_iter().collect();
        self.tools = Some(Box::new(move || {
            let specs = specs.clone();
            Box::pin(async move { Ok(specs) })
        }));
        self
    }

    async fn run(self) -> Result<()> {
        let set = |name: &str| std::env::var_os(name).is_some_and(|it| !it.is_empty());
        let interactive = std::io::stdin().is_terminal();
        let dumb =
            std::env::var_os("TERM").is_some_and(|it| PLAIN_TERMINALS.iter().any(|plain| it == *plain));
        let prompts = interactive && std::io::stdout().is_terminal();
        let terminal = prompts && !dumb;
        // Let go last, when the terminal is as it was: from then on a signal ends the program at once.
        let (signals, _listening) = signals(terminal)?;
        let person: Box<dyn Person> =
            if terminal { Box::new(Terminal::open(self.history)?) } else { Box::new(Piped::stdin()?) };
        let screen = Screen::stdout(Look { terminal, color: terminal && !set("NO_COLOR") });
        let mut talk = Talk::new(self.agent, person, screen, signals);
        (talk.interactive, talk.prompts) = (interactive, prompts);
        (talk.price, talk.tools) = (self.price, self.tools);
        talk.run(self.sample).await
    }
}

impl IntoFuture for Console {
    type Output = Result<()>;
    type IntoFuture = BoxFuture<'static, Result<()>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

fn io_error(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, format!("the console's input or output cannot be used: {error}"))
        .with_source(error)
}

#[cfg(test)]
mod tests;
