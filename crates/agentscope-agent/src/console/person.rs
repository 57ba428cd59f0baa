//! The person in front of a talk, wherever they are.

use agentscope_core::{BoxFuture, Result};

/// What a person is asked for.
pub(super) struct Ask<'a> {
    pub(super) prompt: &'a str,
    /// What stands in the line already.
    pub(super) text: &'a str,
    pub(super) kind: Kind,
}

/// What for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    /// A message, for the history of lines.
    Message,
    /// A message to an agent that works: Esc takes it back.
    Steer,
    /// A short answer.
    Answer,
}

/// What a person did.
#[derive(Debug, PartialEq)]
pub(super) enum Said {
    /// A line, which may have line breaks.
    Line(String),
    /// Something that cannot be taken, and why.
    Refused(String),
    /// They pressed Ctrl-C.
    Interrupt,
    /// They left, or there is no more input.
    End,
}

/// What was typed while nobody asked.
#[derive(Debug, PartialEq)]
pub(super) struct Typed {
    pub(super) text: String,
    /// Whether Enter came after it.
    pub(super) entered: bool,
}

/// Who talks to the agent.
pub(super) trait Person: Send {
    /// Whether it shows prompts by itself.
    fn prompts(&self) -> bool;

    /// Waits for what they say.
    fn say<'a>(&'a mut self, ask: Ask<'a>) -> BoxFuture<'a, Result<Said>>;

    /// Waits until they type of their own accord; for ever where that cannot be seen.
    fn typed(&mut self) -> BoxFuture<'_, Typed>;

    /// Forgets what was typed: nobody answers what they have not seen.
    fn forget(&mut self) {}
}
