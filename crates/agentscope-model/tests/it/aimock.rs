//! aimock, a mock of OpenAI's API that we did not write: npm's `@copilotkit/aimock`.

use crate::said::peer;
use agentscope_model::{OpenAIChatModel, Provider};
use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    thread,
};

/// Its answers, chosen by the words of the user.
const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/aimock.json");

/// A server on a free port, for as long as this is kept.
pub(crate) struct Aimock {
    child: Child,
    pub(crate) url: String,
}

impl Aimock {
    /// Starts one with further flags, such as `--chaos-drop 1`. None where the machine has no aimock.
    pub(crate) fn start(flags: &str) -> Option<Self> {
        let program = peer("AGENTSCOPE_AIMOCK")?;
        let mut child = Command::new(program)
            .args(["--port", "0", "--fixtures", FIXTURES])
            .args(flags.split_whitespace())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("AGENTSCOPE_AIMOCK is the path of a program");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let address = lines.find_map(|line| line.split_once(" listening on ").map(|(_, url)| url.to_owned()));
        // A pipe that nobody reads would stop it in the end.
        thread::spawn(move || lines.for_each(drop));
        let url = format!("{}/v1", address.expect("aimock says where it listens"));
        Some(Self { child, url })
    }

    pub(crate) fn model(&self) -> OpenAIChatModel {
        OpenAIChatModel::of(Provider::Other, "gpt-4o").base_url(&self.url)
    }
}

impl Drop for Aimock {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it has ended by itself, which the test has seen
        let _ = self.child.wait();
    }
}
