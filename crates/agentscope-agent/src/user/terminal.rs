//! A person at a terminal.

use super::{
    form::Form,
    input::{Answer, Question, UserInput},
};
use crate::clean::clean;
use crate::lines::{Lines, is_too_long};
use agentscope_core::{BoxFuture, Context, Error, ErrorKind, Msg, Reason, Result};
use std::{
    io::{self, BufRead, IsTerminal, Write},
    sync::{Arc, LazyLock},
};
use tokio::sync::{Mutex, OwnedMutexGuard};

/// The terminal of this program, of which there is one.
static STDIO: LazyLock<Arc<Mutex<Desk>>> = LazyLock::new(|| {
    let echo = !io::stdin().is_terminal();
    Arc::new(Mutex::new(Desk { lines: Box::new(Lines::stdin), out: Box::new(io::stdout()), echo }))
});

/// A person who types, line by line: what was said to them is shown, and a type is asked for field by field, by a [`Form`].
///
/// It never blocks the runtime. Questions to several people at one terminal come one after the other. An empty line is no
/// answer; the end of the input (Ctrl-D) is [`ErrorKind::Unavailable`]: nobody is there.
///
/// Ctrl-C ends the program, as always, unless it is made to [interrupt](Self::ctrl_c).
///
/// ```
/// use agentscope_agent::{Terminal, UserAgent};
/// use agentscope_core::AgentExt;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let typed = std::io::Cursor::new("maybe\nyes\n");
/// let bob = UserAgent::new("Bob", Terminal::new(typed, std::io::sink()));
/// assert!(bob.reply("May I?").typed::<bool>().await?, "`maybe` is neither y nor n, so it asked again");
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Terminal {
    desk: Arc<Mutex<Desk>>,
    quiet: bool,
    /// Waits for a Ctrl-C that interrupts.
    ctrl_c: Option<fn() -> BoxFuture<'static, ()>>,
}

/// One keyboard and one screen. Who has them has the person's attention.
struct Desk {
    /// Starts the thread that reads, when a line is first needed.
    lines: Box<dyn FnMut() -> io::Result<Lines> + Send>,
    out: Box<dyn Write + Send>,
    /// What is read from a pipe is written too, so that the transcript is whole.
    echo: bool,
}

impl Terminal {
    /// The standard input and output of this program. A thread of its own reads, and only when somebody is asked.
    pub fn stdio() -> Self {
        Self { desk: Arc::clone(&STDIO), quiet: false, ctrl_c: None }
    }

    /// Other lines and another screen: a serial port, a connection, a test.
    pub fn new(input: impl BufRead + Send + 'static, output: impl Write + Send + 'static) -> Self {
        let mut input = Some(input);
        let mut started = None;
        let lines = move || {
            if let Some(input) = input.take() {
                started = Some(Lines::of(input)?);
            }
            started.clone().ok_or_else(|| io::Error::other("no thread could be started to read it"))
        };
        let desk = Desk { lines: Box::new(lines), out: Box::new(output), echo: false };
        Self { desk: Arc::new(Mutex::new(desk)), quiet: false, ctrl_c: None }
    }

    /// Does not show what was said to the person, where the program does that itself.
    #[must_use]
    pub fn quiet(mut self) -> Self {
        self.quiet = true;
        self
    }

    /// Ctrl-C interrupts the reply while the person is asked. From the first question on, it no longer ends the program, which
    /// has to listen to it elsewhere; where there was a [talk](crate::console()) before, it ends the program between questions.
    #[must_use]
    pub fn ctrl_c(mut self) -> Self {
        self.ctrl_c = Some(|| {
            Box::pin(async {
                #[cfg(unix)]
                let _listening = crate::console::ending::INTERRUPT.hold();
                drop(tokio::signal::ctrl_c().await);
            })
        });
        self
    }

