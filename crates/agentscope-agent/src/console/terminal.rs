//! A terminal with a person before it: a line editor while they are asked, and single keys while the agent works.

mod editor;
#[cfg(unix)]
mod keys;

use super::{
    io_error,
    person::{Ask, Person, Said, Typed},
};
use agentscope_core::{BoxFuture, Error, ErrorKind, Result};
use editor::{Editor, Question};
#[cfg(unix)]
use keys::{Keys, Quiet};
use std::path::PathBuf;
use tokio::sync::{mpsc, oneshot};

/// A person before a terminal.
pub(super) struct Terminal {
    questions: mpsc::Sender<Question>,
    #[cfg(unix)]
    keys: Keys,
    /// Last, so that the terminal is as it was when all else is gone.
    #[cfg(unix)]
    quiet: Quiet,
}

impl Terminal {
    /// Takes the terminal over until it is dropped. The lines that were typed are kept in the file `history`.
    pub(super) fn open(history: Option<PathBuf>) -> Result<Self> {
        let editor = Editor::new(history)?;
        // One question at a time.
        let (questions, receiver) = mpsc::channel(1);
        #[cfg(unix)]
        let quiet = Quiet::begin()?;
        // The editor blocks, and its read cannot be called off: it has a thread of its own, which ends with the questions.
        let answer = move || editor.answer(receiver);
        std::thread::Builder::new().name("console-editor".into()).spawn(answer).map_err(io_error)?;
        Ok(Self {
            questions,
            #[cfg(unix)]
            keys: Keys::default(),
            #[cfg(unix)]
            quiet,
        })
    }
}

impl Person for Terminal {
    fn prompts(&self) -> bool {
        true
    }

    fn say<'a>(&'a mut self, ask: Ask<'a>) -> BoxFuture<'a, Result<Said>> {
        Box::pin(async move {
            let (answer, said) = oneshot::channel();
            let question =
                Question { prompt: ask.prompt.to_owned(), text: ask.text.to_owned(), kind: ask.kind, answer };
            let gone =
                || Error::new(ErrorKind::Unavailable, "the line editor ended: start the program again");
            self.questions.send(question).await.map_err(|_| gone())?;
            let said = said.await.map_err(|_| gone())?;
            #[cfg(unix)]
            self.quiet.again()?;
            said
        })
    }

    #[cfg(unix)]
    fn typed(&mut self) -> BoxFuture<'_, Typed> {
        Box::pin(self.keys.next())
    }

    #[cfg(not(unix))]
    fn typed(&mut self) -> BoxFuture<'_, Typed> {
        Box::pin(std::future::pending())
    }

    #[cfg(unix)]
    fn forget(&mut self) {
        self.keys.forget();
    }
}
