use tokio::process::Child;

/// A program with all that it has started, unless that has left the group on purpose (`setsid`). Dropped, it is killed.
pub(super) struct Group {
    #[cfg(unix)]
    id: Option<rustix::process::Pid>,
}

#[cfg(unix)]
impl Group {
    /// The group that the child leads.
    pub(super) fn of(child: &Child) -> Self {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        Self { id: id.and_then(rustix::process::Pid::from_raw) }
    }

    /// Asks it to end.
    pub(super) fn terminate(&self) {
        if let Some(id) = self.id {
            let _ = rustix::process::kill_process_group(id, rustix::process::Signal::TERM);
        }
    }

    /// Ends it, once: afterwards its number may belong to others. Says whether there was still something to end.
    pub(super) fn kill(&mut self) -> bool {
        let signal = rustix::process::Signal::KILL;
        self.id.take().is_some_and(|id| rustix::process::kill_process_group(id, signal).is_ok())
    }
}

/// Where there are no process groups only the program itself is ended, by `kill_on_drop` or here.
#[cfg(not(unix))]
impl Group {
    pub(super) fn of(_: &Child) -> Self {
        Self {}
    }
    pub(super) fn terminate(&self) {}
    pub(super) fn kill(&mut self) -> bool {
        false
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}