    async fn talk(&self, question: Question) -> Result<Answer> {
        let mut talk = Talk { desk: Arc::clone(&self.desk).lock_owned().await };
        if !self.quiet && question.attempt == 1 {
            talk = talk.show(&question.messages).await?;
        }
        if let Some(wrong) = &question.wrong {
            talk = talk.write(format!("That does not fit: {}\n", clean(wrong))).await?;
        }
        let Some(schema) = &question.output_schema else {
            loop {
                let line;
                (talk, line) = talk.ask(format!("{}> ", clean(&question.name))).await?;
                if !line.trim().is_empty() {
                    return Ok(line.into());
                }
            }
        };
        let mut form = Form::new(schema)?;
        while let Some(prompt) = form.prompt() {
            let line;
            (talk, line) =
                talk.ask(format!("{}\n{}> ", clean(&prompt.to_string()), clean(&question.name))).await?;
            form.answer(&line);
        }
        form.output().cloned().map(Answer::output).ok_or_else(|| {
            Error::new(ErrorKind::Internal, "a form that asks for nothing more and has no output")
        })
    }
}

impl UserInput for Terminal {
    fn ask(&self, question: Question, cx: Context) -> BoxFuture<'_, Result<Answer>> {
        Box::pin(async move {
            let Some(ctrl_c) = self.ctrl_c else { return self.talk(question).await };
            tokio::select! {
                biased; // it listens before the person sees the question
                () = ctrl_c() => {
                    cx.interrupt().trigger(Reason::User(None));
                    Err(Error::new(ErrorKind::Refused, "interrupted by Ctrl-C"))
                }
                answer = self.talk(question) => answer,
            }
        })
    }
}

/// A talk with the person, who attends to nothing else until it is dropped.
struct Talk {
    desk: OwnedMutexGuard<Desk>,
}

impl Talk {
    async fn show(self, messages: &[Arc<Msg>]) -> Result<Self> {
        let shown = messages.iter().map(|msg| format!("{}: {}\n", clean(&msg.name), clean(&words(msg))));
        let text: String = shown.collect();
        if text.is_empty() { Ok(self) } else { self.write(text).await }
    }

    async fn ask(self, prompt: String) -> Result<(Self, String)> {
        let mut talk = self.write(prompt).await?;
        let lines = (talk.desk.lines)().map_err(unusable)?;
        let Some(line) = lines.next().await.map_err(unusable)? else {
            talk.write("\n".to_owned()).await?;
            let message = "nobody is there to answer: the input has ended";
            return Err(Error::new(ErrorKind::Unavailable, message));
        };
        if talk.desk.echo {
            talk = talk.write(format!("{}\n", clean(&line))).await?;
        }
        Ok((talk, line))
    }

    /// Writes on the pool for work that blocks. The terminal stays taken until it is written, so that one that takes nothing any
    /// more holds one thread and not many.
    async fn write(mut self, text: String) -> Result<Self> {
        let write = move || {
            let out = &mut self.desk.out;
            out.write_all(text.as_bytes()).and_then(|()| out.flush()).map(|()| self)
        };
        let written = tokio::task::spawn_blocking(write).await;
        written.unwrap_or_else(|error| Err(io::Error::other(error))).map_err(unusable)
    }
}

/// The words of a message, or what it has instead.
fn words(msg: &Msg) -> String {
    let media = msg.content.iter().filter_map(|block| block.media());
    let media = media.map(|media| format!("[{}]", media.media_type()));
    let text = Some(msg.text()).filter(|text| !text.is_empty());
    text.into_iter().chain(media).collect::<Vec<_>>().join(" ")
}

fn unusable(error: io::Error) -> Error {
    if is_too_long(&error) {
        return Error::new(ErrorKind::InvalidInput, error.to_string());
    }
    Error::new(ErrorKind::Unavailable, format!("the terminal cannot be used: {error}")).with_source(error)
}

#[cfg(test)]
mod tests;
