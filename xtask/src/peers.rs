//! `cargo xtask peers`: programs that we did not write, each at one version, and the tests that talk to them.

use std::{path::Path, process::ExitCode, time::Duration};

use crate::{
    Result,
    args::Args,
    test::{Runner, Running, Service, Session},
    text::nearest,
};
use cache::Installation;
pub(crate) use server::Server;

mod cache;
mod guard;
mod recipes;
mod server;

/// A program that we did not write.
pub(crate) struct Peer {
    /// As in `needs_NAME`, the mark of the tests that talk to it.
    name: &'static str,
    version: &'static str,
    /// What it is, and what it costs to have.
    summary: &'static str,
    /// What else was chosen; with other pins it is installed anew.
    pins: &'static str,
    install: fn(&Installation<'_>) -> Result<()>,
    /// Starts it from the folder that it is installed in, or finds there what each test starts for itself.
    start: fn(&Path) -> Result<Running>,
}

pub(crate) const AIMOCK: Peer = Peer {
    name: "aimock",
    version: "1.43.0",
    summary: "a mock of OpenAI's API: @copilotkit/aimock of npm. Needs Node 20; takes seconds and 20 MB",
    pins: "",
    install: recipes::install_aimock,
    start: recipes::start_aimock,
};

pub(crate) const OPENAI_PYTHON: Peer = Peer {
    name: "openai_python",
    version: "3.51.0",
    summary: "the official SDK: openai of PyPI. Needs python3; takes seconds and 50 MB",
    pins: include_str!("../peers/openai-python.txt"),
    install: recipes::install_openai_python,
    start: recipes::start_openai_python,
};

pub(crate) const SDKS_PYTHON: Peer = Peer {
    name: "sdks_python",
    version: "1",
    summary: "the official SDKs: anthropic 2.10.0, google-genai 3.3.0, ollama 0.6.3 and dashscope 2.0.2 of\n\
              PyPI. Needs python3; takes half a minute and 190 MB",
    pins: include_str!("../peers/sdks-python.txt"),
    install: recipes::install_sdks_python,
    start: recipes::start_sdks_python,
};

pub(crate) const LLAMA: Peer = Peer {
    name: "llama",
    version: "0.3.36",
    summary: "a server of llama.cpp with random weights: llama-cpp-python of PyPI. Needs python3 and a C++\n\
              compiler; takes 5 to 20 minutes and 350 MB",
    pins: include_str!("../peers/llama.txt"),
    install: recipes::install_llama,
    start: recipes::start_llama,
};

const ALL: [(Peer, Service); 4] = [
    (AIMOCK, Service { name: AIMOCK.name, variable: "AGENTSCOPE_AIMOCK", start: || AIMOCK.ready(None) }),
    (
        OPENAI_PYTHON,
        Service {
            name: OPENAI_PYTHON.name,
            variable: "AGENTSCOPE_OPENAI_PYTHON",
            start: || OPENAI_PYTHON.ready(None),
        },
    ),
    (
        SDKS_PYTHON,
        Service {
            name: SDKS_PYTHON.name,
            variable: "AGENTSCOPE_SDKS_PYTHON",
            start: || SDKS_PYTHON.ready(None),
        },
    ),
    (LLAMA, Service { name: LLAMA.name, variable: "AGENTSCOPE_LLAMA", start: || LLAMA.ready(None) }),
];

pub(crate) fn run(mut args: Args) -> Result<ExitCode> {
    let list = args.flag("--list");
    let (peers, services) = choose(&args.names(ALL.len())?)?;
    if list {
        peers.iter().for_each(|peer| println!("{}", peer.line()));
        return Ok(ExitCode::SUCCESS);
    }
    let names: Vec<_> = peers.iter().map(|peer| peer.name).collect();
    let mut session = Session::with(&services);
    let runner = Runner::installed();
    let filters: Vec<_> = names.iter().map(|name| format!("needs_{name}")).collect();
    session.run(runner, runner.command_of("agentscope-model", "it"), &filters)?;
    Ok(session.close())
}

/// The peers of these names, or all where there is none.
fn choose(names: &[String]) -> Result<(Vec<Peer>, Vec<Service>)> {
    let known = || ALL.into_iter().map(|(peer, _)| peer.name);
    if let Some(unknown) = names.iter().find(|name| known().all(|known| known != **name)) {
        let known = nearest(unknown, known()).join(", ");
        return Err(format!("no peer is named `{unknown}`: there are {known}"));
    }
    let wanted = |peer: &Peer| names.is_empty() || names.iter().any(|name| name == peer.name);
    Ok(ALL.into_iter().filter(|(peer, _)| wanted(peer)).unzip())
}

impl Peer {
    /// Installs it where it is not, and starts it. `limit` is how long to wait for the registry and for other runs
    /// that install it; without one, as long as it takes.
    pub(crate) fn ready(&self, limit: Option<Duration>) -> Result<Running> {
        (self.start)(&cache::install(self, limit)?)
    }

    fn line(&self) -> String {
        let state = if cache::has(self) { "installed" } else { "not installed" };
        let summary = self.summary.replace('\n', " ");
        format!("{:13}  {:7}  {state:13}  {summary}", self.name, self.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_are_chosen_by_name_and_all_where_there_is_none() {
        let names = |words: &[&str]| {
            let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
            choose(&words).map(|(peers, _)| peers.iter().map(|peer| peer.name).collect::<Vec<_>>())
        };
        assert_eq!(names(&["llama", "aimock"]).unwrap(), ["aimock", "llama"]);
        assert_eq!(names(&[]).unwrap().len(), ALL.len());
        assert!(
            names(&["lama"]).unwrap_err().ends_with("there are llama, aimock, sdks_python, openai_python")
        );
    }
}
