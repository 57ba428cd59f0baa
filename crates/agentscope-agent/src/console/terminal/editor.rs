//! Editing a line: moving in it, history, pastes, several lines.

use crate::console::{
    command,
    person::{Kind, Said},
};
use agentscope_core::{Error, ErrorKind, Result};
use rustyline::{
    Cmd, ConditionalEventHandler, Context, Event, EventContext, EventHandler, ExternalPrinter, Helper,
    KeyCode, KeyEvent, Modifiers, Movement, RepeatCount,
    completion::Completer,
    config::{BellStyle, Config},
    error::ReadlineError,
    highlight::Highlighter,
    hint::Hinter,
    history::{FileHistory, History},
    validate::Validator,
};
use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::sync::{mpsc, oneshot};

/// Most lines that are remembered.
const REMEMBERED: usize = 1000;

/// How long after Esc a further key still belongs to it, in milliseconds.
const ESCAPE: u16 = 100;

/// A line that somebody waits for.
pub(super) struct Question {
    pub(super) prompt: String,
    pub(super) text: String,
    pub(super) kind: Kind,
    pub(super) answer: oneshot::Sender<Result<Said>>,
}

/// Shows the line that is being edited again.
pub(super) struct Redraw(Box<dyn ExternalPrinter + Send>);

impl Redraw {
    pub(super) fn now(&mut self) {
        let _ = self.0.print(String::new()); // a line that is not shown can still be entered
    }
}

/// A line editor with its history.
pub(super) struct Editor {
    inner: rustyline::Editor<Commands, FileHistory>,
    history: Option<PathBuf>,
    steering: Arc<AtomicBool>,
}

impl Editor {
    /// With the lines of the file `history`, if there is one.
    pub(super) fn new(history: Option<PathBuf>) -> Result<Self> {
        let mut inner = editor()?;
        inner.set_helper(Some(Commands));
        if let Some(path) = &history {
            load(inner.history_mut(), path)?;
        }
        let steering = Arc::new(AtomicBool::new(false));
        let newline =
            [KeyEvent(KeyCode::Enter, Modifiers::ALT), KeyEvent(KeyCode::Char('J'), Modifiers::CTRL)];
        for key in newline {
            inner.bind_sequence(key, EventHandler::Simple(Cmd::Newline));
        }
        let escape = Escape(Arc::clone(&steering));
        inner.bind_sequence(
            KeyEvent(KeyCode::Esc, Modifiers::NONE),
            EventHandler::Conditional(Box::new(escape)),
        );
        Ok(Self { inner, history, steering })
    }

    /// What has the line that is being edited shown again.
    pub(super) fn redraw(&mut self) -> Result<Redraw> {
        let printer = self.inner.create_external_printer().map_err(|error| terminal_error(&error))?;
        Ok(Redraw(Box::new(printer)))
    }

    /// Answers questions until there are no more.
    pub(super) fn answer(mut self, mut questions: mpsc::Receiver<Question>) {
        while let Some(question) = questions.blocking_recv() {
            let said = self.read(&question);
            if question.answer.send(said).is_err() {
                return; // the talk is over
            }
        }
    }

    fn read(&mut self, question: &Question) -> Result<Said> {
        self.steering.store(question.kind == Kind::Steer, Ordering::Relaxed);
        let initial = (question.text.as_str(), "");
        let line = if question.kind == Kind::Answer {
            // An editor of its own: what this one has read ahead was typed before the question was seen.
            editor()?.readline_with_initial(&question.prompt, initial)
        } else {
            self.inner.readline_with_initial(&question.prompt, initial)
        };
        let line = match line {
            Ok(line) => line,
            Err(ReadlineError::Interrupted | ReadlineError::Signal(_)) => return Ok(Said::Interrupt),
            Err(ReadlineError::Eof) => return Ok(Said::End),
            Err(error) => return Err(terminal_error(&error)),
        };
        if question.kind != Kind::Answer && !line.trim().is_empty() {
            let added = self.inner.add_history_entry(line.trim_end()).unwrap_or(false);
            if let Some(path) = self.history.as_ref().filter(|_| added) {
                // That it can be written was seen at the beginning; a full disk is no reason to end a talk.
                let _ = self.inner.append_history(path);
            }
        }
        Ok(Said::Line(line))
    }
}

fn editor() -> Result<rustyline::Editor<Commands, FileHistory>> {
    let config = Config::builder()
        .max_history_size(REMEMBERED)
        .and_then(|config| config.history_ignore_dups(true))
        .map_err(|error| terminal_error(&error))?
        .bell_style(BellStyle::None)
        .keyseq_timeout(Some(ESCAPE))
        .build();
    rustyline::Editor::with_config(config).map_err(|error| terminal_error(&error))
}

fn load(history: &mut FileHistory, path: &Path) -> Result<()> {
    // A file that cannot be written is told now, not after the first line; what a person types is for nobody else to read.
    let mut options = std::fs::OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(|error| history_error(path, &error.into()))?;
    history.load(path).map_err(|error| history_error(path, &error))
}

fn history_error(path: &Path, error: &ReadlineError) -> Error {
    let path = path.display();
    let message = format!(
        "the history file `{path}` cannot be used: {error}; give `.history(..)` a file that can be written"
    );
    Error::new(ErrorKind::InvalidInput, message)
}

fn terminal_error(error: &ReadlineError) -> Error {
    Error::new(ErrorKind::Unavailable, format!("the terminal cannot be used: {error}"))
}

/// Esc takes back what was to be told to an agent that works, and empties any other line.
struct Escape(Arc<AtomicBool>);

impl ConditionalEventHandler for Escape {
    fn handle(&self, _: &Event, _: RepeatCount, _: bool, _: &EventContext<'_>) -> Option<Cmd> {
        let steering = self.0.load(Ordering::Relaxed);
        Some(if steering { Cmd::Interrupt } else { Cmd::Kill(Movement::WholeBuffer) })
    }
}

/// Tab after a slash completes the name of a command.
struct Commands;

impl Helper for Commands {}
impl Highlighter for Commands {}
impl Validator for Commands {}

impl Hinter for Commands {
    type Hint = String;
}

impl Completer for Commands {
    type Candidate = String;

    fn complete(&self, line: &str, at: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        let typed = line.get(..at).unwrap_or_default();
        let fits = |name: &&str| typed.starts_with('/') && name.starts_with(typed);
        Ok((0, command::names().filter(fits).map(str::to_owned).collect()))
    }
}
