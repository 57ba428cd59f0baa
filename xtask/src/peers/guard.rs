//! A program that ends with us, and with all that it started, however we end.

use std::{
    fs::File,
    io,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

/// How often to look whether a program has ended.
const GLANCE: Duration = Duration::from_millis(20);

/// Runs the command and stands beside it: our end of its input closes when we end, even by `kill -9`, and then it ends
/// the group of processes that it leads.
#[cfg(unix)]
const SCRIPT: &str = r#"
exec 3<&0
(cat <&3 >/dev/null; kill -KILL 0) &
"$@" </dev/null 3<&- &
wait $!
"#;

/// A program that runs, for as long as this is kept.
#[derive(Debug)]
pub(super) struct Guarded {
    child: Child,
}

impl Guarded {
    /// Starts it in a group of processes of its own. What it writes goes to the file.
    pub(super) fn spawn(command: &Command, log: &File) -> io::Result<Self> {
        let mut guard = guard(command);
        guard.stdin(Stdio::piped()).stdout(log.try_clone()?).stderr(log.try_clone()?);
        Ok(Self { child: guard.spawn()? })
    }

    /// Waits for its end, but not past the instant. Gives none where it runs on.
    pub(super) fn wait(&mut self, until: Option<Instant>) -> io::Result<Option<ExitStatus>> {
        loop {
            let status = self.child.try_wait()?;
            if status.is_some() || until.is_some_and(|until| until <= Instant::now()) {
                return Ok(status);
            }
            thread::sleep(GLANCE);
        }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // Nothing can be done about a failure, which is most often that all has ended already.
        #[cfg(unix)]
        let _ = Command::new("kill")
            .args(["-KILL", "--", &format!("-{}", self.child.id())])
            .stderr(Stdio::null())
            .status();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(unix)]
fn guard(command: &Command) -> Command {
    let mut guard = Command::new("sh");
    guard.args(["-c", SCRIPT, "guard"]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => guard.env(name, value),
            None => guard.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        guard.current_dir(folder);
    }
    std::os::unix::process::CommandExt::process_group(&mut guard, 0);
    guard
}

/// Without groups of processes, the program alone.
#[cfg(not(unix))]
fn guard(command: &Command) -> Command {
    let mut alone = Command::new(command.get_program());
    alone.args(command.get_args());
    if let Some(folder) = command.get_current_dir() {
        alone.current_dir(folder);
    }
    alone
}

#[cfg(all(test, unix))]
mod tests {
    use std::{fs, io::Read, os::fd::OwnedFd, sync::mpsc};

    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn the_status_and_the_output_are_the_programs() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut guarded = Guarded::spawn(&shell("echo said; exit 7"), &File::create(&path).unwrap()).unwrap();
        assert_eq!(guarded.wait(None).unwrap().and_then(|status| status.code()), Some(7));
        assert_eq!(fs::read_to_string(path).unwrap(), "said\n");
    }

    #[test]
    fn what_the_program_started_ends_with_the_guard() {
        for killed in [false, true] {
            let (mut reader, writer) = io::pipe().unwrap();
            let log = File::from(OwnedFd::from(writer));
            let mut guarded = Guarded::spawn(&shell("sleep 600 & echo ready; wait"), &log).unwrap();
            drop(log);
            reader.read_exact(&mut [0; 6]).unwrap();
            if killed {
                // What the system does with our end when we are killed.
                drop(guarded.child.stdin.take());
            } else {
                drop(guarded);
            }
            // The pipe ends with the last process that could write to it.
            let (sender, receiver) = mpsc::channel();
            thread::spawn(move || sender.send(reader.read_to_end(&mut Vec::new()).unwrap()).unwrap());
            assert_eq!(receiver.recv_timeout(Duration::from_secs(60)), Ok(0), "killed: {killed}");
        }
    }
}
