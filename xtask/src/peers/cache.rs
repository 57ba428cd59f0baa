//! Where peers are installed, and how it is known that one is.

use std::{
    cell::RefCell,
    ffi::{OsStr, OsString},
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use super::{Peer, guard::Guarded};
use crate::{Result, cargo::root};

/// Names another folder to install into, such as one that several checkouts share.
const FOLDER: &str = "AGENTSCOPE_PEERS_DIR";
/// A file in a peer's folder, written last: without it, the installation was interrupted.
const STAMP: &str = "installed";

/// The folder of a peer, in which it is installed now, if it was not before.
pub(super) fn install(peer: &Peer, limit: Option<Duration>) -> Result<PathBuf> {
    install_into(&cache(), peer, limit)
}

/// Whether it is installed.
pub(super) fn has(peer: &Peer) -> bool {
    is_installed(&folder(&cache(), peer), peer)
}

fn cache() -> PathBuf {
    let build = || {
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |build| root().join(build))
    };
    std::env::var_os(FOLDER).map_or_else(|| build().join("peers"), |folder| root().join(folder))
}

fn folder(cache: &Path, peer: &Peer) -> PathBuf {
    cache.join(format!("{}-{}", peer.name, peer.version))
}

fn is_installed(folder: &Path, peer: &Peer) -> bool {
    fs::read_to_string(folder.join(STAMP)).is_ok_and(|stamp| stamp == stamp_of(peer))
}

fn stamp_of(peer: &Peer) -> String {
    format!("{} {}\n{}", peer.name, peer.version, peer.pins)
}

fn install_into(cache: &Path, peer: &Peer, limit: Option<Duration>) -> Result<PathBuf> {
    let folder = folder(cache, peer);
    if is_installed(&folder, peer) {
        return Ok(folder);
    }
    let failed = |error| format!("could not write to {}: {error}", cache.display());
    fs::create_dir_all(cache).map_err(failed)?;
    let lock = File::create(cache.join(format!("{}.lock", peer.name))).map_err(failed)?;
    match limit {
        Some(_) => lock.try_lock().map_err(|_| "another run installs it at the moment".to_owned())?,
        None => lock.lock().map_err(failed)?,
    }
    if is_installed(&folder, peer) {
        return Ok(folder);
    }
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(failed)?;
    }
    fs::create_dir(&folder).map_err(failed)?;
    eprintln!("installing {} {} into {}", peer.name, peer.version, folder.display());
    let log = folder.join("log");
    let installation = Installation {
        version: peer.version,
        folder: &folder,
        until: limit.map(|limit| Instant::now() + limit),
        writer: RefCell::new(File::create(&log).map_err(failed)?),
        log,
    };
    (peer.install)(&installation)?;
    fs::write(folder.join(STAMP), stamp_of(peer)).map_err(failed)?;
    Ok(folder)
}

/// An installation under way: a folder to fill, by commands whose output goes to a log.
pub(super) struct Installation<'a> {
    pub(super) version: &'static str,
    pub(super) folder: &'a Path,
    /// When to give up.
    until: Option<Instant>,
    log: PathBuf,
    writer: RefCell<File>,
}

impl Installation<'_> {
    /// Whether nobody waits for longer than a minute, so that a registry that does not answer is given up at once.
    pub(super) fn hurries(&self) -> bool {
        self.until.is_some()
    }

    /// Runs one command that needs nothing but this machine.
    pub(super) fn run(&self, command: Command) -> Result<()> {
        self.end_of(command, "")
    }

    /// Runs one command that asks a registry.
    pub(super) fn fetch(&self, command: Command) -> Result<()> {
        self.end_of(command, ", as it does where its registry is out of reach")
    }

    fn end_of(&self, mut command: Command, excuse: &str) -> Result<()> {
        let program = name(&command);
        let words: Vec<_> =
            [&*program].into_iter().chain(command.get_args()).map(OsStr::to_string_lossy).collect();
        let words = words.join(" ");
        eprintln!("$ {words}");
        let program = program.display();
        let failed = |error| format!("could not run `{program}`: {error}");
        let mut writer = self.writer.borrow_mut();
        writeln!(writer, "$ {words}").map_err(failed)?;
        command.current_dir(self.folder);
        let log = self.log.display();
        match Guarded::spawn(&command, &writer).map_err(failed)?.wait(self.until).map_err(failed)? {
            None => Err(format!("`{program}` did not end in time{excuse}: see {log}")),
            Some(status) if status.success() => Ok(()),
            Some(_) => Err(format!("`{program}` failed{excuse}: see {log}")),
        }
    }
}

/// The name of the program, without its folder.
fn name(command: &Command) -> OsString {
    let program = command.get_program();
    Path::new(program).file_name().unwrap_or(program).to_owned()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::test::Running;

    fn peer(version: &'static str, install: fn(&Installation<'_>) -> Result<()>) -> Peer {
        let start = |_: &Path| Ok(Running::at("nowhere"));
        Peer { name: "probe", version, summary: "", pins: "one\n", install, start }
    }

    fn shell(installation: &Installation<'_>, script: &str) -> Result<()> {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        installation.run(command)
    }

    fn append(installation: &Installation<'_>) -> Result<()> {
        shell(installation, "test ! -e half && echo once >> ../count && touch half")
    }

    #[test]
    fn a_peer_is_installed_once_a_version_and_pins() {
        let cache = tempfile::tempdir().unwrap();
        let count = || fs::read_to_string(cache.path().join("count")).unwrap().lines().count();
        let first = install_into(cache.path(), &peer("1", append), None).unwrap();
        assert_eq!(install_into(cache.path(), &peer("1", append), None).unwrap(), first);
        assert_eq!(count(), 1);
        assert_ne!(install_into(cache.path(), &peer("2", append), None).unwrap(), first);
        assert_eq!(count(), 2);
        let other_pins = Peer { pins: "two\n", ..peer("1", append) };
        assert_eq!(install_into(cache.path(), &other_pins, None).unwrap(), first);
        assert_eq!(count(), 3);
    }

    #[test]
    fn an_installation_that_failed_is_done_anew() {
        let cache = tempfile::tempdir().unwrap();
        let fail = |installation: &Installation<'_>| shell(installation, "touch half; exit 3");
        let error = install_into(cache.path(), &peer("1", fail), None).unwrap_err();
        assert!(error.contains("`sh` failed: see"), "{error}");
        install_into(cache.path(), &peer("1", append), None).unwrap();
    }

    #[test]
    fn an_installation_is_given_up_at_its_limit() {
        let cache = tempfile::tempdir().unwrap();
        let hang = |installation: &Installation<'_>| shell(installation, "sleep 600 & wait");
        let before = Instant::now();
        let error =
            install_into(cache.path(), &peer("1", hang), Some(Duration::from_millis(50))).unwrap_err();
        assert!(error.contains("did not end in time"), "{error}");
        assert!(before.elapsed() < Duration::from_secs(60));
    }

    #[test]
    fn who_hurries_does_not_wait_for_another_run() {
        let cache = tempfile::tempdir().unwrap();
        let lock = File::create(cache.path().join("probe.lock")).unwrap();
        lock.lock().unwrap();
        let error =
            install_into(cache.path(), &peer("1", append), Some(Duration::from_secs(60))).unwrap_err();
        assert_eq!(error, "another run installs it at the moment");
    }
}
