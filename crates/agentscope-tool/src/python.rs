use crate::{
    disk::{at, blocking},
    flow::{arguments, flow},
    process::{Options, process_options, run},
};
use agentscope_core::{Context, Error, ErrorKind, Result, Tool, ToolRequest, ToolSpec, ToolStream};
use serde::Deserialize;
use serde_json::json;
use std::{
    env, fs,
    path::{Path, PathBuf},
    sync::Arc,
};
use tempfile::TempDir;
use tokio::process::Command;

/// Names the Python interpreter where none is given.
const VARIABLE: &str = "AGENTSCOPE_PYTHON";

/// The tool `execute_python_code`: runs a Python program and tells its return code, standard output and standard error.
///
/// The interpreter is the one given by [`interpreter`](Self::interpreter), else that of the environment variable
/// `AGENTSCOPE_PYTHON`, else `python3`, else `python`. The code lies in a private temporary directory that is removed when the
/// run ends or is dropped. How a run ends, and what it can and cannot do, is said at
/// [`ExecuteShellCommand`](crate::ExecuteShellCommand).
///
/// ```
/// use agentscope_core::Tool;
/// use agentscope_tool::ExecutePythonCode;
///
/// let python = ExecutePythonCode::new().interpreter("/usr/bin/python3").clear_env();
/// assert_eq!(python.spec().input_schema["required"][0], "code");
/// ```
#[derive(Clone)]
pub struct ExecutePythonCode {
    options: Options,
    interpreter: Option<PathBuf>,
}

/// [`ExecutePythonCode`] as AgentScope 1.x has it.
pub fn execute_python_code() -> ExecutePythonCode {
    ExecutePythonCode::new()
}

impl ExecutePythonCode {
    /// Runs code with the interpreter that is found.
    pub fn new() -> Self {
        Self { options: Options::default(), interpreter: None }
    }

    /// The interpreter: a path, or a name to be found in `PATH`.
    #[must_use]
    pub fn interpreter(mut self, path: impl Into<PathBuf>) -> Self {
        self.interpreter = Some(path.into());
        self
    }

    process_options!();
}

impl Default for ExecutePythonCode {
    fn default() -> Self {
        Self::new()
    }
}

#[derive(Deserialize)]
struct Args {
    code: String,
    timeout: Option<f64>,
}

const DESCRIPTION: &str = "\
Execute the given Python code in a new process and return its return code, standard output and standard error within \
<returncode></returncode>, <stdout></stdout> and <stderr></stderr> tags. Print what you want to see. There is no standard \
input.";

impl Tool for ExecutePythonCode {
    fn spec(&self) -> Arc<ToolSpec> {
        let schema = json!({
            "type": "object",
            "properties": {
                "code": {"type": "string", "description": "The Python code to execute."},
                "timeout": self.options.timeout_schema("the code"),
            },
            "required": ["code"],
        });
        Arc::new(ToolSpec::new("execute_python_code", DESCRIPTION, schema))
    }

    fn call(&self, req: ToolRequest, cx: Context) -> ToolStream {
        let Self { options, interpreter } = self.clone();
        flow(|emit| async move {
            let args: Args = arguments(req)?;
            let limit = options.timeout_for(args.timeout)?;
            let (interpreter, dir) = blocking(move |_| Ok((find(interpreter)?, script(&args.code)?))).await?;
            let mut command = Command::new(interpreter);
            if cfg!(windows) {
                command.env("PYTHONUTF8", "1");
            }
            command.arg("-u").arg(dir.path().join(SCRIPT));
            let outcome = run(command, limit, &options, cx.interrupt(), "code").await;
            blocking(move |_| dir.close().map_err(Error::from)).await.ok();
            outcome?.tell(&emit).await
        })
    }
}

const SCRIPT: &str = "main.py";

/// The code in a directory that only we can read.
fn script(code: &str) -> Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("agentscope-python-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
    let dir = builder.tempdir().map_err(|error| at(&env::temp_dir(), error))?;
    let path = dir.path().join(SCRIPT);
    fs::write(&path, code).map_err(|error| at(&path, error))?;
    Ok(dir)
}

fn find(given: Option<PathBuf>) -> Result<PathBuf> {
    let given = given.or_else(|| env::var_os(VARIABLE).filter(|it| !it.is_empty()).map(PathBuf::from));
    let names = given.map_or_else(|| vec!["python3".into(), "python".into()], |given| vec![given]);
    names.iter().find_map(|name| program(name)).ok_or_else(|| {
        let names: Vec<_> = names.iter().map(|name| format!("`{}`", name.display())).collect();
        let message = format!(
            "no Python was found as {}: install Python 3, set {VARIABLE} to its interpreter, or pass `.interpreter(..)`",
            names.join(" or ")
        );
        Error::new(ErrorKind::NotFound, message)
    })
}

/// The program of this name or path. It is looked up with our `PATH`, not with the one that the program will see.
fn program(name: &Path) -> Option<PathBuf> {
    if name.components().count() > 1 {
        return std::path::absolute(name).ok().filter(|path| is_program(path));
    }
    let mut file = name.as_os_str().to_owned();
    if !name.to_string_lossy().ends_with(env::consts::EXE_SUFFIX) {
        file.push(env::consts::EXE_SUFFIX);
    }
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|dir| dir.join(&file)).find(|path| is_program(path))
}

#[cfg(unix)]
fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(path: &Path) -> bool {
    path.is_file()
}
