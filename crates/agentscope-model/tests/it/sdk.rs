//! Official SDKs of Python, which talk to our test server: what we test against is what others speak, too.

use crate::{
    said::peer,
    server::{Server, scenario},
};
use std::process::Command;

/// Where the scripts are.
const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/sdk");

/// Runs a script, whose last argument is the server's URL of `path`, against a server that answers as the user's words ask.
/// Does nothing where the machine lacks the peer, whose interpreter is named by `variable`.
pub(crate) fn understands(variable: &str, script: &str, arguments: &[&str], path: &str) {
    let Some(python) = peer(variable) else { return };
    let server = Server::start(scenario);
    let script_path = format!("{SCRIPTS}/{script}");
    let output = Command::new(python).arg(script_path).args(arguments).arg(server.at(path)).output().unwrap();
    let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{script} {arguments:?} failed:\n{said}{errors}");
    assert_eq!(said.trim(), "ok", "{errors}");
}
