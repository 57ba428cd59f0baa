//! A terminal with a person before it: a line editor while they are asked, and single keys while the agent works.

mod editor;
#[cfg_attr(not(unix), path = "terminal/elsewhere.rs")]
mod keys;

use super::{
    io_error,
    person::{Ask, Person, Said, Typed},
};
use agentscope_core::{BoxFuture, Error, ErrorKind, Result};
use editor::{Editor, Question, Redraw};
use keys::{Keys, Quiet, Resumed};
use std::path::PathBuf;
use tokio::sync::{mpsc, oneshot};

/// A person before a terminal.
pub(super) struct Terminal {
    questions: mpsc::Sender<Question>,
    redraw: Redraw,
    keys: Keys,
    resumed: Resumed,
    /// Last, so that the terminal is as it was when all else is gone.
    quiet: Quiet,
}

impl Terminal {
    /// Takes the terminal over until it is dropped. The lines that were typed are kept in the file `history`.
    pub(super) fn open(history: Option<PathBuf>) -> Result<Self> {
        let mut editor = Editor::new(history)?;
        let redraw = editor.redraw()?;
        // One question at a time.
        let (questions, receiver) = mpsc::channel(1);
        let quiet = Quiet::begin()?;
        // The editor blocks, and its read cannot be called off: it has a thread of its own, which ends with the questions.
        let answer = move || editor.answer(receiver);
        std::thread::Builder::new().name("console-editor".into()).spawn(answer).map_err(io_error)?;
        Ok(Self { questions, redraw, keys: Keys::default(), resumed: Resumed::listen()?, quiet })
    }
}

impl Person for Terminal {
    fn prompts(&self) -> bool {
        true
    }

    fn say<'a>(&'a mut self, ask: Ask<'a>) -> BoxFuture<'a, Result<Said>> {
        Box::pin(async move {
            let (answer, mut said) = oneshot::channel();
            let question =
                Question { prompt: ask.prompt.to_owned(), text: ask.text.to_owned(), kind: ask.kind, answer };
            let gone =
                || Error::new(ErrorKind::Unavailable, "the line editor ended: start the program again");
            self.questions.send(question).await.map_err(|_| gone())?;
            let said = loop {
                tokio::select! {
                    said = &mut said => break said.map_err(|_| gone())?,
                    () = self.resumed.wait() => {
                        self.quiet.edit()?;
                        self.redraw.now();
                    }
                }
            };
            self.quiet.again()?;
            said
        })
    }

    fn typed(&mut self) -> BoxFuture<'_, Typed> {
        Box::pin(async {
            loop {
                tokio::select! {
                    typed = self.keys.next() => return typed,
                    // Where that fails, keys come line by line; the next prompt tells.
                    () = self.resumed.wait() => drop(self.quiet.again()),
                }
            }
        })
    }

    fn forget(&mut self) {
        self.keys.forget();
    }
}
