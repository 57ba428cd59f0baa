//! How each peer is installed and started.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::{Server, cache::Installation};
use crate::{Result, cargo::root, test::Running};

/// The oldest Node that aimock runs on.
const NODE: (u32, u32) = (20, 15);
/// Tokens that the model of random weights sees. Few, so that a short question goes beyond it.
const CONTEXT: &str = "512";

pub(super) fn install_aimock(installation: &Installation<'_>) -> Result<()> {
    let found = says("node", "--version").and_then(|_| says("npm", "--version"));
    found.map_err(|why| format!("{why}: install Node {}.{} or later, with npm", NODE.0, NODE.1))?;
    let mut npm = Command::new("npm");
    npm.args(["install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", "."]);
    if installation.hurries() {
        npm.args(["--fetch-retries=0", "--fetch-timeout=10000"]);
    }
    npm.arg(format!("@copilotkit/aimock@{}", installation.version));
    installation.fetch(npm)
}

/// Each test starts one with flags of its own: its address is the program.
pub(super) fn start_aimock(folder: &Path) -> Result<Running> {
    let version = says("node", "--version")?;
    if node(&version).is_none_or(|version| version < NODE) {
        let (major, minor) = NODE;
        return Err(format!("`node` is {version}: install {major}.{minor} or later"));
    }
    Ok(Running::at(folder.join("node_modules/.bin/llmock")))
}

pub(super) fn install_openai_python(installation: &Installation<'_>) -> Result<()> {
    install_python(installation, "openai-python.txt")
}

/// Its address is an interpreter that can `import openai`.
pub(super) fn start_openai_python(folder: &Path) -> Result<Running> {
    Ok(Running::at(python(folder)))
}

pub(super) fn install_sdks_python(installation: &Installation<'_>) -> Result<()> {
    install_python(installation, "sdks-python.txt")
}

/// Its address is an interpreter that can import all of them.
pub(super) fn start_sdks_python(folder: &Path) -> Result<Running> {
    Ok(Running::at(python(folder)))
}

pub(super) fn install_llama(installation: &Installation<'_>) -> Result<()> {
    eprintln!("this compiles llama.cpp, which takes 5 to 20 minutes");
    install_python(installation, "llama.txt")?;
    // The wheel lacks the vocabulary, which the source has.
    let python = || Command::new(python(installation.folder));
    let package = format!("llama-cpp-python=={}", installation.version);
    let mut download = python();
    download.args(["-m", "pip", "download", "--no-binary", "llama-cpp-python", "--no-deps"]).arg(&package);
    installation.fetch(download)?;
    let mut model = python();
    model.arg(root().join("xtask/peers/random-weight-gguf.py"));
    model.args([&format!("llama_cpp_python-{}.tar.gz", installation.version), "model.gguf"]);
    installation.run(model)
}

pub(super) fn start_llama(folder: &Path) -> Result<Running> {
    let command = |port: u16| {
        let mut command = Command::new(python(folder));
        command.current_dir(folder);
        command.args(["-m", "llama_cpp.server", "--model", "model.gguf", "--model_alias", "tiny-random"]);
        command.args(["--host", "127.0.0.1", "--port", &port.to_string(), "--n_ctx", CONTEXT]);
        command.args(["--chat_format", "chatml-function-calling"]);
        // Else a question of one test ends the answer to another's.
        command.args(["--interrupt_requests", "False"]);
        command
    };
    let (server, address) = Server::start(command, "/v1/models", &folder.join("server.log"))?;
    Ok(Running::server(format!("{address}/v1"), server))
}

/// A virtual environment with what a file of pins names.
fn install_python(installation: &Installation<'_>, pins: &str) -> Result<()> {
    says("python3", "--version").map_err(|why| format!("{why}: install Python 3.11 or later"))?;
    let mut environment = Command::new("python3");
    environment.args(["-m", "venv", "venv"]);
    installation.run(environment)?;
    let mut pip = Command::new(python(installation.folder));
    pip.args(["-m", "pip", "install", "--disable-pip-version-check"]);
    if installation.hurries() {
        pip.args(["--retries", "0", "--timeout", "10"]);
    }
    pip.arg("--requirement").arg(root().join("xtask/peers").join(pins));
    installation.fetch(pip)
}

fn python(folder: &Path) -> PathBuf {
    folder.join(if cfg!(windows) { "venv/Scripts/python.exe" } else { "venv/bin/python" })
}

/// What a program answers to a flag.
fn says(program: &str, flag: &str) -> Result<String> {
    let output = Command::new(program)
        .arg(flag)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("`{program}` does not run: {error}"))?;
    if !output.status.success() {
        return Err(format!("`{program} {flag}` fails"));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The first two numbers of what `node --version` says, such as `v20.15.1`.
fn node(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.strip_prefix('v')?.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_node_are_compared_by_number() {
        assert!(node("v20.9.0").unwrap() < NODE);
        assert!(node("v20.20.2").unwrap() > NODE && node("v24.0.0-pre").unwrap() > NODE);
        assert_eq!(node("20.15.1"), None);
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        assert!(
            says("no-such-program", "--version").unwrap_err().starts_with("`no-such-program` does not run")
        );
    }
}
