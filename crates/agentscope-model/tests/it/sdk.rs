//! Official SDKs of Python, which talk to our test server: what we test against is what others speak, too.

use crate::{
    said::peer,
    server::{Answer, Request, Server, scenario},
};
use std::{fs, process::Command};

/// Where the scripts are.
const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/sdk");

/// Answers built after the providers' references.
const REFERENCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/reference");

/// As the user's words ask: by a scenario, or by a file for words such as `reference gemini/text-stream`.
fn answer(request: &Request) -> Answer {
    let words = request.heard().turns.last().map(|turn| turn.text()).unwrap_or_default();
    match words.strip_prefix("reference ") {
        Some(name) => Answer::recorded(fs::read(format!("{REFERENCE}/{name}.http")).unwrap()),
        None => scenario(request),
    }
}

/// Runs a script, whose last argument is the server's URL of `path`, against a server that answers as the user's words ask.
/// Does nothing where the machine lacks the peer, whose interpreter is named by `variable`.
pub(crate) fn understands(variable: &str, script: &str, arguments: &[&str], path: &str) {
    let Some(python) = peer(variable) else { return };
    let server = Server::start(answer);
    let script_path = format!("{SCRIPTS}/{script}");
    let output = Command::new(python).arg(script_path).args(arguments).arg(server.at(path)).output().unwrap();
    let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{script} {arguments:?} failed:\n{said}{errors}");
    assert_eq!(said.trim(), "ok", "{errors}");
}
