use crate::{
    flow::{arguments, flow},
    process::{Options, process_options, run},
};
use agentscope_core::{Context, Tool, ToolRequest, ToolSpec, ToolStream};
use serde::Deserialize;
use serde_json::json;
use std::{path::PathBuf, sync::Arc};
use tokio::process::Command;

/// The tool `execute_shell_command`: runs a command in the shell and tells its return code, standard output and standard
/// error.
///
/// At its timeout, at an interrupt, and when its stream is dropped, the command ends with all that it has started; so does
/// what it left in the background, at most a second after the command itself. It has no standard input. A program that leaves
/// the process group on purpose (`setsid`) is out of reach, as is everything but the program itself on Windows.
///
/// It runs with the rights and, unless [`clear_env`](Self::clear_env) says otherwise, the environment of this program: for
/// commands that nobody has read, use a sandbox.
///
/// ```
/// use agentscope_core::Tool;
/// use agentscope_tool::ExecuteShellCommand;
/// use std::time::Duration;
///
/// let shell = ExecuteShellCommand::new().cwd("/tmp").env("LANG", "C").timeout(Duration::from_secs(20));
/// assert_eq!(shell.spec().input_schema["properties"]["timeout"]["default"], 20);
/// ```
#[derive(Clone)]
pub struct ExecuteShellCommand {
    options: Options,
    shell: PathBuf,
}

/// [`ExecuteShellCommand`] as AgentScope 1.x has it.
pub fn execute_shell_command() -> ExecuteShellCommand {
    ExecuteShellCommand::new()
}

impl ExecuteShellCommand {
    /// Runs commands with `/bin/sh -c`, on Windows with `cmd /C`.
    pub fn new() -> Self {
        let shell = if cfg!(windows) { "cmd" } else { "/bin/sh" };
        Self { options: Options::default(), shell: shell.into() }
    }

    /// The shell, which takes the command after `-c` (on Windows `/C`).
    #[must_use]
    pub fn shell(mut self, path: impl Into<PathBuf>) -> Self {
        self.shell = path.into();
        self
    }

    process_options!();
}

impl Default for ExecuteShellCommand {
    fn default() -> Self {
        Self::new()
    }
}

#[derive(Deserialize)]
struct Args {
    command: String,
    timeout: Option<f64>,
}

const DESCRIPTION: &str = "\
Execute a shell command and return its return code, standard output and standard error within <returncode></returncode>, \
<stdout></stdout> and <stderr></stderr> tags. There is no standard input. Processes left in the background are ended when the \
command returns.";

impl Tool for ExecuteShellCommand {
    fn spec(&self) -> Arc<ToolSpec> {
        let schema = json!({
            "type": "object",
            "properties": {
                "command": {"type": "string", "description": "The shell command to execute."},
                "timeout": self.options.timeout_schema("the command"),
            },
            "required": ["command"],
        });
        Arc::new(ToolSpec::new("execute_shell_command", DESCRIPTION, schema))
    }

    fn call(&self, req: ToolRequest, cx: Context) -> ToolStream {
        let Self { options, shell } = self.clone();
        flow(|emit| async move {
            let args: Args = arguments(req)?;
            let limit = options.timeout_for(args.timeout)?;
            let mut command = Command::new(&shell);
            command.arg(if cfg!(windows) { "/C" } else { "-c" }).arg(&args.command);
            let outcome = run(command, limit, &options, cx.interrupt(), "command").await?;
            outcome.tell(&emit).await
        })
    }
}
