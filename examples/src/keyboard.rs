//! A user whose input may end.

use agentscope::{Answer, Question, Terminal, UserInput, prelude::*};

/// A terminal that says `exit` where nobody is there any more (Ctrl-D, the end of a pipe), so that a demo knows one end and not
/// two.
pub fn exit_at_end(terminal: Terminal) -> impl UserInput {
    Keyboard(terminal)
}

struct Keyboard(Terminal);

impl UserInput for Keyboard {
    fn ask(&self, question: Question, cx: Context) -> BoxFuture<'_, Result<Answer>> {
        Box::pin(async move {
            match self.0.ask(question, cx).await {
                Err(error) if error.kind() == ErrorKind::Unavailable => Ok("exit".into()),
                answer => answer,
            }
        })
    }
}
