//! The programs and servers of the machine that some tests need.
//!
//! A test that needs one has `needs_NAME` in its full name (a module `needs_python3` will do) and finds the
//! address in the service's environment variable. Where the machine lacks the service, such tests are skipped
//! and the summary says so.
//!
//! To add a service, give it a line in `KNOWN` and a function that finds it. One that must run first, such as
//! a database, is started there on a port and in a directory of its own; [`Running`] then keeps both and
//! stops it in `Drop`.

use std::{
    ffi::OsString,
    process::{Command, Stdio},
    time::Duration,
};

use super::totals::Totals;
use crate::{
    Result,
    peers::{AIMOCK, OPENAI_PYTHON, SDKS_PYTHON, Server},
    text::nearest,
};

/// How long to wait, once, until a peer is installed. Without a registry its tests are skipped.
const INSTALL_LIMIT: Duration = Duration::from_secs(60);

/// What tests may need, and how they learn where it is.
pub(crate) struct Service {
    pub(crate) name: &'static str,
    /// Tells the tests its address. Where the caller has set it, the caller's service is used and none is
    /// started.
    pub(crate) variable: &'static str,
    /// Finds it on this machine, or says why not.
    pub(crate) start: fn() -> Result<Running>,
}

const KNOWN: [Service; 5] = [
    Service { name: "python3", variable: "AGENTSCOPE_PYTHON", start: python3 },
    Service { name: "aimock", variable: "AGENTSCOPE_AIMOCK", start: || AIMOCK.ready(Some(INSTALL_LIMIT)) },
    Service {
        name: "openai_python",
        variable: "AGENTSCOPE_OPENAI_PYTHON",
        start: || OPENAI_PYTHON.ready(Some(INSTALL_LIMIT)),
    },
    Service {
        name: "sdks_python",
        variable: "AGENTSCOPE_SDKS_PYTHON",
        start: || SDKS_PYTHON.ready(Some(INSTALL_LIMIT)),
    },
    Service { name: "llama", variable: "AGENTSCOPE_LLAMA", start: llama },
];

/// A service that is ready, for as long as this is kept.
#[derive(Debug)]
pub(crate) struct Running {
    address: OsString,
    _server: Option<Server>,
}

impl Running {
    /// A program, or a server that somebody else runs.
    pub(crate) fn at(address: impl Into<OsString>) -> Self {
        Self { address: address.into(), _server: None }
    }

    /// A server that is stopped when this is dropped.
    pub(crate) fn server(address: impl Into<OsString>, server: Server) -> Self {
        Self { address: address.into(), _server: Some(server) }
    }
}

/// Nobody waits for a compiler of C++ in order to run our tests.
fn llama() -> Result<Running> {
    Err("llama.cpp takes minutes to build: `cargo xtask peers llama` does it and runs them".to_owned())
}

/// The path of an interpreter. It is asked for its own, since what is on the `PATH` may be a slow launcher of
/// it.
fn python3() -> Result<Running> {
    let output = Command::new("python3")
        .args(["-c", "import sys; print(sys.executable)"])
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("`python3` does not run: {error}"))?;
    let path = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if path.is_empty() {
        return Err(format!("`python3` failed: {}", String::from_utf8_lossy(&output.stderr).trim()));
    }
    Ok(Running::at(path))
}

/// The services of one run of tests.
pub(super) struct Services {
    running: Vec<(&'static str, Running)>,
    missing: Vec<Missing>,
}

struct Missing {
    name: &'static str,
    why: String,
    required: bool,
}

impl Services {
    /// Starts what the machine has; `required` names, separated by commas, those that it must have.
    pub(super) fn start(required: &str) -> Result<Self> {
        Self::start_from(&KNOWN, required)
    }

    fn start_from(known: &[Service], required: &str) -> Result<Self> {
        let required: Vec<_> = required.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
        let names = || known.iter().map(|service| service.name);
        if let Some(unknown) = required.iter().find(|required| names().all(|name| name != **required)) {
            let known = nearest(unknown, names()).join(", ");
            return Err(format!(
                "AGENTSCOPE_REQUIRE names the service `{unknown}`, which is not among the known: {known}"
            ));
        }
        Ok(Self::start_these(known, &required))
    }

    /// Starts these; those of the names that are required count as a failure where they are missing.
    pub(super) fn start_these(known: &[Service], required: &[&str]) -> Self {
        let mut services = Self { running: Vec::new(), missing: Vec::new() };
        for Service { name, variable, start } in known {
            if std::env::var_os(variable).is_some() {
                continue;
            }
            match start() {
                Ok(running) => services.running.push((variable, running)),
                Err(why) => services.missing.push(Missing { name, why, required: required.contains(name) }),
            }
        }
        services
    }

    /// Gives the tests that a command runs the addresses.
    pub(super) fn tell(&self, command: &mut Command) {
        command.envs(self.running.iter().map(|(variable, running)| (variable, &running.address)));
    }

    /// The arguments by which a runner skips the tests that cannot run.
    pub(super) fn skips(&self) -> Vec<String> {
        let skip = |missing: &Missing| ["--skip".to_owned(), format!("needs_{}", missing.name)];
        self.missing.iter().flat_map(skip).collect()
    }

    /// One failure for each service that is required and missing.
    pub(super) fn totals(&self) -> Totals {
        let failed = self.missing.iter().filter(|missing| missing.required).count();
        Totals { failed: failed as u64, ..Totals::default() }
    }

    /// What cannot run and why.
    pub(super) fn notes(&self) -> Vec<String> {
        let note = |Missing { name, why, required }: &Missing| {
            let verdict = if *required { "required, but not run" } else { "not run" };
            format!("{verdict}: tests named `needs_{name}`, because {why}")
        };
        self.missing.iter().map(note).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAKES: [Service; 2] = [
        Service { name: "here", variable: "XTASK_TEST_HERE", start: || Ok(Running::at("/bin/here")) },
        Service {
            name: "gone",
            variable: "XTASK_TEST_GONE",
            start: || Err("no `gone` on this machine".to_owned()),
        },
    ];

    #[test]
    fn tests_are_told_what_runs_and_skip_what_does_not() {
        let services = Services::start_from(&FAKES, "").unwrap();
        let mut command = Command::new("runner");
        services.tell(&mut command);
        assert_eq!(services.skips(), ["--skip", "needs_gone"]);
        let told: Vec<_> = command.get_envs().collect();
        assert_eq!(told, [("XTASK_TEST_HERE".as_ref(), Some("/bin/here".as_ref()))]);
        assert_eq!(
            services.notes(),
            ["not run: tests named `needs_gone`, because no `gone` on this machine"]
        );
        assert_eq!(services.totals(), Totals::default());
    }

    #[test]
    fn a_required_service_that_is_missing_is_a_failure() {
        let services = Services::start_from(&FAKES, "here, gone").unwrap();
        assert_eq!(services.totals().failed, 1);
        assert!(services.notes().concat().starts_with("required, but not run"));
    }

    #[test]
    fn an_unknown_requirement_lists_the_known() {
        let error = Services::start_from(&FAKES, "here,gon").err().unwrap();
        assert!(error.contains("`gon`, which is not among the known: gone, here"), "{error}");
    }

    #[test]
    fn a_service_of_the_caller_is_used_as_it_is() {
        let path = Service { name: "path", variable: "PATH", start: || Err("never asked".to_owned()) };
        let services = Services::start_from(&[path], "path").unwrap();
        assert!(services.running.is_empty() && services.missing.is_empty());
    }
}
