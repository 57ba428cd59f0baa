//! What is seen of a demo.

use agentscope::{ReplyId, prelude::*};
use std::{
    fmt::{Arguments, Write as _},
    io::{ErrorKind as Io, Write as _},
};

/// Writes a line, as that of std does, but is no panic where nobody reads it: see [`print()`].
#[macro_export]
macro_rules! println {
    ($($words:tt)*) => { $crate::print(::std::format_args!("{}\n", ::std::format_args!($($words)*))) };
}

/// Writes words at once. What would lead the terminal astray is left out of them, because models and people say anything. A
/// demo that nobody reads any more (`| head`) is over.
pub fn print(words: Arguments<'_>) {
    let words = words.to_string();
    let clean: String = words.chars().filter(|it| !it.is_control() || "\n\t".contains(*it)).collect();
    let mut out = std::io::stdout().lock();
    match out.write_all(clean.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => {}
        Err(error) if error.kind() == Io::BrokenPipe => std::process::exit(0),
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "nothing can be shown: {error}");
            std::process::exit(1);
        }
    }
}

/// Shows what each agent of a pipeline says, after its name, as it is said, and gives the reply of the pipeline.
///
/// # Errors
/// Why the pipeline failed.
pub async fn watch(mut events: agentscope::EventStream) -> Result<Msg> {
    let mut reply = Msg::new("", Role::Assistant, Vec::new());
    let mut speaking = None;
    let failed = loop {
        match events.next().await {
            None => break None,
            Some(Err(error)) => break Some(error),
            Some(Ok(event)) => {
                reply.apply(&event);
                show(&event, &mut speaking);
            }
        }
    };
    if speaking.is_some() {
        print(format_args!("\n"));
    }
    failed.map_or(Ok(reply), Err)
}

/// The part of the talk that is being shown: a block of a reply.
type Part = (ReplyId, u32);

fn show(event: &Event, speaking: &mut Option<Part>) {
    let EventKind::Inner { name, event, .. } = &event.kind else { return };
    match &event.kind {
        EventKind::TextDelta { block, delta } => {
            let mut words = String::new();
            let part = (event.reply_id.clone(), *block);
            if speaking.as_ref() != Some(&part) {
                let gap = if speaking.replace(part).is_some() { "\n" } else { "" };
                let _ = write!(words, "{gap}{name}: ");
            }
            print(format_args!("{words}{delta}"));
        }
        EventKind::ReplyEnd { .. }
            if speaking.as_ref().is_some_and(|(reply, _)| *reply == event.reply_id) =>
        {
            *speaking = None;
            print(format_args!("\n"));
        }
        _ => show(event, speaking),
    }
}
