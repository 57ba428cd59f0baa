//! Programs: run in a group of their own, drained while they run, and ended as a group.

mod capture;
mod group;
mod options;

pub(crate) use options::{Options, process_options};

use crate::flow::Emit;
use agentscope_core::{Error, ErrorKind, Interrupt, Result, ToolChunk};
use capture::Capture;
use group::Group;
use std::{
    future::Future,
    pin::{Pin, pin},
    process::{ExitStatus, Stdio},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::{Child, Command},
    select,
    time::{sleep, timeout},
};

/// How a program ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Exited,
    TimedOut,
    Interrupted,
}

/// What a program did.
pub(crate) struct Outcome {
    code: i32,
    stdout: String,
    stderr: String,
    end: End,
}

impl Outcome {
    /// Tells it to the model as AgentScope 1.x does. An interrupt is an error, after what was said until then.
    pub(crate) async fn tell(self, emit: &Emit) -> Result<()> {
        let Self { code, stdout, stderr, end } = self;
        let tagged =
            format!("<returncode>{code}</returncode><stdout>{stdout}</stdout><stderr>{stderr}</stderr>");
        emit.send(ToolChunk::text(tagged)).await;
        if end == End::Interrupted { Err(interrupted()) } else { Ok(()) }
    }
}

/// Runs a program to its end, to its timeout or to the interrupt. Nothing of its group survives, also if this future is
/// dropped. `what` is named in the note on a timeout.
pub(crate) async fn run(
    mut command: Command,
    limit: Duration,
    options: &Options,
    interrupt: &Interrupt,
    what: &str,
) -> Result<Outcome> {
    if interrupt.is_triggered() {
        return Err(interrupted());
    }
    options.apply(&mut command);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    #[cfg(unix)]
    command.process_group(0);
    let mut child = command.spawn().map_err(|error| {
        let program = command.as_std().get_program().to_string_lossy();
        let place = options.cwd.as_ref().map(|dir| format!(" in `{}`", dir.display())).unwrap_or_default();
        Error::from(error).context(format_args!("cannot start `{program}`{place}"))
    })?;
    let mut group = Group::of(&child);
    let (mut stdout, mut stderr) = (Capture::new(options.stream_limit), Capture::new(options.stream_limit));
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let stop = async {
        select! {
            biased;
            () = interrupt.triggered() => End::Interrupted,
            () = sleep(limit) => End::TimedOut,
        }
    };
    let pipes = async {
        tokio::join!(drain(out, &mut stdout), drain(err, &mut stderr));
    };
    let (end, left) = follow(&mut child, &mut group, options, pin!(pipes), pin!(stop)).await;
    let status = child.try_wait().ok().flatten();

    let mut outcome = Outcome {
        code: status.map_or(-1, code),
        stdout: stdout.into_text(),
        stderr: stderr.into_text(),
        end,
    };
    match end {
        End::TimedOut => {
            let seconds = limit.as_secs_f64();
            let note =
                format!("TimeoutError: The {what} execution exceeded the timeout of {seconds} seconds.");
            outcome.code = -1;
            add_line(&mut outcome.stderr, &note);
        }
        End::Exited if left => {
            add_line(&mut outcome.stderr, "Note: processes that were left in the background were ended.");
        }
        End::Exited | End::Interrupted => {}
    }
    Ok(outcome)
}

fn interrupted() -> Error {
    Error::new(ErrorKind::Tool, "interrupted: the program and all that it started were ended")
}

/// Follows the program to its end. Gives how it ended, and whether something of its group was left after it.
async fn follow(
    child: &mut Child,
    group: &mut Group,
    options: &Options,
    pipes: Pin<&mut impl Future<Output = ()>>,
    mut stop: Pin<&mut impl Future<Output = End>>,
) -> (End, bool) {
    let mut pipes = Pipes { drain: pipes, closed: false };
    let exited = async {
        pipes.beside(child.wait()).await.ok();
        let _ = timeout(options.linger, pipes.close()).await;
    };
    let end = select! {
        () = exited => End::Exited,
        end = &mut stop => end,
    };
    if end != End::Exited {
        group.terminate();
        let _ = timeout(options.grace, pipes.close_with(child)).await;
    }
    let left = group.kill();
    // Whoever holds the pipes now has left the group and is not ours.
    let _ = timeout(options.grace, pipes.close_with(child)).await;
    (end, left)
}

/// The draining of a program's output, which goes on beside whatever is waited for.
struct Pipes<'a, F> {
    drain: Pin<&'a mut F>,
    closed: bool,
}

impl<F: Future<Output = ()>> Pipes<'_, F> {
    async fn close(&mut self) {
        if !self.closed {
            self.drain.as_mut().await;
            self.closed = true;
        }
    }

    async fn beside<W: Future>(&mut self, work: W) -> W::Output {
        let mut work = pin!(work);
        loop {
            select! {
                biased;
                done = &mut work => return done,
                () = self.drain.as_mut(), if !self.closed => self.closed = true,
            }
        }
    }

    /// Until the program has ended and its pipes are closed.
    async fn close_with(&mut self, child: &mut Child) {
        let _ = self.beside(child.wait()).await;
        self.close().await;
    }
}

/// Reads to the end, whatever happens to the reader: a full pipe would stop the program.
async fn drain(pipe: Option<impl AsyncRead + Unpin>, capture: &mut Capture) {
    let Some(mut pipe) = pipe else { return };
    let mut buffer = vec![0; 16 << 10];
    while let Ok(count @ 1..) = pipe.read(&mut buffer).await {
        capture.push(buffer.get(..count).unwrap_or_default());
    }
}

/// The exit code; minus the number of the signal that ended it, as Python says it.
fn code(status: ExitStatus) -> i32 {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return -signal;
    }
    status.code().unwrap_or(-1)
}

fn add_line(text: &mut String, line: &str) {
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(line);
}
